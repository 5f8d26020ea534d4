// SPDX-License-Identifier: Apache-2.0
// One request after the other, never two at once; whatever its answer leaves open, a GET settles.
#include "bench/crowd/order.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/crowd/seats.h"
#include "bench/crowd/visitor.h"
#include "common/clock.h"
#include "common/json.h"

#define BODY_BYTES_MAX 16384
#define ANSWER_MS 20000 // longer than that nobody waits; the request is then sent again elsewhere
#define PAUSE_MS_MIN 300 // between two things that a visitor does
#define PAUSE_MS_MORE 2700
#define IN_TURN_MS 1000
#define FOLLOW_UP_MS 500
#define LATE_MS_MIN 20 // after a hold has run out
#define LATE_MS_MORE 200

static const enum told_verb once[] = {TOLD_PUT}, twice[] = {TOLD_PUT, TOLD_PUT},
                            back[] = {TOLD_PUT, TOLD_DELETE, TOLD_PUT}, look[] = {TOLD_GET},
                            more_time[] = {TOLD_MORE_TIME}, give_back[] = {TOLD_DELETE};

static void on_timer(uv_timer_t *timer);

static void after(struct order *order, uint64_t ms)
{
    (void)uv_timer_start(&order->timer, on_timer, ms, 0);
}

static void plan(struct order *order, uint64_t ms_min, uint64_t ms_more)
{
    order->step = ORDER_PLANS;
    after(order, ms_min + stage_random(order->visitor->stage, ms_more + 1));
}

static void set_script(struct order *order, const enum told_verb *script, size_t count)
{
    order->script = script;
    order->script_count = count;
    order->act = HOLD_WAIT;
}

static void settle(struct order *order)
{
    order->step = ORDER_SETTLED;
    (void)uv_timer_stop(&order->timer);
    visitor_order_settled(order->visitor);
}

// Asks for the order as it is, as soon as nothing else is under way.
static void look_at_it(struct order *order, uint64_t ms)
{
    set_script(order, look, 1);
    order->step = ORDER_PLANS;
    after(order, ms);
}

// Who took the order back to give another is not at an end with it.
static bool is_between(const struct order *order, enum order_state state)
{
    return state == ORDER_CANCELLED && order->script_count > 0 && order->script[0] != TOLD_GET;
}

// What there is to do about an order that has ended: try again, or make sure and be done.
static void take_final(struct order *order, bool was_asked_for)
{
    struct visitor *visitor = order->visitor;
    if (order_allows_another(order->newest.state) && order->plan.again && !order->did_again && visitor->let_in &&
        !visitor->over && !visitor->at_end && visitor->step == VISITOR_FOLLOWS) {
        order->did_again = true;
        set_script(order, once, 1);
        plan(order, 0, IN_TURN_MS);
    } else if (was_asked_for) {
        settle(order);
    } else {
        look_at_it(order, 0);
    }
}

// How long the visitor thinks about a hold.
static uint64_t think_ms(const struct order *order)
{
    struct stage *stage = order->visitor->stage;
    if (order->act != HOLD_PAY || order->plan.hold.holding != HOLDING_PAYS_LATE)
        return stage_random(stage, (uint64_t)stage->options->pay_seconds * 1000 + 1);
    int64_t left_us = order->newest.pay_until_us - clock_utc_us();
    return (left_us > 0 ? (uint64_t)left_us / 1000 : 0) + LATE_MS_MIN + stage_random(stage, LATE_MS_MORE);
}

// Plans what is to be done about a hold, or about standing by. False: nothing.
static bool take_hold(struct order *order)
{
    enum hold_act act = HOLD_WAIT;
    if (order->known && order->step != ORDER_SETTLED)
        act = hold_next(&order->plan.hold, &order->newest);
    if (act == HOLD_WAIT)
        return false;
    set_script(order, act == HOLD_ASK_FOR_TIME ? more_time : give_back, act == HOLD_PAY ? 0 : 1);
    order->act = act;
    order->step = ORDER_PLANS;
    after(order, think_ms(order));
    return true;
}

// True: news.
static bool keep(struct order *order, const struct told_order *told)
{
    const struct told_order *known = &order->newest;
    if (order->known &&
        (told->attempt < known->attempt || (told->attempt == known->attempt && told->revision <= known->revision)))
        return false;
    if (!order->known || told->attempt > known->attempt)
        order->heard_outcome = false;
    order->newest = *told;
    order->known = true;
    return true;
}

