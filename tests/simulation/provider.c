// SPDX-License-Identifier: Apache-2.0
// Payments, as far as bookings know of them: while one is with the provider its hold cannot run out, and a decline leaves the hold.
#include "tests/simulation/actors.h"

static void settle(struct world *world, unsigned place, unsigned attempt, enum order_state state)
{
    struct world_booking *booking = &world->bookings[place][attempt];
    const struct world_choice *choice = world_choice_of(world, place, attempt);
    if (state == ORDER_CONFIRMED) {
        world->tiers[choice->tier].held -= choice->quantity;
        world->tiers[choice->tier].sold += choice->quantity;
        booking->pay_until_us = 0;
        world->done[WORLD_PAID]++;
    }
    booking->state = state;
    booking->revision++;
    world->transactions++;
    struct world_outcome outcome = world_state(world, place, attempt);
    world_push_outcome(&world->outbox, &outcome);
}

static void answer(struct world *world, unsigned place, unsigned attempt)
{
    static const enum order_state answers[] = {ORDER_CONFIRMED, ORDER_DECLINED, ORDER_ACTION_REQUIRED};
    settle(world, place, attempt, answers[world_pick(world, 3)]);
}

void provider_act(struct world *world, unsigned place)
{
    unsigned attempt = world_attempt(world, place);
    const struct world_booking *booking = &world->bookings[place][attempt];
    if (attempt == 0 || !booking->exists)
        return;
    if (booking->state == ORDER_PAYING)
        answer(world, place, attempt);
    else if (order_may_lapse(booking->state) && !world_is_lapsed(world, booking) && world->state != LIFECYCLE_STOPPED)
        settle(world, place, attempt, ORDER_PAYING);
}

void provider_answer_all(struct world *world)
{
    for (unsigned place = 1; place <= world->last; place++) {
        unsigned attempt = world_attempt(world, place);
        if (attempt > 0 && world->bookings[place][attempt].exists &&
            world->bookings[place][attempt].state == ORDER_PAYING)
            answer(world, place, attempt);
    }
}
