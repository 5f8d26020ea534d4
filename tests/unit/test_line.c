// links: admission
// SPDX-License-Identifier: Apache-2.0
// A line, driven as the keeper drives it, through random polls, arrivals, changes of the dial, pauses and stalls.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admission/line.h"

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static struct line_event make_event(const char *pace, enum lifecycle_state state)
{
    struct line_event event = {.id = 1, .slug = "gala", .version = 1, .state = state};
    assert_int_equal(pace_parse(pace, &event.pace), 0);
    event.timetable = (struct timetable){TIMETABLE_NONE, TIMETABLE_NONE, TIMETABLE_NONE, false};
    return event;
}

// One turn of the keeper: what is let in. *ret_restart is the reason if the count began anew.
static uint64_t turn(struct line *line, int64_t now, enum line_restart *ret_restart)
{
    *ret_restart = LINE_RUNS;
    if (!line_look(line, now))
        return 0;
    *ret_restart = line->restart;
    if (line->restart != LINE_RUNS)
        line_restart_count(line, now);
    uint64_t places = line_let_in(line, now);
    if (places > 0)
        line_moved(line, places, now);
    return places;
}

static struct line open_line(const char *pace, uint64_t last, int64_t now)
{
    struct line line;
    enum line_restart restart;
    struct line_event event = make_event(pace, LIFECYCLE_OPEN);
    line_init(&line, &event, 0, last, COUNT_NEVER);
    assert_int_equal(turn(&line, now, &restart), last > 0 ? 1 : 0);
    assert_int_equal(restart, LINE_RESTART_LEADER);
    return line;
}

static void test_steps_on_time(void **state)
{
    (void)state;
    struct line line = open_line("200/s", 1000, 0);
    enum line_restart restart;
    for (int i = 1; i < 1000; i++) {
        assert_int_equal(line_next_ns(&line), i * 5 * MS);
        assert_int_equal(turn(&line, i * 5 * MS - 1, &restart), 0);
        assert_int_equal(turn(&line, i * 5 * MS, &restart), 1);
        assert_int_equal(restart, LINE_RUNS);
    }
    assert_int_equal(line.served, 1000);
    assert_int_equal(line_next_ns(&line), COUNT_NEVER); // nobody is left
    assert_int_equal(turn(&line, 20 * SECOND, &restart), 0);
}

static void test_empty_line_then_arrivals(void **state)
{
    (void)state;
    struct line line = open_line("10/s", 1, 0);
    enum line_restart restart;
    assert_int_equal(turn(&line, 3600 * SECOND, &restart), 0);
    assert_int_equal(restart, LINE_RUNS);
    line.last = 500;
    assert_int_equal(turn(&line, 3601 * SECOND, &restart), 1); // the first at once, and just the first
    assert_int_equal(restart, LINE_RESTART_EMPTY);
    assert_int_equal(turn(&line, 3601 * SECOND + 99 * MS, &restart), 0);
    assert_int_equal(turn(&line, 3601 * SECOND + 100 * MS, &restart), 1);
}

static void test_stall(void **state)
{
    (void)state;
    struct line line = open_line("100/s", 10000, 0);
    enum line_restart restart;
    assert_int_equal(turn(&line, 100 * MS, &restart), 10); // small lateness is made up for
    assert_int_equal(restart, LINE_RUNS);
    assert_int_equal(turn(&line, 5 * SECOND, &restart), 1); // a stall is not
    assert_int_equal(restart, LINE_RESTART_LATE);
    assert_int_equal(turn(&line, 5 * SECOND + 10 * MS, &restart), 1);
    assert_int_equal(restart, LINE_RUNS);
}

