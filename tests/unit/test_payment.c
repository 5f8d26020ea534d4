// SPDX-License-Identifier: Apache-2.0
// The words of a payment, and which states are what: compared with what docs/payments.md draws and with sql/0004_payments.sql, since a table that
// agrees with itself proves nothing. Run from the root of the tree, as `make unit` does.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/payment.h"
#include "common/random.h"

static char *file_text(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = calloc(1, 64 * 1024);
    assert_non_null(text);
    size_t bytes = fread(text, 1, 64 * 1024 - 1, file);
    assert_true(bytes > 0 && bytes < 64 * 1024 - 1);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void names_go_there_and_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PAYMENT_STATE_COUNT; i++) {
        enum payment_state read = PAYMENT_STATE_COUNT;
        assert_int_equal(payment_state_parse(payment_state_name((enum payment_state)i), &read), 0);
        assert_int_equal(read, i);
    }
    for (unsigned i = 0; i < PAYMENT_AIM_COUNT; i++) {
        enum payment_aim read = PAYMENT_AIM_COUNT;
        assert_int_equal(payment_aim_parse(payment_aim_name((enum payment_aim)i), &read), 0);
        assert_int_equal(read, i);
    }
}

static void what_is_no_name_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {NULL, "", "Created", "created ", "unknown", "give-back", "tak"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        enum payment_state untouched = PAYMENT_FAILED;
        enum payment_aim aim = PAYMENT_CLOSE;
        assert_int_equal(payment_state_parse(names[i], &untouched), ERROR_INVALID);
        assert_int_equal(payment_aim_parse(names[i], &aim), ERROR_INVALID);
        assert_int_equal(untouched, PAYMENT_FAILED);
        assert_int_equal(aim, PAYMENT_CLOSE);
    }
    assert_string_equal(payment_state_name(PAYMENT_STATE_COUNT), "unknown");
    assert_string_equal(payment_aim_name(PAYMENT_AIM_COUNT), "unknown");
}

// 'name' between `from` and the next `to` in the text.
static bool stands_between(const char *text, const char *from, char to, const char *name)
{
    char word[32];
    (void)snprintf(word, sizeof(word), "'%s'", name);
    const char *begin = strstr(text, from);
    assert_non_null(begin);
    const char *end = strchr(begin, to), *at = strstr(begin, word);
    assert_non_null(end);
    return at && at < end;
}

static void the_table_has_the_same_words(void **state)
{
    (void)state;
    char *sql = file_text("sql/0004_payments.sql");
    for (unsigned i = 0; i < PAYMENT_STATE_COUNT; i++)
        assert_true(
            stands_between(sql, "CONSTRAINT payments_state CHECK", ')', payment_state_name((enum payment_state)i)));
    for (unsigned i = 0; i < PAYMENT_AIM_COUNT; i++)
        assert_true(stands_between(sql, "CONSTRAINT payments_aim CHECK", ')', payment_aim_name((enum payment_aim)i)));
    // The column behind the unique key lists the states that are not open.
    for (unsigned i = 0; i < PAYMENT_STATE_COUNT; i++)
        assert_int_equal(stands_between(sql, "IF(state IN (", ')', payment_state_name((enum payment_state)i)),
                         !payment_is_open((enum payment_state)i));
    free(sql);
}

static bool leads_on(const char *drawing, enum payment_state state)
{
    char arrow[48];
    (void)snprintf(arrow, sizeof(arrow), "    %s --> ", payment_state_name(state));
    return strstr(drawing, arrow) != NULL;
}

static void every_state_is_drawn(void **state)
{
    (void)state;
    char *page = file_text("docs/payments.md");
    char *drawing = strstr(page, "stateDiagram-v2");
    assert_non_null(drawing);
    for (unsigned i = 0; i < PAYMENT_STATE_COUNT; i++) {
        enum payment_state each = (enum payment_state)i;
        char end[48];
        (void)snprintf(end, sizeof(end), " --> %s", payment_state_name(each));
        assert_non_null(strstr(drawing, end));
        // Nothing waits for ever in a state that is no end.
        assert_true(payment_is_end(each) || leads_on(drawing, each));
    }
    free(page);
}

static bool is_one_of(enum payment_state state, const char *words)
{
    const char *name = payment_state_name(state), *at = strstr(words, name);
    return at && at > words && at[-1] == ' ' && at[strlen(name)] == ' ';
}

static void kinds(void **state)
{
    (void)state;
    static const char open[] = " created confirming challenged authorised capturing voiding ";
    static const char ends[] = " captured declined voided refunded failed ";
    static const char with_money[] = " authorised capturing captured ";
    for (unsigned i = 0; i < PAYMENT_STATE_COUNT; i++) {
        enum payment_state each = (enum payment_state)i;
        assert_int_equal(payment_is_open(each), is_one_of(each, open));
        assert_int_equal(payment_is_end(each), is_one_of(each, ends));
        assert_int_equal(payment_has_money(each), is_one_of(each, with_money));
        assert_false(payment_is_open(each) && payment_is_end(each));
    }
    // Money that is on its way back takes no further look at the booking, yet somebody has to see to it.
    assert_false(payment_is_open(PAYMENT_REFUNDING) || payment_is_end(PAYMENT_REFUNDING));
}

static void a_key_is_32_digits_and_nobody_elses(void **state)
{
    (void)state;
    char first[PAYMENT_KEY_BYTES], second[PAYMENT_KEY_BYTES];
    random_name(first);
    random_name(second);
    assert_int_equal(strspn(first, "0123456789abcdef"), 32);
    assert_int_equal(strlen(first), 32);
    assert_string_not_equal(first, second);
    assert_memory_not_equal(first, first + 16, 16); // both halves are drawn
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_there_and_back),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(the_table_has_the_same_words),
        cmocka_unit_test(every_state_is_drawn),
        cmocka_unit_test(kinds),
        cmocka_unit_test(a_key_is_32_digits_and_nobody_elses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
