// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// What a loop makes of the stock that it hears: what is left goes to streams, standby is a reason to ask how many are before.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "waiting-room/event_view.h"

// An event with one tier, which was read at a time.
static struct snapshot *new_event(int64_t counted_at_us, uint64_t standby)
{
    struct snapshot *event = snapshot_new();
    assert_non_null(event);
    event->counted_at_us = counted_at_us;
    event->tiers = calloc(1, sizeof *event->tiers);
    assert_non_null(event->tiers);
    event->tier_count = 1;
    event->tiers[0] =
        (struct snapshot_tier){.code = "floor", .name = strdup("Floor"), .capacity = 10, .standby = standby};
    return event;
}

static struct event_view *new_view(int64_t counted_at_us, uint64_t standby)
{
    struct snapshot *event = new_event(counted_at_us, standby);
    struct event_view *view = event_view_new(event);
    assert_non_null(view);
    snapshot_unref(event);
    return view;
}

static void hear_stock(struct event_view *view, int64_t at_us, uint64_t left, uint64_t standby)
{
    struct stock_news *news = stock_news_new("gala", at_us, 1);
    assert_non_null(news);
    news->tiers[0] = (struct message_stock_tier){.code = "floor", .left = left, .standby = standby};
    view->standby_due = view->stock_due = false;
    event_view_take_stock(view, news);
    news_unref(news);
}

static void standby_is_asked_about_while_there_is_some(void **state)
{
    (void)state;
    struct event_view *view = new_view(1, 0);
    hear_stock(view, 2, 0, 0);
    assert_false(view->standby_due);
    hear_stock(view, 3, 0, 5);
    assert_true(view->standby_due);
    assert_false(view->stock_due); // visitors are not told of it in the stock
    hear_stock(view, 4, 0, 5); // as many as before, but perhaps others
    assert_true(view->standby_due);
    hear_stock(view, 5, 0, 0); // the last one was served
    assert_true(view->standby_due);
    hear_stock(view, 6, 3, 0);
    assert_false(view->standby_due);
    assert_true(view->stock_due);
    hear_stock(view, 5, 0, 9); // late
    assert_false(view->standby_due);
    assert_int_equal(view->event->tiers[0].standby, 0);
    event_view_free(view);
}

static void an_older_look_at_the_event_keeps_the_stock(void **state)
{
    (void)state;
    struct event_view *view = new_view(1, 0);
    hear_stock(view, 9, 4, 7);
    struct snapshot *older = new_event(8, 1), *newer = new_event(10, 2);
    older->version = 1;
    newer->version = 2;
    event_view_take_snapshot(view, older);
    assert_int_equal(view->event->tiers[0].left, 4);
    assert_int_equal(view->event->tiers[0].standby, 7);
    event_view_take_snapshot(view, newer);
    assert_int_equal(view->event->tiers[0].left, 0);
    assert_int_equal(view->event->tiers[0].standby, 2);
    snapshot_unref(older);
    snapshot_unref(newer);
    event_view_free(view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standby_is_asked_about_while_there_is_some),
        cmocka_unit_test(an_older_look_at_the_event_keeps_the_stock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
