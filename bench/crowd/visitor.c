// SPDX-License-Identifier: Apache-2.0
// The way of a visitor. Each step is one request; its end decides on the next.
#include "bench/crowd/visitor.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#define BODY_BYTES_MAX 16384
#define TOKEN_BYTES_MAX 1500
#define RETRY_AFTER_SECONDS_MAX 300
#define ROLE_MS_MIN 200 // how long somebody follows before leaving or dropping the stream
#define ROLE_MS_MORE 2800
#define ROLE_AGAIN_MS 100
#define AWAY_MS_MIN 100
#define AWAY_MS_MORE 900

static void act(struct visitor *visitor);

static void on_timer(uv_timer_t *timer)
{
    act(timer->data);
}

static void act_later(struct visitor *visitor, int64_t ms)
{
    (void)uv_timer_start(&visitor->timer, on_timer, (uint64_t)ms, 0);
}

static const char *step_name(enum visitor_step step)
{
    static const char *const names[] = {
        [VISITOR_JOINS] = "join",       [VISITOR_REJOINS] = "rejoin",   [VISITOR_FOLLOWS] = "stream",
        [VISITOR_IS_LEAVING] = "leave", [VISITOR_FOLLOWS_UP] = "order", [VISITOR_IS_DONE] = "done",
    };
    return names[step];
}

static void told_simply(struct visitor *visitor, enum told_kind kind, const char *data)
{
    struct told told = {.kind = kind, .visitor = visitor->number};
    stage_told(visitor->stage, &told, data);
}

static void finish(struct visitor *visitor)
{
    if (visitor->step == VISITOR_JOINS)
        visitor->stage->answered++;
    visitor->step = VISITOR_IS_DONE;
    visitor->stage->done++;
    (void)uv_timer_stop(&visitor->timer);
    buffer_done(&visitor->body);
    sse_done(&visitor->sse);
    sse_init(&visitor->sse);
    order_stop(&visitor->order);
}

static void drop_stream(struct visitor *visitor)
{
    if (visitor->streaming)
        visitor->stage->streams--;
    visitor->streaming = false;
    exchange_cancel(&visitor->exchange);
    sse_done(&visitor->sse);
    sse_init(&visitor->sse);
}

void visitor_fail(struct visitor *visitor, const char *during, int status, const char *what)
{
    struct stage *stage = visitor->stage;
    struct told told = {.kind = TOLD_FAILED, .visitor = visitor->number, .status = status};
    char data[100];
    (void)snprintf(data, sizeof data, "{\"during\":\"%s\",\"status\":%d}", during, status);
    (void)snprintf(stage->problem, sizeof stage->problem, "%s: %s (status %d)", during, what, status);
    stage_told(stage, &told, data);
    drop_stream(visitor);
    finish(visitor);
}

static void fail(struct visitor *visitor, const char *what)
{
    visitor_fail(visitor, step_name(visitor->step), visitor->exchange.status, what);
}

static void close_stream(struct visitor *visitor)
{
    told_simply(visitor, TOLD_CLOSED, NULL);
    drop_stream(visitor);
}

static void leave(struct visitor *visitor)
{
    close_stream(visitor);
    order_rest(&visitor->order);
    visitor->step = VISITOR_IS_LEAVING;
    visitor->link++;
    act_later(visitor, 0);
}

static void go_away(struct visitor *visitor)
{
    close_stream(visitor);
    visitor->came_back = true;
    visitor->step = VISITOR_REJOINS;
    visitor->link++; // which may be another waiting room's
    act_later(visitor, AWAY_MS_MIN + (int64_t)stage_random(visitor->stage, AWAY_MS_MORE));
}

static void on_role_timer(uv_timer_t *timer)
{
    struct visitor *visitor = timer->data;
    if (visitor->role != VISITOR_LEAVES)
        go_away(visitor);
    else if (order_is_asking(&visitor->order)) // one thing at a time
        (void)uv_timer_start(&visitor->timer, on_role_timer, ROLE_AGAIN_MS, 0);
    else
        leave(visitor);
}

