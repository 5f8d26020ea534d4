// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// A method's digit and lines: path, Origin, Sec-Fetch-Site, authority, our public address. A route's path can be put
// together from its slug; a request with an Origin is ours only when that is this very site.
#include <stdbool.h>
#include <strings.h>

#include "tests/fuzz/fuzz.h"
#include "waiting-room/router.h"

static void check_route(enum http_method method, const char *path)
{
    static const char *const paths[] = {
        [ROUTE_PAGE] = "/e/%s",
        [ROUTE_PAGE_JOIN] = "/e/%s/join",
        [ROUTE_PAGE_LEAVE] = "/e/%s/leave",
        [ROUTE_PAGE_ORDER] = "/e/%s/order",
        [ROUTE_PAGE_MORE_TIME] = "/e/%s/more-time",
        [ROUTE_PAGE_PAY] = "/e/%s/pay",
        [ROUTE_PAGE_CARD] = "/e/%s/card",
        [ROUTE_RECEIPT] = "/e/%s/receipt",
        [ROUTE_EVENT] = "/v1/events/%s",
        [ROUTE_SEATS] = "/v1/events/%s/seats",
        [ROUTE_LINE] = "/v1/events/%s/line",
        [ROUTE_ORDER] = "/v1/events/%s/order",
        [ROUTE_MORE_TIME] = "/v1/events/%s/order/more-time",
        [ROUTE_PAYMENT] = "/v1/events/%s/payment",
        [ROUTE_CARD] = "/v1/events/%s/order/card",
    };
    struct route_match match;
    int error = route_find(method, path, &match);
    FUZZ_CHECK(error == 0 || error == ERROR_NOT_FOUND || error == ERROR_CONFLICT);
    if (error == ERROR_NOT_FOUND)
        return;
    FUZZ_CHECK(match.allow && *match.allow);
    if (match.route < sizeof paths / sizeof paths[0]) {
        FUZZ_CHECK(slug_is_valid(match.slug, strlen(match.slug)));
        const char *behind = strchr(paths[match.route], '%') + 2;
        size_t before = (size_t)(behind - 2 - paths[match.route]);
        FUZZ_CHECK(strlen(path) == before + strlen(match.slug) + strlen(behind));
        FUZZ_CHECK(strncmp(path, paths[match.route], before) == 0);
        FUZZ_CHECK(strncmp(path + before, match.slug, strlen(match.slug)) == 0);
        FUZZ_CHECK(strcmp(path + before + strlen(match.slug), behind) == 0);
    } else {
        FUZZ_CHECK(*match.slug == '\0');
    }
}

static void check_foreign(const struct http_request *request, const char *public_url)
{
    bool foreign = route_is_foreign(request, public_url);
    if (strcasecmp(request->sec_fetch_site, "cross-site") == 0) {
        FUZZ_CHECK(foreign);
        return;
    }
    char own[2048];
    snprintf(own, sizeof own, "https://%.1000s", request->authority);
    size_t public_bytes = strlen(public_url);
    while (public_bytes > 0 && public_url[public_bytes - 1] == '/')
        public_bytes--;
    bool is_own = *request->authority && strcasecmp(request->origin, own) == 0;
    // With or without the slashes behind it.
    bool is_public = strncasecmp(request->origin, public_url, strlen(request->origin)) == 0 &&
                     strlen(request->origin) >= public_bytes && *request->origin;
    FUZZ_CHECK(foreign == !(is_own || is_public));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fuzz_input input = {data, bytes};
    enum http_method method = (enum http_method)(fuzz_byte(&input) % (HTTP_OTHER + 1));
    char *path = fuzz_line(&input), *origin = fuzz_line(&input), *site = fuzz_line(&input),
         *authority = fuzz_line(&input), *public_url = fuzz_line(&input);
    check_route(method, path);
    struct http_request request = {.origin = origin, .sec_fetch_site = site, .authority = authority};
    if (strlen(authority) <= 1000)
        check_foreign(&request, public_url);
    free(path);
    free(origin);
    free(site);
    free(authority);
    free(public_url);
    return 0;
}
