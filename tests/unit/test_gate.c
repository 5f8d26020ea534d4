// links: admission
// SPDX-License-Identifier: Apache-2.0
// The gate and the timetable: who may be let in in which state, and what the clock asks for.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admission/gate.h"
#include "admission/timetable.h"

static const struct gate usual = {.state = LIFECYCLE_OPEN, .due = 5, .served = 10, .last = 100};

static void assert_gate(struct gate gate, uint64_t places, enum gate_reason reason)
{
    enum gate_reason why = GATE_FULL;
    assert_int_equal(gate_let_in(&gate, &why), places);
    assert_int_equal(why, reason);
}

static void test_only_open_lets_in(void **state)
{
    (void)state;
    for (int each = 0; each < LIFECYCLE_STATE_COUNT; each++) {
        struct gate gate = usual;
        gate.state = (enum lifecycle_state)each;
        bool open = each == LIFECYCLE_OPEN;
        assert_gate(gate, open ? 5 : 0, open ? GATE_LETS_IN : GATE_NOT_OPEN);
    }
}

static void test_the_least_counts(void **state)
{
    (void)state;
    struct gate gate = usual;
    gate.last = 13; // three are waiting
    assert_gate(gate, 3, GATE_LETS_IN);
    gate = usual;
    gate.has_max_active = true;
    gate.max_active = 9;
    gate.active = 7; // room for two
    assert_gate(gate, 2, GATE_LETS_IN);
    gate.cannot_release = true;
    assert_gate(gate, 0, GATE_NO_RELEASE);
    gate.cannot_release = false;
    gate.last = 11;
    assert_gate(gate, 1, GATE_LETS_IN);
    gate = usual;
    gate.due = UINT64_MAX;
    gate.last = UINT64_MAX;
    assert_gate(gate, UINT64_MAX - 10, GATE_LETS_IN);
}

static void test_why_nobody(void **state)
{
    (void)state;
    struct gate gate = usual;
    gate.due = 0;
    assert_gate(gate, 0, GATE_NOT_DUE);
    gate.has_max_active = true;
    gate.max_active = gate.active = 9;
    assert_gate(gate, 0, GATE_FULL);
    gate.active = 12; // the dial was turned down while more were inside
    assert_gate(gate, 0, GATE_FULL);
    gate.max_active = 0;
    gate.active = 0;
    assert_gate(gate, 0, GATE_FULL);
    gate.cannot_release = true;
    assert_gate(gate, 0, GATE_NO_RELEASE);
    gate.last = gate.served;
    assert_gate(gate, 0, GATE_LINE_EMPTY);
    gate.last = gate.served - 1; // read before a step, seen after it
    assert_gate(gate, 0, GATE_LINE_EMPTY);
    gate.state = LIFECYCLE_STOPPED;
    assert_gate(gate, 0, GATE_NOT_OPEN);
}

#define NOTHING LIFECYCLE_ACTION_COUNT

static void assert_due(const struct timetable *timetable, enum lifecycle_state state, int64_t now_us,
                       enum lifecycle_action expected)
{
    enum lifecycle_action action = NOTHING;
    bool due = timetable_due(timetable, state, now_us, &action);
    assert_int_equal(due, expected != NOTHING);
    if (due)
        assert_int_equal(action, expected);
}

static void test_timetable(void **state)
{
    (void)state;
    const struct timetable all = {.lobby_opens_at_us = 100, .opens_at_us = 200, .closes_at_us = 300};
    assert_due(&all, LIFECYCLE_DRAFT, 99, NOTHING);
    assert_due(&all, LIFECYCLE_DRAFT, 100, LIFECYCLE_DO_LOBBY);
    assert_due(&all, LIFECYCLE_LOBBY, 100, NOTHING);
    assert_due(&all, LIFECYCLE_LOBBY, 199, NOTHING);
    assert_due(&all, LIFECYCLE_LOBBY, 200, LIFECYCLE_DO_OPEN);
    assert_due(&all, LIFECYCLE_DRAFT, 200, LIFECYCLE_DO_OPEN); // nobody was there to open the lobby
    assert_due(&all, LIFECYCLE_OPEN, 299, NOTHING);
    assert_due(&all, LIFECYCLE_OPEN, 300, LIFECYCLE_DO_CLOSE);
    assert_due(&all, LIFECYCLE_PAUSED, 200, NOTHING); // a pause is an operator's will
    assert_due(&all, LIFECYCLE_PAUSED, 300, LIFECYCLE_DO_CLOSE);
    assert_due(&all, LIFECYCLE_SOLD_OUT, 300, LIFECYCLE_DO_CLOSE);
    assert_due(&all, LIFECYCLE_DRAFT, 300, LIFECYCLE_DO_CLOSE); // never opens what is over
    assert_due(&all, LIFECYCLE_STOPPED, 300, NOTHING);
    assert_due(&all, LIFECYCLE_CLOSED, 300, NOTHING);
}

static void test_timetable_without_times(void **state)
{
    (void)state;
    const struct timetable none = {TIMETABLE_NONE, TIMETABLE_NONE, TIMETABLE_NONE, false};
    for (int each = 0; each < LIFECYCLE_STATE_COUNT; each++)
        assert_due(&none, (enum lifecycle_state)each, INT64_MAX, NOTHING);
    assert_int_equal(timetable_next_us(&none, 0), TIMETABLE_NEVER);
}

static void test_timetable_does_not_close_twice(void **state)
{
    (void)state;
    const struct timetable reopened = {TIMETABLE_NONE, TIMETABLE_NONE, 300, true};
    assert_due(&reopened, LIFECYCLE_OPEN, 300, NOTHING);
    assert_due(&reopened, LIFECYCLE_OPEN, 9000, NOTHING);
}

static void test_timetable_next(void **state)
{
    (void)state;
    const struct timetable all = {.lobby_opens_at_us = 100, .opens_at_us = 200, .closes_at_us = 300};
    assert_int_equal(timetable_next_us(&all, 0), 100);
    assert_int_equal(timetable_next_us(&all, 100), 200);
    assert_int_equal(timetable_next_us(&all, 299), 300);
    assert_int_equal(timetable_next_us(&all, 300), TIMETABLE_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_open_lets_in),
        cmocka_unit_test(test_the_least_counts),
        cmocka_unit_test(test_why_nobody),
        cmocka_unit_test(test_timetable),
        cmocka_unit_test(test_timetable_without_times),
        cmocka_unit_test(test_timetable_does_not_close_twice),
        cmocka_unit_test(test_timetable_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
