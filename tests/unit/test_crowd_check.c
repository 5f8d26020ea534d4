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
#include "bench/crowd/hold.h"
#include "bench/crowd/latency.h"
#include "bench/crowd/menu.h"
#include "bench/crowd/options.h"
#include "bench/crowd/passing.h"
#include "bench/crowd/seats.h"
#include "bench/crowd/sse.h"
#include "bench/crowd/told.h"

#define S 1000000
#define BEGIN \
    "{\"at_us\":0,\"visitor\":0,\"kind\":\"begin\",\"data\":{\"visitors\":2,\"faults\":false,\"patience\":10}}"
#define BEGIN_FAULTS \
    "{\"at_us\":0,\"visitor\":0,\"kind\":\"begin\",\"data\":{\"visitors\":2,\"faults\":true,\"patience\":10}}"
#define LINE(at, visitor, kind, data) \
    "{\"at_us\":" #at ",\"visitor\":" #visitor ",\"kind\":\"" kind "\",\"data\":{" data "}}"
#define JOIN(at, visitor, place, ahead) \
    LINE(at, visitor, "asked", ""),     \
        LINE(at, visitor, "join", "\"status\":201,\"line\":\"waiting\",\"place\":" #place ",\"ahead\":" #ahead)
#define REJOIN(at, visitor, status, place, ahead) \
    LINE(at, visitor, "rejoin", "\"status\":" #status ",\"line\":\"waiting\",\"place\":" #place ",\"ahead\":" #ahead)
#define SERVED(at, visitor, served) LINE(at, visitor, "served", "\"served\":" #served ",\"pace\":\"1/s\"")
#define WAITS(at, visitor, place, ahead) \
    LINE(at, visitor, "line", "\"line\":\"waiting\",\"place\":" #place ",\"ahead\":" #ahead)
#define TURN(at, visitor, place) \
    LINE(at, visitor, "line", "\"line\":\"turn\",\"place\":" #place ",\"ahead\":0,\"until\":\"2031-01-01T00:00:00Z\"")
#define CHOICE(n, amount) "{\"tier\":\"floor\",\"quantity\":" #n ",\"amount\":" #amount "}"
#define SIDE(n, amount) "{\"tier\":\"side\",\"quantity\":" #n ",\"amount\":" #amount "}"
#define PUTS(at, visitor, choices) LINE(at, visitor, "order_asked", "\"method\":\"PUT\",\"choices\":[" choices "]")
#define ASKS(at, visitor, method) LINE(at, visitor, "order_asked", "\"method\":\"" method "\"")
#define DOCUMENT(state, attempt, revision, n, amount)                                      \
    "\"state\":\"" state "\",\"place\":7,\"attempt\":" #attempt ",\"revision\":" #revision \
    ",\"tier\":\"floor\",\"tickets\":{\"full\":" #n "},\"amount\":" #amount ",\"currency\":\"EUR\""
#define ANSWER(at, visitor, method, status, document) \
    LINE(at, visitor, "order_answer", "\"method\":\"" method "\",\"status\":" #status "," document)
#define REFUSED(at, visitor, method, status) \
    LINE(at, visitor, "order_refused", "\"method\":\"" method "\",\"status\":" #status)
#define HEARS(at, visitor, document) LINE(at, visitor, "order", document)
// Two tickets for 9000 are given, changed and booked; each is what a visitor with place 7 is told.
#define ORDERS(at, visitor) \
    PUTS(at, visitor, CHOICE(2, 9000)), ANSWER(at, visitor, "PUT", 202, DOCUMENT("placed", 1, 1, 2, 9000))
#define CONFIRMED(revision) DOCUMENT("confirmed", 1, revision, 2, 9000) ",\"reference\":\"K7QM-4WDP\""
#define NOTHING(state, attempt, revision) \
    "\"state\":\"" state "\",\"place\":7,\"attempt\":" #attempt ",\"revision\":" #revision
// Holds last five seconds, and who is confirmed has paid at the desk. One that begins at second `from` may be paid until five later.
#define BEGIN_DESK                                                                                             \
    "{\"at_us\":0,\"visitor\":0,\"kind\":\"begin\",\"data\":{\"visitors\":4,\"faults\":false,\"patience\":10," \
    "\"began\":\"2031-01-01T00:00:00.000000Z\",\"desk\":true,\"hold\":5}}"
#define PAY_UNTIL(second) ",\"pay_until\":\"2031-01-01T00:00:" second "Z\",\"more_time\":true"
#define MORE_TIME(second) ",\"pay_until\":\"2031-01-01T00:00:" second "Z\",\"more_time\":false"
#define SEATED(state, attempt, revision, amount, seats) \
    DOCUMENT(state, attempt, revision, 2, amount) ",\"reference\":\"K7QM-4WDP\",\"seats\":[" seats "]"
#define HELD(revision, seats, second) SEATED("held", 1, revision, 9000, seats) PAY_UNTIL(second)
#define SITS(revision, seats) SEATED("confirmed", 1, revision, 9000, seats)
#define OTHER(state, revision, seats)                                                                  \
    "\"state\":\"" state "\",\"place\":8,\"attempt\":1,\"revision\":" #revision ",\"tier\":\"floor\"," \
    "\"tickets\":{\"full\":2},\"amount\":9000,\"reference\":\"AAAA-BBBB\",\"seats\":[" seats "]"
#define NAMED(n, amount, seats) "{\"tier\":\"floor\",\"quantity\":" #n ",\"amount\":" #amount ",\"seats\":[" seats "]}"
#define PAYS(at, visitor) LINE(at, visitor, "pays", "\"reference\":\"K7QM-4WDP\"")
// Two visitors have ordered two tickets each, and are let in.
#define BOTH                                                                                              \
    BEGIN_DESK, JOIN(1, 1, 7, 2), JOIN(1, 2, 8, 3), ORDERS(2, 1), ORDERS(2, 2), LET_IN(3), TURN(3, 2, 8), \
        SERVED(3, 2, 8)
#define LET_IN(at) TURN(at, 1, 7), SERVED(at, 1, 7)
#define LATE END(20000000)
#define END(at) "{\"at_us\":" #at ",\"visitor\":0,\"kind\":\"end\",\"data\":{\"reason\":\"all are done\"}}"
#define INTERRUPTED(at) "{\"at_us\":" #at ",\"visitor\":0,\"kind\":\"end\",\"data\":{\"reason\":\"interrupted\"}}"

static void note(void *data, const char *text)
{
    (void)snprintf(data, 300, "%s", text);
}

// The rule that the record breaks, and only that one; CHECK_RULE_COUNT when it is sound.
static enum check_rule broken_by(const char *const *lines, size_t count, struct check_counts *ret_counts)
{
    char text[300] = "", problem[160];
    struct check *check = check_new(note, text);
    assert_non_null(check);
    for (size_t i = 0; i < count; i++) {
        struct told told;
        if (told_read(lines[i], strlen(lines[i]), &told, problem, sizeof problem) != 0)
            fail_msg("%s: %s", lines[i], problem);
        check_take(check, &told);
    }
    check_end(check);
    enum check_rule broken = CHECK_RULE_COUNT;
    for (enum check_rule rule = 0; rule < CHECK_RULE_COUNT; rule++)
        if (check_violations_of(check, rule) > 0) {
            if (broken != CHECK_RULE_COUNT)
                fail_msg("breaks %s and %s: %s", check_rule_name(broken), check_rule_name(rule), text);
            broken = rule;
        }
    assert_int_equal(check_violations(check) == 0, broken == CHECK_RULE_COUNT);
    if (broken != CHECK_RULE_COUNT)
        assert_int_equal(strncmp(text, check_rule_name(broken), strlen(check_rule_name(broken))), 0);
    if (ret_counts)
        check_count(check, ret_counts);
    check_free(check);
    return broken;
}

#define BROKEN_BY(...) \
    broken_by((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), NULL)
#define assert_sound(...) assert_int_equal(BROKEN_BY(__VA_ARGS__), CHECK_RULE_COUNT)
#define assert_breaks(rule, ...) assert_int_equal(BROKEN_BY(__VA_ARGS__), rule)

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
        cmocka_unit_test(test_seats),
        cmocka_unit_test(test_holds),
        cmocka_unit_test(test_standby_order),
        cmocka_unit_test(test_choosing_seats),
        cmocka_unit_test(test_holding),
        cmocka_unit_test(test_menu),
        cmocka_unit_test(test_menu_with_seats),
        cmocka_unit_test(test_the_record_itself),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_writing_and_reading),
        cmocka_unit_test(test_event_stream),
        cmocka_unit_test(test_passing_and_percentiles),
        cmocka_unit_test(test_loopback),
    };
    return cmocka_run_group_tests_name("crowd check", tests, NULL, NULL);
}
