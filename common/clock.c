// SPDX-License-Identifier: Apache-2.0
// Clocks and RFC 3339. The calendar is computed here: gmtime() and timegm() look at TZ and take a lock for it.
#include "common/clock.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define US_PER_SECOND INT64_C(1000000)
#define SECONDS_PER_DAY INT64_C(86400)

int64_t clock_monotonic_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail with a valid clock and address
    return (int64_t)now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

int64_t clock_utc_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

// Days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so that the leap day is the last
// day of a year, in eras of 400 years, which all have 146,097 days.
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    if (month <= 2)
        year--;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

// The other way round.
static void date_from_days(int64_t days, int64_t *ret_year, int64_t *ret_month, int64_t *ret_day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    *ret_day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    *ret_month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    *ret_year = year_of_era + era * 400 + (*ret_month <= 2 ? 1 : 0);
}

// Division that rounds down, for times before 1970.
static int64_t floor_divide(int64_t value, int64_t by)
{
    return value / by - (value % by < 0 ? 1 : 0);
}

static int64_t floor_remainder(int64_t value, int64_t by)
{
    return value % by + (value % by < 0 ? by : 0);
}

static void format_time(int64_t utc_us, const char fraction[static 8], char text[static CLOCK_TEXT_BYTES])
{
    int64_t seconds = floor_divide(utc_us, US_PER_SECOND);
    int64_t days = floor_divide(seconds, SECONDS_PER_DAY);
    int64_t second = seconds - days * SECONDS_PER_DAY;
    int64_t year = 0, month = 0, day = 0;
    date_from_days(days, &year, &month, &day);
    // The remainders change nothing; they show the compiler that each number has two digits.
    (void)snprintf(text, CLOCK_TEXT_BYTES, "%04" PRId64 "-%02u-%02uT%02u:%02u:%02u%sZ", year % 1000000,
                   (unsigned)month % 100, (unsigned)day % 100, (unsigned)(second / 3600) % 100,
                   (unsigned)(second / 60) % 60, (unsigned)second % 60, fraction);
}

const char *clock_format(int64_t utc_us, char text[static CLOCK_TEXT_BYTES])
{
    char fraction[8] = "";
    int64_t us = floor_remainder(utc_us, US_PER_SECOND);
    if (us >= 1000)
        (void)snprintf(fraction, sizeof fraction, ".%03u", (unsigned)(us / 1000) % 1000);
    format_time(utc_us, fraction, text);
    return text;
}

const char *clock_format_us(int64_t utc_us, char text[static CLOCK_TEXT_BYTES])
{
    char fraction[8];
    int64_t us = floor_remainder(utc_us, US_PER_SECOND);
    (void)snprintf(fraction, sizeof fraction, ".%06u", (unsigned)us % 1000000);
    format_time(utc_us, fraction, text);
    return text;
}

// Reads exactly `digits` decimal digits within min … max and moves on.
static bool read_number(const char **at, int digits, int64_t min, int64_t max, int64_t *ret)
{
    int64_t value = 0;
    for (int i = 0; i < digits; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    if (value < min || value > max)
        return false;
    *at += digits;
    *ret = value;
    return true;
}

static bool read_character(const char **at, char upper, char lower)
{
    if (**at != upper && **at != lower)
        return false;
    (*at)++;
    return true;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

// Reads "YYYY-MM-DDTHH:MM:SS" as seconds since 1970. T and Z may be lower case (RFC 3339, section 5.6).
static bool read_date_time(const char **at, int64_t *ret_seconds)
{
    int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    // 1969: New Year's Eve there may be 1970 in UTC.
    if (!read_number(at, 4, 1969, 9999, &year) || !read_character(at, '-', '-') || !read_number(at, 2, 1, 12, &month) ||
        !read_character(at, '-', '-') || !read_number(at, 2, 1, days_in_month(year, month), &day) ||
        !read_character(at, 'T', 't') || !read_number(at, 2, 0, 23, &hour) || !read_character(at, ':', ':') ||
        !read_number(at, 2, 0, 59, &minute) || !read_character(at, ':', ':') || !read_number(at, 2, 0, 59, &second))
        return false;
    *ret_seconds = days_from_date(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    return true;
}

// Reads "" or "." and one to nine decimals, of which those beyond the sixth are dropped.
static bool read_fraction(const char **at, int64_t *ret_us)
{
    *ret_us = 0;
    if (**at != '.')
        return true;
    (*at)++;
    int decimals = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++, decimals++)
        if (decimals < 6)
            *ret_us = *ret_us * 10 + (**at - '0');
    for (int i = decimals; i < 6; i++)
        *ret_us *= 10;
    return decimals >= 1 && decimals <= 9;
}

// Reads "Z", "+HH:MM" or "-HH:MM", up to the end of the text, as seconds east of UTC.
static bool read_offset(const char **at, int64_t *ret_seconds)
{
    *ret_seconds = 0;
    if (read_character(at, 'Z', 'z'))
        return **at == '\0';
    int64_t sign = **at == '-' ? -1 : 1, hours = 0, minutes = 0;
    if (!read_character(at, '+', '-') || !read_number(at, 2, 0, 23, &hours) || !read_character(at, ':', ':') ||
        !read_number(at, 2, 0, 59, &minutes))
        return false;
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return **at == '\0';
}

int clock_parse(const char *text, int64_t *ret_utc_us)
{
    int64_t seconds = 0, us = 0, offset = 0;
    if (!text || !read_date_time(&text, &seconds) || !read_fraction(&text, &us) || !read_offset(&text, &offset))
        return ERROR_INVALID;
    seconds -= offset;
    if (seconds < 0 || seconds >= days_from_date(10000, 1, 1) * SECONDS_PER_DAY)
        return ERROR_INVALID;
    *ret_utc_us = seconds * US_PER_SECOND + us;
    return 0;
}
