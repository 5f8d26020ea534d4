// links: admission
// SPDX-License-Identifier: Apache-2.0
// What is to be done with an order in every state of it and of its event, and in which order it is done; then releases as
// admission makes them, with leaders that die at every point.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admission/release.h"

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static enum release_act decide(enum lifecycle_state event, uint64_t served, uint64_t place, enum order_state order,
                               bool published)
{
    const struct release_order row = {.place = place, .attempt = 1, .state = order, .published = published};
    return release_decide(event, served, &row);
}

static void test_placed(void **state)
{
    (void)state;
    static const struct {
        enum lifecycle_state event;
        enum release_act waiting, let_in;
    } rows[LIFECYCLE_STATE_COUNT] = {
        {LIFECYCLE_DRAFT, RELEASE_NOTHING, RELEASE_NOTHING},   {LIFECYCLE_LOBBY, RELEASE_NOTHING, RELEASE_NOTHING},
        {LIFECYCLE_OPEN, RELEASE_NOTHING, RELEASE_MARK},       {LIFECYCLE_PAUSED, RELEASE_NOTHING, RELEASE_MARK},
        {LIFECYCLE_STOPPED, RELEASE_NOTHING, RELEASE_NOTHING}, {LIFECYCLE_SOLD_OUT, RELEASE_END, RELEASE_END},
        {LIFECYCLE_CLOSED, RELEASE_END, RELEASE_END},
    };
    for (size_t i = 0; i < LIFECYCLE_STATE_COUNT; i++) {
        assert_int_equal(decide(rows[i].event, 10, 11, ORDER_PLACED, false), rows[i].waiting);
        assert_int_equal(decide(rows[i].event, 10, 10, ORDER_PLACED, false), rows[i].let_in);
        assert_int_equal(decide(rows[i].event, 10, 1, ORDER_PLACED, false), rows[i].let_in);
        assert_int_equal(decide(rows[i].event, 0, 1, ORDER_PLACED, false), rows[i].waiting);
    }
}

static void test_marked(void **state)
{
    (void)state;
    for (int each = 0; each < LIFECYCLE_STATE_COUNT; each++) {
        enum lifecycle_state event = (enum lifecycle_state)each;
        bool goes_on = event == LIFECYCLE_OPEN || event == LIFECYCLE_PAUSED || event == LIFECYCLE_SOLD_OUT ||
                       event == LIFECYCLE_CLOSED;
        assert_int_equal(decide(event, 10, 5, ORDER_RELEASED, false), goes_on ? RELEASE_PUBLISH : RELEASE_NOTHING);
        assert_int_equal(decide(event, 10, 5, ORDER_RELEASED, true), RELEASE_NOTHING);
    }
}

static void test_ends_are_left_alone(void **state)
{
    (void)state;
    for (int event = 0; event < LIFECYCLE_STATE_COUNT; event++)
        for (int order = 0; order < ORDER_STATE_COUNT; order++)
            if (order != ORDER_PLACED && order != ORDER_RELEASED)
                assert_int_equal(decide((enum lifecycle_state)event, 10, 5, (enum order_state)order, order % 2 != 0),
                                 RELEASE_NOTHING);
}

static void test_plans_keep_to_the_table(void **state)
{
    (void)state;
    for (int each = 0; each < LIFECYCLE_STATE_COUNT; each++) {
        const struct release_plan *plan = release_plan((enum lifecycle_state)each);
        assert_false(plan->ends && plan->releases);
        if (plan->ends) {
            assert_true(order_may_become(ORDER_PLACED, plan->end_state, ORDER_BY_SYSTEM));
            assert_true(order_is_final(plan->end_state));
            assert_int_equal(plan->end_reason != ORDER_NO_REASON, plan->end_state == ORDER_REFUSED);
        }
    }
    assert_true(order_may_become(ORDER_PLACED, ORDER_RELEASED, ORDER_BY_SYSTEM));
    assert_false(release_plan((enum lifecycle_state)99)->publishes);
    assert_false(release_plan((enum lifecycle_state) - 1)->publishes);
}

