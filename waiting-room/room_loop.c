// SPDX-License-Identifier: Apache-2.0
// One loop: takes what the threads tell it, and paces what it tells its streams.
#include "waiting-room/room_loop.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "waiting-room/keys.h"
#include "waiting-room/standby.h"
#include "waiting-room/stream.h"
#include "waiting-room/visitor.h"

#define TICK_MS 50
#define TICKS_TEND 5 // four times a second
#define TICKS_SECOND 20
#define TICKS_KEYS 600 // half a minute
#define STOOD_STILL_NS INT64_C(2000000000) // longer than the feed is ever silent
#define SHARED_EVERY_NS INT64_C(250000000)
#define READ_LATELY_NS INT64_C(10000000000)

int64_t room_loop_now_us(const struct room_loop *loop)
{
    return line_store_now_us(loop->room->store);
}

bool room_loop_is_behind(const struct room_loop *loop)
{
    int64_t now_ns = clock_monotonic_ns();
    // What lay in the sockets meanwhile is read before the timer runs.
    return now_ns - loop->ticked_ns > STOOD_STILL_NS || now_ns < loop->behind_until_ns;
}

struct event_view *room_loop_view(const struct room_loop *loop, const char *slug)
{
    struct event_view *view = loop->views;
    while (view && strcmp(view->event->slug, slug) != 0)
        view = view->next;
    return view;
}

static bool is_due(bool *due, int64_t *next_ns, int64_t now_ns)
{
    if (!*due || now_ns < *next_ns)
        return false;
    *due = false;
    *next_ns = now_ns + SHARED_EVERY_NS;
    return true;
}

// Tells streams that the line or the stock moved, each at most four times a second; what comes sooner waits for the timer.
static void tell_moved(struct room_loop *loop, struct event_view *view)
{
    int64_t now_ns = clock_monotonic_ns();
    unsigned bits = is_due(&view->served_due, &view->next_served_ns, now_ns) ? FRAME_BIT(FRAME_SERVED) : 0;
    if (is_due(&view->stock_due, &view->next_stock_ns, now_ns))
        bits |= FRAME_BIT(FRAME_STOCK);
    if (bits)
        stream_tell_view(loop, view, bits);
}

void room_loop_note_read(struct event_view *view)
{
    view->read_ns = clock_monotonic_ns();
}

static bool wants_stock(const struct event_view *view)
{
    enum lifecycle_state state = view->event->state;
    if (state == LIFECYCLE_DRAFT || state == LIFECYCLE_CLOSED || view->event->tier_count == 0)
        return false;
    return view->stream_count > 0 || (view->read_ns && clock_monotonic_ns() - view->read_ns < READ_LATELY_NS);
}

static void on_timer(uv_timer_t *timer)
{
    struct room_loop *loop = timer->data;
    int64_t now_ns = clock_monotonic_ns();
    if (now_ns - loop->ticked_ns > STOOD_STILL_NS)
        loop->behind_until_ns = now_ns + STOOD_STILL_NS;
    loop->ticked_ns = now_ns;
    loop->ticks++;
    bool counts_stock = loop->ticks % TICKS_SECOND == 0 && line_store_counts_stock(loop->room->store);
    for (struct event_view *view = loop->views; view; view = view->next) {
        tell_moved(loop, view);
        standby_tend(loop, view);
        if (loop->ticks % TICKS_TEND == 0 && view->stream_count > 0)
            stream_tend(loop, view);
        if (loop->ticks % TICKS_SECOND == 0)
            line_store_report_present(loop->room->store, http_loop_index(loop->http), view->event->id, view->present);
        if (counts_stock && wants_stock(view))
            line_store_want_stock(loop->room->store, view->event->id);
    }
    if (http_loop_index(loop->http) == 0 && loop->ticks % TICKS_KEYS == 0)
        room_load_keys(loop->room);
}

void *room_loop_start(struct http_loop *http)
{
    struct room *room = http_loop_context(http);
    struct room_loop *loop = calloc(1, sizeof *loop);
    if (!loop) {
        log_error("out_of_memory", LOG_S("what", "loop"));
        abort();
    }
    loop->room = room;
    loop->http = http;
    loops_enter(&room->loops, http);
    // From here on news are posted; what there was before is taken once.
    pthread_mutex_lock(&room->lock);
    if (room->keys)
        loop->keyring = room->keys->keyring;
    loop->page = room->page;
    page_files_hold(loop->page);
    loop->tickets = room->tickets;
    if (loop->tickets)
        ticket_keys_hold(loop->tickets);
    pthread_mutex_unlock(&room->lock);
    line_store_tell_again(room->store);
    uv_timer_init(http_loop_uv(http), &loop->timer);
    loop->timer.data = loop;
    loop->ticked_ns = clock_monotonic_ns();
    uv_timer_start(&loop->timer, on_timer, TICK_MS, TICK_MS);
    return loop;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct room_loop *loop = handle->data;
    explicit_bzero(&loop->keyring, sizeof loop->keyring);
    free(loop);
}

void room_loop_stop(struct http_loop *http, void *data)
{
    struct room_loop *loop = data;
    loops_leave(&loop->room->loops, http);
    while (loop->views) {
        struct event_view *view = loop->views;
        loop->views = view->next;
        event_view_free(view);
    }
    page_files_unref(loop->page);
    ticket_keys_unref(loop->tickets);
    uv_close((uv_handle_t *)&loop->timer, on_timer_closed);
}

