// SPDX-License-Identifier: Apache-2.0
// /e/SLUG: the page, the forms that work without JavaScript, and the page's files.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "waiting-room/cookie.h"
#include "waiting-room/frames.h"
#include "waiting-room/handle.h"
#include "waiting-room/joining.h"
#include "waiting-room/leave_card.h"
#include "waiting-room/order_facts.h"
#include "waiting-room/page_build.h"
#include "waiting-room/problem.h"
#include "waiting-room/visit.h"

#define CONTENT_SECURITY_POLICY                                                                           \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " \
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
// The files keep their names over an upgrade, so a browser asks each time whether its copy is still right (and gets a 304).
#define FILES_CACHING "public, no-cache"

// What the address of the page asked for, besides the page.
struct asked {
    struct form query;
    bool choosing;
    const char *field, *field_text;
    enum {
        CARD_NOT_ASKED,
        CARD_OPEN,
        CARD_BACK,
        CARD_LOOK,
        CARD_CANCELLED
    } card; // where the visitor and a card page are
    const struct line_store_card *known_card; // NULL: not looked at
    const struct problem *problem; // while that is done
};

static enum page_line page_line(enum line line)
{
    switch (line) {
    case LINE_LOBBY:
        return PAGE_LINE_LOBBY;
    case LINE_WAITING:
        return PAGE_LINE_WAITING;
    case LINE_TURN:
        return PAGE_LINE_TURN;
    case LINE_OVER:
        return PAGE_LINE_OVER;
    case LINE_LEFT:
        return PAGE_LINE_LEFT;
    }
    return PAGE_LINE_NONE;
}

enum page_payment handle_page_payment(const struct room_config *config)
{
    switch (config->common.payment_provider) {
    case PAYMENT_MANUAL:
        return PAGE_PAYS_SELLER;
    case PAYMENT_STRIPE:
        return PAGE_PAYS_CARD;
    default:
        return PAGE_PAYS_DOOR;
    }
}

static void fill_visitor(struct page_view *page, const struct visit *visit, const struct line_state *state)
{
    page->line = page_line(state->line);
    page->place = state->place ? state->place : visit->visitor->facts.number;
    page->ahead = state->ahead;
    page->wait_known = state->has_wait;
    page->wait_low_seconds = (uint64_t)state->wait_low_seconds;
    page->wait_high_seconds = (uint64_t)state->wait_high_seconds;
}

// The sentence that the page shows for what went wrong, here or with the form before.
static void add_problem(struct buffer *text, const struct problem *problem)
{
    if (problem)
        buffer_format(text, "%s. %s", problem->title, problem->detail);
}

void handle_page_respond(struct visit *visit, const struct buffer *html, const struct buffer *cookie)
{
    struct http_header headers[8] = {
        {"content-type", "text/html; charset=utf-8"},
        {"cache-control", "no-store"},
        {"content-security-policy", CONTENT_SECURITY_POLICY},
        {"x-content-type-options", "nosniff"},
        {"referrer-policy", "same-origin"},
    };
    size_t count = 5;
    if (cookie->bytes > 0)
        headers[count++] = (struct http_header){"set-cookie", cookie->data};
    http_respond(visit->exchange, 200, headers, count, html->data, html->bytes);
    visit_free(visit);
}

// Nor that somebody has tickets who has none.
static bool is_so_for(const struct problem *problem, const struct line_state *state, const struct order_facts *order)
{
    return (problem != &PROBLEM_RELEASED || (order && order->state != ORDER_PLACED)) &&
           (problem != &PROBLEM_CONFIRMED || (order && order->state == ORDER_CONFIRMED)) &&
           (problem != &PROBLEM_PAYING || (order && order->state == ORDER_PAYING)) &&
           (problem != &PROBLEM_NO_ORDER || !order) &&
           (problem != &PROBLEM_LEFT || (state && state->line == LINE_LEFT)) &&
           (problem != &PROBLEM_TURN_OVER || (state && state->line == LINE_OVER));
}

// What is known of a card, for who leaves one without a script.
static void fill_card(struct page_view *page, struct page_order *order, const struct asked *asked)
{
    const struct line_store_card *card = asked->known_card;
    if (asked->card == CARD_CANCELLED)
        page->card_note = PAGE_CARD_MISSED;
    if (!card)
        return;
    order->has_card = card->is_kept;
    order->card_label = card->label;
    page->card_url = card->url;
    bool is_open = strcmp(card->state, "open") == 0;
    page->card_is_coming = asked->card == CARD_BACK && is_open;
    if (page->card_is_coming)
        page->card_note = PAGE_CARD_COMING;
    else if ((asked->card == CARD_BACK || asked->card == CARD_LOOK) && strcmp(card->state, "kept") != 0)
        page->card_note = is_open ? PAGE_CARD_LATE : PAGE_CARD_MISSED;
}