static bool has_role_to_play(const struct visitor *visitor)
{
    return visitor->role == VISITOR_LEAVES || (visitor->role == VISITOR_RECONNECTS && !visitor->came_back);
}

// Nothing more is to come on the stream that the visitor waits for.
static bool is_through(const struct visitor *visitor)
{
    if (visitor->order.step != ORDER_SETTLED)
        return false;
    // Who is let in waits for `served` too, which comes in the same breath, so that the record holds both.
    return visitor->over || (visitor->let_in ? visitor->served >= visitor->place : visitor->at_end);
}

// Whether the stream is to go on.
static bool decide(struct visitor *visitor)
{
    if (visitor->step != VISITOR_FOLLOWS)
        return false;
    if (visitor->let_in && has_role_to_play(visitor)) {
        // The line was faster than the visitor: then it is done in the turn.
        on_role_timer(&visitor->timer);
        return visitor->step == VISITOR_FOLLOWS;
    }
    if (!is_through(visitor))
        return true;
    close_stream(visitor);
    finish(visitor);
    return false;
}

void visitor_order_settled(struct visitor *visitor)
{
    if (visitor->step == VISITOR_FOLLOWS_UP)
        finish(visitor);
    else if (visitor->streaming && !visitor->in_frame)
        (void)decide(visitor);
}

static void note_let_in(struct visitor *visitor, const struct told *told)
{
    struct stage *stage = visitor->stage;
    visitor->let_in = true;
    // Later than the first visitor who could tell. Who was away then, or reads slowly, is no measure of the waiting room.
    int64_t passed_us = check_passed_at_us(stage->check, visitor->place);
    if (visitor->streaming && visitor->role != VISITOR_READS_SLOWLY && passed_us >= visitor->streamed_us)
        latency_note(&stage->let_in, told->at_us - passed_us);
}

static void take_line(struct visitor *visitor, const struct told *told)
{
    if (told->place)
        visitor->place = told->place;
    if (told->line == TOLD_TURN && !visitor->let_in)
        note_let_in(visitor, told);
    if (told->line == TOLD_TURN)
        order_let_in(&visitor->order);
    visitor->over = visitor->over || told->line == TOLD_OVER || told->line == TOLD_HAS_LEFT;
    if (visitor->over)
        order_too_late(&visitor->order);
}

// The first frame of a stream.
static void begin_stream(struct visitor *visitor)
{
    struct stage *stage = visitor->stage;
    visitor->streaming = true;
    stage->streams++;
    visitor->streamed_us = stage_now_us(stage);
    latency_note(&stage->first_frame, visitor->streamed_us - visitor->step_us);
    backoff_reset(&visitor->backoff);
    if (has_role_to_play(visitor))
        (void)uv_timer_start(&visitor->timer, on_role_timer, ROLE_MS_MIN + stage_random(stage, ROLE_MS_MORE), 0);
    order_begin(&visitor->order);
}

static void take_frame(struct visitor *visitor, const struct told *told)
{
    visitor->in_frame = true;
    if (told->kind == TOLD_LINE) {
        take_line(visitor, told);
    } else if (told->kind == TOLD_SERVED) {
        visitor->served = told->served;
    } else if (told->kind == TOLD_ORDER) {
        order_heard(&visitor->order, &told->order, told->at_us);
    } else if (told->kind == TOLD_EVENT) {
        visitor->at_end = told->at_end;
        if (told->at_end)
            order_too_late(&visitor->order);
    }
    visitor->in_frame = false;
}