void room_loop_on_snapshot(struct http_loop *http, void *argument)
{
    struct room_loop *loop = http_loop_data(http);
    struct snapshot *event = argument;
    struct event_view *view = room_loop_view(loop, event->slug);
    if (view) {
        unsigned changed = event_view_take_snapshot(view, event);
        stream_tell_view(loop, view, changed);
        tell_moved(loop, view);
    } else if ((view = event_view_new(event))) {
        view->next = loop->views;
        loop->views = view;
    }
    snapshot_unref(event);
}

void room_loop_on_served(struct http_loop *http, void *argument)
{
    struct room_loop *loop = http_loop_data(http);
    struct served_news *news = argument;
    for (size_t i = 0; i < news->count; i++) {
        struct event_view *view = room_loop_view(loop, news->events[i].slug);
        if (!view)
            continue;
        event_view_take_served(view, &news->events[i]);
        tell_moved(loop, view);
    }
    news_unref(news);
}

void room_loop_on_left(struct http_loop *http, void *argument)
{
    struct room_loop *loop = http_loop_data(http);
    struct left_news *news = argument;
    struct event_view *view = room_loop_view(loop, news->slug);
    for (struct visitor *visitor = view ? visitor_find(view, news->number) : NULL; visitor; visitor = visitor->next) {
        if (visitor->facts.number != news->number)
            continue;
        visitor->facts.left = true;
        stream_tell_visitor(loop, visitor);
    }
    news_unref(news);
}

// Who has a stream here is looked up; the others will be when they come.
void room_loop_on_ordered(struct http_loop *http, void *argument)
{
    struct room_loop *loop = http_loop_data(http);
    struct ordered_news *news = argument;
    struct event_view *view = room_loop_view(loop, news->slug);
    bool known_here = news->by_loop && pthread_equal(news->loop_thread, pthread_self());
    for (size_t i = 0; view && !known_here && i < news->count; i++) {
        for (struct visitor *visitor = visitor_find(view, news->numbers[i]); visitor; visitor = visitor->next)
            if (visitor->facts.number == news->numbers[i])
                stream_ask_visitor(loop, visitor);
    }
    news_unref(news);
}

static void take_outcome(struct room_loop *loop, struct visitor *visitor, const struct outcome *outcome,
                         const char *currency)
{
    if (visitor->order && !order_facts_is_news(visitor->order, outcome->attempt, outcome->revision))
        return;
    struct order_facts *facts = NULL;
    if (visitor->order_known && visitor->order && visitor->order->attempt == outcome->attempt)
        facts = order_facts_after(visitor->order, outcome, currency);
    if (facts) {
        visitor_take_order(visitor, facts);
        order_facts_unref(facts);
        stream_tell_visitor(loop, visitor);
    } else {
        stream_ask_visitor(loop, visitor); // of an order that nobody here has heard of
    }
}

void room_loop_on_outcomes(struct http_loop *http, void *argument)
{
    struct room_loop *loop = http_loop_data(http);
    struct outcomes_news *news = argument;
    const struct outcomes *outcomes = &news->outcomes;
    struct event_view *view = room_loop_view(loop, outcomes->slug);
    for (size_t i = 0; view && i < outcomes->count; i++) {
        const struct outcome *outcome = &outcomes->items[i];
        view->standby_due |= outcome->state == ORDER_STANDBY; // it does not say how many are before
        for (struct visitor *visitor = visitor_find(view, outcome->place); visitor; visitor = visitor->next)
            if (visitor->facts.number == outcome->place &&
                memcmp(visitor->id, outcome->visitor, sizeof visitor->id) == 0)
                take_outcome(loop, visitor, outcome, outcomes->currency);
    }
    if (view)
        standby_tend(loop, view);
    news_unref(news);
}

// News were missed: nothing that is known of orders is sure, and with `lines` nothing of arrivals either.
static void doubt(struct room_loop *loop, bool lines)
{
    for (struct event_view *view = loop->views; view; view = view->next) {
        for (size_t i = 0; i < view->bucket_count; i++) {
            for (struct visitor *visitor = view->visitors[i]; visitor; visitor = visitor->next) {
                visitor_doubt_order(visitor);
                visitor->known = visitor->known && !lines;
            }
        }
        stream_ask_again(loop, view);
    }
}

void room_loop_on_outcomes_missed(struct http_loop *http, void *unused)
{
    (void)unused;
    doubt(http_loop_data(http), false);
}

void room_loop_on_stock(struct http_loop *http, void *argument)
{
    struct room_loop *loop = http_loop_data(http);
    struct stock_news *news = argument;
    struct event_view *view = room_loop_view(loop, news->slug);
    if (view) {
        event_view_take_stock(view, news);
        tell_moved(loop, view);
        standby_tend(loop, view);
    }
    news_unref(news);
}

void room_loop_on_ready(struct http_loop *http, void *unused)
{
    (void)unused;
    ((struct room_loop *)http_loop_data(http))->loaded = true;
}

void room_loop_on_feed_back(struct http_loop *http, void *unused)
{
    (void)unused;
    doubt(http_loop_data(http), true);
}

void room_loop_on_keyring(struct http_loop *http, void *argument)
{
    struct room_loop *loop = http_loop_data(http);
    struct keys *keys = argument;
    loop->keyring = keys->keyring;
    keys_unref(keys);
}

void room_loop_on_tickets(struct http_loop *http, void *argument)
{
    struct room_loop *loop = http_loop_data(http);
    ticket_keys_unref(loop->tickets);
    loop->tickets = argument;
}

void room_loop_on_page(struct http_loop *http, void *argument)
{
    struct room_loop *loop = http_loop_data(http);
    page_files_unref(loop->page);
    loop->page = argument;
}
