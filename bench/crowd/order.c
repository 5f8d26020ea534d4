// SPDX-License-Identifier: Apache-2.0
// What a visitor does next. One request after the other, never two at once; whatever its answer leaves open, a GET settles.
#include "bench/crowd/order_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/crowd/visitor.h"
#include "common/clock.h"

#define PAUSE_MS_MIN 300 // between two things that a visitor does
#define PAUSE_MS_MORE 2700
#define IN_TURN_MS 1000
#define FOLLOW_UP_MS 500
#define LATE_MS_MIN 20 // after a hold has run out
#define LATE_MS_MORE 200

static const enum told_verb once[] = {TOLD_PUT}, twice[] = {TOLD_PUT, TOLD_PUT},
                            back[] = {TOLD_PUT, TOLD_DELETE, TOLD_PUT}, look[] = {TOLD_GET},
                            more_time[] = {TOLD_MORE_TIME}, give_back[] = {TOLD_DELETE}, give_card[] = {TOLD_PAY};

static void on_timer(uv_timer_t *timer);

void order_after(struct order *order, uint64_t ms)
{
    (void)uv_timer_start(&order->timer, on_timer, ms, 0);
}

static void plan(struct order *order, uint64_t ms_min, uint64_t ms_more)
{
    order->step = ORDER_PLANS;
    order_after(order, ms_min + stage_random(order->visitor->stage, ms_more + 1));
}

static void set_script(struct order *order, const enum told_verb *script, size_t count)
{
    order->script = script;
    order->script_count = count;
    order->act = HOLD_WAIT;
}

void order_settle(struct order *order)
{
    order->step = ORDER_SETTLED;
    (void)uv_timer_stop(&order->timer);
    visitor_order_settled(order->visitor);
}

void order_look(struct order *order, uint64_t ms)
{
    set_script(order, look, 1);
    order->step = ORDER_PLANS;
    order_after(order, ms);
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
        order_settle(order);
    } else {
        order_look(order, 0);
    }
}

// How long the visitor thinks about a hold.
static uint64_t think_ms(const struct order *order)
{
    struct stage *stage = order->visitor->stage;
    bool pays = order->act == HOLD_PAY || order->act == HOLD_GIVE_CARD;
    if (!pays || order->plan.hold.holding != HOLDING_PAYS_LATE)
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
    if (act == HOLD_PAY || act == HOLD_ANSWER)
        set_script(order, NULL, 0);
    else
        set_script(order, act == HOLD_ASK_FOR_TIME ? more_time : act == HOLD_GIVE_CARD ? give_card : give_back, 1);
    order->act = act;
    order->step = ORDER_PLANS;
    order_after(order, think_ms(order));
    return true;
}

static bool is_news(const struct order *order, const struct told_order *told)
{
    const struct told_order *known = &order->newest;
    return !order->known || told->attempt > known->attempt ||
           (told->attempt == known->attempt && told->revision > known->revision);
}

void order_note_action(struct order *order, const struct told_order *told, const json_t *data)
{
    const char *url = json_string_value(json_object_get(data, "action_url"));
    if (!url || !is_news(order, told))
        return;
    free(order->action_url);
    order->action_url = strdup(url);
}

bool order_keep(struct order *order, const struct told_order *told)
{
    const struct told_order *known = &order->newest;
    if (!is_news(order, told))
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
    if (!order_keep(order, told) || told->state == ORDER_PLACED || told->state == ORDER_RELEASED ||
        is_between(order, told->state))
        return;
    if (!order->heard_outcome && told->state != ORDER_CANCELLED)
        measure(order, at_us);
    order->heard_outcome = true;
    if (order->card_us > 0 && told->state != ORDER_PAYING) {
        if (told->state == ORDER_CONFIRMED || told->state == ORDER_DECLINED || told->state == ORDER_ACTION_REQUIRED)
            latency_note(&order->visitor->stage->card_to_outcome, at_us - order->card_us);
        order->card_us = 0;
    }
    if (order->step == ORDER_ASKS)
        return;
    if (order_is_final(told->state))
        take_final(order, false);
    else
        (void)take_hold(order);
}

