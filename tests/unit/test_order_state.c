// SPDX-License-Identifier: Apache-2.0
// The table of an order's states, cell by cell: a table that agrees with itself proves nothing, so it is compared with what
// docs/states.md draws. Run from the root of the tree, as `make unit` does.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/order_state.h"

enum arrow {
    ARROW_NONE,
    ARROW_ANYBODY, // the system or the visitor
    ARROW_OPERATOR, // the label says so
};

struct drawing {
    enum arrow arrows[ORDER_STATE_COUNT][ORDER_STATE_COUNT];
    bool is_drawn[ORDER_STATE_COUNT];
    unsigned starts; // arrows out of nothing, all to `placed`
};

static bool has_word(const char *words, const char *word)
{
    const char *at = strstr(words, word);
    return at && at > words && at[-1] == ' ' && at[strlen(word)] == ' ';
}

static enum order_state state_of(const char *name, const char *line)
{
    enum order_state found = ORDER_STATE_COUNT;
    if (order_state_parse(name, &found))
        fail_msg("drawn, but no state: %s in %s", name, line);
    return found;
}

// "    held --> paying: label"
static void read_arrow(struct drawing *drawing, const char *line)
{
    char from[32], to[32], label[100] = "";
    if (sscanf(line, " %31s --> %31[a-z_]: %99[^\n]", from, to, label) < 2)
        fail_msg("not an arrow: %s", line);
    enum order_state end = state_of(to, line);
    drawing->is_drawn[end] = true;
    if (strcmp(from, "[*]") == 0) {
        assert_int_equal(end, ORDER_PLACED);
        drawing->starts++;
        return;
    }
    enum order_state start = state_of(from, line);
    drawing->is_drawn[start] = true;
    if (drawing->arrows[start][end] != ARROW_NONE)
        fail_msg("drawn twice: %s", line);
    drawing->arrows[start][end] = strstr(label, "operator") ? ARROW_OPERATOR : ARROW_ANYBODY;
}

// The first diagram below the heading about orders.
static void read_drawing(struct drawing *drawing)
{
    enum { BEFORE_HEADING, BEFORE_DIAGRAM, IN_DIAGRAM, AFTER } where = BEFORE_HEADING;
    char line[1024];
    FILE *file = fopen("docs/states.md", "r");
    assert_non_null(file);
    while (where != AFTER && fgets(line, sizeof(line), file)) {
        if (where == BEFORE_HEADING)
            where = strcmp(line, "## The order and the booking\n") == 0 ? BEFORE_DIAGRAM : where;
        else if (where == BEFORE_DIAGRAM)
            where = strcmp(line, "stateDiagram-v2\n") == 0 ? IN_DIAGRAM : where;
        else if (strcmp(line, "```\n") == 0)
            where = AFTER;
        else
            read_arrow(drawing, line);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(where, AFTER);
}

static void every_cell_is_as_drawn(void **state)
{
    (void)state;
    struct drawing drawing = {0};
    read_drawing(&drawing);
    assert_int_equal(drawing.starts, 1);
    for (unsigned from = 0; from < ORDER_STATE_COUNT; from++) {
        const char *name = order_state_name((enum order_state)from);
        if (!drawing.is_drawn[from])
            fail_msg("not drawn: %s", name);
        for (unsigned to = 0; to < ORDER_STATE_COUNT; to++) {
            bool system = order_may_become((enum order_state)from, (enum order_state)to, ORDER_BY_SYSTEM);
            bool by_operator = order_may_become((enum order_state)from, (enum order_state)to, ORDER_BY_OPERATOR);
            enum arrow arrow = drawing.arrows[from][to];
            if (system != (arrow == ARROW_ANYBODY) || by_operator != (arrow != ARROW_NONE))
                fail_msg("%s -> %s", name, order_state_name((enum order_state)to));
        }
    }
}

static void what_is_no_state_leads_nowhere(void **state)
{
    (void)state;
    assert_false(order_may_become(ORDER_STATE_COUNT, ORDER_PLACED, ORDER_BY_OPERATOR));
    assert_false(order_may_become(ORDER_PLACED, ORDER_STATE_COUNT, ORDER_BY_OPERATOR));
}

static void kinds(void **state)
{
    (void)state;
    static const char final[] = " confirmed sold_out refused expired failed cancelled ";
    static const char with_places[] = " held paying action_required declined confirmed ";
    static const char counted[] = " held paying action_required declined standby confirmed ";
    static const char may_lapse[] = " held action_required declined ";
    static const char another[] = " sold_out refused expired failed cancelled ";
    for (unsigned i = 0; i < ORDER_STATE_COUNT; i++) {
        enum order_state each = (enum order_state)i;
        assert_int_equal(order_is_final(each), has_word(final, order_state_name(each)));
        assert_int_equal(order_has_places(each), has_word(with_places, order_state_name(each)));
        assert_int_equal(order_is_counted(each), has_word(counted, order_state_name(each)));
        assert_int_equal(order_may_lapse(each), has_word(may_lapse, order_state_name(each)));
        // What may lapse can expire; who pays can, but only by the provider's word.
        assert_int_equal(order_may_become(each, ORDER_EXPIRED, ORDER_BY_SYSTEM),
                         order_may_lapse(each) || each == ORDER_PAYING);
        assert_int_equal(order_allows_another(each), has_word(another, order_state_name(each)));
    }
    assert_false(order_is_final(ORDER_STATE_COUNT));
}

static void names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ORDER_STATE_COUNT; i++) {
        enum order_state read = ORDER_STATE_COUNT;
        assert_int_equal(order_state_parse(order_state_name((enum order_state)i), &read), 0);
        assert_int_equal(read, i);
    }
    for (unsigned i = 0; i < ORDER_REASON_COUNT; i++) {
        enum order_reason read = ORDER_REASON_COUNT;
        assert_int_equal(order_reason_parse(order_reason_name((enum order_reason)i), &read), 0);
        assert_int_equal(read, i);
    }
    enum order_state untouched = ORDER_HELD;
    assert_int_equal(order_state_parse(NULL, &untouched), ERROR_INVALID);
    assert_int_equal(order_state_parse("", &untouched), ERROR_INVALID);
    assert_int_equal(order_state_parse("Confirmed", &untouched), ERROR_INVALID);
    assert_int_equal(untouched, ORDER_HELD);
    enum order_reason reason = ORDER_BROKEN;
    assert_int_equal(order_reason_parse("unknown", &reason), ERROR_INVALID);
    assert_int_equal(reason, ORDER_BROKEN);
    assert_string_equal(order_state_name(ORDER_STATE_COUNT), "unknown");
    assert_null(order_reason_name(ORDER_REASON_COUNT));
}

