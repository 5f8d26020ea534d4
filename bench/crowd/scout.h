// SPDX-License-Identifier: Apache-2.0
// Reads what can be ordered, before anybody comes.
#ifndef BENCH_CROWD_SCOUT_H
#define BENCH_CROWD_SCOUT_H

#include "bench/crowd/stage.h"

// Runs the loop until the event's public document is there, and fills stage->menu; nothing else may be on the loop. Asks every
// link once, at most. ERROR_TRANSIENT, ERROR_INVALID; `problem` says why.
int scout_menu(struct stage *stage, const struct links *links, char *problem, size_t problem_bytes) MUST_USE;

#endif
