// SPDX-License-Identifier: Apache-2.0
// The requests about an order, and what their answers say. What follows from them is order.c's to decide.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/crowd/order_internal.h"
#include "bench/crowd/seats.h"
#include "bench/crowd/visitor.h"
#include "common/json.h"

#define BODY_BYTES_MAX 16384
#define ANSWER_MS 20000 // longer than that nobody waits; the request is then sent again elsewhere

// The answers

static void told_order(struct order *order, enum told_kind kind, json_t *data)
{
    struct visitor *visitor = order->visitor;
    struct told told;
    char problem[120];
    char *text = NULL;
    bool good = json_object_set_new(data, "method", json_string(told_verb_name(order->verb))) == 0 &&
                json_object_set_new(data, "status", json_integer(order->exchange.status)) == 0 &&
                told_read_data(kind, data, &told, problem, sizeof problem) == 0;
    // A record may be shown around: who it is is not for others.
    (void)json_object_del(data, "email");
    (void)json_object_del(data, "name");
    if (good)
        text = json_dumps(data, JSON_COMPACT);
    if (!text) {
        visitor_fail(visitor, "order", order->exchange.status, "an answer about the order that is none");
        return;
    }
    told.visitor = visitor->number;
    stage_told(visitor->stage, &told, text);
    free(text);
    if (kind != TOLD_ORDER_ANSWER)
        return;
    order_note_action(order, &told.order, data);
    (void)order_keep(order, &told.order);
}

static void take_answer(struct order *order)
{
    struct stage *stage = order->visitor->stage;
    char problem[120];
    json_t *data CLEANUP(json_cleanup) = NULL;
    if (json_read_object(order->body.data ? order->body.data : "", order->body.bytes, BODY_BYTES_MAX, problem,
                         sizeof problem, &data) != 0) {
        visitor_fail(order->visitor, "order", order->exchange.status, problem);
        return;
    }
    told_order(order, TOLD_ORDER_ANSWER, data);
    if (order->step != ORDER_ASKS)
        return; // it failed
    if (order->verb == TOLD_PUT) {
        order->put_us = order->asked_us;
        latency_note(&stage->order_answer, stage_now_us(stage) - order->asked_us);
    }
    order->put_refused = false;
    backoff_reset(&order->backoff);
    order_answered(order);
}

static void take_refusal(struct order *order)
{
    struct visitor *visitor = order->visitor;
    const json_t *type = NULL;
    json_t *problem CLEANUP(json_cleanup) = NULL, *data CLEANUP(json_cleanup) = json_object();
    if (json_read_object(order->body.data ? order->body.data : "", order->body.bytes, BODY_BYTES_MAX, NULL, 0,
                         &problem) == 0)
        type = json_object_get(problem, "type");
    if (type)
        (void)json_object_set(data, "type", (json_t *)(uintptr_t)type);
    told_order(order, TOLD_ORDER_REFUSED, data);
    if (order->step != ORDER_ASKS)
        return;
    backoff_reset(&order->backoff);
    if (order->verb == TOLD_PAY)
        order->card_us = 0;
    // Too late is a reason; anything else must be because of an order.
    order->put_refused = order->put_refused || (order->verb == TOLD_PUT && order->exchange.status == 409);
    if (order->verb != TOLD_GET)
        order_look(order, 0);
    else if (order->put_refused)
        visitor_fail(visitor, "order", order->exchange.status, "ordering was refused, and there is no order");
    else
        order_settle(order);
}

static void again_later(struct order *order, int64_t ms)
{
    order->step = ORDER_ASKS;
    order_after(order, (uint64_t)ms);
}

static void put_off(struct order *order)
{
    struct stage *stage = order->visitor->stage;
    struct told told = {.kind = TOLD_PUT_OFF, .visitor = order->visitor->number, .about_order = true};
    int64_t ms = visitor_retry_ms(&order->exchange);
    char data[80];
    (void)snprintf(data, sizeof data, "{\"during\":\"order\",\"status\":%d,\"seconds\":%" PRId64 "}",
                   order->exchange.status, ms / 1000);
    stage_told(stage, &told, data);
    stage->put_off++;
    again_later(order, ms + (int64_t)stage_random(stage, 250));
}

