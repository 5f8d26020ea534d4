// SPDX-License-Identifier: Apache-2.0
// The operator: the event's states, the dial, what is on sale; confirming, cancelling and retrying.
#include <stdio.h>

#include "tests/simulation/actors.h"

static void tell(struct world *world, unsigned place, unsigned attempt)
{
    struct world_outcome outcome = world_state(world, place, attempt);
    world_push_outcome(&world->outbox, &outcome);
}

// Paid elsewhere: through `paying` to `confirmed` in one transaction, while the hold has not run out.
static void confirm(struct world *world, unsigned place, unsigned attempt)
{
    struct world_booking *booking = &world->bookings[place][attempt];
    const struct world_choice *choice = world_choice_of(world, place, attempt);
    if (world_is_lapsed(world, booking) || world->state == LIFECYCLE_STOPPED)
        return;
    world->tiers[choice->tier].held -= choice->quantity;
    world->tiers[choice->tier].sold += choice->quantity;
    booking->state = ORDER_CONFIRMED;
    booking->pay_until_us = 0;
    booking->revision += 2;
    world->done[WORLD_PAID]++;
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
    const struct world_booking *booking = &world->bookings[place][attempt];
    if (booking->state == ORDER_FAILED)
        retry(world, place, attempt);
    else if (booking->state == ORDER_HELD && world_chance(world, 60))
        confirm(world, place, attempt);
    else if (order_may_become(booking->state, ORDER_CANCELLED, ORDER_BY_OPERATOR) && world_chance(world, 30))
        world_cancel(world, place, attempt, true);
}

// More to be had, or less of what nobody has.
static void change_floor(struct world *world)
{
    uint32_t taken = world->tiers[0].held + world->tiers[0].sold;
    if (world_chance(world, 70))
        world->tiers[0].capacity++;
    else if (world->tiers[0].capacity > taken)
        world->tiers[0].capacity--;
}

// A seat goes on sale, or is taken off if it is free.
static void change_hall(struct world *world)
{
    unsigned seat = world_pick(world, WORLD_SEATS);
    if (world->taken[seat].place > 0)
        return;
    bool was_blocked = world->kinds[seat] == SEAT_BLOCKED;
    world->kinds[seat] = was_blocked ? SEAT_ORDINARY : SEAT_BLOCKED;
    world->tiers[WORLD_SEATED].capacity += was_blocked ? 1 : -1u;
    world->layout++;
}

static void act_on_stock(struct world *world)
{
    world->transactions++;
    world->event_version++;
    if (world_chance(world, 50))
        change_floor(world);
    else
        change_hall(world);
}

void operator_act(struct world *world)
{
    static const enum lifecycle_action actions[] = {LIFECYCLE_DO_PAUSE, LIFECYCLE_DO_RESUME, LIFECYCLE_DO_STOP,
                                                    LIFECYCLE_DO_START};
    if (world_chance(world, 40)) // nothing stands still for long
        world_apply(world, world->state == LIFECYCLE_STOPPED ? LIFECYCLE_DO_START : LIFECYCLE_DO_RESUME);
    switch (world_pick(world, 7)) {
    case 0:
        snprintf(world->pace, sizeof(world->pace), "%u/%s", world_pick(world, 60),
                 world_chance(world, 80) ? "s" : "min");
        world->event_version++;
        break;
    case 1:
        world_apply(world, actions[world_pick(world, sizeof(actions) / sizeof(actions[0]))]);
        break;
    case 2:
        if (world_chance(world, 30))
            act_on_stock(world);
        break;
    default:
        act_on_booking(world);
        break;
    }
}

void operator_let_run(struct world *world)
{
    world_apply(world, LIFECYCLE_DO_START);
    world_apply(world, LIFECYCLE_DO_RESUME);
    snprintf(world->pace, sizeof(world->pace), "50/s");
    world->event_version++;
}

void operator_close(struct world *world)
{
    world_apply(world, LIFECYCLE_DO_CLOSE);
}
