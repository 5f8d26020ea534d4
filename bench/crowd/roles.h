// SPDX-License-Identifier: Apache-2.0
// Who does what: shares of a shuffled deck, so that their sizes are exact and their places are anywhere.
#ifndef BENCH_CROWD_ROLES_H
#define BENCH_CROWD_ROLES_H

#include "bench/crowd/visitor.h"

// How many visitors a share is, to the nearest.
uint32_t roles_share(uint32_t visitors, uint32_t percent);

// Gives the visitors of stage->options their roles and what they do about the order. ERROR_MEMORY.
int roles_give(struct stage *stage, struct visitor *visitors) MUST_USE;

#endif
