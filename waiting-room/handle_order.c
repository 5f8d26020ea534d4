// SPDX-License-Identifier: Apache-2.0
// /v1/events/SLUG/order: one's own order, given or changed, looked at, taken back; and more time for what is held.
#include "waiting-room/accept.h"
#include "waiting-room/handle.h"
#include "waiting-room/ordering.h"

static void answer_get(struct visit *visit)
{
    const struct visitor *visitor = visit->visitor;
    // With MySQL away, what was heard last is still true of an end.
    bool known = visit->error == 0 || (visit->error == ERROR_TRANSIENT && visitor->order_known && visitor->order &&
                                       order_is_final(visitor->order->state));
    if (!known)
        visit_refuse(visit, visit_problem(visit), (struct problem_more){0});
    else if (!visitor->order)
        visit_refuse(visit, &PROBLEM_NO_ORDER, (struct problem_more){0});
    else
        visit_respond_order(visit, 200, visitor->order);
}

void handle_order_get(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    if (accept_choose(request->accept) == ACCEPT_NEITHER) {
        problem_respond(exchange, &PROBLEM_NOT_ACCEPTABLE, NULL);
        return;
    }
    struct visit *visit = visit_begin(exchange, request, view);
    if (visit && visit_needs_token(visit))
        visit_read_order(visit, answer_get);
}

static void answer_put(struct visit *visit)
{
    ordering_answer(visit, 202);
}

void handle_order_put(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct order_form_problems problems;
    if (!accept_is_json_body(request->content_type)) {
        problem_respond(exchange, &PROBLEM_MEDIA_TYPE, NULL);
        return;
    }
    struct visit *visit = visit_begin(exchange, request, view);
    if (!visit || !visit_needs_token(visit))
        return;
    int error = order_form_read(request->body, request->body_bytes, view->event, &visit->form, &problems);
    if (error < 0)
        visit_refuse_form(visit, error, &problems);
    else
        ordering_begin(visit, answer_put);
}

// Of what was there already.
static void answer_changed(struct visit *visit)
{
    ordering_answer(visit, 200);
}

void handle_order_take_back(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct visit *visit = visit_begin(exchange, request, view);
    if (visit && visit_needs_token(visit))
        ordering_take_back(visit, answer_changed);
}

void handle_order_more_time(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct visit *visit = visit_begin(exchange, request, view);
    if (visit && visit_needs_token(visit))
        ordering_more_time(visit, answer_changed);
}
