// SPDX-License-Identifier: Apache-2.0
// The end of the accounts: gets the bank's ledger and compares what visitors were told with it.
#ifndef BENCH_CROWD_ACCOUNT_H
#define BENCH_CROWD_ACCOUNT_H

#include <stdint.h>

#include "bench/crowd/bank.h"
#include "bench/crowd/check.h"
#include "common/error.h"

// `source` is the ledger's address, or a file that holds it. Waits up to `patience_seconds` for the bank to be there and for all money to be
// taken or let go, then judges, and prints the sums to standard output. Blocks. An error, said on standard error, when there is no ledger to be
// had; what is wrong with the money is the checker's to tell.
int account_settle(const struct bank *bank, const char *source, int64_t patience_seconds, struct check *check) MUST_USE;

#endif
