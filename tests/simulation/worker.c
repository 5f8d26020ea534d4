// SPDX-License-Identifier: Apache-2.0
// The booking worker and its queue. What it does in a transaction is in booking.c.
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/actors.h"

void worker_take(struct worker *worker, struct worker *other, struct world *world)
{
    struct world_queue *queue = &world->bookings_queue;
    if (other->consumes && !world->two_consume)
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

void worker_book(struct worker *worker, struct world *world)
{
    if (worker->count == 0 || worker->committed)
        return;
    booking_run(world, worker->tasks, worker->count);
    worker->committed = true;
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
