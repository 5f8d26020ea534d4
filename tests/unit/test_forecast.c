// links: admission
// SPDX-License-Identifier: Apache-2.0
// The forecast follows what the line does, never promises more than the dial, and does not swing with single places.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admission/forecast.h"

#define SECOND INT64_C(1000000)

static void assert_range(const struct forecast *forecast, uint64_t count, uint32_t seconds, int64_t low_us,
                         int64_t high_us)
{
    int64_t low = -1, high = -1;
    assert_true(forecast_range(forecast, count, seconds, &low, &high));
    assert_int_equal(low, low_us);
    assert_int_equal(high, high_us);
}

// So many seconds in which so many places were let in, in equal steps.
static void run(struct forecast *forecast, int seconds, int per_second)
{
    for (int i = 0; i < seconds * per_second; i++)
        forecast_add(forecast, SECOND / per_second, 1);
}

static void test_without_history_the_dial(void **state)
{
    (void)state;
    struct forecast forecast = {0};
    assert_range(&forecast, 10, 1, 100000, 110000);
    assert_range(&forecast, 1, 3600, 3600 * SECOND, 3960 * SECOND);
    assert_range(&forecast, 100000, 1, 10, 11);
    run(&forecast, 9, 5); // too short to say anything
    assert_range(&forecast, 10, 1, 100000, 110000);
}

static void test_without_pace_nobody_can_say(void **state)
{
    (void)state;
    struct forecast forecast = {0};
    int64_t low = 7, high = 8;
    run(&forecast, 100, 10);
    assert_false(forecast_range(&forecast, 0, 1, &low, &high));
    assert_int_equal(low, 7);
    assert_int_equal(high, 8);
}

static void test_what_the_line_does(void **state)
{
    (void)state;
    struct forecast forecast = {0};
    run(&forecast, 300, 10);
    assert_range(&forecast, 10, 1, 100000, 110000);
    // Half the pace for the last 10 seconds: the short window says 200 ms, the long ones hardly notice.
    run(&forecast, 10, 5);
    assert_range(&forecast, 10, 1, 300 * SECOND / 2950, 220000);
    run(&forecast, 300, 5);
    assert_range(&forecast, 10, 1, 200000, 220000);
}

static void test_never_faster_than_the_dial(void **state)
{
    (void)state;
    struct forecast forecast = {0};
    run(&forecast, 60, 20);
    assert_range(&forecast, 10, 1, 100000, 110000);
}

static void test_standstill(void **state)
{
    (void)state;
    struct forecast forecast = {0};
    run(&forecast, 300, 10);
    forecast_add(&forecast, 20 * SECOND, 0);
    assert_range(&forecast, 10, 1, 300 * SECOND / 2800, 11 * SECOND);
    forecast_add(&forecast, INT64_MAX, 0); // for ever
    assert_range(&forecast, 10, 1, 10 * SECOND, 330 * SECOND);
}

static void test_slow_paces_need_long_windows(void **state)
{
    (void)state;
    struct forecast forecast = {0};
    // 6 a minute: 1 place in 10 s, 6 in 60 s and 30 in 300 s. Only the last window says something.
    for (int i = 0; i < 30; i++)
        forecast_add(&forecast, 20 * SECOND, 1);
    assert_range(&forecast, 6, 60, 20 * SECOND, 22 * SECOND);
    for (int i = 0; i < 3; i++) // twenty seconds without anybody is no standstill at this pace
        forecast_add(&forecast, 6 * SECOND, 0);
    int64_t low, high;
    assert_true(forecast_range(&forecast, 6, 60, &low, &high));
    assert_in_range(low, 20 * SECOND, 22 * SECOND);
}

static void test_a_late_step_belongs_to_its_end(void **state)
{
    (void)state;
    struct forecast forecast = {0};
    forecast_add(&forecast, 15 * SECOND + SECOND / 2, 1000);
    forecast_add(&forecast, SECOND / 2, 0);
    // 1000 places in the last of 16 seconds, so they are in the last 10 as well.
    assert_range(&forecast, 1000, 1, 10000, 17600);
}

static void test_reset(void **state)
{
    (void)state;
    struct forecast forecast = {0};
    run(&forecast, 300, 1);
    assert_range(&forecast, 10, 1, 1000000, 1100000);
    forecast_reset(&forecast);
    assert_range(&forecast, 10, 1, 100000, 110000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_history_the_dial),
        cmocka_unit_test(test_without_pace_nobody_can_say),
        cmocka_unit_test(test_what_the_line_does),
        cmocka_unit_test(test_never_faster_than_the_dial),
        cmocka_unit_test(test_standstill),
        cmocka_unit_test(test_slow_paces_need_long_windows),
        cmocka_unit_test(test_a_late_step_belongs_to_its_end),
        cmocka_unit_test(test_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
