// SPDX-License-Identifier: Apache-2.0
// The table of routes, and what is the same for all of them: unknown addresses, methods, foreign sites, unknown events.
#include "waiting-room/router.h"

#include <string.h>
#include <strings.h>

#include "common/provider_event.h"
#include "waiting-room/handle.h"
#include "waiting-room/owner.h"
#include "waiting-room/problem.h"

#define RETRY_AFTER_SECONDS 2

enum {
    CAN_GET = 1,
    CAN_POST = 2,
    CAN_DELETE = 4,
    CAN_PUT = 8,
};

static const struct {
    const char *pattern; // "*" stands for a slug
    enum route route;
    unsigned methods;
    const char *allow;
} routes[] = {
    {"/e/*", ROUTE_PAGE, CAN_GET, "GET, HEAD"},
    {"/e/*/join", ROUTE_PAGE_JOIN, CAN_POST, "POST"},
    {"/e/*/order", ROUTE_PAGE_ORDER, CAN_POST, "POST"},
    {"/e/*/more-time", ROUTE_PAGE_MORE_TIME, CAN_POST, "POST"},
    {"/e/*/receipt", ROUTE_RECEIPT, CAN_GET, "GET, HEAD"},
    {"/e/*/card", ROUTE_PAGE_CARD, CAN_POST, "POST"},
    {"/e/*/pay", ROUTE_PAGE_PAY, CAN_POST, "POST"},
    {"/e/*/leave", ROUTE_PAGE_LEAVE, CAN_POST, "POST"},
    {"/v1/events/*", ROUTE_EVENT, CAN_GET, "GET, HEAD"},
    {"/v1/events/*/seats", ROUTE_SEATS, CAN_GET, "GET, HEAD"},
    {"/v1/events/*/line", ROUTE_LINE, CAN_GET | CAN_POST | CAN_DELETE, "GET, HEAD, POST, DELETE"},
    {"/v1/events/*/order", ROUTE_ORDER, CAN_GET | CAN_PUT | CAN_DELETE, "GET, HEAD, PUT, DELETE"},
    {"/v1/events/*/order/more-time", ROUTE_MORE_TIME, CAN_POST, "POST"},
    {"/v1/events/*/order/card", ROUTE_CARD, CAN_GET | CAN_POST, "GET, HEAD, POST"},
    {"/v1/events/*/payment", ROUTE_PAYMENT, CAN_POST, "POST"},
    {"/v1/payments/webhook", ROUTE_WEBHOOK, CAN_POST, "POST"},
    {"/.well-known/jwks.json", ROUTE_JWKS, CAN_GET, "GET, HEAD"},
};

static const struct {
    const char *path;
    enum page_file_name name;
} files[] = {
    {"/assets/onsale.css", PAGE_CSS},        {"/assets/onsale.js", PAGE_JS},    {"/assets/dom.js", PAGE_DOM_JS},
    {"/assets/network.js", PAGE_NETWORK_JS}, {"/assets/walk.js", PAGE_WALK_JS}, {"/assets/order.js", PAGE_ORDER_JS},
    {"/assets/seats.js", PAGE_SEATS_JS},     {"/assets/hold.js", PAGE_HOLD_JS}, {"/assets/pay.js", PAGE_PAY_JS},
    {"/assets/receipt.js", PAGE_RECEIPT_JS}, {"/assets/icon.svg", PAGE_ICON},   {"/favicon.ico", PAGE_ICON},
};

static bool matches(const char *pattern, const char *path, char slug[static SLUG_BYTES])
{
    slug[0] = '\0';
    size_t before = strcspn(pattern, "*");
    if (pattern[before] == '\0')
        return strcmp(pattern, path) == 0;
    if (strncmp(pattern, path, before) != 0)
        return false;
    size_t bytes = strcspn(path + before, "/");
    if (!slug_is_valid(path + before, bytes) || strcmp(pattern + before + 1, path + before + bytes) != 0)
        return false;
    memcpy(slug, path + before, bytes);
    slug[bytes] = '\0';
    return true;
}

static unsigned method_bit(enum http_method method)
{
    switch (method) {
    case HTTP_GET:
    case HTTP_HEAD:
        return CAN_GET;
    case HTTP_POST:
        return CAN_POST;
    case HTTP_DELETE:
        return CAN_DELETE;
    case HTTP_PUT:
        return CAN_PUT;
    default:
        return 0;
    }
}

int route_find(enum http_method method, const char *path, struct route_match *ret)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        struct route_match match = {.route = routes[i].route, .allow = routes[i].allow};
        if (!matches(routes[i].pattern, path, match.slug))
            continue;
        *ret = match;
        return routes[i].methods & method_bit(method) ? 0 : ERROR_CONFLICT;
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (strcmp(files[i].path, path) != 0)
            continue;
        *ret = (struct route_match){.route = ROUTE_FILE, .file = files[i].name, .allow = "GET, HEAD"};
        return method_bit(method) == CAN_GET ? 0 : ERROR_CONFLICT;
    }
    return ERROR_NOT_FOUND;
}

