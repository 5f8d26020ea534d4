// links: booking-worker
// SPDX-License-Identifier: Apache-2.0
// Who is served of those who stand by, who goes on waiting and who hears that it is over; what goes back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "booking-worker/allocate.h"

enum { FLOOR, BALCONY, STALLS };

// Whoever stands by here waits for the floor; the balcony is another choice. The stalls have seats, and a wheelchair
// place, A-5.
struct hall {
    struct allocate_tier tiers[3];
    struct allocate_event event;
    struct allocate_customer customer;
};

static struct seating *seating(void)
{
    static const struct seating_seat seats[] = {
        {"A", 0, 1, SEAT_ORDINARY}, {"A", 0, 2, SEAT_ORDINARY},   {"A", 0, 3, SEAT_ORDINARY},
        {"A", 0, 4, SEAT_ORDINARY}, {"A", 0, 5, SEAT_WHEELCHAIR},
    };
    static struct seating *seating;
    if (!seating)
        assert_int_equal(seating_new(seats, sizeof(seats) / sizeof(seats[0]), &seating), 0);
    seating_clear(seating);
    return seating;
}

static struct hall *hall(uint32_t held, uint32_t sold)
{
    static struct hall hall;
    hall = (struct hall){
        .tiers = {[FLOOR] = {.code = "floor", .capacity = 5, .held = held, .sold = sold, .standby = 1},
                  [BALCONY] = {.code = "balcony", .capacity = 5, .sold = 5},
                  [STALLS] = {.code = "stalls", .is_seated = true, .capacity = 5, .seating = seating()}},
        .event = {.state = LIFECYCLE_OPEN, .max_per_customer = 6, .tier_count = 3, .tiers = hall.tiers},
        .customer = {.booked = 3},
    };
    return &hall;
}

static struct choices want(uint32_t floor, uint32_t balcony)
{
    return (struct choices){.count = balcony ? 2 : 1,
                            .items = {{.tier = "floor", .quantity = floor}, {.tier = "balcony", .quantity = balcony}}};
}

static struct allocate_verdict look(struct hall *hall, struct choices choices, size_t choice, enum order_state state)
{
    struct allocate_verdict verdict = allocate_standby(&hall->event, &choices, choice, &hall->customer);
    assert_string_equal(order_state_name(verdict.state), order_state_name(state));
    assert_int_equal(verdict.reason, state == ORDER_FAILED ? ORDER_BROKEN : ORDER_NO_REASON);
    return verdict;
}

static void assert_numbers(const struct allocate_tier *tier, uint32_t held, uint32_t sold, uint32_t standby)
{
    assert_int_equal(tier->held, held);
    assert_int_equal(tier->sold, sold);
    assert_int_equal(tier->standby, standby);
}

static void assert_untouched(const struct hall *hall, const struct hall *before)
{
    assert_memory_equal(hall->tiers, before->tiers, sizeof(before->tiers));
    assert_int_equal(hall->customer.booked, before->customer.booked);
    assert_false(hall->customer.is_changed);
}

// ---------------------------------------------------------------- its own choice

static void served_when_it_fits(void **state)
{
    (void)state;
    struct hall *h = hall(1, 2);
    h->event.max_per_customer = 1; // lowered since; it was counted when it began to stand by
    assert_int_equal(look(h, want(2, 0), 0, ORDER_CONFIRMED).choice, 0);
    assert_numbers(&h->tiers[FLOOR], 1, 4, 0);
    assert_int_equal(h->customer.booked, 3);
    assert_true(h->tiers[FLOOR].is_changed);
    h = hall(1, 2);
    h->event.needs_payment = true;
    struct choices choices = want(2, 0);
    choices.items[0].amount = 1;
    look(h, choices, 0, ORDER_HELD);
    assert_numbers(&h->tiers[FLOOR], 3, 2, 0);
}

