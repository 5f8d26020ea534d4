// links: bench/crowd
// SPDX-License-Identifier: Apache-2.0
// A crowd that sits: what its checker knows of seats, holds and standby, and how its visitors choose, decide and pay.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "bench/crowd/hold.h"
#include "bench/crowd/menu.h"
#include "bench/crowd/seats.h"
#include "tests/unit/crowd_record.h"

static void test_seats(void **state)
{
    (void)state;
    struct check_counts counts;
    const char *const lines[] = {BOTH,
                                 HEARS(1000000, 1, HELD(3, "\"A-1\",\"A-2\"", "06")),
                                 HEARS(1000000, 2, OTHER("held", 3, "\"A-3\",\"B-4\"") PAY_UNTIL("06")),
                                 PAYS(2000000, 1),
                                 PAYS(2000000, 2),
                                 HEARS(3000000, 2, OTHER("confirmed", 5, "\"A-3\",\"B-4\"")),
                                 HEARS(3000000, 1, SITS(5, "\"A-1\",\"A-2\"")),
                                 END(4000000)};
    assert_int_equal(broken_by(lines, sizeof lines / sizeof *lines, &counts), CHECK_RULE_COUNT);
    assert_int_equal(counts.seated, 2);
    assert_int_equal(counts.split, 1);
    assert_int_equal(counts.paid, 2);
    // A seat that another holds, or has bought.
    assert_breaks(CHECK_SEAT_TWICE, BOTH, HEARS(1000000, 1, HELD(3, "\"A-1\",\"A-2\"", "06")),
                  HEARS(1000000, 2, OTHER("held", 3, "\"A-2\",\"A-3\"") PAY_UNTIL("06")), END(4000000));
    assert_breaks(CHECK_SEAT_TWICE, BOTH, HEARS(1000000, 1, HELD(3, "\"A-1\",\"A-2\"", "06")), PAYS(1500000, 1),
                  HEARS(2000000, 1, SITS(5, "\"A-1\",\"A-2\"")),
                  HEARS(8000000, 2, OTHER("held", 3, "\"A-2\",\"A-3\"") PAY_UNTIL("12")), END(9000000));
    // Giving it back came too late.
    assert_breaks(CHECK_SEAT_TWICE, BOTH, HEARS(1000000, 1, HELD(3, "\"A-1\",\"A-2\"", "06")), PAYS(1500000, 1),
                  ASKS(1600000, 1, "DELETE"), REFUSED(1700000, 1, "DELETE", 409),
                  HEARS(2000000, 1, SITS(5, "\"A-1\",\"A-2\"")),
                  HEARS(3000000, 2, OTHER("held", 3, "\"A-2\",\"A-3\"") PAY_UNTIL("08")), END(4000000));
    // Somebody else has it: and the hold goes on after all.
    assert_breaks(CHECK_SEAT_TWICE, BOTH, HEARS(1000000, 1, HELD(3, "\"A-1\",\"A-2\"", "06")), PAYS(5900000, 1),
                  HEARS(6200000, 2, OTHER("held", 3, "\"A-2\",\"A-3\"") PAY_UNTIL("11")),
                  HEARS(6300000, 1, SITS(5, "\"A-1\",\"A-2\"")), END(9000000));
    // A hold that ran out, or was given back: the news of it comes later, or not at all.
    assert_sound(BOTH, HEARS(1000000, 1, HELD(3, "\"A-1\",\"A-2\"", "06")),
                 HEARS(6200000, 2, OTHER("held", 3, "\"A-2\",\"A-3\"") PAY_UNTIL("11")),
                 HEARS(6300000, 1, SEATED("expired", 1, 4, 9000, "\"A-1\",\"A-2\"")), END(9000000));
    assert_sound(BOTH, HEARS(1000000, 1, HELD(3, "\"A-1\",\"A-2\"", "06")), ASKS(2000000, 1, "DELETE"),
                 HEARS(2100000, 2, OTHER("held", 3, "\"A-2\",\"A-3\"") PAY_UNTIL("07")),
                 ANSWER(2200000, 1, "DELETE", 200, SEATED("cancelled", 1, 4, 9000, "\"A-1\",\"A-2\"")), END(4000000));
    assert_sound(BOTH, HEARS(6200000, 2, OTHER("held", 3, "\"A-2\",\"A-3\"") PAY_UNTIL("11")),
                 HEARS(6300000, 1, HELD(3, "\"A-1\",\"A-2\"", "06")), END(9000000));
    assert_sound(BOTH, ASKS(900000, 1, "DELETE"),
                 HEARS(1000000, 2, OTHER("held", 3, "\"A-2\",\"A-3\"") PAY_UNTIL("06")),
                 HEARS(1100000, 1, HELD(3, "\"A-1\",\"A-2\"", "05")),
                 ANSWER(1100000, 1, "DELETE", 200, SEATED("cancelled", 1, 4, 9000, "\"A-1\",\"A-2\"")), END(4000000));
    assert_breaks(CHECK_SEAT_TWICE, BOTH, ASKS(900000, 1, "DELETE"), REFUSED(900000, 1, "DELETE", 409),
                  HEARS(1000000, 2, OTHER("held", 3, "\"A-2\",\"A-3\"") PAY_UNTIL("06")), PAYS(1000000, 1),
                  HEARS(1100000, 1, SITS(5, "\"A-1\",\"A-2\"")), END(4000000));
    // Others than were held, than were asked for, or too few.
    assert_breaks(CHECK_SEAT_WRONG, BOTH, HEARS(1000000, 1, HELD(3, "\"A-1\",\"A-2\"", "06")), PAYS(1500000, 1),
                  HEARS(2000000, 1, SITS(5, "\"A-1\",\"A-3\"")), END(4000000));
    assert_breaks(CHECK_SEAT_WRONG, BOTH, HEARS(1000000, 1, HELD(3, "\"A-1\"", "06")), END(4000000));
    assert_breaks(CHECK_SEAT_WRONG, BEGIN, JOIN(1, 1, 7, 2), PUTS(2, 1, NAMED(2, 9000, "\"A-1\",\"A-2\"")),
                  ANSWER(2, 1, "PUT", 202, SEATED("placed", 1, 1, 9000, "\"A-1\",\"A-3\"")), END(4));
    assert_breaks(CHECK_SEAT_WRONG, BEGIN, JOIN(1, 1, 7, 2), PUTS(2, 1, NAMED(2, 9000, "\"A-1\",\"A-2\"")),
                  ANSWER(2, 1, "PUT", 202, SEATED("placed", 1, 1, 9000, "\"A-1\",\"A-2\"")), LET_IN(3),
                  HEARS(4, 1, SITS(3, "\"B-1\",\"B-2\"")), END(5));
    assert_breaks(CHECK_SEAT_WRONG, BEGIN, JOIN(1, 1, 7, 2), PUTS(2, 1, CHOICE(2, 9000)),
                  ANSWER(2, 1, "PUT", 202, SEATED("placed", 1, 1, 9000, "\"A-1\",\"A-2\"")), END(4));
    assert_sound(BEGIN, JOIN(1, 1, 7, 2), PUTS(2, 1, NAMED(2, 9000, "\"A-1\",\"A-2\"") "," CHOICE(2, 9000)),
                 ANSWER(2, 1, "PUT", 202, SEATED("placed", 1, 1, 9000, "\"A-2\",\"A-1\"")), LET_IN(3),
                 HEARS(4, 1, SITS(3, "\"B-1\",\"B-2\"")), END(5));
}

