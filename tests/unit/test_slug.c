// SPDX-License-Identifier: Apache-2.0
// What may be a slug.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/slug.h"

static bool valid(const char *text)
{
    return slug_is_valid(text, strlen(text));
}

static void test_usual(void **state)
{
    (void)state;
    assert_true(valid("spring-gala"));
    assert_true(valid("a"));
    assert_true(valid("2027"));
    assert_true(valid("-"));
    assert_true(valid("az09-"));
}

static void test_limits(void **state)
{
    (void)state;
    char text[66];
    memset(text, 'x', sizeof text);
    assert_true(slug_is_valid(text, 64));
    assert_false(slug_is_valid(text, 65));
    assert_false(slug_is_valid(text, 0));
}

// Every other byte is refused, wherever it stands.
static void test_garbage(void **state)
{
    (void)state;
    size_t good = 0;
    for (int c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'b'};
        good += slug_is_valid(text, sizeof text) ? 1 : 0;
        char last[2] = {'a', (char)c};
        good += slug_is_valid(last, sizeof last) ? 1 : 0;
    }
    assert_int_equal(good, 2 * (26 + 10 + 1));
    assert_false(valid("Spring"));
    assert_false(valid("a/b"));
    assert_false(valid("a_b"));
    assert_false(valid("a b"));
    assert_false(valid("\xC3\xA9"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_garbage),
    };
    return cmocka_run_group_tests_name("slug", tests, NULL, NULL);
}
