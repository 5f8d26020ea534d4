// SPDX-License-Identifier: Apache-2.0
// Tokens, the memory of a connection, questions to the store.
#include "waiting-room/visit.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/random.h"
#include "waiting-room/cookie.h"
#include "waiting-room/stream.h"

#define RENEW_AFTER_SECONDS 3600
#define RETRY_AFTER_SECONDS 2

static struct metric verified = METRIC_COUNTER("onsale_tokens_verified_total", "Queue tokens that were verified.");
static struct metric refused = METRIC_COUNTER("onsale_tokens_refused_total", "Queue tokens that did not verify.");
static struct metric remembered =
    METRIC_COUNTER("onsale_tokens_remembered_total", "Queue tokens that the connection had verified before.");

void visit_register_metrics(void)
{
    metrics_register(&verified);
    metrics_register(&refused);
    metrics_register(&remembered);
}

// The last token that verified on a connection. The whole text is kept and compared: behind a proxy one connection carries
// many visitors.
struct memory {
    size_t bytes;
    struct visitor *visitor;
    int64_t issued_at, expires_at; // seconds
    char text[];
};

static void free_memory(void *data)
{
    struct memory *memory = data;
    if (memory)
        visitor_unref(memory->visitor);
    free(memory);
}

static void remember(struct visit *visit, const char *text, size_t bytes, const struct token *token)
{
    struct memory *memory = malloc(sizeof *memory + bytes);
    if (!memory)
        return;
    *memory = (struct memory){.bytes = bytes,
                              .visitor = visitor_ref(visit->visitor),
                              .issued_at = token->issued_at,
                              .expires_at = token->expires_at};
    memcpy(memory->text, text, bytes);
    free_memory(http_connection_data(visit->exchange));
    http_set_connection_data(visit->exchange, memory, free_memory);
}

static bool recall(struct visit *visit, const char *text, size_t bytes, int64_t now)
{
    const struct memory *memory = http_connection_data(visit->exchange);
    if (!memory || memory->bytes != bytes || memcmp(memory->text, text, bytes) != 0 || memory->expires_at <= now ||
        memory->visitor->view != visit->view)
        return false;
    visit->visitor = visitor_ref(memory->visitor);
    visit->token_issued_at = memory->issued_at;
    metric_add(&remembered, 1);
    return true;
}

static enum visit_identity identify(struct visit *visit, const char *text, size_t bytes)
{
    int64_t now = clock_utc_us() / 1000000;
    struct token token;
    const char *reason = "";
    if (recall(visit, text, bytes, now))
        return VISIT_VISITOR;
    if (token_verify(text, bytes, &visit->loop->keyring, now, &token, &reason) < 0) {
        metric_add(&refused, 1);
        log_info("token_refused", LOG_S("slug", visit->view->event->slug), LOG_S("reason", reason));
        return VISIT_BAD_TOKEN;
    }
    metric_add(&verified, 1);
    if (strcmp(token.event, visit->view->event->slug) != 0)
        return VISIT_WRONG_EVENT;
    visit->visitor = visitor_get(visit->view, token.number, token.visitor);
    if (!visit->visitor)
        return VISIT_NOBODY;
    visit->token_issued_at = token.issued_at;
    remember(visit, text, bytes, &token);
    return VISIT_VISITOR;
}

static void on_closed(struct owner *owner)
{
    ((struct visit *)owner)->exchange = NULL;
}

struct visit *visit_new(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct visit *visit = calloc(1, sizeof *visit);
    if (!visit)
        return NULL;
    visit->owner.closed = on_closed;
    visit->exchange = exchange;
    visit->loop = http_loop_data(http_exchange_loop(exchange));
    visit->view = view;
    const char *text;
    size_t bytes;
    int found = bearer_find(request->authorization, &text, &bytes);
    if (found == ERROR_NOT_FOUND) {
        visit->by_cookie = true;
        found = cookie_find(request->cookie, view->event->slug, &text, &bytes);
    }
    if (found == 0)
        visit->identity = identify(visit, text, bytes);
    else
        visit->identity = found == ERROR_NOT_FOUND ? VISIT_NOBODY : VISIT_BAD_TOKEN;
    return visit;
}

struct visit *visit_begin(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct visit *visit = visit_new(exchange, request, view);
    if (!visit)
        problem_respond(exchange, &PROBLEM_UNAVAILABLE, &(struct problem_more){.retry_after_seconds = 1});
    return visit;
}

void visit_free(struct visit *visit)
{
    if (visit->free_data)
        visit->free_data(visit->data);
    order_facts_unref(visit->order);
    order_form_done(&visit->form);
    visitor_unref(visit->visitor);
    free(visit->card);
    free(visit);
}

static struct visit *visit_of(struct line_store_request *request)
{
    return (struct visit *)((char *)request - offsetof(struct visit, request));
}

