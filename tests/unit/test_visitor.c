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

static bool take_order(struct visitor *visitor, uint32_t attempt, uint32_t revision, enum order_state state)
{
    struct order_facts *facts = order_facts_new();
    assert_non_null(facts);
    facts->attempt = attempt;
    facts->revision = revision;
    facts->state = state;
    bool is_news = visitor_take_order(visitor, facts);
    order_facts_unref(facts);
    return is_news;
}

static void test_the_newest_order_stays(void **state)
{
    (void)state;
    struct event_view *view = new_view();
    struct visitor *visitor = visitor_get(view, 7, id);
    assert_false(visitor->order_known);
    assert_false(visitor_take_order(visitor, NULL));
    assert_true(visitor->order_known);
    assert_null(visitor->order);
    assert_true(take_order(visitor, 1, 2, ORDER_RELEASED));
    assert_false(take_order(visitor, 1, 2, ORDER_RELEASED)); // twice
    assert_false(take_order(visitor, 1, 1, ORDER_PLACED)); // late
    assert_int_equal(visitor->order->state, ORDER_RELEASED);
    assert_true(take_order(visitor, 1, 3, ORDER_SOLD_OUT));
    assert_true(take_order(visitor, 2, 1, ORDER_PLACED)); // a new attempt counts from 1
    assert_false(take_order(visitor, 1, 4, ORDER_SOLD_OUT));
    visitor->order_known = false; // news were missed
    assert_false(visitor_take_order(visitor, NULL)); // read before the order was given
    assert_true(visitor->order_known);
    assert_int_equal(visitor->order->attempt, 2);
    assert_int_equal(visitor->ended_count, 0); // nobody was there to be told
    visitor_unref(visitor);
    event_view_free(view);
}

// An answer on its way says nothing about what was raised after its question.
static void test_a_doubt_outlives_an_answer_that_was_asked_for_before(void **state)
{
    (void)state;
    struct event_view *view = new_view();
    struct visitor *visitor = visitor_get(view, 7, id);
    uint32_t asked = visitor->order_doubts;
    visitor_doubt_order(visitor);
    visitor_take_order_read(visitor, NULL, asked);
    assert_false(visitor->order_known);
    asked = visitor->order_doubts;
    visitor_take_order_read(visitor, NULL, asked);
    assert_true(visitor->order_known);
    visitor_unref(visitor);
    event_view_free(view);
}

static struct order_facts *standby(uint32_t revision, int64_t ahead)
{
    struct order_facts *facts = order_facts_new();
    assert_non_null(facts);
    facts->attempt = 1;
    facts->revision = revision;
    facts->state = ORDER_STANDBY;
    facts->ahead = ahead;
    return facts;
}

// Of the same revision MySQL knows more than an outcome says, and an outcome never less than what MySQL said before.
static void test_what_was_read_completes_what_was_heard(void **state)
{
    (void)state;
    struct event_view *view = new_view();
    struct visitor *visitor = visitor_get(view, 7, id);
    struct order_facts *heard = standby(3, -1), *read = standby(3, 4), *older = standby(2, 9);
    assert_true(visitor_take_order(visitor, heard));
    assert_false(visitor_take_order_read(visitor, read, visitor->order_doubts));
    assert_ptr_equal(visitor->order, read);
    assert_false(visitor_take_order(visitor, heard));
    assert_ptr_equal(visitor->order, read);
    assert_false(visitor_take_order_read(visitor, older, visitor->order_doubts));
    assert_ptr_equal(visitor->order, read);
    order_facts_unref(heard);
    order_facts_unref(read);
    order_facts_unref(older);
    visitor_unref(visitor);
    event_view_free(view);
}

static void test_how_many_are_before_is_for_who_stands_by(void **state)
{
    (void)state;
    struct event_view *view = new_view();
    struct visitor *visitor = visitor_get(view, 7, id);
    visitor_take_ahead(visitor, 1); // no order
    assert_null(visitor->order);
    struct order_facts *facts = standby(3, 4);
    visitor_take_order(visitor, facts);
    visitor_take_ahead(visitor, 4);
    assert_ptr_equal(visitor->order, facts); // nothing has changed
    visitor_take_ahead(visitor, 3);
    assert_int_equal(visitor->order->ahead, 3);
    assert_int_equal(visitor->order->revision, 3);
    assert_int_equal(facts->ahead, 4); // others may have it
    order_facts_unref(facts);
    take_order(visitor, 1, 4, ORDER_HELD); // served, before the answer came
    visitor_take_ahead(visitor, 0);
    assert_int_equal(visitor->order->ahead, -1);
    visitor_unref(visitor);
    event_view_free(view);
}

// A slow stream may skip what lies between, but no end.
static void test_ends_are_kept_for_streams(void **state)
{
    (void)state;
    struct event_view *view = new_view();
    struct visitor *visitor = visitor_get(view, 7, id);
    visitor->streams = (struct stream *)visitor; // one is there; nobody looks into it
    take_order(visitor, 1, 1, ORDER_PLACED);
    take_order(visitor, 1, 3, ORDER_SOLD_OUT);
    assert_int_equal(visitor->ended_count, 0);
    take_order(visitor, 2, 1, ORDER_PLACED);
    take_order(visitor, 2, 2, ORDER_CANCELLED);
    take_order(visitor, 3, 1, ORDER_PLACED);
    assert_int_equal(visitor->ended_count, 2);
    assert_int_equal(visitor->ended[0]->state, ORDER_SOLD_OUT);
    assert_int_equal(visitor->ended[1]->attempt, 2);
    for (uint32_t attempt = 3; attempt < 10; attempt++) {
        take_order(visitor, attempt, 2, ORDER_CANCELLED);
        take_order(visitor, attempt + 1, 1, ORDER_PLACED);
    }
    assert_int_equal(visitor->ended_count, VISITOR_ENDED_MAX);
    assert_int_equal(visitor->ended[VISITOR_ENDED_MAX - 1]->attempt, 9);
    assert_int_equal(visitor->ended[0]->attempt, 10 - VISITOR_ENDED_MAX);
    visitor->streams = NULL;
    visitor_unref(visitor);
    event_view_free(view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_token_same_visitor),
        cmocka_unit_test(test_who_left_stays_away),
        cmocka_unit_test(test_the_newest_order_stays),
        cmocka_unit_test(test_a_doubt_outlives_an_answer_that_was_asked_for_before),
        cmocka_unit_test(test_what_was_read_completes_what_was_heard),
        cmocka_unit_test(test_how_many_are_before_is_for_who_stands_by),
        cmocka_unit_test(test_ends_are_kept_for_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
