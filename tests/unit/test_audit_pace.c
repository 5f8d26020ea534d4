// links: admin
// SPDX-License-Identifier: Apache-2.0
// The audit's arithmetic of the pace: exact at the edges, and right where 64 bits end.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/audit_pace.h"

#define SECOND INT64_C(1000000)

static void test_edges(void **state)
{
    (void)state;
    const struct audit_pace stretch = {.served = 100, .at_us = 50 * SECOND, .rate_count = 10, .rate_seconds = 1};
    assert_int_equal(audit_pace_allowed(&stretch, 50 * SECOND), 1);
    assert_int_equal(audit_pace_allowed(&stretch, 50 * SECOND + 99999), 1);
    assert_int_equal(audit_pace_allowed(&stretch, 50 * SECOND + 100000), 2);
    assert_int_equal(audit_pace_allowed(&stretch, 51 * SECOND), 11);
    assert_int_equal(audit_pace_allowed(&stretch, 50 * SECOND - 1), 0);
    assert_true(audit_pace_holds(&stretch, 101, 50 * SECOND));
    assert_false(audit_pace_holds(&stretch, 102, 50 * SECOND + 99999));
    assert_true(audit_pace_holds(&stretch, 102, 50 * SECOND + 100000));
    assert_false(audit_pace_holds(&stretch, 101, 50 * SECOND - 1));
    assert_true(audit_pace_holds(&stretch, 100, 0));
}

static void test_thirds(void **state)
{
    (void)state;
    // Seven a minute: the intervals are no whole number of microseconds.
    const struct audit_pace stretch = {.served = 0, .at_us = 0, .rate_count = 7, .rate_seconds = 60};
    assert_int_equal(audit_pace_allowed(&stretch, 8571428), 1);
    assert_int_equal(audit_pace_allowed(&stretch, 8571429), 2);
    assert_int_equal(audit_pace_allowed(&stretch, 60 * SECOND), 8);
    assert_int_equal(audit_pace_allowed(&stretch, 60 * SECOND - 1), 7);
}

static void test_zero(void **state)
{
    (void)state;
    const struct audit_pace stretch = {.served = 5, .at_us = 0, .rate_count = 0, .rate_seconds = 1};
    assert_int_equal(audit_pace_allowed(&stretch, INT64_MAX), 0);
    assert_false(audit_pace_holds(&stretch, 6, INT64_MAX));
    assert_true(audit_pace_holds(&stretch, 5, INT64_MAX));
    const struct audit_pace broken = {.served = 5, .at_us = 0, .rate_count = 1, .rate_seconds = 0};
    assert_int_equal(audit_pace_allowed(&broken, SECOND), 0);
}

static void test_large(void **state)
{
    (void)state;
    const struct audit_pace hourly = {.served = 0, .at_us = 0, .rate_count = 360000000, .rate_seconds = 3600};
    // Ten years at 100,000 a second.
    assert_true(audit_pace_allowed(&hourly, INT64_C(315360000) * SECOND) == UINT64_C(31536000000000) + 1);
    const struct audit_pace absurd = {.served = 0, .at_us = 0, .rate_count = UINT64_MAX, .rate_seconds = 1};
    assert_true(audit_pace_allowed(&absurd, INT64_MAX) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_thirds),
        cmocka_unit_test(test_zero),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests_name("audit_pace", tests, NULL, NULL);
}
