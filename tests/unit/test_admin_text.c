// links: admin
// SPDX-License-Identifier: Apache-2.0
// The small readers and writers of the command line: seat ranges, SQL files, grants, currencies, tables, and the
// command that was meant.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "admin/command.h"
#include "admin/csv.h"
#include "admin/currency.h"
#include "admin/grants.h"
#include "admin/migrations.h"
#include "admin/reference.h"
#include "admin/sql_text.h"
#include "admin/table.h"
#include "common/customer.h"

static void assert_statements(const char *text, size_t count, const char *const *expected)
{
    size_t bytes = strlen(text), length;
    const char *statement;
    for (size_t i = 0; i < count; i++) {
        assert_true(sql_text_next(&text, &bytes, &statement, &length));
        assert_int_equal(length, strlen(expected[i]));
        assert_memory_equal(statement, expected[i], length);
    }
    assert_false(sql_text_next(&text, &bytes, &statement, &length));
}

static void test_sql_text(void **state)
{
    (void)state;
    assert_statements("", 0, NULL);
    assert_statements("  -- only a comment; with a semicolon\n", 0, NULL);
    assert_statements("a; b ;\n\nc", 3, (const char *const[]){"a", "b", "c"});
    assert_statements("-- one\na -- two; 'three'\n, b; --\nc;", 2,
                      (const char *const[]){"a -- two; 'three'\n, b", "c"});
    assert_statements("x ';' \"a;b\" `c;d` 'it''s;' 'a\\';b'; y", 2,
                      (const char *const[]){"x ';' \"a;b\" `c;d` 'it''s;' 'a\\';b'", "y"});
    assert_statements("1--2; 3", 2, (const char *const[]){"1--2", "3"});
    assert_statements("x 'never closed; y", 1, (const char *const[]){"x 'never closed; y"});
}

static void test_migrations(void **state)
{
    (void)state;
    assert_true(migration_count >= 1);
    for (size_t i = 0; i < migration_count; i++) {
        assert_int_equal(migrations[i].version, i + 1);
        assert_true(migrations[i].text_end > migrations[i].text);
        assert_int_equal(*migrations[i].text_end, '\0');
        char checksum[MIGRATION_CHECKSUM_BYTES];
        assert_int_equal(strlen(migration_checksum(&migrations[i], checksum)), 64);
    }
    assert_string_equal(migrations[0].name, "line");
}

static void assert_bad_grants(const char *text, size_t line)
{
    static struct grants grants;
    size_t at = 0;
    assert_int_equal(grants_read(text, strlen(text), &grants, &at), ERROR_INVALID);
    assert_int_equal(at, line);
}

static void test_grants(void **state)
{
    (void)state;
    static struct grants grants;
    size_t line = 0;
    static const char text[] =
        "-- a comment\n\n-- program: waiting-room\nGRANT SELECT, INSERT, UPDATE (left_at, x) ON arrivals;\n"
        "-- another\n  -- program: admission\nGRANT SELECT ON arrivals;";
    assert_int_equal(grants_read(text, strlen(text), &grants, &line), 0);
    assert_int_equal(grants.count, 5);
    assert_true(grants_have(&grants, "waiting-room", "arrivals", "insert", ""));
    assert_true(grants_have(&grants, "waiting-room", "arrivals", "UPDATE", "left_at"));
    assert_true(grants_have(&grants, "waiting-room", "arrivals", "UPDATE", "x"));
    assert_false(grants_have(&grants, "waiting-room", "arrivals", "UPDATE", ""));
    assert_false(grants_have(&grants, "admission", "arrivals", "INSERT", ""));
    assert_true(grants_have(&grants, "admission", "arrivals", "SELECT", ""));
    assert_true(grants_know(&grants, "admission"));
    assert_false(grants_know(&grants, "notifier"));

    assert_bad_grants("GRANT SELECT ON a;", 1); // outside of a block
    assert_bad_grants("-- program: x\nGRANT SELECT ON a", 2);
    assert_bad_grants("-- program: x\n\nGRANT SELECT ON a; DROP TABLE b;", 3);
    assert_bad_grants("-- program: x\nGRANT SELECT ON a`;", 2);
    assert_bad_grants("-- program: x\nGRANT SELECT (a ON b;", 2);
    assert_bad_grants("-- program: x\nGRANT ON b;", 2);
    assert_bad_grants("-- program: x\nREVOKE SELECT ON b;", 2);
    assert_bad_grants("-- program: x\nGRANT SELECT ON a.b;", 2);
    assert_bad_grants("-- program: \n", 1);

    // The file that this program carries.
    assert_int_equal(grants_read(grants_text, (size_t)(grants_text_end - grants_text), &grants, &line), 0);
    assert_true(grants_know(&grants, "waiting-room") && grants_know(&grants, "admission"));
    // What makes the line honest: nobody but admission moves it, nobody but waiting rooms gives numbers, nobody changes
    // history.
    assert_false(grants_have(&grants, "waiting-room", "line_served", "UPDATE", ""));
    assert_false(grants_have(&grants, "admission", "line_counters", "UPDATE", ""));
    assert_false(grants_have(&grants, "admission", "served_log", "UPDATE", ""));
    assert_false(grants_have(&grants, "waiting-room", "arrivals", "DELETE", ""));
}

