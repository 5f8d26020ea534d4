// links: booking-worker
// SPDX-License-Identifier: Apache-2.0
// Who gets what: alternatives, limits, seats, holds, standby, and what goes back. test_allocate_model.c tries any sequence of these.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "booking-worker/allocate.h"
#include "booking-worker/reference.h"

enum { FLOOR, BALCONY, STALLS };

// Two standing tiers and one with seats: row A has a wheelchair place (1), a companion's seat (2), two ordinary ones and a blocked
// one (5), row B five ordinary ones.
struct hall {
    struct allocate_tier tiers[3];
    struct allocate_event event;
    struct allocate_customer customer;
};

static struct seating *seating(void)
{
    static const struct seating_seat seats[] = {
        {"A", 0, 1, SEAT_WHEELCHAIR}, {"A", 0, 2, SEAT_COMPANION}, {"A", 0, 3, SEAT_ORDINARY},
        {"A", 0, 4, SEAT_ORDINARY},   {"A", 0, 5, SEAT_BLOCKED},   {"B", 1, 1, SEAT_ORDINARY},
        {"B", 1, 2, SEAT_ORDINARY},   {"B", 1, 3, SEAT_ORDINARY},  {"B", 1, 4, SEAT_ORDINARY},
        {"B", 1, 5, SEAT_ORDINARY},
    };
    static struct seating *seating;
    if (!seating)
        assert_int_equal(seating_new(seats, sizeof(seats) / sizeof(seats[0]), &seating), 0);
    seating_clear(seating);
    return seating;
}

static struct hall *hall(void)
{
    static struct hall hall;
    hall = (struct hall){
        .tiers = {[FLOOR] = {.code = "floor", .capacity = 10, .sold = 7},
                  [BALCONY] = {.code = "balcony", .capacity = 5, .held = 1, .sold = 4},
                  [STALLS] = {.code = "stalls", .is_seated = true, .capacity = 9, .seating = seating()}},
        .event = {.state = LIFECYCLE_OPEN, .max_per_customer = 6, .tier_count = 3, .tiers = hall.tiers},
    };
    return &hall;
}

static struct choices choices_of(const struct choice *items, size_t count)
{
    struct choices choices = {.count = count};
    memcpy(choices.items, items, count * sizeof(items[0]));
    return choices;
}

#define CHOICES(...)                                 \
    choices_of((const struct choice[]){__VA_ARGS__}, \
               sizeof((const struct choice[]){__VA_ARGS__}) / sizeof(struct choice))
#define NAMED(text) .seats = (text), .seats_bytes = sizeof(text) - 1

static uint32_t seat(const struct hall *hall, const char *row, uint16_t number)
{
    return seating_find(hall->tiers[STALLS].seating, row, number);
}

// Takes seats of the stalls as if they had been sold.
static void sell(struct hall *hall, const char *row, uint16_t first, uint16_t last)
{
    for (uint16_t number = first; number <= last; number++) {
        assert_true(seating_take(hall->tiers[STALLS].seating, seat(hall, row, number)));
        hall->tiers[STALLS].sold++;
    }
}

static size_t seats_free(const struct hall *hall)
{
    size_t count = 0;
    for (uint32_t i = 0; i < seating_count(hall->tiers[STALLS].seating); i++)
        count += seating_is_free(hall->tiers[STALLS].seating, i);
    return count;
}

static void assert_state(struct allocate_verdict verdict, enum order_state state, enum order_reason reason)
{
    assert_string_equal(order_state_name(verdict.state), order_state_name(state));
    assert_int_equal(verdict.reason, reason);
}

static struct allocate_verdict order(struct hall *hall, struct choices choices, enum order_state state,
                                     enum order_reason reason, size_t choice)
{
    struct hall before = *hall;
    size_t free_before = seats_free(hall);
    struct allocate_verdict verdict = allocate_order(&hall->event, &choices, &hall->customer);
    assert_state(verdict, state, reason);
    if (order_is_counted(state)) {
        assert_int_equal(verdict.choice, choice);
        assert_true(hall->customer.is_changed);
        assert_int_equal(hall->customer.booked, before.customer.booked + choices.items[choice].quantity);
    } else { // what gets nothing takes nothing
        assert_memory_equal(hall->tiers, before.tiers, sizeof(before.tiers));
        assert_int_equal(hall->customer.booked, before.customer.booked);
        assert_int_equal(seats_free(hall), free_before);
    }
    return verdict;
}

