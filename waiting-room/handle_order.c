// SPDX-License-Identifier: Apache-2.0
// /v1/events/SLUG/order: one's own order, given or changed, looked at, taken back; and more time for what is held.
#include "waiting-room/accept.h"
#include "waiting-room/handle.h"
#include "waiting-room/ordering.h"

static void respond(struct visit *visit, int status, const struct order_facts *order)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT, cookie CLEANUP(buffer_done) = BUFFER_INIT;
    int64_t now_us = room_loop_now_us(visit->loop);
    order_facts_write(&text, order, event_view_stopped_us(visit->view, now_us), now_us);
    visit_renew(visit, &cookie);
    visit_respond(visit, status, &text, &cookie);
}

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
        respond(visit, 200, visitor->order);
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
    struct problem_more more;
    const struct problem *problem = ordering_problem(visit, &more);
    if (problem)
        visit_refuse(visit, problem, more);
    else
        respond(visit, 202, visit->order);
}

static void refuse_form(struct visit *visit, int error, const struct order_form_problems *problems)
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
        refuse_form(visit, error, &problems);
    else
        ordering_begin(visit, answer_put);
}

// Of what was there already.
static void answer_changed(struct visit *visit)
{
    struct problem_more more;
    const struct problem *problem = ordering_problem(visit, &more);
    if (problem)
        visit_refuse(visit, problem, more);
    else
        respond(visit, 200, visit->order);
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