static void assert_amount(uint64_t amount, const char *code, const char *expected)
{
    char text[CURRENCY_AMOUNT_BYTES];
    assert_string_equal(currency_format(amount, code, text), expected);
}

static void test_currency(void **state)
{
    (void)state;
    unsigned digits = 9;
    assert_int_equal(currency_find("EUR", &digits), 0);
    assert_int_equal(digits, 2);
    assert_int_equal(currency_find("JPY", &digits), 0);
    assert_int_equal(digits, 0);
    assert_int_equal(currency_find("KWD", &digits), 0);
    assert_int_equal(digits, 3);
    assert_int_equal(currency_find("TND", &digits), 0);
    digits = 9;
    assert_int_equal(currency_find("R E", &digits), ERROR_NOT_FOUND);
    assert_int_equal(currency_find("", &digits), ERROR_NOT_FOUND);
    assert_int_equal(currency_find("EURO", &digits), ERROR_NOT_FOUND);
    assert_int_equal(currency_find("XXX", &digits), ERROR_NOT_FOUND);
    assert_int_equal(digits, 9);
    assert_amount(4500, "EUR", "45.00 EUR");
    assert_amount(5, "EUR", "0.05 EUR");
    assert_amount(4500, "JPY", "4500 JPY");
    assert_amount(4500, "KWD", "4.500 KWD");
    assert_amount(UINT64_MAX, "EUR", "184467440737095516.15 EUR");
}

static void test_table(void **state)
{
    (void)state;
    struct buffer text = BUFFER_INIT;
    const char *const cells[] = {"A", ">N", "NAME", "é", "12", "x\ny", "long", NULL, ""};
    table_write(cells, 3, 3, &text);
    assert_string_equal(text.data, "A      N  NAME\né     12  x?y\nlong      \n");
    buffer_done(&text);
}

static const char *nearest(const char *first, const char *second)
{
    char a[64], b[64];
    strncpy(a, first, sizeof(a) - 1);
    strncpy(b, second ? second : "", sizeof(b) - 1);
    a[63] = b[63] = '\0';
    char *words[] = {a, b};
    return command_nearest(words, second ? 2 : 1);
}

