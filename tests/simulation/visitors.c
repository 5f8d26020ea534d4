// SPDX-License-Identifier: Apache-2.0
// Visitors: what they ask for is decided by waiting-room/order_decide.c, whichever waiting room they ask.
#include "tests/simulation/actors.h"
#include "waiting-room/order_decide.h"

void visitors_join(struct world *world)
{
    if (world->last == WORLD_PLACES || (world->state != LIFECYCLE_OPEN && world->state != LIFECYCLE_PAUSED))
        return;
    world->last++;
    world->pages[world->last].connected = true;
}

static struct order_rows read_rows(const struct world *world, unsigned place)
{
    unsigned attempt = world_attempt(world, place);
    const struct world_order *order = &world->orders[place][attempt];
    const struct world_booking *booking = &world->bookings[place][attempt];
    return (struct order_rows){.arrived = true,
                               .left = world->left[place],
                               .attempt = attempt,
                               .order_state = order->state,
                               .revision = order->revision,
                               .booked = attempt > 0 && booking->exists,
                               .booking_state = booking->state,
                               .booking_revision = booking->revision,
                               .had_more_time = booking->had_more_time,
                               .is_lapsed = world_is_lapsed(world, booking)};
}

// Seats by name: different ones, taken or not, and now and then one that is in no hall.
static void name_seats(struct world *world, struct world_choice *choice)
{
    unsigned first = world_pick(world, WORLD_SEATS + 1);
    choice->named_count = choice->quantity;
    for (unsigned i = 0; i < choice->named_count; i++)
        choice->named[i] = (first + i) % (WORLD_NO_SEAT + 1);
}

static void choose(struct world *world, struct world_order *order)
{
    order->choice_count = 1 + world_pick(world, WORLD_CHOICES);
    unsigned first = world_pick(world, WORLD_TIERS), step = world_chance(world, 75);
    for (unsigned i = 0; i < order->choice_count; i++) {
        struct world_choice *choice = &order->choices[i];
        *choice = (struct world_choice){.tier = (first + step * i) % WORLD_TIERS, .quantity = 1 + world_pick(world, 3)};
        choice->amount = world_chance(world, 85) ? 100 : 0;
        choice->wheelchair = world_chance(world, 15);
        choice->companion = choice->quantity > 1 && choice->wheelchair > 0 && world_chance(world, 50);
        if (choice->tier == WORLD_SEATED && world_chance(world, 25))
            name_seats(world, choice);
    }
}

// What others of the same visitor's tabs hear, through the news of a waiting room.
static void tell(struct world *world, unsigned place, unsigned attempt)
{
    struct world_outcome outcome = world_state(world, place, attempt);
    world_hear(world, &outcome);
}

void visitors_order(struct world *world, unsigned place)
{
    struct order_rows rows = read_rows(world, place);
    struct order_decision decision = order_decide_put(world->state, &rows);
    if (decision.verdict == ORDER_TOO_LATE)
        world->done[WORLD_TOO_LATE]++;
    if (decision.verdict != ORDER_WRITE || decision.attempt > WORLD_ATTEMPTS)
        return;
    world->transactions++;
    struct world_order *order = &world->orders[place][decision.attempt];
    if (!order->exists) {
        *order = (struct world_order){.exists = true, .release_no = 1, .in_turn = place <= world->served};
        world->done[WORLD_ANOTHER_ATTEMPT] += decision.attempt > 1;
    }
    order->state = decision.state;
    order->revision = decision.revision;
    choose(world, order);
    if (world_chance(world, 90)) { // else the answer is lost on its way
        order->acknowledged = decision.revision;
        tell(world, place, decision.attempt);
    }
}

static void take_back_order(struct world *world, unsigned place, const struct order_decision *decision)
{
    struct world_order *order = &world->orders[place][decision->attempt];
    order->state = decision->state;
    order->revision = decision->revision;
    tell(world, place, decision->attempt);
}

void visitors_take_back(struct world *world, unsigned place)
{
    struct order_rows rows = read_rows(world, place);
    struct order_decision decision = order_decide_take_back(&rows);
    world->transactions++;
    if (decision.verdict != ORDER_WRITE)
        return;
    if (decision.of_booking)
        world_cancel(world, place, decision.attempt, world_chance(world, 50));
    else
        take_back_order(world, place, &decision);
}

void visitors_ask_for_time(struct world *world, unsigned place)
{
    struct order_rows rows = read_rows(world, place);
    struct order_decision decision = order_decide_more_time(&rows);
    world->transactions++;
    if (decision.verdict != ORDER_WRITE)
        return;
    struct world_booking *booking = &world->bookings[place][decision.attempt];
    booking->pay_until_us += world->hold_us;
    booking->had_more_time = true;
    booking->revision = decision.revision;
    world->done[WORLD_MORE_TIME]++;
    tell(world, place, decision.attempt);
}

void visitors_leave(struct world *world, unsigned place)
{
    struct order_rows rows = read_rows(world, place);
    struct order_decision decision = order_decide_leave(&rows);
    world->transactions++;
    if (decision.verdict == ORDER_WRITE)
        take_back_order(world, place, &decision);
    world->left[place] = true;
}
