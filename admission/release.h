// SPDX-License-Identifier: Apache-2.0
// Releases: what is to be done with an order now, and what comes before what. The event's state, how far the line is and
// the order's own row decide, nothing else; so whoever leads, and however often, comes to the same answer. Pure.
#ifndef ADMISSION_RELEASE_H
#define ADMISSION_RELEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/lifecycle.h"
#include "common/order_state.h"

// What an event's state allows.
struct release_plan {
    bool publishes; // what was marked as released is published until that is noted
    bool releases; // who was let in has the order released
    bool ends; // all orders that were not released end …
    enum order_state end_state; // … like this
    enum order_reason end_reason;
};

// Constant; never NULL.
const struct release_plan *release_plan(enum lifecycle_state state);

// An order's row, as far as it matters here.
struct release_order {
    uint64_t place;
    uint32_t attempt;
    enum order_state state; // of `orders`, not of a booking
    bool published; // noted: RabbitMQ has confirmed it
};

// In the order of doing it, see release_compare().
enum release_act {
    RELEASE_PUBLISH, // it was marked already, by whomever: publish it (once more, perhaps)
    RELEASE_MARK, // mark it as released, then publish it
    RELEASE_END, // it ends as the plan says
    RELEASE_NOTHING,
};

// `served` is the highest place that has been let in.
enum release_act release_decide(enum lifecycle_state state, uint64_t served, const struct release_order *order);

// What comes first: below 0 is a, above 0 is b. Everything that was marked goes out again before anything is marked anew,
// each in the order of places and attempts.
int release_compare(enum release_act act_a, const struct release_order *a, enum release_act act_b,
                    const struct release_order *b);

#endif
