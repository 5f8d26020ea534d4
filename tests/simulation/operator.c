// SPDX-License-Identifier: Apache-2.0
// The operator: the event's states, the dial, cancelling and retrying.
#include <stdio.h>

#include "tests/simulation/actors.h"

static void apply(struct world *world, enum lifecycle_action action)
{
    enum lifecycle_state after;
    if (lifecycle_next(world->state, world->before_stop, action, &after) || after == world->state)
        return;
    if (after == LIFECYCLE_STOPPED)
        world->before_stop = world->state;
    world->state = after;
    world->event_version++;
}

static void tell(struct world *world, unsigned place, unsigned attempt)
{
    struct world_outcome outcome = world_state(world, place, attempt);
    world_push_outcome(&world->outbox, &outcome);
}

static void cancel(struct world *world, unsigned place, unsigned attempt)
{
    struct world_booking *booking = &world->bookings[place][attempt];
    const struct world_choice *choice = &world->orders[place][attempt].choices[booking->choice];
    world->tiers[choice->tier].sold -= choice->quantity;
    world->customers_booked[world->customer[place]] -= choice->quantity;
    booking->state = ORDER_CANCELLED;
    booking->revision++;
    world->done[WORLD_CANCELLED]++;
    tell(world, place, attempt);
}

// Only the newest attempt may be made open again.
static void retry(struct world *world, unsigned place, unsigned attempt)
{
    struct world_order *order = &world->orders[place][attempt];
    struct world_booking *booking = &world->bookings[place][attempt];
    booking->state = ORDER_RELEASED;
    booking->reason = ORDER_NO_REASON;
    booking->revision++;
    order->published = false;
    order->release_no++;
    world->done[WORLD_RETRIED]++;
    tell(world, place, attempt);
}

static void act_on_booking(struct world *world)
{
    if (world->last == 0)
        return;
    unsigned place = 1 + world_pick(world, world->last), attempt = world_attempt(world, place);
    // A failed booking is what an operator looks for.
    for (unsigned i = 1; i <= world->last; i++)
        if (world->bookings[i][world_attempt(world, i)].exists &&
            world->bookings[i][world_attempt(world, i)].state == ORDER_FAILED && world_chance(world, 30)) {
            place = i;
            attempt = world_attempt(world, i);
        }
    if (attempt == 0 || !world->bookings[place][attempt].exists)
        return;
    world->by_operator = true;
    world->transactions++;
    if (world->bookings[place][attempt].state == ORDER_CONFIRMED && world_chance(world, 30))
        cancel(world, place, attempt);
    else if (world->bookings[place][attempt].state == ORDER_FAILED)
        retry(world, place, attempt);
}

void operator_act(struct world *world)
{
    static const enum lifecycle_action actions[] = {LIFECYCLE_DO_PAUSE, LIFECYCLE_DO_RESUME, LIFECYCLE_DO_STOP,
                                                    LIFECYCLE_DO_START, LIFECYCLE_DO_RESUME, LIFECYCLE_DO_START};
    switch (world_pick(world, 6)) {
    case 0:
        snprintf(world->pace, sizeof(world->pace), "%u/%s", world_pick(world, 60),
                 world_chance(world, 80) ? "s" : "min");
        world->event_version++;
        break;
    case 1:
        apply(world, actions[world_pick(world, sizeof(actions) / sizeof(actions[0]))]);
        break;
    default:
        act_on_booking(world);
        break;
    }
}

void operator_let_run(struct world *world)
{
    apply(world, LIFECYCLE_DO_START);
    apply(world, LIFECYCLE_DO_RESUME);
    snprintf(world->pace, sizeof(world->pace), "50/s");
    world->event_version++;
}

void operator_close(struct world *world)
{
    apply(world, LIFECYCLE_DO_CLOSE);
}
