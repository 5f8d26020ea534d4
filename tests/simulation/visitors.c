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
                               .booking_state = booking->state};
}

static void choose(struct world *world, struct world_order *order)
{
    order->choice_count = 1 + world_pick(world, WORLD_CHOICES);
    unsigned first = world_pick(world, WORLD_TIERS);
    for (unsigned i = 0; i < order->choice_count; i++)
        order->choices[i] = (struct world_choice){(first + i) % WORLD_TIERS, 1 + world_pick(world, 3)};
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

static void take_back(struct world *world, unsigned place)
{
    struct order_rows rows = read_rows(world, place);
    struct order_decision decision = order_decide_take_back(&rows);
    if (decision.verdict != ORDER_WRITE)
        return;
    struct world_order *order = &world->orders[place][decision.attempt];
    order->state = decision.state;
    order->revision = decision.revision;
    tell(world, place, decision.attempt);
}

void visitors_take_back(struct world *world, unsigned place)
{
    world->transactions++;
    take_back(world, place);
}

void visitors_leave(struct world *world, unsigned place)
{
    world->transactions++;
    take_back(world, place);
    world->left[place] = true;
}
