// SPDX-License-Identifier: Apache-2.0
// Runs schedules: simulation [COUNT [FIRST_SEED]]. A schedule is a few hundred acts chosen by its seed, then everything
// is let run to its end. The first thing that does not hold ends the run with its seed; the same seed repeats it.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/simulation/actors.h"

#define ACTS 300
#define END_ROUNDS 400 // by far more than a world ever needs to come to rest

struct cast {
    struct admission *admissions[2];
    struct worker workers[2];
};

static void step_visitor(struct world *world)
{
    unsigned what = world_pick(world, 10);
    if (what < 3 || world->last == 0) {
        visitors_join(world);
        return;
    }
    unsigned place = 1 + world_pick(world, world->last);
    if (what < 7)
        visitors_order(world, place);
    else if (what == 7 && world_chance(world, world->bookings[place][world_attempt(world, place)].exists ? 90 : 30))
        visitors_take_back(world, place);
    else if (what == 8 && world_chance(world, 25))
        visitors_leave(world, place);
    else if (world_chance(world, 20))
        visitors_ask_for_time(world, place);
    else if (world_chance(world, 50))
        world->pages[place] = (struct world_page){.ahead = world->pages[place].ahead}; // the tab is closed
    else
        world_connect(world, place);
}

static void step_admission(struct world *world, struct admission *admission)
{
    unsigned what = world_pick(world, 100);
    if (what < 30)
        admission_let_in(admission, world);
    else if (what < 55)
        admission_release(admission, world);
    else if (what < 80)
        admission_publish(admission, world);
    else if (what < 92)
        admission_confirm(admission);
    else if (what < 95)
        admission_lose_bus(admission);
    else if (what < 97)
        admission_die(admission);
    else
        admission_lead(admission, world);
}

static void step_worker(struct world *world, struct worker *worker, struct worker *other)
{
    unsigned what = world_pick(world, 100);
    if (what < 20)
        booking_run(world, NULL, 0);
    else if (what < 94 && worker->committed)
        worker_acknowledge(worker);
    else if (what < 94 && worker->count > 0)
        worker_book(worker, world);
    else if (what < 94)
        worker_take(worker, other, world);
    else if (what < 97)
        worker_lose_queue(worker, world);
    else
        worker_die(worker, world);
}

static void step_news(struct world *world)
{
    switch (world_pick(world, 7)) {
    case 0:
    case 1:
        news_publish(world);
        break;
    case 2:
    case 3:
        news_pass_on(world);
        break;
    case 4:
    case 5:
        news_deliver(world);
        break;
    default:
        news_read_again(world);
        break;
    }
}

// One of the two does a few things in a row, so that what takes several of them is finished now and then.
static void act_admission(struct world *world, struct cast *cast)
{
    struct admission *admission = cast->admissions[world_pick(world, 2)];
    for (unsigned i = 1 + world_pick(world, 4); i > 0; i--) {
        world_begin_step(world, "admission");
        step_admission(world, admission);
        world_check(world);
    }
}

static void act_worker(struct world *world, struct cast *cast)
{
    unsigned which = world_pick(world, 2);
    for (unsigned i = 1 + world_pick(world, 3); i > 0; i--) {
        world_begin_step(world, "a worker");
        step_worker(world, &cast->workers[which], &cast->workers[!which]);
        world_check(world);
    }
}

static void act(struct world *world, struct cast *cast)
{
    unsigned what = world_pick(world, 100);
    world->now_us += world_pick(world, 60000);
    if (what < 35) {
        act_admission(world, cast);
        return;
    }
    if (what < 55) {
        act_worker(world, cast);
        return;
    }
    if (what < 77) {
        world_begin_step(world, "a visitor");
        step_visitor(world);
    } else if (what < 82) {
        world_begin_step(world, "a payment");
        provider_act(world, 1 + world_pick(world, WORLD_PLACES));
    } else if (what < 94) {
        world_begin_step(world, "news");
        step_news(world);
    } else {
        world_begin_step(world, "the operator");
        operator_act(world);
    }
    world_check(world);
}