static void measure(struct order *order, int64_t at_us)
{
    struct visitor *visitor = order->visitor;
    struct stage *stage = visitor->stage;
    int64_t passed_us = check_passed_at_us(stage->check, visitor->place);
    int64_t end_us = check_end_heard_at_us(stage->check), put_us = order->put_us ? order->put_us : order->asked_us;
    latency_note(&stage->order_to_outcome, at_us - put_us);
    if (order_has_places(order->newest.state) || passed_us >= 0 || end_us < 0) {
        // The news of the outcome may be faster than that of being let in.
        int64_t since_us = passed_us < 0 ? at_us : passed_us;
        since_us = put_us > since_us ? put_us : since_us;
        // Who was away then is no measure of anything.
        if (visitor->streamed_us <= since_us)
            latency_note(&stage->turn_to_outcome, at_us - since_us);
    } else if (visitor->streamed_us <= end_us) {
        latency_note(&stage->end_to_outcome, at_us - end_us);
    }
}

void order_heard(struct order *order, const struct told_order *told, int64_t at_us)
{
    if (!keep(order, told) || told->state == ORDER_PLACED || told->state == ORDER_RELEASED ||
        is_between(order, told->state))
        return;
    if (!order->heard_outcome && told->state != ORDER_CANCELLED)
        measure(order, at_us);
    order->heard_outcome = true;
    if (order->step == ORDER_ASKS)
        return;
    if (order_is_final(told->state))
        take_final(order, false);
    else
        (void)take_hold(order);
}

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
    if (kind == TOLD_ORDER_ANSWER)
        (void)keep(order, &told.order);
}

// Nothing more to do for now.
static void wait_on(struct order *order)
{
    if (order->visitor->step == VISITOR_FOLLOWS_UP)
        look_at_it(order, FOLLOW_UP_MS);
    else
        order->step = ORDER_WAITS;
}

static void next(struct order *order)
{
    if (order->script_count > 0) {
        order->script++;
        order->script_count--;
    }
    bool final = order->known && order_is_final(order->newest.state) && !is_between(order, order->newest.state);
    if (final)
        take_final(order, order->verb == TOLD_GET);
    else if (take_hold(order))
        return;
    else if (order->script_count > 0)
        plan(order, PAUSE_MS_MIN, PAUSE_MS_MORE);
    else
        wait_on(order);
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
    next(order);
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
    // Too late is a reason; anything else must be because of an order.
    order->put_refused = order->put_refused || (order->verb == TOLD_PUT && order->exchange.status == 409);
    if (order->verb != TOLD_GET)
        look_at_it(order, 0);
    else if (order->put_refused)
        visitor_fail(visitor, "order", order->exchange.status, "ordering was refused, and there is no order");
    else
        settle(order);
}

static void again_later(struct order *order, int64_t ms)
{
    order->step = ORDER_ASKS;
    after(order, (uint64_t)ms);
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
    else if (status == (order->verb == TOLD_PUT ? 202 : 200))
        take_answer(order);
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
        .random = stage_random(stage, UINT64_MAX),
    };
    menu_order_done(&order->put);
    return menu_choose(&stage->menu, &wish, &order->put);
}

