// SPDX-License-Identifier: Apache-2.0
// See release.h.
//
// Why orders reach RabbitMQ in the order of their places, whoever dies on the way: an order is marked in MySQL before it is
// published, and noted after RabbitMQ has confirmed it. A leader, old or new, first publishes everything that is marked and
// not noted, in the order of places, and only then marks more; and what is marked in one go is whatever was due, from the
// lowest place on. So when an order is published for the first time, every order marked before it has been published
// before it by the same leader or was confirmed to an earlier one. What is published twice is a double that came later,
// and booking an order twice changes nothing.
#include "admission/release.h"

#include <stddef.h>

// One row a state, so that a new state has to be decided here. Booking workers end what reaches them of an event that is
// sold out or closed; of one that is stopped they would give it back, so nothing is published then.
static const struct release_plan plans[LIFECYCLE_STATE_COUNT] = {
    [LIFECYCLE_DRAFT] = {0},
    [LIFECYCLE_LOBBY] = {0},
    [LIFECYCLE_OPEN] = {.publishes = true, .releases = true},
    [LIFECYCLE_PAUSED] = {.publishes = true, .releases = true},
    [LIFECYCLE_STOPPED] = {0},
    [LIFECYCLE_SOLD_OUT] = {.publishes = true, .ends = true, .end_state = ORDER_SOLD_OUT},
    [LIFECYCLE_CLOSED] = {.publishes = true,
                          .ends = true,
                          .end_state = ORDER_REFUSED,
                          .end_reason = ORDER_EVENT_CLOSED},
};

const struct release_plan *release_plan(enum lifecycle_state state)
{
    // A state that is none: nothing is done.
    return &plans[(unsigned)state < LIFECYCLE_STATE_COUNT ? state : LIFECYCLE_DRAFT];
}

enum release_act release_decide(enum lifecycle_state state, uint64_t served, const struct release_order *order)
{
    const struct release_plan *plan = release_plan(state);
    if (order->state == ORDER_RELEASED)
        return plan->publishes && !order->published ? RELEASE_PUBLISH : RELEASE_NOTHING;
    if (order->state != ORDER_PLACED)
        return RELEASE_NOTHING;
    if (plan->ends)
        return RELEASE_END;
    return plan->releases && order->place <= served ? RELEASE_MARK : RELEASE_NOTHING;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int release_compare(enum release_act act_a, const struct release_order *a, enum release_act act_b,
                    const struct release_order *b)
{
    int result = compare(act_a, act_b);
    if (result == 0)
        result = compare(a->place, b->place);
    return result ? result : compare(a->attempt, b->attempt);
}
