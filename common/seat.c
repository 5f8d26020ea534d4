// SPDX-License-Identifier: Apache-2.0
// Names of seats, and the seats of a row. A bit for each number finds what overlaps, in whatever order the ranges
// stand.
#include "common/seat.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// Reads a decimal number without sign or leading zero. Returns where it ends, or NULL.
static const char *read_number(const char *text, unsigned *ret)
{
    if (*text < '1' || *text > '9')
        return NULL;
    unsigned number = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        number = number * 10 + (unsigned)(*text - '0');
        if (number > SEAT_NUMBER_MAX)
            return NULL;
    }
    *ret = number;
    return text;
}

int seat_name_read(const char *name, size_t bytes, char ret_row[static SEAT_ROW_NAME_BYTES], uint16_t *ret_number)
{
    size_t dash = bytes;
    while (dash > 0 && name[dash - 1] != '-')
        dash--;
    size_t digits = bytes - dash;
    if (dash < 2 || dash > SEAT_ROW_NAME_BYTES || digits == 0 || digits > 4 || name[dash] == '0')
        return ERROR_INVALID;
    unsigned number = 0;
    for (size_t i = dash; i < bytes; i++) {
        if (name[i] < '0' || name[i] > '9')
            return ERROR_INVALID;
        number = number * 10 + (unsigned)(name[i] - '0');
    }
    memcpy(ret_row, name, dash - 1);
    ret_row[dash - 1] = '\0';
    *ret_number = (uint16_t)number;
    return 0;
}

void seat_name_write(const char *row, uint16_t number, char ret[static SEAT_NAME_BYTES])
{
    snprintf(ret, SEAT_NAME_BYTES, "%.16s-%u", row, number % 10000u); // so that gcc knows it fits
}

// Reads "7" or "1-14". Returns where it ends, or NULL with the reason in `problem`.
static const char *read_part(const char *text, unsigned *ret_first, unsigned *ret_last, char *problem,
                             size_t problem_bytes)
{
    const char *at = read_number(text, ret_first);
    if (at) {
        *ret_last = *ret_first;
        if (*at == '-')
            at = read_number(at + 1, ret_last);
    }
    if (!at || (*at != '\0' && *at != ',')) {
        snprintf(problem, problem_bytes, "'%.40s' is not like \"1-14,17-30\" with numbers from 1 to %d", text,
                 SEAT_NUMBER_MAX);
        return NULL;
    }
    if (*ret_last < *ret_first) {
        snprintf(problem, problem_bytes, "the range %u-%u runs backwards", *ret_first, *ret_last);
        return NULL;
    }
    return at;
}

int seat_range_read(const char *text, uint16_t ret_numbers[static SEAT_ROW_MAX], size_t *ret_count, char *problem,
                    size_t problem_bytes)
{
    bool taken[SEAT_NUMBER_MAX + 1] = {false};
    size_t count = 0;
    for (;;) {
        unsigned first, last;
        text = read_part(text, &first, &last, problem, problem_bytes);
        if (!text)
            return ERROR_INVALID;
        for (unsigned number = first; number <= last; number++) {
            if (taken[number]) {
                snprintf(problem, problem_bytes, "seat %u is there twice: the ranges overlap", number);
                return ERROR_INVALID;
            }
            taken[number] = true;
            if (++count > SEAT_ROW_MAX) {
                snprintf(problem, problem_bytes, "a row has at most %d seats", SEAT_ROW_MAX);
                return ERROR_INVALID;
            }
        }
        if (*text == '\0')
            break;
        text++; // the comma
    }
    size_t filled = 0;
    for (unsigned number = 1; number <= SEAT_NUMBER_MAX; number++) {
        if (taken[number])
            ret_numbers[filled++] = (uint16_t)number;
    }
    *ret_count = filled;
    return 0;
}

void seat_range_write(const uint16_t *numbers, size_t count, struct buffer *text)
{
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && numbers[end] == numbers[end - 1] + 1)
            end++;
        buffer_format(text, "%s%u", i ? "," : "", (unsigned)numbers[i]);
        if (end - i > 1)
            buffer_format(text, "-%u", (unsigned)numbers[end - 1]);
        i = end;
    }
}
