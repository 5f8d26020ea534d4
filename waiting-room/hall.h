// SPDX-License-Identifier: Apache-2.0
// The hall of one seated tier as visitors see it: which seats there are and who they are for. Immutable and counted, because a
// hall may have 200,000 seats and every snapshot of its event points to it. Which seats are taken is not in it. Pure.
#ifndef WAITING_ROOM_HALL_H
#define WAITING_ROOM_HALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/seat.h"

struct hall_seat {
    uint16_t number;
    uint8_t kind; // enum seat_kind
};

struct hall_row {
    char name[SEAT_ROW_NAME_BYTES];
    size_t seat_count;
    struct hall_seat *seats; // by number
};

struct hall {
    _Atomic unsigned references;
    uint64_t layout; // tiers.layout when it was read
    size_t row_count;
    size_t seat_count; // of all rows
    size_t wheelchair_count, companion_count; // of them, for who needs them
    struct hall_row *rows; // best first, as the event file has them
};

struct hall *
hall_new(size_t row_count); // zeroed rows, one reference; NULL when out of memory. Filled before it is shared
struct hall *hall_ref(struct hall *hall); // accepts NULL
void hall_unref(struct hall *hall); // frees it with the last reference; accepts NULL

// A row by its name, upper and lower case alike, as MySQL's key compares them. NULL: there is none.
const struct hall_row *hall_find_row(const struct hall *hall, const char *name);
const struct hall_seat *hall_find_seat(const struct hall_row *row,
                                       uint16_t number); // accepts NULL; NULL: there is none

#endif
