// links: bench/crowd
// SPDX-License-Identifier: Apache-2.0
// The crowd's checker: sound records pass, and each rule notices what breaks it. Also what it stands on: the lines of the
// record, the event stream, percentiles, the guard against other people's addresses.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "bench/crowd/check.h"
#include "bench/crowd/latency.h"
#include "bench/crowd/menu.h"
#include "bench/crowd/options.h"
#include "bench/crowd/passing.h"
#include "bench/crowd/sse.h"
#include "bench/crowd/told.h"
#include "tests/unit/crowd_record.h"

static void test_sound(void **state)
{
    (void)state;
    const char *const lines[] = {BEGIN,
                                 JOIN(1, 1, 7, 2),
                                 JOIN(2, 2, 8, 3),
                                 LINE(3, 1, "opened", ""),
                                 LINE(3, 1, "event", "\"state\":\"open\""),
                                 WAITS(3, 1, 7, 2),
                                 LINE(3, 1, "stock", "\"tiers\":{}"),
                                 SERVED(3, 1, 4),
                                 SERVED(4, 1, 6),
                                 LINE(5, 2, "left", ""),
                                 LINE(6, 1, "closed", ""),
                                 REJOIN(7, 1, 200, 7, 0),
                                 TURN(8, 1, 7),
                                 SERVED(8, 1, 7),
                                 LINE(8, 1, "other", "\"event\":\"news\""),
                                 LINE(9, 1, "closed", ""),
                                 END(99000000)};
    struct check_counts counts;
    assert_int_equal(broken_by(lines, sizeof lines / sizeof *lines, &counts), CHECK_RULE_COUNT);
    assert_int_equal(counts.visitors, 2);
    assert_int_equal(counts.asked, 2);
    assert_int_equal(counts.joined, 2);
    assert_int_equal(counts.rejoined, 1);
    assert_int_equal(counts.let_in, 1);
    assert_int_equal(counts.left, 1);
    // From the lobby, where there are seats but no places yet.
    assert_sound(BEGIN,
                 LINE(1, 1, "join", "\"status\":201,\"line\":\"lobby\",\"place\":null,\"seat\":2,\"ahead\":null"),
                 LINE(1, 2, "join", "\"status\":201,\"line\":\"lobby\",\"place\":null,\"seat\":1,\"ahead\":null"),
                 LINE(2, 1, "line", "\"line\":\"lobby\",\"place\":null,\"seat\":2,\"ahead\":null"), WAITS(3, 1, 1, 0),
                 WAITS(3, 2, 2, 1), TURN(4, 1, 1), SERVED(4, 1, 1), END(5));
}

static void test_places(void **state)
{
    (void)state;
    assert_breaks(CHECK_PLACE_TWICE, BEGIN, JOIN(1, 1, 7, 2), JOIN(2, 2, 7, 2), END(3));
    assert_breaks(CHECK_PLACE_TWICE, BEGIN,
                  LINE(1, 1, "join", "\"status\":201,\"line\":\"lobby\",\"place\":null,\"seat\":2"),
                  LINE(1, 2, "join", "\"status\":201,\"line\":\"lobby\",\"place\":null,\"seat\":2"), END(3));
    assert_breaks(CHECK_PLACE_CHANGED, BEGIN, JOIN(1, 1, 7, 2), REJOIN(2, 1, 200, 6, 1), END(3));
    assert_breaks(CHECK_PLACE_CHANGED, BEGIN, JOIN(1, 1, 7, 2), REJOIN(2, 1, 201, 7, 2), END(3));
    assert_breaks(CHECK_PLACE_CHANGED, BEGIN, JOIN(1, 1, 7, 2), WAITS(2, 1, 8, 2), END(3));
}