static void broke_off(struct order *order, bool refused)
{
    struct stage *stage = order->visitor->stage;
    struct told told = {.kind = TOLD_LOST, .visitor = order->visitor->number, .about_order = true};
    if (!refused) {
        stage_told(stage, &told, "{\"during\":\"order\"}");
        stage->lost++;
    }
    order->shift++;
    again_later(order, backoff_next_ms(&order->backoff, stage_random(stage, UINT64_MAX)));
}

static int make_up(struct order *order, const struct seats *seats, uint64_t quantity);
static void send_it(struct order *order);

static uint64_t draw_party(struct stage *stage)
{
    const struct options *options = stage->options;
    return options->parties[stage_random(stage, options->party_count)];
}

// The seats that are free just then: some of them are asked for by name. If the party fits nowhere, it takes what it gets.
static void take_seats(struct order *order)
{
    struct stage *stage = order->visitor->stage;
    struct seats seats;
    char problem[160];
    const struct menu_wish wish = {.quantity = draw_party(stage)};
    uint64_t quantity = menu_quantity(&stage->menu, &wish);
    if (seats_choose(order->body.data ? order->body.data : "", order->body.bytes, &stage->menu, quantity,
                     stage_random(stage, UINT64_MAX), &seats, problem, sizeof problem) != 0) {
        visitor_fail(order->visitor, "order", order->exchange.status, problem);
        return;
    }
    order->chose = true;
    buffer_done(&order->body);
    order->body = (struct buffer){.bytes_max = BODY_BYTES_MAX};
    backoff_reset(&order->backoff);
    if (make_up(order, &seats, quantity) != 0)
        visitor_fail(order->visitor, "order", 0, "out of memory");
    else
        send_it(order);
}

// The hall has no such places any more: the seller gave them to everybody. Ordinary seats will do.
static void do_without_needs(struct order *order)
{
    order->plan.wheelchair = false;
    backoff_reset(&order->backoff);
    if (make_up(order, NULL, draw_party(order->visitor->stage)) != 0)
        visitor_fail(order->visitor, "order", 0, "out of memory");
    else
        send_it(order);
}

static void on_end(struct exchange *exchange, enum exchange_end end)
{
    struct order *order = (struct order *)((char *)exchange - offsetof(struct order, exchange));
    int status = exchange->status;
    (void)uv_timer_stop(&order->timer);
    if (end != EXCHANGE_COMPLETE)
        broke_off(order, end == EXCHANGE_REFUSED);
    else if (status == 429 || status == 503)
        put_off(order);
    else if (order->chooses && status == 200)
        take_seats(order);
    else if (order->chooses)
        visitor_fail(order->visitor, "order", status, "an answer about the seats that should not have come");
    else if (status == (order->verb == TOLD_PUT || order->verb == TOLD_PAY ? 202 : 200))
        take_answer(order);
    else if (status == 422 && order->verb == TOLD_PUT && order->put.has_needs)
        do_without_needs(order);
    else if (status == 409 || status == 410 || (status == 404 && order->verb != TOLD_PUT))
        take_refusal(order);
    else
        visitor_fail(order->visitor, "order", status, "an answer about the order that should not have come");
}

static void on_data(struct exchange *exchange, const char *data, size_t bytes)
{
    struct order *order = (struct order *)((char *)exchange - offsetof(struct order, exchange));
    buffer_append(&order->body, data, bytes);
}

// Asking

static int make_up(struct order *order, const struct seats *seats, uint64_t quantity)
{
    struct visitor *visitor = order->visitor;
    struct stage *stage = visitor->stage;
    char email[80];
    // Of this run alone, so that a second crowd at the same event is other people.
    (void)snprintf(email, sizeof email,
                   order->plan.group ? "g%" PRIu32 ".%" PRIx64 "@crowd.example"
                                     : "v%" PRIu32 ".%" PRIx64 "@crowd.example",
                   order->plan.group ? order->plan.group : visitor->number, stage->run);
    const struct menu_wish wish = {
        .quantity = quantity,
        .wheelchair = order->plan.wheelchair,
        .seat_count = seats ? seats->count : 0,
        .seat_tier = seats ? seats->tier : 0,
        .seats = seats ? seats->names : NULL,
        .alternatives = order->plan.alternatives,
        .email = email,
        .payment_method = order->plan.hold.purse.with_order ? order->plan.hold.purse.cards[0] : NULL,
        .random = stage_random(stage, UINT64_MAX),
    };
    menu_order_done(&order->put);
    return menu_choose(&stage->menu, &wish, &order->put);
}

