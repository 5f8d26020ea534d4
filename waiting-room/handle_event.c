// SPDX-License-Identifier: Apache-2.0
// GET /v1/events/SLUG: the public document, the same for everybody and good for a second.
#include "common/buffer.h"
#include "waiting-room/accept.h"
#include "waiting-room/frames.h"
#include "waiting-room/handle.h"
#include "waiting-room/problem.h"

void handle_event(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    static const struct http_header headers[] = {
        {"content-type", "application/json"},
        {"cache-control", "public, max-age=1"},
        {"x-content-type-options", "nosniff"},
    };
    const struct room_loop *loop = http_loop_data(http_exchange_loop(exchange));
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    if (accept_choose(request->accept) != ACCEPT_JSON) {
        problem_respond(exchange, &PROBLEM_NOT_ACCEPTABLE, NULL);
        return;
    }
    room_loop_note_read(view);
    frames_public(&text, view->event, &view->line, (enum payment_provider)loop->room->config->common.payment_provider,
                  room_loop_now_us(loop));
    if (text.failed)
        problem_respond(exchange, &PROBLEM_UNAVAILABLE, &(struct problem_more){.retry_after_seconds = 1});
    else
        http_respond(exchange, 200, headers, sizeof headers / sizeof *headers, text.data, text.bytes);
}
