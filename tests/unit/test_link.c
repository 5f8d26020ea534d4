// SPDX-License-Identifier: Apache-2.0
// When a link tries again. Nothing is connected to here: the configuration is missing, so a try that is made too early
// ends the test.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/link.h"

#define MS_NS INT64_C(1000000)
#define HOUR_NS (INT64_C(3600000) * MS_NS)

static void nothing_waits_before_the_first_try(void **state)
{
    (void)state;
    struct link link;
    link_init(&link, NULL, "notifier", "relay");
    assert_int_equal(link_wait_ms(&link, 1000), 0);
    assert_false(atomic_load(&link.has_db));
    assert_false(atomic_load(&link.has_bus));
    link_done(&link);
    link_done(&link);
}

static void waits_for_whichever_is_sooner(void **state)
{
    (void)state;
    struct link link;
    link_init(&link, NULL, "notifier", "relay");
    link.bus_at_ns = clock_monotonic_ns() + HOUR_NS;
    assert_int_equal(link_wait_ms(&link, 1000), 1000);
    assert_int_equal(link_wait_ms(&link, 0), 0);
    assert_in_range(link_wait_ms(&link, INT64_C(7200000)), 3599000, 3600000);
    link.bus_at_ns = clock_monotonic_ns() - 1;
    assert_int_equal(link_wait_ms(&link, 1000), 0);
    link.bus_at_ns = clock_monotonic_ns() + 10 * MS_NS;
    int64_t wait_ms = link_wait_ms(&link, 1000);
    assert_true(clock_monotonic_ns() + wait_ms * MS_NS >= link.bus_at_ns); // rounded up: who wakes too early spins
}

static void a_connection_is_nothing_to_try(void **state)
{
    (void)state;
    struct link link;
    char connection;
    link_init(&link, NULL, "notifier", "relay");
    link.bus = (struct bus *)&connection; // only asked whether it is there
    assert_int_equal(link_wait_ms(&link, 1000), 1000);
    assert_int_equal(link_use_bus(&link), 0);
}

static void mysql_is_left_alone_after_a_failure(void **state)
{
    (void)state;
    struct link link;
    link_init(&link, NULL, "notifier", "relay");
    int64_t first_ms = link_db_fails(&link, "connecting", ERROR_TRANSIENT);
    assert_in_range(first_ms, 10, 20);
    assert_int_equal(link.said_db, ERROR_TRANSIENT);
    int64_t last_ms = 0, before_ns = clock_monotonic_ns();
    for (int i = 0; i < 10; i++)
        last_ms = link_db_fails(&link, "connecting", ERROR_TRANSIENT);
    assert_in_range(last_ms, 500, 1000);
    assert_true(link.db_at_ns >= before_ns + last_ms * MS_NS);
    link.db_at_ns = clock_monotonic_ns() + HOUR_NS; // however slow the machine is
    assert_int_equal(link_use_db(&link), ERROR_TRANSIENT);
    link_db_fails(&link, "connecting", ERROR_PERMANENT);
    assert_int_equal(link.said_db, ERROR_PERMANENT);
    link_db_works(&link);
    assert_true(atomic_load(&link.has_db));
    assert_int_equal(link.said_db, 0);
    assert_in_range(link_db_fails(&link, "reading", ERROR_TRANSIENT), 10, 20); // the delays begin anew
    assert_false(atomic_load(&link.has_db));
}

static void rabbitmq_is_left_alone_after_a_failure(void **state)
{
    (void)state;
    struct link link;
    link_init(&link, NULL, "notifier", "relay");
    int64_t before_ns = clock_monotonic_ns();
    for (int i = 0; i < 10; i++)
        link_lose_bus(&link, ERROR_TRANSIENT);
    assert_true(link.said_bus);
    assert_true(link.bus_at_ns >= before_ns + 500 * MS_NS);
    link.bus_at_ns = clock_monotonic_ns() + HOUR_NS;
    assert_int_equal(link_use_bus(&link), ERROR_TRANSIENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_waits_before_the_first_try),     cmocka_unit_test(waits_for_whichever_is_sooner),
        cmocka_unit_test(a_connection_is_nothing_to_try),         cmocka_unit_test(mysql_is_left_alone_after_a_failure),
        cmocka_unit_test(rabbitmq_is_left_alone_after_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