static void test_pause(void **state)
{
    (void)state;
    struct line line = open_line("10/s", 1000, 0);
    enum line_restart restart;
    struct line_event paused = make_event("10/s", LIFECYCLE_PAUSED), open = make_event("10/s", LIFECYCLE_OPEN);
    line_take_event(&line, &paused);
    assert_int_equal(line_next_ns(&line), COUNT_NEVER);
    assert_int_equal(turn(&line, 60 * SECOND, &restart), 0);
    line_take_event(&line, &open);
    assert_int_equal(turn(&line, 60 * SECOND, &restart), 1);
    assert_int_equal(restart, LINE_RESTART_OPEN);
    assert_int_equal(turn(&line, 60 * SECOND + 99 * MS, &restart), 0);
    // Paused and resumed at once: no sooner than an interval after the last one.
    line_take_event(&line, &paused);
    line_take_event(&line, &open);
    assert_int_equal(turn(&line, 60 * SECOND + 99 * MS, &restart), 0);
    assert_int_equal(restart, LINE_RESTART_OPEN);
    assert_int_equal(turn(&line, 60 * SECOND + 100 * MS, &restart), 1);
}

static void test_dial(void **state)
{
    (void)state;
    struct line line = open_line("1/h", 1000, 0);
    enum line_restart restart;
    struct line_event fast = make_event("200/s", LIFECYCLE_OPEN), same = make_event("12000/min", LIFECYCLE_OPEN);
    struct line_event none = make_event("0", LIFECYCLE_OPEN);
    assert_int_equal(turn(&line, 10 * SECOND, &restart), 0);
    line_take_event(&line, &fast);
    assert_int_equal(line_next_ns(&line), INT64_MIN); // to be done at once
    assert_int_equal(turn(&line, 10 * SECOND, &restart), 1);
    assert_int_equal(restart, LINE_RESTART_PACE);
    line_take_event(&line, &fast);
    assert_int_equal(turn(&line, 10 * SECOND + 5 * MS, &restart), 1);
    assert_int_equal(restart, LINE_RUNS); // another change of the row does not concern the count
    line_take_event(&line, &same);
    assert_int_equal(turn(&line, 10 * SECOND + 6 * MS, &restart), 0);
    assert_int_equal(restart, LINE_RESTART_PACE);
    line_take_event(&line, &none);
    assert_int_equal(turn(&line, 11 * SECOND, &restart), 0);
    assert_int_equal(restart, LINE_RESTART_PACE); // logged, so that the audit knows
    assert_int_equal(line_next_ns(&line), COUNT_NEVER);
    assert_int_equal(turn(&line, 3600 * SECOND, &restart), 0);
    int64_t low, high;
    assert_false(line_forecast(&line, &low, &high));
}

static void test_auto(void **state)
{
    (void)state;
    uint64_t count;
    uint32_t seconds;
    line_rate(&(struct pace){.is_auto = true, .count = 0, .per_seconds = 1}, &count, &seconds);
    assert_int_equal(count, LINE_AUTO_PER_SECOND);
    assert_int_equal(seconds, 1);
    line_rate(&(struct pace){.is_auto = true, .count = 600, .per_seconds = 60}, &count, &seconds);
    assert_int_equal(count, 600);
    assert_int_equal(seconds, 60);
}

static void test_max_active(void **state)
{
    (void)state;
    struct line line;
    enum line_restart restart;
    struct line_event event = make_event("1000/s", LIFECYCLE_OPEN);
    event.has_max_active = true;
    event.max_active = 3;
    line_init(&line, &event, 0, 1000, COUNT_NEVER);
    assert_int_equal(turn(&line, 0, &restart), 1);
    assert_int_equal(turn(&line, 50 * MS, &restart), 2); // fifty were due
    assert_int_equal(line_next_ns(&line), COUNT_NEVER);
    assert_int_equal(turn(&line, 10 * SECOND, &restart), 0);
    line.active = 1; // two turns have ended
    assert_int_equal(turn(&line, 11 * SECOND, &restart), 1);
    assert_int_equal(restart, LINE_RESTART_FULL);
    assert_int_equal(turn(&line, 11 * SECOND + MS, &restart), 1);
    assert_int_equal(turn(&line, 11 * SECOND + 2 * MS, &restart), 0);
}

static void test_another_leader(void **state)
{
    (void)state;
    struct line line = open_line("10/s", 1000, 0);
    enum line_restart restart;
    line_take_head(&line, 20, 1000, 2 * SECOND); // somebody was let in 50 ms ago, by another
    assert_int_equal(turn(&line, 2 * SECOND + 50 * MS, &restart), 0);
    assert_int_equal(restart, LINE_RESTART_LEADER);
    assert_int_equal(turn(&line, 2 * SECOND + 100 * MS, &restart), 1);
    assert_int_equal(line.served, 21);
}