static void sold_out(struct hall *hall, struct choices choices)
{
    order(hall, choices, ORDER_SOLD_OUT, ORDER_NO_REASON, 0);
}

static struct allocate_verdict given(struct hall *hall, struct choices choices, size_t choice)
{
    return order(hall, choices, ORDER_CONFIRMED, ORDER_NO_REASON, choice);
}

// ---------------------------------------------------------------- newcomers

static void the_first_that_fits(void **state)
{
    (void)state;
    struct hall *h = hall();
    h->tiers[BALCONY] = (struct allocate_tier){.code = "balcony", .capacity = 5, .sold = 5};
    given(h, CHOICES({.tier = "balcony", .quantity = 2}, {.tier = "floor", .quantity = 1}), 1);
    assert_int_equal(h->tiers[FLOOR].sold, 8);
    assert_true(h->tiers[FLOOR].is_changed);
    assert_false(h->tiers[BALCONY].is_changed);
    given(h, CHOICES({.tier = "floor", .quantity = 2}), 0);
    sold_out(h, CHOICES({.tier = "floor", .quantity = 2})); // none is left
}

static void never_in_part(void **state)
{
    (void)state;
    sold_out(hall(), CHOICES({.tier = "floor", .quantity = 4})); // three are left
}

static void tiers_that_are_gone(void **state)
{
    (void)state;
    struct hall *h = hall();
    order(h, CHOICES({.tier = "gone", .quantity = 1}, {.tier = "also-gone", .quantity = 1}), ORDER_REFUSED,
          ORDER_TIER_CLOSED, 0);
    sold_out(h, CHOICES({.tier = "gone", .quantity = 1}, {.tier = "floor", .quantity = 4}));
    given(h, CHOICES({.tier = "gone", .quantity = 1}, {.tier = "floor", .quantity = 1}), 1);
}

static void the_customers_limit(void **state)
{
    (void)state;
    struct hall *h = hall();
    h->customer.booked = 5;
    order(h, CHOICES({.tier = "floor", .quantity = 2}), ORDER_REFUSED, ORDER_CUSTOMER_LIMIT, 0);
    // Fewer would do.
    given(h, CHOICES({.tier = "floor", .quantity = 2}, {.tier = "floor", .quantity = 1}), 1);
    order(h, CHOICES({.tier = "floor", .quantity = 1}), ORDER_REFUSED, ORDER_CUSTOMER_LIMIT, 0);
    // What counts is the best choice that is on sale: too many of it are said before too few, and the other way round.
    h = hall();
    h->customer.booked = 2;
    order(h, CHOICES({.tier = "floor", .quantity = 5}, {.tier = "floor", .quantity = 4}), ORDER_REFUSED,
          ORDER_CUSTOMER_LIMIT, 0);
    sold_out(h, CHOICES({.tier = "floor", .quantity = 4}, {.tier = "floor", .quantity = 5}));
    // Whoever has what is allowed does not stand by for more.
    h->customer.booked = 6;
    order(h, CHOICES({.tier = "balcony", .quantity = 1}), ORDER_REFUSED, ORDER_CUSTOMER_LIMIT, 0);
    // A limit that was lowered below what somebody has, and numbers near their end.
    h->customer.booked = UINT32_MAX;
    order(h, CHOICES({.tier = "floor", .quantity = 1}), ORDER_REFUSED, ORDER_CUSTOMER_LIMIT, 0);
}

static void more_taken_than_there_is(void **state)
{
    (void)state;
    struct hall *h = hall();
    h->tiers[FLOOR].capacity = 3; // as if lowered below what is sold
    sold_out(h, CHOICES({.tier = "floor", .quantity = 1}));
    h->tiers[FLOOR] =
        (struct allocate_tier){.code = "floor", .capacity = UINT32_MAX, .held = UINT32_MAX, .sold = UINT32_MAX};
    sold_out(h, CHOICES({.tier = "floor", .quantity = 1}));
}