static void test_nothing_goes_back(void **state)
{
    (void)state;
    assert_breaks(CHECK_POSITION_GREW, BEGIN, JOIN(1, 1, 7, 2), WAITS(2, 1, 7, 3), END(3));
    // What follows from `served` counts as shown.
    assert_breaks(CHECK_POSITION_GREW, BEGIN, JOIN(1, 1, 7, 6), SERVED(2, 1, 4), WAITS(3, 1, 7, 3), END(4));
    assert_breaks(CHECK_POSITION_GREW, BEGIN, JOIN(1, 1, 7, 1), SERVED(2, 1, 4), END(4));
    // Beyond the place there is no position to grow, so that only `served` itself is at fault.
    assert_breaks(CHECK_SERVED_BACK, BEGIN, JOIN(1, 1, 1, 0), TURN(2, 1, 1), SERVED(2, 1, 9), SERVED(3, 1, 8), END(4));
    // One visitor's streams may be ahead of another's.
    assert_sound(BEGIN, JOIN(1, 1, 7, 6), JOIN(1, 2, 8, 7), SERVED(2, 1, 3), SERVED(3, 2, 2), END(4));
    assert_breaks(CHECK_LINE_BACK, BEGIN, JOIN(1, 1, 1, 0), TURN(2, 1, 1), SERVED(2, 1, 1), WAITS(3, 1, 1, 0), END(4));
}

static void test_being_let_in(void **state)
{
    (void)state;
    assert_breaks(CHECK_NOT_LET_IN, BEGIN, JOIN(1, 1, 7, 2), SERVED(2, 1, 7), END(11000000));
    // Another visitor's `served` tells as well; and being told that it is over is not being let in.
    assert_breaks(CHECK_NOT_LET_IN, BEGIN, JOIN(1, 1, 7, 2), JOIN(1, 2, 8, 3), TURN(2, 2, 8), SERVED(2, 2, 8),
                  END(11000000));
    assert_breaks(CHECK_NOT_LET_IN, BEGIN, JOIN(1, 1, 7, 2), SERVED(2, 1, 7),
                  LINE(3, 1, "line", "\"line\":\"over\",\"place\":7,\"ahead\":null"), END(11000000));
    // Not yet; only just now; the event is at its end.
    assert_sound(BEGIN, JOIN(1, 1, 7, 2), SERVED(2, 1, 6), END(11000000));
    assert_sound(BEGIN, JOIN(1, 1, 7, 2), SERVED(2000000, 1, 7), END(11000000));
    assert_sound(BEGIN, JOIN(1, 1, 7, 2), SERVED(2, 1, 7), LINE(3, 1, "event", "\"state\":\"closed\""),
                 LINE(3, 1, "line", "\"line\":\"over\",\"place\":7,\"ahead\":null"), END(11000000));
    assert_breaks(CHECK_TOO_EARLY, BEGIN, JOIN(1, 1, 7, 2), SERVED(1, 1, 4), TURN(2, 1, 7), END(11000000));
}

static void test_answers(void **state)
{
    (void)state;
    assert_breaks(CHECK_FAILED, BEGIN, LINE(1, 1, "asked", ""),
                  LINE(1, 1, "failed", "\"during\":\"join\",\"status\":500"), END(11000000));
    assert_breaks(CHECK_FAILED, BEGIN, JOIN(1, 1, 7, 2), LINE(2, 1, "line", "\"line\":\"left\",\"place\":7"), END(3));
    assert_sound(BEGIN, JOIN(1, 1, 7, 2), LINE(2, 1, "left", ""), LINE(2, 1, "line", "\"line\":\"left\",\"place\":7"),
                 SERVED(3, 1, 9), END(99000000));
    assert_breaks(CHECK_NOT_ANSWERED, BEGIN, LINE(1, 1, "asked", ""), LINE(2, 1, "put_off", "\"status\":503"),
                  END(11000000));
    assert_sound(BEGIN, LINE(1, 1, "asked", ""), INTERRUPTED(11000000));
    assert_breaks(CHECK_INTERRUPTED, BEGIN, JOIN(1, 1, 7, 2), LINE(2, 1, "lost", "\"during\":\"stream\""), END(3));
    assert_sound(BEGIN_FAULTS, JOIN(1, 1, 7, 2), LINE(2, 1, "lost", "\"during\":\"stream\""), END(3));
}

