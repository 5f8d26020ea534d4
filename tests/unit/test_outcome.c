// SPDX-License-Identifier: Apache-2.0
// Outcomes: what is written is read back the same, and garbage is refused whole.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/outcome.h"
#include "common/seat.h"

static const char example[] =
    "{\"v\":1,\"type\":\"outcomes\",\"slug\":\"spring-gala\",\"currency\":\"EUR\",\"sender\":\"abc\",\"seq\":17,\"outcomes\":["
    "{\"place\":4211,\"attempt\":1,\"revision\":3,\"visitor\":\"00112233445566778899aabbccddeeff\",\"state\":\"confirmed\","
    "\"reference\":\"K7QM-4WDP\",\"tier\":\"floor\",\"quantity\":2,\"amount\":9000,\"tickets\":{\"full\":2}},"
    "{\"place\":1,\"attempt\":65535,\"revision\":4294967295,\"visitor\":\"ffffffffffffffffffffffffffffffff\",\"state\":"
    "\"refused\",\"reason\":\"customer_limit\"}]}";

static void write(const struct outcomes *outcomes, struct buffer *text)
{
    outcomes_begin(text, outcomes->slug, outcomes->currency, outcomes->sender[0] ? outcomes->sender : NULL,
                   outcomes->seq);
    for (size_t i = 0; i < outcomes->count; i++)
        outcomes_add(text, &outcomes->items[i]);
    outcomes_end(text);
    assert_false(text->failed);
}

static void they_go_there_and_back(void **state)
{
    (void)state;
    struct outcomes outcomes;
    struct buffer text = BUFFER_INIT;
    assert_int_equal(outcomes_read(example, strlen(example), &outcomes, NULL, 0), 0);
    assert_string_equal(outcomes.slug, "spring-gala");
    assert_string_equal(outcomes.currency, "EUR");
    assert_string_equal(outcomes.sender, "abc");
    assert_int_equal(outcomes.seq, 17);
    assert_int_equal(outcomes.count, 2);
    const struct outcome *first = &outcomes.items[0], *second = &outcomes.items[1];
    assert_int_equal(first->place, 4211);
    assert_int_equal(first->visitor[1], 0x11);
    assert_int_equal(first->state, ORDER_CONFIRMED);
    assert_int_equal(first->reason, ORDER_NO_REASON);
    assert_string_equal(first->reference, "K7QM-4WDP");
    assert_string_equal(first->tickets, "{\"full\":2}");
    assert_int_equal(second->attempt, UINT16_MAX);
    assert_int_equal(second->revision, UINT32_MAX);
    assert_int_equal(second->reason, ORDER_CUSTOMER_LIMIT);
    assert_string_equal(second->tier, "");
    assert_null(second->tickets);
    write(&outcomes, &text);
    assert_string_equal(text.data, example);
    buffer_done(&text);
    outcomes_done(&outcomes);
    outcomes_done(&outcomes);
    outcomes_done(NULL);
}

#define HELD                                                                                                           \
    "{\"v\":1,\"type\":\"outcomes\",\"slug\":\"gala\",\"currency\":\"EUR\",\"outcomes\":[{\"place\":1,\"attempt\":1,"  \
    "\"revision\":4,\"visitor\":\"00112233445566778899aabbccddeeff\",\"state\":\"held\",\"reference\":\"K7QM-4WDP\","  \
    "\"tier\":\"stalls\",\"quantity\":2,\"amount\":9000,\"tickets\":{\"full\":2},\"seats\":[\"A-12\",\"Box 1-13\"],"   \
    "\"pay_until_us\":1795470000000000,\"had_more_time\":true},{\"place\":2,\"attempt\":1,\"revision\":3,\"visitor\":" \
    "\"ffffffffffffffffffffffffffffffff\",\"state\":\"refused\",\"reason\":\"seats_taken\",\"gone\":[\"A-13\"]}]}"

static void seats_and_holds_go_there_and_back(void **state)
{
    (void)state;
    struct outcomes outcomes;
    struct buffer text = BUFFER_INIT;
    assert_int_equal(outcomes_read(HELD, strlen(HELD), &outcomes, NULL, 0), 0);
    const struct outcome *held = &outcomes.items[0], *refused = &outcomes.items[1];
    assert_string_equal(held->seats, "[\"A-12\",\"Box 1-13\"]");
    assert_null(held->gone);
    assert_int_equal(held->pay_until_us, 1795470000000000);
    assert_true(held->had_more_time);
    assert_int_equal(refused->reason, ORDER_SEATS_TAKEN);
    assert_null(refused->seats);
    assert_string_equal(refused->gone, "[\"A-13\"]");
    assert_int_equal(refused->pay_until_us, OUTCOME_NO_TIME);
    assert_false(refused->had_more_time);
    write(&outcomes, &text);
    assert_string_equal(text.data, HELD);
    buffer_done(&text);
    outcomes_done(&outcomes);
}

