// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// Times as the page has them without its script: in UTC, and those that somebody has to keep in words as well.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "waiting-room/page_build.h"
#include "waiting-room/snapshot.h"

#define NOW INT64_C(1930000000000000) // 27 February 2031, 23:06:40 UTC
#define SECOND INT64_C(1000000)

static void a_deadline_is_told_in_words_too(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {-86400, "26 February 2031, 23:06 UTC"},
        {0, "27 February 2031, 23:06 UTC"},
        {1, "27 February 2031, 23:06 UTC (in less than a minute)"},
        {59, "27 February 2031, 23:07 UTC (in less than a minute)"},
        {60, "27 February 2031, 23:07 UTC (in 1 minute)"},
        {599, "27 February 2031, 23:16 UTC (in 9 minutes)"},
        {5399, "28 February 2031, 00:36 UTC (in 89 minutes)"},
        {7200, "28 February 2031, 01:06 UTC (in 2 hours)"},
        {5400, "28 February 2031, 00:36 UTC (in 1 hour)"},
        {2 * 86400 - 1, "1 March 2031, 23:06 UTC (in 47 hours)"},
        {2 * 86400, "1 March 2031, 23:06 UTC (in 2 days)"},
        {INT64_C(215) * 86400, "30 September 2031, 23:06 UTC (in 215 days)"},
    };
    char text[PAGE_TIME_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(page_deadline_text(NOW + cases[i].seconds * SECOND, NOW, text), cases[i].text);
    assert_null(page_deadline_text(SNAPSHOT_NO_TIME, NOW, text));
}

static void nothing_is_too_long(void **state)
{
    (void)state;
    char text[PAGE_TIME_BYTES];
    // A September of the year 9999, seen from 1970: as long as it gets.
    assert_string_equal(page_deadline_text(INT64_C(253394351940) * SECOND, 0, text),
                        "30 September 9999, 23:59 UTC (in 2932804 days)");
    assert_string_equal(page_time_text(NOW, text), "27 February 2031, 23:06 UTC");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_is_told_in_words_too),
        cmocka_unit_test(nothing_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
