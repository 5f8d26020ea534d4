// SPDX-License-Identifier: Apache-2.0
// Whose each seat is, as far as visitors were told: nobody is told of a seat that another still has. Pure.
#ifndef BENCH_CROWD_CHECK_SEATS_H
#define BENCH_CROWD_CHECK_SEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/crowd/check_order.h"
#include "bench/crowd/told.h"

struct check_seat; // one seat, and who was told of it last

struct check_seats {
    struct check_seat *slots; // open addressing, at most half full
    size_t size, count;
    bool failed; // out of memory
};

void check_seats_done(struct check_seats *seats); // accepts NULL and zeroes

// The visitor was told of these seats, and `order` (which must stay where it is) already says so. Returns the visitor who has one of
// them, or 0. News of an end may come later than news of who has the seat next: so somebody whose hold has run out at `utc_us`, or
// who gives it back, has it no more.
uint32_t check_seats_take(struct check_seats *seats, uint32_t visitor, const struct check_order *order,
                          const struct told *told, int64_t utc_us);

#endif
