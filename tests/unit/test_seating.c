// links: booking-worker
// SPDX-License-Identifier: Apache-2.0
// The hall, and which seats a party gets: each rule on halls that are drawn.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "booking-worker/seating.h"

#define SEATS_MAX 100

// ---------------------------------------------------------------- halls that are drawn

// A row for each line; the first character has number 1. '.' free, 'x' taken, 'w' wheelchair place, 'c' companion's seat, '#' blocked,
// 'W' and 'C' taken ones of these kinds, ' ' no seat. In answers '*' is a seat that was given.
#define ROWS_MAX 8

static struct seating *draw(const char *const *rows)
{
    static const char row_names[ROWS_MAX][2] = {"A", "B", "C", "D", "E", "F", "G", "H"};
    struct seating_seat seats[SEATS_MAX];
    bool is_taken[SEATS_MAX];
    size_t count = 0;
    for (uint32_t row = 0; row < ROWS_MAX && rows[row]; row++) {
        for (size_t at = 0; rows[row][at]; at++) {
            char seat = rows[row][at];
            if (seat == ' ')
                continue;
            is_taken[count] = strchr("xWC", seat) != NULL;
            seats[count++] = (struct seating_seat){
                .row = row_names[row],
                .row_position = row * 10,
                .number = (uint16_t)(at + 1),
                .kind = strchr("wW", seat)   ? SEAT_WHEELCHAIR
                        : strchr("cC", seat) ? SEAT_COMPANION
                        : seat == '#'        ? SEAT_BLOCKED
                                             : SEAT_ORDINARY,
            };
        }
    }
    struct seating *hall;
    assert_int_equal(seating_new(seats, count, &hall), 0);
    for (uint32_t i = 0; i < count; i++)
        if (is_taken[i])
            assert_true(seating_take(hall, i));
    return hall;
}

struct drawn {
    uint32_t count, wheelchair, companion;
    enum seating_rule rule;
    const char *before[ROWS_MAX];
    const char *after[ROWS_MAX];
};

static void check_drawn(const struct drawn *drawn, size_t number)
{
    struct seating *hall = draw(drawn->before);
    const struct seating_party party = {drawn->count, drawn->wheelchair, drawn->companion};
    uint32_t seats[SEATS_IN_ORDER_MAX];
    enum seating_rule rule = seating_best(hall, &party, seats);
    char after[ROWS_MAX][SEATS_MAX];
    for (size_t row = 0; row < ROWS_MAX && drawn->before[row]; row++)
        snprintf(after[row], sizeof after[row], "%s", drawn->before[row]);
    for (uint32_t i = 0; rule != SEATING_NOTHING && i < party.count; i++)
        after[*seating_row(hall, seats[i]) - 'A'][seating_number(hall, seats[i]) - 1] = '*';
    for (size_t row = 0; row < ROWS_MAX && drawn->before[row]; row++) {
        const char *wanted = rule == SEATING_NOTHING ? drawn->before[row] : drawn->after[row];
        if (rule != drawn->rule || strcmp(after[row], wanted) != 0)
            fail_msg("hall %zu, row %zu: %s by %s, not %s by %s", number, row + 1, after[row], seating_rule_name(rule),
                     wanted, seating_rule_name(drawn->rule));
    }
    seating_free(hall);
}

