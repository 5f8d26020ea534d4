// SPDX-License-Identifier: Apache-2.0
// A run of the crowd, and the look at the record of an earlier one. Both print to standard output and return an exit status:
// 0 everybody was told what is right, 1 not, or it could not be done.
#ifndef BENCH_CROWD_CROWD_H
#define BENCH_CROWD_CROWD_H

#include "bench/crowd/options.h"

// The rooms must have been found. SIGINT and SIGTERM end it early.
int crowd_run(const struct options *options);

// options->check, and options->ledger if it is given.
int crowd_check_file(const struct options *options);

#endif
