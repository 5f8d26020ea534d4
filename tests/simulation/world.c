// SPDX-License-Identifier: Apache-2.0
// The world's memory, and what must always hold in it.
#include "tests/simulation/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "waiting-room/order_facts.h"

uint64_t world_random(struct world *world)
{
    // splitmix64
    uint64_t z = world->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

unsigned world_pick(struct world *world, unsigned below)
{
    return (unsigned)(world_random(world) % below);
}

bool world_chance(struct world *world, unsigned of_hundred)
{
    return world_pick(world, 100) < of_hundred;
}

void world_init(struct world *world, uint64_t seed)
{
    *world = (struct world){.seed = seed,
                            .random = seed,
                            .step = "beginning",
                            .state = LIFECYCLE_OPEN,
                            .event_version = 1,
                            .now_us = 1000000};
    for (unsigned i = 0; i < WORLD_TIERS; i++)
        world->tiers[i].capacity = 1 + world_pick(world, 8);
    world->max_per_customer = 2 + world_pick(world, 5);
    for (unsigned i = 0; i <= WORLD_PLACES; i++)
        world->customer[i] = world_pick(world, WORLD_CUSTOMERS);
    snprintf(world->pace, sizeof(world->pace), "%u/s", 1 + world_pick(world, 50));
}

unsigned world_attempt(const struct world *world, unsigned place)
{
    unsigned attempt = WORLD_ATTEMPTS;
    while (attempt > 0 && !world->orders[place][attempt].exists)
        attempt--;
    return attempt;
}

struct world_outcome world_state(const struct world *world, unsigned place, unsigned attempt)
{
    const struct world_order *order = &world->orders[place][attempt];
    const struct world_booking *booking = &world->bookings[place][attempt];
    return (struct world_outcome){place, attempt, booking->exists ? booking->revision : order->revision,
                                  booking->exists ? booking->state : order->state};
}

void world_push_outcome(struct world_outcomes *list, const struct world_outcome *outcome)
{
    if (list->count == WORLD_QUEUE)
        abort();
    list->items[list->count++] = *outcome;
}

void world_remove_outcome(struct world_outcomes *list, size_t index)
{
    memmove(&list->items[index], &list->items[index + 1], (list->count - index - 1) * sizeof(list->items[0]));
    list->count--;
}

void world_push_task(struct world_queue *queue, struct world_task task)
{
    if (queue->count == WORLD_QUEUE)
        abort();
    queue->tasks[queue->count++] = task;
}

void world_publish_task(struct world *world, struct world_task task)
{
    if (!world->published_once[task.place][task.attempt] && !world->orders[task.place][task.attempt].in_turn) {
        WORLD_MUST(world, task.place > world->newest_published);
        world->newest_published = task.place;
    }
    world->published_once[task.place][task.attempt] = true;
    world_push_task(&world->bookings_queue, task);
}

void world_hear(struct world *world, const struct world_outcome *outcome)
{
    struct world_page *page = &world->pages[outcome->place];
    const struct order_facts known = {.attempt = page->attempt, .revision = page->revision};
    if (!page->connected || !order_facts_is_news(page->has_order ? &known : NULL, outcome->attempt, outcome->revision))
        return;
    page->has_order = true;
    page->attempt = outcome->attempt;
    page->revision = outcome->revision;
    page->state = outcome->state;
}

void world_connect(struct world *world, unsigned place)
{
    unsigned attempt = world_attempt(world, place);
    world->pages[place].connected = true;
    if (attempt == 0)
        return;
    struct world_outcome state = world_state(world, place, attempt);
    // A page that lives on never shows less than it did: MySQL is never behind what anybody was told.
    const struct world_page *page = &world->pages[place];
    WORLD_MUST(world, !page->has_order || state.attempt > page->attempt ||
                          (state.attempt == page->attempt && state.revision >= page->revision));
    world_hear(world, &state);
}

void world_begin_step(struct world *world, const char *step)
{
    world->step = step;
    world->by_operator = false;
    world->served_before = world->served;
    memcpy(world->orders_before, world->orders, sizeof(world->orders));
    memcpy(world->bookings_before, world->bookings, sizeof(world->bookings));
}

void world_fail(const struct world *world, const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: seed %" PRIu64 ", after \"%s\" (transaction %" PRIu64 "): does not hold: %s\n", file, line,
            world->seed, world->step, world->transactions, condition);
    for (unsigned place = 1; place <= world->last; place++) {
        for (unsigned attempt = 1; attempt <= WORLD_ATTEMPTS; attempt++) {
            const struct world_order *order = &world->orders[place][attempt];
            const struct world_booking *booking = &world->bookings[place][attempt];
            if (order->exists)
                fprintf(stderr, "  place %u attempt %u: order %s revision %u release %u%s, booking %s revision %u\n",
                        place, attempt, order_state_name(order->state), order->revision, order->release_no,
                        order->published ? " published" : "",
                        booking->exists ? order_state_name(booking->state) : "none", booking->revision);
        }
    }
    fprintf(stderr, "  served %u of %u, event %s\n", world->served, world->last, lifecycle_state_name(world->state));
    abort();
}

// Invariant 1: nothing is oversold, and the counters say what was given.
static void check_tiers(const struct world *world)
{
    uint32_t sold[WORLD_TIERS] = {0}, booked[WORLD_CUSTOMERS] = {0};
    for (unsigned place = 1; place <= world->last; place++) {
        unsigned with_places = 0;
        for (unsigned attempt = 1; attempt <= WORLD_ATTEMPTS; attempt++) {
            const struct world_booking *booking = &world->bookings[place][attempt];
            if (!booking->exists || !order_has_places(booking->state))
                continue;
            const struct world_choice *choice = &world->orders[place][attempt].choices[booking->choice];
            sold[choice->tier] += choice->quantity;
            booked[world->customer[place]] += choice->quantity;
            with_places++;
        }
        WORLD_MUST(world, with_places <= 1); // invariant 2
    }
    for (unsigned i = 0; i < WORLD_TIERS; i++) {
        WORLD_MUST(world, world->tiers[i].held + world->tiers[i].sold <= world->tiers[i].capacity);
        WORLD_MUST(world, world->tiers[i].sold == sold[i]);
    }
    for (unsigned i = 0; i < WORLD_CUSTOMERS; i++) {
        WORLD_MUST(world, world->customers_booked[i] == booked[i]);
        WORLD_MUST(world, booked[i] <= world->max_per_customer);
    }
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
    enum order_state from = booking_was->exists ? booking_was->state : ORDER_RELEASED;
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
    check_tiers(world);
    check_release(world);
    for (unsigned place = 1; place <= world->last; place++) {
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
        }
        const struct world_page *page = &world->pages[place];
        if (newest == 0 || !page->connected)
            continue;
        struct world_outcome state = world_state(world, place, newest);
        WORLD_MUST(world, page->attempt == newest && page->revision == state.revision && page->state == state.state);
    }
    WORLD_MUST(world, world->outbox.count == 0 && world->bookings_queue.count == 0);
}
