// SPDX-License-Identifier: Apache-2.0
// What is due on a stream, and writing it out frame by frame.
#include "waiting-room/stream.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/random.h"
#include "waiting-room/owner.h"

#define COMMENT_AFTER_NS INT64_C(15000000000)
#define ASK_AGAIN_AFTER_NS INT64_C(1000000000)
#define NEVER_TOLD -1

// In the order in which they go out: that of the snapshot at the beginning.
enum due {
    DUE_RETRY = 1 << 0,
    DUE_EVENT = 1 << 1,
    DUE_LINE = 1 << 2,
    DUE_ORDER = 1 << 3,
    DUE_STOCK = 1 << 4,
    DUE_NOTICE = 1 << 5,
    DUE_SERVED = 1 << 6,
    DUE_COMMENT = 1 << 7,
};

struct stream {
    struct owner owner; // first
    struct http_exchange *exchange;
    struct room_loop *loop;
    struct visitor *visitor;
    struct stream *previous, *next; // of the view
    struct stream *visitor_next; // of the visitor
    struct frame *current; // being sent
    size_t sent_bytes; // of it
    unsigned due;
    int told_line; // NEVER_TOLD, or the enum line that the visitor was told last
    int64_t told_until_us;
    uint32_t told_attempt, told_revision; // of the order, as it was told last; attempt 0: never
    int64_t told_ahead, told_pay_until_us; // the same; these move without a new revision
    int64_t last_sent_ns;
};

static struct metric streams_open = METRIC_GAUGE("onsale_streams", "Open streams.");
static struct metric frames_sent = METRIC_COUNTER("onsale_frames_total", "Frames put on streams.");

void stream_register_metrics(void)
{
    metrics_register(&streams_open);
    metrics_register(&frames_sent);
}

static void log_step(const char *step, const struct visitor *visitor)
{
    log_info(step, LOG_S("slug", visitor->view->event->slug), LOG_U("place", visitor->facts.number));
}

// The look-up that tells when a turn began, what became of an order, or of all of it after the feed was away.
struct ask {
    struct line_store_request request; // first
    struct room_loop *loop;
    struct visitor *visitor;
    uint32_t order_doubts; // the visitor's, when MySQL was asked
};

static void drop_ask(struct line_store_request *request)
{
    order_facts_unref(request->order);
    free(request);
}

static void ask_about(struct room_loop *loop, struct visitor *visitor);

static void on_asked(struct line_store_request *request)
{
    struct ask *ask = (struct ask *)request;
    struct visitor *visitor = ask->visitor;
    visitor->asking = false;
    if (request->error == 0) {
        event_view_take_line(visitor->view, request->served, request->last);
        visitor_take_facts(visitor, &request->facts);
        if (request->has_order_answer)
            visitor_take_order_read(visitor, request->order, ask->order_doubts);
        if (visitor->order_doubts != ask->order_doubts && visitor->streams)
            ask_about(ask->loop, visitor);
        stream_tell_visitor(ask->loop, visitor);
    }
    order_facts_unref(request->order);
    visitor_unref(visitor);
    free(ask);
}

static void ask_about(struct room_loop *loop, struct visitor *visitor)
{
    struct ask *ask = calloc(1, sizeof *ask);
    if (!ask)
        return;
    ask->loop = loop;
    ask->visitor = visitor;
    ask->order_doubts = visitor->order_doubts;
    ask->request = (struct line_store_request){.kind = LINE_STORE_LET_IN,
                                               .loop = loop->http,
                                               .answered = on_asked,
                                               .dropped = drop_ask,
                                               .event_id = visitor->view->event->id,
                                               .number = visitor->facts.number};
    memcpy(ask->request.visitor, visitor->id, sizeof visitor->id);
    visitor->ask_again_ns = clock_monotonic_ns() + ASK_AGAIN_AFTER_NS;
    if (line_store_ask(loop->room->store, &ask->request) < 0) {
        free(ask);
        return;
    }
    visitor->asking = true;
    visitor_ref(visitor);
}

// Marks the personal frame as due when the visitor's state is not what was told last. While the event's clock stands still the
// end of a turn moves on with every look: that alone is no news.
static void check_line(struct stream *stream, const struct line_state *state, bool stopped)
{
    if (state->turn_unknown && stream->told_line != NEVER_TOLD)
        return; // the answer comes in a moment, with the time
    if (stream->told_line != (int)state->line || (state->until_us != stream->told_until_us && !stopped))
        stream->due |= DUE_LINE;
}

