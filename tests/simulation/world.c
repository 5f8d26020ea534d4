// SPDX-License-Identifier: Apache-2.0
// The world's memory.
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

// Some seats are for those who need them, some are not on sale.
static void init_hall(struct world *world, unsigned blocked)
{
    world->layout = 1;
    world->tiers[WORLD_SEATED].capacity = 0;
    for (unsigned i = 0; i < WORLD_SEATS; i++) {
        world->kinds[i] = SEAT_ORDINARY;
        if (world_chance(world, blocked))
            world->kinds[i] = SEAT_BLOCKED;
        else if (i < 2 && world_chance(world, 60))
            world->kinds[i] = i == 0 ? SEAT_WHEELCHAIR : SEAT_COMPANION;
        world->tiers[WORLD_SEATED].capacity += world->kinds[i] != SEAT_BLOCKED;
    }
}

void world_init(struct world *world, uint64_t seed)
{
    *world = (struct world){.seed = seed,
                            .random = seed,
                            .step = "beginning",
                            .state = LIFECYCLE_OPEN,
                            .event_version = 1,
                            .now_us = 1000000};
    bool is_small = world_chance(world, 40); // so that it is sold out early
    world->tiers[0].capacity = 1 + world_pick(world, is_small ? 2 : 8);
    init_hall(world, is_small ? 75 : 15);
    world->needs_payment = world_chance(world, 75);
    world->hold_us = 200000 + world_pick(world, 5000000);
    world->two_consume = world_chance(world, 20);
    world->max_per_customer = 2 + world_pick(world, 5);
    for (unsigned i = 0; i <= WORLD_PLACES; i++)
        world->customer[i] = world_pick(world, WORLD_CUSTOMERS);
    snprintf(world->pace, sizeof(world->pace), "%u/s", 1 + world_pick(world, 50));
}

void world_done(struct world *world)
{
    seating_free(world->seating);
    world->seating = NULL;
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

const struct world_choice *world_choice_of(const struct world *world, unsigned place, unsigned attempt)
{
    return &world->orders[place][attempt].choices[world->bookings[place][attempt].choice];
}

enum order_state world_counted_state(const struct world *world, unsigned place, unsigned attempt)
{
    const struct world_freeing *freeing = &world->freeings[place][attempt];
    const struct world_booking *booking = &world->bookings[place][attempt];
    if (freeing->exists)
        return freeing->was;
    return booking->exists ? booking->state : ORDER_RELEASED;
}

struct world_sums world_add_up(const struct world *world)
{
    struct world_sums sums = {0};
    for (unsigned place = 1; place <= world->last; place++) {
        for (unsigned attempt = 1; attempt <= WORLD_ATTEMPTS; attempt++) {
            enum order_state state = world_counted_state(world, place, attempt);
            if (!order_is_counted(state))
                continue;
            const struct world_choice *choice = world_choice_of(world, place, attempt);
            sums.booked[world->customer[place]] += choice->quantity;
            if (state == ORDER_STANDBY)
                sums.standby[choice->tier]++;
            else if (state == ORDER_CONFIRMED)
                sums.sold[choice->tier] += choice->quantity;
            else
                sums.held[choice->tier] += choice->quantity;
        }
    }
    for (unsigned i = 0; i < WORLD_SEATS; i++)
        sums.seats[world->taken[i].place][world->taken[i].attempt]++;
    return sums;
}

bool world_fits(const struct world *world, const struct world_sums *sums, const struct world_choice *choice)
{
    uint32_t left[SEAT_BLOCKED + 1] = {0};
    if (sums->held[choice->tier] + sums->sold[choice->tier] + choice->quantity > world->tiers[choice->tier].capacity)
        return false;
    if (choice->tier != WORLD_SEATED)
        return true;
    for (unsigned i = 0; i < WORLD_SEATS; i++)
        left[world->kinds[i]] += world->taken[i].place == 0;
    return left[SEAT_WHEELCHAIR] >= choice->wheelchair && left[SEAT_COMPANION] >= choice->companion &&
           left[SEAT_ORDINARY] >= choice->quantity - choice->wheelchair - choice->companion;
}

int64_t world_event_clock_us(const struct world *world)
{
    return (world->state == LIFECYCLE_STOPPED ? world->stopped_at_us : world->now_us) - world->stopped_us;
}

bool world_is_lapsed(const struct world *world, const struct world_booking *booking)
{
    return booking->pay_until_us != 0 && booking->pay_until_us <= world_event_clock_us(world);
}

bool world_apply(struct world *world, enum lifecycle_action action)
{
    enum lifecycle_state after,
        before = action == LIFECYCLE_DO_SELL_AGAIN ? world->before_sold_out : world->before_stop;
    if (lifecycle_next(world->state, before, action, &after) || after == world->state)
        return false;
    if (after == LIFECYCLE_STOPPED) {
        world->before_stop = world->state;
        world->stopped_at_us = world->now_us;
    } else if (world->state == LIFECYCLE_STOPPED) {
        world->stopped_us += world->now_us - world->stopped_at_us;
    }
    if (action == LIFECYCLE_DO_SELL_OUT)
        world->before_sold_out = world->state;
    world->state = after;
    world->event_version++;
    return true;
}

void world_cancel(struct world *world, unsigned place, unsigned attempt, bool told)
{
    struct world_booking *booking = &world->bookings[place][attempt];
    world->freeings[place][attempt] = (struct world_freeing){.exists = true, .told = told, .was = booking->state};
    booking->state = ORDER_CANCELLED;
    booking->pay_until_us = 0;
    booking->revision++;
    world->done[WORLD_CANCELLED]++;
    if (told) {
        struct world_outcome outcome = world_state(world, place, attempt);
        world_push_outcome(&world->outbox, &outcome);
    }
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
    // Whoever joins in this step has nothing before it.
    memcpy(world->orders_before, world->orders, (world->last + 1) * sizeof(world->orders[0]));
    memcpy(world->bookings_before, world->bookings, (world->last + 1) * sizeof(world->bookings[0]));
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
