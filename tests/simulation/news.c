// SPDX-License-Identifier: Apache-2.0
// From the outbox to the pages. Work queues come at least once, in order; news may be lost, doubled and overtake each other.
#include <string.h>

#include "tests/simulation/actors.h"

void news_publish(struct world *world)
{
    if (world->outbox.count == 0)
        return;
    size_t index = world_pick(world, (unsigned)world->outbox.count);
    if (world->outcomes_queue.count < WORLD_QUEUE)
        world_push_outcome(&world->outcomes_queue, &world->outbox.items[index]);
    else
        return;
    if (world_chance(world, 80)) // else whoever published it died before it was removed
        world_remove_outcome(&world->outbox, index);
}

void news_pass_on(struct world *world)
{
    if (world->outcomes_queue.count == 0)
        return;
    if (world->feed.count == WORLD_NEWS) {
        world_remove_outcome(&world->feed, 0);
        world->missed = true;
    }
    world_push_outcome(&world->feed, &world->outcomes_queue.items[0]);
    if (world_chance(world, 80)) // else the notifier died before it acknowledged
        world_remove_outcome(&world->outcomes_queue, 0);
}

void news_deliver(struct world *world)
{
    if (world->feed.count == 0)
        return;
    size_t index = world_pick(world, (unsigned)world->feed.count);
    if (world_chance(world, 10))
        world->missed = true; // lost: the gap is noticed later
    else
        world_hear(world, &world->feed.items[index]);
    if (world_chance(world, 85))
        world_remove_outcome(&world->feed, index);
}

// A gap was noticed: MySQL is asked about everybody who is connected.
void news_read_again(struct world *world)
{
    if (!world->missed)
        return;
    world->missed = false;
    for (unsigned place = 1; place <= world->last; place++)
        if (world->pages[place].connected)
            world_connect(world, place);
}