static bool is_told(const struct stream *stream, const struct order_facts *order)
{
    return order->attempt < stream->told_attempt ||
           (order->attempt == stream->told_attempt && order->revision <= stream->told_revision);
}

// Whether the order that was told last has moved since: others in standby were served, or the event's clock went on after a stop. While it
// stands still the end of a hold moves on with every look: that alone is no news.
static bool has_moved(const struct stream *stream, const struct order_facts *order, const struct line_event *rules,
                      int64_t now_us)
{
    if (order->attempt != stream->told_attempt || order->revision != stream->told_revision)
        return false;
    int64_t pay_until_us = order_facts_pay_until_us(order, line_stopped_us(rules, now_us));
    return (order->ahead >= 0 && order->ahead != stream->told_ahead) ||
           (pay_until_us != stream->told_pay_until_us && rules->state != LIFECYCLE_STOPPED);
}

static void check_order(struct stream *stream, const struct line_event *rules, int64_t now_us)
{
    const struct order_facts *order = stream->visitor->order;
    if (order && (!is_told(stream, order) || has_moved(stream, order, rules, now_us)))
        stream->due |= DUE_ORDER;
}

// Whether something must be looked up before the visitor's streams can be right.
static bool must_ask(const struct visitor *visitor, const struct line_state *state)
{
    return state->turn_unknown || !visitor->order_known;
}

static void check_visitor(struct room_loop *loop, struct visitor *visitor, const struct line_event *rules,
                          int64_t now_us)
{
    struct line_state state;
    line_state_of(rules, &visitor->facts, now_us, &state);
    if (must_ask(visitor, &state) && !visitor->asking && clock_monotonic_ns() >= visitor->ask_again_ns)
        ask_about(loop, visitor);
    for (struct stream *stream = visitor->streams; stream; stream = stream->visitor_next) {
        check_line(stream, &state, rules->state == LIFECYCLE_STOPPED);
        check_order(stream, rules, now_us);
    }
}

void stream_tell_visitor(struct room_loop *loop, struct visitor *visitor)
{
    struct line_event rules;
    event_view_rules(visitor->view, &rules);
    check_visitor(loop, visitor, &rules, room_loop_now_us(loop));
    for (struct stream *stream = visitor->streams; stream; stream = stream->visitor_next)
        if (stream->due)
            http_wake(stream->exchange);
}

static unsigned due_of_frames(unsigned frame_bits)
{
    return (frame_bits & FRAME_BIT(FRAME_EVENT) ? DUE_EVENT : 0u) |
           (frame_bits & FRAME_BIT(FRAME_STOCK) ? DUE_STOCK : 0u) |
           (frame_bits & FRAME_BIT(FRAME_NOTICE) ? DUE_NOTICE : 0u) |
           (frame_bits & FRAME_BIT(FRAME_SERVED) ? DUE_SERVED : 0u);
}

void stream_tell_view(struct room_loop *loop, struct event_view *view, unsigned frame_bits)
{
    struct line_event rules;
    event_view_rules(view, &rules);
    int64_t now_us = room_loop_now_us(loop);
    unsigned due = due_of_frames(frame_bits);
    for (struct stream *stream = view->streams; stream; stream = stream->next) {
        stream->due |= due;
        if (stream->visitor->streams == stream) // once for each visitor
            check_visitor(loop, stream->visitor, &rules, now_us);
    }
    for (struct stream *stream = view->streams; stream; stream = stream->next)
        if (stream->due)
            http_wake(stream->exchange);
}

void stream_ask_again(struct room_loop *loop, struct event_view *view)
{
    for (struct stream *stream = view->streams; stream; stream = stream->next)
        if (stream->visitor->streams == stream)
            stream_ask_visitor(loop, stream->visitor);
}

void stream_ask_visitor(struct room_loop *loop, struct visitor *visitor)
{
    visitor_doubt_order(visitor);
    if (visitor->streams && !visitor->asking)
        ask_about(loop, visitor);
}

void stream_tend(struct room_loop *loop, struct event_view *view)
{
    int64_t now_ns = clock_monotonic_ns();
    bool draining = http_loop_draining(loop->http);
    for (struct stream *stream = view->streams; stream; stream = stream->next) {
        if (now_ns - stream->last_sent_ns >= COMMENT_AFTER_NS)
            stream->due |= DUE_COMMENT;
        if (draining)
            http_wake(stream->exchange);
    }
    stream_tell_view(loop, view, 0);
}

