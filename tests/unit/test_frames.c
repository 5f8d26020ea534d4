// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// The documents and frames that visitors read, and how a view merges what it hears.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"
#include "waiting-room/event_view.h"
#include "waiting-room/feed.h"
#include "waiting-room/frames.h"

#define NOW INT64_C(1795465259123000) // 2026-11-23T20:20:59.123Z

static struct snapshot *new_event(void)
{
    struct snapshot *event = snapshot_new();
    assert_non_null(event);
    event->version = 1;
    snprintf(event->slug, sizeof event->slug, "gala");
    snprintf(event->currency, sizeof event->currency, "EUR");
    snprintf(event->pace, sizeof event->pace, "10/s");
    event->name = strdup("The \"Gala\"\n</script>");
    event->venue = strdup("Hall");
    event->timezone = strdup("Europe/Berlin");
    event->state = LIFECYCLE_OPEN;
    event->opened = true;
    event->starts_at_us = NOW;
    event->max_per_order = 6;
    event->tier_count = 1;
    event->tiers = calloc(1, sizeof *event->tiers);
    snprintf(event->tiers[0].code, sizeof event->tiers[0].code, "floor");
    event->tiers[0].name = strdup("Floor");
    event->tiers[0].capacity = 100;
    event->tiers[0].left = 98;
    event->tiers[0].price_count = 1;
    event->tiers[0].prices = calloc(1, sizeof *event->tiers[0].prices);
    snprintf(event->tiers[0].prices[0].code, sizeof event->tiers[0].prices[0].code, "full");
    event->tiers[0].prices[0].name = strdup("Full");
    event->tiers[0].prices[0].amount = 4500;
    return event;
}

static void test_public_document(void **unused)
{
    (void)unused;
    struct snapshot *event = new_event();
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    struct frames_line line = {
        .served = 3, .last = 9, .has_wait = true, .us_per_place_low = 95000, .us_per_place_high = 1100000};
    frames_public(&text, event, &line, PAYMENT_STRIPE, NOW);
    assert_string_equal(
        text.data, "{\"slug\":\"gala\",\"name\":\"The \\\"Gala\\\"\\n</script>\",\"state\":\"open\","
                   "\"now\":\"2026-11-23T20:20:59.123Z\",\"starts_at\":\"2026-11-23T20:20:59.123Z\",\"opens_at\":null,"
                   "\"timezone\":\"Europe/Berlin\",\"currency\":\"EUR\",\"served\":3,\"line\":9,\"pace\":\"10/s\","
                   "\"seconds_per_place\":[0.095000,1.100000],\"max_per_order\":6,\"tiers\":[{\"code\":\"floor\","
                   "\"name\":\"Floor\",\"prices\":[{\"code\":\"full\",\"name\":\"Full\",\"amount\":4500}],"
                   "\"capacity\":100,\"left\":98,\"asked\":0}],\"notice\":null,\"payment\":\"card\",\"draw\":null}");
    json_t *json CLEANUP(json_cleanup) = NULL;
    assert_int_equal(json_read_object(text.data, text.bytes, 10000, NULL, 0, &json), 0);
    static const char *const words[] = {[PAYMENT_NONE] = "none", [PAYMENT_MANUAL] = "manual"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        json_t *other CLEANUP(json_cleanup) = NULL;
        buffer_clear(&text);
        frames_public(&text, event, &line, (enum payment_provider)i, NOW);
        assert_int_equal(json_read_object(text.data, text.bytes, 10000, NULL, 0, &other), 0);
        assert_string_equal(json_string_value(json_object_get(other, "payment")), words[i]);
    }
    snapshot_unref(event);
}