static void what_cannot_be_booked(void **state)
{
    (void)state;
    struct hall *h = hall();
    assert_state(allocate_order(&h->event, NULL, &h->customer), ORDER_FAILED, ORDER_BROKEN);
    // Broken is broken, though the first choice could be had.
    h->event.max_per_customer = 1000;
    order(h, CHOICES({.tier = "floor", .quantity = 1}, {.tier = "floor", .quantity = 1, NAMED("[\"A-1\"]")}),
          ORDER_FAILED, ORDER_BROKEN, 0);
    order(h, CHOICES({.tier = "floor", .quantity = 1}, {.tier = "stalls", .quantity = SEATS_IN_ORDER_MAX + 1}),
          ORDER_FAILED, ORDER_BROKEN, 0);
    sold_out(h, CHOICES({.tier = "stalls", .quantity = SEATS_IN_ORDER_MAX}));
    sold_out(h, CHOICES({.tier = "floor", .quantity = SEATS_IN_ORDER_MAX + 1})); // standing places have no such bound
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
    for (size_t i = 0; i < LIFECYCLE_STATE_COUNT; i++) {
        struct hall *h = hall();
        h->event.state = expected[i].state;
        order(h, CHOICES({.tier = "floor", .quantity = 1}), expected[i].to,
              expected[i].to == ORDER_REFUSED ? ORDER_EVENT_CLOSED : ORDER_NO_REASON, 0);
        // What is decided is allowed by the table of states.
        assert_true(expected[i].to == ORDER_RELEASED ||
                    order_may_become(ORDER_RELEASED, expected[i].to, ORDER_BY_SYSTEM));
    }
}

static void what_costs_something_is_held(void **state)
{
    (void)state;
    struct hall *h = hall();
    given(h, CHOICES({.tier = "floor", .quantity = 1, .amount = 5}), 0); // nobody asks for payment
    h->event.needs_payment = true;
    order(h, CHOICES({.tier = "floor", .quantity = 1, .amount = 5}), ORDER_HELD, ORDER_NO_REASON, 0);
    assert_int_equal(h->tiers[FLOOR].held, 1);
    assert_int_equal(h->tiers[FLOOR].sold, 8);
    given(h, CHOICES({.tier = "floor", .quantity = 1, .amount = 0}), 0); // nothing is due
    assert_int_equal(h->tiers[FLOOR].held, 1);
    assert_int_equal(h->tiers[FLOOR].sold, 9);
}

// ---------------------------------------------------------------- seats

static void assert_has_seats(const struct hall *hall, const struct allocate_verdict *verdict, size_t count,
                             const uint32_t *seats)
{
    assert_int_equal(verdict->seat_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(verdict->seats[i], seats[i]);
        assert_false(seating_is_free(hall->tiers[STALLS].seating, seats[i]));
    }
}

static void the_best_seats(void **state)
{
    (void)state;
    struct hall *h = hall();
    struct allocate_verdict verdict = given(h, CHOICES({.tier = "stalls", .quantity = 2}), 0);
    assert_int_equal(verdict.rule, SEATING_TOGETHER);
    assert_has_seats(h, &verdict, 2, (uint32_t[]){seat(h, "A", 3), seat(h, "A", 4)});
    assert_true(h->tiers[STALLS].has_changed_seats && h->tiers[STALLS].is_changed);
    assert_int_equal(h->tiers[STALLS].sold, 2);
    assert_int_equal(seats_free(h), 7);
    // With its needs a party gets those seats, and the needs go with the order, not with the choice that is served.
    struct choices wheelchair = CHOICES({.tier = "stalls", .quantity = 2, .wheelchair = 1, .companion = 1});
    h->customer.booked = 0;
    verdict = given(h, wheelchair, 0);
    assert_has_seats(h, &verdict, 2, (uint32_t[]){seat(h, "A", 1), seat(h, "A", 2)});
    sold_out(h, wheelchair); // five ordinary ones are left
    given(
        h,
        CHOICES({.tier = "stalls", .quantity = 2, .wheelchair = 1}, {.tier = "floor", .quantity = 2, .wheelchair = 1}),
        1);
    h->customer.booked = 0;
    given(h, CHOICES({.tier = "stalls", .quantity = 5}), 0);
    assert_int_equal(seats_free(h), 0);
}

