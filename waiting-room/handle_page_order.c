// SPDX-License-Identifier: Apache-2.0
// POST /e/SLUG/order, /e/SLUG/more-time, /e/SLUG/pay and /e/SLUG/card: the forms of the page without JavaScript. What was chosen is judged by the rule of PUT order; the answer is
// always the way back to the page, with what is wrong and, but for e-mail and name, with what was chosen.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "waiting-room/cookie.h"
#include "waiting-room/handle.h"
#include "waiting-room/leave_card.h"
#include "waiting-room/ordering.h"
#include "waiting-room/page_choice.h"
#include "waiting-room/page_render.h"

// What of the form the answer needs.
struct sent {
    struct buffer query; // what was chosen, for the way back
};

static void free_sent(void *data)
{
    struct sent *sent = data;
    if (sent)
        buffer_done(&sent->query);
    free(sent);
}

// 303, so that reloading does not send the form again. With a problem that another try may mend the form is opened again.
static void go_back(struct visit *visit, const struct problem *problem, const char *field)
{
    struct buffer location CLEANUP(buffer_done) = BUFFER_INIT, cookie CLEANUP(buffer_done) = BUFFER_INIT;
    const struct sent *sent = visit->data;
    bool again = problem && sent && (problem == &PROBLEM_INVALID || problem->status == 503);
    buffer_format(&location, "/e/%s", visit->view->event->slug);
    if (problem)
        buffer_format(&location, "?%sproblem=%s", again ? "choose=1&" : "", problem->type);
    if (field)
        buffer_format(&location, "&field=%s", field);
    if (again && sent->query.data)
        buffer_text(&location, sent->query.data);
    buffer_text(&location, problem && !again ? "" : "#order");
    if (problem && problem->status == 401 && visit->by_cookie)
        cookie_remove(&cookie, visit->view->event->slug);
    struct http_header headers[3] = {{"location", location.data}, {"cache-control", "no-store"}};
    size_t count = 2;
    if (cookie.bytes > 0)
        headers[count++] = (struct http_header){"set-cookie", cookie.data};
    http_respond(visit->exchange, 303, headers, count, NULL, 0);
    visit_free(visit);
}

static void after(struct visit *visit)
{
    struct problem_more more;
    go_back(visit, ordering_problem(visit, &more), NULL);
}

// The part of the page that a field of PUT order belongs to.
static const char *place_of(const char *field)
{
    static const char *const places[] = {"email", "name", "alternatives", "seats", "needs"};
    size_t bytes = strcspn(field, ".");
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strlen(places[i]) == bytes && strncmp(field, places[i], bytes) == 0)
            return places[i];
    return "tickets";
}

static void order(struct visit *visit, const struct form *form)
{
    struct buffer json CLEANUP(buffer_done) = BUFFER_INIT;
    struct order_form_problems problems;
    struct sent *sent = calloc(1, sizeof *sent);
    visit->data = sent;
    visit->free_data = free_sent;
    page_choice_json(form, visit->view->event, &json);
    if (sent)
        page_choice_query(form, &sent->query);
    if (!sent || json.failed) {
        go_back(visit, &PROBLEM_UNAVAILABLE, NULL);
        return;
    }
    int error = order_form_read(json.data, json.bytes, visit->view->event, &visit->form, &problems);
    if (error == 0)
        ordering_begin(visit, after);
    else if (error == ERROR_CONFLICT && problems.count > 0)
        go_back(visit, &PROBLEM_INVALID, place_of(problems.items[0].field));
    else
        go_back(visit, error == ERROR_INVALID ? &PROBLEM_MALFORMED : &PROBLEM_UNAVAILABLE, NULL);
}

// The visit of a form's visitor. NULL: it is answered already.
static struct visit *begin(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct visit *visit = visit_begin(exchange, request, view);
    if (!visit || visit->visitor)
        return visit;
    go_back(visit, visit->identity == VISIT_NOBODY ? &PROBLEM_NO_TOKEN : visit_problem(visit), NULL);
    return NULL;
}

void handle_page_more_time(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct visit *visit = begin(exchange, request, view);
    if (visit)
        ordering_more_time(visit, after);
}

static void after_paying(struct visit *visit)
{
    struct problem_more more;
    const struct problem *problem = ordering_problem(visit, &more);
    go_back(visit, problem == &PROBLEM_INVALID ? NULL : problem, NULL); // no card: the page offers to leave one
}

void handle_page_pay(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct visit *visit = begin(exchange, request, view);
    if (visit)
        ordering_pay(visit, after_paying); // with the card that was left: the form has no other
}

// A form may not lead to another site (form-action in the page's policy), so the page has a link to the card page then.
static void after_card(struct visit *visit)
{
    struct problem_more more;
    const struct problem *problem = leave_card_problem(visit, &more);
    char location[SLUG_BYTES + 32];
    if (problem) {
        go_back(visit, problem, NULL);
        return;
    }
    const struct order_facts *order = visit->visitor->order;
    snprintf(location, sizeof location, "/e/%s?card=open#%s", visit->view->event->slug,
             order && order->state == ORDER_PLACED ? "order-card" : "pay");
    struct http_header headers[] = {{"location", location}, {"cache-control", "no-store"}};
    http_respond(visit->exchange, 303, headers, 2, NULL, 0);
    visit_free(visit);
}

void handle_page_card(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct visit *visit = begin(exchange, request, view);
    if (visit)
        leave_card_begin(visit, after_card);
}

void handle_page_order(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct form form;
    struct visit *visit = begin(exchange, request, view);
    if (!visit)
        return;
    int error = form_read(request->body, request->body_bytes, &form);
    if (error < 0) {
        go_back(visit, error == ERROR_MEMORY ? &PROBLEM_UNAVAILABLE : &PROBLEM_MALFORMED, NULL);
        return;
    }
    const char *act = form_value(&form, "do");
    if (act && strcmp(act, "take_back") == 0)
        ordering_take_back(visit, after);
    else
        order(visit, &form);
    form_done(&form);
}
