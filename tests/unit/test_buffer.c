// SPDX-License-Identifier: Apache-2.0
// The growing byte string: growth, the ceiling, escaping of hostile text.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/utf8.h"

static void test_growing(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_INIT;
    for (int i = 0; i < 10000; i++)
        buffer_format(&buffer, "%04d", i);
    assert_false(buffer.failed);
    assert_int_equal(buffer.bytes, 40000);
    assert_int_equal(strlen(buffer.data), 40000);
    assert_memory_equal(buffer.data + (size_t)4 * 7777, "7777", 4);
    buffer_clear(&buffer);
    assert_string_equal(buffer.data, "");
    buffer_append(&buffer, "a\0b", 3);
    assert_int_equal(buffer.bytes, 3);
    assert_memory_equal(buffer.data, "a\0b", 4);
    buffer_done(&buffer);
    assert_null(buffer.data);
    buffer_text(&buffer, "again");
    assert_string_equal(buffer.data, "again");
    buffer_done(&buffer);
    buffer_done(NULL);
}

// Up to the ceiling, not a byte more, and nothing after the first failure.
static void test_ceiling(void **state)
{
    (void)state;
    struct buffer buffer = {.bytes_max = 10};
    buffer_text(&buffer, "12345");
    buffer_format(&buffer, "%d", 67890);
    assert_false(buffer.failed);
    buffer_text(&buffer, "");
    assert_false(buffer.failed);
    buffer_format(&buffer, "%c", 'x');
    assert_true(buffer.failed);
    assert_string_equal(buffer.data, "1234567890");
    buffer_clear(&buffer);
    assert_false(buffer.failed);
    buffer_text(&buffer, "12345678901");
    assert_true(buffer.failed);
    assert_int_equal(buffer.bytes, 0);
    buffer_text(&buffer, "a");
    assert_int_equal(buffer.bytes, 0);
    assert_null(buffer_take(&buffer));
    buffer_text(&buffer, "a"); // usable again, under the same ceiling
    assert_string_equal(buffer.data, "a");
    assert_int_equal(buffer.bytes_max, 10);
    buffer_done(&buffer);
}

// The ceiling also holds for text that is longer than the memory at hand.
static void test_default_ceiling(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_INIT;
    static char piece[1024 * 1024];
    for (int i = 0; i < 16; i++)
        buffer_append(&buffer, piece, sizeof piece);
    assert_false(buffer.failed);
    buffer_append(&buffer, piece, 1);
    assert_true(buffer.failed);
    assert_int_equal(buffer.bytes, 16 * sizeof piece);
    buffer_append(&buffer, piece, SIZE_MAX);
    buffer_done(&buffer);
    struct buffer small = {.bytes_max = 300};
    buffer_format(&small, "%0400d", 1);
    assert_true(small.failed);
    assert_string_equal(small.data, "");
    buffer_done(&small);
}

static void assert_json(const char *text, const char *expected)
{
    struct buffer buffer = BUFFER_INIT;
    buffer_json_string(&buffer, text);
    assert_string_equal(buffer.data, expected);
    buffer_done(&buffer);
}

static void test_json(void **state)
{
    (void)state;
    assert_json("", "\"\"");
    assert_json("plain", "\"plain\"");
    assert_json("\"\\/", "\"\\\"\\\\/\"");
    assert_json("a\nb\tc\rd\x01\x1f\x7f", "\"a\\nb\\tc\\rd\\u0001\\u001f\\u007f\"");
    assert_json("Z\xC3\xBCrich \xF0\x9F\x8E\xAB", "\"Z\xC3\xBCrich \xF0\x9F\x8E\xAB\"");
    assert_json("\xFF"
                "a\xC3",
                "\"" UTF8_REPLACEMENT "a" UTF8_REPLACEMENT "\"");
}

static void test_html(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_INIT;
    buffer_html(&buffer, "<a href=\"x\" id='y'>R&B</a>");
    assert_string_equal(buffer.data, "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;R&amp;B&lt;/a&gt;");
    buffer_clear(&buffer);
    buffer_html(&buffer, "nothing to do");
    assert_string_equal(buffer.data, "nothing to do");
    buffer_done(&buffer);
}

static void test_take(void **state)
{
    (void)state;
    struct buffer buffer = BUFFER_INIT;
    buffer_text(&buffer, "mine");
    char *text = buffer_take(&buffer);
    assert_string_equal(text, "mine");
    assert_null(buffer.data);
    assert_int_equal(buffer.bytes, 0);
    free(text);
    text = buffer_take(&buffer);
    assert_string_equal(text, "");
    free(text);
}

static void assert_utf8(const char *text, size_t expected)
{
    assert_int_equal(utf8_character_bytes(text, strlen(text)), expected);
}

// RFC 3629, section 4, from both sides of each limit.
static void test_utf8(void **state)
{
    (void)state;
    assert_utf8("", 0);
    assert_utf8("a", 1);
    assert_utf8("\xC2\x80", 2);
    assert_utf8("\xC1\xBF", 0); // overlong
    assert_utf8("\xE0\xA0\x80", 3);
    assert_utf8("\xE0\x9F\xBF", 0); // overlong
    assert_utf8("\xED\x9F\xBF", 3);
    assert_utf8("\xED\xA0\x80", 0); // surrogate
    assert_utf8("\xEE\x80\x80", 3);
    assert_utf8("\xF0\x90\x80\x80", 4);
    assert_utf8("\xF0\x8F\xBF\xBF", 0); // overlong
    assert_utf8("\xF4\x8F\xBF\xBF", 4);
    assert_utf8("\xF4\x90\x80\x80", 0); // beyond U+10FFFF
    assert_utf8("\xF5\x80\x80\x80", 0);
    assert_utf8("\x80", 0);
    assert_utf8("\xE2\x82", 0); // ends too early
    assert_utf8("\xE2\x82z", 0);
    assert_utf8("\xC3(", 0);
}

static void test_number(void **state)
{
    (void)state;
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    buffer_number(&text, 0);
    buffer_text(&text, " ");
    buffer_number(&text, 9);
    buffer_text(&text, " ");
    buffer_number(&text, 10);
    buffer_text(&text, " ");
    buffer_number(&text, UINT64_MAX);
    assert_string_equal(text.data, "0 9 10 18446744073709551615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing), cmocka_unit_test(test_ceiling), cmocka_unit_test(test_default_ceiling),
        cmocka_unit_test(test_json),    cmocka_unit_test(test_html),    cmocka_unit_test(test_take),
        cmocka_unit_test(test_utf8),    cmocka_unit_test(test_number),
    };
    return cmocka_run_group_tests_name("buffer", tests, NULL, NULL);
}