static void seats_by_name(void **state)
{
    (void)state;
    struct hall *h = hall();
    struct allocate_verdict verdict =
        given(h, CHOICES({.tier = "stalls", .quantity = 3, NAMED("[\"B-4\",\"A-3\" , \"b-1\"]")}), 0);
    assert_has_seats(h, &verdict, 3, (uint32_t[]){seat(h, "B", 4), seat(h, "A", 3), seat(h, "B", 1)});
    assert_int_equal(verdict.rule, SEATING_NOTHING);
    assert_true(h->tiers[STALLS].has_changed_seats);
    // All or nothing: the positions of those that are gone.
    verdict = order(h, CHOICES({.tier = "stalls", .quantity = 3, NAMED("[\"B-1\",\"B-2\",\"A-3\"]")}), ORDER_REFUSED,
                    ORDER_SEATS_TAKEN, 0);
    assert_int_equal(verdict.seat_count, 2);
    assert_int_equal(verdict.seats[0], 0);
    assert_int_equal(verdict.seats[1], 2);
    // A second choice without names.
    given(h, CHOICES({.tier = "stalls", .quantity = 1, NAMED("[\"A-3\"]")}, {.tier = "stalls", .quantity = 1}), 1);
}

static void assert_gone(struct choice choice, size_t position)
{
    struct hall *h = hall();
    struct choices choices = {.count = 1, .items = {choice}};
    struct allocate_verdict verdict = order(h, choices, ORDER_REFUSED, ORDER_SEATS_TAKEN, 0);
    assert_int_equal(verdict.seat_count, 1);
    assert_int_equal(verdict.seats[0], position);
    assert_int_equal(verdict.choice, 0);
}

static void seats_that_cannot_be_had(void **state)
{
    (void)state;
    assert_gone((struct choice){.tier = "stalls", .quantity = 2, NAMED("[\"A-3\",\"A-6\"]")}, 1); // not in the hall
    assert_gone((struct choice){.tier = "stalls", .quantity = 2, NAMED("[\"C-1\",\"A-3\"]")}, 0);
    assert_gone((struct choice){.tier = "stalls", .quantity = 2, NAMED("[\"A-5\",\"A-4\"]")}, 0); // blocked
    assert_gone((struct choice){.tier = "stalls", .quantity = 2, NAMED("[\"A-1\",\"A-3\"]")}, 0); // for others
    assert_gone((struct choice){.tier = "stalls", .quantity = 2, NAMED("[\"A-3\",\"A-2\"]"), .wheelchair = 1}, 1);
    assert_gone((struct choice){.tier = "stalls", .quantity = 2, NAMED("[\"A-1\",\"A-3\"]"), .companion = 1}, 0);
    struct hall *h = hall();
    given(
        h,
        CHOICES({.tier = "stalls", .quantity = 3, NAMED("[\"A-1\",\"A-2\",\"A-3\"]"), .wheelchair = 1, .companion = 1}),
        0);
    given(h, CHOICES({.tier = "stalls", .quantity = 1, NAMED("[\"A-4\"]"), .wheelchair = 1}), 0); // may sit there
}

static void seats_by_name_do_not_stand_by(void **state)
{
    (void)state;
    struct hall *h = hall();
    sell(h, "B", 1, 5);
    h->tiers[STALLS].sold = 0, h->tiers[STALLS].held = 5;
    order(h, CHOICES({.tier = "stalls", .quantity = 1, NAMED("[\"B-1\"]")}), ORDER_REFUSED, ORDER_SEATS_TAKEN, 0);
    order(h, CHOICES({.tier = "stalls", .quantity = 3}), ORDER_STANDBY, ORDER_NO_REASON, 0);
    // Now what is free is for those who stand by.
    sold_out(h, CHOICES({.tier = "stalls", .quantity = 1, NAMED("[\"A-3\"]")}));
}

