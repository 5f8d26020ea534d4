// links: booking-worker
// SPDX-License-Identifier: Apache-2.0
// Who gets what: reading an order's choices, alternatives, limits, and that nothing is ever sold twice.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "booking-worker/allocate.h"
#include "booking-worker/reference.h"
#include "common/buffer.h"

// ---------------------------------------------------------------- choices

static int read_text(const char *text, struct choices *ret, char *problem, size_t problem_bytes)
{
    // From memory that ends where the text does, so that a sanitizer sees a step too far.
    size_t bytes = strlen(text);
    static char *copy;
    free(copy);
    copy = malloc(bytes ? bytes : 1);
    assert_non_null(copy);
    memcpy(copy, text, bytes);
    return choices_read(copy, bytes, ret, problem, problem_bytes);
}

static void choices_are_read(void **state)
{
    (void)state;
    struct choices choices;
    assert_int_equal(read_text("[{\"tier\":\"floor\",\"tickets\":{\"full\":2},\"quantity\":2,\"amount\":9000},"
                               " { \"amount\" : 0 , \"quantity\" : 3, \"tickets\" : { \"a\": 1, \"b\" :2,\"c\":0 } , "
                               "\"tier\" : \"balcony-2\" } ]\n",
                               &choices, NULL, 0),
                     0);
    assert_int_equal(choices.count, 2);
    assert_string_equal(choices.items[0].tier, "floor");
    assert_int_equal(choices.items[0].quantity, 2);
    assert_int_equal(choices.items[0].amount, 9000);
    assert_int_equal(choices.items[0].tickets_bytes, strlen("{\"full\":2}"));
    assert_memory_equal(choices.items[0].tickets, "{\"full\":2}", choices.items[0].tickets_bytes);
    assert_string_equal(choices.items[1].tier, "balcony-2");
    assert_int_equal(choices.items[1].quantity, 3);
    assert_memory_equal(choices.items[1].tickets, "{ \"a\": 1, \"b\" :2,\"c\":0 }", choices.items[1].tickets_bytes);
}

#define ONE "{\"tier\":\"f\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":1}"

static void garbage_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[",
        "[]",
        "null",
        "{}",
        "[1]",
        "[{}]",
        "[" ONE,
        "[" ONE ",]",
        "[" ONE "]x",
        "[" ONE "][" ONE "]",
        "[" ONE "," ONE "," ONE "," ONE "," ONE "]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1},\"quantity\":1}]",
        "[{\"tier\":\"f\",\"tier\":\"f\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":1,\"seats\":[\"A-1\"]}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1},\"quantity\":2,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":0},\"quantity\":0,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{},\"quantity\":0,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1,\"x\":1},\"quantity\":2,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":-1},\"quantity\":-1,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1.5},\"quantity\":1.5,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1e0},\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":01},\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1000001},\"quantity\":1000001,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":9223372036854775808}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":99999999999999999999999}]",
        "[{\"tier\":\"F\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":\"\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":\"f\\u0000\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":7,\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":[1],\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":\"1\"},\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":\"f",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct choices choices;
        char problem[100] = "";
        if (read_text(bad[i], &choices, problem, sizeof(problem)) != ERROR_INVALID)
            fail_msg("%s", bad[i]);
        assert_true(strlen(problem) > strlen("choices, byte 0: "));
    }
    struct choices choices;
    assert_int_equal(read_text("[" ONE "," ONE "," ONE "," ONE "]", &choices, NULL, 0), 0);
    assert_int_equal(read_text("[{\"tier\":\"f\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":9223372036854775807}]",
                               &choices, NULL, 0),
                     0);
}

static void too_many_prices(void **state)
{
    (void)state;
    struct buffer text = BUFFER_INIT;
    buffer_text(&text, "[{\"tier\":\"f\",\"tickets\":{\"x\":1");
    for (int i = 0; i < CHOICES_CODES_MAX; i++)
        buffer_format(&text, ",\"x%d\":0", i);
    buffer_text(&text, "},\"quantity\":1,\"amount\":1}]");
    struct choices choices;
    assert_int_equal(read_text(text.data, &choices, NULL, 0), ERROR_INVALID);
    buffer_done(&text);
}

// ---------------------------------------------------------------- allocating

struct hall {
    struct allocate_tier tiers[3];
    struct allocate_event event;
    struct allocate_customer customer;
};

static struct hall *hall(void)
{
    static struct hall hall;
    hall = (struct hall){
        .tiers = {{.code = "floor", .capacity = 10, .sold = 7},
                  {.code = "balcony", .capacity = 5, .held = 1, .sold = 4},
                  {.code = "stalls", .is_seated = true, .capacity = 100}},
        .event = {.state = LIFECYCLE_OPEN, .max_per_customer = 6, .tier_count = 3, .tiers = hall.tiers},
    };
    return &hall;
}

static struct choices want(size_t count, const char *const *tiers, const uint32_t *quantities)
{
    struct choices choices = {.count = count};
    for (size_t i = 0; i < count; i++) {
        snprintf(choices.items[i].tier, sizeof(choices.items[i].tier), "%s", tiers[i]);
        choices.items[i].quantity = quantities[i];
    }
    return choices;
}