// Nothing more to do for now.
static void wait_on(struct order *order)
{
    if (order->visitor->step == VISITOR_FOLLOWS_UP)
        order_look(order, FOLLOW_UP_MS);
    else
        order->step = ORDER_WAITS;
}

void order_answered(struct order *order)
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

// Gives the money to the desk, unless there is nothing to pay for any more. The reference says what for: by the time the seller looks, the
// hold may have run out, and the same place may hold something else.
static void pay(struct order *order)
{
    struct visitor *visitor = order->visitor;
    struct stage *stage = visitor->stage;
    order->act = HOLD_WAIT;
    if (order_may_lapse(order->newest.state)) {
        struct told told = {.kind = TOLD_PAYS, .visitor = visitor->number};
        char data[40];
        (void)snprintf(data, sizeof data, "{\"reference\":\"%s\"}", order->newest.reference);
        stage_told(stage, &told, data);
        (void)fprintf(stage->desk, "%s\n", order->newest.reference);
        (void)fflush(stage->desk);
    }
    if (!take_hold(order))
        wait_on(order);
}

// The bank

static void on_bank_answered(void *context, int error, int status)
{
    struct order *order = context;
    if (order->step == ORDER_SETTLED)
        return;
    if (error == ERROR_PERMANENT) {
        visitor_fail(order->visitor, "bank", status, "an answer of the bank that should not have come");
    } else if (error == ERROR_TRANSIENT) {
        // Nobody knows whether it heard the answer: it is given again, if it is still asked for.
        order->plan.hold.answered = 0;
        if (order->step == ORDER_WAITS)
            (void)take_hold(order);
    }
}

static void answer_bank(struct order *order)
{
    struct visitor *visitor = order->visitor;
    struct stage *stage = visitor->stage;
    bool yes = order->plan.hold.purse.answers == ANSWERS_YES;
    order->act = HOLD_WAIT;
    if (order->newest.state == ORDER_ACTION_REQUIRED && order->action_url) {
        struct told told = {.kind = TOLD_ANSWERS, .visitor = visitor->number, .says_yes = yes};
        stage_told(stage, &told, yes ? "{\"answer\":\"yes\"}" : "{\"answer\":\"no\"}");
        if (bank_answer(&stage->bank, order->action_url, yes, on_bank_answered, order) != 0) {
            visitor_fail(visitor, "bank", 0, "the bank cannot be asked");
            return;
        }
    }
    if (!take_hold(order))
        wait_on(order);
}

static void on_timer(uv_timer_t *timer)
{
    struct order *order = timer->data;
    if (order->exchange.link) {
        order_cut(order);
        return;
    }
    if (order->step == ORDER_PLANS && order->act == HOLD_PAY) {
        pay(order);
        return;
    }
    if (order->step == ORDER_PLANS && order->act == HOLD_ANSWER) {
        answer_bank(order);
        return;
    }
    order->unsent = order->unsent || order->step == ORDER_PLANS;
    order_ask(order);
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
        order_settle(order);
    } else if (order->step == ORDER_PLANS && order->act == HOLD_WAIT && order->script[0] != TOLD_GET) {
        set_script(order, NULL, 0);
        (void)uv_timer_stop(&order->timer);
        order->step = ORDER_WAITS;
        if (order->known && order_is_final(order->newest.state))
            order_look(order, 0);
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
        order_look(order, 0);
    else
        order_settle(order);
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
    order_init_requests(order);
    (void)uv_timer_init(&visitor->stage->loop, &order->timer);
    order->timer.data = order;
}

void order_close(struct order *order)
{
    uv_close((uv_handle_t *)&order->timer, NULL);
}

void order_done(struct order *order)
{
    free(order->action_url);
    free(order->card);
    buffer_done(&order->body);
    menu_order_done(&order->put);
}
