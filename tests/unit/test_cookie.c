// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// Finding the token in cookies and bearers, writing the cookie, and choosing by the Accept field.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "waiting-room/accept.h"
#include "waiting-room/cookie.h"

static void assert_cookie(const char *field, const char *slug, const char *expected)
{
    const char *value = NULL;
    size_t bytes = 99;
    int error = cookie_find(field, slug, &value, &bytes);
    if (!expected) {
        assert_int_equal(error, ERROR_NOT_FOUND);
        assert_int_equal(bytes, 99); // untouched on failure
        return;
    }
    assert_int_equal(error, 0);
    assert_int_equal(bytes, strlen(expected));
    assert_memory_equal(value, expected, bytes);
}

static void test_finding(void **unused)
{
    (void)unused;
    assert_cookie("__Host-onsale-gala=a.b.c", "gala", "a.b.c");
    assert_cookie("x=1; __Host-onsale-gala=a.b.c; y=2", "gala", "a.b.c");
    assert_cookie("x=1;__Host-onsale-gala=a.b.c ;y=2", "gala", "a.b.c");
    assert_cookie("__Host-onsale-gala=one; __Host-onsale-gala=two", "gala", "one");
    assert_cookie("__Host-onsale-gala=", "gala", "");
    assert_cookie("__Host-onsale-gala=a=b", "gala", "a=b");
}

static void test_not_finding(void **unused)
{
    (void)unused;
    assert_cookie(NULL, "gala", NULL);
    assert_cookie("", "gala", NULL);
    assert_cookie(";;; ;", "gala", NULL);
    assert_cookie("__Host-onsale-gala", "gala", NULL);
    assert_cookie("__Host-onsale-gala2=x", "gala", NULL);
    assert_cookie("__Host-onsale-gal=x", "gala", NULL);
    assert_cookie("x__Host-onsale-gala=x", "gala", NULL);
    assert_cookie("__host-onsale-gala=x", "gala", NULL); // names of cookies are case-sensitive
    assert_cookie("a=__Host-onsale-gala=x", "gala", NULL);
}

static void test_writing(void **unused)
{
    (void)unused;
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    cookie_give(&text, "gala", "a.b.c", 604800);
    assert_string_equal(text.data, "__Host-onsale-gala=a.b.c; Max-Age=604800; Path=/; Secure; HttpOnly; SameSite=Lax");
    buffer_clear(&text);
    cookie_remove(&text, "gala");
    assert_string_equal(text.data, "__Host-onsale-gala=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax");
}

static void assert_bearer(const char *field, int error, const char *expected)
{
    const char *token = NULL;
    size_t bytes = 0;
    assert_int_equal(bearer_find(field, &token, &bytes), error);
    assert_int_equal(bytes, expected ? strlen(expected) : 0);
    if (expected)
        assert_memory_equal(token, expected, bytes);
}

static void test_bearer(void **unused)
{
    (void)unused;
    assert_bearer("Bearer a.b.c", 0, "a.b.c");
    assert_bearer("bearer   a.b.c  ", 0, "a.b.c"); // schemes are case-insensitive (RFC 9110, 11.1)
    assert_bearer(NULL, ERROR_NOT_FOUND, NULL);
    assert_bearer("Basic dTpw", ERROR_NOT_FOUND, NULL);
    assert_bearer("Bearers x", ERROR_NOT_FOUND, NULL);
    assert_bearer("Bearer", ERROR_INVALID, NULL);
    assert_bearer("Bearer ", ERROR_INVALID, NULL);
    assert_bearer("Bearer a b", ERROR_INVALID, NULL);
    assert_bearer("Bearer a, Bearer b", ERROR_INVALID, NULL);
}

static void test_accept(void **unused)
{
    (void)unused;
    static const struct {
        const char *field;
        enum accept expected;
    } cases[] = {
        {NULL, ACCEPT_JSON},
        {"", ACCEPT_JSON},
        {"*/*", ACCEPT_JSON},
        {"application/json", ACCEPT_JSON},
        {"APPLICATION/JSON", ACCEPT_JSON},
        {"application/*;q=0.1", ACCEPT_JSON},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", ACCEPT_JSON},
        {"text/event-stream", ACCEPT_STREAM},
        {"text/event-stream, */*", ACCEPT_STREAM},
        {"text/event-stream;q=0.5, */*", ACCEPT_JSON},
        {"text/event-stream, application/json;q=0.9", ACCEPT_STREAM},
        {"text/event-stream, application/json", ACCEPT_JSON},
        {"application/json;q=0, text/event-stream;q=0.1", ACCEPT_STREAM},
        {"text/event-stream;q=0, application/json", ACCEPT_JSON},
        {"text/event-stream;q=0", ACCEPT_NEITHER},
        {"text/html", ACCEPT_NEITHER},
        {"text/*", ACCEPT_NEITHER},
        {"application/json;q=0", ACCEPT_NEITHER},
        {"application/json;q=0.000", ACCEPT_NEITHER},
        {"*/*;q=0", ACCEPT_NEITHER},
        {"application/json;q=0, */*", ACCEPT_NEITHER},
        {"application/jsonx", ACCEPT_NEITHER},
        {",,,;;;", ACCEPT_NEITHER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (accept_choose(cases[i].field) != cases[i].expected)
            fail_msg("Accept: %s", cases[i].field);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finding), cmocka_unit_test(test_not_finding), cmocka_unit_test(test_writing),
        cmocka_unit_test(test_bearer),  cmocka_unit_test(test_accept),
    };
    return cmocka_run_group_tests_name("cookie", tests, NULL, NULL);
}