static void test_own_line(void **unused)
{
    (void)unused;
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    struct line_state state = {.line = LINE_WAITING,
                               .place = 12,
                               .ahead = 4,
                               .has_wait = true,
                               .wait_low_seconds = 1,
                               .wait_high_seconds = 2,
                               .until_us = SNAPSHOT_NO_TIME};
    frames_line(&text, &state, 12, "t.o.k", NOW);
    assert_string_equal(text.data, "{\"token\":\"t.o.k\",\"line\":\"waiting\",\"place\":12,\"ahead\":4,"
                                   "\"wait_seconds\":[1,2],\"now\":\"2026-11-23T20:20:59.123Z\"}");
    buffer_clear(&text);
    state = (struct line_state){.line = LINE_TURN, .place = 12, .until_us = NOW};
    frames_line(&text, &state, 12, NULL, NOW);
    assert_string_equal(text.data, "{\"line\":\"turn\",\"place\":12,\"ahead\":0,\"wait_seconds\":null,"
                                   "\"until\":\"2026-11-23T20:20:59.123Z\",\"now\":\"2026-11-23T20:20:59.123Z\"}");
    buffer_clear(&text);
    state = (struct line_state){.line = LINE_LOBBY, .until_us = SNAPSHOT_NO_TIME};
    frames_line(&text, &state, 5, NULL, NOW);
    assert_string_equal(text.data, "{\"line\":\"lobby\",\"place\":null,\"seat\":5,\"ahead\":null,\"wait_seconds\":null,"
                                   "\"now\":\"2026-11-23T20:20:59.123Z\"}");
}

static void test_shared_frames(void **unused)
{
    (void)unused;
    struct snapshot *event = new_event();
    struct frames_line line = {.served = 3, .last = 9};
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    frames_event(&text, event);
    frames_stock(&text, event);
    frames_notice(&text, event);
    frames_served(&text, event, &line);
    assert_string_equal(text.data,
                        "{\"state\":\"open\"}{\"tiers\":{\"floor\":{\"left\":98,\"asked\":0}}}"
                        "{\"text\":null,\"at\":null}{\"served\":3,\"pace\":\"10/s\",\"seconds_per_place\":null}");
    buffer_clear(&text);
    event->opens_at_us = NOW;
    event->notice = strdup("Doors \"late\"");
    event->notice_at_us = NOW;
    frames_event(&text, event);
    frames_notice(&text, event);
    assert_string_equal(text.data, "{\"state\":\"open\",\"opens_at\":\"2026-11-23T20:20:59.123Z\"}"
                                   "{\"text\":\"Doors \\\"late\\\"\",\"at\":\"2026-11-23T20:20:59.123Z\"}");
    snapshot_unref(event);
}

static void test_sse(void **unused)
{
    (void)unused;
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    frames_sse(&text, "served", 7, "{\"served\":1}");
    assert_string_equal(text.data, "event: served\nid: 7\ndata: {\"served\":1}\n\n");
    buffer_clear(&text);
    frames_sse_retry(&text, 0);
    frames_sse_retry(&text, 2999);
    assert_string_equal(text.data, "retry: 1000\n\nretry: 3999\n\n");
}

static void hear(struct event_view *view, uint64_t served, int64_t us_per_place)
{
    const struct message_served_event news = {.slug = "gala",
                                              .served = served,
                                              .last = served + 5,
                                              .has_wait = us_per_place > 0,
                                              .us_per_place_low = us_per_place,
                                              .us_per_place_high = us_per_place};
    event_view_take_served(view, &news);
}

static void test_served_never_goes_back(void **unused)
{
    (void)unused;
    struct snapshot *event = new_event();
    struct event_view *view = event_view_new(event);
    hear(view, 10, 1000);
    assert_int_equal(view->line.served, 10);
    assert_true(view->served_due);
    view->served_due = false;
    hear(view, 9, 5); // late: says nothing about now
    assert_int_equal(view->line.served, 10);
    assert_int_equal(view->line.us_per_place_low, 1000);
    assert_false(view->served_due);
    hear(view, 10, 1000); // twice: nothing to tell
    assert_false(view->served_due);
    hear(view, 10, 2000); // the pace alone is news
    assert_true(view->served_due);
    assert_int_equal(view->line.last, 15);
    event_view_take_line(view, 4, 3);
    assert_int_equal(view->line.served, 10);
    assert_int_equal(view->line.last, 15);
    event_view_free(view);
    snapshot_unref(event);
}