static void waits_or_hears_that_it_is_over(void **state)
{
    (void)state;
    static const struct {
        uint32_t held, sold, quantity;
        enum order_state state;
    } cases[] = {
        {2, 3, 2, ORDER_STANDBY},  {1, 3, 2, ORDER_STANDBY}, // one is free, one may come back
        {1, 4, 2, ORDER_SOLD_OUT}, // only one may
        {0, 5, 1, ORDER_SOLD_OUT}, {0, 4, 2, ORDER_SOLD_OUT}, {0, 6, 1, ORDER_SOLD_OUT},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hall *h = hall(cases[i].held, cases[i].sold), before = *h;
        struct allocate_verdict verdict = look(h, want(cases[i].quantity, 0), 0, cases[i].state);
        if (cases[i].state == ORDER_STANDBY) {
            assert_int_equal(verdict.choice, 0);
            assert_untouched(h, &before);
        } else {
            assert_numbers(&h->tiers[FLOOR], cases[i].held, cases[i].sold, 0);
            assert_int_equal(h->customer.booked, 3 - cases[i].quantity);
            assert_true(h->tiers[FLOOR].is_changed && h->customer.is_changed);
        }
    }
}

static void states_of_the_event(void **state)
{
    (void)state;
    static const enum order_state expected[LIFECYCLE_STATE_COUNT] = {
        [LIFECYCLE_DRAFT] = ORDER_STANDBY,   [LIFECYCLE_LOBBY] = ORDER_STANDBY,
        [LIFECYCLE_OPEN] = ORDER_CONFIRMED,  [LIFECYCLE_PAUSED] = ORDER_CONFIRMED,
        [LIFECYCLE_STOPPED] = ORDER_STANDBY, [LIFECYCLE_SOLD_OUT] = ORDER_CONFIRMED,
        [LIFECYCLE_CLOSED] = ORDER_SOLD_OUT,
    };
    for (size_t i = 0; i < LIFECYCLE_STATE_COUNT; i++) {
        struct hall *h = hall(0, 0), before = *h;
        h->event.state = (enum lifecycle_state)i;
        look(h, want(2, 1), 0, expected[i]);
        assert_true(expected[i] == ORDER_STANDBY || order_may_become(ORDER_STANDBY, expected[i], ORDER_BY_SYSTEM));
        if (expected[i] == ORDER_STANDBY)
            assert_untouched(h, &before);
        else
            assert_int_equal(h->tiers[FLOOR].standby, 0);
        assert_int_equal(h->customer.booked, expected[i] == ORDER_SOLD_OUT ? 1 : 3);
    }
}

static void seats_for_standby(void **state)
{
    (void)state;
    struct hall *h = hall(0, 0);
    h->tiers[STALLS].standby = 1;
    struct choices choices = {.count = 1, .items = {{.tier = "stalls", .quantity = 2}}};
    struct allocate_verdict verdict = look(h, choices, 0, ORDER_CONFIRMED);
    assert_int_equal(verdict.seat_count, 2);
    assert_int_equal(verdict.rule, SEATING_TOGETHER);
    assert_false(seating_is_free(h->tiers[STALLS].seating, verdict.seats[0]));
    assert_true(h->tiers[STALLS].has_changed_seats);
    // Three are free, but one of them is not for this party; the others will not come back.
    h = hall(0, 0);
    h->tiers[STALLS] = (struct allocate_tier){
        .code = "stalls", .is_seated = true, .capacity = 5, .held = 1, .sold = 1, .standby = 1, .seating = seating()};
    assert_true(seating_take(h->tiers[STALLS].seating, 1) && seating_take(h->tiers[STALLS].seating, 2));
    choices.items[0].quantity = 3;
    look(h, choices, 0, ORDER_STANDBY);
    h->tiers[STALLS].sold = 2, h->tiers[STALLS].held = 0;
    look(h, choices, 0, ORDER_SOLD_OUT);
    assert_false(h->tiers[STALLS].has_changed_seats);
}

// ---------------------------------------------------------------- its other choices

static void another_choice_now(void **state)
{
    (void)state;
    struct hall *h = hall(1, 4);
    h->tiers[BALCONY] = (struct allocate_tier){.code = "balcony", .capacity = 5, .sold = 4, .standby = 2};
    // Those before it were looked at: what is left is its own, whoever else stands by there.
    assert_int_equal(look(h, want(2, 1), 0, ORDER_CONFIRMED).choice, 1);
    assert_numbers(&h->tiers[FLOOR], 1, 4, 0);
    assert_numbers(&h->tiers[BALCONY], 0, 5, 2);
    assert_int_equal(h->customer.booked, 2);
    // Not before its own is out of reach.
    h = hall(2, 3);
    h->tiers[BALCONY].sold = 0;
    assert_int_equal(look(h, want(2, 1), 0, ORDER_STANDBY).choice, 0);
    // Fewer of the same.
    h = hall(0, 4);
    struct choices fewer = {.count = 2, .items = {{.tier = "floor", .quantity = 2}, {.tier = "floor", .quantity = 1}}};
    assert_int_equal(look(h, fewer, 0, ORDER_CONFIRMED).choice, 1);
    assert_numbers(&h->tiers[FLOOR], 0, 5, 0);
    assert_int_equal(h->customer.booked, 2);
}