static void rules_on_drawn_halls(void **state)
{
    (void)state;
    static const struct drawn halls[] = {
        // In the middle of the best row, and no seat left alone.
        {2, 0, 0, SEATING_TOGETHER, {"......", "......"}, {"..**..", "......"}},
        {2, 0, 0, SEATING_TOGETHER, {"....."}, {"**..."}},
        {1, 0, 0, SEATING_TOGETHER, {"....."}, {"..*.."}},
        {1, 0, 0, SEATING_TOGETHER, {"x.xx..x"}, {"x*xx..x"}},
        {3, 0, 0, SEATING_TOGETHER, {"....", "..x..", "...x"}, {"....", "..x..", "***x"}},
        // An aisle ends a run, and so does a seat of another kind.
        {3,
         0,
         0,
         SEATING_TOGETHER,
         {".. ..", "..w..", "..#..", "..c..", "..."},
         {".. ..", "..w..", "..#..", "..c..", "***"}},
        // A seat is stranded when there is no other way, rather than a party split.
        {3, 0, 0, SEATING_STRANDING, {"xx", "..xx....", "...."}, {"xx", "..xx***.", "...."}},
        {1, 0, 0, SEATING_STRANDING, {"..xx"}, {".*xx"}},
        // Two rows: nobody alone, nobody stranded, near, even.
        {4, 0, 0, SEATING_TWO_ROWS, {"..x..", "xxx..", "x..xx"}, {"..x**", "xxx**", "x..xx"}},
        {4, 0, 0, SEATING_TWO_ROWS, {"...x", "x.xx", "xx..", "..xx"}, {"...x", "x.xx", "xx**", "**xx"}},
        {4, 0, 0, SEATING_TWO_ROWS, {"...xx", "...xx", "..xxx", "xxx.."}, {"...xx", "...xx", "**xxx", "xxx**"}},
        {6, 0, 0, SEATING_TWO_ROWS, {".....xx", "x.....x"}, {"..***xx", "x***..x"}},
        {3, 0, 0, SEATING_TWO_ROWS, {"..x", "x.x"}, {"**x", "x*x"}},
        {2, 0, 0, SEATING_TWO_ROWS, {".xxx.", "x.x.x"}, {"*xxx.", "x*x.x"}},
        // Few groups: no pair of neighbouring rows has room for all.
        {5, 0, 0, SEATING_FEW_GROUPS, {"..x.x.", "xxxx", "..x.."}, {"**x*x.", "xxxx", "**x.."}},
        {4, 0, 0, SEATING_FEW_GROUPS, {"..x..xx", "xxxxxxx", "xxx.x.."}, {"**x**xx", "xxxxxxx", "xxx.x.."}},
        {3, 0, 0, SEATING_FEW_GROUPS, {".x..", "xxxx", "..x."}, {"*x**", "xxxx", "..x."}},
        // Wheelchairs: just as many places as are needed, a block if it can be.
        {2, 1, 1, SEATING_TOGETHER, {"....", "wc..cw"}, {"....", "**..cw"}},
        {4, 1, 1, SEATING_TOGETHER, {"wc...."}, {"****.."}},
        {3, 1, 1, SEATING_STRANDING, {"wc.."}, {"***."}},
        {4, 1, 1, SEATING_ONE_ROW, {"wcxx..."}, {"**xx**."}},
        {3, 1, 0, SEATING_ONE_ROW, {"w.x.x.cw", "w.x."}, {"**x*x.cw", "w.x."}},
        {3, 1, 1, SEATING_APART, {"wcx", "x..x", "...."}, {"**x", "x..x", "*..."}},
        {4, 1, 1, SEATING_APART, {"....", "xxxx", "xx..", "wcxx", "xx.."}, {"....", "xxxx", "xx**", "**xx", "xx.."}},
        {2, 1, 1, SEATING_APART, {"cxxx", "xxxx", "xwxx", "xxxc"}, {"cxxx", "xxxx", "x*xx", "xxx*"}},
        // Not enough of what is needed; what nobody needs is nobody's.
        {3, 0, 0, SEATING_NOTHING, {"..wc#"}, {0}},
        {2, 2, 0, SEATING_NOTHING, {"wWcc...."}, {0}},
        {1, 0, 1, SEATING_NOTHING, {"ww#...."}, {0}},
        {1, 0, 0, SEATING_NOTHING, {"#"}, {0}},
    };
    for (size_t i = 0; i < sizeof halls / sizeof halls[0]; i++)
        check_drawn(&halls[i], i);
}

