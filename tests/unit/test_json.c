// SPDX-License-Identifier: Apache-2.0
// JSON from outside: what is refused, and that members are typed and bounded.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/json.h"

static json_t *read_object(const char *text)
{
    json_t *json = NULL;
    char problem[200] = "";
    if (json_read_object(text, strlen(text), 4096, problem, sizeof problem, &json) != 0)
        fail_msg("%s: %s", text, problem);
    return json;
}

static void assert_refused(const char *text, size_t bytes, int error, const char *part_of_problem)
{
    json_t *json = NULL;
    char problem[200] = "";
    assert_int_equal(json_read_object(text, bytes, 4096, problem, sizeof problem, &json), error);
    assert_null(json);
    if (!strstr(problem, part_of_problem))
        fail_msg("\"%s\" does not say \"%s\"", problem, part_of_problem);
}

static void test_refused(void **state)
{
    (void)state;
    const struct {
        const char *text, *problem;
    } bad[] = {
        {"", "line 1"},
        {"{", "line 1"},
        {"[]", "not a JSON object"},
        {"{\"a\":1}x", "line 1, column"},
        {"{\"a\":1}{}", "line 1"},
        {"{\"a\":1,\n\"a\":2}", "line 2"},
        {"{\"a\":1,}", "line 1"},
        {"{'a':1}", "line 1"},
        {"{\"a\":\"\\u0000\"}", "line 1"},
        {"{\"a\\u0000\":1}", "line 1"},
        {"{\"a\":\"\xFF\"}", "line 1"},
        {"{\"a\":\"\\ud800\"}", "line 1"},
        {"{\"a\":1e999}", "line 1"},
        {"{\"a\":99999999999999999999}", "line 1"},
        {"{\"a\":NaN}", "line 1"},
        {"7", "line 1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i].text, strlen(bad[i].text), ERROR_INVALID, bad[i].problem);
    assert_refused("{}\0", 3, ERROR_INVALID, "line 1");
}

// What is wrong goes into logs, and what somebody wrote must not.
static void test_problems_quote_nothing(void **state)
{
    (void)state;
    const char *const bad[] = {"{\"ada@example.org",  "{ada",   "ada", "{\"ada\":1,\"ada\":2}",
                               "{\"a\":\"ada\xFF\"}", "[1] ada"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json_t *json = NULL;
        char problem[200] = "";
        assert_int_equal(json_read_object(bad[i], strlen(bad[i]), 4096, problem, sizeof problem, &json), ERROR_INVALID);
        if (strstr(problem, "ada") || problem[strlen(problem) - 1] == ' ')
            fail_msg("\"%s\"", problem);
    }
}

static void test_length(void **state)
{
    (void)state;
    json_t *json = NULL;
    assert_int_equal(json_read_object("{\"a\":1}", 7, 7, NULL, 0, &json), 0);
    json_decref(json);
    json = NULL;
    assert_int_equal(json_read_object("{\"a\":1}", 7, 6, NULL, 0, &json), ERROR_LIMIT);
    assert_null(json);
    assert_int_equal(json_read_object("nonsense", 8, 100, NULL, 0, &json), ERROR_INVALID);
}

// Objects and arrays within each other: 32 levels are taken, 33 are not, and brackets in strings are no levels.
static void test_depth(void **state)
{
    (void)state;
    for (size_t levels = 32; levels <= 33; levels++) {
        char text[128] = "{\"a\":";
        for (size_t i = 1; i < levels; i++)
            text[4 + i] = '[';
        for (size_t i = 1; i < levels; i++)
            text[4 + levels - 1 + i] = ']';
        text[4 + 2 * levels - 1] = '}';
        if (levels == 32)
            json_decref(read_object(text));
        else
            assert_refused(text, strlen(text), ERROR_INVALID, "deeper");
    }
    json_decref(read_object("{\"a\":\"x\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}"));
    json_decref(
        read_object("{\"a\":[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
                    "[],[],[],[],[],[],[],[]]}"));
}

static void test_strings(void **state)
{
    (void)state;
    json_t *json CLEANUP(json_cleanup) = read_object("{\"s\":\"four\",\"n\":null,\"i\":4,\"e\":\"\"}");
    const char *text = "before";
    assert_int_equal(json_read_string(json, "s", 3, &text), ERROR_INVALID);
    assert_int_equal(json_read_string(json, "i", 10, &text), ERROR_INVALID);
    assert_int_equal(json_read_string(json, "n", 10, &text), ERROR_NOT_FOUND);
    assert_int_equal(json_read_string(json, "x", 10, &text), ERROR_NOT_FOUND);
    assert_string_equal(text, "before");
    assert_int_equal(json_read_string(json, "s", 4, &text), 0);
    assert_string_equal(text, "four");
    assert_int_equal(json_read_string(json, "e", 0, &text), 0);
    assert_string_equal(text, "");
}

static void test_texts(void **state)
{
    (void)state;
    json_t *json = read_object("{\"a\":\"abc\",\"empty\":\"\",\"null\":null,\"number\":1}");
    char text[4] = "old";
    assert_int_equal(json_read_text(json, "missing", sizeof text, text), ERROR_NOT_FOUND);
    assert_int_equal(json_read_text(json, "null", sizeof text, text), ERROR_NOT_FOUND);
    assert_int_equal(json_read_text(json, "number", sizeof text, text), ERROR_INVALID);
    assert_int_equal(json_read_text(json, "a", sizeof text - 1, text), ERROR_INVALID);
    assert_string_equal(text, "old");
    assert_int_equal(json_read_text(json, "a", sizeof text, text), 0);
    assert_string_equal(text, "abc");
    assert_int_equal(json_read_text(json, "empty", 1, text), 0);
    assert_string_equal(text, "");
    json_decref(json);
}

static void test_integers(void **state)
{
    (void)state;
    json_t *json CLEANUP(json_cleanup) =
        read_object("{\"i\":5,\"r\":5.0,\"s\":\"5\",\"b\":true,\"n\":null,\"m\":9223372036854775807,\"l\":-1}");
    int64_t value = 77;
    assert_int_equal(json_read_integer(json, "i", 6, 9, &value), ERROR_INVALID);
    assert_int_equal(json_read_integer(json, "i", 1, 4, &value), ERROR_INVALID);
    assert_int_equal(json_read_integer(json, "r", 0, 9, &value), ERROR_INVALID);
    assert_int_equal(json_read_integer(json, "s", 0, 9, &value), ERROR_INVALID);
    assert_int_equal(json_read_integer(json, "b", 0, 9, &value), ERROR_INVALID);
    assert_int_equal(json_read_integer(json, "l", 0, 9, &value), ERROR_INVALID);
    assert_int_equal(json_read_integer(json, "n", 0, 9, &value), ERROR_NOT_FOUND);
    assert_int_equal(value, 77);
    assert_int_equal(json_read_integer(json, "i", 5, 5, &value), 0);
    assert_int_equal(value, 5);
    assert_int_equal(json_read_integer(json, "m", 0, INT64_MAX, &value), 0);
    assert_true(value == INT64_MAX);
}

static void test_booleans(void **state)
{
    (void)state;
    json_t *json CLEANUP(json_cleanup) = read_object("{\"t\":true,\"f\":false,\"i\":1,\"n\":null}");
    bool value = true;
    assert_int_equal(json_read_bool(json, "i", &value), ERROR_INVALID);
    assert_int_equal(json_read_bool(json, "n", &value), ERROR_NOT_FOUND);
    assert_true(value);
    assert_int_equal(json_read_bool(json, "f", &value), 0);
    assert_false(value);
    assert_int_equal(json_read_bool(json, "t", &value), 0);
    assert_true(value);
}

static void test_unknown_keys(void **state)
{
    (void)state;
    const char *const known[] = {"a", "b", NULL};
    const char *const none[] = {NULL};
    json_t *json CLEANUP(json_cleanup) = read_object("{\"a\":1,\"c\":2,\"b\":3}");
    assert_string_equal(json_unknown_key(json, known), "c");
    json_t *good CLEANUP(json_cleanup) = read_object("{\"b\":1}");
    assert_null(json_unknown_key(good, known));
    assert_string_equal(json_unknown_key(good, none), "b");
    json_t *empty CLEANUP(json_cleanup) = read_object("{}");
    assert_null(json_unknown_key(empty, none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_problems_quote_nothing),
        cmocka_unit_test(test_length),       cmocka_unit_test(test_depth),
        cmocka_unit_test(test_strings),      cmocka_unit_test(test_texts),
        cmocka_unit_test(test_integers),     cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_unknown_keys),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
