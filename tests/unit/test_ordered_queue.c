// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// Orders that others must hear of travel together, each event's by themselves, and never more than are allowed to wait.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "waiting-room/ordered_queue.h"

static struct message message;

static struct ordered_queue *new_queue(void)
{
    struct ordered_queue *queue = calloc(1, sizeof *queue);
    assert_non_null(queue);
    return queue;
}

static void test_each_event_for_itself(void **state)
{
    (void)state;
    struct ordered_queue *queue = new_queue();
    assert_false(ordered_queue_take(queue, &message));
    assert_true(ordered_queue_add(queue, "gala", 7, false, 0));
    assert_true(ordered_queue_add(queue, "ball", 9, false, 0));
    assert_true(ordered_queue_add(queue, "gala", 3, true, 0));
    assert_true(ordered_queue_take(queue, &message));
    assert_int_equal(message.type, MESSAGE_ORDERED);
    assert_string_equal(message.ordered.slug, "gala");
    assert_int_equal(message.ordered.number_count, 2);
    assert_int_equal(message.ordered.numbers[0], 7);
    assert_int_equal(message.ordered.numbers[1], 3);
    assert_true(message.ordered.due); // one of them is
    assert_true(ordered_queue_take(queue, &message));
    assert_string_equal(message.ordered.slug, "ball");
    assert_int_equal(message.ordered.number_count, 1);
    assert_int_equal(message.ordered.numbers[0], 9);
    assert_false(message.ordered.due);
    assert_false(ordered_queue_take(queue, &message));
    free(queue);
}

static void test_waits_for_more_but_not_long(void **state)
{
    (void)state;
    struct ordered_queue *queue = new_queue();
    assert_int_equal(ordered_queue_wait_ns(queue, 5), -1);
    ordered_queue_add(queue, "gala", 1, false, 1000);
    ordered_queue_add(queue, "gala", 2, false, 2000); // does not put it off
    assert_int_equal(ordered_queue_wait_ns(queue, 1000), ORDERED_QUEUE_LINGER_NS);
    assert_int_equal(ordered_queue_wait_ns(queue, 1000 + ORDERED_QUEUE_LINGER_NS), 0);
    assert_int_equal(ordered_queue_wait_ns(queue, 9000 + ORDERED_QUEUE_LINGER_NS), 0);
    for (uint64_t i = 2; i < MESSAGE_NUMBERS_MAX; i++)
        ordered_queue_add(queue, "gala", i + 1, false, 2000);
    assert_int_equal(ordered_queue_wait_ns(queue, 2000), 0); // enough for a message
    free(queue);
}

static void test_is_bounded(void **state)
{
    (void)state;
    struct ordered_queue *queue = new_queue();
    for (uint64_t i = 0; i < ORDERED_QUEUE_MAX; i++)
        assert_true(ordered_queue_add(queue, "gala", i + 1, false, 0));
    assert_false(ordered_queue_add(queue, "gala", 1, false, 0));
    uint64_t next = 1;
    while (ordered_queue_take(queue, &message)) {
        assert_in_range(message.ordered.number_count, 1, MESSAGE_NUMBERS_MAX);
        for (size_t i = 0; i < message.ordered.number_count; i++)
            assert_int_equal(message.ordered.numbers[i], next++);
    }
    assert_int_equal(next, ORDERED_QUEUE_MAX + 1);
    assert_true(ordered_queue_add(queue, "gala", 1, false, 0));
    free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_event_for_itself),
        cmocka_unit_test(test_waits_for_more_but_not_long),
        cmocka_unit_test(test_is_bounded),
    };
    return cmocka_run_group_tests_name("ordered_queue", tests, NULL, NULL);
}
