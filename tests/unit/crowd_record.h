// SPDX-License-Identifier: Apache-2.0
// Records of a crowd, written by hand, for the tests of its checker: lines as macros, and which rule a record breaks.
#ifndef TESTS_UNIT_CROWD_RECORD_H
#define TESTS_UNIT_CROWD_RECORD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "bench/crowd/check.h"
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

static inline void note(void *data, const char *text)
{
    (void)snprintf(data, 300, "%s", text);
}

// The rule that the record, together with the bank's ledger (NULL: nobody asks for it), breaks, and only that one; CHECK_RULE_COUNT when all
// is sound.
static inline enum check_rule broken_with(const char *ledger, const char *const *lines, size_t count,
                                          struct check_counts *ret_counts)
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
    if (ledger) {
        struct ledger read = {0};
        if (ledger_read(ledger, strlen(ledger), check_event(check), &read, problem, sizeof problem) != 0)
            fail_msg("%s: %s", ledger, problem);
        check_ledger(check, &read);
        ledger_done(&read);
    }
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

static inline enum check_rule broken_by(const char *const *lines, size_t count, struct check_counts *ret_counts)
{
    return broken_with(NULL, lines, count, ret_counts);
}

#define BROKEN_BY(...) \
    broken_by((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), NULL)
#define assert_sound(...) assert_int_equal(BROKEN_BY(__VA_ARGS__), CHECK_RULE_COUNT)
#define assert_breaks(rule, ...) assert_int_equal(BROKEN_BY(__VA_ARGS__), rule)

#endif