static bool on_frame(void *owner, const char *event, const char *text, size_t bytes)
{
    struct visitor *visitor = owner;
    struct stage *stage = visitor->stage;
    struct told told;
    char problem[120];
    enum told_kind kind = told_kind_of_frame(event);
    json_t *data CLEANUP(json_cleanup) = NULL;
    if (json_read_object(text, bytes, SSE_LINE_BYTES_MAX, problem, sizeof problem, &data) != 0 ||
        told_read_data(kind, data, &told, problem, sizeof problem) != 0) {
        drop_stream(visitor);
        fail(visitor, problem);
        return false;
    }
    told.visitor = visitor->number;
    // A record may be shown around: who it is is not for others.
    (void)json_object_del(data, "email");
    (void)json_object_del(data, "name");
    char *again =
        kind == TOLD_OTHER || kind == TOLD_ORDER || strchr(text, '\n') ? json_dumps(data, JSON_COMPACT) : NULL;
    if (!visitor->streaming)
        begin_stream(visitor);
    stage_told(stage, &told, again ? again : text);
    free(again);
    if (kind == TOLD_ORDER)
        order_note_action(&visitor->order, &told.order, data);
    take_frame(visitor, &told);
    return decide(visitor);
}

// The answers

static void take_join(struct visitor *visitor)
{
    struct stage *stage = visitor->stage;
    bool first = visitor->step == VISITOR_JOINS;
    char problem[120];
    const char *token;
    struct told told;
    json_t *body CLEANUP(json_cleanup) = NULL;
    if (json_read_object(visitor->body.data ? visitor->body.data : "", visitor->body.bytes, BODY_BYTES_MAX, problem,
                         sizeof problem, &body) != 0) {
        fail(visitor, problem);
        return;
    }
    if (json_read_string(body, "token", TOKEN_BYTES_MAX, &token) != 0 ||
        json_object_set_new(body, "status", json_integer(visitor->exchange.status)) != 0 ||
        told_read_data(first ? TOLD_JOIN : TOLD_REJOIN, body, &told, problem, sizeof problem) != 0) {
        fail(visitor, "an answer to joining that is none");
        return;
    }
    free(visitor->token);
    visitor->token = strdup(token);
    // A record may be shown around: the token is not for others.
    (void)json_object_del(body, "token");
    char *text = json_dumps(body, JSON_COMPACT);
    if (!visitor->token || !text) {
        free(text);
        fail(visitor, "out of memory");
        return;
    }
    told.visitor = visitor->number;
    stage_told(stage, &told, text);
    free(text);
    if (first) {
        stage->answered++;
        latency_note(&stage->join, told.at_us - visitor->step_us);
    }
    backoff_reset(&visitor->backoff);
    take_line(visitor, &told);
    visitor->step = VISITOR_FOLLOWS;
    act(visitor);
}

int64_t visitor_retry_ms(const struct exchange *exchange)
{
    int64_t seconds = exchange->retry_after;
    return (seconds < 1 ? 1 : seconds > RETRY_AFTER_SECONDS_MAX ? RETRY_AFTER_SECONDS_MAX : seconds) * 1000;
}

static void put_off(struct visitor *visitor)
{
    int64_t ms = visitor_retry_ms(&visitor->exchange);
    char data[80];
    (void)snprintf(data, sizeof data, "{\"status\":%d,\"seconds\":%" PRId64 "}", visitor->exchange.status, ms / 1000);
    told_simply(visitor, TOLD_PUT_OFF, data);
    visitor->stage->put_off++;
    act_later(visitor, ms + (int64_t)stage_random(visitor->stage, 250));
}

// The event was at its end before the visitor came.
static void turn_away(struct visitor *visitor)
{
    struct told told = {.kind = TOLD_TURNED_AWAY, .visitor = visitor->number, .status = visitor->exchange.status};
    stage_told(visitor->stage, &told, "{\"status\":410}");
    finish(visitor);
}

static void broke_off(struct visitor *visitor, bool refused)
{
    if (!refused) {
        char data[60];
        (void)snprintf(data, sizeof data, "{\"during\":\"%s\"}", step_name(visitor->step));
        told_simply(visitor, TOLD_LOST, data);
        visitor->stage->lost++;
    }
    drop_stream(visitor);
    visitor->link++;
    act_later(visitor, backoff_next_ms(&visitor->backoff, stage_random(visitor->stage, UINT64_MAX)));
}

