// SPDX-License-Identifier: Apache-2.0
// What RabbitMQ makes of our queues: coming back is counted, and what comes back too often goes to the dead letters. The
// limit of the real queues is far away, so a queue like them with a near one stands for them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/topology.h"
#include "tests/backends/backends.h"

static int declare(const char *name, int64_t delivery_limit, const char *dead_letters)
{
    char ret[BUS_NAME_BYTES];
    struct bus *bus = backends_bus();
    const struct bus_queue wanted = {
        .name = name,
        .durable = true,
        .quorum = true,
        .single_active = true,
        .delivery_limit = delivery_limit,
        .dead_letters = dead_letters,
    };
    int result = bus_declare_queue(bus, &wanted, ret);
    bus_close(bus);
    return result;
}

// RabbitMQ takes a second declaration only if it says the same.
static void queues_are_as_documented(void **state)
{
    (void)state;
    const char *const working[] = {TOPOLOGY_OUTCOMES, "onsale.bookings.0", "onsale.bookings.7"};
    for (size_t i = 0; i < sizeof(working) / sizeof(working[0]); i++) {
        assert_int_equal(declare(working[i], 1000000, "onsale.dead"), 0);
        assert_int_equal(declare(working[i], 20, "onsale.dead"), ERROR_PERMANENT);
        assert_int_equal(declare(working[i], 1000000, NULL), ERROR_PERMANENT);
    }
    assert_int_equal(declare("onsale.dead", 1000000, NULL), 0);
    assert_string_equal(TOPOLOGY_DEAD, "onsale.dead");
    assert_string_equal(topology_booking_queue_of(15), "onsale.bookings.7");
}

// A consumer that acknowledges the message, or dies with it in its hands.
static void take(const char *queue, uint64_t expected_count, const char *body, bool acknowledge)
{
    struct bus *bus = backends_bus();
    struct bus_delivery delivery;
    assert_int_equal(bus_consume(bus, queue, 1, false), 0);
    backends_take(bus, &delivery);
    assert_string_equal(delivery.body, body);
    assert_int_equal(delivery.delivery_count, expected_count);
    assert_int_equal(delivery.redelivered, expected_count > 0);
    assert_string_equal(delivery.died_in, "");
    if (acknowledge)
        assert_int_equal(bus_ack(bus, delivery.tag, false), 0);
    bus_delivery_done(&delivery);
    bus_close(bus);
}

static void coming_back_is_counted_up_to_the_limit(void **state)
{
    (void)state;
    static const char queue[] = "test.limit";
    assert_int_equal(declare(queue, 2, TOPOLOGY_DEAD), 0);
    struct bus *bus = backends_bus();
    struct bus_delivery delivery;
    backends_publish(bus, queue, "\"guilty\"");
    for (uint64_t count = 0; count <= 2; count++)
        take(queue, count, "\"guilty\"", false);
    assert_int_equal(bus_consume(bus, TOPOLOGY_DEAD, 1, false), 0);
    backends_take(bus, &delivery);
    assert_string_equal(delivery.body, "\"guilty\"");
    assert_string_equal(delivery.type, "mark");
    assert_string_equal(delivery.died_in, queue);
    assert_int_equal(bus_ack(bus, delivery.tag, false), 0);
    bus_delivery_done(&delivery);
    // It is gone from where it was: the next one is the first, and new.
    backends_publish(bus, queue, "\"next\"");
    take(queue, 0, "\"next\"", true);
    bus_close(bus);
}

static void what_was_acknowledged_does_not_come_back(void **state)
{
    (void)state;
    static const char queue[] = "test.acknowledged";
    assert_int_equal(declare(queue, 1000000, TOPOLOGY_DEAD), 0);
    struct bus *bus = backends_bus();
    struct bus_delivery delivery;
    backends_publish(bus, queue, "1");
    backends_publish(bus, queue, "2");
    backends_publish(bus, queue, "3");
    assert_int_equal(bus_consume(bus, queue, 10, false), 0);
    for (int i = 1; i <= 3; i++) {
        backends_take(bus, &delivery);
        assert_int_equal(delivery.body[0], '0' + i);
        if (i == 2)
            assert_int_equal(bus_ack(bus, delivery.tag, true), 0);
        bus_delivery_done(&delivery);
    }
    bus_close(bus);
    take(queue, 1, "3", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues_are_as_documented),
        cmocka_unit_test(coming_back_is_counted_up_to_the_limit),
        cmocka_unit_test(what_was_acknowledged_does_not_come_back),
    };
    return cmocka_run_group_tests(tests, backends_begin, backends_end);
}
