// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// Which address is what, which methods it has, and which requests come from other sites.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/provider_event.h"
#include "waiting-room/problem.h"
#include "waiting-room/router.h"

static void assert_route(enum http_method method, const char *path, enum route route, const char *slug)
{
    struct route_match match;
    assert_int_equal(route_find(method, path, &match), 0);
    assert_int_equal(match.route, route);
    assert_string_equal(match.slug, slug);
}

static void assert_file(const char *path, enum page_file_name file)
{
    struct route_match match;
    assert_int_equal(route_find(HTTP_GET, path, &match), 0);
    assert_int_equal(match.route, ROUTE_FILE);
    assert_int_equal(match.file, file);
}

static void test_routes(void **unused)
{
    (void)unused;
    assert_route(HTTP_GET, "/e/spring-gala", ROUTE_PAGE, "spring-gala");
    assert_route(HTTP_HEAD, "/e/spring-gala", ROUTE_PAGE, "spring-gala");
    assert_route(HTTP_POST, "/e/a/join", ROUTE_PAGE_JOIN, "a");
    assert_route(HTTP_POST, "/e/a/leave", ROUTE_PAGE_LEAVE, "a");
    assert_route(HTTP_GET, "/v1/events/a", ROUTE_EVENT, "a");
    assert_route(HTTP_GET, "/v1/events/a/seats", ROUTE_SEATS, "a");
    assert_route(HTTP_GET, "/v1/events/a/line", ROUTE_LINE, "a");
    assert_route(HTTP_POST, "/v1/events/a/line", ROUTE_LINE, "a");
    assert_route(HTTP_DELETE, "/v1/events/a/line", ROUTE_LINE, "a");
    assert_route(HTTP_POST, "/e/gala/order", ROUTE_PAGE_ORDER, "gala");
    assert_route(HTTP_POST, "/e/gala/more-time", ROUTE_PAGE_MORE_TIME, "gala");
    assert_route(HTTP_DELETE, "/v1/events/a/order", ROUTE_ORDER, "a");
    assert_route(HTTP_POST, "/v1/events/a/order/more-time", ROUTE_MORE_TIME, "a");
    assert_route(HTTP_POST, "/v1/events/a/payment", ROUTE_PAYMENT, "a");
    assert_route(HTTP_POST, "/v1/events/a/order/card", ROUTE_CARD, "a");
    assert_route(HTTP_GET, "/v1/events/a/order/card", ROUTE_CARD, "a");
    assert_route(HTTP_POST, "/v1/payments/webhook", ROUTE_WEBHOOK, "");
}

static void test_files(void **unused)
{
    (void)unused;
    assert_file("/assets/onsale.css", PAGE_CSS);
    assert_file("/assets/onsale.js", PAGE_JS);
    assert_file("/assets/dom.js", PAGE_DOM_JS);
    assert_file("/assets/network.js", PAGE_NETWORK_JS);
    assert_file("/assets/walk.js", PAGE_WALK_JS);
    assert_file("/assets/order.js", PAGE_ORDER_JS);
    assert_file("/assets/seats.js", PAGE_SEATS_JS);
    assert_file("/assets/hold.js", PAGE_HOLD_JS);
    assert_file("/assets/pay.js", PAGE_PAY_JS);
    assert_file("/assets/receipt.js", PAGE_RECEIPT_JS);
    assert_file("/assets/icon.svg", PAGE_ICON);
    assert_file("/favicon.ico", PAGE_ICON);
}

static void test_no_such_address(void **unused)
{
    (void)unused;
    static const char *const paths[] = {
        "/",
        "",
        "/e",
        "/e/",
        "/e//join",
        "/e/a/",
        "/e/a/joined",
        "/e/A",
        "/e/a%20b",
        "/v1/events/a/line/",
        "/v1/events/a/more-time",
        "/v1/events/a/order/more-time/",
        "/v1/events/a/lin",
        "/v1/events//line",
        "/v2/events/a",
        "/assets/",
        "/assets/../onsale.css",
        "*",
        "/e/*",
        "/e/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", // 65
    };
    struct route_match match;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (route_find(HTTP_GET, paths[i], &match) != ERROR_NOT_FOUND)
            fail_msg("%s", paths[i]);
}