static void test_order_of_doing(void **state)
{
    (void)state;
    const struct release_order one = {.place = 1, .attempt = 1}, again = {.place = 1, .attempt = 2},
                               two = {.place = 2, .attempt = 1};
    assert_true(release_compare(RELEASE_MARK, &one, RELEASE_MARK, &two) < 0);
    assert_true(release_compare(RELEASE_MARK, &two, RELEASE_MARK, &again) > 0);
    assert_true(release_compare(RELEASE_MARK, &one, RELEASE_MARK, &again) < 0);
    assert_int_equal(release_compare(RELEASE_MARK, &one, RELEASE_MARK, &one), 0);
    assert_true(release_compare(RELEASE_PUBLISH, &two, RELEASE_MARK, &one) < 0);
    assert_true(release_compare(RELEASE_END, &one, RELEASE_MARK, &two) > 0);
}

#define PLACES 200

struct world {
    uint64_t random, served;
    struct release_order orders[PLACES + 1]; // by place; 0 is nobody
    uint64_t heard[PLACES * 50]; // the queue: places in the order in which they arrived
    size_t heard_count;
};

// One leader's batch, given up at a random point: after marking, somewhere among the publications, before the note.
static void make_batch(struct world *world, size_t limit)
{
    uint64_t batch[PLACES];
    size_t count = 0;
    for (int act = RELEASE_PUBLISH; act <= RELEASE_MARK; act++) {
        for (uint64_t place = 1; place <= PLACES && count < limit; place++) {
            struct release_order *order = &world->orders[place];
            if (order->place == 0 || release_decide(LIFECYCLE_OPEN, world->served, order) != (enum release_act)act)
                continue;
            if (count > 0 && act == RELEASE_MARK && world->orders[batch[count - 1]].state == ORDER_PLACED)
                assert_true(release_compare(RELEASE_MARK, &world->orders[batch[count - 1]], RELEASE_MARK, order) < 0);
            batch[count++] = place;
        }
    }
    for (size_t i = 0; i < count; i++)
        world->orders[batch[i]].state = ORDER_RELEASED;
    size_t arrives = next_random(&world->random) % 3 == 0 ? next_random(&world->random) % (count + 1) : count;
    for (size_t i = 0; i < arrives; i++)
        world->heard[world->heard_count++] = batch[i];
    if (arrives == count && next_random(&world->random) % 3 != 0)
        for (size_t i = 0; i < count; i++)
            world->orders[batch[i]].published = true;
}

// All ordered before their turn: each arrives, the first time in the order of places.
static void test_whoever_dies_the_order_stays(void **state)
{
    (void)state;
    static struct world world;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        memset(&world, 0, sizeof(world));
        world.random = seed * UINT64_C(0x9E3779B97F4A7C15);
        for (uint64_t place = 1; place <= PLACES; place++)
            if (next_random(&world.random) % 4 != 0)
                world.orders[place] = (struct release_order){.place = place, .attempt = 1, .state = ORDER_PLACED};
        for (int turn = 0; turn < 48; turn++) {
            world.served += next_random(&world.random) % 20;
            if (world.served > PLACES || turn > 30)
                world.served = PLACES;
            make_batch(&world, turn > 40 ? PLACES : 1 + next_random(&world.random) % 30);
        }
        bool known[PLACES + 1] = {false};
        uint64_t highest = 0;
        for (size_t i = 0; i < world.heard_count; i++) {
            uint64_t place = world.heard[i];
            if (known[place])
                continue;
            known[place] = true;
            assert_true(place > highest);
            highest = place;
        }
        for (uint64_t place = 1; place <= PLACES; place++)
            assert_int_equal(known[place], world.orders[place].place != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_placed),
        cmocka_unit_test(test_marked),
        cmocka_unit_test(test_ends_are_left_alone),
        cmocka_unit_test(test_plans_keep_to_the_table),
        cmocka_unit_test(test_order_of_doing),
        cmocka_unit_test(test_whoever_dies_the_order_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