static void test_holds(void **state)
{
    (void)state;
    assert_breaks(CHECK_HOLD_WRONG, BOTH, HEARS(4, 1, SEATED("held", 1, 3, 9000, "\"A-1\",\"A-2\"")), END(5));
    assert_breaks(CHECK_HOLD_WRONG, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(3),
                  HEARS(4, 1, CONFIRMED(3) PAY_UNTIL("06")), END(5));
    assert_breaks(CHECK_HOLD_WRONG, BOTH, HEARS(4, 1, HELD(3, "\"A-1\",\"A-2\"", "06")),
                  HEARS(5, 1, HELD(4, "\"A-1\",\"A-2\"", "05")), END(6));
    // More time: later than before, and only once.
    assert_sound(BOTH, HEARS(4, 1, HELD(3, "\"A-1\",\"A-2\"", "06")), ASKS(5, 1, "POST"),
                 HEARS(6, 1, SEATED("held", 1, 4, 9000, "\"A-1\",\"A-2\"") MORE_TIME("11")),
                 ANSWER(6, 1, "POST", 200, SEATED("held", 1, 4, 9000, "\"A-1\",\"A-2\"") MORE_TIME("11")), END(7));
    assert_breaks(CHECK_HOLD_WRONG, BOTH, HEARS(4, 1, HELD(3, "\"A-1\",\"A-2\"", "06")), ASKS(5, 1, "POST"),
                  ANSWER(6, 1, "POST", 200, HELD(4, "\"A-1\",\"A-2\"", "11")), END(7));
    assert_breaks(CHECK_HOLD_WRONG, BOTH, HEARS(4, 1, HELD(3, "\"A-1\",\"A-2\"", "06")), ASKS(5, 1, "POST"),
                  ANSWER(6, 1, "POST", 200, SEATED("held", 1, 4, 9000, "\"A-1\",\"A-2\"") MORE_TIME("06")), END(7));
    // Where nothing leads to.
    assert_breaks(CHECK_STATE_WRONG, BOTH, HEARS(4, 1, HELD(3, "\"A-1\",\"A-2\"", "06")),
                  HEARS(5, 1, NOTHING("sold_out", 1, 4)), END(6));
    assert_breaks(CHECK_STATE_WRONG, BOTH, HEARS(4, 1, HELD(3, "\"A-1\",\"A-2\"", "06")),
                  HEARS(5, 1, NOTHING("standby", 1, 4)), END(6));
    assert_sound(BOTH, HEARS(4, 1, NOTHING("standby", 1, 3)), HEARS(5, 1, NOTHING("expired", 1, 5)), END(6));
    // Only who has paid, in time.
    assert_breaks(CHECK_NOT_PAID, BOTH, HEARS(4, 1, HELD(3, "\"A-1\",\"A-2\"", "06")),
                  HEARS(5, 1, SITS(5, "\"A-1\",\"A-2\"")), END(6));
    assert_breaks(CHECK_NOT_PAID, BOTH, HEARS(1000000, 1, HELD(3, "\"A-1\",\"A-2\"", "06")), PAYS(6002000, 1),
                  HEARS(6100000, 1, SITS(5, "\"A-1\",\"A-2\"")), END(7000000));
    // An end comes when the hold has run out, and not before; standby waits for the holds of others.
    assert_breaks(CHECK_NO_OUTCOME, BOTH, HEARS(4, 2, NOTHING("sold_out", 1, 3)),
                  HEARS(5, 1, HELD(3, "\"A-1\",\"A-2\"", "06")), END(16100000));
    assert_sound(BOTH, HEARS(4, 2, NOTHING("sold_out", 1, 3)), HEARS(5, 1, HELD(3, "\"A-1\",\"A-2\"", "06")),
                 END(15900000));
    assert_sound(BOTH, HEARS(4, 2, NOTHING("standby", 1, 3)), HEARS(5, 1, HELD(3, "\"A-1\",\"A-2\"", "06")),
                 HEARS(9000000, 1, NOTHING("expired", 1, 4)), END(18900000));
    assert_breaks(CHECK_NO_OUTCOME, BOTH, HEARS(4, 2, NOTHING("standby", 1, 3)),
                  HEARS(5, 1, HELD(3, "\"A-1\",\"A-2\"", "06")), HEARS(9000000, 1, NOTHING("expired", 1, 4)),
                  END(19100000));
}