static void test_frames_are_shared_until_they_change(void **unused)
{
    (void)unused;
    struct snapshot *event = new_event(), *next = new_event(), *older = new_event();
    struct event_view *view = event_view_new(event);
    struct frame *first = event_view_frame(view, FRAME_SERVED), *second = event_view_frame(view, FRAME_SERVED);
    assert_ptr_equal(first, second);
    hear(view, 10, 0);
    struct frame *third = event_view_frame(view, FRAME_SERVED);
    assert_ptr_not_equal(first, third);
    assert_memory_equal(first->data, "event: served\n", 14); // who still sends the old one keeps it
    next->version = 2;
    next->state = LIFECYCLE_PAUSED;
    next->tiers[0].left = 97;
    assert_false(view->stock_due);
    assert_int_equal(event_view_take_snapshot(view, next), FRAME_BIT(FRAME_EVENT));
    assert_true(view->stock_due);
    assert_int_equal(view->line.served, 10); // the row was read before the line moved
    assert_int_equal(event_view_take_snapshot(view, older), 0);
    assert_int_equal(view->event->state, LIFECYCLE_PAUSED);
    frame_unref(first);
    frame_unref(second);
    frame_unref(third);
    event_view_free(view);
    snapshot_unref(event);
    snapshot_unref(next);
    snapshot_unref(older);
}

static void take_stock(struct event_view *view, int64_t at_us, const char *tier, uint64_t left, uint64_t asked)
{
    struct stock_news *news = stock_news_new("gala", at_us, 1);
    assert_non_null(news);
    snprintf(news->tiers[0].code, sizeof news->tiers[0].code, "%s", tier);
    news->tiers[0].left = left;
    news->tiers[0].asked = asked;
    view->stock_due = false;
    event_view_take_stock(view, news);
    news_unref(news);
}

static void test_stock_moves_by_news(void **unused)
{
    (void)unused;
    struct snapshot *event = new_event();
    event->counted_at_us = NOW;
    struct event_view *view = event_view_new(event);
    const struct snapshot_tier *tier = &view->event->tiers[0];
    take_stock(view, NOW, "floor", 1, 1); // not younger than what was read
    assert_int_equal(tier->left, 98);
    assert_false(view->stock_due);
    take_stock(view, NOW + 5, "floor", 90, 7);
    assert_true(view->stock_due);
    assert_int_equal(tier->left, 90);
    assert_int_equal(tier->asked, 7);
    assert_int_equal(event->tiers[0].left, 98); // other loops have the same snapshot
    take_stock(view, NOW + 4, "floor", 91, 8); // late
    assert_false(view->stock_due);
    assert_int_equal(tier->left, 90);
    take_stock(view, NOW + 6, "floor", 90, 7); // nothing new: no frame
    assert_false(view->stock_due);
    take_stock(view, NOW + 7, "cellar", 1, 1);
    assert_false(view->stock_due);
    event_view_free(view);
    snapshot_unref(event);
}

// An event is read again because an operator changed it: the reader has not counted the orders in the line.
static void test_stock_outlives_a_change_of_the_event(void **unused)
{
    (void)unused;
    struct snapshot *event = new_event(), *next = new_event();
    struct event_view *view = event_view_new(event);
    take_stock(view, NOW + 5, "floor", 90, 7);
    next->version = 2;
    next->counted_at_us = NOW + 4; // before the news
    event_view_take_snapshot(view, next);
    assert_int_equal(view->event->tiers[0].left, 90);
    assert_int_equal(view->event->tiers[0].asked, 7);
    next->version = 3;
    next->counted_at_us = NOW + 6;
    next->tiers[0].left = 89;
    event_view_take_snapshot(view, next);
    assert_true(view->stock_due);
    assert_int_equal(view->event->tiers[0].left, 89);
    assert_int_equal(view->event->tiers[0].asked, 7);
    take_stock(view, NOW + 5, "floor", 90, 7); // what was counted before the reading
    assert_int_equal(view->event->tiers[0].left, 89);
    event_view_free(view);
    snapshot_unref(event);
    snapshot_unref(next);
}

