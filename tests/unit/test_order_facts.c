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

// As a worker's outcome says it: two seats, held for five minutes.
static struct order_facts *held(void)
{
    struct order_facts *known = placed();
    struct outcome outcome = {.place = 7,
                              .attempt = 2,
                              .revision = 5,
                              .state = ORDER_HELD,
                              .reference = "K7QM-4WDP",
                              .tier = "stalls",
                              .quantity = 2,
                              .amount = 15000,
                              .tickets = "{\"adult\":2}",
                              .seats = "[\"A-3\",\"A-4\"]",
                              .pay_until_us = 300000000};
    known->wheelchair = 1;
    struct order_facts *facts = order_facts_after(known, &outcome, "EUR");
    assert_non_null(facts);
    order_facts_unref(known);
    return facts;
}

#define HELD_BEGIN "{\"state\":\"held\",\"place\":7,\"attempt\":2,\"revision\":"
#define HELD_MIDDLE                                                                                           \
    ",\"reference\":\"K7QM-4WDP\",\"tier\":\"stalls\",\"tickets\":{\"adult\":2},\"seats\":[\"A-3\",\"A-4\"]," \
    "\"quantity\":2,\"amount\":15000,\"currency\":\"EUR\",\"needs\":{\"wheelchair\":1,\"companion\":0},"
#define HELD_END ",\"email\":\"a@b\",\"name\":\"Zo\\\"ë\",\"now\":\"1970-01-01T00:00:00Z\"}"

static void a_hold_says_until_when(void **state)
{
    (void)state;
    struct order_facts *facts = held();
    assert_written(facts,
                   HELD_BEGIN "5" HELD_MIDDLE "\"pay_until\":\"1970-01-01T00:05:00Z\",\"more_time\":true" HELD_END);
    // The event's clock has stood still for a minute: the end is a minute later.
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    order_facts_write(&text, facts, 60000000, 0);
    assert_non_null(strstr(text.data, "\"pay_until\":\"1970-01-01T00:06:00Z\""));
    struct order_facts *prolonged = order_facts_prolonged(facts, 120000000, 6);
    assert_written(prolonged,
                   HELD_BEGIN "6" HELD_MIDDLE "\"pay_until\":\"1970-01-01T00:07:00Z\",\"more_time\":false" HELD_END);
    assert_int_equal(facts->pay_until_us, 300000000);
    order_facts_unref(prolonged);
    order_facts_unref(facts);
}

static void more_time_is_for_what_is_held(void **state)
{
    (void)state;
    struct order_facts *facts = held();
    for (int i = 0; i < ORDER_STATE_COUNT; i++) {
        facts->state = (enum order_state)i;
        assert_int_equal(order_facts_may_ask_for_more_time(facts), i == ORDER_HELD || i == ORDER_DECLINED);
        // Nobody is told the end of what cannot run out.
        struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
        order_facts_write(&text, facts, 0, 0);
        assert_int_equal(strstr(text.data, "pay_until") != NULL, order_may_lapse((enum order_state)i));
    }
    assert_int_equal(order_facts_pay_until_us(facts, 7), 300000007);
    facts->pay_until_us = OUTCOME_NO_TIME;
    assert_int_equal(order_facts_pay_until_us(facts, 7), OUTCOME_NO_TIME);
    order_facts_unref(facts);
}

static void seats_that_are_gone_are_said(void **state)
{
    (void)state;
    struct order_facts *known = placed();
    known->seats = strdup("[\"A-3\",\"A-4\"]");
    struct outcome outcome = {.place = 7,
                              .attempt = 2,
                              .revision = 5,
                              .state = ORDER_REFUSED,
                              .reason = ORDER_SEATS_TAKEN,
                              .gone = "[\"A-4\"]",
                              .pay_until_us = OUTCOME_NO_TIME};
    struct order_facts *after = order_facts_after(known, &outcome, "EUR");
    assert_string_equal(after->gone, "[\"A-4\"]");
    assert_string_equal(after->seats, "[\"A-3\",\"A-4\"]"); // what was asked for
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    order_facts_write(&text, after, 0, 0);
    assert_non_null(strstr(text.data, "\"reason\":\"seats_taken\",\"gone\":[\"A-4\"]"));
    order_facts_unref(after);
    order_facts_unref(known);
}