#define STANDS_BY(n, amount) DOCUMENT("standby", 1, 3, n, amount)
#define SERVES(visitor, n, amount, second) \
    DOCUMENT("held", 1, 4, n, amount) ",\"reference\":\"AAAA-BBB" #visitor "\"" PAY_UNTIL(second)
#define WANTS(visitor, place, n, amount)                                                              \
    JOIN(1, visitor, place, 0), PUTS(1, visitor, CHOICE(n, amount)),                                  \
        ANSWER(1, visitor, "PUT", 202, DOCUMENT("placed", 1, 1, n, amount)), TURN(1, visitor, place), \
        SERVED(1, visitor, place)
#define WANTS_7 WANTS(1, 7, 3, 13500)
#define WANTS_8 WANTS(2, 8, 2, 9000)
#define WANTS_9 WANTS(3, 9, 2, 9000)
#define HEARD_7 HEARS(1000000, 1, STANDS_BY(3, 13500))
#define HEARD_8 HEARS(1000000, 2, STANDS_BY(2, 9000))
#define HEARD_9 HEARS(1000000, 3, STANDS_BY(2, 9000))
// Places 7, 8 and 9 stand by for three, two and two, from the first second on.
#define STANDBY BEGIN_DESK, WANTS_7, WANTS_8, WANTS_9, HEARD_7, HEARD_8, HEARD_9

