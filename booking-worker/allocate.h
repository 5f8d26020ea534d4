// SPDX-License-Identifier: Apache-2.0
// Who gets what: pure. Takes the numbers of an event's tiers and of one customer, and what one order asks for; says what
// becomes of it, and takes its tickets from the numbers. Whoever calls it holds the rows that the numbers came from.
#ifndef BOOKING_WORKER_ALLOCATE_H
#define BOOKING_WORKER_ALLOCATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "booking-worker/choices.h"
#include "common/lifecycle.h"
#include "common/order_state.h"
#include "common/slug.h"

struct allocate_tier {
    char code[SLUG_BYTES];
    bool is_seated;
    uint32_t capacity, held, sold;
    bool is_changed; // set when something was taken
};

struct allocate_event {
    enum lifecycle_state state;
    uint32_t max_per_customer;
    size_t tier_count;
    struct allocate_tier *tiers;
};

struct allocate_customer {
    uint32_t booked; // tickets over all bookings of the event that have places
    bool is_changed; // set when it grew
};

struct allocate_verdict {
    enum order_state state; // ORDER_CONFIRMED, ORDER_SOLD_OUT, ORDER_REFUSED or ORDER_FAILED;
        // ORDER_RELEASED: the event stands still, so nothing is decided and the order is given back
    enum order_reason reason; // of ORDER_REFUSED; ORDER_BROKEN for ORDER_FAILED
    size_t choice; // ORDER_CONFIRMED: which one
};

// The first choice that can be served whole is. If none can, the answer is that to the best choice whose tier is still on sale:
// refused (customer_limit) where it would give the customer too many, sold_out where too few are left; refused (tier_closed) when
// all the tiers are gone. `choices` NULL: they could not be read (ORDER_FAILED, as for seats, which cannot be booked yet).
struct allocate_verdict allocate_order(struct allocate_event *event, const struct choices *choices,
                                       struct allocate_customer *customer);

// Whether every tier is sold to its last place, with nothing held that might come back. An event without tiers sells nothing.
bool allocate_is_all_sold(const struct allocate_event *event);

#endif