static void test_forecast_follows(void **state)
{
    (void)state;
    struct line line = open_line("10/s", 100000, 0);
    enum line_restart restart;
    int64_t low, high, now = 0;
    assert_true(line_forecast(&line, &low, &high));
    assert_int_equal(low, 100000);
    for (int i = 0; i < 100; i++) // a stall before every place
        turn(&line, now += 250 * MS, &restart);
    assert_true(line_forecast(&line, &low, &high));
    assert_in_range(low, 245000, 255000);
    assert_in_range(high, 270000, 280000);
    struct line_event paused = make_event("10/s", LIFECYCLE_PAUSED);
    line_take_event(&line, &paused);
    assert_false(line_forecast(&line, &low, &high));
}

static void test_waits_for_a_slow_clock(void **state)
{
    (void)state;
    struct line line = open_line("100/s", 100000, 0);
    line_follow_clock(&line, 5000000);
    assert_int_equal(line_next_ns(&line), 10 * MS);
    line_follow_clock(&line, 4999000); // MySQL saw a millisecond less go by
    assert_int_equal(line_next_ns(&line), 11 * MS);
    line_follow_clock(&line, 5002000); // what it gains is not hurried after
    assert_int_equal(line_next_ns(&line), 11 * MS);
    line_follow_clock(&line, 4998999);
    assert_int_equal(line_next_ns(&line), 11 * MS + 1000);
    // Another count, another measure.
    enum line_restart restart;
    assert_int_equal(turn(&line, 10 * SECOND, &restart), 1);
    assert_int_equal(restart, LINE_RESTART_LATE);
    line_follow_clock(&line, 1);
    assert_int_equal(line_next_ns(&line), 10 * SECOND + 10 * MS);
    struct line_event paused = make_event("100/s", LIFECYCLE_PAUSED);
    line_take_event(&line, &paused);
    line_follow_clock(&line, -50);
    assert_int_equal(line_next_ns(&line), COUNT_NEVER);
}

// Nobody is let in whose order could not be released, and what came due meanwhile is not made up for.
static void test_orders_cannot_be_released(void **state)
{
    (void)state;
    struct line line = open_line("10/s", 1000, 0);
    enum line_restart restart;
    int64_t low_us, high_us;
    line_hold(&line, true);
    assert_int_equal(turn(&line, 100 * MS, &restart), 1); // a gate only: it does not matter
    line.event.has_tiers = true;
    assert_int_equal(line_next_ns(&line), COUNT_NEVER);
    assert_false(line_forecast(&line, &low_us, &high_us));
    for (int i = 2; i < 50; i++)
        assert_int_equal(turn(&line, i * 100 * MS, &restart), 0);
    assert_int_equal(line.held_by, GATE_NO_RELEASE);
    line_hold(&line, false);
    assert_int_equal(turn(&line, 5 * SECOND, &restart), 1);
    assert_int_equal(restart, LINE_RESTART_RELEASE);
    assert_string_equal(line_restart_name(restart), "release");
    assert_int_equal(turn(&line, 5 * SECOND + 99 * MS, &restart), 0);
    assert_int_equal(turn(&line, 5 * SECOND + 100 * MS, &restart), 1);
    assert_int_equal(restart, LINE_RUNS);
    assert_true(line_forecast(&line, &low_us, &high_us));
    // So short that nothing is late: the count goes on.
    line_hold(&line, true);
    assert_int_equal(turn(&line, 5 * SECOND + 200 * MS, &restart), 0);
    line_hold(&line, false);
    assert_int_equal(turn(&line, 5 * SECOND + 250 * MS, &restart), 1);
    assert_int_equal(restart, LINE_RUNS);
}

static const char *const paces[] = {"1/h", "7/min", "1/s", "10/s", "200/s", "5000/s", "100000/s", "auto", "0"};