static void test_orders(void **state)
{
    (void)state;
    const char *const lines[] = {BEGIN_FAULTS,
                                 JOIN(1, 1, 7, 2),
                                 JOIN(1, 2, 8, 3),
                                 ORDERS(2, 1),
                                 HEARS(3, 1, DOCUMENT("placed", 1, 1, 2, 9000)),
                                 PUTS(4, 2, CHOICE(3, 13500) "," SIDE(3, 6000)),
                                 LINE(4, 2, "lost", "\"during\":\"order\""),
                                 PUTS(4, 2, CHOICE(3, 13500) "," SIDE(3, 6000)),
                                 ANSWER(5, 2, "PUT", 202, DOCUMENT("placed", 1, 2, 3, 13500)),
                                 LET_IN(6),
                                 HEARS(6, 1, DOCUMENT("released", 1, 2, 2, 9000)),
                                 HEARS(7, 1, CONFIRMED(3)),
                                 ASKS(8, 1, "GET"),
                                 ANSWER(8, 1, "GET", 200, CONFIRMED(3)),
                                 TURN(9, 2, 8),
                                 SERVED(9, 2, 8),
                                 HEARS(9, 2, NOTHING("sold_out", 1, 4)),
                                 LATE};
    struct check_counts counts;
    assert_int_equal(broken_by(lines, sizeof lines / sizeof *lines, &counts), CHECK_RULE_COUNT);
    assert_int_equal(counts.ordered, 2);
    assert_int_equal(counts.orders[ORDER_CONFIRMED], 1);
    assert_int_equal(counts.orders[ORDER_SOLD_OUT], 1);
    assert_int_equal(counts.orders[ORDER_PLACED], 0);
    assert_int_equal(counts.sold, 2);
    // Taken back, and given again: another attempt.
    assert_sound(BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), ASKS(3, 1, "DELETE"),
                 ANSWER(4, 1, "DELETE", 200, DOCUMENT("cancelled", 1, 2, 2, 9000)), PUTS(5, 1, CHOICE(1, 4500)),
                 ANSWER(5, 1, "PUT", 202, DOCUMENT("placed", 2, 1, 1, 4500)), END(6));
    // What stands in for the first choice; a change that came too late.
    assert_sound(BEGIN, JOIN(1, 1, 7, 2), PUTS(2, 1, SIDE(2, 4000) "," CHOICE(2, 9000)), LET_IN(3),
                 HEARS(4, 1, CONFIRMED(3)), PUTS(4, 1, CHOICE(5, 22500)), REFUSED(5, 1, "PUT", 409), ASKS(5, 1, "GET"),
                 ANSWER(6, 1, "GET", 200, CONFIRMED(3)), LATE);
    // Nobody gets a reference that is another's.
    assert_breaks(CHECK_REFERENCE_TWICE, BEGIN, JOIN(1, 1, 7, 2), JOIN(1, 2, 8, 3), ORDERS(2, 1), ORDERS(2, 2),
                  TURN(3, 2, 8), SERVED(3, 2, 8), LET_IN(3), HEARS(3, 1, CONFIRMED(3)), HEARS(4, 2, CONFIRMED(3)),
                  END(5));
}

