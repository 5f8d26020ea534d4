// SPDX-License-Identifier: Apache-2.0
// Names of seats, and the seats of a row.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/seat.h"

static void assert_seats(const char *text, const char *written, size_t count)
{
    uint16_t numbers[SEAT_ROW_MAX];
    size_t got = 0;
    char problem[120] = "";
    assert_int_equal(seat_range_read(text, numbers, &got, problem, sizeof(problem)), 0);
    assert_int_equal(got, count);
    struct buffer back = BUFFER_INIT;
    seat_range_write(numbers, got, &back);
    assert_string_equal(back.data, written);
    buffer_done(&back);
}

static void assert_no_seats(const char *text, const char *words)
{
    uint16_t numbers[SEAT_ROW_MAX];
    size_t got = 77;
    char problem[120] = "";
    assert_int_equal(seat_range_read(text, numbers, &got, problem, sizeof(problem)), ERROR_INVALID);
    assert_int_equal(got, 77);
    if (!strstr(problem, words))
        print_error("%s: %s\n", text, problem);
    assert_non_null(strstr(problem, words));
}

static void test_seat_ranges(void **state)
{
    (void)state;
    assert_seats("1", "1", 1);
    assert_seats("1-14,17-30", "1-14,17-30", 28);
    assert_seats("3,1,2", "1-3", 3);
    assert_seats("5-5", "5", 1);
    assert_seats("9999", "9999", 1);
    assert_seats("1-1000", "1-1000", 1000);
    assert_no_seats("", "not like");
    assert_no_seats("0", "not like");
    assert_no_seats("01", "not like");
    assert_no_seats("1,", "not like");
    assert_no_seats(",1", "not like");
    assert_no_seats("1-", "not like");
    assert_no_seats("-1", "not like");
    assert_no_seats("1 - 2", "not like");
    assert_no_seats("1-2-3", "not like");
    assert_no_seats("10000", "not like");
    assert_no_seats("99999999999999999999", "not like");
    assert_no_seats("14-1", "backwards");
    assert_no_seats("1-5,3", "seat 3");
    assert_no_seats("1-1001", "at most 1000");
    assert_no_seats("1-600,1001-1401", "at most 1000");
}

static void assert_name(const char *name, const char *row, unsigned number)
{
    char got_row[SEAT_ROW_NAME_BYTES], again[SEAT_NAME_BYTES];
    uint16_t got = 0;
    if (seat_name_read(name, strlen(name), got_row, &got))
        fail_msg("not read: %s", name);
    assert_string_equal(got_row, row);
    assert_int_equal(got, number);
    seat_name_write(got_row, got, again);
    assert_string_equal(again, name);
}

static void assert_no_name(const char *name, size_t bytes)
{
    char row[SEAT_ROW_NAME_BYTES] = "untouched";
    uint16_t number = 77;
    if (seat_name_read(name, bytes, row, &number) != ERROR_INVALID)
        fail_msg("was read: %.*s", (int)bytes, name);
    assert_string_equal(row, "untouched");
    assert_int_equal(number, 77);
}

static void names_are_split_at_the_last_dash(void **state)
{
    (void)state;
    assert_name("A-12", "A", 12);
    assert_name("A-1", "A", 1);
    assert_name("A-9999", "A", 9999);
    assert_name("Box 3 - left-7", "Box 3 - left", 7);
    assert_name("A--1", "A-", 1);
    assert_name("--1", "-", 1);
    assert_name("1-2", "1", 2);
    assert_name("sixteen letters!-30", "sixteen letters!", 30);
    // What follows is not looked at.
    char row[SEAT_ROW_NAME_BYTES];
    uint16_t number;
    assert_int_equal(seat_name_read("A-123", 4, row, &number), 0);
    assert_int_equal(number, 12);
}

static void what_is_no_name_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"",     "A",    "A-",   "-1",      "-",    "12",
                                        "A12",  "A-0",  "A-01", "A-10000", "A-1x", "A-x",
                                        "A- 1", "A-1 ", "A-+1", "A-1.5",   "A-١",  "seventeen letters-1"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_no_name(names[i], strlen(names[i]));
    assert_no_name("A-12", 2);
    assert_no_name("A-1\0", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seat_ranges),
        cmocka_unit_test(names_are_split_at_the_last_dash),
        cmocka_unit_test(what_is_no_name_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