static void another_choice_later(void **state)
{
    (void)state;
    struct hall *h = hall(1, 4);
    h->tiers[BALCONY] = (struct allocate_tier){.code = "balcony", .capacity = 5, .held = 2, .sold = 3, .standby = 2};
    assert_int_equal(look(h, want(2, 1), 0, ORDER_STANDBY).choice, 1);
    assert_numbers(&h->tiers[FLOOR], 1, 4, 0);
    assert_numbers(&h->tiers[BALCONY], 2, 3, 3);
    assert_int_equal(h->customer.booked, 2);
    assert_true(h->tiers[FLOOR].is_changed && h->tiers[BALCONY].is_changed && h->customer.is_changed);
    // And back to the first, when that has become possible meanwhile.
    h->tiers[BALCONY].held = 0, h->tiers[BALCONY].sold = 5;
    h->tiers[FLOOR].capacity = 6;
    assert_int_equal(look(h, want(2, 1), 1, ORDER_STANDBY).choice, 0);
    assert_numbers(&h->tiers[FLOOR], 1, 4, 1);
    assert_numbers(&h->tiers[BALCONY], 0, 5, 2);
    assert_int_equal(h->customer.booked, 3);
}

static void the_limit_for_another_choice(void **state)
{
    (void)state;
    for (uint32_t quantity = 4; quantity <= 5; quantity++) {
        struct hall *h = hall(1, 4);
        h->tiers[BALCONY].sold = 0;
        // Three are booked, two of them this one: up to five more are allowed once these are gone.
        h->event.max_per_customer = 5;
        look(h, want(2, quantity), 0, quantity == 4 ? ORDER_CONFIRMED : ORDER_SOLD_OUT);
        assert_int_equal(h->customer.booked, quantity == 4 ? 5 : 1);
        h = hall(1, 4);
        h->tiers[BALCONY].sold = 0, h->tiers[BALCONY].held = 5;
        h->event.max_per_customer = 5;
        look(h, want(2, quantity), 0, quantity == 4 ? ORDER_STANDBY : ORDER_SOLD_OUT);
    }
}

static void seats_by_name_as_another_choice(void **state)
{
    (void)state;
    static const char names[] = "[\"A-1\",\"A-2\"]";
    struct choices choices = {
        .count = 3,
        .items = {{.tier = "floor", .quantity = 2},
                  {.tier = "stalls", .quantity = 2, .seats = names, .seats_bytes = sizeof(names) - 1},
                  {.tier = "balcony", .quantity = 1}}};
    struct hall *h = hall(1, 4);
    struct allocate_verdict verdict = look(h, choices, 0, ORDER_CONFIRMED);
    assert_int_equal(verdict.choice, 1);
    assert_int_equal(verdict.seat_count, 2);
    // One of them is gone: nothing of it is left in the answer to the next choice.
    h = hall(1, 4);
    h->tiers[BALCONY].sold = 4;
    assert_true(seating_take(h->tiers[STALLS].seating, 1));
    h->tiers[STALLS].held = 1;
    verdict = look(h, choices, 0, ORDER_CONFIRMED);
    assert_int_equal(verdict.choice, 2);
    assert_int_equal(verdict.seat_count, 0);
    // Nobody stands by for names.
    h = hall(1, 4);
    assert_true(seating_take(h->tiers[STALLS].seating, 1));
    h->tiers[STALLS].held = 1;
    look(h, choices, 0, ORDER_SOLD_OUT);
}

static void tiers_that_changed(void **state)
{
    (void)state;
    // The tier is gone; another one is there.
    struct hall *h = hall(0, 0);
    memcpy(h->tiers[FLOOR].code, "hall", sizeof("hall"));
    h->tiers[BALCONY].sold = 4;
    assert_int_equal(look(h, want(2, 1), 0, ORDER_CONFIRMED).choice, 1);
    assert_int_equal(h->customer.booked, 2);
    // A choice that could not be booked when it was newly ordered is not booked now.
    h = hall(1, 4);
    h->event.max_per_customer = 1000;
    struct choices choices = {
        .count = 2,
        .items = {{.tier = "floor", .quantity = 2}, {.tier = "stalls", .quantity = SEATS_IN_ORDER_MAX + 1}}};
    h->tiers[STALLS].capacity = 1000;
    look(h, choices, 0, ORDER_SOLD_OUT);
}