// The reasons in the row of docs/states.md about a state: the words in backquotes between "reason" and the end that are reasons.
static unsigned reasons_said(const char *state_name, bool said[static ORDER_REASON_COUNT])
{
    char line[2048], begin[48];
    unsigned count = 0;
    (void)snprintf(begin, sizeof(begin), "| `%s` |", state_name);
    FILE *file = fopen("docs/states.md", "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        if (strncmp(line, begin, strlen(begin)) != 0)
            continue;
        for (unsigned i = ORDER_NO_REASON + 1; i < ORDER_REASON_COUNT; i++) {
            char word[48];
            (void)snprintf(word, sizeof(word), "`%s`", order_reason_name((enum order_reason)i));
            said[i] = strstr(line, word) != NULL;
            count += said[i];
        }
    }
    assert_int_equal(fclose(file), 0);
    return count;
}

// Each reason is told of one state, the one that it belongs to.
static void every_reason_is_told(void **state)
{
    (void)state;
    static const struct {
        enum order_state state;
        unsigned count;
    } rows[] = {{ORDER_REFUSED, 4}, {ORDER_DECLINED, 5}, {ORDER_PAYING, 1}, {ORDER_FAILED, 3}};
    bool told[ORDER_REASON_COUNT] = {true};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool said[ORDER_REASON_COUNT] = {false};
        assert_int_equal(reasons_said(order_state_name(rows[i].state), said), rows[i].count);
        for (unsigned j = 0; j < ORDER_REASON_COUNT; j++) {
            assert_false(said[j] && told[j]);
            told[j] = told[j] || said[j];
        }
    }
    for (unsigned j = 0; j < ORDER_REASON_COUNT; j++) {
        if (!told[j])
            fail_msg("docs/states.md does not tell: %s", order_reason_name((enum order_reason)j));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_is_as_drawn),
        cmocka_unit_test(what_is_no_state_leads_nowhere),
        cmocka_unit_test(kinds),
        cmocka_unit_test(names),
        cmocka_unit_test(every_reason_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
