// SPDX-License-Identifier: Apache-2.0
// Waits double up to the most, with jitter in the upper half, and begin anew after a success.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include "common/backoff.h"

// Each wait lies between half and the whole of what it should be, and both ends are reached.
static void test_doubling(void **state)
{
    (void)state;
    const int64_t whole[] = {100, 200, 400, 800, 1600, 3000, 3000, 3000};
    struct backoff low = {.first_ms = 100, .most_ms = 3000}, high = low, any = low;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        assert_int_equal(backoff_next_ms(&low, 0), whole[i] / 2);
        assert_int_equal(backoff_next_ms(&high, (uint64_t)(whole[i] - whole[i] / 2)), whole[i]);
        assert_in_range(backoff_next_ms(&any, UINT64_MAX - i), whole[i] / 2, whole[i]);
    }
}

static void test_reset(void **state)
{
    (void)state;
    struct backoff backoff = {.first_ms = 10, .most_ms = 1000};
    for (int i = 0; i < 5; i++)
        (void)backoff_next_ms(&backoff, 0);
    assert_int_equal(backoff_next_ms(&backoff, 0), 160);
    backoff_reset(&backoff);
    assert_int_equal(backoff_next_ms(&backoff, 0), 5);
}

static void test_jitter_spreads(void **state)
{
    (void)state;
    bool seen[51] = {false};
    for (uint64_t random = 0; random < 51; random++) {
        struct backoff backoff = {.first_ms = 100, .most_ms = 100};
        seen[backoff_next_ms(&backoff, random) - 50] = true;
    }
    for (size_t i = 0; i < 51; i++)
        assert_true(seen[i]);
}

// Odd bounds neither overflow nor give a wait of zero, which would be a busy loop.
static void test_limits(void **state)
{
    (void)state;
    struct backoff huge = {.first_ms = INT64_MAX / 3, .most_ms = INT64_MAX, .failures = 100};
    assert_true(backoff_next_ms(&huge, UINT64_MAX) >= INT64_MAX / 2);
    struct backoff many = {.first_ms = 1, .most_ms = 60000, .failures = UINT32_MAX};
    assert_int_equal(backoff_next_ms(&many, 0), 30000);
    assert_int_equal(backoff_next_ms(&many, 0), 30000);
    struct backoff zero = {0};
    assert_int_equal(backoff_next_ms(&zero, 12345), 1);
    struct backoff less = {.first_ms = 500, .most_ms = 100};
    assert_in_range(backoff_next_ms(&less, 7), 250, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubling),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_jitter_spreads),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
