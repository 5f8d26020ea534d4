// SPDX-License-Identifier: Apache-2.0
// /v1/events/SLUG/line: joining, one's own state as JSON or as a stream, leaving.
#include <string.h>

#include "common/json.h"
#include "waiting-room/accept.h"
#include "waiting-room/cookie.h"
#include "waiting-room/frames.h"
#include "waiting-room/handle.h"
#include "waiting-room/joining.h"
#include "waiting-room/stream.h"
#include "waiting-room/visit.h"

static void answer_state(struct visit *visit)
{
    struct line_state state;
    int64_t now_us;
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT, cookie CLEANUP(buffer_done) = BUFFER_INIT;
    if (visit->error == ERROR_NOT_FOUND || !visit_state(visit, &state, &now_us)) {
        visit_refuse(visit, visit_problem(visit), (struct problem_more){0});
        return;
    }
    visit_renew(visit, &cookie);
    if (visit->wants_stream) {
        stream_open(visit->exchange, visit->visitor, cookie.bytes > 0 ? cookie.data : NULL);
        visit_free(visit);
        return;
    }
    frames_line(&text, &state, visit->visitor->facts.number, NULL, now_us);
    visit_respond(visit, 200, &text, &cookie);
}

void handle_line_get(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    enum accept accept = accept_choose(request->accept);
    if (accept == ACCEPT_NEITHER) {
        problem_respond(exchange, &PROBLEM_NOT_ACCEPTABLE, NULL);
        return;
    }
    struct visit *visit = visit_begin(exchange, request, view);
    if (!visit || !visit_needs_token(visit))
        return;
    visit->wants_stream = accept == ACCEPT_STREAM && request->method != HTTP_HEAD;
    if (visit->wants_stream) // a stream begins with the order, if there is one
        visit_with_order(visit, answer_state);
    else
        visit_with_facts(visit, answer_state);
}

static void answer_join(struct visit *visit)
{
    struct problem_more more;
    const struct problem *problem = joining_problem(visit, &more);
    char token[TOKEN_BYTES_MAX];
    struct line_state state;
    int64_t now_us;
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT, cookie CLEANUP(buffer_done) = BUFFER_INIT;
    if (!problem && !visit_state(visit, &state, &now_us))
        problem = &PROBLEM_UNAVAILABLE;
    if (!problem && visit_sign(visit, token) < 0)
        problem = &PROBLEM_NO_KEY;
    if (problem) {
        visit_refuse(visit, problem, more);
        return;
    }
    frames_line(&text, &state, visit->visitor->facts.number, token, now_us);
    cookie_give(&cookie, visit->view->event->slug, token,
                visit->loop->room->config->common.tokens_queue_lifetime_seconds);
    visit_respond(visit, joining_is_new(visit) ? 201 : 200, &text, &cookie);
}

// What a body asks for. NULL: it is fine; else the problem, with what to add.
static const struct problem *read_body(const struct http_request *request, bool *ret_again, struct problem_more *more,
                                       char *detail, size_t detail_bytes)
{
    static const char *const known[] = {"proof", "member", "again", NULL};
    if (request->body_bytes == 0)
        return NULL;
    if (!accept_is_json_body(request->content_type))
        return &PROBLEM_MEDIA_TYPE;
    json_t *body CLEANUP(json_cleanup) = NULL;
    if (json_read_object(request->body, request->body_bytes, HTTP_BODY_BYTES_MAX, detail, detail_bytes, &body) < 0) {
        more->detail = detail;
        return &PROBLEM_MALFORMED;
    }
    more->field = json_unknown_key(body, known);
    if (more->field) {
        snprintf(detail, detail_bytes, "%s", more->field); // the key dies with the body
        more->field = detail;
        more->field_detail = "There is no such member.";
        return &PROBLEM_INVALID;
    }
    if (json_read_bool(body, "again", ret_again) == ERROR_INVALID) {
        more->field = "again";
        more->field_detail = "It is true or false.";
        return &PROBLEM_INVALID;
    }
    for (size_t i = 0; i < 2; i++) {
        const char *text;
        int found = json_read_string(body, known[i], HTTP_BODY_BYTES_MAX, &text);
        if (found == ERROR_NOT_FOUND)
            continue;
        more->field = known[i];
        more->field_detail = found == 0 ? "This event does not ask for it." : "It is a string.";
        return &PROBLEM_INVALID;
    }
    return NULL;
}

void handle_line_join(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct problem_more more = {0};
    char detail[256] = "";
    bool again = false;
    const struct problem *problem = read_body(request, &again, &more, detail, sizeof detail);
    if (problem) {
        problem_respond(exchange, problem, &more);
        return;
    }
    struct visit *visit = visit_begin(exchange, request, view);
    if (!visit)
        return;
    visit->again = again;
    joining_begin(visit, request->address, answer_join);
}

static void answer_leave(struct visit *visit)
{
    struct buffer cookie CLEANUP(buffer_done) = BUFFER_INIT;
    if (visit->error < 0) {
        visit_refuse(visit, visit_problem(visit), (struct problem_more){0});
        return;
    }
    cookie_remove(&cookie, visit->view->event->slug);
    struct http_header headers[] = {{"cache-control", "no-store"}, {"set-cookie", cookie.data}};
    http_respond(visit->exchange, 204, headers, 2, NULL, 0);
    visit_free(visit);
}

void handle_line_leave(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct visit *visit = visit_begin(exchange, request, view);
    if (visit && visit_needs_token(visit))
        visit_leave(visit, answer_leave);
}
