// SPDX-License-Identifier: Apache-2.0
// Admission: lets in by admission/line.c, releases by admission/release.c. Memory and database drift apart on purpose: a
// program that was replaced goes on until a transaction tells it so.
#include <stdlib.h>
#include <string.h>

#include "admission/line.h"
#include "admission/release.h"
#include "tests/simulation/actors.h"

#define BATCH 4

struct admission {
    bool leads; // believes so
    uint64_t epoch;
    struct line line;
    size_t count, published; // of the batch that was marked or taken up again, and how many of it were sent
    bool confirmed;
    struct world_task batch[BATCH];
};

struct admission *admission_new(void)
{
    return calloc(1, sizeof(struct admission));
}

void admission_free(struct admission *admission)
{
    free(admission);
}

void admission_die(struct admission *admission)
{
    *admission = (struct admission){0};
}

static struct line_event read_event(const struct world *world)
{
    struct line_event event = {.id = 1, .slug = "gala", .version = world->event_version, .state = world->state};
    if (pace_parse(world->pace, &event.pace))
        abort();
    event.timetable = (struct timetable){TIMETABLE_NONE, TIMETABLE_NONE, TIMETABLE_NONE, false};
    return event;
}

void admission_lead(struct admission *admission, struct world *world)
{
    struct line_event event = read_event(world);
    admission_die(admission);
    admission->leads = true;
    admission->epoch = ++world->epoch;
    line_init(&admission->line, &event, world->served, world->last, world->now_us * 1000);
}

void admission_let_in(struct admission *admission, struct world *world)
{
    struct line *line = &admission->line;
    int64_t now_ns = world->now_us * 1000;
    if (!admission->leads)
        return;
    if (admission->epoch != world->epoch) {
        admission->leads = false;
        world->done[WORLD_FENCED]++;
        return;
    }
    if (line->event.version != world->event_version) {
        struct line_event event = read_event(world);
        line_take_event(line, &event);
    }
    line->last = world->last;
    if (!line_look(line, now_ns))
        return;
    if (line->restart != LINE_RUNS) {
        uint32_t seconds;
        line_rate(&line->event.pace, &world->pace_count, &seconds);
        world->pace_seconds = seconds;
        world->pace_from_us = world->now_us;
        world->pace_let_in = 0;
        line_restart_count(line, now_ns);
    }
    uint64_t places = line_let_in(line, now_ns);
    if (places == 0)
        return;
    world->served += (unsigned)places;
    world->pace_let_in += places;
    line_moved(line, places, now_ns);
}

static bool is_in_batch(const struct admission *admission, unsigned place, unsigned attempt)
{
    for (size_t i = 0; i < admission->count; i++)
        if (admission->batch[i].place == place && admission->batch[i].attempt == attempt)
            return true;
    return false;
}

static void note_batch(struct admission *admission, struct world *world)
{
    for (size_t i = 0; i < admission->count; i++) {
        struct world_task task = admission->batch[i];
        struct world_order *order = &world->orders[task.place][task.attempt];
        if (order->release_no == task.release)
            order->published = true;
    }
    admission->count = admission->published = 0;
    admission->confirmed = false;
}

struct candidate {
    enum release_act act;
    struct release_order order;
};

static int by_turn(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return release_compare(x->act, &x->order, y->act, &y->order);
}

static size_t find_candidates(const struct admission *admission, const struct world *world, struct candidate *ret)
{
    size_t count = 0;
    for (unsigned place = 1; place <= world->last; place++) {
        for (unsigned attempt = 1; attempt <= WORLD_ATTEMPTS; attempt++) {
            const struct world_order *order = &world->orders[place][attempt];
            struct candidate candidate = {.order = {place, attempt, order->state, order->published}};
            if (!order->exists || is_in_batch(admission, place, attempt))
                continue;
            candidate.act = release_decide(world->state, world->served, &candidate.order);
            if (candidate.act != RELEASE_NOTHING)
                ret[count++] = candidate;
        }
    }
    qsort(ret, count, sizeof(*ret), by_turn);
    return count;
}

static void end_order(struct world *world, const struct candidate *candidate)
{
    const struct release_plan *plan = release_plan(world->state);
    unsigned place = (unsigned)candidate->order.place, attempt = candidate->order.attempt;
    struct world_order *order = &world->orders[place][attempt];
    order->state = plan->end_state;
    order->reason = plan->end_reason;
    order->revision++;
    struct world_outcome outcome = world_state(world, place, attempt);
    world_push_outcome(&world->outbox, &outcome);
}

static void release_order(struct admission *admission, struct world *world, const struct candidate *candidate)
{
    unsigned place = (unsigned)candidate->order.place, attempt = candidate->order.attempt;
    struct world_order *order = &world->orders[place][attempt];
    if (candidate->act == RELEASE_MARK) {
        order->state = ORDER_RELEASED;
        order->revision++;
        order->released_step = world->transactions;
    } else {
        world->done[WORLD_REPUBLISHED]++;
    }
    admission->batch[admission->count++] = (struct world_task){place, attempt, order->release_no};
}

// A batch that waits for its confirms is neither noted nor followed by another one.
void admission_release(struct admission *admission, struct world *world)
{
    struct candidate candidates[WORLD_PLACES * WORLD_ATTEMPTS];
    if (!admission->leads || (admission->count > 0 && !admission->confirmed))
        return;
    if (world->fence > admission->epoch) {
        admission->leads = false;
        admission->count = admission->published = 0;
        admission->confirmed = false;
        world->done[WORLD_FENCED]++;
        return;
    }
    world->fence = admission->epoch;
    world->transactions++;
    note_batch(admission, world);
    size_t count = find_candidates(admission, world, candidates);
    for (size_t i = 0; i < count && admission->count < BATCH; i++) {
        if (candidates[i].act == RELEASE_END)
            end_order(world, &candidates[i]);
        else
            release_order(admission, world, &candidates[i]);
    }
}

void admission_publish(struct admission *admission, struct world *world)
{
    if (admission->published == admission->count)
        return;
    world_publish_task(world, admission->batch[admission->published++]);
}

void admission_confirm(struct admission *admission)
{
    if (admission->count > 0 && admission->published == admission->count)
        admission->confirmed = true;
}

void admission_lose_bus(struct admission *admission)
{
    if (!admission->confirmed)
        admission->count = admission->published = 0;
}