static void numbers_that_do_not_agree(void **state)
{
    (void)state;
    struct hall *h = hall(0, 0), before = *h;
    assert_int_equal(allocate_standby(&h->event, NULL, 0, &h->customer).state, ORDER_FAILED);
    look(h, want(1, 1), 2, ORDER_FAILED);
    look(h, want(4, 0), 0, ORDER_FAILED); // its customer has three
    assert_untouched(h, &before);
    h->tiers[FLOOR].standby = 0;
    before = *h;
    look(h, want(1, 0), 0, ORDER_FAILED);
    h->event.state = LIFECYCLE_CLOSED;
    look(h, want(1, 0), 0, ORDER_FAILED);
    assert_untouched(h, &before);
}

// ---------------------------------------------------------------- what goes back

static bool give_back(struct hall *hall, enum order_state was, const char *tier, uint32_t quantity, size_t seat_count,
                      const uint32_t *seats)
{
    const struct allocate_given given = {was, tier, quantity, seat_count, seats};
    return allocate_free(&hall->event, &given, &hall->customer);
}

static void places_go_back(void **state)
{
    (void)state;
    static const enum order_state held[] = {ORDER_HELD, ORDER_PAYING, ORDER_ACTION_REQUIRED, ORDER_DECLINED};
    struct hall *h;
    for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++) {
        h = hall(2, 3);
        assert_true(give_back(h, held[i], "floor", 2, 0, NULL));
        assert_numbers(&h->tiers[FLOOR], 0, 3, 1);
        assert_int_equal(h->customer.booked, 1);
        assert_true(h->tiers[FLOOR].is_changed && h->customer.is_changed);
    }
    h = hall(2, 3);
    assert_true(give_back(h, ORDER_CONFIRMED, "floor", 3, 0, NULL));
    assert_numbers(&h->tiers[FLOOR], 2, 0, 1);
    h = hall(2, 3);
    assert_true(give_back(h, ORDER_STANDBY, "floor", 2, 0, NULL)); // one booking, two places waited for
    assert_numbers(&h->tiers[FLOOR], 2, 3, 0);
    assert_int_equal(h->customer.booked, 1);
}

static void seats_go_back(void **state)
{
    (void)state;
    struct hall *h = hall(0, 0);
    h->tiers[STALLS].sold = 3;
    for (uint32_t seat = 1; seat <= 3; seat++)
        assert_true(seating_take(h->tiers[STALLS].seating, seat));
    assert_true(give_back(h, ORDER_CONFIRMED, "stalls", 2, 2, (uint32_t[]){3, 1}));
    assert_true(seating_is_free(h->tiers[STALLS].seating, 1) && seating_is_free(h->tiers[STALLS].seating, 3));
    assert_false(seating_is_free(h->tiers[STALLS].seating, 2));
    assert_int_equal(h->tiers[STALLS].sold, 1);
    assert_true(h->tiers[STALLS].has_changed_seats);
    // Its seat is not in the hall any more: the place goes back all the same.
    h->tiers[STALLS].has_changed_seats = false;
    assert_true(give_back(h, ORDER_CONFIRMED, "stalls", 1, 0, NULL));
    assert_int_equal(h->tiers[STALLS].sold, 0);
    assert_false(h->tiers[STALLS].has_changed_seats);
}

