// SPDX-License-Identifier: Apache-2.0
// Well-formed UTF-8: lengths, cutting, mending.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/utf8.h"

static void test_characters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bytes;
    } cases[] = {
        {"a", 1},        {"\xC3\xA4", 2},     {"\xE2\x86\x92", 3}, {"\xF0\x9F\x8E\xAB", 4},
        {"", 0},         {"\xA4", 0},         {"\xC3", 0},         {"\xC3(", 0},
        {"\xC0\x80", 0}, {"\xE0\x80\x80", 0}, {"\xED\xA0\x80", 0}, {"\xF4\x90\x80\x80", 0},
        {"\xFF", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(utf8_character_bytes(cases[i].text, strlen(cases[i].text)), cases[i].bytes);
    assert_int_equal(utf8_character_bytes("\xC3\xA4", 1), 0);
}

static void test_cut(void **state)
{
    (void)state;
    static const size_t fits[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t bytes = 0; bytes < sizeof(fits) / sizeof(fits[0]); bytes++)
        assert_int_equal(utf8_cut("a\xC3\xA4\xE2\x86\x92\xF0\x9F\x8E\xAB", bytes), fits[bytes]);
    assert_int_equal(utf8_cut("", 5), 0);
}

static void test_mend(void **state)
{
    (void)state;
    static const struct {
        const char *text, *mended;
    } cases[] = {
        {"", ""},
        {"a\n\xC3\xA4", "a\n\xC3\xA4"},
        {"a\xC3", "a"},
        {"\xF0\x9F\x8E", ""},
        {"\xFF"
         "a\xA4\xC3\xA4\xED\xA0\x80z",
         "a\xC3\xA4z"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[32];
        memcpy(text, cases[i].text, strlen(cases[i].text) + 1);
        utf8_mend(text);
        assert_string_equal(text, cases[i].mended);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_mend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