static void test_what_an_order_says(void **state)
{
    (void)state;
    assert_breaks(CHECK_ORDER_UNASKED, BEGIN, JOIN(1, 1, 7, 2), LET_IN(2), HEARS(3, 1, CONFIRMED(3)), END(4));
    assert_breaks(CHECK_ORDER_WRONG, BEGIN, JOIN(1, 1, 7, 2), PUTS(2, 1, CHOICE(2, 9000)),
                  ANSWER(3, 1, "PUT", 202, DOCUMENT("placed", 1, 1, 2, 9001)), END(4));
    assert_breaks(CHECK_ORDER_WRONG, BEGIN, JOIN(1, 1, 7, 2), PUTS(2, 1, CHOICE(2, 9000)),
                  ANSWER(3, 1, "PUT", 202, DOCUMENT("released", 1, 1, 2, 9000)), END(4));
    assert_breaks(CHECK_ORDER_WRONG, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(3),
                  HEARS(3, 1, DOCUMENT("confirmed", 1, 3, 1, 9000) ",\"reference\":\"K7QM-4WDP\""), END(4));
    assert_breaks(CHECK_ORDER_WRONG, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(3),
                  HEARS(3, 1, DOCUMENT("confirmed", 1, 3, 2, 9000)), END(4));
    // A change that was acknowledged replaces what was wanted before; one whose fate is unknown may have or not.
    assert_breaks(CHECK_ORDER_WRONG, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), PUTS(3, 1, CHOICE(1, 4500)),
                  ANSWER(3, 1, "PUT", 202, DOCUMENT("placed", 1, 2, 1, 4500)), LET_IN(4), HEARS(4, 1, CONFIRMED(4)),
                  END(5));
    assert_sound(BEGIN_FAULTS, JOIN(1, 1, 7, 2), ORDERS(2, 1), PUTS(3, 1, CHOICE(1, 4500)),
                 LINE(4, 1, "lost", "\"during\":\"order\""), LET_IN(4), HEARS(4, 1, CONFIRMED(4)), END(5));
    assert_breaks(CHECK_ORDER_WRONG, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), PUTS(3, 1, CHOICE(1, 4500)),
                  REFUSED(4, 1, "PUT", 409), LET_IN(4),
                  HEARS(4, 1, DOCUMENT("confirmed", 1, 3, 1, 4500) ",\"reference\":\"K7QM-4WDP\""), END(5));
    assert_breaks(CHECK_ORDER_LOST, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), ASKS(3, 1, "GET"), REFUSED(3, 1, "GET", 404),
                  END(4));
    assert_breaks(CHECK_TOO_EARLY, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), SERVED(3, 1, 6), HEARS(3, 1, CONFIRMED(3)),
                  LATE);
    // Too late with the order, and nobody knows why.
    assert_breaks(CHECK_FAILED, BEGIN, JOIN(1, 1, 7, 2), PUTS(2, 1, CHOICE(2, 9000)), REFUSED(3, 1, "PUT", 410),
                  END(4));
    assert_sound(BEGIN, JOIN(1, 1, 7, 2), PUTS(2, 1, CHOICE(2, 9000)), REFUSED(3, 1, "PUT", 410),
                 LINE(4, 1, "event", "\"state\":\"sold_out\""), END(5));
}

static void test_orders_never_go_back(void **state)
{
    (void)state;
    assert_breaks(CHECK_ORDER_BACK, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(3),
                  HEARS(3, 1, DOCUMENT("released", 1, 2, 2, 9000)), HEARS(4, 1, DOCUMENT("placed", 1, 1, 2, 9000)),
                  END(5));
    // An answer knows what was known when it was asked for; a new stream what was known when the last one ended.
    assert_breaks(CHECK_ORDER_BACK, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(3),
                  HEARS(3, 1, DOCUMENT("released", 1, 2, 2, 9000)), ASKS(4, 1, "GET"),
                  ANSWER(4, 1, "GET", 200, DOCUMENT("placed", 1, 1, 2, 9000)), END(5));
    assert_breaks(CHECK_ORDER_BACK, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), PUTS(3, 1, CHOICE(1, 4500)),
                  ANSWER(3, 1, "PUT", 202, DOCUMENT("placed", 1, 2, 1, 4500)), LINE(4, 1, "closed", ""),
                  REJOIN(5, 1, 200, 7, 2), HEARS(5, 1, DOCUMENT("placed", 1, 1, 2, 9000)), END(6));
    // News that crossed with the answer is no fault.
    assert_sound(BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), PUTS(3, 1, CHOICE(1, 4500)),
                 ANSWER(3, 1, "PUT", 202, DOCUMENT("placed", 1, 2, 1, 4500)),
                 HEARS(4, 1, DOCUMENT("placed", 1, 1, 2, 9000)), HEARS(5, 1, DOCUMENT("placed", 1, 2, 1, 4500)),
                 END(6));
    assert_breaks(CHECK_ORDER_BACK, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(3),
                  HEARS(3, 1, DOCUMENT("released", 1, 1, 2, 9000)), END(5));
    assert_breaks(CHECK_FINAL_CHANGED, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(3), HEARS(3, 1, CONFIRMED(3)),
                  HEARS(4, 1, NOTHING("sold_out", 1, 4)), LATE);
    assert_breaks(CHECK_FINAL_CHANGED, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(3),
                  HEARS(3, 1, NOTHING("sold_out", 1, 3)), HEARS(4, 1, CONFIRMED(4)), LATE);
    assert_breaks(CHECK_FINAL_CHANGED, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(3), HEARS(3, 1, CONFIRMED(3)),
                  PUTS(4, 1, CHOICE(1, 4500)), ANSWER(4, 1, "PUT", 202, DOCUMENT("placed", 2, 1, 1, 4500)), END(5));
    assert_sound(BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(3), HEARS(3, 1, NOTHING("refused", 1, 3)),
                 PUTS(4, 1, CHOICE(1, 4500)), ANSWER(4, 1, "PUT", 202, DOCUMENT("placed", 2, 1, 1, 4500)), END(5));
}