static void test_wrong_method(void **unused)
{
    (void)unused;
    struct route_match match;
    assert_int_equal(route_find(HTTP_PUT, "/v1/events/a/line", &match), ERROR_CONFLICT);
    assert_string_equal(match.allow, "GET, HEAD, POST, DELETE");
    assert_int_equal(route_find(HTTP_OTHER, "/v1/events/a", &match), ERROR_CONFLICT);
    assert_string_equal(match.allow, "GET, HEAD");
    assert_int_equal(route_find(HTTP_GET, "/e/a/join", &match), ERROR_CONFLICT);
    assert_string_equal(match.allow, "POST");
}

static bool foreign(const char *origin, const char *site, const char *public_url)
{
    const struct http_request request = {.authority = "localhost:8443", .origin = origin, .sec_fetch_site = site};
    return route_is_foreign(&request, public_url);
}

static void test_foreign_sites(void **unused)
{
    (void)unused;
    assert_false(foreign(NULL, NULL, ""));
    assert_false(foreign(NULL, "none", ""));
    assert_false(foreign("https://localhost:8443", "same-origin", ""));
    assert_false(foreign("https://LOCALHOST:8443", NULL, ""));
    assert_true(foreign("https://localhost:8443", "cross-site", ""));
    assert_true(foreign(NULL, "cross-site", ""));
    assert_true(foreign("https://localhost", NULL, ""));
    assert_true(foreign("https://localhost:84433", NULL, ""));
    assert_true(foreign("http://localhost:8443", NULL, ""));
    assert_true(foreign("https://evil.example", "same-site", ""));
    assert_true(foreign("null", NULL, ""));
    assert_true(foreign("", NULL, ""));
}

static void test_public_url(void **unused)
{
    (void)unused;
    assert_false(foreign("https://tickets.example", NULL, "https://tickets.example"));
    assert_false(foreign("https://tickets.example", NULL, "https://tickets.example/"));
    assert_true(foreign("https://tickets.example", NULL, "https://tickets.example.org"));
    assert_true(foreign("https://tickets.exampl", NULL, "https://tickets.example"));
    assert_true(foreign("", NULL, "https://tickets.example"));
    assert_true(foreign("https:", NULL, "https://tickets.example"));
}

static void test_what_may_be_long(void **unused)
{
    (void)unused;
    static const char *const others[] = {"",
                                         "/",
                                         "?/v1/payments/webhook",
                                         "/v1/payments/webhooks",
                                         "/v1/payments/webhook/",
                                         "/v1/payments",
                                         "/v1/events/gala/order",
                                         "/v1/events/gala/order?/v1/payments/webhook"};
    assert_int_equal(router_body_bytes_max("/v1/payments/webhook"), PROVIDER_EVENT_BYTES_MAX);
    assert_int_equal(router_body_bytes_max("/v1/payments/webhook?a=b"), PROVIDER_EVENT_BYTES_MAX);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(router_body_bytes_max(others[i]), HTTP_BODY_BYTES_MAX);
}

static void test_problems(void **unused)
{
    (void)unused;
    assert_ptr_equal(problem_find("bad-token", 9), &PROBLEM_BAD_TOKEN);
    assert_ptr_equal(problem_find("sold-out&x", 8), &PROBLEM_SOLD_OUT);
    assert_null(problem_find("bad-token", 8));
    assert_null(problem_find("<script>", 8));
    assert_null(problem_find("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),           cmocka_unit_test(test_files),
        cmocka_unit_test(test_no_such_address),  cmocka_unit_test(test_wrong_method),
        cmocka_unit_test(test_foreign_sites),    cmocka_unit_test(test_public_url),
        cmocka_unit_test(test_what_may_be_long), cmocka_unit_test(test_problems),
    };
    return cmocka_run_group_tests_name("router", tests, NULL, NULL);
}