static void who_stands_by_hears_how_many_are_before(void **state)
{
    (void)state;
    struct order_facts *known = placed();
    struct outcome outcome = {
        .place = 7, .attempt = 2, .revision = 4, .state = ORDER_STANDBY, .pay_until_us = OUTCOME_NO_TIME};
    struct order_facts *heard = order_facts_after(known, &outcome, "EUR"), *behind = order_facts_behind(heard, 0);
    struct buffer first CLEANUP(buffer_done) = BUFFER_INIT, second CLEANUP(buffer_done) = BUFFER_INIT;
    order_facts_write(&first, heard, 0, 0);
    assert_null(strstr(first.data, "ahead")); // not known yet
    assert_null(strstr(first.data, "alternatives")); // what it waits for is decided
    order_facts_write(&second, behind, 0, 0);
    assert_non_null(strstr(second.data, "\"ahead\":0,"));
    assert_int_equal(behind->revision, 4);
    order_facts_unref(behind);
    order_facts_unref(heard);
    order_facts_unref(known);
}

static void what_has_ended_waits_for_nothing(void **state)
{
    (void)state;
    struct order_facts *facts = held(), *ended = order_facts_ended(facts, ORDER_CANCELLED, 6);
    assert_int_equal(ended->pay_until_us, OUTCOME_NO_TIME);
    assert_string_equal(ended->seats, "[\"A-3\",\"A-4\"]");
    order_facts_unref(ended);
    order_facts_unref(facts);
}

static struct order_facts *declined(void)
{
    struct order_facts *facts = placed();
    facts->state = ORDER_DECLINED;
    facts->reason = ORDER_CARD_DECLINED;
    facts->pay_until_us = 60000000;
    facts->has_payment_method = facts->has_card = true;
    memcpy(facts->card_label, "visa 4242", 10);
    return facts;
}

static void assert_has(const struct order_facts *facts, const char *piece, bool has)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    order_facts_write(&text, facts, 0, 0);
    if ((strstr(text.data, piece) != NULL) != has)
        fail_msg("%s in %s", piece, text.data);
}

static void what_is_paid_with_is_said_but_not_its_id(void **state)
{
    (void)state;
    struct order_facts *facts = declined(), *without = placed();
    assert_has(facts, ",\"has_payment_method\":true,\"card\":{\"label\":\"visa 4242\"},", true);
    assert_has(without, "has_payment_method", false);
    assert_has(without, "card", false);
    struct outcome outcome = {.attempt = 2, .revision = 4, .state = ORDER_CONFIRMED, .pay_until_us = OUTCOME_NO_TIME};
    struct order_facts *after = order_facts_after(facts, &outcome, "EUR"); // which says nothing of it
    assert_has(after, ",\"has_payment_method\":true,\"card\":{\"label\":\"visa 4242\"},", true);
    order_facts_unref(after);
    order_facts_unref(facts);
    order_facts_unref(without);
}

// Of what ended later the last decline is no reason: it was given back, or its time ran out.
static void only_what_has_a_reason_says_one(void **state)
{
    (void)state;
    static const struct {
        enum order_state state;
        enum order_reason reason;
        bool is_told;
    } cases[] = {
        {ORDER_DECLINED, ORDER_CARD_DECLINED, true},   {ORDER_PAYING, ORDER_PAYMENT_UNKNOWN, true},
        {ORDER_FAILED, ORDER_PAYMENT_FAILED, true},    {ORDER_REFUSED, ORDER_CUSTOMER_LIMIT, true},
        {ORDER_CANCELLED, ORDER_CARD_DECLINED, false}, {ORDER_EXPIRED, ORDER_CARD_DECLINED, false},
        {ORDER_CONFIRMED, ORDER_CARD_DECLINED, false},
    };
    struct order_facts *facts = declined();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        facts->state = cases[i].state;
        facts->reason = cases[i].reason;
        assert_has(facts, "\"reason\":", cases[i].is_told);
    }
    order_facts_unref(facts);
}

// While it is paid nothing can lapse, and the last decline is no news any more.
static void what_is_being_paid_has_no_end(void **state)
{
    (void)state;
    struct order_facts *facts = declined(), *paying = order_facts_paying(facts, 4);
    assert_has(facts, "\"reason\":\"card_declined\"", true);
    assert_has(facts, "\"pay_until\":\"1970-01-01T00:01:00Z\"", true);
    assert_has(paying, "\"state\":\"paying\",\"place\":7,\"attempt\":2,\"revision\":4,\"tier\"", true);
    assert_has(paying, "pay_until", false);
    assert_has(paying, "more_time", false);
    assert_int_equal(paying->pay_until_us, 60000000); // it comes back with a decline
    order_facts_unref(facts);
    order_facts_unref(paying);
}

