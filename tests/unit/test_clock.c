// SPDX-License-Identifier: Apache-2.0
// RFC 3339 both ways, at its limits and with garbage; the C library's calendar is the second opinion.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"

static int64_t parsed(const char *text)
{
    int64_t us = -1;
    if (clock_parse(text, &us) != 0)
        fail_msg("\"%s\" was refused", text);
    return us;
}

static void assert_formatted(int64_t us, const char *expected)
{
    char text[CLOCK_TEXT_BYTES];
    assert_ptr_equal(clock_format(us, text), text);
    assert_string_equal(text, expected);
}

static void test_formatting(void **state)
{
    (void)state;
    assert_formatted(0, "1970-01-01T00:00:00Z");
    assert_formatted(INT64_C(1795465259123456), "2026-11-23T20:20:59.123Z");
    assert_formatted(INT64_C(1795465259000999), "2026-11-23T20:20:59Z");
    assert_formatted(INT64_C(1795465259001000), "2026-11-23T20:20:59.001Z");
    assert_formatted(INT64_C(253402300799999999), "9999-12-31T23:59:59.999Z");
    assert_formatted(-1, "1969-12-31T23:59:59.999Z");
    char text[CLOCK_TEXT_BYTES];
    assert_string_equal(clock_format_us(INT64_C(1795465259000007), text), "2026-11-23T20:20:59.000007Z");
    assert_string_equal(clock_format_us(0, text), "1970-01-01T00:00:00.000000Z");
    (void)clock_format(INT64_MAX, text); // stays within its text
    (void)clock_format_us(INT64_MIN, text);
}

static void test_parsing(void **state)
{
    (void)state;
    assert_int_equal(parsed("1970-01-01T00:00:00Z"), 0);
    assert_int_equal(parsed("2026-11-23T20:20:59.123456Z"), INT64_C(1795465259123456));
    assert_int_equal(parsed("2026-11-23t20:20:59z"), INT64_C(1795465259000000));
    assert_int_equal(parsed("2026-11-23T21:20:59+01:00"), INT64_C(1795465259000000));
    assert_int_equal(parsed("2026-11-23T15:50:59-04:30"), INT64_C(1795465259000000));
    assert_int_equal(parsed("2026-11-23T20:20:59.1Z"), INT64_C(1795465259100000));
    assert_int_equal(parsed("2026-11-23T20:20:59.123456789Z"), INT64_C(1795465259123456));
    assert_int_equal(parsed("2026-11-23T20:20:59-00:00"), INT64_C(1795465259000000));
    assert_int_equal(parsed("2028-02-29T00:00:00Z"), INT64_C(1835395200000000));
    assert_int_equal(parsed("2000-02-29T12:00:00Z"), INT64_C(951825600000000));
}

// Offsets may carry a local time over the first and the last moment.
static void test_limits(void **state)
{
    (void)state;
    int64_t us = 7;
    assert_int_equal(parsed("9999-12-31T23:59:59.999999Z"), INT64_C(253402300799999999));
    assert_int_equal(parsed("1969-12-31T23:30:00-00:30"), 0);
    assert_int_equal(parsed("1970-01-01T00:30:00+00:30"), 0);
    assert_int_equal(clock_parse("1970-01-01T00:29:59+00:30", &us), ERROR_INVALID);
    assert_int_equal(clock_parse("1969-12-31T23:59:59Z", &us), ERROR_INVALID);
    assert_int_equal(clock_parse("9999-12-31T23:59:59-00:01", &us), ERROR_INVALID);
    assert_int_equal(us, 7);
}

static void test_garbage(void **state)
{
    (void)state;
    const char *const bad[] = {
        "",
        "now",
        "2026-11-23",
        "2026-11-23T20:20:59",
        "2026-11-23 20:20:59Z",
        "2026-11-23T20:20Z",
        "2026-11-23T20:20:60Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T20:60:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-11-23T20:20:59.Z",
        "2026-11-23T20:20:59.1234567890Z",
        "2026-11-23T20:20:59,1Z",
        "2026-11-23T20:20:59+01",
        "2026-11-23T20:20:59+0100",
        "2026-11-23T20:20:59+24:00",
        "2026-11-23T20:20:59+01:60",
        "2026-11-23T20:20:59Z ",
        " 2026-11-23T20:20:59Z",
        "2026-11-23T20:20:59Zx",
        "2026-11-23T20:20:59+01:00Z",
        "26-11-23T20:20:59Z",
        "12026-11-23T20:20:59Z",
        "2026-1-23T20:20:59Z",
        "+026-11-23T20:20:59Z",
        "2026-11-23T20:20:5",
        "0000-01-01T00:00:00Z",
        "2026-11-23T20:20:59.123",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t us = 0;
        if (clock_parse(bad[i], &us) != ERROR_INVALID)
            fail_msg("\"%s\" was taken for a time", bad[i]);
    }
}

// Over more than two eras of the calendar, every day is what the C library says, and comes back.
static void test_calendar(void **state)
{
    (void)state;
    for (int64_t day = 0; day < INT64_C(366) * 900; day++) {
        int64_t second = day * 86400 + day % 86400;
        time_t time = (time_t)second;
        struct tm tm;
        assert_non_null(gmtime_r(&time, &tm));
        char expected[CLOCK_TEXT_BYTES], text[CLOCK_TEXT_BYTES];
        assert_true(strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
        if (strcmp(clock_format(second * 1000000, text), expected) != 0 || parsed(text) != second * 1000000)
            fail_msg("%s is not %s", text, expected);
    }
}

static void test_clocks(void **state)
{
    (void)state;
    int64_t before = clock_monotonic_ns();
    assert_true(before > 0);
    assert_true(clock_monotonic_ns() >= before);
    int64_t seconds = (int64_t)time(NULL);
    assert_in_range(clock_utc_us() / 1000000, (uint64_t)seconds - 1, (uint64_t)seconds + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formatting), cmocka_unit_test(test_parsing),  cmocka_unit_test(test_limits),
        cmocka_unit_test(test_garbage),    cmocka_unit_test(test_calendar), cmocka_unit_test(test_clocks),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