// The loop is gone, and with it everything that the visit points to.
void visit_drop(struct visit *visit)
{
    order_facts_unref(visit->request.order);
    order_facts_unref(visit->order);
    order_form_done(&visit->form);
    free(visit->card);
    free(visit);
}

static void on_dropped(struct line_store_request *request)
{
    visit_drop(visit_of(request));
}

static void take_joined(struct visit *visit)
{
    const struct line_store_request *request = &visit->request;
    event_view_take_line(visit->view, 0, request->number);
    if (request->opened != visit->view->event->opened)
        line_store_look_at_events(visit->loop->room->store);
    visitor_unref(visit->visitor);
    visit->visitor = visitor_get(visit->view, request->number, request->visitor);
    if (!visit->visitor) {
        visit->error = ERROR_TRANSIENT;
        return;
    }
    visit->visitor->known = visit->visitor->order_known = true;
    log_info("joined", LOG_S("slug", visit->view->event->slug), LOG_U("place", request->number));
}

// Takes what the answer says of the order into the visit and, for everybody who asks or listens here, into the visitor.
static void take_order(struct visit *visit)
{
    struct line_store_request *request = &visit->request;
    order_facts_unref(visit->order);
    visit->order = request->order;
    request->order = NULL;
    if (visit->error == 0 && request->has_order_answer)
        visitor_take_order_read(visit->visitor, visit->order, visit->order_doubts);
}

static void tell_others(struct visit *visit)
{
    uint64_t number = visit->visitor->facts.number;
    bool is_due = visit->request.kind == LINE_STORE_ORDER && number <= visit->request.served;
    room_tell_ordered(visit->loop->room, visit->view->event->slug, number, is_due);
}

static const char *step_of(enum line_store_kind kind)
{
    if (kind == LINE_STORE_PAY)
        return "payment_begun";
    if (kind == LINE_STORE_ORDER)
        return "ordered";
    return kind == LINE_STORE_MORE_TIME ? "more_time_given" : "order_taken_back";
}

static void take_ordered(struct visit *visit)
{
    const struct line_store_request *request = &visit->request;
    event_view_take_line(visit->view, request->served, request->last);
    if (request->order_verdict != ORDER_WRITE || !visit->order)
        return;
    log_info(step_of(request->kind), LOG_S("slug", visit->view->event->slug), LOG_U("place", visit->order->place),
             LOG_U("attempt", visit->order->attempt), LOG_U("revision", visit->order->revision));
    tell_others(visit);
    if (request->is_bell_due)
        room_ring(visit->loop->room, visit->view->event->slug, visit->order->place);
    if (visit->visitor->streams)
        stream_tell_visitor(visit->loop, visit->visitor);
}

static void take_left(struct visit *visit)
{
    if (visit->request.order_changed)
        tell_others(visit);
    bool before = visit->visitor->facts.left;
    visit->visitor->facts.left = true;
    visit->visitor->known = true;
    if (before)
        return;
    log_info("left", LOG_S("slug", visit->view->event->slug), LOG_U("place", visit->visitor->facts.number));
    room_tell_left(visit->loop->room, visit->view->event->slug, visit->visitor->facts.number);
}

static void take_facts(struct visit *visit)
{
    const struct line_store_request *request = &visit->request;
    event_view_take_line(visit->view, request->served, request->last);
    visitor_take_facts(visit->visitor, &request->facts);
    if (visit->visitor->streams)
        stream_tell_visitor(visit->loop, visit->visitor);
}

static bool is_about_order(enum line_store_kind kind)
{
    return kind == LINE_STORE_ORDER || kind == LINE_STORE_TAKE_BACK || kind == LINE_STORE_MORE_TIME ||
           kind == LINE_STORE_PAY;
}

static bool is_about_card(enum line_store_kind kind)
{
    return kind == LINE_STORE_CARD_BEGIN || kind == LINE_STORE_CARD_OPEN || kind == LINE_STORE_CARD_SPOIL ||
           kind == LINE_STORE_CARD_LOOK || kind == LINE_STORE_CARD_BACK;
}

static void take_card(struct visit *visit)
{
    const struct line_store_card *card = visit->card;
    if (visit->request.kind == LINE_STORE_CARD_LOOK || visit->request.kind == LINE_STORE_CARD_BACK)
        visitor_take_card(visit->visitor, card->is_kept ? card->label : NULL);
    if (visit->request.is_bell_due)
        room_ring(visit->loop->room, visit->view->event->slug, visit->visitor->facts.number);
}