static void render(struct visit *visit)
{
    const struct event_view *view = visit->view;
    const struct snapshot *event = view->event;
    const struct page_file *template = &visit->loop->page->files[PAGE_HTML];
    struct buffer html CLEANUP(buffer_done) = BUFFER_INIT, cookie CLEANUP(buffer_done) = BUFFER_INIT,
                       document CLEANUP(buffer_done) = BUFFER_INIT, line CLEANUP(buffer_done) = BUFFER_INIT,
                       problem CLEANUP(buffer_done) = BUFFER_INIT;
    struct buffer order_json CLEANUP(buffer_done) = BUFFER_INIT;
    static const struct asked nothing;
    const struct asked *asked = visit->data ? visit->data : &nothing;
    struct page_build build CLEANUP(page_build_done) = {0};
    char starts[PAGE_TIME_BYTES], opens[PAGE_TIME_BYTES], until[PAGE_TIME_BYTES], pay_until[PAGE_TIME_BYTES];
    struct line_state state;
    int64_t now_us = room_loop_now_us(visit->loop);
    const struct problem *failed = visit_problem(visit);
    bool told = visit->visitor && visit->error != ERROR_NOT_FOUND && visit_state(visit, &state, &now_us);
    bool order_known = told && (visit->error == 0 || visit->visitor->order_known);
    const struct order_facts *order = order_known ? visit->visitor->order : NULL;
    struct page_view page = {.slug = event->slug,
                             .name = event->name,
                             .venue = event->venue,
                             .state = lifecycle_state_name(event->state),
                             .starts_text = page_time_text(event->starts_at_us, starts),
                             .opens_text = page_deadline_text(event->opens_at_us, now_us, opens),
                             .notice = event->notice,
                             .choosing = asked->choosing,
                             .payment = handle_page_payment(visit->loop->room->config),
                             .field = asked->field,
                             .field_text = asked->field_text,
                             .in_line = view->line.last > view->line.served ? view->line.last - view->line.served : 0};
    page_build(&build, event, order, &asked->query, &page);
    fill_card(&page, &build.order, asked);
    if (order) {
        int64_t stopped_us = event_view_stopped_us(view, now_us);
        build.order.pay_until_text = page_deadline_text(order_facts_pay_until_us(order, stopped_us), now_us, pay_until);
        order_facts_write(&order_json, order, stopped_us, now_us);
    }
    page.order_json = order_json.data;
    page.order_unknown = told && !order_known;
    if (page.order_unknown)
        page.order_json = "false";
    if (told) {
        failed = NULL; // with MySQL away the token still tells who waits where
        fill_visitor(&page, visit, &state);
        page.until_text = page_deadline_text(state.until_us, now_us, until);
        frames_line(&line, &state, visit->visitor->facts.number, NULL, now_us);
        page.line_json = line.data;
        visit_renew(visit, &cookie);
    }
    if (failed && failed->status == 401 && visit->by_cookie)
        cookie_remove(&cookie, event->slug); // an old cookie must not lock its visitor out
    bool is_true = !asked->field && is_so_for(visit->problem, told ? &state : NULL, order); // a field's is told there
    add_problem(&problem, failed ? failed : is_true ? visit->problem : NULL);
    page.problem_text = problem.data;
    frames_public(&document, event, &view->line,
                  (enum payment_provider)visit->loop->room->config->common.payment_provider, now_us);
    page.document_json = document.data;
    page_render(template->data, template->bytes, &page, &html);
    handle_page_respond(visit, &html, &cookie);
}

// Why a field of the form was refused. The words are ours: what stands in an address may be anybody's.
static const char *field_text(const char *field)
{
    static const struct {
        const char *field, *text;
    } texts[] = {
        {"tickets", "Choose which tickets you want, and how many: at least one, and no more than one order may have."},
        {"seats",
         "Name seats that are on the plan, each once and as many as tickets, or none: then they are chosen for you. "
         "Places for wheelchairs and companions are for who says below that they need them."},
        {"needs",
         "Say how many places for wheelchairs and companions are needed: no more than tickets together, and no more "
         "than this part of the hall has."},
        {"alternatives",
         "Choose other tickets that are on sale, each at most once. If you need places for wheelchairs or "
         "companions, they must have as many."},
        {"email", "Enter the e-mail address that the tickets are to be booked for. It looks like name@example.org."},
        {"name", "Leave the name out, or enter a shorter one."},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i].field, field) == 0)
            return texts[i].text;
    return NULL;
}