static void told_asked(struct order *order)
{
    struct told told = {.kind = TOLD_ORDER_ASKED, .visitor = order->visitor->number, .verb = order->verb};
    char data[40];
    (void)snprintf(data, sizeof data, "{\"method\":\"%s\"}", told_verb_name(order->verb));
    if (order->verb == TOLD_PUT) {
        told.choice_count = order->put.choice_count;
        memcpy(told.choices, order->put.choices, sizeof told.choices);
        told.has_needs = order->put.has_needs;
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
        after(order, ANSWER_MS);
}

static void send_it(struct order *order)
{
    struct visitor *visitor = order->visitor;
    const struct stage *stage = visitor->stage;
    order->unsent = order->chooses = false;
    order->ever_put = order->ever_put || order->verb == TOLD_PUT;
    const struct request request = {
        .method = told_verb_name(order->verb),
        .path = order->verb == TOLD_MORE_TIME ? stage->more_time_path : stage->order_path,
        .accept = "application/json",
        .token = visitor->token,
        .body = order->verb == TOLD_PUT ? order->put.body : NULL,
    };
    order->asked_us = stage_now_us(stage);
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

static void ask(struct order *order)
{
    struct stage *stage = order->visitor->stage;
    order->step = ORDER_ASKS;
    if (order->unsent) {
        order->verb = order->script_count > 0 ? order->script[0] : TOLD_GET;
        if (order->verb == TOLD_PUT && order->plan.named && !order->chose && stage->menu.has_seats) {
            ask_for_seats(order);
            return;
        }
        if (order->verb == TOLD_PUT && make_up(order, NULL, draw_party(stage)) != 0) {
            visitor_fail(order->visitor, "order", 0, "out of memory");
            return;
        }
    }
    send_it(order);
}

// Gives the money to the desk, unless there is nothing to pay for any more.
static void pay(struct order *order)
{
    struct visitor *visitor = order->visitor;
    struct stage *stage = visitor->stage;
    order->act = HOLD_WAIT;
    if (order_may_lapse(order->newest.state)) {
        struct told told = {.kind = TOLD_PAYS, .visitor = visitor->number};
        char data[40];
        (void)snprintf(data, sizeof data, "{\"place\":%" PRIu64 "}", visitor->place);
        stage_told(stage, &told, data);
        (void)fprintf(stage->desk, "%" PRIu64 "\n", visitor->place);
        (void)fflush(stage->desk);
    }
    if (!take_hold(order))
        wait_on(order);
}

static void on_timer(uv_timer_t *timer)
{
    struct order *order = timer->data;
    if (order->exchange.link) {
        exchange_cancel(&order->exchange);
        broke_off(order, false);
        return;
    }
    if (order->step == ORDER_PLANS && order->act == HOLD_PAY) {
        pay(order);
        return;
    }
    order->unsent = order->unsent || order->step == ORDER_PLANS;
    ask(order);
}

// What the visitor learns

void order_begin(struct order *order)
{
    uint64_t within_ms = (uint64_t)order->visitor->stage->options->order_seconds * 1000;
    if (order->step != ORDER_RESTS || order->plan.ordering == ORDERING_IN_TURN)
        return;
    switch (order->plan.ordering) {
    case ORDERING_CHANGES:
        set_script(order, twice, sizeof twice / sizeof *twice);
        break;
    case ORDERING_TAKES_BACK:
        set_script(order, back, sizeof back / sizeof *back);
        break;
    default:
        set_script(order, once, sizeof once / sizeof *once);
        break;
    }
    plan(order, 0, within_ms);
}

void order_let_in(struct order *order)
{
    if (order->step == ORDER_RESTS && order->script_count == 0)
        set_script(order, once, sizeof once / sizeof *once);
    else if (order->step != ORDER_PLANS || order->ever_put)
        return;
    plan(order, 0, IN_TURN_MS);
}

void order_too_late(struct order *order)
{
    if (order->step == ORDER_RESTS || (order->step == ORDER_PLANS && !order->ever_put)) {
        settle(order);
    } else if (order->step == ORDER_PLANS && order->act == HOLD_WAIT && order->script[0] != TOLD_GET) {
        set_script(order, NULL, 0);
        (void)uv_timer_stop(&order->timer);
        order->step = ORDER_WAITS;
        if (order->known && order_is_final(order->newest.state))
            look_at_it(order, 0);
    }
}

bool order_is_asking(const struct order *order)
{
    return order->step == ORDER_ASKS;
}

void order_rest(struct order *order)
{
    (void)uv_timer_stop(&order->timer);
    set_script(order, NULL, 0);
    if (order->step != ORDER_SETTLED)
        order->step = ORDER_RESTS;
}

void order_follow_up(struct order *order)
{
    if (order->ever_put)
        look_at_it(order, 0);
    else
        settle(order);
}

void order_stop(struct order *order)
{
    exchange_cancel(&order->exchange);
    order_rest(order);
    order->step = ORDER_SETTLED;
    buffer_done(&order->body);
    menu_order_done(&order->put);
}

void order_init(struct order *order, struct visitor *visitor)
{
    order->visitor = visitor;
    order->step = order->plan.ordering == ORDERING_NEVER ? ORDER_SETTLED : ORDER_RESTS;
    order->exchange = (struct exchange){.on_data = on_data, .on_end = on_end};
    order->backoff = (struct backoff){.first_ms = 200, .most_ms = 5000};
    order->body = (struct buffer){.bytes_max = BODY_BYTES_MAX};
    (void)uv_timer_init(&visitor->stage->loop, &order->timer);
    order->timer.data = order;
}

void order_close(struct order *order)
{
    uv_close((uv_handle_t *)&order->timer, NULL);
}

void order_done(struct order *order)
{
    buffer_done(&order->body);
    menu_order_done(&order->put);
}