static void what_cannot_go_back(void **state)
{
    (void)state;
    struct hall *h = hall(2, 3);
    h->tiers[STALLS].sold = 3;
    h->tiers[STALLS].standby = 1;
    assert_true(seating_take(h->tiers[STALLS].seating, 1) && seating_take(h->tiers[STALLS].seating, 2));
    struct hall before = *h;
    assert_false(give_back(h, ORDER_HELD, "gone", 1, 0, NULL));
    assert_false(give_back(h, ORDER_HELD, "floor", 3, 0, NULL));
    assert_false(give_back(h, ORDER_CONFIRMED, "balcony", 4, 0, NULL)); // its customer has three
    assert_false(give_back(h, ORDER_CANCELLED, "floor", 1, 0, NULL));
    assert_false(give_back(h, ORDER_RELEASED, "floor", 1, 0, NULL));
    assert_false(give_back(h, ORDER_STANDBY, "balcony", 1, 0, NULL));
    assert_false(give_back(h, ORDER_CONFIRMED, "floor", 1, 1, (uint32_t[]){1})); // seats of a standing tier
    assert_false(give_back(h, ORDER_CONFIRMED, "stalls", 2, 2, (uint32_t[]){1, 0})); // 0 is free
    assert_false(give_back(h, ORDER_CONFIRMED, "stalls", 2, 2, (uint32_t[]){1, 1}));
    assert_false(give_back(h, ORDER_CONFIRMED, "stalls", 2, 2, (uint32_t[]){1, 5})); // there are five
    assert_false(give_back(h, ORDER_CONFIRMED, "stalls", 1, 2, (uint32_t[]){1, 2})); // more than its places
    assert_false(give_back(h, ORDER_HELD, "stalls", 1, 1, (uint32_t[]){1})); // it is sold
    assert_false(give_back(h, ORDER_STANDBY, "stalls", 1, 1, (uint32_t[]){1}));
    assert_untouched(h, &before);
    assert_false(seating_is_free(h->tiers[STALLS].seating, 1) || seating_is_free(h->tiers[STALLS].seating, 2));
}

// ---------------------------------------------------------------- questions

static void when_all_is_sold(void **state)
{
    (void)state;
    struct hall *h = hall(0, 5);
    h->event.tier_count = 2;
    assert_false(allocate_is_all_sold(&h->event)); // somebody stands by
    h->tiers[FLOOR].standby = 0;
    assert_true(allocate_is_all_sold(&h->event));
    h->tiers[FLOOR].held = 1; // sold to the last place, and one more is held since it was lowered
    assert_false(allocate_is_all_sold(&h->event));
    h->tiers[FLOOR].held = 0;
    h->tiers[BALCONY].sold = 4;
    assert_false(allocate_is_all_sold(&h->event));
    h->tiers[BALCONY].held = 1; // may come back
    assert_false(allocate_is_all_sold(&h->event));
    h->tiers[BALCONY] = (struct allocate_tier){.code = "balcony", .capacity = 5, .sold = 6}; // lowered since
    assert_true(allocate_is_all_sold(&h->event));
    h->event.tier_count = 0;
    assert_false(allocate_is_all_sold(&h->event));
}

static void when_there_is_standby_work(void **state)
{
    (void)state;
    static const struct {
        uint32_t capacity, held, sold, standby;
        bool has_work;
    } cases[] = {
        {20, 0, 0, 0, false},  {20, 10, 10, 1, false}, {20, 10, 9, 1, true}, // one is free
        {20, 0, 20, 1, true}, // nothing comes back
        {20, 5, 15, 1, true}, // somebody may wait for six
        {20, 6, 14, 1, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hall *h = hall(0, 0);
        const struct allocate_tier tier = {
            .capacity = cases[i].capacity, .held = cases[i].held, .sold = cases[i].sold, .standby = cases[i].standby};
        assert_int_equal(allocate_has_standby_work(&h->event, &tier), cases[i].has_work);
        h->event.state = LIFECYCLE_STOPPED;
        assert_false(allocate_has_standby_work(&h->event, &tier));
        h->event.state = LIFECYCLE_CLOSED;
        assert_int_equal(allocate_has_standby_work(&h->event, &tier), cases[i].standby > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(served_when_it_fits),
        cmocka_unit_test(waits_or_hears_that_it_is_over),
        cmocka_unit_test(states_of_the_event),
        cmocka_unit_test(seats_for_standby),
        cmocka_unit_test(another_choice_now),
        cmocka_unit_test(another_choice_later),
        cmocka_unit_test(the_limit_for_another_choice),
        cmocka_unit_test(seats_by_name_as_another_choice),
        cmocka_unit_test(tiers_that_changed),
        cmocka_unit_test(numbers_that_do_not_agree),
        cmocka_unit_test(places_go_back),
        cmocka_unit_test(seats_go_back),
        cmocka_unit_test(what_cannot_go_back),
        cmocka_unit_test(when_all_is_sold),
        cmocka_unit_test(when_there_is_standby_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
