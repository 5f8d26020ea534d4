// links: booking-worker
// SPDX-License-Identifier: Apache-2.0
// The watch over the provider: doubt, away, back, and what must make none of them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "booking-worker/provider_watch.h"

#define S INT64_C(1000000000)

static void a_provider_that_works_is_not_asked(void **state)
{
    (void)state;
    struct provider_watch watch = {0};
    assert_null(provider_watch_probe(&watch, 0));
    provider_watch_hear(&watch, PROVIDER_DONE, S);
    provider_watch_hear(&watch, PROVIDER_DECLINED, S);
    provider_watch_hear(&watch, PROVIDER_REFUSED, S);
    assert_null(provider_watch_probe(&watch, 100 * S));
    assert_false(watch.is_away || watch.is_back);
}

static void one_payment_without_an_answer_is_not_an_outage(void **state)
{
    (void)state;
    struct provider_watch watch = {0};
    for (int64_t now = S; now < 100 * S; now += 20 * S) {
        provider_watch_hear(&watch, PROVIDER_UNKNOWN, now);
        struct provider_probe *probe = provider_watch_probe(&watch, now);
        assert_non_null(probe);
        assert_null(provider_watch_probe(&watch, now + PROVIDER_WATCH_NS - 1));
        provider_watch_hear_probe(probe, PROVIDER_DONE, now + S);
        assert_null(provider_watch_probe(&watch, now + 19 * S));
        assert_false(watch.is_away || watch.is_back);
    }
}

static void each_way_of_not_working_makes_doubt(void **state)
{
    (void)state;
    const enum provider_result results[] = {PROVIDER_UNKNOWN, PROVIDER_BUSY, PROVIDER_DENIED};
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        struct provider_watch watch = {0};
        provider_watch_hear(&watch, results[i], S);
        struct provider_probe *probe = provider_watch_probe(&watch, S);
        assert_non_null(probe);
        provider_watch_hear_probe(probe, results[i], 2 * S);
        assert_true(watch.is_away);
    }
}

static void while_it_is_away_it_is_asked_every_two_seconds(void **state)
{
    (void)state;
    struct provider_watch watch = {0};
    size_t begun = 0;
    provider_watch_hear(&watch, PROVIDER_BUSY, 0);
    provider_watch_hear_probe(provider_watch_probe(&watch, 0), PROVIDER_BUSY, 0);
    for (int64_t now = 0; now < 60 * S; now += S / 10) {
        provider_watch_hear(&watch, PROVIDER_UNKNOWN, now); // others are not answered either, and change nothing
        struct provider_probe *probe = provider_watch_probe(&watch, now);
        if (!probe)
            continue;
        begun++;
        provider_watch_hear_probe(probe, PROVIDER_UNKNOWN, now);
    }
    assert_int_equal(begun, 29); // at 2, 4, … 58
    assert_true(watch.is_away);
    assert_false(watch.is_back);
}

static void it_is_back_once(void **state)
{
    (void)state;
    struct provider_watch watch = {0};
    provider_watch_hear(&watch, PROVIDER_UNKNOWN, 0);
    provider_watch_hear_probe(provider_watch_probe(&watch, 0), PROVIDER_UNKNOWN, S);
    assert_true(watch.is_away);
    provider_watch_hear_probe(provider_watch_probe(&watch, 3 * S), PROVIDER_DONE, 4 * S);
    assert_true(watch.is_back);
    assert_false(watch.is_away || watch.is_doubted);
    watch.is_back = false; // seen to
    provider_watch_hear(&watch, PROVIDER_DONE, 5 * S);
    assert_false(watch.is_back);
    // A payment that is answered says it as well.
    provider_watch_hear(&watch, PROVIDER_UNKNOWN, 6 * S);
    provider_watch_hear_probe(provider_watch_probe(&watch, 6 * S), PROVIDER_UNKNOWN, 7 * S);
    provider_watch_hear(&watch, PROVIDER_DECLINED, 8 * S);
    assert_true(watch.is_back);
}

static void a_probe_of_before_says_nothing_about_now(void **state)
{
    (void)state;
    struct provider_watch watch = {0};
    provider_watch_hear(&watch, PROVIDER_UNKNOWN, 0);
    struct provider_probe *old = provider_watch_probe(&watch, 0);
    provider_watch_hear(&watch, PROVIDER_DONE, S); // it works
    provider_watch_hear(&watch, PROVIDER_UNKNOWN, 2 * S);
    struct provider_probe *probe = provider_watch_probe(&watch, 2 * S);
    assert_ptr_not_equal(old, probe);
    provider_watch_hear_probe(old, PROVIDER_UNKNOWN, 20 * S);
    assert_false(watch.is_away);
    provider_watch_hear_probe(probe, PROVIDER_DONE, 20 * S);
    assert_false(watch.is_back);
    // Alone, it is a reason to doubt.
    provider_watch_hear(&watch, PROVIDER_UNKNOWN, 30 * S);
    old = provider_watch_probe(&watch, 30 * S);
    provider_watch_hear(&watch, PROVIDER_DONE, 31 * S);
    provider_watch_hear_probe(old, PROVIDER_UNKNOWN, 50 * S);
    assert_false(watch.is_away);
    assert_non_null(provider_watch_probe(&watch, 50 * S));
}

static void probes_are_bounded(void **state)
{
    (void)state;
    struct provider_watch watch = {0};
    struct provider_probe *probe = NULL;
    int64_t now = 0;
    provider_watch_hear(&watch, PROVIDER_UNKNOWN, now);
    for (size_t i = 0; i < PROVIDER_WATCH_PROBES_MAX; i++, now += PROVIDER_WATCH_NS) {
        probe = provider_watch_probe(&watch, now);
        assert_non_null(probe);
    }
    assert_null(provider_watch_probe(&watch, now));
    provider_watch_hear_probe(probe, PROVIDER_UNKNOWN, now);
    assert_ptr_equal(provider_watch_probe(&watch, now), probe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_provider_that_works_is_not_asked),
        cmocka_unit_test(one_payment_without_an_answer_is_not_an_outage),
        cmocka_unit_test(each_way_of_not_working_makes_doubt),
        cmocka_unit_test(while_it_is_away_it_is_asked_every_two_seconds),
        cmocka_unit_test(it_is_back_once),
        cmocka_unit_test(a_probe_of_before_says_nothing_about_now),
        cmocka_unit_test(probes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