static void test_every_notifier_counts_for_itself(void **unused)
{
    (void)unused;
    struct feed_senders senders = {0};
    assert_int_equal(feed_senders_take(&senders, "a", 1), FEED_NEXT);
    assert_int_equal(feed_senders_take(&senders, "b", 1), FEED_NEXT);
    assert_int_equal(feed_senders_take(&senders, "a", 2), FEED_NEXT);
    assert_int_equal(feed_senders_take(&senders, "a", 2), FEED_OLD); // twice
    assert_int_equal(feed_senders_take(&senders, "a", 1), FEED_OLD); // late
    assert_int_equal(feed_senders_take(&senders, "b", 3), FEED_GAP);
    assert_int_equal(feed_senders_take(&senders, "b", 2), FEED_OLD); // too late: it was asked for
    assert_int_equal(feed_senders_take(&senders, "b", 4), FEED_NEXT);
    assert_int_equal(feed_senders_take(&senders, "c", 2), FEED_GAP); // its first was missed
    assert_int_equal(feed_senders_take(&senders, "c", 3), FEED_NEXT);
}

static void test_whoever_was_silent_for_longest_is_forgotten(void **unused)
{
    (void)unused;
    struct feed_senders senders = {0};
    char name[] = "sender-a";
    for (char i = 0; i < FEED_SENDERS_MAX; i++) {
        name[7] = (char)('a' + i);
        assert_int_equal(feed_senders_take(&senders, name, 1), FEED_NEXT);
    }
    assert_int_equal(feed_senders_take(&senders, "sender-a", 2), FEED_NEXT);
    assert_int_equal(feed_senders_take(&senders, "new", 1), FEED_NEXT); // in the place of b
    assert_int_equal(feed_senders_take(&senders, "sender-a", 3), FEED_NEXT);
    assert_int_equal(feed_senders_take(&senders, "sender-c", 2), FEED_NEXT);
    assert_int_equal(feed_senders_take(&senders, "sender-b", 2), FEED_GAP); // costs a look-up, and nothing else
    assert_int_equal(senders.count, FEED_SENDERS_MAX);
}

static void test_order_of_the_feed(void **unused)
{
    (void)unused;
    struct feed_sequence sequence = {0};
    assert_int_equal(feed_sequence_take(&sequence, 3, 812), FEED_NEXT); // the first that is heard
    assert_int_equal(feed_sequence_take(&sequence, 3, 813), FEED_NEXT);
    assert_int_equal(feed_sequence_take(&sequence, 3, 813), FEED_OLD); // twice
    assert_int_equal(feed_sequence_take(&sequence, 3, 812), FEED_OLD); // late
    assert_int_equal(feed_sequence_take(&sequence, 3, 815), FEED_GAP);
    assert_int_equal(feed_sequence_take(&sequence, 2, 900), FEED_OLD); // a leader that was replaced
    assert_int_equal(feed_sequence_take(&sequence, 4, 1), FEED_NEXT);
    assert_int_equal(feed_sequence_take(&sequence, 5, 2), FEED_GAP); // its first was missed
    assert_int_equal(feed_sequence_take(&sequence, 5, 3), FEED_NEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_public_document),
        cmocka_unit_test(test_own_line),
        cmocka_unit_test(test_shared_frames),
        cmocka_unit_test(test_sse),
        cmocka_unit_test(test_served_never_goes_back),
        cmocka_unit_test(test_frames_are_shared_until_they_change),
        cmocka_unit_test(test_order_of_the_feed),
        cmocka_unit_test(test_stock_moves_by_news),
        cmocka_unit_test(test_stock_outlives_a_change_of_the_event),
        cmocka_unit_test(test_every_notifier_counts_for_itself),
        cmocka_unit_test(test_whoever_was_silent_for_longest_is_forgotten),
    };
    return cmocka_run_group_tests_name("frames", tests, NULL, NULL);
}
