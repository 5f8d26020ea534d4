// SPDX-License-Identifier: Apache-2.0
// POST /v1/events/SLUG/payment: paying for what is held. It is only begun here; what becomes of it is told as the order's state.
#include "waiting-room/accept.h"
#include "waiting-room/handle.h"
#include "waiting-room/ordering.h"

static void answer(struct visit *visit)
{
    ordering_answer(visit, 202);
}

void handle_payment(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct order_form_problems problems;
    if (request->body_bytes > 0 && !accept_is_json_body(request->content_type)) {
        problem_respond(exchange, &PROBLEM_MEDIA_TYPE, NULL);
        return;
    }
    struct visit *visit = visit_begin(exchange, request, view);
    if (!visit || !visit_needs_token(visit))
        return;
    int error = payment_form_read(request->body, request->body_bytes, &visit->payment, &problems);
    if (error < 0)
        visit_refuse_form(visit, error, &problems);
    else
        ordering_pay(visit, answer);
}