struct world {
    struct line line;
    uint64_t seed;
    int64_t now, restarted_ns;
    uint64_t since_restart, rate_count;
    uint32_t rate_seconds;
    uint64_t moved;
    bool is_open;
};

static void disturb(struct world *world)
{
    struct line_event event = world->line.event;
    switch (next_random(&world->seed) % 40) {
    case 0: // the dial
        assert_int_equal(pace_parse(paces[next_random(&world->seed) % (sizeof(paces) / sizeof(paces[0]))], &event.pace),
                         0);
        break;
    case 1:
        event.state = LIFECYCLE_PAUSED;
        break;
    case 2:
        event.state = LIFECYCLE_STOPPED;
        break;
    case 3:
    case 4:
    case 5:
        if (event.state == LIFECYCLE_STOPPED)
            event.stopped_us += 1000;
        event.state = LIFECYCLE_OPEN;
        break;
    case 6: // a stall
        world->now += (int64_t)(next_random(&world->seed) % (uint64_t)(10 * SECOND));
        return;
    case 8: // RabbitMQ goes, or comes back
        line_hold(&world->line, next_random(&world->seed) % 2 == 0);
        return;
    case 7: // a transaction failed, or another leader had it for a while
        line_take_head(&world->line, world->line.served, world->line.last, world->line.let_in_ns);
        return;
    default: // arrivals
        world->line.last += next_random(&world->seed) % 30;
        return;
    }
    event.version++;
    line_take_event(&world->line, &event);
}

static void check(struct world *world, uint64_t places, enum line_restart restart)
{
    __extension__ typedef unsigned __int128 wide;
    if (restart != LINE_RUNS) {
        world->restarted_ns = world->now;
        world->since_restart = 0;
        line_rate(&world->line.event.pace, &world->rate_count, &world->rate_seconds);
    }
    world->since_restart += places;
    world->moved += places;
    assert_true(world->line.served <= world->line.last);
    if (places > 0) {
        assert_int_equal(world->line.event.state, LIFECYCLE_OPEN);
        assert_false(world->line.cannot_release && world->line.event.has_tiers);
        uint64_t elapsed = (uint64_t)(world->now - world->restarted_ns);
        assert_true((wide)(world->since_restart - 1) * world->rate_seconds * (uint64_t)SECOND <=
                    (wide)world->rate_count * elapsed);
        // No burst: never more at once than 100 ms bring, and one.
        assert_true(places <= world->rate_count / 10 / world->rate_seconds + 1);
        assert_true(restart == LINE_RUNS || places == 1);
    }
}

static void test_random_schedules(void **state)
{
    (void)state;
    uint64_t moved = 0;
    for (uint64_t run = 1; run <= 300; run++) {
        struct world world = {.seed = run * 7919};
        struct line_event event = make_event(paces[run % (sizeof(paces) / sizeof(paces[0]))], LIFECYCLE_OPEN);
        event.has_tiers = run % 2 == 0;
        line_init(&world.line, &event, 0, run % 3 * 1000, COUNT_NEVER);
        uint64_t served = 0;
        for (int step = 0; step < 2000; step++) {
            disturb(&world);
            int64_t next = line_next_ns(&world.line);
            bool on_time = next_random(&world.seed) % 2 && next > world.now && next - world.now < 3600 * SECOND;
            world.now = on_time ? next : world.now + (int64_t)(next_random(&world.seed) % (uint64_t)(40 * MS));
            enum line_restart restart;
            uint64_t places = turn(&world.line, world.now, &restart);
            check(&world, places, restart);
            assert_int_equal(world.line.served, served + places);
            served += places;
        }
        moved += world.moved;
    }
    assert_true(moved > 100000); // the schedules do let people in
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_on_time),
        cmocka_unit_test(test_empty_line_then_arrivals),
        cmocka_unit_test(test_stall),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_dial),
        cmocka_unit_test(test_auto),
        cmocka_unit_test(test_max_active),
        cmocka_unit_test(test_another_leader),
        cmocka_unit_test(test_forecast_follows),
        cmocka_unit_test(test_waits_for_a_slow_clock),
        cmocka_unit_test(test_orders_cannot_be_released),
        cmocka_unit_test(test_random_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