static void parties_that_cannot_be(void **state)
{
    (void)state;
    struct seating *hall = draw((const char *const[ROWS_MAX]){"wwcc...................."});
    uint32_t seats[SEATS_IN_ORDER_MAX];
    static const struct seating_party bad[] = {
        {0, 0, 0}, {SEATS_IN_ORDER_MAX + 1, 0, 0}, {1, 2, 0}, {1, 1, 1}, {2, 1, UINT32_MAX}, {UINT32_MAX, 0, 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(seating_best(hall, &bad[i], seats), SEATING_NOTHING);
    seating_free(hall);
}

// ---------------------------------------------------------------- the hall

static void halls_that_are_refused(void **state)
{
    (void)state;
    static const struct seating_seat bad[][2] = {
        {{"A", 1, 2, SEAT_ORDINARY}, {"A", 1, 2, SEAT_ORDINARY}}, // twice
        {{"A", 1, 2, SEAT_ORDINARY}, {"A", 1, 1, SEAT_ORDINARY}}, // the wrong way round
        {{"A", 2, 1, SEAT_ORDINARY}, {"B", 1, 1, SEAT_ORDINARY}},
        {{"A", 1, 1, SEAT_ORDINARY}, {"B", 1, 2, SEAT_ORDINARY}}, // one row, two names
        {{"A", 1, 1, SEAT_ORDINARY}, {"a", 2, 1, SEAT_ORDINARY}}, // two rows, one name
        {{"", 1, 1, SEAT_ORDINARY}, {"B", 2, 1, SEAT_ORDINARY}},
        {{NULL, 1, 1, SEAT_ORDINARY}, {"B", 2, 1, SEAT_ORDINARY}},
        {{"12345678901234567", 1, 1, SEAT_ORDINARY}, {"B", 2, 1, SEAT_ORDINARY}},
        {{"A", 1, 1, (enum seat_kind)9}, {"B", 2, 1, SEAT_ORDINARY}},
    };
    struct seating *hall = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(seating_new(bad[i], 2, &hall), ERROR_INVALID);
    static struct seating_seat wide[SEAT_ROW_MAX + 1];
    for (size_t i = 0; i <= SEAT_ROW_MAX; i++)
        wide[i] = (struct seating_seat){.row = "A", .number = (uint16_t)(i + 1)};
    assert_int_equal(seating_new(wide, SEAT_ROW_MAX + 1, &hall), ERROR_INVALID);
    assert_null(hall);
    assert_int_equal(seating_new(wide, SEAT_ROW_MAX, &hall), 0);
    seating_free(hall);
    assert_int_equal(seating_new(NULL, 0, &hall), 0);
    uint32_t seats[SEATS_IN_ORDER_MAX];
    assert_int_equal(seating_count(hall), 0);
    assert_int_equal(seating_find(hall, "A", 1), SEATING_NO_SEAT);
    assert_int_equal(seating_best(hall, &(struct seating_party){1, 0, 0}, seats), SEATING_NOTHING);
    seating_free(hall);
    seating_free(NULL);
}

static void seats_are_found_by_name(void **state)
{
    (void)state;
    static const struct seating_seat seats[] = {
        {"Stalls 2", 1, 3, SEAT_ORDINARY},        {"Stalls 2", 1, 9999, SEAT_COMPANION}, {"B", 4, 1, SEAT_WHEELCHAIR},
        {"1234567890123456", 5, 7, SEAT_BLOCKED}, {"a.b-c", 6, 1, SEAT_ORDINARY},
    };
    struct seating *hall;
    assert_int_equal(seating_new(seats, 5, &hall), 0);
    assert_int_equal(seating_count(hall), 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(seating_find(hall, seats[i].row, seats[i].number), i);
        assert_string_equal(seating_row(hall, i), seats[i].row);
        assert_int_equal(seating_number(hall, i), seats[i].number);
        assert_int_equal(seating_kind(hall, i), seats[i].kind);
        assert_int_equal(seating_is_free(hall, i), i != 3);
    }
    assert_int_equal(seating_find(hall, "STALLS 2", 3), 0);
    assert_int_equal(seating_find(hall, "A.B-C", 1), 4);
    assert_int_equal(seating_find(hall, "Stalls 2", 4), SEATING_NO_SEAT);
    assert_int_equal(seating_find(hall, "Stalls", 3), SEATING_NO_SEAT);
    assert_int_equal(seating_find(hall, "B", 9999), SEATING_NO_SEAT);
    assert_int_equal(seating_find(hall, "B", 0), SEATING_NO_SEAT);
    assert_int_equal(seating_find(hall, "", 1), SEATING_NO_SEAT);
    seating_free(hall);
}

static void taking_and_giving_back(void **state)
{
    (void)state;
    struct seating *hall = draw((const char *const[ROWS_MAX]){".#w"});
    for (uint32_t seat = 0; seat < 3; seat++) {
        assert_false(seating_give_back(hall, seat));
        assert_true(seating_take(hall, seat));
        assert_false(seating_is_free(hall, seat));
        assert_false(seating_take(hall, seat));
    }
    assert_true(seating_give_back(hall, 0));
    assert_true(seating_is_free(hall, 0));
    assert_false(seating_give_back(hall, 0));
    assert_true(seating_give_back(hall, 1));
    assert_false(seating_is_free(hall, 1)); // it is blocked
    seating_clear(hall);
    assert_true(seating_is_free(hall, 2));
    seating_free(hall);
}

static void each_rule_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(seating_rule_name(SEATING_NOTHING), "nothing");
    assert_string_equal(seating_rule_name(SEATING_TWO_ROWS), "two_rows");
    assert_string_equal(seating_rule_name(SEATING_APART), "apart");
    assert_string_equal(seating_rule_name((enum seating_rule)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_on_drawn_halls),   cmocka_unit_test(parties_that_cannot_be),
        cmocka_unit_test(halls_that_are_refused), cmocka_unit_test(seats_are_found_by_name),
        cmocka_unit_test(taking_and_giving_back), cmocka_unit_test(each_rule_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
