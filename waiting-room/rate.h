// SPDX-License-Identifier: Apache-2.0
// How often one address may join. A bounded table: under a flood of addresses the one that was idle longest is forgotten,
// which errs in favour of the visitor. Pure: the clock comes from the caller. One thread.
#ifndef WAITING_ROOM_RATE_H
#define WAITING_ROOM_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"

struct rate;

int rate_new(struct rate **ret) MUST_USE; // ERROR_MEMORY
void rate_free(struct rate *rate); // accepts NULL

// Takes one from the address's allowance: at most limit->count at once, refilled evenly over limit->per_seconds. IPv6 counts
// by /64, which is what one household has; IPv4 in IPv6 counts as IPv4. Returns 0, or how many seconds to wait for the next.
// A limit of count 0 is off. An address that is no address counts as one of its own.
int64_t rate_take(struct rate *rate, const char *address, const struct config_rate *limit, int64_t now_us);

#endif
