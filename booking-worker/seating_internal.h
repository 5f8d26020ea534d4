// SPDX-License-Identifier: Apache-2.0
// What the files of the seating share: the hall as it is kept, and its rules. Of each row it is remembered which runs it has, so that a
// row that cannot help is skipped without looking at its seats. Nobody else includes it.
#ifndef BOOKING_WORKER_SEATING_INTERNAL_H
#define BOOKING_WORKER_SEATING_INTERNAL_H

#include "booking-worker/seating.h"

struct seating_cell {
    uint16_t number;
    uint8_t kind; // enum seat_kind
    bool is_taken;
    uint32_t row;
};

struct seating_run {
    uint32_t first; // a seat
    uint32_t length;
};

#define SEATING_KINDS (SEAT_BLOCKED + 1)

struct seating_row {
    uint32_t first, count; // seats
    uint32_t middle; // the sum of the first and the last number: twice the number in the middle
    uint32_t free_count[SEATING_KINDS];
    // Of its runs, in the order of their numbers:
    uint32_t longest; // 0: there are none
    uint64_t lengths; // bit n - 1: there is one of just n seats; the last bit: of 64 seats or more
    uint32_t run_count;
    struct seating_run *runs;
    char name[SEAT_ROW_NAME_BYTES];
};

struct seating {
    size_t seat_count, row_count;
    struct seating_cell *seats;
    struct seating_row *rows;
    struct seating_row **rows_by_name;
    struct seating_run *runs; // room for the runs of all rows
    uint32_t free_count[SEATING_KINDS];
    uint32_t run_counts[SEATS_IN_ORDER_MAX + 1]; // by length; the last one: of that length and longer
};

// A rule: the seats it finds, in any order. False: it finds none.
typedef bool seating_rule_function(const struct seating *hall, const struct seating_party *party, uint32_t *ret);

// For parties without needs.
seating_rule_function seating_together, seating_stranding, seating_two_rows, seating_few_groups;
// For parties with needs.
seating_rule_function seating_needs_together, seating_needs_stranding, seating_needs_one_row, seating_needs_apart;

// Whether the row has room for `count` neighbours, and without stranding a seat. For 64 it may say so though there is not.
bool seating_row_holds(const struct seating_row *row, uint32_t count, bool may_strand);
// The first of `count` seats in a run, nearest to the row's middle. False: there are none.
bool seating_place_in_row(const struct seating *hall, const struct seating_row *row, uint32_t count, bool may_strand,
                          uint32_t *ret_first);

static inline bool seating_cell_is_free(const struct seating_cell *cell)
{
    return !cell->is_taken && cell->kind != SEAT_BLOCKED;
}

static inline uint32_t seating_distance(uint32_t one, uint32_t other)
{
    return one > other ? one - other : other - one;
}

// How far from the row's middle seats from `first` to `last` are, doubled.
static inline uint32_t seating_off_middle(const struct seating *hall, const struct seating_row *row, uint32_t first,
                                          uint32_t last)
{
    return seating_distance((uint32_t)hall->seats[first].number + hall->seats[last].number, row->middle);
}

#endif