// The change came when the order had just ended without tickets, and its visitor did not know yet.
static void test_a_change_becomes_the_next_attempt(void **state)
{
    (void)state;
    assert_sound(BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(3), PUTS(3, 1, CHOICE(1, 4500)),
                 ANSWER(4, 1, "PUT", 202, DOCUMENT("placed", 2, 1, 1, 4500)), END(5));
    assert_breaks(CHECK_FINAL_CHANGED, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(3),
                  HEARS(4, 1, DOCUMENT("placed", 2, 1, 2, 9000)), END(5));
}

static void test_everybody_hears_an_end(void **state)
{
    (void)state;
    assert_breaks(CHECK_NO_OUTCOME, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(3), LATE);
    assert_breaks(CHECK_NO_OUTCOME, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(3),
                  HEARS(4, 1, DOCUMENT("released", 1, 2, 2, 9000)), LATE);
    assert_breaks(CHECK_NO_OUTCOME, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1),
                  LINE(3, 1, "event", "\"state\":\"sold_out\""), LATE);
    // Who left may have been booked before.
    assert_breaks(CHECK_NO_OUTCOME, BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LINE(3, 1, "left", ""), LATE);
    assert_sound(BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LINE(3, 1, "left", ""), ASKS(4, 1, "GET"),
                 ANSWER(4, 1, "GET", 200, NOTHING("cancelled", 1, 2)), LATE);
    assert_breaks(CHECK_NOT_ANSWERED, BEGIN, JOIN(1, 1, 7, 2), PUTS(2, 1, CHOICE(2, 9000)), LATE);
    // Not let in yet; only just now; interrupted.
    assert_sound(BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), SERVED(3, 1, 6), LATE);
    assert_sound(BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(15000000), LATE);
    assert_sound(BEGIN, JOIN(1, 1, 7, 2), ORDERS(2, 1), LET_IN(3), INTERRUPTED(20000000));
    // Turned away from an event that nobody knows to be at its end.
    assert_breaks(CHECK_FAILED, BEGIN, LINE(1, 1, "asked", ""), LINE(2, 1, "turned_away", "\"status\":410"), LATE);
    assert_sound(BEGIN, JOIN(1, 2, 8, 3), LINE(1, 2, "event", "\"state\":\"sold_out\""), LINE(1, 1, "asked", ""),
                 LINE(2, 1, "turned_away", "\"status\":410"), LATE);
}

