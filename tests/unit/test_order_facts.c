// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// What is known of an order: newer news win, an outcome keeps what it does not carry, and the document says what applies.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "waiting-room/order_facts.h"

#define CHOICES                                                                      \
    "[{\"tier\":\"floor\",\"tickets\":{\"full\":2},\"quantity\":2,\"amount\":9000}," \
    "{\"tier\":\"balcony\",\"tickets\":{\"child\":1},\"quantity\":1,\"amount\":10}]"

static struct order_facts *placed(void)
{
    struct order_facts *facts = order_facts_new();
    assert_non_null(facts);
    facts->place = 7;
    facts->attempt = 2;
    facts->revision = 3;
    facts->state = ORDER_PLACED;
    memcpy(facts->tier, "floor", 6);
    memcpy(facts->currency, "EUR", 4);
    facts->quantity = 2;
    facts->amount = 9000;
    facts->email = strdup("a@b");
    facts->name = strdup("Zo\"ë");
    assert_int_equal(order_facts_take_choices(facts, CHOICES, 0), 0);
    return facts;
}

static void assert_written(const struct order_facts *facts, const char *expected)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    order_facts_write(&text, facts, 0, 0);
    assert_string_equal(text.data, expected);
}

static void higher_is_news(void **state)
{
    (void)state;
    struct order_facts *facts = placed();
    assert_true(order_facts_is_news(NULL, 1, 1));
    assert_true(order_facts_is_news(facts, 2, 4));
    assert_true(order_facts_is_news(facts, 3, 1));
    assert_false(order_facts_is_news(facts, 2, 3));
    assert_false(order_facts_is_news(facts, 2, 2));
    assert_false(order_facts_is_news(facts, 1, 9));
    order_facts_unref(facts);
    order_facts_unref(NULL);
}

static void a_placed_order_is_written(void **state)
{
    (void)state;
    struct order_facts *facts = placed();
    assert_written(facts,
                   "{\"state\":\"placed\",\"place\":7,\"attempt\":2,\"revision\":3,\"tier\":\"floor\","
                   "\"tickets\":{\"full\":2},\"quantity\":2,\"amount\":9000,\"currency\":\"EUR\",\"alternatives\":["
                   "{\"tier\":\"balcony\",\"tickets\":{\"child\":1},\"quantity\":1,\"amount\":10}],\"email\":\"a@b\","
                   "\"name\":\"Zo\\\"ë\",\"now\":\"1970-01-01T00:00:00Z\"}");
    order_facts_unref(facts);
}

static void an_outcome_keeps_what_it_does_not_carry(void **state)
{
    (void)state;
    struct order_facts *known = placed();
    struct outcome outcome = {.place = 7,
                              .attempt = 2,
                              .revision = 5,
                              .state = ORDER_CONFIRMED,
                              .reference = "K7QM-4WDP",
                              .tier = "balcony",
                              .quantity = 1,
                              .amount = 10,
                              .tickets = "{\"child\":1}",
                              .pay_until_us = OUTCOME_NO_TIME};
    struct order_facts *after = order_facts_after(known, &outcome, "EUR");
    assert_written(after,
                   "{\"state\":\"confirmed\",\"place\":7,\"attempt\":2,\"revision\":5,\"reference\":\"K7QM-4WDP\","
                   "\"tier\":\"balcony\",\"tickets\":{\"child\":1},\"quantity\":1,\"amount\":10,\"currency\":\"EUR\","
                   "\"email\":\"a@b\",\"name\":\"Zo\\\"ë\",\"now\":\"1970-01-01T00:00:00Z\"}");
    order_facts_unref(after);
    // Nothing was given: what was wanted is still said.
    outcome = (struct outcome){.place = 7,
                               .attempt = 2,
                               .revision = 5,
                               .state = ORDER_REFUSED,
                               .reason = ORDER_CUSTOMER_LIMIT,
                               .pay_until_us = OUTCOME_NO_TIME};
    after = order_facts_after(known, &outcome, "EUR");
    assert_written(after,
                   "{\"state\":\"refused\",\"place\":7,\"attempt\":2,\"revision\":5,\"reason\":\"customer_limit\","
                   "\"tier\":\"floor\",\"tickets\":{\"full\":2},\"quantity\":2,\"amount\":9000,\"currency\":\"EUR\","
                   "\"email\":\"a@b\",\"name\":\"Zo\\\"ë\",\"now\":\"1970-01-01T00:00:00Z\"}");
    order_facts_unref(after);
    // Of another attempt nothing is kept.
    outcome.attempt = 3;
    after = order_facts_after(known, &outcome, "EUR");
    assert_written(after,
                   "{\"state\":\"refused\",\"place\":7,\"attempt\":3,\"revision\":5,\"reason\":\"customer_limit\","
                   "\"currency\":\"EUR\",\"now\":\"1970-01-01T00:00:00Z\"}");
    order_facts_unref(after);
    order_facts_unref(known);
}

static void an_end_is_a_copy(void **state)
{
    (void)state;
    struct order_facts *facts = placed(), *ended = order_facts_ended(facts, ORDER_CANCELLED, 4);
    assert_int_equal(facts->state, ORDER_PLACED);
    order_facts_unref(facts);
    assert_int_equal(ended->state, ORDER_CANCELLED);
    assert_int_equal(ended->revision, 4);
    assert_string_equal(ended->email, "a@b");
    assert_string_equal(ended->tickets, "{\"full\":2}");
    assert_ptr_equal(order_facts_ref(ended), ended);
    order_facts_unref(ended);
    order_facts_unref(ended);
}

static void the_choice_that_was_given_is_taken(void **state)
{
    (void)state;
    struct order_facts *facts = order_facts_new();
    assert_int_equal(order_facts_take_choices(facts, CHOICES, 1), 0);
    assert_string_equal(facts->tickets, "{\"child\":1}");
    order_facts_unref(facts);
}

static void choices_of_nobody_s(void **state)
{
    (void)state;
    static const char *const broken[] = {"", "{}", "[]", "[1]", "[{}]", "[{\"tickets\":1}]", "x"};
    struct order_facts *facts = order_facts_new();
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_int_equal(order_facts_take_choices(facts, broken[i], 0), ERROR_BUG);
    assert_int_equal(order_facts_take_choices(facts, NULL, 0), ERROR_BUG);
    assert_int_equal(order_facts_take_choices(facts, CHOICES, 2), ERROR_BUG);
    order_facts_unref(facts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(higher_is_news),
        cmocka_unit_test(a_placed_order_is_written),
        cmocka_unit_test(an_outcome_keeps_what_it_does_not_carry),
        cmocka_unit_test(an_end_is_a_copy),
        cmocka_unit_test(the_choice_that_was_given_is_taken),
        cmocka_unit_test(choices_of_nobody_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