#define WANT(...) \
    want(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__}, quantities)

static void assert_verdict(struct hall *hall, const struct choices *choices, enum order_state state,
                           enum order_reason reason, size_t choice)
{
    struct hall before = *hall;
    struct allocate_verdict verdict = allocate_order(&hall->event, choices, &hall->customer);
    assert_string_equal(order_state_name(verdict.state), order_state_name(state));
    assert_int_equal(verdict.reason, reason);
    if (state == ORDER_CONFIRMED) {
        assert_int_equal(verdict.choice, choice);
        assert_true(hall->customer.is_changed);
        assert_int_equal(hall->customer.booked, before.customer.booked + choices->items[choice].quantity);
    } else {
        assert_memory_equal(hall->tiers, before.tiers, sizeof(before.tiers)); // what gets nothing takes nothing
        assert_int_equal(hall->customer.booked, before.customer.booked);
    }
}

static void the_first_that_fits(void **state)
{
    (void)state;
    struct hall *h = hall();
    const uint32_t quantities[] = {2, 1};
    struct choices choices = WANT("balcony", "floor");
    assert_verdict(h, &choices, ORDER_CONFIRMED, ORDER_NO_REASON, 1);
    assert_int_equal(h->tiers[0].sold, 8);
    assert_true(h->tiers[0].is_changed);
    assert_false(h->tiers[1].is_changed);
    choices = WANT("floor");
    assert_verdict(h, &choices, ORDER_CONFIRMED, ORDER_NO_REASON, 0);
    assert_verdict(h, &choices, ORDER_SOLD_OUT, ORDER_NO_REASON, 0); // two wanted, none left
}

static void never_in_part(void **state)
{
    (void)state;
    const uint32_t quantities[] = {4};
    struct choices choices = WANT("floor"); // three are left
    assert_verdict(hall(), &choices, ORDER_SOLD_OUT, ORDER_NO_REASON, 0);
}

static void what_is_held_is_not_free(void **state)
{
    (void)state;
    const uint32_t quantities[] = {1};
    struct choices choices = WANT("balcony");
    assert_verdict(hall(), &choices, ORDER_SOLD_OUT, ORDER_NO_REASON, 0);
}

static void tiers_that_are_gone(void **state)
{
    (void)state;
    const uint32_t quantities[] = {1, 1, 1};
    struct choices choices = WANT("gone", "also-gone");
    assert_verdict(hall(), &choices, ORDER_REFUSED, ORDER_TIER_CLOSED, 0);
    choices = WANT("gone", "balcony");
    assert_verdict(hall(), &choices, ORDER_SOLD_OUT, ORDER_NO_REASON, 0);
    choices = WANT("gone", "balcony", "floor");
    assert_verdict(hall(), &choices, ORDER_CONFIRMED, ORDER_NO_REASON, 2);
}

static void the_customers_limit(void **state)
{
    (void)state;
    struct hall *h = hall();
    h->customer.booked = 5;
    const uint32_t two_one[] = {2, 1}, *quantities = two_one;
    struct choices choices = WANT("floor");
    assert_verdict(h, &choices, ORDER_REFUSED, ORDER_CUSTOMER_LIMIT, 0);
    choices = WANT("floor", "floor"); // fewer would do
    assert_verdict(h, &choices, ORDER_CONFIRMED, ORDER_NO_REASON, 1);
    choices = WANT("floor");
    assert_verdict(h, &choices, ORDER_REFUSED, ORDER_CUSTOMER_LIMIT, 0);
    // What counts is the best choice that is on sale: too many of it are said before too few, and the other way round.
    const uint32_t one_two[] = {1, 2};
    h = hall();
    h->customer.booked = 5;
    choices = WANT("floor", "balcony");
    assert_verdict(h, &choices, ORDER_REFUSED, ORDER_CUSTOMER_LIMIT, 0);
    quantities = one_two;
    choices = WANT("balcony", "floor");
    assert_verdict(h, &choices, ORDER_SOLD_OUT, ORDER_NO_REASON, 0);
    // A limit that was lowered below what somebody has, and numbers near their end.
    h->customer.booked = UINT32_MAX;
    choices = WANT("floor");
    assert_verdict(h, &choices, ORDER_REFUSED, ORDER_CUSTOMER_LIMIT, 0);
}

static void more_taken_than_there_is(void **state)
{
    (void)state;
    struct hall *h = hall();
    h->tiers[0].capacity = 3; // as if lowered below what is sold
    const uint32_t quantities[] = {1};
    struct choices choices = WANT("floor");
    assert_verdict(h, &choices, ORDER_SOLD_OUT, ORDER_NO_REASON, 0);
    h->tiers[0] =
        (struct allocate_tier){.code = "floor", .capacity = UINT32_MAX, .held = UINT32_MAX, .sold = UINT32_MAX};
    assert_verdict(h, &choices, ORDER_SOLD_OUT, ORDER_NO_REASON, 0);
}