static void free_asked(void *data)
{
    struct asked *asked = data;
    if (asked)
        form_done(&asked->query);
    free(asked);
}

static void read_card(struct asked *asked)
{
    static const char *const words[] = {
        [CARD_OPEN] = "open", [CARD_BACK] = "back", [CARD_LOOK] = "look", [CARD_CANCELLED] = "cancelled"};
    const char *card = form_value(&asked->query, "card");
    for (unsigned i = CARD_OPEN; card && i <= CARD_CANCELLED; i++)
        if (strcmp(card, words[i]) == 0)
            asked->card = i;
}

// The query is kept for render(): it lives no longer than this call.
static void read_query(struct visit *visit, const struct http_request *request)
{
    struct asked *asked = calloc(1, sizeof *asked);
    if (!asked)
        return;
    visit->data = asked;
    visit->free_data = free_asked;
    if (form_read(request->query, strlen(request->query), &asked->query) < 0)
        return;
    read_card(asked);
    const char *choose = form_value(&asked->query, "choose"), *field = form_value(&asked->query, "field");
    asked->choosing = choose && strcmp(choose, "1") == 0;
    asked->field_text = field ? field_text(field) : NULL;
    asked->field = asked->field_text ? field : NULL;
}

static const struct problem *problem_in_query(const char *query)
{
    const char *found = strstr(query, "problem=");
    if (!found || (found != query && found[-1] != '&'))
        return NULL;
    found += strlen("problem=");
    return problem_find(found, strcspn(found, "&"));
}

// A link that somebody passes on must not say that the event is closed when it is not.
static bool is_so(const struct problem *problem, enum lifecycle_state state)
{
    return (problem != &PROBLEM_DRAFT || state == LIFECYCLE_DRAFT) &&
           (problem != &PROBLEM_SOLD_OUT || state == LIFECYCLE_SOLD_OUT) &&
           (problem != &PROBLEM_CLOSED || state == LIFECYCLE_CLOSED) &&
           (problem != &PROBLEM_STOPPED || state == LIFECYCLE_STOPPED);
}

static struct visit *begin(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct visit *visit = visit_new(exchange, request, view);
    if (!visit)
        problem_respond(exchange, &PROBLEM_UNAVAILABLE, &(struct problem_more){.retry_after_seconds = 1});
    return visit;
}

static void after_card(struct visit *visit)
{
    struct asked *asked = visit->data;
    if (visit->error == 0 && !visit->problem)
        asked->known_card = leave_card_known(visit);
    visit->problem = asked->problem;
    visit->error = 0; // of the order, without which no card was looked at
    render(visit);
}

// What the button in the hold says is charged, so it must be the newest there is; while waiting it is what was known with the order.
static void after_order(struct visit *visit)
{
    struct asked *asked = visit->data;
    const struct order_facts *order = visit->error == 0 ? visit->visitor->order : NULL;
    bool is_held = order && (order->state == ORDER_HELD || order->state == ORDER_DECLINED);
    bool is_asked = order && asked && asked->card != CARD_NOT_ASKED && asked->card != CARD_CANCELLED;
    if (!asked || !visit->loop->room->desk || (!is_held && !is_asked)) {
        render(visit);
        return;
    }
    asked->problem = visit->problem;
    leave_card_look(visit, asked->card == CARD_BACK || asked->card == CARD_LOOK, after_card);
}

void handle_page(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct visit *visit = begin(exchange, request, view);
    if (!visit)
        return;
    const struct problem *problem = problem_in_query(request->query);
    visit->problem = is_so(problem, view->event->state) ? problem : NULL;
    read_query(visit, request);
    room_loop_note_read(view);
    if (visit->visitor)
        visit_with_order(visit, after_order);
    else
        render(visit);
}

// Back to the page (303, so that reloading does not send the form again), with the problem's type for it to show.
static void go_back(struct visit *visit, const struct problem *problem, const struct buffer *cookie)
{
    char location[SLUG_BYTES + 96];
    snprintf(location, sizeof location, "/e/%s%s%s", visit->view->event->slug, problem ? "?problem=" : "",
             problem ? problem->type : "");
    struct http_header headers[3] = {{"location", location}, {"cache-control", "no-store"}};
    size_t count = 2;
    if (cookie->bytes > 0)
        headers[count++] = (struct http_header){"set-cookie", cookie->data};
    http_respond(visit->exchange, 303, headers, count, NULL, 0);
    visit_free(visit);
}

