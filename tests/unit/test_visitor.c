// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// A visitor as a loop remembers them: one for all who show the same token, and what MySQL says of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "waiting-room/visitor.h"

static const uint8_t id[TOKEN_VISITOR_BYTES] = {1}, other_id[TOKEN_VISITOR_BYTES] = {2};

static struct event_view *new_view(void)
{
    struct snapshot *event = snapshot_new();
    assert_non_null(event);
    struct event_view *view = event_view_new(event);
    assert_non_null(view);
    snapshot_unref(event);
    return view;
}

static void test_same_token_same_visitor(void **state)
{
    (void)state;
    struct event_view *view = new_view();
    struct visitor *visitor = visitor_get(view, 7, id), *again = visitor_get(view, 7, id);
    struct visitor *liar = visitor_get(view, 7, other_id);
    assert_ptr_equal(visitor, again);
    assert_ptr_not_equal(visitor, liar);
    assert_false(visitor->known);
    visitor_unref(again);
    assert_int_equal(view->visitor_count, 2);
    visitor_unref(visitor);
    assert_ptr_equal(visitor_find(view, 7), liar);
    visitor_unref(liar);
    assert_null(visitor_find(view, 7));
    event_view_free(view);
}

// The feed told that somebody left while an older look-up was still under way.
static void test_who_left_stays_away(void **state)
{
    (void)state;
    struct event_view *view = new_view();
    struct visitor *visitor = visitor_get(view, 7, id);
    visitor_take_facts(visitor, &(struct line_facts){.number = 7, .turn = LINE_TURN_BEGAN, .turn_began_us = 5});
    assert_true(visitor->known);
    assert_false(visitor->facts.left);
    assert_int_equal(visitor->facts.turn_began_us, 5);
    visitor->facts.left = true;
    visitor_take_facts(visitor, &(struct line_facts){.number = 7});
    assert_true(visitor->facts.left);
    assert_int_equal(visitor->facts.turn_began_us, 0);
    visitor_unref(visitor);
    event_view_free(view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_token_same_visitor),
        cmocka_unit_test(test_who_left_stays_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