static void test_standby_order(void **state)
{
    (void)state;
    // Who fits is served, in the order of places; by the beginning of the hold, not by the news of it.
    assert_sound(STANDBY, HEARS(2900000, 3, SERVES(3, 2, 9000, "07")), HEARS(3000000, 2, SERVES(2, 2, 9000, "07")),
                 HEARS(5900000, 1, SERVES(1, 3, 13500, "10")), END(6000000));
    assert_breaks(CHECK_STANDBY_ORDER, STANDBY, HEARS(5900000, 2, SERVES(2, 2, 9000, "10")),
                  HEARS(5900000, 3, SERVES(3, 2, 9000, "07")), END(6000000));
    // Two workers whose transactions have their times the other way round.
    assert_sound(STANDBY, HEARS(5900000, 2, SERVES(2, 2, 9000, "09")), HEARS(5900000, 3, SERVES(3, 2, 9000, "07")),
                 END(6000000));
    // One who goes on standing by, as far as the record can tell.
    assert_breaks(CHECK_STANDBY_ORDER, STANDBY, HEARS(3000000, 3, SERVES(3, 2, 9000, "07")), END(14100000));
    assert_sound(STANDBY, HEARS(3000000, 3, SERVES(3, 2, 9000, "07")), END(13900000));
    assert_sound(STANDBY, ASKS(1100000, 2, "DELETE"), REFUSED(1200000, 2, "DELETE", 409),
                 HEARS(3000000, 3, SERVES(3, 2, 9000, "07")), END(14100000));
    // Who came to standby only when the other had been served.
    assert_sound(BEGIN_DESK, WANTS_8, WANTS_9, HEARD_9, HEARS(2100000, 2, STANDS_BY(2, 9000)),
                 HEARS(3000000, 3, SERVES(3, 2, 9000, "07")), END(15000000));
}

static void test_choosing_seats(void **state)
{
    (void)state;
    static const char document[] = "{\"slug\":\"gala\",\"tiers\":{\"stalls\":{\"version\":3,\"rows\":["
                                   "{\"row\":\"A\",\"seats\":\"1-4,7-9\",\"wheelchair\":[\"1\"],\"blocked\":[\"9\"]},"
                                   "{\"row\":\"B-1\",\"seats\":\"1-6\",\"companion\":[\"6\"],\"taken\":\"2-3\"}]}}}";
    // Free are A 2-4, A 7-8, B-1 1, B-1 4-5.
    static const struct menu menu = {.tier_count = 2, .tiers = {{.code = "floor"}, {.code = "stalls"}}};
    static const char *const pairs[] = {"A-2 A-3", "A-3 A-4", "A-7 A-8", "B-1-4 B-1-5"};
    struct seats seats;
    char problem[200], text[100];
    for (uint64_t random = 0; random < 8; random++) {
        assert_int_equal(seats_choose(document, strlen(document), &menu, 2, random, &seats, problem, sizeof problem),
                         0);
        assert_int_equal(seats.count, 2);
        assert_int_equal(seats.tier, 1);
        (void)snprintf(text, sizeof text, "%s %s", seats.names[0], seats.names[1]);
        assert_string_equal(text, pairs[random % 4]);
    }
    assert_int_equal(seats_choose(document, strlen(document), &menu, 3, 9, &seats, problem, sizeof problem), 0);
    assert_string_equal(seats.names[2], "A-4");
    assert_int_equal(seats_choose(document, strlen(document), &menu, 4, 9, &seats, problem, sizeof problem), 0);
    assert_int_equal(seats.count, 0);
    assert_int_equal(seats_choose("{}", 2, &menu, 2, 9, &seats, problem, sizeof problem), ERROR_INVALID);
    static const char garbage[] = "{\"tiers\":{\"stalls\":{\"rows\":[{\"row\":\"A\",\"seats\":\"4-1\"}]}}}";
    assert_int_equal(seats_choose(garbage, strlen(garbage), &menu, 2, 9, &seats, problem, sizeof problem),
                     ERROR_INVALID);
}

