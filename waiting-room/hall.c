// SPDX-License-Identifier: Apache-2.0
// See hall.h.
#include "waiting-room/hall.h"

#include <stdlib.h>
#include <strings.h>

struct hall *hall_new(size_t row_count)
{
    struct hall *hall = calloc(1, sizeof *hall);
    if (!hall)
        return NULL;
    hall->references = 1;
    hall->row_count = row_count;
    hall->rows = calloc(row_count + 1, sizeof *hall->rows);
    if (hall->rows)
        return hall;
    free(hall);
    return NULL;
}

struct hall *hall_ref(struct hall *hall)
{
    if (hall)
        hall->references++;
    return hall;
}

void hall_unref(struct hall *hall)
{
    if (!hall || --hall->references > 0)
        return;
    for (size_t i = 0; i < hall->row_count; i++)
        free(hall->rows[i].seats);
    free(hall->rows);
    free(hall);
}

const struct hall_row *hall_find_row(const struct hall *hall, const char *name)
{
    for (size_t i = 0; hall && i < hall->row_count; i++)
        if (strcasecmp(hall->rows[i].name, name) == 0)
            return &hall->rows[i];
    return NULL;
}

const struct hall_seat *hall_find_seat(const struct hall_row *row, uint16_t number)
{
    size_t low = 0, high = row ? row->seat_count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (row->seats[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return row && low < row->seat_count && row->seats[low].number == number ? &row->seats[low] : NULL;
}