static void told_asked(struct order *order)
{
    struct told told = {.kind = TOLD_ORDER_ASKED, .visitor = order->visitor->number, .verb = order->verb};
    char data[200];
    (void)snprintf(data, sizeof data, "{\"method\":\"%s\"}", told_verb_name(order->verb));
    if (order->verb == TOLD_PUT) {
        told.choice_count = order->put.choice_count;
        memcpy(told.choices, order->put.choices, sizeof told.choices);
        told.has_needs = order->put.has_needs;
        told.card = order->plan.hold.purse.with_order ? told_card_of(order->plan.hold.purse.cards[0]) : TOLD_NO_CARD;
    } else if (order->verb == TOLD_PAY) {
        told.card = told_card_of(hold_card(&order->plan.hold));
        (void)snprintf(data, sizeof data, "{\"method\":\"%s\",\"payment_method\":\"%s\"}", told_verb_name(order->verb),
                       hold_card(&order->plan.hold));
    }
    stage_told(order->visitor->stage, &told, order->verb == TOLD_PUT ? order->put.asked : data);
}

static void send_request(struct order *order, const struct request *request)
{
    const struct stage *stage = order->visitor->stage;
    buffer_clear(&order->body);
    if (link_ask(stage->links[(order->visitor->link + order->shift) % stage->link_count], request, &order->exchange) !=
        0)
        broke_off(order, false);
    else
        order_after(order, ANSWER_MS);
}

static void send_it(struct order *order)
{
    struct visitor *visitor = order->visitor;
    const struct stage *stage = visitor->stage;
    order->unsent = order->chooses = false;
    order->ever_put = order->ever_put || order->verb == TOLD_PUT;
    const bool pays = order->verb == TOLD_PAY;
    const struct request request = {
        .method = pays ? "POST" : told_verb_name(order->verb),
        .path = pays                            ? stage->payment_path
                : order->verb == TOLD_MORE_TIME ? stage->more_time_path
                                                : stage->order_path,
        .accept = "application/json",
        .token = visitor->token,
        .body = pays                      ? order->card
                : order->verb == TOLD_PUT ? order->put.body
                                          : NULL,
    };
    order->asked_us = stage_now_us(stage);
    if (pays)
        order->card_us = order->asked_us;
    told_asked(order);
    send_request(order, &request);
}

// Seats are chosen from what is free at the very moment.
static void ask_for_seats(struct order *order)
{
    const struct request request = {
        .method = "GET", .path = order->visitor->stage->seats_path, .accept = "application/json"};
    order->chooses = true;
    order->body.bytes_max = SEATS_DOCUMENT_BYTES_MAX;
    send_request(order, &request);
}

static int show_card(struct order *order)
{
    json_t *body CLEANUP(json_cleanup) = json_pack("{s:s}", "payment_method", hold_card(&order->plan.hold));
    free(order->card);
    order->card = body ? json_dumps(body, JSON_COMPACT) : NULL;
    return order->card ? 0 : ERROR_MEMORY;
}

void order_ask(struct order *order)
{
    struct stage *stage = order->visitor->stage;
    order->step = ORDER_ASKS;
    if (order->unsent) {
        order->verb = order->script_count > 0 ? order->script[0] : TOLD_GET;
        if (order->verb == TOLD_PUT && order->plan.named && !order->chose && stage->menu.has_seats) {
            ask_for_seats(order);
            return;
        }
        if ((order->verb == TOLD_PUT && make_up(order, NULL, draw_party(stage)) != 0) ||
            (order->verb == TOLD_PAY && show_card(order) != 0)) {
            visitor_fail(order->visitor, "order", 0, "out of memory");
            return;
        }
    }
    send_it(order);
}

void order_cut(struct order *order)
{
    exchange_cancel(&order->exchange);
    broke_off(order, false);
}

void order_init_requests(struct order *order)
{
    order->exchange = (struct exchange){.on_data = on_data, .on_end = on_end};
    order->backoff = (struct backoff){.first_ms = 200, .most_ms = 5000};
    order->body = (struct buffer){.bytes_max = BODY_BYTES_MAX};
}
