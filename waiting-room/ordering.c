// SPDX-License-Identifier: Apache-2.0
// The turn is judged by the loop, which knows its time; everything else by the rows that the store holds locked.
#include "waiting-room/ordering.h"

static const struct problem *problem_of_turn(const struct visit *visit)
{
    struct line_state state;
    int64_t now_us;
    enum lifecycle_state event = visit->view->event->state;
    // Once nothing is sold any more that is the reason, not the turn which ended with it; the store says so.
    if (event == LIFECYCLE_SOLD_OUT || event == LIFECYCLE_CLOSED)
        return NULL;
    if (visit->error < 0 || !visit_state(visit, &state, &now_us))
        return visit_problem(visit);
    if (state.line == LINE_LEFT)
        return &PROBLEM_LEFT;
    return state.line == LINE_OVER ? &PROBLEM_TURN_OVER : NULL;
}

static void after_facts(struct visit *visit)
{
    visit->problem = problem_of_turn(visit);
    if (visit->problem)
        visit->joined(visit);
    else
        visit_order(visit, visit->joined);
}

void ordering_begin(struct visit *visit, void (*then)(struct visit *visit))
{
    visit->joined = then;
    visit_with_facts(visit, after_facts);
}

void ordering_take_back(struct visit *visit, void (*then)(struct visit *visit))
{
    visit->joined = then;
    visit_take_back(visit, then);
}

void ordering_more_time(struct visit *visit, void (*then)(struct visit *visit))
{
    visit->joined = then;
    visit_more_time(visit, then);
}

void ordering_pay(struct visit *visit, void (*then)(struct visit *visit))
{
    visit->joined = then;
    if (visit->loop->room->config->common.payment_provider == PAYMENT_STRIPE) {
        visit_pay(visit, then);
        return;
    }
    visit->problem = &PROBLEM_NO_PAYMENT;
    then(visit);
}

// What a verdict means to somebody who wants to pay, where it is not what it means to others.
static const struct problem *problem_of_payment(const struct visit *visit, struct problem_more *more)
{
    switch (visit->request.order_verdict) {
    case ORDER_NO_HOLD:
        more->detail = "Only what is held can be paid.";
        return &PROBLEM_NO_HOLD;
    case ORDER_LAPSED:
        more->detail = "The hold has run out, so it cannot be paid any more.";
        return &PROBLEM_HOLD_OVER;
    case ORDER_STOPPED:
        more->detail = "Nothing can be paid until it goes on. What is held stays held.";
        more->retry_after_seconds = visit->request.retry_after_seconds;
        return &PROBLEM_STOPPED;
    case ORDER_IS_PAYING:
        return &PROBLEM_PAYING;
    case ORDER_TOO_MANY_TRIES:
        return &PROBLEM_TOO_MANY_TRIES;
    case ORDER_NO_MEANS:
        more->field = "payment_method";
        more->field_detail = "Say what to pay with, or leave a card first.";
        return &PROBLEM_INVALID;
    case ORDER_NOTHING_DUE:
        more->detail = "Nothing is due.";
        return &PROBLEM_NO_PAYMENT;
    default:
        return NULL;
    }
}

static const struct problem *problem_of_verdict(const struct visit *visit, struct problem_more *more)
{
    const struct line_store_request *request = &visit->request;
    const struct problem *problem = request->kind == LINE_STORE_PAY ? problem_of_payment(visit, more) : NULL;
    if (problem)
        return problem;
    switch (request->order_verdict) {
    case ORDER_LEFT:
        return &PROBLEM_LEFT;
    case ORDER_NOT_YET:
        more->with_opens_at = true;
        more->opens_at_us = visit->view->event->opens_at_us;
        return &PROBLEM_DRAFT;
    case ORDER_STOPPED:
        more->retry_after_seconds = request->retry_after_seconds;
        return &PROBLEM_STOPPED;
    case ORDER_EVENT_SOLD_OUT:
        return &PROBLEM_SOLD_OUT;
    case ORDER_EVENT_OVER:
        return &PROBLEM_CLOSED;
    case ORDER_TOO_LATE:
        if (request->kind == LINE_STORE_TAKE_BACK) // what is held could be given back
            more->detail = "It is being booked or paid, so it cannot be taken back at the moment."
                           " What becomes of it is told as soon as it is known.";
        return &PROBLEM_RELEASED;
    case ORDER_HAS_TICKETS:
        return &PROBLEM_CONFIRMED;
    case ORDER_ENDED:
        return &PROBLEM_ENDED;
    case ORDER_NO_HOLD:
        more->detail = "Only a hold that can run out can be given more time.";
        return &PROBLEM_NO_HOLD;
    case ORDER_HAD_MORE_TIME:
        return &PROBLEM_MORE_TIME_GIVEN;
    case ORDER_LAPSED:
        return &PROBLEM_HOLD_OVER;
    case ORDER_TURN_OVER:
        return &PROBLEM_TURN_OVER;
    case ORDER_TOO_OFTEN:
        more->retry_after_seconds = 3600;
        return request->kind == LINE_STORE_CARD_BEGIN ? &PROBLEM_TOO_MANY_CARDS : &PROBLEM_TOO_OFTEN;
    default:
        return &PROBLEM_NO_ORDER;
    }
}

const struct problem *ordering_problem(const struct visit *visit, struct problem_more *ret_more)
{
    *ret_more = (struct problem_more){0};
    if (visit->problem)
        return visit->problem;
    if (visit->error == ERROR_CONFLICT)
        return problem_of_verdict(visit, ret_more);
    if (visit->error == 0 && (visit->order || visit->card))
        return NULL;
    ret_more->retry_after_seconds = visit->error == ERROR_TRANSIENT ? visit->request.retry_after_seconds : 0;
    const struct problem *problem = visit_problem(visit);
    return problem ? problem : &PROBLEM_UNAVAILABLE;
}

void ordering_answer(struct visit *visit, int status)
{
    struct problem_more more;
    const struct problem *problem = ordering_problem(visit, &more);
    if (problem)
        visit_refuse(visit, problem, more);
    else
        visit_respond_order(visit, status, visit->order);
}