static void note_told(struct stream *stream, const struct line_state *state)
{
    if (stream->told_line != NEVER_TOLD && stream->told_line != (int)state->line) {
        if (state->line == LINE_TURN)
            log_step("turn_began", stream->visitor);
        else if (state->line == LINE_OVER)
            log_step("turn_over", stream->visitor);
    }
    stream->told_line = (int)state->line;
    stream->told_until_us = state->until_us;
}

static struct frame *build_line(struct stream *stream)
{
    struct buffer json CLEANUP(buffer_done) = BUFFER_INIT, text CLEANUP(buffer_done) = BUFFER_INIT;
    int64_t now_us = room_loop_now_us(stream->loop);
    struct line_state state;
    visitor_state(stream->visitor, now_us, &state);
    frames_line(&json, &state, stream->visitor->facts.number, NULL, now_us);
    if (json.failed)
        return NULL;
    frames_sse(&text, "line", ++stream->visitor->view->frame_id, json.data);
    note_told(stream, &state);
    return frame_new(&text);
}

// The next thing to tell of the visitor's orders: an end that was replaced before this stream heard of it, else the newest.
static const struct order_facts *next_order(const struct stream *stream)
{
    const struct visitor *visitor = stream->visitor;
    for (size_t i = 0; i < visitor->ended_count; i++)
        if (!is_told(stream, visitor->ended[i]))
            return visitor->ended[i];
    return visitor->order;
}

static void note_order_told(struct stream *stream, const struct order_facts *order, int64_t stopped_us)
{
    const struct visitor *visitor = stream->visitor;
    // After opening, mostly; and what only moved: no step of the visitor's way.
    bool is_step = stream->told_attempt != 0 && !is_told(stream, order);
    stream->told_attempt = order->attempt;
    stream->told_revision = order->revision;
    stream->told_ahead = order->ahead;
    stream->told_pay_until_us = order_facts_pay_until_us(order, stopped_us);
    if (!is_step)
        return;
    log_info("order_told", LOG_S("slug", visitor->view->event->slug), LOG_U("place", visitor->facts.number),
             LOG_U("attempt", order->attempt), LOG_U("revision", order->revision),
             LOG_S("state", order_state_name(order->state)));
}

static struct frame *build_order(struct stream *stream)
{
    struct buffer json CLEANUP(buffer_done) = BUFFER_INIT, text CLEANUP(buffer_done) = BUFFER_INIT;
    const struct order_facts *order = next_order(stream);
    struct line_event rules;
    event_view_rules(stream->visitor->view, &rules);
    int64_t now_us = room_loop_now_us(stream->loop), stopped_us = line_stopped_us(&rules, now_us);
    if (!order || (is_told(stream, order) && !has_moved(stream, order, &rules, now_us)))
        return NULL;
    order_facts_write(&json, order, stopped_us, now_us);
    if (json.failed)
        return NULL;
    frames_sse(&text, "order", ++stream->visitor->view->frame_id, json.data);
    note_order_told(stream, order, stopped_us);
    check_order(stream, &rules, now_us);
    return frame_new(&text);
}

static struct frame *build_text(const char *line)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    if (line)
        buffer_text(&text, line);
    else
        frames_sse_retry(&text, random_u64());
    return frame_new(&text);
}

// The next frame that is due, with a reference for the caller; NULL when nothing is.
static struct frame *next_frame(struct stream *stream)
{
    struct event_view *view = stream->visitor->view;
    while (stream->due) {
        unsigned bit = stream->due & -stream->due;
        stream->due &= ~bit;
        struct frame *frame = NULL;
        switch (bit) {
        case DUE_RETRY:
            frame = build_text(NULL);
            break;
        case DUE_EVENT:
            frame = event_view_frame(view, FRAME_EVENT);
            break;
        case DUE_LINE:
            frame = build_line(stream);
            break;
        case DUE_ORDER:
            frame = build_order(stream);
            break;
        case DUE_STOCK:
            frame = event_view_frame(view, FRAME_STOCK);
            break;
        case DUE_NOTICE:
            frame = event_view_frame(view, FRAME_NOTICE);
            break;
        case DUE_SERVED:
            frame = event_view_frame(view, FRAME_SERVED);
            break;
        default:
            frame = build_text(":\n\n");
            break;
        }
        if (frame)
            return frame;
    }
    return NULL;
}