static void after_join(struct visit *visit)
{
    struct problem_more more;
    const struct problem *problem = joining_problem(visit, &more);
    char token[TOKEN_BYTES_MAX];
    struct buffer cookie CLEANUP(buffer_done) = BUFFER_INIT;
    if (!problem && visit_sign(visit, token) < 0)
        problem = &PROBLEM_NO_KEY;
    if (!problem)
        cookie_give(&cookie, visit->view->event->slug, token,
                    visit->loop->room->config->common.tokens_queue_lifetime_seconds);
    else if (problem->status == 401 && visit->by_cookie)
        cookie_remove(&cookie, visit->view->event->slug);
    go_back(visit, problem, &cookie);
}

static bool form_says_again(const struct http_request *request)
{
    const char *found = strstr(request->body, "again=true");
    return found && (found == request->body || found[-1] == '&') && (found[10] == '\0' || found[10] == '&');
}

void handle_page_join(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct visit *visit = begin(exchange, request, view);
    if (!visit)
        return;
    visit->again = form_says_again(request);
    joining_begin(visit, request->address, after_join);
}

static void after_leave(struct visit *visit)
{
    struct buffer nothing = BUFFER_INIT; // the cookie stays: it lets the page say that the place was given up
    go_back(visit, visit_problem(visit), &nothing);
}

void handle_page_leave(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct buffer cookie CLEANUP(buffer_done) = BUFFER_INIT;
    struct visit *visit = begin(exchange, request, view);
    if (!visit)
        return;
    if (visit->visitor) {
        visit_leave(visit, after_leave);
        return;
    }
    if (visit->identity != VISIT_NOBODY && visit->by_cookie)
        cookie_remove(&cookie, view->event->slug);
    go_back(visit, visit->identity == VISIT_NOBODY ? &PROBLEM_NO_TOKEN : visit_problem(visit), &cookie);
}

void handle_page_file(struct http_exchange *exchange, const struct http_request *request, enum page_file_name name)
{
    const struct room_loop *loop = http_loop_data(http_exchange_loop(exchange));
    const struct page_file *file = &loop->page->files[name];
    struct http_header headers[] = {
        {"content-type", file->content_type},
        {"cache-control", FILES_CACHING},
        {"etag", file->etag},
        {"x-content-type-options", "nosniff"},
    };
    // A tag is quoted and of one length, so it can only be found as a whole (RFC 9110, 13.1.2).
    bool has_it = request->if_none_match && strstr(request->if_none_match, file->etag);
    http_respond(exchange, has_it ? 304 : 200, headers, 4, file->data, file->bytes);
}

void handle_page_problem(struct http_exchange *exchange, const struct problem *problem, int64_t retry_after_seconds)
{
    char retry_after[24];
    snprintf(retry_after, sizeof retry_after, "%lld", (long long)retry_after_seconds);
    struct buffer html CLEANUP(buffer_done) = BUFFER_INIT;
    buffer_text(&html, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>");
    buffer_html(&html, problem->title);
    buffer_text(&html, "</title>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    if (retry_after_seconds > 0)
        buffer_format(&html, "<meta http-equiv=\"refresh\" content=\"%s\">\n", retry_after);
    buffer_text(
        &html, "<link rel=\"icon\" href=\"/assets/icon.svg\" type=\"image/svg+xml\">\n"
               "<link rel=\"stylesheet\" href=\"/assets/onsale.css\">\n</head>\n<body>\n<main class=\"counter gate\">\n"
               "<article class=\"ticket\"><header class=\"ticket-head\"><h1>");
    buffer_html(&html, problem->title);
    buffer_text(&html, "</h1></header><div class=\"ticket-body\"><p class=\"lead\">");
    buffer_html(&html, retry_after_seconds > 0 ? "This page tries again by itself. Places that were given are kept."
                                               : problem->detail);
    buffer_text(&html, "</p></div></article>\n</main>\n</body>\n</html>\n");
    struct http_header headers[] = {{"content-type", "text/html; charset=utf-8"},
                                    {"cache-control", "no-store"},
                                    {"content-security-policy", CONTENT_SECURITY_POLICY},
                                    {"x-content-type-options", "nosniff"},
                                    {"referrer-policy", "same-origin"},
                                    {"retry-after", retry_after}};
    http_respond(exchange, problem->status, headers, retry_after_seconds > 0 ? 6 : 5, html.data, html.bytes);
}
