// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// The body of POST payment: with what is paid, and what is said of a body that does not say it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "waiting-room/payment_form.h"

static struct order_form_problems problems;

static int read_form(const char *body, struct payment_form *ret)
{
    return payment_form_read(body, strlen(body), ret, &problems);
}

static void a_method_is_read(void **state)
{
    (void)state;
    struct payment_form form;
    assert_int_equal(read_form("{\"payment_method\":\"pm_card_visa\"}", &form), 0);
    assert_string_equal(form.method, "pm_card_visa");
}

static void nothing_means_the_card_that_was_left(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "{}", "{\"payment_method\":null}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct payment_form form = {.method = "x"};
        assert_int_equal(read_form(bodies[i], &form), 0);
        assert_string_equal(form.method, "");
    }
}

static void another_shape_is_refused(void **state)
{
    (void)state;
    static const char *const values[] = {"\"\"",    "\" \"", "\"pm_\\u00e4\"", "\"pm x\"", "\"pm\\n\"", "\"pm_x', 'y\"",
                                         "\"%2e\"", "1",     "false",          "[]"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char body[128];
        struct payment_form form = {.method = "before"};
        snprintf(body, sizeof body, "{\"payment_method\":%s}", values[i]);
        assert_int_equal(read_form(body, &form), ERROR_CONFLICT);
        assert_int_equal(problems.count, 1);
        assert_string_equal(problems.items[0].field, "payment_method");
        assert_string_equal(form.method, "before");
    }
}

static void a_method_has_a_bound(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, PAYMENT_METHOD_BYTES - 1, PAYMENT_METHOD_BYTES, 1024};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char method[1025], body[1100];
        struct payment_form form;
        memset(method, 'x', sizeof method);
        method[lengths[i]] = '\0';
        snprintf(body, sizeof body, "{\"payment_method\":\"%s\"}", method);
        bool fits = lengths[i] < PAYMENT_METHOD_BYTES;
        assert_int_equal(read_form(body, &form), fits ? 0 : ERROR_CONFLICT);
        if (fits)
            assert_string_equal(form.method, method);
    }
}

static void what_is_no_form_is_refused(void **state)
{
    (void)state;
    struct payment_form form;
    static const char *const bodies[] = {"x", "[]", "{", "\"pm_x\"",
                                         "{\"payment_method\":\"a\",\"payment_method\":\"b\"}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_int_equal(read_form(bodies[i], &form), ERROR_INVALID);
        assert_true(problems.malformed[0] != '\0');
    }
    assert_int_equal(read_form("{\"amount\":1,\"payment_method\":\"\"}", &form), ERROR_CONFLICT);
    assert_int_equal(problems.count, 2);
    assert_string_equal(problems.items[0].field, "amount");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_method_is_read),           cmocka_unit_test(nothing_means_the_card_that_was_left),
        cmocka_unit_test(another_shape_is_refused),   cmocka_unit_test(a_method_has_a_bound),
        cmocka_unit_test(what_is_no_form_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
