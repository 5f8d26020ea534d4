// SPDX-License-Identifier: Apache-2.0
// The booking worker: books by booking-worker/allocate.c, in one transaction for what it has taken.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "booking-worker/allocate.h"
#include "tests/simulation/actors.h"

static const char *const codes[WORLD_TIERS] = {"floor", "balcony"};

void worker_take(struct worker *worker, struct worker *other, struct world *world)
{
    struct world_queue *queue = &world->bookings_queue;
    if (other->consumes)
        return;
    worker->consumes = true;
    if (worker->count > 0 || queue->count == 0)
        return;
    size_t count = 1 + world_pick(world, WORKER_BATCH);
    count = count < queue->count ? count : queue->count;
    memcpy(worker->tasks, queue->tasks, count * sizeof(queue->tasks[0]));
    memmove(queue->tasks, queue->tasks + count, (queue->count - count) * sizeof(queue->tasks[0]));
    queue->count -= count;
    worker->count = count;
    worker->committed = false;
}

static struct choices choices_of(const struct world_order *order)
{
    struct choices choices = {.count = order->choice_count};
    for (unsigned i = 0; i < order->choice_count; i++) {
        snprintf(choices.items[i].tier, sizeof(choices.items[i].tier), "%s", codes[order->choices[i].tier]);
        choices.items[i].quantity = order->choices[i].quantity;
    }
    return choices;
}

static void tell(struct world *world, struct world_task task)
{
    struct world_outcome outcome = world_state(world, task.place, task.attempt);
    world_push_outcome(&world->outbox, &outcome);
}

static void give_back(struct world *world, struct world_task task)
{
    struct world_order *order = &world->orders[task.place][task.attempt];
    if (order->release_no != task.release)
        return; // given back or retried already
    order->published = false;
    order->release_no++;
    world->done[WORLD_GIVEN_BACK]++;
}

static void write_booking(struct world *world, struct world_task task, struct allocate_verdict verdict)
{
    static const enum world_did did[ORDER_STATE_COUNT] = {
        [ORDER_CONFIRMED] = WORLD_CONFIRMED, [ORDER_SOLD_OUT] = WORLD_SOLD_OUT, [ORDER_REFUSED] = WORLD_REFUSED};
    const struct world_order *order = &world->orders[task.place][task.attempt];
    struct world_booking *booking = &world->bookings[task.place][task.attempt];
    uint32_t revision = booking->exists ? booking->revision : order->revision;
    *booking = (struct world_booking){true, verdict.state, verdict.reason, revision + 1, (unsigned)verdict.choice};
    if (verdict.state != ORDER_FAILED)
        world->done[did[verdict.state]]++;
    tell(world, task);
}

static void book(struct world *world, struct allocate_event *event, struct world_task task)
{
    const struct world_order *order = &world->orders[task.place][task.attempt];
    const struct world_booking *booking = &world->bookings[task.place][task.attempt];
    WORLD_MUST(world, order->exists && order->state == ORDER_RELEASED);
    if (booking->exists && booking->state != ORDER_RELEASED) {
        world->done[WORLD_DUPLICATE]++;
        return;
    }
    struct choices choices = choices_of(order);
    unsigned customer = world->customer[task.place];
    struct allocate_customer numbers = {.booked = world->customers_booked[customer]};
    // Now and then a message is condemned, whatever is wrong with it.
    struct allocate_verdict verdict = allocate_order(event, world_chance(world, 3) ? NULL : &choices, &numbers);
    if (verdict.state == ORDER_RELEASED) {
        give_back(world, task);
        return;
    }
    world->customers_booked[customer] = numbers.booked;
    write_booking(world, task, verdict);
}

static void sell_out(struct world *world, const struct allocate_event *event)
{
    enum lifecycle_state after;
    if (!allocate_is_all_sold(event) ||
        lifecycle_next(world->state, world->before_stop, LIFECYCLE_DO_SELL_OUT, &after) || after == world->state)
        return;
    world->state = after;
    world->event_version++;
}

void worker_book(struct worker *worker, struct world *world)
{
    struct allocate_tier tiers[WORLD_TIERS] = {0};
    struct allocate_event event = {
        .state = world->state, .max_per_customer = world->max_per_customer, .tier_count = WORLD_TIERS, .tiers = tiers};
    if (worker->count == 0 || worker->committed)
        return;
    for (unsigned i = 0; i < WORLD_TIERS; i++) {
        snprintf(tiers[i].code, sizeof(tiers[i].code), "%s", codes[i]);
        tiers[i].capacity = world->tiers[i].capacity;
        tiers[i].held = world->tiers[i].held;
        tiers[i].sold = world->tiers[i].sold;
    }
    world->transactions++;
    for (size_t i = 0; i < worker->count; i++)
        book(world, &event, worker->tasks[i]);
    for (unsigned i = 0; i < WORLD_TIERS; i++)
        world->tiers[i].sold = tiers[i].sold;
    worker->committed = true;
    sell_out(world, &event);
}

void worker_acknowledge(struct worker *worker)
{
    if (worker->committed)
        worker->count = 0;
    worker->committed = false;
}

void worker_lose_queue(struct worker *worker, struct world *world)
{
    struct world_queue *queue = &world->bookings_queue;
    if (!worker->consumes)
        return;
    worker->consumes = false;
    if (queue->count + worker->count > WORLD_QUEUE)
        abort();
    memmove(queue->tasks + worker->count, queue->tasks, queue->count * sizeof(queue->tasks[0]));
    memcpy(queue->tasks, worker->tasks, worker->count * sizeof(queue->tasks[0]));
    queue->count += worker->count;
}

void worker_die(struct worker *worker, struct world *world)
{
    worker_lose_queue(worker, world);
    *worker = (struct worker){0};
    world->done[WORLD_CRASHED]++;
}
