// SPDX-License-Identifier: Apache-2.0
// See page_seats.h.
#include "waiting-room/page_seats.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/seat.h"

struct named {
    char row[SEAT_ROW_NAME_BYTES];
    uint16_t number;
};

static bool read_name(const json_t *names, size_t index, struct named *ret)
{
    const char *name = json_string_value(json_array_get(names, index));
    return name && seat_name_read(name, strlen(name), ret->row, &ret->number) == 0;
}

static bool is_earlier_row(const json_t *names, size_t index, const char *row)
{
    struct named other;
    for (size_t i = 0; i < index; i++)
        if (read_name(names, i, &other) && strcmp(other.row, row) == 0)
            return true;
    return false;
}

static int compare(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static size_t numbers_in(const json_t *names, const char *row, uint16_t numbers[static SEATS_IN_ORDER_MAX])
{
    struct named seat;
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(names) && count < SEATS_IN_ORDER_MAX; i++)
        if (read_name(names, i, &seat) && strcmp(seat.row, row) == 0)
            numbers[count++] = seat.number;
    qsort(numbers, count, sizeof *numbers, compare);
    return count;
}

// Where the run that begins at `first` ends; two side by side are named one by one.
static size_t end_of_run(const uint16_t *numbers, size_t first, size_t count)
{
    size_t end = first + 1;
    while (end < count && numbers[end] == numbers[end - 1] + 1)
        end++;
    return end - first >= 3 ? end : first + 1;
}

static void add_numbers(const uint16_t *numbers, size_t count, struct buffer *text)
{
    for (size_t i = 0, end; i < count; i = end) {
        end = end_of_run(numbers, i, count);
        if (i > 0)
            buffer_text(text, end == count ? " and " : ", ");
        buffer_number(text, numbers[i]);
        if (end - i > 1) {
            buffer_text(text, " to ");
            buffer_number(text, numbers[end - 1]);
        }
    }
}

void page_seats_text(const json_t *names, struct buffer *text)
{
    struct named seat;
    bool any = false;
    for (size_t i = 0; i < json_array_size(names) && i < SEATS_IN_ORDER_MAX; i++) {
        uint16_t numbers[SEATS_IN_ORDER_MAX];
        if (!read_name(names, i, &seat) || is_earlier_row(names, i, seat.row))
            continue;
        size_t count = numbers_in(names, seat.row, numbers);
        buffer_text(text, any ? "; row " : "Row ");
        buffer_text(text, seat.row);
        buffer_text(text, count == 1 ? ", seat " : ", seats ");
        add_numbers(numbers, count, text);
        any = true;
    }
}

void page_seats_field(const json_t *names, struct buffer *text)
{
    for (size_t i = 0; i < json_array_size(names) && i < SEATS_IN_ORDER_MAX; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        buffer_text(text, i && name ? ", " : "");
        buffer_text(text, name ? name : "");
    }
}