// Nothing dies any more: a new leader, a new worker, all news in order.
static void end_round(struct world *world, struct cast *cast)
{
    struct admission *admission = cast->admissions[0];
    struct worker *worker = &cast->workers[0];
    world->now_us += 300000;
    world_begin_step(world, "the end: admission");
    admission_let_in(admission, world);
    world_check(world);
    world_begin_step(world, "the end: a release");
    admission_release(admission, world);
    for (int i = 0; i < 4; i++)
        admission_publish(admission, world);
    admission_confirm(admission);
    world_check(world);
    world_begin_step(world, "the end: bookings");
    worker_take(worker, &cast->workers[1], world);
    worker_book(worker, world);
    worker_acknowledge(worker);
    world_check(world);
    world_begin_step(world, "the end: a sweep");
    booking_run(world, NULL, 0);
    world_check(world);
    world_begin_step(world, "the end: payments");
    provider_answer_all(world);
    world_check(world);
    for (int i = 0; i < 3; i++) {
        world_begin_step(world, "the end: somebody pays");
        provider_act(world, 1 + world_pick(world, WORLD_PLACES));
        world_check(world);
    }
    world_begin_step(world, "the end: news");
    for (int i = 0; i < 6; i++) {
        news_publish(world);
        news_pass_on(world);
        news_deliver(world);
    }
    world_check(world);
}

static bool is_at_rest(const struct world *world)
{
    if (world->outbox.count > 0 || world->bookings_queue.count > 0 || world->outcomes_queue.count > 0 ||
        world->feed.count > 0)
        return false;
    for (unsigned place = 1; place <= world->last; place++) {
        unsigned attempt = world_attempt(world, place);
        if (attempt > 0 && !order_is_final(world_state(world, place, attempt).state))
            return false;
        for (; attempt > 0; attempt--)
            if (world->freeings[place][attempt].exists)
                return false;
    }
    return true;
}

static void come_to_rest(struct world *world, struct cast *cast)
{
    world_begin_step(world, "the end");
    worker_die(&cast->workers[0], world);
    worker_die(&cast->workers[1], world);
    admission_die(cast->admissions[1]);
    admission_lead(cast->admissions[0], world);
    if (world_chance(world, 25))
        operator_close(world);
    else
        operator_let_run(world);
    world_check(world);
    int rounds = 0;
    while (!is_at_rest(world) && rounds++ < END_ROUNDS)
        end_round(world, cast);
    world_begin_step(world, "the gaps are noticed");
    news_read_again(world);
    world_check(world);
    world_check_end(world);
}

static void run(uint64_t seed, uint64_t did[static WORLD_DID_COUNT])
{
    static struct world world;
    struct cast cast = {.admissions = {admission_new(), admission_new()}};
    if (!cast.admissions[0] || !cast.admissions[1])
        abort();
    world_init(&world, seed);
    for (int i = 0; i < ACTS; i++)
        act(&world, &cast);
    come_to_rest(&world, &cast);
    for (int i = 0; i < WORLD_DID_COUNT; i++)
        did[i] += world.done[i];
    world_done(&world);
    admission_free(cast.admissions[0]);
    admission_free(cast.admissions[1]);
}

int main(int argc, char **argv)
{
    static const char *const names[WORLD_DID_COUNT] = {"confirmed at once",
                                                       "sold out",
                                                       "refused",
                                                       "cancelled",
                                                       "published again",
                                                       "given back",
                                                       "doubled",
                                                       "worker deaths",
                                                       "too late",
                                                       "attempts",
                                                       "retried",
                                                       "fenced",
                                                       "held",
                                                       "stood by",
                                                       "served",
                                                       "moved",
                                                       "told it is over",
                                                       "seats taken",
                                                       "lapsed",
                                                       "freed",
                                                       "more time",
                                                       "paid",
                                                       "sold again"};
    uint64_t did[WORLD_DID_COUNT] = {0};
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    for (uint64_t i = 0; i < count; i++)
        run(first + i, did);
    printf("%" PRIu64 " schedules from seed %" PRIu64 ":", count, first);
    for (int i = 0; i < WORLD_DID_COUNT; i++)
        printf("%s %s %" PRIu64, i ? "," : "", names[i], did[i]);
    printf("\n");
    // A run that never met what it is for proves nothing.
    for (int i = 0; i < WORLD_DID_COUNT && count >= 1000; i++)
        if (did[i] == 0) {
            fprintf(stderr, "it never happened: %s\n", names[i]);
            return 1;
        }
    return 0;
}