// What was learned is taken over whether its asker still waits or not.
static void on_answered(struct line_store_request *request)
{
    struct visit *visit = visit_of(request);
    visit->error = request->error;
    take_order(visit);
    if (visit->error == 0 && request->kind == LINE_STORE_JOIN)
        take_joined(visit);
    else if (visit->error == 0 && request->kind == LINE_STORE_LEAVE)
        take_left(visit);
    else if (visit->error == 0 && is_about_order(request->kind))
        take_ordered(visit);
    else if (visit->error == 0 && is_about_card(request->kind))
        take_card(visit);
    else if (visit->error == 0)
        take_facts(visit);
    if (!visit->exchange) {
        visit_free(visit);
        return;
    }
    http_set_data(visit->exchange, NULL);
    visit->then(visit);
}

static void ask(struct visit *visit, enum line_store_kind kind, void (*then)(struct visit *visit))
{
    struct line_store_request *request = &visit->request;
    request->kind = kind;
    request->has_order_answer = false;
    request->form = &visit->form;
    request->card = visit->card;
    request->payment_method = visit->payment.method[0] ? visit->payment.method : NULL;
    request->loop = visit->loop->http;
    request->answered = on_answered;
    request->dropped = on_dropped;
    request->event_id = visit->view->event->id;
    if (kind != LINE_STORE_JOIN) {
        request->number = visit->visitor->facts.number;
        memcpy(request->visitor, visit->visitor->id, sizeof request->visitor);
        visit->order_doubts = visit->visitor->order_doubts;
    }
    visit->then = then;
    http_set_data(visit->exchange, visit);
    if (line_store_ask(visit->loop->room->store, request) == 0)
        return;
    http_set_data(visit->exchange, NULL);
    visit->error = ERROR_TRANSIENT;
    request->retry_after_seconds = RETRY_AFTER_SECONDS;
    then(visit);
}

// MySQL need not be asked.
static bool is_settled(const struct visit *visit)
{
    return visitor_is_settled(visit->visitor, room_loop_now_us(visit->loop)) && !room_loop_is_behind(visit->loop);
}

void visit_with_facts(struct visit *visit, void (*then)(struct visit *visit))
{
    visit->error = 0;
    if (is_settled(visit))
        then(visit);
    else
        ask(visit, LINE_STORE_LOOK_UP, then);
}

// A new visitor's id. The kernel is asked for many at a time; none stays behind once it is given.
static void new_visitor_id(uint8_t ret[static TOKEN_VISITOR_BYTES])
{
    static _Thread_local uint8_t ids[64][TOKEN_VISITOR_BYTES];
    static _Thread_local size_t left;
    if (left == 0) {
        random_bytes(ids, sizeof ids);
        left = sizeof ids / sizeof ids[0];
    }
    left--;
    memcpy(ret, ids[left], sizeof ids[left]);
    explicit_bzero(ids[left], sizeof ids[left]);
}

void visit_join(struct visit *visit, const char *address, void (*then)(struct visit *visit))
{
    new_visitor_id(visit->request.visitor);
    memcpy(visit->request.address, address, sizeof visit->request.address);
    ask(visit, LINE_STORE_JOIN, then);
}

void visit_leave(struct visit *visit, void (*then)(struct visit *visit))
{
    ask(visit, LINE_STORE_LEAVE, then);
}

void visit_with_order(struct visit *visit, void (*then)(struct visit *visit))
{
    // Without RabbitMQ nobody tells of what was ordered elsewhere.
    bool is_told = visit->visitor->order_known && feed_is_connected(visit->loop->room->feed);
    visit->error = 0;
    if (is_told && is_settled(visit))
        then(visit);
    else
        ask(visit, LINE_STORE_LOOK_UP, then);
}

void visit_read_order(struct visit *visit, void (*then)(struct visit *visit))
{
    ask(visit, LINE_STORE_LOOK_UP, then);
}

void visit_order(struct visit *visit, void (*then)(struct visit *visit))
{
    ask(visit, LINE_STORE_ORDER, then);
}

void visit_take_back(struct visit *visit, void (*then)(struct visit *visit))
{
    ask(visit, LINE_STORE_TAKE_BACK, then);
}

void visit_more_time(struct visit *visit, void (*then)(struct visit *visit))
{
    ask(visit, LINE_STORE_MORE_TIME, then);
}

void visit_pay(struct visit *visit, void (*then)(struct visit *visit))
{
    ask(visit, LINE_STORE_PAY, then);
}

void visit_ask_card(struct visit *visit, enum line_store_kind kind, void (*then)(struct visit *visit))
{
    ask(visit, kind, then);
}

// A join may know sooner than the view that the event was opened.
static bool knows_opened(const struct visit *visit)
{
    const struct line_store_request *request = &visit->request;
    return request->kind == LINE_STORE_JOIN && request->answered && request->error == 0 && request->opened;
}

