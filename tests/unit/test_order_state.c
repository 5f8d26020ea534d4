// SPDX-License-Identifier: Apache-2.0
// The table of an order's states, cell by cell: a table that agrees with itself proves nothing, so it stands here again as
// docs/states.md draws it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/order_state.h"

static const struct {
    const char *from;
    const char *to; // by the system or the visitor, words between blanks
    const char *operator_too;
} expected[] = {
    {"placed", " placed released cancelled refused sold_out ", " "},
    {"released", " held confirmed standby sold_out refused failed ", " "},
    {"held", " paying expired cancelled ", " "},
    {"paying", " confirmed declined action_required failed expired ", " "},
    {"action_required", " paying expired cancelled ", " "},
    {"declined", " paying expired cancelled ", " "},
    {"standby", " held confirmed sold_out cancelled ", " "},
    {"confirmed", " ", " cancelled "},
    {"sold_out", " ", " "},
    {"refused", " ", " "},
    {"expired", " ", " "},
    {"failed", " ", " released "},
    {"cancelled", " ", " "},
};

static bool has_word(const char *words, const char *word)
{
    const char *at = strstr(words, word);
    return at && at > words && at[-1] == ' ' && at[strlen(word)] == ' ';
}

static void every_cell(void **state)
{
    (void)state;
    assert_int_equal(sizeof(expected) / sizeof(expected[0]), ORDER_STATE_COUNT);
    for (unsigned from = 0; from < ORDER_STATE_COUNT; from++) {
        assert_string_equal(order_state_name((enum order_state)from), expected[from].from);
        for (unsigned to = 0; to < ORDER_STATE_COUNT; to++) {
            const char *name = order_state_name((enum order_state)to);
            bool system = has_word(expected[from].to, name);
            bool by_operator = system || has_word(expected[from].operator_too, name);
            if (order_may_become((enum order_state)from, (enum order_state)to, ORDER_BY_SYSTEM) != system ||
                order_may_become((enum order_state)from, (enum order_state)to, ORDER_BY_OPERATOR) != by_operator)
                fail_msg("%s -> %s", expected[from].from, name);
        }
    }
    assert_false(order_may_become(ORDER_STATE_COUNT, ORDER_PLACED, ORDER_BY_OPERATOR));
    assert_false(order_may_become(ORDER_PLACED, ORDER_STATE_COUNT, ORDER_BY_OPERATOR));
}

static void kinds(void **state)
{
    (void)state;
    static const char final[] = " confirmed sold_out refused expired failed cancelled ";
    static const char with_places[] = " held paying action_required declined confirmed ";
    static const char another[] = " sold_out refused expired failed cancelled ";
    for (unsigned i = 0; i < ORDER_STATE_COUNT; i++) {
        enum order_state each = (enum order_state)i;
        assert_int_equal(order_is_final(each), has_word(final, order_state_name(each)));
        assert_int_equal(order_has_places(each), has_word(with_places, order_state_name(each)));
        assert_int_equal(order_allows_another(each), has_word(another, order_state_name(each)));
    }
    assert_false(order_is_final(ORDER_STATE_COUNT));
}

static void names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ORDER_STATE_COUNT; i++) {
        enum order_state read = ORDER_STATE_COUNT;
        assert_int_equal(order_state_parse(order_state_name((enum order_state)i), &read), 0);
        assert_int_equal(read, i);
    }
    for (unsigned i = 0; i < ORDER_REASON_COUNT; i++) {
        enum order_reason read = ORDER_REASON_COUNT;
        assert_int_equal(order_reason_parse(order_reason_name((enum order_reason)i), &read), 0);
        assert_int_equal(read, i);
    }
    enum order_state untouched = ORDER_HELD;
    assert_int_equal(order_state_parse(NULL, &untouched), ERROR_INVALID);
    assert_int_equal(order_state_parse("", &untouched), ERROR_INVALID);
    assert_int_equal(order_state_parse("Confirmed", &untouched), ERROR_INVALID);
    assert_int_equal(untouched, ORDER_HELD);
    enum order_reason reason = ORDER_BROKEN;
    assert_int_equal(order_reason_parse("unknown", &reason), ERROR_INVALID);
    assert_int_equal(reason, ORDER_BROKEN);
    assert_string_equal(order_state_name(ORDER_STATE_COUNT), "unknown");
    assert_null(order_reason_name(ORDER_REASON_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell),
        cmocka_unit_test(kinds),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