static void the_bank_s_question_has_an_address(void **state)
{
    (void)state;
    struct order_facts *facts = declined();
    struct outcome outcome = {.place = 7,
                              .attempt = 2,
                              .revision = 5,
                              .state = ORDER_ACTION_REQUIRED,
                              .pay_until_us = 60000000,
                              .action_url = "https://bank.example/?a"};
    struct order_facts *asked = order_facts_after(facts, &outcome, "EUR");
    assert_has(asked, ",\"action_url\":\"https://bank.example/?a\",", true);
    struct order_facts *behind = order_facts_behind(asked, 0), *ended = order_facts_ended(asked, ORDER_CANCELLED, 6);
    assert_has(behind, "action_url", true);
    assert_has(ended, "action_url", false);
    outcome.state = ORDER_CANCELLED;
    outcome.revision = 7;
    outcome.action_url = NULL;
    outcome.pay_until_us = OUTCOME_NO_TIME;
    memcpy(outcome.refund, "done", 5);
    struct order_facts *back = order_facts_after(ended, &outcome, "EUR");
    assert_has(back, ",\"refund\":\"done\",", true);
    order_facts_unref(facts);
    order_facts_unref(asked);
    order_facts_unref(behind);
    order_facts_unref(ended);
    order_facts_unref(back);
}

static void seats_and_needs_are_taken_from_the_choice(void **state)
{
    (void)state;
    static const char choices[] =
        "[{\"tier\":\"stalls\",\"tickets\":{\"adult\":1},\"quantity\":1,\"amount\":7500,\"seats\":[\"A-1\"],\"wheelchair\":1},"
        "{\"tier\":\"floor\",\"tickets\":{\"full\":1},\"quantity\":1,\"amount\":4500},"
        "{\"tier\":\"stalls\",\"tickets\":{\"adult\":3},\"quantity\":3,\"amount\":22500,\"wheelchair\":1,\"companion\":2}]";
    static const struct {
        const char *seats, *tier;
        uint32_t quantity;
        uint64_t amount;
    } expected[] = {{"[\"A-1\"]", "stalls", 1, 7500}, {NULL, "floor", 1, 4500}, {NULL, "stalls", 3, 22500}};
    for (unsigned choice = 0; choice < 3; choice++) {
        struct order_facts *facts = order_facts_new();
        assert_int_equal(order_facts_take_choices(facts, choices, choice), 0);
        if (expected[choice].seats)
            assert_string_equal(facts->seats, expected[choice].seats);
        else
            assert_null(facts->seats);
        assert_string_equal(facts->tier, expected[choice].tier);
        assert_int_equal(facts->quantity, expected[choice].quantity);
        assert_int_equal(facts->amount, expected[choice].amount);
        assert_int_equal(facts->wheelchair, 1);
        assert_int_equal(facts->companion, 2);
        order_facts_unref(facts);
    }
    // What was given stands for itself.
    struct order_facts *given = order_facts_new();
    given->seats = strdup("[\"B-9\"]");
    assert_int_equal(order_facts_take_choices(given, choices, 0), 0);
    assert_string_equal(given->seats, "[\"B-9\"]");
    order_facts_unref(given);
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
    static const char *const broken[] = {"",
                                         "{}",
                                         "[]",
                                         "[1]",
                                         "[{}]",
                                         "[{\"tickets\":1}]",
                                         "x",
                                         "[{\"tier\":\"a\",\"tickets\":{},\"quantity\":0,\"amount\":0}]",
                                         "[{\"tier\":\"a\",\"tickets\":{},\"quantity\":1,\"amount\":0,\"seats\":1}]"};
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
        cmocka_unit_test(a_hold_says_until_when),
        cmocka_unit_test(more_time_is_for_what_is_held),
        cmocka_unit_test(seats_that_are_gone_are_said),
        cmocka_unit_test(who_stands_by_hears_how_many_are_before),
        cmocka_unit_test(what_has_ended_waits_for_nothing),
        cmocka_unit_test(seats_and_needs_are_taken_from_the_choice),
        cmocka_unit_test(what_is_paid_with_is_said_but_not_its_id),
        cmocka_unit_test(only_what_has_a_reason_says_one),
        cmocka_unit_test(what_is_being_paid_has_no_end),
        cmocka_unit_test(the_bank_s_question_has_an_address),
        cmocka_unit_test(an_end_is_a_copy),
        cmocka_unit_test(the_choice_that_was_given_is_taken),
        cmocka_unit_test(choices_of_nobody_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