// As many seats as an order can have, and one more; and rows that grow when they are written.
static void seats_have_a_bound(void **state)
{
    (void)state;
    static const struct {
        const char *seat;
        size_t count;
        int result;
    } cases[] = {{"A long row it is-9999", SEATS_IN_ORDER_MAX, 0},
                 {"A-1", SEATS_IN_ORDER_MAX + 1, ERROR_INVALID},
                 {"\\u0001\\u0001\\u0001\\u0001\\u0001\\u0001\\u0001\\u0001-1", SEATS_IN_ORDER_MAX, ERROR_INVALID}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outcomes outcomes = {0};
        struct buffer text = BUFFER_INIT, seats = BUFFER_INIT;
        for (size_t seat = 0; seat < cases[i].count; seat++)
            buffer_format(&seats, "%s\"%s\"", seat ? "," : "", cases[i].seat);
        const char *at = strstr(HELD, "\"A-12\",\"Box 1-13\"");
        buffer_append(&text, HELD, (size_t)(at - HELD));
        buffer_text(&text, seats.data);
        buffer_text(&text, at + strlen("\"A-12\",\"Box 1-13\""));
        assert_int_equal(outcomes_read(text.data, text.bytes, &outcomes, NULL, 0), cases[i].result);
        if (cases[i].result == 0)
            assert_true(strlen(outcomes.items[0].seats) < OUTCOME_SEATS_BYTES);
        outcomes_done(&outcomes);
        buffer_done(&text);
        buffer_done(&seats);
    }
}

#define MONEY                                                                                                              \
    "{\"v\":1,\"type\":\"outcomes\",\"slug\":\"gala\",\"currency\":\"EUR\",\"outcomes\":[{\"place\":1,\"attempt\":1,"      \
    "\"revision\":4,\"visitor\":\"00112233445566778899aabbccddeeff\",\"state\":\"action_required\",\"tier\":\"floor\","    \
    "\"quantity\":2,\"amount\":9000,\"pay_until_us\":1795470000000000,\"action_url\":\"https://bank.example/a?b=c%20d\"}," \
    "{\"place\":2,\"attempt\":1,\"revision\":7,\"visitor\":\"ffffffffffffffffffffffffffffffff\",\"state\":\"cancelled\","  \
    "\"refund\":\"pending\"}]}"

static void what_is_asked_and_given_back_goes_there_and_back(void **state)
{
    (void)state;
    struct outcomes outcomes;
    struct buffer text = BUFFER_INIT;
    assert_int_equal(outcomes_read(MONEY, strlen(MONEY), &outcomes, NULL, 0), 0);
    assert_string_equal(outcomes.items[0].action_url, "https://bank.example/a?b=c%20d");
    assert_string_equal(outcomes.items[0].refund, "");
    assert_null(outcomes.items[1].action_url);
    assert_string_equal(outcomes.items[1].refund, "pending");
    write(&outcomes, &text);
    assert_string_equal(text.data, MONEY);
    buffer_done(&text);
    outcomes_done(&outcomes);
}

// An address of as many bytes, which is read or not.
static void assert_address(size_t bytes, int result)
{
    char url[OUTCOME_URL_BYTES + 2];
    struct outcomes outcomes = {0};
    struct buffer text = BUFFER_INIT;
    struct outcome outcome = {
        .place = 1, .attempt = 1, .revision = 1, .state = ORDER_ACTION_REQUIRED, .action_url = url};
    memset(url, 'a', sizeof(url));
    memcpy(url, "https://", 8);
    url[bytes] = '\0';
    outcomes_begin(&text, "a", "EUR", NULL, 0);
    outcomes_add(&text, &outcome);
    outcomes_end(&text);
    assert_int_equal(outcomes_read(text.data, text.bytes, &outcomes, NULL, 0), result);
    outcomes_done(&outcomes);
    buffer_done(&text);
}

static void an_address_has_a_bound(void **state)
{
    (void)state;
    assert_address(OUTCOME_URL_BYTES - 1, 0);
    assert_address(OUTCOME_URL_BYTES, ERROR_INVALID);
}

static void build(struct buffer *text, size_t count)
{
    const struct outcome outcome = {.place = INT64_MAX, .attempt = 1, .revision = 1, .state = ORDER_SOLD_OUT};
    buffer_clear(text);
    outcomes_begin(text, "a", "EUR", NULL, 0);
    for (size_t i = 0; i < count; i++)
        outcomes_add(text, &outcome);
    outcomes_end(text);
}

