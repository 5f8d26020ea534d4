// SPDX-License-Identifier: Apache-2.0
// The pure parts of the MySQL connection: error numbers by class, and points in time to dates and back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/db_internal.h"

static void classes(void **state)
{
    (void)state;
    static const struct {
        unsigned number;
        int class;
        bool is_lost;
    } cases[] = {
        {2006, ERROR_TRANSIENT, true},  {2013, ERROR_TRANSIENT, true},  {2055, ERROR_TRANSIENT, true},
        {1927, ERROR_TRANSIENT, true},  {4031, ERROR_TRANSIENT, true},  {1053, ERROR_TRANSIENT, true},
        {2002, ERROR_TRANSIENT, true},  {2003, ERROR_TRANSIENT, true},  {2005, ERROR_TRANSIENT, false},
        {1205, ERROR_TRANSIENT, false}, {1213, ERROR_TRANSIENT, false}, {1020, ERROR_TRANSIENT, false},
        {3572, ERROR_TRANSIENT, false}, {1290, ERROR_TRANSIENT, false}, {1836, ERROR_TRANSIENT, false},
        {1021, ERROR_TRANSIENT, false}, {1114, ERROR_TRANSIENT, false}, {1040, ERROR_TRANSIENT, false},
        {1317, ERROR_TRANSIENT, false}, {1615, ERROR_TRANSIENT, false}, {1062, ERROR_DUPLICATE, false},
        {1406, ERROR_INVALID, false},   {1264, ERROR_INVALID, false},   {4025, ERROR_INVALID, false},
        {3819, ERROR_INVALID, false},   {1153, ERROR_INVALID, true},    {1045, ERROR_PERMANENT, false},
        {1049, ERROR_PERMANENT, false}, {1064, ERROR_PERMANENT, false}, {1142, ERROR_PERMANENT, false},
        {1146, ERROR_PERMANENT, false}, {1054, ERROR_PERMANENT, false}, {2014, ERROR_BUG, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (db_classify(cases[i].number, "") != cases[i].class || db_is_lost(cases[i].number) != cases[i].is_lost)
            fail_msg("%u is %s", cases[i].number, error_str(db_classify(cases[i].number, "")));
    }
    assert_int_equal(db_classify(2026, "TLS/SSL error: connection reset"), ERROR_TRANSIENT);
    assert_int_equal(db_classify(2026, "TLS/SSL error: certificate verify failed"), ERROR_PERMANENT);
    assert_int_equal(db_classify(2026, "TLS/SSL error: SSL is required, but the server does not support it"),
                     ERROR_PERMANENT);
}

static void assert_date(int64_t utc_us, const char *expected)
{
    MYSQL_TIME time;
    int64_t parsed = -1;
    db_time_from_us(utc_us, &time);
    char text[CLOCK_TEXT_BYTES * 2];
    snprintf(text, sizeof(text), "%04u-%02u-%02uT%02u:%02u:%02u.%06luZ", time.year, time.month, time.day, time.hour,
             time.minute, time.second, time.second_part);
    assert_string_equal(text, expected);
    assert_true(db_time_to_us(&time) == utc_us);
    if (utc_us >= 0) {
        assert_int_equal(clock_parse(text, &parsed), 0); // somebody else's reckoning agrees
        assert_true(parsed == utc_us);
    }
}

static void dates(void **state)
{
    (void)state;
    assert_date(0, "1970-01-01T00:00:00.000000Z");
    assert_date(1, "1970-01-01T00:00:00.000001Z");
    assert_date(-1, "1969-12-31T23:59:59.999999Z");
    assert_date(INT64_C(951782400000000), "2000-02-29T00:00:00.000000Z");
    assert_date(INT64_C(951868799999999), "2000-02-29T23:59:59.999999Z");
    assert_date(INT64_C(951868800000000), "2000-03-01T00:00:00.000000Z");
    assert_date(INT64_C(1795464059123456), "2026-11-23T20:00:59.123456Z");
    assert_date(INT64_C(4107542400000000), "2100-03-01T00:00:00.000000Z");
    assert_date(INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z");
}

// Each day of two hundred years, against a calendar that only counts.
static void every_day(void **state)
{
    (void)state;
    static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t day_us = 0;
    for (unsigned year = 1970; year < 2170; year++) {
        bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        for (unsigned month = 1; month <= 12; month++) {
            unsigned length = lengths[month - 1] + (month == 2 && is_leap);
            for (unsigned day = 1; day <= length; day++, day_us += INT64_C(86400000000)) {
                MYSQL_TIME time;
                db_time_from_us(day_us, &time);
                assert_int_equal(time.year, year);
                assert_int_equal(time.month, month);
                assert_int_equal(time.day, day);
                assert_true(db_time_to_us(&time) == day_us);
            }
        }
    }
}

static void a_zero_date_is_zero(void **state)
{
    (void)state;
    MYSQL_TIME time;
    memset(&time, 0, sizeof(time));
    assert_int_equal(db_time_to_us(&time), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes),
        cmocka_unit_test(dates),
        cmocka_unit_test(every_day),
        cmocka_unit_test(a_zero_date_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