static void test_menu(void **state)
{
    (void)state;
    static const char document[] =
        "{\"slug\":\"gala\",\"max_per_order\":6,\"tiers\":["
        "{\"code\":\"floor\",\"prices\":[{\"code\":\"full\",\"amount\":4500}],\"left\":3},"
        "{\"code\":\"side\",\"prices\":[{\"code\":\"adult\",\"amount\":3000},{\"code\":\"child\",\"amount\":1000}]}]}";
    struct menu menu;
    char problem[200];
    assert_int_equal(menu_read(document, strlen(document), NULL, &menu, problem, sizeof problem), 0);
    assert_int_equal(menu.tier_count, 1);
    assert_string_equal(menu.tiers[0].code, "floor");
    assert_int_equal(menu_read(document, strlen(document), "side,floor", &menu, problem, sizeof problem), 0);
    assert_int_equal(menu.tier_count, 2);
    assert_int_equal(menu_read(document, strlen(document), "floor,balcony", &menu, problem, sizeof problem),
                     ERROR_INVALID);
    assert_int_equal(menu_read(document, strlen(document), "floo", &menu, problem, sizeof problem), ERROR_INVALID);
    assert_int_equal(menu_read("{}", 2, NULL, &menu, problem, sizeof problem), ERROR_INVALID);
    // Whatever the dice say: never more than allowed, and the amount is the sum of the body's tickets.
    for (uint64_t random = 0; random < 5000; random++) {
        const struct menu_wish wish = {
            .quantity = 1 + random % 9, .alternatives = random % 3 == 0, .email = "a@b", .random = random};
        struct menu_order order;
        assert_int_equal(menu_choose(&menu, &wish, &order), 0);
        assert_int_equal(order.choice_count, wish.alternatives ? 2 : 1);
        json_t *body = json_loads(order.body, 0, NULL), *number;
        json_t *tickets = json_object_get(body, "tickets");
        const char *code;
        uint64_t quantity = 0, amount = 0;
        bool side = strcmp(json_string_value(json_object_get(body, "tier")), "side") == 0;
        json_object_foreach(tickets, code, number)
        {
            quantity += (uint64_t)json_integer_value(number);
            amount += (uint64_t)json_integer_value(number) * (!side ? 4500 : strcmp(code, "adult") == 0 ? 3000 : 1000);
        }
        if (!tickets) {
            quantity = (uint64_t)json_integer_value(json_object_get(body, "quantity"));
            amount = quantity * (side ? 3000 : 4500);
        }
        assert_int_equal(order.choices[0].quantity, quantity);
        assert_int_equal(order.choices[0].amount, amount);
        assert_in_range(quantity, 1, 6);
        assert_int_equal(json_array_size(json_object_get(body, "alternatives")), wish.alternatives ? 1 : 0);
        json_decref(body);
        menu_order_done(&order);
    }
}

static void test_the_record_itself(void **state)
{
    (void)state;
    assert_breaks(CHECK_RECORD, BEGIN, JOIN(1, 1, 7, 2));
    assert_breaks(CHECK_RECORD, JOIN(1, 1, 7, 2), END(3));
    assert_breaks(CHECK_RECORD, BEGIN, BEGIN, END(3));
    assert_breaks(CHECK_RECORD, BEGIN, END(3), END(3));
    assert_breaks(CHECK_RECORD, BEGIN, JOIN(5, 1, 7, 2), SERVED(4, 1, 6), END(6));
    assert_breaks(CHECK_RECORD, BEGIN, JOIN(1, 3, 7, 2), END(3));
    assert_breaks(CHECK_RECORD, BEGIN, SERVED(1, 1, 1), END(3));
    assert_breaks(CHECK_RECORD, BEGIN, JOIN(1, 1, 7, 2), JOIN(2, 1, 7, 2), END(3));
    char text[300] = "";
    struct check *check = check_new(note, text);
    check_end(check);
    assert_int_equal(check_violations_of(check, CHECK_RECORD), 1);
    check_free(check);
    check_free(NULL);
}

static void assert_no_line(const char *text, const char *words)
{
    struct told told;
    char problem[160] = "";
    assert_int_equal(told_read(text, strlen(text), &told, problem, sizeof problem), ERROR_INVALID);
    if (!strstr(problem, words))
        fail_msg("%s: %s", text, problem);
}

