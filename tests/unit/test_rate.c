// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// How often one address may join, and what a flood of addresses does to the table.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "waiting-room/rate.h"

#define S INT64_C(1000000)

static struct rate *rate;

static int set_up(void **unused)
{
    (void)unused;
    return rate_new(&rate);
}

static int tear_down(void **unused)
{
    (void)unused;
    rate_free(rate);
    return 0;
}

static void test_allowance(void **unused)
{
    (void)unused;
    const struct config_rate limit = {.count = 3, .per_seconds = 60};
    for (int i = 0; i < 3; i++)
        assert_int_equal(rate_take(rate, "192.0.2.1", &limit, 1000 * S), 0);
    assert_int_equal(rate_take(rate, "192.0.2.1", &limit, 1000 * S), 20);
    assert_int_equal(rate_take(rate, "192.0.2.1", &limit, 1019 * S), 1); // asking costs nothing
    assert_int_equal(rate_take(rate, "192.0.2.1", &limit, 1020 * S), 0);
    assert_int_equal(rate_take(rate, "192.0.2.1", &limit, 1020 * S), 20);
    assert_int_equal(rate_take(rate, "192.0.2.2", &limit, 1020 * S), 0); // another address
    for (int i = 0; i < 3; i++) // whole again, and not more than whole
        assert_int_equal(rate_take(rate, "192.0.2.1", &limit, 9000 * S), 0);
    assert_int_equal(rate_take(rate, "192.0.2.1", &limit, 9000 * S), 20);
}

static void test_off(void **unused)
{
    (void)unused;
    const struct config_rate limit = {.count = 0, .per_seconds = 1};
    for (int i = 0; i < 1000; i++)
        assert_int_equal(rate_take(rate, "192.0.2.1", &limit, S), 0);
}

static void test_networks(void **unused)
{
    (void)unused;
    const struct config_rate limit = {.count = 1, .per_seconds = 10};
    assert_int_equal(rate_take(rate, "2001:db8:1:2::1", &limit, S), 0);
    assert_int_equal(rate_take(rate, "2001:db8:1:2:ffff::9", &limit, S), 10); // the same household
    assert_int_equal(rate_take(rate, "2001:db8:1:3::1", &limit, S), 0);
    assert_int_equal(rate_take(rate, "192.0.2.7", &limit, S), 0);
    assert_int_equal(rate_take(rate, "::ffff:192.0.2.7", &limit, S), 10); // the same address, written as IPv6
    assert_int_equal(rate_take(rate, "nonsense", &limit, S), 0);
    assert_int_equal(rate_take(rate, "", &limit, S), 10);
}

static void test_flood_of_addresses(void **unused)
{
    (void)unused;
    const struct config_rate limit = {.count = 1, .per_seconds = 100000};
    char address[32];
    unsigned refused = 0;
    for (unsigned i = 0; i < 200000;
         i++) { // more than the table holds: the oldest are forgotten, nobody new is refused
        snprintf(address, sizeof address, "10.%u.%u.%u", i >> 16, (i >> 8) & 255, i & 255);
        refused += rate_take(rate, address, &limit, S + i) != 0;
    }
    assert_int_equal(refused, 0);
    assert_true(rate_take(rate, address, &limit, S + 200000) > 0); // the latest is remembered
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_allowance, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_networks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flood_of_addresses, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