static void what_cannot_be_booked(void **state)
{
    (void)state;
    const uint32_t quantities[] = {1, 1};
    struct choices choices = WANT("floor", "stalls");
    assert_verdict(hall(), NULL, ORDER_FAILED, ORDER_BROKEN, 0);
    assert_verdict(hall(), &choices, ORDER_FAILED, ORDER_BROKEN, 0);
}

static void states_of_the_event(void **state)
{
    (void)state;
    static const struct {
        enum lifecycle_state state;
        enum order_state to;
    } expected[] = {
        {LIFECYCLE_DRAFT, ORDER_RELEASED},   {LIFECYCLE_LOBBY, ORDER_RELEASED},   {LIFECYCLE_OPEN, ORDER_CONFIRMED},
        {LIFECYCLE_PAUSED, ORDER_CONFIRMED}, {LIFECYCLE_STOPPED, ORDER_RELEASED}, {LIFECYCLE_SOLD_OUT, ORDER_CONFIRMED},
        {LIFECYCLE_CLOSED, ORDER_REFUSED},
    };
    assert_int_equal(sizeof(expected) / sizeof(expected[0]), LIFECYCLE_STATE_COUNT);
    const uint32_t quantities[] = {1};
    struct choices choices = WANT("floor");
    for (size_t i = 0; i < LIFECYCLE_STATE_COUNT; i++) {
        struct hall *h = hall();
        h->event.state = expected[i].state;
        assert_verdict(h, &choices, expected[i].to,
                       expected[i].to == ORDER_REFUSED ? ORDER_EVENT_CLOSED : ORDER_NO_REASON, 0);
        // What is decided is allowed by the table of states.
        assert_true(expected[i].to == ORDER_RELEASED ||
                    order_may_become(ORDER_RELEASED, expected[i].to, ORDER_BY_SYSTEM));
    }
}

static void when_all_is_sold(void **state)
{
    (void)state;
    struct hall *h = hall();
    assert_false(allocate_is_all_sold(&h->event));
    h->tiers[0].sold = 10;
    h->tiers[1] = (struct allocate_tier){.code = "balcony", .capacity = 5, .sold = 5};
    assert_false(allocate_is_all_sold(&h->event));
    h->tiers[2].sold = 100;
    assert_true(allocate_is_all_sold(&h->event));
    h->tiers[1].held = 1, h->tiers[1].sold = 4; // may come back
    assert_false(allocate_is_all_sold(&h->event));
    h->event.tier_count = 0;
    assert_false(allocate_is_all_sold(&h->event));
}

// Any orders in any sequence: never more than there is, and never more to one than allowed.
static void never_oversold(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 200; seed++) {
        srand(seed);
        struct hall *h = hall();
        h->event.tier_count = 2;
        struct allocate_customer customers[4] = {{0}};
        uint64_t sold = 7 + 4;
        for (int i = 0; i < 50; i++) {
            const uint32_t quantities[] = {(uint32_t)(1 + rand() % 4), (uint32_t)(1 + rand() % 4)};
            struct choices choices = rand() % 2 ? WANT("floor", "balcony") : WANT("balcony", "gone");
            struct allocate_verdict verdict = allocate_order(&h->event, &choices, &customers[rand() % 4]);
            if (verdict.state == ORDER_CONFIRMED)
                sold += choices.items[verdict.choice].quantity;
            assert_true(h->tiers[0].sold + h->tiers[0].held <= h->tiers[0].capacity);
            assert_true(h->tiers[1].sold + h->tiers[1].held <= h->tiers[1].capacity);
            assert_int_equal(h->tiers[0].sold + h->tiers[1].sold, sold);
            for (size_t c = 0; c < 4; c++)
                assert_true(customers[c].booked <= h->event.max_per_customer);
        }
    }
}

// ---------------------------------------------------------------- references

static void references(void **state)
{
    (void)state;
    static const struct {
        uint8_t random[REFERENCE_RANDOM_BYTES];
        const char *text;
    } expected[] = {
        {{0, 0, 0, 0, 0}, "0000-0000"},
        {{255, 255, 255, 255, 255}, "ZZZZ-ZZZZ"},
        {{0, 0, 0, 0, 1}, "0000-0001"},
        {{0x08, 0x42, 0x10, 0x84, 0x21}, "1111-1111"},
        {{0x00, 0x44, 0x32, 0x14, 0xC7}, "0123-4567"},
        {{0x94, 0xD2, 0xF3, 0x0F, 0xFF}, "JK9F-63ZZ"},
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        char text[REFERENCE_BYTES];
        reference_format(expected[i].random, text);
        assert_string_equal(text, expected[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_are_read),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(too_many_prices),
        cmocka_unit_test(the_first_that_fits),
        cmocka_unit_test(never_in_part),
        cmocka_unit_test(what_is_held_is_not_free),
        cmocka_unit_test(tiers_that_are_gone),
        cmocka_unit_test(the_customers_limit),
        cmocka_unit_test(more_taken_than_there_is),
        cmocka_unit_test(what_cannot_be_booked),
        cmocka_unit_test(states_of_the_event),
        cmocka_unit_test(when_all_is_sold),
        cmocka_unit_test(never_oversold),
        cmocka_unit_test(references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
