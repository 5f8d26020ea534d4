// SPDX-License-Identifier: Apache-2.0
// What must always hold in the world: after every step, and once everything has come to rest.
#include "tests/simulation/world.h"

// Invariant 1: nothing is oversold, no seat is two people's, and the counters say what bookings and freeings add up to.
static void check_tiers(const struct world *world, const struct world_sums *sums)
{
    for (unsigned i = 0; i < WORLD_TIERS; i++) {
        WORLD_MUST(world, world->tiers[i].held + world->tiers[i].sold <= world->tiers[i].capacity);
        WORLD_MUST(world, world->tiers[i].held == sums->held[i]);
        WORLD_MUST(world, world->tiers[i].sold == sums->sold[i]);
        WORLD_MUST(world, world->tiers[i].standby == sums->standby[i]);
    }
    for (unsigned i = 0; i < WORLD_CUSTOMERS; i++) {
        WORLD_MUST(world, world->customers_booked[i] == sums->booked[i]);
        WORLD_MUST(world, sums->booked[i] <= world->max_per_customer);
    }
    uint32_t on_sale = 0;
    for (unsigned i = 0; i < WORLD_SEATS; i++) {
        on_sale += world->kinds[i] != SEAT_BLOCKED;
        WORLD_MUST(world, world->taken[i].place == 0 || world->kinds[i] != SEAT_BLOCKED);
    }
    WORLD_MUST(world, on_sale == world->tiers[WORLD_SEATED].capacity);
}

// Invariant 2; and whoever has places in the hall has as many seats, and nobody else has any.
static void check_bookings(const struct world *world, const struct world_sums *sums, unsigned place)
{
    unsigned open = 0;
    for (unsigned attempt = 1; attempt <= WORLD_ATTEMPTS; attempt++) {
        const struct world_booking *booking = &world->bookings[place][attempt];
        enum order_state state = world_counted_state(world, place, attempt);
        const struct world_choice *choice = world_choice_of(world, place, attempt);
        bool has_seats = order_has_places(state) && choice->tier == WORLD_SEATED;
        WORLD_MUST(world, sums->seats[place][attempt] == (has_seats ? choice->quantity : 0));
        bool is_held = booking->exists && order_has_places(booking->state) && booking->state != ORDER_CONFIRMED;
        WORLD_MUST(world, (booking->pay_until_us != 0) == is_held);
        open += booking->exists && order_is_counted(booking->state);
    }
    WORLD_MUST(world, open <= 1);
}

// Invariant 5: every change is one of the table's, and revisions tell each of them.
static void check_changes(const struct world *world, unsigned place, unsigned attempt)
{
    enum order_by by = world->by_operator ? ORDER_BY_OPERATOR : ORDER_BY_SYSTEM;
    const struct world_order *order = &world->orders[place][attempt], *was = &world->orders_before[place][attempt];
    const struct world_booking *booking = &world->bookings[place][attempt],
                               *booking_was = &world->bookings_before[place][attempt];
    if (!order->exists) {
        WORLD_MUST(world, !was->exists && !booking->exists);
        return;
    }
    if (was->exists && was->state != order->state)
        WORLD_MUST(world, order_may_become(was->state, order->state, by));
    WORLD_MUST(world, order->state <= ORDER_RELEASED || order_is_final(order->state));
    WORLD_MUST(world, order->revision >= was->revision && order->acknowledged <= order->revision);
    if (was->exists && was->state != order->state)
        WORLD_MUST(world, order->revision > was->revision);
    if (!booking->exists) {
        WORLD_MUST(world, !booking_was->exists);
        return;
    }
    WORLD_MUST(world, order->state == ORDER_RELEASED && booking->revision > order->revision);
    // A hold ends when it runs out by the event's clock, never while that stands still; and once it has run out nobody pays.
    bool had_time = booking_was->pay_until_us > world_event_clock_us(world) && world->state != LIFECYCLE_STOPPED;
    bool had_none = booking_was->pay_until_us <= world_event_clock_us(world) && world->state != LIFECYCLE_STOPPED;
    if (booking_was->exists && booking->state == ORDER_EXPIRED && booking_was->state != ORDER_EXPIRED)
        WORLD_MUST(world, had_none);
    if (order_may_lapse(booking_was->state) && (booking->state == ORDER_PAYING || booking->state == ORDER_CONFIRMED))
        WORLD_MUST(world, had_time);
    if (booking->pay_until_us != booking_was->pay_until_us)
        WORLD_MUST(world, booking->revision > booking_was->revision);
    enum order_state from = booking_was->exists ? booking_was->state : ORDER_RELEASED;
    if (world->by_operator && from == ORDER_HELD &&
        booking->state == ORDER_CONFIRMED) { // paid elsewhere: two changes in one
        WORLD_MUST(world, booking->revision == booking_was->revision + 2);
        WORLD_MUST(world, order_may_become(from, ORDER_PAYING, by));
        from = ORDER_PAYING;
    }
    if (!booking_was->exists || from != booking->state) {
        WORLD_MUST(world, order_may_become(from, booking->state, by));
        WORLD_MUST(world, booking->revision > booking_was->revision);
    }
}

// Invariant 3: released after being let in, and in place order if the order was there before.
static void check_release(const struct world *world)
{
    uint64_t newest = 0;
    for (unsigned place = 1; place <= world->last; place++) {
        for (unsigned attempt = 1; attempt <= WORLD_ATTEMPTS; attempt++) {
            const struct world_order *order = &world->orders[place][attempt];
            if (!order->exists || order->released_step == 0)
                continue;
            WORLD_MUST(world, place <= world->served);
            if (order->in_turn)
                continue;
            WORLD_MUST(world, order->released_step >= newest);
            newest = order->released_step;
        }
    }
}

void world_check(struct world *world)
{
    WORLD_MUST(world, world->served >= world->served_before && world->served <= world->last); // 4
    uint64_t elapsed_us = (uint64_t)(world->now_us - world->pace_from_us);
    if (world->pace_let_in > 0) // 7: let in ≤ pace × elapsed + 1
        WORLD_MUST(world, (world->pace_let_in - 1) * world->pace_seconds * 1000000 <= world->pace_count * elapsed_us);
    struct world_sums sums = world_add_up(world);
    check_tiers(world, &sums);
    check_release(world);
    for (unsigned place = 1; place <= world->last; place++) {
        check_bookings(world, &sums, place);
        for (unsigned attempt = 1; attempt <= WORLD_ATTEMPTS; attempt++)
            check_changes(world, place, attempt);
        const struct world_page *page = &world->pages[place];
        uint64_t ahead = place > world->served + 1 ? place - world->served - 1 : 0;
        WORLD_MUST(world, page->ahead == 0 || ahead <= page->ahead);
        world->pages[place].ahead = ahead;
    }
}

void world_check_end(const struct world *world)
{
    for (unsigned place = 1; place <= world->last; place++) {
        unsigned newest = world_attempt(world, place);
        for (unsigned attempt = 1; attempt <= newest; attempt++) {
            struct world_outcome state = world_state(world, place, attempt);
            WORLD_MUST(world, order_is_final(state.state));
            WORLD_MUST(world, !world->freeings[place][attempt].exists);
        }
        const struct world_page *page = &world->pages[place];
        if (newest == 0 || !page->connected)
            continue;
        struct world_outcome state = world_state(world, place, newest);
        WORLD_MUST(world, page->attempt == newest && page->revision == state.revision && page->state == state.state);
    }
    WORLD_MUST(world, world->outbox.count == 0 && world->bookings_queue.count == 0);
}