static void test_garbage(void **state)
{
    (void)state;
    assert_no_line("", "");
    assert_no_line("[]", "");
    assert_no_line("{\"visitor\":1,\"kind\":\"left\",\"data\":{}}", "at_us");
    assert_no_line(LINE(-1, 1, "left", ""), "at_us");
    assert_no_line(LINE(1, 0, "left", ""), "visitor");
    assert_no_line(LINE(1, 1, "end", "\"reason\":\"x\""), "visitor");
    assert_no_line(LINE(1, 1, "dance", ""), "kind");
    assert_no_line("{\"at_us\":1,\"visitor\":1,\"kind\":\"left\"}", "data");
    assert_no_line(LINE(1, 0, "begin", "\"visitors\":0,\"faults\":false"), "visitors");
    assert_no_line(LINE(1, 0, "begin", "\"visitors\":1000001,\"faults\":false"), "visitors");
    assert_no_line(LINE(1, 1, "served", "\"served\":\"1\""), "served");
    assert_no_line(LINE(1, 1, "served", "\"served\":-1"), "served");
    assert_no_line(LINE(1, 1, "event", ""), "state");
    assert_no_line(LINE(1, 1, "line", "\"line\":\"first\",\"place\":1"), "line");
    assert_no_line(LINE(1, 1, "line", "\"line\":\"waiting\",\"place\":1"), "ahead");
    assert_no_line(LINE(1, 1, "line", "\"line\":\"waiting\",\"seat\":1,\"ahead\":0"), "place");
    assert_no_line(LINE(1, 1, "line", "\"line\":\"lobby\",\"place\":null"), "seat");
    assert_no_line(LINE(1, 1, "order", "\"state\":\"bought\",\"attempt\":1,\"revision\":1"), "state");
    assert_no_line(LINE(1, 1, "order", "\"state\":\"placed\",\"attempt\":0,\"revision\":1"), "attempt");
    assert_no_line(LINE(1, 1, "order", "\"state\":\"placed\",\"attempt\":1"), "revision");
    assert_no_line(LINE(1, 1, "order", DOCUMENT("placed", 1, 1, -1, 9000)), "tickets");
    assert_no_line(ANSWER(1, 1, "PATCH", 202, DOCUMENT("placed", 1, 1, 2, 9000)), "method");
    assert_no_line(LINE(1, 1, "order", SEATED("held", 1, 3, 9000, "\"A-1\",\"A-1\"")), "seats");
    assert_no_line(LINE(1, 1, "order", SEATED("held", 1, 3, 9000, "\"A-01\",\"A-2\"")), "seats");
    assert_no_line(LINE(1, 1, "order", SEATED("held", 1, 3, 9000, "")), "seats");
    assert_no_line(LINE(1, 1, "order", CONFIRMED(3) ",\"pay_until\":\"soon\""), "pay_until");
    assert_no_line(LINE(1, 1, "order", CONFIRMED(3) ",\"more_time\":1"), "more_time");
    assert_no_line(PUTS(1, 1, "{\"tier\":\"floor\",\"quantity\":1,\"amount\":1,\"seats\":[7]}"), "seats");
    assert_no_line(LINE(1, 1, "order_refused", "\"method\":\"PUT\""), "status");
    assert_no_line(PUTS(1, 1, ""), "choices");
    assert_no_line(PUTS(1, 1, "{\"tier\":\"floor\",\"quantity\":0,\"amount\":1}"), "choices");
    assert_no_line(LINE(1, 1, "join", "\"line\":\"waiting\",\"place\":1,\"ahead\":0"), "status");
}

static void test_writing_and_reading(void **state)
{
    (void)state;
    char text[200];
    FILE *file = fmemopen(text, sizeof text, "w");
    assert_non_null(file);
    struct told told = {.kind = TOLD_SERVED, .visitor = 12, .at_us = 3 * S}, read;
    told_write(file, &told, "{\"served\":5}");
    assert_int_equal(fclose(file), 0);
    char problem[160];
    assert_int_equal(told_read(text, strcspn(text, "\n"), &read, problem, sizeof problem), 0);
    assert_int_equal(read.kind, TOLD_SERVED);
    assert_int_equal(read.visitor, 12);
    assert_int_equal(read.at_us, 3 * S);
    assert_int_equal(read.served, 5);
    for (enum told_kind kind = 0; kind < TOLD_KIND_COUNT; kind++)
        assert_non_null(told_kind_name(kind));
    assert_int_equal(told_kind_of_frame("line"), TOLD_LINE);
    assert_int_equal(told_kind_of_frame("notice"), TOLD_NOTICE);
    assert_int_equal(told_kind_of_frame("join"), TOLD_OTHER);
    assert_int_equal(told_kind_of_frame("end"), TOLD_OTHER);
}

static bool gather(void *owner, const char *event, const char *text, size_t bytes)
{
    struct buffer *buffer = owner;
    assert_int_equal(strlen(text), bytes);
    buffer_format(buffer, "%s=%s;", event, text);
    return strcmp(text, "stop") != 0;
}