static ptrdiff_t read_stream(struct http_exchange *exchange, char *data, size_t size)
{
    struct stream *stream = http_data(exchange);
    size_t filled = 0;
    while (filled < size) {
        if (!stream->current) {
            if (http_loop_draining(stream->loop->http))
                return filled ? (ptrdiff_t)filled : HTTP_STREAM_END;
            stream->current = next_frame(stream);
            stream->sent_bytes = 0;
            if (!stream->current)
                break;
            metric_add(&frames_sent, 1);
        }
        size_t left = stream->current->bytes - stream->sent_bytes;
        size_t bytes = left < size - filled ? left : size - filled;
        memcpy(data + filled, stream->current->data + stream->sent_bytes, bytes);
        filled += bytes;
        stream->sent_bytes += bytes;
        if (stream->sent_bytes == stream->current->bytes) {
            frame_unref(stream->current);
            stream->current = NULL;
        }
    }
    if (filled)
        stream->last_sent_ns = clock_monotonic_ns();
    return (ptrdiff_t)filled;
}

static void link_stream(struct stream *stream)
{
    struct visitor *visitor = stream->visitor;
    struct event_view *view = visitor->view;
    stream->next = view->streams;
    if (stream->next)
        stream->next->previous = stream;
    view->streams = stream;
    view->stream_count++;
    if (!visitor->streams)
        view->present++;
    stream->visitor_next = visitor->streams;
    visitor->streams = stream;
    metric_add(&streams_open, 1);
}

static void on_closed(struct owner *owner)
{
    struct stream *stream = (struct stream *)owner;
    struct visitor *visitor = stream->visitor;
    struct event_view *view = visitor->view;
    *(stream->previous ? &stream->previous->next : &view->streams) = stream->next;
    if (stream->next)
        stream->next->previous = stream->previous;
    view->stream_count--;
    struct stream **link = &visitor->streams;
    while (*link != stream)
        link = &(*link)->visitor_next;
    *link = stream->visitor_next;
    if (!visitor->streams)
        view->present--;
    metric_add(&streams_open, -1);
    log_debug("stream_closed", LOG_S("slug", view->event->slug), LOG_U("place", visitor->facts.number));
    frame_unref(stream->current);
    visitor_unref(visitor);
    free(stream);
}

// What ended before the stream was there is no news on it.
static void skip_ended(struct stream *stream)
{
    const struct visitor *visitor = stream->visitor;
    if (visitor->ended_count == 0)
        return;
    stream->told_attempt = visitor->ended[visitor->ended_count - 1]->attempt;
    stream->told_revision = visitor->ended[visitor->ended_count - 1]->revision;
}

void stream_open(struct http_exchange *exchange, struct visitor *visitor, const char *set_cookie)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream) {
        http_respond(exchange, 503, NULL, 0, NULL, 0);
        return;
    }
    *stream = (struct stream){.owner = {on_closed},
                              .exchange = exchange,
                              .loop = http_loop_data(http_exchange_loop(exchange)),
                              .visitor = visitor_ref(visitor),
                              .due = DUE_RETRY | DUE_EVENT | DUE_LINE | DUE_STOCK | DUE_SERVED,
                              .told_line = NEVER_TOLD,
                              .told_until_us = SNAPSHOT_NO_TIME,
                              .last_sent_ns = clock_monotonic_ns()};
    if (visitor->view->event->notice)
        stream->due |= DUE_NOTICE;
    skip_ended(stream);
    struct line_event rules;
    event_view_rules(visitor->view, &rules);
    check_order(stream, &rules, room_loop_now_us(stream->loop));
    link_stream(stream);
    http_set_data(exchange, stream);
    log_debug("stream_opened", LOG_S("slug", visitor->view->event->slug), LOG_U("place", visitor->facts.number));
    struct http_header headers[5] = {{"content-type", "text/event-stream"},
                                     {"cache-control", "no-store"},
                                     {"x-content-type-options", "nosniff"},
                                     {"x-accel-buffering", "no"}};
    size_t count = 4;
    if (set_cookie)
        headers[count++] = (struct http_header){"set-cookie", set_cookie};
    http_stream(exchange, 200, headers, count, read_stream);
}