bool route_is_foreign(const struct http_request *request, const char *public_url)
{
    if (request->sec_fetch_site && strcasecmp(request->sec_fetch_site, "cross-site") == 0)
        return true;
    const char *origin = request->origin;
    if (!origin)
        return false; // no browser sent it, so no other site could have
    // An empty Origin begins every address.
    if (*origin && strncasecmp(origin, public_url, strlen(origin)) == 0 &&
        strspn(public_url + strlen(origin), "/") == strlen(public_url + strlen(origin)))
        return false;
    return strncasecmp(origin, "https://", 8) != 0 || !request->authority || !*request->authority ||
           strcasecmp(origin + 8, request->authority) != 0;
}

static void handle_line(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    if (request->method == HTTP_POST)
        handle_line_join(exchange, request, view);
    else if (request->method == HTTP_DELETE)
        handle_line_leave(exchange, request, view);
    else
        handle_line_get(exchange, request, view);
}

static void handle_order(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    if (request->method == HTTP_PUT)
        handle_order_put(exchange, request, view);
    else if (request->method == HTTP_DELETE)
        handle_order_take_back(exchange, request, view);
    else
        handle_order_get(exchange, request, view);
}

// Programs get the document; a browser, which names text/html (others ask for it by wildcard only), something to look at.
static void refuse(struct http_exchange *exchange, const struct http_request *request, const struct problem *problem,
                   int64_t retry_after_seconds)
{
    bool is_looked_at = request->method == HTTP_GET && request->accept && strstr(request->accept, "text/html") &&
                        strncmp(request->path, "/v1/", 4) != 0;
    if (is_looked_at)
        handle_page_problem(exchange, problem, retry_after_seconds);
    else
        problem_respond(exchange, problem, &(struct problem_more){.retry_after_seconds = retry_after_seconds});
}

static void handle_event_route(struct http_exchange *exchange, const struct http_request *request,
                               const struct route_match *match)
{
    struct room_loop *loop = http_loop_data(http_exchange_loop(exchange));
    struct event_view *view = room_loop_view(loop, match->slug);
    if (!view) {
        const struct problem *problem = loop->loaded ? &PROBLEM_NO_EVENT : &PROBLEM_UNAVAILABLE;
        int64_t retry_after_seconds = loop->loaded ? 0 : RETRY_AFTER_SECONDS;
        refuse(exchange, request, problem, retry_after_seconds);
        return;
    }
    switch (match->route) {
    case ROUTE_PAGE:
        handle_page(exchange, request, view);
        break;
    case ROUTE_PAGE_JOIN:
        handle_page_join(exchange, request, view);
        break;
    case ROUTE_PAGE_ORDER:
        handle_page_order(exchange, request, view);
        break;
    case ROUTE_PAGE_MORE_TIME:
        handle_page_more_time(exchange, request, view);
        break;
    case ROUTE_RECEIPT:
        handle_receipt(exchange, request, view);
        break;
    case ROUTE_PAGE_CARD:
        handle_page_card(exchange, request, view);
        break;
    case ROUTE_PAGE_PAY:
        handle_page_pay(exchange, request, view);
        break;
    case ROUTE_PAGE_LEAVE:
        handle_page_leave(exchange, request, view);
        break;
    case ROUTE_EVENT:
        handle_event(exchange, request, view);
        break;
    case ROUTE_SEATS:
        handle_seats(exchange, request, view);
        break;
    case ROUTE_ORDER:
        handle_order(exchange, request, view);
        break;
    case ROUTE_MORE_TIME:
        handle_order_more_time(exchange, request, view);
        break;
    case ROUTE_PAYMENT:
        handle_payment(exchange, request, view);
        break;
    case ROUTE_CARD:
        handle_card(exchange, request, view);
        break;
    default:
        handle_line(exchange, request, view);
        break;
    }
}

// What the payment provider tells may be longer than what a visitor has to say.
size_t router_body_bytes_max(const char *path)
{
    struct route_match match;
    char plain[HTTP_PATH_BYTES_MAX + 1];
    size_t bytes = strcspn(path, "?");
    if (bytes >= sizeof plain)
        return HTTP_BODY_BYTES_MAX;
    memcpy(plain, path, bytes);
    plain[bytes] = '\0';
    return route_find(HTTP_POST, plain, &match) == 0 && match.route == ROUTE_WEBHOOK ? PROVIDER_EVENT_BYTES_MAX
                                                                                     : HTTP_BODY_BYTES_MAX;
}

void router_request(struct http_exchange *exchange, const struct http_request *request)
{
    const struct room_loop *loop = http_loop_data(http_exchange_loop(exchange));
    struct route_match match;
    int error = route_find(request->method, request->path, &match);
    if (error == ERROR_NOT_FOUND)
        refuse(exchange, request, &PROBLEM_NOT_FOUND, 0);
    else if (error < 0)
        problem_respond(exchange, &PROBLEM_METHOD, &(struct problem_more){.allow = match.allow});
    else if (match.route == ROUTE_WEBHOOK) // its signature says whose it is
        handle_webhook(exchange, request);
    else if (request->method != HTTP_GET && request->method != HTTP_HEAD &&
             route_is_foreign(request, loop->room->config->public_url))
        problem_respond(exchange, &PROBLEM_FOREIGN_ORIGIN, NULL);
    else if (match.route == ROUTE_FILE)
        handle_page_file(exchange, request, match.file);
    else if (match.route == ROUTE_JWKS)
        handle_jwks(exchange);
    else
        handle_event_route(exchange, request, &match);
}

void router_closed(struct http_exchange *exchange)
{
    struct owner *owner = http_data(exchange);
    if (owner)
        owner->closed(owner);
}
