// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// Where a visitor stands: every state, its borders, and clocks that stand still.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "waiting-room/line_state.h"

#define S INT64_C(1000000)

static const struct line_event open_event = {
    .state = LIFECYCLE_OPEN,
    .opened = true,
    .turn_us = 600 * S,
    .absent_us = 1800 * S,
    .stopped_at_us = SNAPSHOT_NO_TIME,
    .served = 10,
    .has_wait = true,
    .us_per_place_low = 100000,
    .us_per_place_high = 150000,
};

static struct line_state state_of(const struct line_event *event, const struct line_facts *facts, int64_t now_us)
{
    struct line_state state;
    line_state_of(event, facts, now_us, &state);
    return state;
}

static void test_waiting(void **unused)
{
    (void)unused;
    struct line_state state = state_of(&open_event, &(struct line_facts){.number = 11}, 0);
    assert_int_equal(state.line, LINE_WAITING);
    assert_int_equal(state.place, 11);
    assert_int_equal(state.ahead, 0); // the next to be let in
    assert_int_equal(state.until_us, SNAPSHOT_NO_TIME);
    state = state_of(&open_event, &(struct line_facts){.number = 110}, 0);
    assert_int_equal(state.ahead, 99);
    assert_true(state.has_wait);
    assert_int_equal(state.wait_low_seconds, 10);
    assert_int_equal(state.wait_high_seconds, 15);
    state = state_of(&open_event, &(struct line_facts){.number = 13}, 0); // 0.3 s to 0.45 s
    assert_int_equal(state.wait_low_seconds, 0);
    assert_int_equal(state.wait_high_seconds, 1);
}

static void test_waiting_without_a_pace(void **unused)
{
    (void)unused;
    struct line_event event = open_event;
    event.has_wait = false;
    assert_false(state_of(&event, &(struct line_facts){.number = 11}, 0).has_wait);
    event.has_wait = true;
    event.us_per_place_high = INT64_MAX / 4; // more than can be counted is not known
    assert_false(state_of(&event, &(struct line_facts){.number = UINT64_MAX}, 0).has_wait);
}

static void test_lobby(void **unused)
{
    (void)unused;
    struct line_event event = open_event;
    event.state = LIFECYCLE_LOBBY;
    event.opened = false;
    event.served = 0;
    struct line_state state = state_of(&event, &(struct line_facts){.number = 7}, 0);
    assert_int_equal(state.line, LINE_LOBBY);
    assert_int_equal(state.place, 0);
    event.state = LIFECYCLE_STOPPED; // stopped in the lobby is still the lobby
    event.stopped_at_us = 0;
    assert_int_equal(state_of(&event, &(struct line_facts){.number = 7}, 0).line, LINE_LOBBY);
}

static void test_turn(void **unused)
{
    (void)unused;
    struct line_facts facts = {.number = 10, .turn = LINE_TURN_BEGAN, .turn_began_us = 1000 * S};
    struct line_state state = state_of(&open_event, &facts, 1000 * S);
    assert_int_equal(state.line, LINE_TURN);
    assert_int_equal(state.until_us, 1600 * S);
    assert_int_equal(state_of(&open_event, &facts, 1600 * S - 1).line, LINE_TURN);
    state = state_of(&open_event, &facts, 1600 * S);
    assert_int_equal(state.line, LINE_OVER);
    assert_int_equal(state.until_us, SNAPSHOT_NO_TIME);
}

static void test_turn_that_nobody_looked_up(void **unused)
{
    (void)unused;
    struct line_state state = state_of(&open_event, &(struct line_facts){.number = 10}, 0);
    assert_int_equal(state.line, LINE_TURN);
    assert_true(state.turn_unknown);
    assert_int_equal(state.until_us, SNAPSHOT_NO_TIME);
    assert_false(state_of(&open_event, &(struct line_facts){.number = 11}, 0).turn_unknown);
    struct line_facts missed = {.number = 10, .turn = LINE_TURN_MISSED};
    assert_int_equal(state_of(&open_event, &missed, 0).line, LINE_OVER);
}

static void test_stop_moves_the_end_of_a_turn(void **unused)
{
    (void)unused;
    struct line_facts facts = {
        .number = 10, .turn = LINE_TURN_BEGAN, .turn_began_us = 1000 * S, .turn_stopped_us = 50 * S};
    struct line_event event = open_event;
    event.stopped_us = 50 * S; // all of it before this turn
    assert_int_equal(state_of(&event, &facts, 1100 * S).until_us, 1600 * S);
    event.state = LIFECYCLE_STOPPED;
    event.stopped_at_us = 1200 * S;
    assert_int_equal(state_of(&event, &facts, 1300 * S).until_us, 1700 * S);
    assert_int_equal(state_of(&event, &facts, 99999 * S).line, LINE_TURN); // however long the stop lasts
    event.state = LIFECYCLE_OPEN;
    event.stopped_at_us = SNAPSHOT_NO_TIME;
    event.stopped_us = 150 * S;
    assert_int_equal(state_of(&event, &facts, 1301 * S).until_us, 1700 * S);
    assert_int_equal(state_of(&event, &facts, 1700 * S).line, LINE_OVER);
}

static void test_coming_back(void **unused)
{
    (void)unused;
    assert_true(line_may_come_back(&open_event, 1000 * S, 0, 1000 * S));
    assert_true(line_may_come_back(&open_event, 1000 * S, 0, 2800 * S));
    assert_false(line_may_come_back(&open_event, 1000 * S, 0, 2800 * S + 1));
    struct line_event event = open_event;
    event.stopped_us = 60 * S; // the clock stood still for a minute since
    assert_true(line_may_come_back(&event, 1000 * S, 0, 2860 * S));
    assert_false(line_may_come_back(&event, 1000 * S, 60 * S, 2860 * S));
}

static void test_ends(void **unused)
{
    (void)unused;
    struct line_event event = open_event;
    struct line_facts waiting = {.number = 50}, left = {.number = 50, .left = true};
    assert_int_equal(state_of(&event, &left, 0).line, LINE_LEFT);
    event.state = LIFECYCLE_CLOSED;
    assert_int_equal(state_of(&event, &waiting, 0).line, LINE_OVER);
    assert_int_equal(state_of(&event, &left, 0).line, LINE_LEFT);
    event.state = LIFECYCLE_SOLD_OUT;
    assert_int_equal(state_of(&event, &waiting, 0).line, LINE_OVER);
    event.state = LIFECYCLE_PAUSED; // a pause takes nothing from anybody
    assert_int_equal(state_of(&event, &waiting, 0).line, LINE_WAITING);
}

static void test_names(void **unused)
{
    (void)unused;
    assert_string_equal(line_name(LINE_LOBBY), "lobby");
    assert_string_equal(line_name(LINE_WAITING), "waiting");
    assert_string_equal(line_name(LINE_TURN), "turn");
    assert_string_equal(line_name(LINE_OVER), "over");
    assert_string_equal(line_name(LINE_LEFT), "left");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waiting),
        cmocka_unit_test(test_waiting_without_a_pace),
        cmocka_unit_test(test_lobby),
        cmocka_unit_test(test_turn),
        cmocka_unit_test(test_turn_that_nobody_looked_up),
        cmocka_unit_test(test_stop_moves_the_end_of_a_turn),
        cmocka_unit_test(test_coming_back),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests_name("line_state", tests, NULL, NULL);
}