static void the_most_fits_and_one_more_does_not(void **state)
{
    (void)state;
    struct outcomes outcomes = {0};
    struct buffer text = BUFFER_INIT;
    const size_t counts[] = {0, 1, OUTCOMES_MAX};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        build(&text, counts[i]);
        assert_int_equal(outcomes_read(text.data, text.bytes, &outcomes, NULL, 0), 0);
        assert_int_equal(outcomes.count, counts[i]);
        assert_string_equal(outcomes.sender, "");
        outcomes_done(&outcomes);
    }
    build(&text, OUTCOMES_MAX + 1);
    assert_int_equal(outcomes_read(text.data, text.bytes, &outcomes, NULL, 0), ERROR_INVALID);
    buffer_done(&text);
}

// The example with one piece in place of another.
static void assert_refused_in(const char *whole, const char *piece, const char *other)
{
    const char *at = strstr(whole, piece);
    char text[2048], problem[128] = "";
    struct outcomes outcomes = {.count = 77};
    assert_non_null(at);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - whole), whole, other, at + strlen(piece));
    if (outcomes_read(text, strlen(text), &outcomes, problem, sizeof(problem)) != ERROR_INVALID)
        fail_msg("was read: %s", text);
    assert_true(problem[0] != '\0');
    assert_int_equal(outcomes.count, 77);
}

static void assert_refused(const char *piece, const char *other)
{
    assert_refused_in(example, piece, other);
}

static void garbage_about_seats_and_holds_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[\"A-12\",\"Box 1-13\"]", "[]"},
        {"[\"A-12\",\"Box 1-13\"]", "null"},
        {"[\"A-12\",\"Box 1-13\"]", "\"A-12\""},
        {"\"A-12\"", "12"},
        {"\"A-12\"", "\"A12\""},
        {"\"A-12\"", "\"A-0\""},
        {"\"A-12\"", "\"seventeen letters-1\""},
        {"[\"A-13\"]", "[]"},
        {"[\"A-13\"]", "[\"A-13\",null]"},
        {"1795470000000000", "0"},
        {"1795470000000000", "-1"},
        {"1795470000000000", "\"later\""},
        {"\"had_more_time\":true", "\"had_more_time\":1"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused_in(HELD, cases[i][0], cases[i][1]);
}

static void garbage_about_money_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"https://bank.example/a", "javascript:alert(1)//"},
        {"https://bank.example/a", "ftp://bank.example/a"},
        {"https://bank.example/a", "//bank.example/a"},
        {"https://bank.example/a", ""},
        {"https://bank.example/a", "https://bank.example/ a"},
        {"https://bank.example/a", "https://bank.example/\\n"},
        {"https://bank.example/a", "https://bank.example/\xc3\xa4"},
        {"\"https://bank.example/a?b=c%20d\"", "17"},
        {"\"pending\"", "\"perhaps\""},
        {"\"pending\"", "\"pendingly\""},
        {"\"pending\"", "true"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused_in(MONEY, cases[i][0], cases[i][1]);
}

static void garbage_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"v\":1", "{\"v\":2"},
        {"\"outcomes\",", "\"outcome\","},
        {"\"spring-gala\"", "\"Spring\""},
        {"\"EUR\"", "\"EURO\""},
        {"\"EUR\"", "\"EU\""},
        {"\"abc\"", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""},
        {"\"seq\":17", "\"seq\":-1"},
        {"\"place\":4211", "\"place\":0"},
        {"\"place\":4211", "\"place\":\"4211\""},
        {"\"attempt\":65535", "\"attempt\":65536"},
        {"\"revision\":4294967295", "\"revision\":4294967296"},
        {"\"revision\":3", "\"revision\":0"},
        {"eeff", "eefg"},
        {"eeff", "EEFF"},
        {"eeff", "eef"},
        {"\"confirmed\"", "\"happy\""},
        {"\"confirmed\"", "null"},
        {"\"customer_limit\"", "\"because\""},
        {"\"K7QM-4WDP\"", "\"K7QM-4WDPX\""},
        {"\"quantity\":2", "\"quantity\":-2"},
        {"\"amount\":9000", "\"amount\":9000.5"},
        {"{\"full\":2}", "[2]"},
        {"{\"full\":2}", "{\"full\":-2}"},
        {"{\"full\":2}", "{\"FULL\":2}"},
        {"{\"full\":2}}", "{\"full\":2}},7"},
        {"\"outcomes\":[", "\"outcome\":["},
        {"]}", "]"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i][0], cases[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_go_there_and_back),
        cmocka_unit_test(seats_and_holds_go_there_and_back),
        cmocka_unit_test(seats_have_a_bound),
        cmocka_unit_test(what_is_asked_and_given_back_goes_there_and_back),
        cmocka_unit_test(an_address_has_a_bound),
        cmocka_unit_test(garbage_about_money_is_refused),
        cmocka_unit_test(garbage_about_seats_and_holds_is_refused),
        cmocka_unit_test(the_most_fits_and_one_more_does_not),
        cmocka_unit_test(garbage_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