static void test_holding(void **state)
{
    (void)state;
    struct told_order held = {.state = ORDER_HELD, .attempt = 1, .may_have_more_time = true}, standby = held,
                      paid = held;
    standby.state = ORDER_STANDBY;
    paid.state = ORDER_CONFIRMED;
    struct hold pays = {.holding = HOLDING_PAYS, .more_time = true}, gives = {.holding = HOLDING_GIVES_BACK},
                lapses = {.holding = HOLDING_LAPSES};
    assert_int_equal(hold_next(&pays, &standby), HOLD_WAIT);
    assert_int_equal(hold_next(&pays, &held), HOLD_ASK_FOR_TIME);
    assert_int_equal(hold_next(&pays, &held), HOLD_PAY);
    assert_int_equal(hold_next(&pays, &held), HOLD_WAIT);
    assert_int_equal(hold_next(&pays, &paid), HOLD_WAIT);
    held.attempt = 2;
    held.may_have_more_time = false;
    assert_int_equal(hold_next(&pays, &held), HOLD_PAY);
    assert_int_equal(hold_next(&gives, &standby), HOLD_GIVE_BACK);
    standby.state = ORDER_HELD;
    assert_int_equal(hold_next(&gives, &standby), HOLD_WAIT);
    assert_int_equal(hold_next(&lapses, &held), HOLD_WAIT);
}

static void test_menu_with_seats(void **state)
{
    (void)state;
    static const char document[] =
        "{\"slug\":\"gala\",\"max_per_order\":6,\"tiers\":["
        "{\"code\":\"stalls\",\"seated\":true,\"prices\":[{\"code\":\"adult\",\"amount\":3000},{\"code\":\"child\",\"amount\":1000}]}]}";
    static const char names[2][SEAT_NAME_BYTES] = {"A-3", "A-4"};
    struct menu menu;
    char problem[200];
    assert_int_equal(menu_read(document, strlen(document), NULL, &menu, problem, sizeof problem), 0);
    assert_true(menu.has_seats && menu.tiers[0].is_seated);
    for (uint64_t random = 0; random < 500; random++) {
        const bool named = random % 2 == 0;
        const struct menu_wish wish = {.quantity = 1 + random % 3,
                                       .wheelchair = !named,
                                       .seat_count = named ? 2 : 0,
                                       .seats = names,
                                       .alternatives = true,
                                       .email = "a@b",
                                       .random = random * 7919};
        struct menu_order order;
        struct told told;
        assert_int_equal(menu_choose(&menu, &wish, &order), 0);
        assert_int_equal(order.has_needs, !named);
        assert_int_equal(order.choice_count, named ? 2 : 1); // who names seats would take any others too
        json_t *body = json_loads(order.body, 0, NULL), *asked = json_loads(order.asked, 0, NULL);
        const json_t *needs = json_object_get(body, "needs");
        assert_int_equal(json_array_size(json_object_get(body, "seats")), named ? 2 : 0);
        assert_int_equal(json_integer_value(json_object_get(needs, "wheelchair")), named ? 0 : 1);
        assert_int_equal(json_integer_value(json_object_get(needs, "companion")), !named && wish.quantity > 1 ? 1 : 0);
        assert_int_equal(order.choices[0].quantity, named ? 2 : wish.quantity);
        // What is recorded says the same as what is checked at once.
        assert_int_equal(told_read_data(TOLD_ORDER_ASKED, asked, &told, problem, sizeof problem), 0);
        assert_int_equal(told.choice_count, order.choice_count);
        assert_int_equal(told.has_needs, order.has_needs);
        assert_memory_equal(told.choices, order.choices, sizeof *told.choices * told.choice_count);
        assert_int_equal(told.choices[0].seats != 0, named);
        json_decref(body);
        json_decref(asked);
        menu_order_done(&order);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seats),          cmocka_unit_test(test_holds),   cmocka_unit_test(test_standby_order),
        cmocka_unit_test(test_choosing_seats), cmocka_unit_test(test_holding), cmocka_unit_test(test_menu_with_seats),
    };
    return cmocka_run_group_tests_name("crowd seats", tests, NULL, NULL);
}
