// SPDX-License-Identifier: Apache-2.0
// Which address is what. The table of routes is in router.c; handlers are in handle_*.c.
#ifndef WAITING_ROOM_ROUTER_H
#define WAITING_ROOM_ROUTER_H

#include <stdbool.h>

#include "common/slug.h"
#include "waiting-room/http.h"
#include "waiting-room/page_files.h"

enum route {
    ROUTE_PAGE,
    ROUTE_PAGE_JOIN,
    ROUTE_PAGE_LEAVE,
    ROUTE_PAGE_ORDER,
    ROUTE_PAGE_MORE_TIME,
    ROUTE_PAGE_PAY,
    ROUTE_PAGE_CARD,
    ROUTE_RECEIPT,
    ROUTE_EVENT,
    ROUTE_SEATS,
    ROUTE_LINE,
    ROUTE_ORDER,
    ROUTE_MORE_TIME,
    ROUTE_PAYMENT,
    ROUTE_CARD,
    ROUTE_WEBHOOK,
    ROUTE_FILE,
    ROUTE_JWKS,
};

struct route_match {
    enum route route;
    enum page_file_name file; // of ROUTE_FILE: which one
    char slug[SLUG_BYTES]; // "" where the route has none
    const char *allow; // its methods, for the field Allow
};

// Pure. 0; ERROR_NOT_FOUND: no such address; ERROR_CONFLICT: it is there, but not for this method (ret->allow is set).
int route_find(enum http_method method, const char *path, struct route_match *ret) MUST_USE;

// Pure: whether a request that changes something came from another site (Origin or Sec-Fetch-Site says so). `public_url` is
// the configured one, or "".
bool route_is_foreign(const struct http_request *request, const char *public_url);

// The handler of the HTTP server.
void router_request(struct http_exchange *exchange, const struct http_request *request);
void router_closed(struct http_exchange *exchange);
size_t router_body_bytes_max(const char *path);

#endif