bool visit_state(const struct visit *visit, struct line_state *ret, int64_t *ret_now_us)
{
    struct line_event rules;
    struct line_state state;
    int64_t now_us = room_loop_now_us(visit->loop);
    event_view_rules(visit->view, &rules);
    if (knows_opened(visit) && !rules.opened) {
        rules.state = visit->request.state;
        rules.opened = true;
    }
    line_state_of(&rules, &visit->visitor->facts, now_us, &state);
    if (visit->error == ERROR_TRANSIENT && (state.turn_unknown || room_loop_is_behind(visit->loop)))
        return false;
    *ret = state;
    *ret_now_us = now_us;
    return true;
}

int visit_sign(struct visit *visit, char ret[static TOKEN_BYTES_MAX])
{
    const struct snapshot *event = visit->view->event;
    int64_t now = clock_utc_us() / 1000000;
    struct token token = {.number = visit->visitor->facts.number,
                          .lobby = !(event->opened || knows_opened(visit)),
                          .issued_at = now,
                          .expires_at = now + visit->loop->room->config->common.tokens_queue_lifetime_seconds};
    memcpy(token.event, event->slug, sizeof token.event);
    memcpy(token.visitor, visit->visitor->id, sizeof token.visitor);
    int error = token_sign(&token, &visit->loop->keyring, now, ret);
    if (error == 0)
        remember(visit, ret, strlen(ret), &token);
    return error;
}

void visit_renew(struct visit *visit, struct buffer *set_cookie)
{
    char token[TOKEN_BYTES_MAX];
    int64_t now = clock_utc_us() / 1000000;
    if (!visit->by_cookie || !visit->visitor || now - visit->token_issued_at < RENEW_AFTER_SECONDS)
        return;
    if (visit_sign(visit, token) == 0)
        cookie_give(set_cookie, visit->view->event->slug, token,
                    visit->loop->room->config->common.tokens_queue_lifetime_seconds);
}

const struct problem *visit_problem(const struct visit *visit)
{
    if (visit->identity == VISIT_BAD_TOKEN || visit->error == ERROR_NOT_FOUND)
        return &PROBLEM_BAD_TOKEN; // a number that MySQL does not know was given by nobody
    if (visit->identity == VISIT_WRONG_EVENT)
        return &PROBLEM_WRONG_EVENT;
    return visit->error == ERROR_TRANSIENT ? &PROBLEM_UNAVAILABLE : NULL;
}

void visit_refuse(struct visit *visit, const struct problem *problem, struct problem_more more)
{
    struct buffer cookie CLEANUP(buffer_done) = BUFFER_INIT;
    if (problem->status == 401 && visit->by_cookie && problem != &PROBLEM_NO_TOKEN) {
        cookie_remove(&cookie, visit->view->event->slug);
        more.set_cookie = cookie.data;
    }
    if (problem->status == 503 && more.retry_after_seconds == 0)
        more.retry_after_seconds = RETRY_AFTER_SECONDS;
    problem_respond(visit->exchange, problem, &more);
    visit_free(visit);
}

bool visit_needs_token(struct visit *visit)
{
    if (visit->identity == VISIT_VISITOR)
        return true;
    visit_refuse(visit, visit->identity == VISIT_NOBODY ? &PROBLEM_NO_TOKEN : visit_problem(visit),
                 (struct problem_more){0});
    return false;
}

void visit_respond(struct visit *visit, int status, const struct buffer *text, const struct buffer *set_cookie)
{
    struct http_header headers[4] = {
        {"content-type", "application/json"}, {"cache-control", "no-store"}, {"x-content-type-options", "nosniff"}};
    size_t count = 3;
    if (set_cookie->bytes > 0)
        headers[count++] = (struct http_header){"set-cookie", set_cookie->data};
    http_respond(visit->exchange, status, headers, count, text->data, text->bytes);
    visit_free(visit);
}

void visit_respond_order(struct visit *visit, int status, const struct order_facts *order)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT, cookie CLEANUP(buffer_done) = BUFFER_INIT;
    int64_t now_us = room_loop_now_us(visit->loop);
    order_facts_write(&text, order, event_view_stopped_us(visit->view, now_us), now_us);
    visit_renew(visit, &cookie);
    visit_respond(visit, status, &text, &cookie);
}

void visit_refuse_form(struct visit *visit, int error, const struct order_form_problems *problems)
{
    struct problem_field fields[ORDER_FORM_PROBLEMS_MAX];
    struct problem_more more = {.fields = fields, .field_count = problems->count};
    for (size_t i = 0; i < problems->count; i++)
        fields[i] = (struct problem_field){problems->items[i].field, problems->items[i].detail};
    if (error == ERROR_CONFLICT)
        visit_refuse(visit, &PROBLEM_INVALID, more);
    else if (error == ERROR_INVALID)
        visit_refuse(visit, &PROBLEM_MALFORMED,
                     (struct problem_more){.detail = problems->malformed[0] ? problems->malformed : NULL});
    else
        visit_refuse(visit, &PROBLEM_UNAVAILABLE, (struct problem_more){0});
}
