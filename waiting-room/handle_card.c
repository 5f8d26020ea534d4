// SPDX-License-Identifier: Apache-2.0
// /v1/events/SLUG/order/card: a page of the provider's on which a visitor leaves a card, and what became of it.
#include <string.h>

#include "common/clock.h"
#include "waiting-room/accept.h"
#include "waiting-room/handle.h"
#include "waiting-room/leave_card.h"

static void write_member(struct buffer *text, const char *key, const char *value)
{
    buffer_format(text, ",\"%s\":", key);
    buffer_json_string(text, value);
}

static void respond(struct visit *visit, int status, struct buffer *text)
{
    struct buffer cookie CLEANUP(buffer_done) = BUFFER_INIT;
    char now[CLOCK_TEXT_BYTES];
    write_member(text, "now", clock_format(room_loop_now_us(visit->loop), now));
    buffer_text(text, "}");
    visit_renew(visit, &cookie);
    visit_respond(visit, status, text, &cookie);
}

static void answer_post(struct visit *visit)
{
    struct problem_more more;
    const struct problem *problem = leave_card_problem(visit, &more);
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    if (problem) {
        visit_refuse(visit, problem, more);
        return;
    }
    buffer_text(&text, "{\"url\":");
    buffer_json_string(&text, leave_card_url(visit));
    respond(visit, 201, &text);
}

static void answer_get(struct visit *visit)
{
    struct problem_more more;
    const struct problem *problem = leave_card_problem(visit, &more);
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    if (problem) {
        visit_refuse(visit, problem, more);
        return;
    }
    const struct line_store_card *card = leave_card_known(visit);
    buffer_format(&text, "{\"state\":\"%s\"", card->state);
    if (card->is_kept)
        write_member(&text, "label", card->label);
    if (card->url[0])
        write_member(&text, "url", card->url);
    respond(visit, 200, &text);
}

// "back=1" among the query's parameters: the visitor comes from the page.
static bool is_back(const char *query)
{
    for (const char *at = query; *at; at += strspn(at, "&")) {
        size_t bytes = strcspn(at, "&");
        if (bytes == strlen("back=1") && strncmp(at, "back=1", bytes) == 0)
            return true;
        at += bytes;
    }
    return false;
}

void handle_card(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    bool is_post = request->method == HTTP_POST, comes_back = is_back(request->query);
    if (!is_post && accept_choose(request->accept) == ACCEPT_NEITHER) {
        problem_respond(exchange, &PROBLEM_NOT_ACCEPTABLE, NULL);
        return;
    }
    struct visit *visit = visit_begin(exchange, request, view);
    if (!visit || !visit_needs_token(visit))
        return;
    if (is_post)
        leave_card_begin(visit, answer_post);
    else
        leave_card_look(visit, comes_back, answer_get);
}