static void test_event_stream(void **state)
{
    (void)state;
    static const char stream[] = "retry: 1500\n\nevent: line\nid: 7\ndata: {}\n\n:\n\ndata:a\r\ndata: b\r\n\r\n"
                                 "event: empty\n\nevent:x\ndata: stop\n\ndata: never\n\n";
    // However it is cut.
    for (size_t piece = 1; piece < sizeof stream; piece++) {
        struct buffer got CLEANUP(buffer_done) = BUFFER_INIT;
        struct sse sse CLEANUP(sse_done);
        sse_init(&sse);
        for (size_t at = 0; at < sizeof stream - 1 && !(got.data && strstr(got.data, "stop")); at += piece) {
            size_t bytes = sizeof stream - 1 - at < piece ? sizeof stream - 1 - at : piece;
            assert_int_equal(sse_take(&sse, stream + at, bytes, gather, &got), 0);
        }
        assert_string_equal(got.data, "line={};message=a\nb;x=stop;");
    }
    struct sse sse CLEANUP(sse_done);
    sse_init(&sse);
    int error = 0;
    for (size_t i = 0; i <= SSE_LINE_BYTES_MAX && error == 0; i++)
        error = sse_take(&sse, "x", 1, gather, NULL);
    assert_int_equal(error, ERROR_LIMIT);
}

static void test_passing_and_percentiles(void **state)
{
    (void)state;
    struct passing passing = {0};
    assert_int_equal(passing_at_us(&passing, 1), -1);
    passing_note(&passing, 0, 5);
    passing_note(&passing, 3, 10);
    passing_note(&passing, 2, 11);
    passing_note(&passing, 9, 20);
    assert_int_equal(passing_at_us(&passing, 1), 10);
    assert_int_equal(passing_at_us(&passing, 3), 10);
    assert_int_equal(passing_at_us(&passing, 4), 20);
    assert_int_equal(passing_at_us(&passing, 10), -1);
    for (uint64_t served = 10; served < 5000; served++)
        passing_note(&passing, served, (int64_t)served * 2);
    assert_int_equal(passing_at_us(&passing, 4321), 8642);
    passing_done(&passing);
    passing_done(NULL);

    struct latency latency = {0};
    assert_int_equal(latency_percentile(&latency, 50), 0);
    for (int64_t i = 1000; i > 0; i--)
        latency_note(&latency, i);
    assert_int_equal(latency_percentile(&latency, 50), 500);
    assert_int_equal(latency_percentile(&latency, 99), 990);
    assert_int_equal(latency_percentile(&latency, 100), 1000);
    latency_done(&latency);
    latency_done(NULL);
}

static bool is_loopback(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return options_is_loopback((const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return options_is_loopback((const struct sockaddr *)&v6);
}

static void test_loopback(void **state)
{
    (void)state;
    assert_true(is_loopback("127.0.0.1"));
    assert_true(is_loopback("127.9.8.7"));
    assert_true(is_loopback("::1"));
    assert_true(is_loopback("::ffff:127.0.0.1"));
    assert_false(is_loopback("0.0.0.0"));
    assert_false(is_loopback("10.0.0.1"));
    assert_false(is_loopback("128.0.0.1"));
    assert_false(is_loopback("::"));
    assert_false(is_loopback("::127.0.0.1"));
    assert_false(is_loopback("::ffff:10.0.0.1"));
    assert_false(is_loopback("2001:db8::1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_nothing_goes_back),
        cmocka_unit_test(test_being_let_in),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_what_an_order_says),
        cmocka_unit_test(test_orders_never_go_back),
        cmocka_unit_test(test_a_change_becomes_the_next_attempt),
        cmocka_unit_test(test_everybody_hears_an_end),
        cmocka_unit_test(test_menu),
        cmocka_unit_test(test_the_record_itself),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_writing_and_reading),
        cmocka_unit_test(test_event_stream),
        cmocka_unit_test(test_passing_and_percentiles),
        cmocka_unit_test(test_loopback),
    };
    return cmocka_run_group_tests_name("crowd check", tests, NULL, NULL);
}
