// SPDX-License-Identifier: Apache-2.0
// Stopping: asked for once by anybody, seen by everybody from then on, and never waited for longer than was said.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/stop.h"

#define MS_NS INT64_C(1000000)
#define LONG_MS 30000 // nobody waits so long: whoever does has missed what it waited for
#define SOON_NS (LONG_MS / 2 * MS_NS)

static int64_t waited_ns(const struct stop *stop, int fd, int64_t milliseconds)
{
    int64_t before_ns = clock_monotonic_ns();
    stop_wait(stop, fd, milliseconds);
    return clock_monotonic_ns() - before_ns;
}

static void is_asked_for_once_and_for_all(void **state)
{
    (void)state;
    struct stop stop;
    assert_int_equal(stop_init(&stop), 0);
    assert_false(stop_was_asked(&stop));
    stop_ask(&stop);
    for (int i = 0; i < 3; i++) { // looking and waiting use nothing up
        assert_true(stop_was_asked(&stop));
        assert_true(waited_ns(&stop, -1, LONG_MS) < SOON_NS);
    }
    stop_ask(&stop);
    assert_true(stop_was_asked(&stop));
    stop_done(&stop);
    stop_done(&stop);
}

static void waits_as_long_as_was_said(void **state)
{
    (void)state;
    struct stop stop;
    assert_int_equal(stop_init(&stop), 0);
    assert_true(waited_ns(&stop, -1, 20) >= 19 * MS_NS); // poll's clock is coarser than ours
    assert_true(waited_ns(&stop, -1, 0) < SOON_NS);
    assert_true(waited_ns(&stop, -1, -5) < SOON_NS); // too late already; poll would take it for "for ever"
    assert_false(stop_was_asked(&stop));
    stop_done(&stop);
}

static void something_to_read_ends_the_wait(void **state)
{
    (void)state;
    struct stop stop;
    int ends[2];
    assert_int_equal(stop_init(&stop), 0);
    assert_int_equal(pipe(ends), 0);
    assert_true(waited_ns(&stop, ends[0], 20) >= 19 * MS_NS);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_true(waited_ns(&stop, ends[0], LONG_MS) < SOON_NS);
    assert_false(stop_was_asked(&stop));
    (void)close(ends[0]);
    (void)close(ends[1]);
    stop_done(&stop);
}

static void *ask(void *stop)
{
    stop_ask(stop);
    return NULL;
}

static void another_thread_ends_the_wait(void **state)
{
    (void)state;
    struct stop stop;
    pthread_t thread;
    assert_int_equal(stop_init(&stop), 0);
    assert_int_equal(pthread_create(&thread, NULL, ask, &stop), 0);
    assert_true(waited_ns(&stop, -1, LONG_MS) < SOON_NS);
    assert_true(stop_was_asked(&stop));
    assert_int_equal(pthread_join(thread, NULL), 0);
    stop_done(&stop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_asked_for_once_and_for_all),
        cmocka_unit_test(waits_as_long_as_was_said),
        cmocka_unit_test(something_to_read_ends_the_wait),
        cmocka_unit_test(another_thread_ends_the_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