static void test_commands(void **state)
{
    (void)state;
    size_t words = 0;
    char event[] = "event", apply[] = "apply", rate[] = "rate", nothing[] = "nothing";
    assert_string_equal(command_find((char *[]){event, apply}, 2, &words)->name, "event apply");
    assert_int_equal(words, 2);
    assert_string_equal(command_find((char *[]){rate, nothing}, 2, &words)->name, "rate");
    assert_int_equal(words, 1);
    assert_null(command_find((char *[]){event}, 1, &words));
    assert_null(command_find((char *[]){nothing}, 1, &words));
    assert_string_equal(nearest("sttus", NULL), "status");
    assert_string_equal(nearest("rat", NULL), "rate");
    assert_string_equal(nearest("event", "aply"), "event apply");
    assert_string_equal(nearest("evnt", "list"), "event list");
    assert_string_equal(nearest("keys", "rotat"), "keys rotate");
    assert_string_equal(nearest("key", NULL), "keys list");
    assert_null(nearest("frobnicate", NULL));
    assert_null(nearest("frobnicate", "everything"));
    // Every command says what it does and shows an example of itself.
    for (const struct command *command = command_table; command->name; command++) {
        struct buffer text = BUFFER_INIT;
        command_help_one(command, &text);
        assert_false(text.failed);
        char example[64] = "  onsale ";
        strncat(example, command->name, sizeof(example) - strlen(example) - 1);
        assert_non_null(strstr(text.data, example));
        assert_true(command->run && *command->summary && command->arguments_max >= command->arguments_min);
        buffer_done(&text);
    }
}

static void assert_csv(const char *field, const char *written)
{
    struct buffer text = BUFFER_INIT;
    csv_write((const char *const[]){"a", field, NULL}, 3, &text);
    char want[200];
    snprintf(want, sizeof(want), "a,%s,\r\n", written);
    assert_string_equal(text.data, want);
    buffer_done(&text);
}

static void test_csv(void **state)
{
    (void)state;
    assert_csv("", "");
    assert_csv("plain", "plain");
    assert_csv("a b", "a b");
    assert_csv("a,b", "\"a,b\"");
    assert_csv("say \"x\"", "\"say \"\"x\"\"\"");
    assert_csv("two\r\nlines", "\"two\r\nlines\"");
    assert_csv("1-2=3", "1-2=3");
    assert_csv("=1+1", "\"'=1+1\"");
    assert_csv("+49", "\"'+49\"");
    assert_csv("-1", "\"'-1\"");
    assert_csv("@SUM(A1)", "\"'@SUM(A1)\"");
    assert_csv("\t=1", "\"'\t=1\"");
}

static void test_references(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "K7QM", "K7QM-4WD", "K7QM-4WDPX", "K7QM-4WDU", "K7QM_4WDP", "K7QM-4WD\xc3"};
    char reference[REFERENCE_BYTES] = "";
    assert_int_equal(reference_parse("K7QM-4WDP", reference), 0);
    assert_string_equal(reference, "K7QM-4WDP");
    assert_int_equal(reference_parse(" kolm 4i-dp ", reference), 0);
    assert_string_equal(reference, "K01M-41DP");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(reference_parse(bad[i], reference), ERROR_INVALID);
        assert_string_equal(reference, "K01M-41DP");
    }
}

static void test_customers(void **state)
{
    (void)state;
    // printf %s ada@example.org | sha256sum
    static const uint8_t ada[CUSTOMER_BYTES] = {0xcf, 0xe0, 0x0d, 0xde, 0x46, 0xef, 0x94, 0x26,
                                                0x01, 0xff, 0xaf, 0xb9, 0xe2, 0x82, 0x5e, 0x80};
    static const char *const same[] = {"ada@example.org", "ADA@Example.Org", " ada@example.org\r\n",
                                       "\tAda@example.org"};
    uint8_t customer[CUSTOMER_BYTES], other[CUSTOMER_BYTES];
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        customer_of_email(same[i], customer);
        assert_memory_equal(customer, ada, CUSTOMER_BYTES);
    }
    customer_of_email("ada @example.org", other);
    assert_memory_not_equal(other, ada, CUSTOMER_BYTES);
    // Only ASCII letters are folded.
    customer_of_email("\xc3\x84@example.org", customer);
    customer_of_email("\xc3\xa4@example.org", other);
    assert_memory_not_equal(other, customer, CUSTOMER_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sql_text),  cmocka_unit_test(test_csv),        cmocka_unit_test(test_references),
        cmocka_unit_test(test_customers), cmocka_unit_test(test_migrations), cmocka_unit_test(test_grants),
        cmocka_unit_test(test_currency),  cmocka_unit_test(test_table),      cmocka_unit_test(test_commands),
    };
    return cmocka_run_group_tests_name("admin_text", tests, NULL, NULL);
}