// The counters and the hall are two numbers for the same thing: both have to allow it.
static void seats_beyond_the_capacity(void **state)
{
    (void)state;
    struct hall *h = hall();
    h->tiers[STALLS].capacity = 2;
    sold_out(h, CHOICES({.tier = "stalls", .quantity = 3}));
    sold_out(h, CHOICES({.tier = "stalls", .quantity = 3, NAMED("[\"B-1\",\"B-2\",\"B-3\"]")}));
    given(h, CHOICES({.tier = "stalls", .quantity = 2, NAMED("[\"B-1\",\"B-2\"]")}), 0);
}

// ---------------------------------------------------------------- standing by

static void who_stands_by(void **state)
{
    (void)state;
    static const struct {
        uint32_t capacity, held, sold, standby, quantity;
        enum order_state state;
    } cases[] = {
        {5, 1, 4, 0, 1, ORDER_STANDBY},  {5, 1, 4, 0, 2, ORDER_SOLD_OUT}, // more than ever comes back
        {5, 2, 2, 0, 3, ORDER_STANDBY}, // one is free, two may come back
        {5, 0, 5, 0, 1, ORDER_SOLD_OUT}, {5, 0, 4, 0, 2, ORDER_SOLD_OUT}, // nothing comes back
        {5, 1, 2, 1, 1, ORDER_STANDBY}, // there are two, but somebody was here before
        {5, 0, 2, 1, 1, ORDER_STANDBY},  {5, 0, 4, 1, 2, ORDER_SOLD_OUT}, {5, 1, 2, 1, 4, ORDER_SOLD_OUT},
        {5, 5, 0, 0, 5, ORDER_STANDBY},  {3, 2, 4, 0, 1, ORDER_SOLD_OUT}, // lowered below what is sold
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hall *h = hall();
        h->tiers[BALCONY] = (struct allocate_tier){.code = "balcony",
                                                   .capacity = cases[i].capacity,
                                                   .held = cases[i].held,
                                                   .sold = cases[i].sold,
                                                   .standby = cases[i].standby};
        order(h, CHOICES({.tier = "balcony", .quantity = cases[i].quantity}), cases[i].state, ORDER_NO_REASON, 0);
        assert_int_equal(h->tiers[BALCONY].standby, cases[i].standby + (cases[i].state == ORDER_STANDBY));
        assert_int_equal(h->tiers[BALCONY].held, cases[i].held);
        assert_int_equal(h->tiers[BALCONY].sold, cases[i].sold);
    }
}

static void what_is_stood_by_for(void **state)
{
    (void)state;
    struct hall *h = hall();
    // Not while another choice can be had; and for the first that makes sense.
    given(h, CHOICES({.tier = "balcony", .quantity = 1}, {.tier = "floor", .quantity = 3}), 1);
    h->customer.booked = 4;
    order(h,
          CHOICES({.tier = "balcony", .quantity = 3}, {.tier = "floor", .quantity = 1},
                  {.tier = "balcony", .quantity = 1}),
          ORDER_STANDBY, ORDER_NO_REASON, 2);
    assert_true(h->tiers[BALCONY].is_changed);
    // Who stands by has no seats.
    sell(h, "A", 3, 4);
    sell(h, "B", 1, 5);
    h->tiers[STALLS].held = 1, h->tiers[STALLS].sold = 6;
    struct allocate_verdict verdict =
        order(h, CHOICES({.tier = "stalls", .quantity = 1}), ORDER_STANDBY, ORDER_NO_REASON, 0);
    assert_int_equal(verdict.seat_count, 0);
    assert_false(h->tiers[STALLS].has_changed_seats);
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
        cmocka_unit_test(the_first_that_fits),
        cmocka_unit_test(never_in_part),
        cmocka_unit_test(tiers_that_are_gone),
        cmocka_unit_test(the_customers_limit),
        cmocka_unit_test(more_taken_than_there_is),
        cmocka_unit_test(what_cannot_be_booked),
        cmocka_unit_test(states_of_the_event),
        cmocka_unit_test(what_costs_something_is_held),
        cmocka_unit_test(the_best_seats),
        cmocka_unit_test(seats_by_name),
        cmocka_unit_test(seats_that_cannot_be_had),
        cmocka_unit_test(seats_by_name_do_not_stand_by),
        cmocka_unit_test(seats_beyond_the_capacity),
        cmocka_unit_test(who_stands_by),
        cmocka_unit_test(what_is_stood_by_for),
        cmocka_unit_test(references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
