// SPDX-License-Identifier: Apache-2.0
// The table of states and actions, cell by cell: a table that agrees with itself proves nothing, so it stands here again
// as docs/states.md draws it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/lifecycle.h"

// Columns as in enum lifecycle_state. "-" is impossible, "=" means back to where `stop` or selling out came from.
static const struct {
    enum lifecycle_action action;
    const char *to[LIFECYCLE_STATE_COUNT];
} expected[] = {
    //                      draft     lobby      open       paused     stopped    sold_out    closed
    {LIFECYCLE_DO_LOBBY, {"lobby", "lobby", "-", "-", "-", "-", "-"}},
    {LIFECYCLE_DO_OPEN, {"open", "open", "open", "-", "-", "open", "open"}},
    {LIFECYCLE_DO_PAUSE, {"-", "-", "paused", "paused", "-", "-", "-"}},
    {LIFECYCLE_DO_RESUME, {"-", "-", "open", "open", "-", "-", "-"}},
    {LIFECYCLE_DO_STOP, {"-", "stopped", "stopped", "stopped", "stopped", "stopped", "-"}},
    {LIFECYCLE_DO_START, {"-", "lobby", "open", "paused", "=", "sold_out", "-"}},
    {LIFECYCLE_DO_CLOSE, {"closed", "closed", "closed", "closed", "closed", "closed", "closed"}},
    {LIFECYCLE_DO_SELL_OUT, {"-", "-", "sold_out", "sold_out", "-", "sold_out", "-"}},
    {LIFECYCLE_DO_SELL_AGAIN, {"-", "-", "open", "paused", "-", "=", "-"}},
};

static void every_cell(void **state)
{
    (void)state;
    assert_int_equal(sizeof(expected) / sizeof(expected[0]), LIFECYCLE_ACTION_COUNT);
    for (size_t i = 0; i < LIFECYCLE_ACTION_COUNT; i++) {
        for (unsigned from = 0; from < LIFECYCLE_STATE_COUNT; from++) {
            const char *to = expected[i].to[from];
            enum lifecycle_state next = LIFECYCLE_STATE_COUNT;
            int result = lifecycle_next((enum lifecycle_state)from, LIFECYCLE_PAUSED, expected[i].action, &next);
            if (strcmp(to, "-") == 0) {
                assert_int_equal(result, ERROR_CONFLICT);
                assert_int_equal(next, LIFECYCLE_STATE_COUNT);
                continue;
            }
            assert_int_equal(result, 0);
            assert_string_equal(lifecycle_state_name(next), strcmp(to, "=") == 0 ? "paused" : to);
        }
    }
}

static void repeating_stays_there(void **state)
{
    (void)state;
    for (unsigned action = 0; action < LIFECYCLE_ACTION_COUNT; action++) {
        for (unsigned from = 0; from < LIFECYCLE_STATE_COUNT; from++) {
            enum lifecycle_state once, twice;
            if (lifecycle_next((enum lifecycle_state)from, LIFECYCLE_OPEN, (enum lifecycle_action)action, &once))
                continue;
            assert_int_equal(lifecycle_next(once, LIFECYCLE_OPEN, (enum lifecycle_action)action, &twice), 0);
            assert_int_equal(once, twice);
        }
    }
}

static void start_returns_to_what_stop_left(void **state)
{
    (void)state;
    static const enum lifecycle_state left[] = {LIFECYCLE_LOBBY, LIFECYCLE_OPEN, LIFECYCLE_PAUSED, LIFECYCLE_SOLD_OUT};
    enum lifecycle_state next;
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        assert_int_equal(lifecycle_next(LIFECYCLE_STOPPED, left[i], LIFECYCLE_DO_START, &next), 0);
        assert_int_equal(next, left[i]);
    }
    static const enum lifecycle_state never[] = {LIFECYCLE_DRAFT, LIFECYCLE_STOPPED, LIFECYCLE_CLOSED,
                                                 LIFECYCLE_STATE_COUNT};
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        assert_int_equal(lifecycle_next(LIFECYCLE_STOPPED, never[i], LIFECYCLE_DO_START, &next), ERROR_CONFLICT);
}

static void selling_again_returns_to_what_selling_out_left(void **state)
{
    (void)state;
    enum lifecycle_state next;
    assert_int_equal(lifecycle_next(LIFECYCLE_SOLD_OUT, LIFECYCLE_PAUSED, LIFECYCLE_DO_SELL_AGAIN, &next), 0);
    assert_int_equal(next, LIFECYCLE_PAUSED);
    // Whatever else is noted, or nothing: it goes on selling, and is never stopped, closed or a draft by it.
    for (unsigned before = 0; before <= LIFECYCLE_STATE_COUNT; before++) {
        if (before == LIFECYCLE_PAUSED)
            continue;
        assert_int_equal(
            lifecycle_next(LIFECYCLE_SOLD_OUT, (enum lifecycle_state)before, LIFECYCLE_DO_SELL_AGAIN, &next), 0);
        assert_int_equal(next, LIFECYCLE_OPEN);
    }
}

static void nonsense_is_a_conflict(void **state)
{
    (void)state;
    enum lifecycle_state next;
    assert_int_equal(lifecycle_next(LIFECYCLE_STATE_COUNT, LIFECYCLE_OPEN, LIFECYCLE_DO_OPEN, &next), ERROR_CONFLICT);
    assert_int_equal(lifecycle_next(LIFECYCLE_OPEN, LIFECYCLE_OPEN, LIFECYCLE_ACTION_COUNT, &next), ERROR_CONFLICT);
}

static void names_go_there_and_back(void **state)
{
    (void)state;
    static const char *const names[] = {"draft", "lobby", "open", "paused", "stopped", "sold_out", "closed"};
    for (unsigned i = 0; i < LIFECYCLE_STATE_COUNT; i++) {
        enum lifecycle_state parsed;
        assert_string_equal(lifecycle_state_name((enum lifecycle_state)i), names[i]);
        assert_int_equal(lifecycle_state_parse(names[i], &parsed), 0);
        assert_int_equal(parsed, i);
    }
    static const char *const actions[] = {"lobby", "open",  "pause",    "resume",    "stop",
                                          "start", "close", "sell_out", "sell_again"};
    for (unsigned i = 0; i < LIFECYCLE_ACTION_COUNT; i++)
        assert_string_equal(lifecycle_action_name((enum lifecycle_action)i), actions[i]);
    enum lifecycle_state untouched = LIFECYCLE_PAUSED;
    assert_int_equal(lifecycle_state_parse("Open", &untouched), ERROR_INVALID);
    assert_int_equal(lifecycle_state_parse("", &untouched), ERROR_INVALID);
    assert_int_equal(lifecycle_state_parse(NULL, &untouched), ERROR_INVALID);
    assert_int_equal(untouched, LIFECYCLE_PAUSED);
    assert_string_equal(lifecycle_state_name(LIFECYCLE_STATE_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell),
        cmocka_unit_test(repeating_stays_there),
        cmocka_unit_test(start_returns_to_what_stop_left),
        cmocka_unit_test(selling_again_returns_to_what_selling_out_left),
        cmocka_unit_test(nonsense_is_a_conflict),
        cmocka_unit_test(names_go_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