static void on_end(struct exchange *exchange, enum exchange_end end)
{
    struct visitor *visitor = (struct visitor *)((char *)exchange - offsetof(struct visitor, exchange));
    int status = exchange->status;
    if (end != EXCHANGE_COMPLETE) {
        broke_off(visitor, end == EXCHANGE_REFUSED);
    } else if (status == 429 || status == 503) {
        put_off(visitor);
    } else if (visitor->step == VISITOR_FOLLOWS && status == 200) {
        broke_off(visitor, false); // a waiting room that goes home ends its streams
    } else if (visitor->step == VISITOR_IS_LEAVING && status == 204) {
        told_simply(visitor, TOLD_LEFT, NULL);
        visitor->step = VISITOR_FOLLOWS_UP;
        order_follow_up(&visitor->order);
    } else if (visitor->step == VISITOR_JOINS && status == 410) {
        turn_away(visitor);
    } else if ((visitor->step == VISITOR_JOINS || visitor->step == VISITOR_REJOINS) &&
               (status == 200 || status == 201)) {
        take_join(visitor);
    } else {
        fail(visitor, "an answer that should not have come");
    }
}

static void on_head(struct exchange *exchange)
{
    struct visitor *visitor = (struct visitor *)((char *)exchange - offsetof(struct visitor, exchange));
    if (visitor->step == VISITOR_FOLLOWS && exchange->status == 200)
        told_simply(visitor, TOLD_OPENED, NULL);
}

static void on_data(struct exchange *exchange, const char *data, size_t bytes)
{
    struct visitor *visitor = (struct visitor *)((char *)exchange - offsetof(struct visitor, exchange));
    if (visitor->step != VISITOR_FOLLOWS || exchange->status != 200) {
        buffer_append(&visitor->body, data, bytes);
    } else if (sse_take(&visitor->sse, data, bytes, on_frame, visitor) != 0) {
        drop_stream(visitor);
        fail(visitor, "a frame that is too long");
    }
}

// Does what the step asks for.
static void act(struct visitor *visitor)
{
    struct stage *stage = visitor->stage;
    bool follows = visitor->step == VISITOR_FOLLOWS, leaves = visitor->step == VISITOR_IS_LEAVING;
    bool slow = follows && visitor->role == VISITOR_READS_SLOWLY;
    struct link *link = slow ? stage->slow_links[visitor->slow_link % stage->slow_link_count]
                             : stage->links[visitor->link % stage->link_count];
    const struct request request = {
        .method = follows  ? "GET"
                  : leaves ? "DELETE"
                           : "POST",
        .path = stage->path,
        .accept = follows ? "text/event-stream" : "application/json",
        .token = visitor->token,
    };
    if (!visitor->asked)
        told_simply(visitor, TOLD_ASKED, NULL);
    visitor->asked = true;
    visitor->step_us = stage_now_us(stage);
    buffer_clear(&visitor->body);
    if (link_ask(link, &request, &visitor->exchange) != 0)
        broke_off(visitor, false);
}

void visitor_init(struct visitor *visitor, struct stage *stage, uint32_t number, uint64_t arrives_ms)
{
    visitor->stage = stage;
    visitor->number = number;
    visitor->step = VISITOR_JOINS;
    visitor->exchange = (struct exchange){.on_head = on_head, .on_data = on_data, .on_end = on_end};
    visitor->backoff = (struct backoff){.first_ms = 200, .most_ms = 5000};
    visitor->body = (struct buffer){.bytes_max = BODY_BYTES_MAX};
    sse_init(&visitor->sse);
    (void)uv_timer_init(&stage->loop, &visitor->timer);
    visitor->timer.data = visitor;
    (void)uv_timer_start(&visitor->timer, on_timer, arrives_ms, 0);
    order_init(&visitor->order, visitor);
}

void visitor_close(struct visitor *visitor)
{
    uv_close((uv_handle_t *)&visitor->timer, NULL);
    order_close(&visitor->order);
}

void visitor_done(struct visitor *visitor)
{
    buffer_done(&visitor->body);
    sse_done(&visitor->sse);
    free(visitor->token);
    order_done(&visitor->order);
}
