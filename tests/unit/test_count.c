// links: admission
// SPDX-License-Identifier: Apache-2.0
// The count of the pace: exact to the nanosecond, without drift, without bursts, at every rate, for any length of time.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admission/count.h"

#define SECOND INT64_C(1000000000)
#define YEAR (INT64_C(366) * 86400 * SECOND)

static const struct {
    uint64_t count;
    uint32_t seconds;
} rates[] = {
    {1, 3600}, {1, 60},  {7, 60},  {1, 1},    {3, 1},      {10, 1},
    {600, 60}, {200, 1}, {999, 7}, {5000, 1}, {100000, 1}, {360000000, 3600},
};
#define RATE_COUNT (sizeof(rates) / sizeof(rates[0]))

// Numbers that are the same in every run (xorshift64).
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void test_first_at_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < RATE_COUNT; i++) {
        struct count count;
        count_start(&count, rates[i].count, rates[i].seconds, 5000, COUNT_NEVER);
        assert_int_equal(count_due(&count, 4999), 0);
        assert_int_equal(count_due(&count, 5000), 1);
        assert_int_equal(count_next_ns(&count), 5000);
        assert_int_equal(count_lateness_ns(&count, 5000), 0);
        assert_int_equal(count_lateness_ns(&count, 5007), 7);
    }
}

static void test_due_on_the_nanosecond(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (size_t i = 0; i < RATE_COUNT; i++) {
        struct count count;
        count_start(&count, rates[i].count, rates[i].seconds, -12345, COUNT_NEVER);
        for (int step = 0; step < 2000; step++) {
            int64_t next = count_next_ns(&count);
            assert_int_equal(count_due(&count, next - 1), 0);
            assert_true(count_due(&count, next) >= 1);
            count_let_in(&count, count_due(&count, next));
            if (step % 50 == 0) // also after long idle times
                count_let_in(&count, count_due(&count, next + (int64_t)(next_random(&seed) % (uint64_t)(40 * SECOND))));
        }
    }
}

static void test_no_drift(void **state)
{
    (void)state;
    // Ten hours at 7 a minute, each place taken late by a random part of 90 ms: exactly 4200 and the first.
    struct count count;
    uint64_t seed = 7;
    int64_t hours = 10 * 3600 * SECOND;
    uint64_t total = 0;
    count_start(&count, 7, 60, 0, COUNT_NEVER);
    while (count_next_ns(&count) <= hours) {
        int64_t now = count_next_ns(&count) + (int64_t)(next_random(&seed) % (90 * 1000000));
        uint64_t due = count_due(&count, now);
        assert_true(due >= 1);
        count_let_in(&count, due);
        total += due;
    }
    assert_int_equal(total, 4201);
}

static void test_years(void **state)
{
    (void)state;
    struct count count;
    count_start(&count, 100000, 1, 0, COUNT_NEVER);
    assert_int_equal(count_due(&count, 200 * YEAR), UINT64_C(1) + 100000 * UINT64_C(200) * 366 * 86400);
    count_let_in(&count, count_due(&count, 200 * YEAR));
    assert_int_equal(count_due(&count, 200 * YEAR), 0);
    assert_int_equal(count_next_ns(&count), 200 * YEAR + 10000);

    count_start(&count, 1, 3600, INT64_MAX - 5, COUNT_NEVER);
    count_let_in(&count, 1);
    assert_int_equal(count_next_ns(&count), INT64_MAX); // the end of time, not before its beginning
    assert_int_equal(count_due(&count, INT64_MAX), 0);

    // A machine's clock may have begun after what happened last.
    count_start(&count, 1, 3600, 10, INT64_MIN + 10);
    assert_int_equal(count_due(&count, 10), 1);
    count_start(&count, 10, 1, INT64_MIN, COUNT_NEVER);
    assert_int_equal(count_due(&count, INT64_MAX), UINT64_C(184467440737) + 1);
}

static void test_never_sooner_than_one_interval_after_the_last(void **state)
{
    (void)state;
    struct count count;
    count_start(&count, 10, 1, 1000 * SECOND, 1000 * SECOND - 1);
    assert_int_equal(count.start_ns, 1000 * SECOND - 1 + SECOND / 10);
    assert_int_equal(count_due(&count, 1000 * SECOND), 0);
    assert_int_equal(count_due(&count, count.start_ns), 1);
    count_start(&count, 10, 1, 1000 * SECOND, 900 * SECOND);
    assert_int_equal(count.start_ns, 1000 * SECOND);
    // An interval that is no whole number of nanoseconds is rounded up, never down.
    count_start(&count, 3, 1, 0, 0);
    assert_int_equal(count.start_ns, 333333334);
}

static void test_nothing_without_pace(void **state)
{
    (void)state;
    struct count count;
    count_start(&count, 0, 1, 0, COUNT_NEVER);
    assert_int_equal(count_due(&count, YEAR), 0);
    assert_int_equal(count_next_ns(&count), COUNT_NEVER);
    assert_int_equal(count_lateness_ns(&count, YEAR), 0);
    count_start(&count, 10, 1, 0, COUNT_NEVER);
    count_stop(&count);
    assert_int_equal(count_due(&count, YEAR), 0);
    assert_int_equal(count_next_ns(&count), COUNT_NEVER);
}

// However a count is polled and started again, never more than pace x elapsed + 1, from its start and over all starts.
static void test_random_schedules(void **state)
{
    (void)state;
    uint64_t seed = 20261123;
    for (int run = 0; run < 400; run++) {
        size_t rate = next_random(&seed) % RATE_COUNT;
        uint64_t each_ns = rates[rate].seconds * (uint64_t)SECOND / rates[rate].count;
        int64_t now = (int64_t)(next_random(&seed) % 1000), first = now, start = now, last = COUNT_NEVER;
        uint64_t total = 0, since_start = 0;
        struct count count;
        count_start(&count, rates[rate].count, rates[rate].seconds, now, last);
        for (int step = 0; step < 500; step++) {
            now += (int64_t)(next_random(&seed) % (each_ns * 4 + 1));
            if (next_random(&seed) % 10 == 0) {
                start = now;
                since_start = 0;
                count_start(&count, rates[rate].count, rates[rate].seconds, now, last);
            }
            uint64_t due = count_due(&count, now);
            if (due > 0) {
                uint64_t places = next_random(&seed) % 3 == 0 ? 1 : due;
                count_let_in(&count, places);
                total += places;
                since_start += places;
                last = now;
            }
            // (n - 1) x seconds <= count x elapsed, in whole numbers
            __extension__ typedef unsigned __int128 wide;
            wide per = (wide)rates[rate].seconds * (uint64_t)SECOND;
            assert_true(total == 0 || (wide)(total - 1) * per <= (wide)rates[rate].count * (uint64_t)(now - first));
            assert_true(since_start == 0 ||
                        (wide)(since_start - 1) * per <= (wide)rates[rate].count * (uint64_t)(now - start));
        }
        assert_true(total > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_at_once),
        cmocka_unit_test(test_due_on_the_nanosecond),
        cmocka_unit_test(test_no_drift),
        cmocka_unit_test(test_years),
        cmocka_unit_test(test_never_sooner_than_one_interval_after_the_last),
        cmocka_unit_test(test_nothing_without_pace),
        cmocka_unit_test(test_random_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
