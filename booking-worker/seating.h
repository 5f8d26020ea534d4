// SPDX-License-Identifier: Apache-2.0
// The hall of one seated tier, and which seats a party gets: pure. Rows stand from best to worst as the event file lists them, the
// best seats of a row are those in its middle. Two seats are neighbours when their numbers differ by one, so a gap in the
// numbers is an aisle. A run is a sequence of free neighbours of one row.
//
// The rules, each a function, tried one after the other over the whole hall, so that a later one is only used where no
// earlier one finds anything:
//   1. together: one run, and no single ordinary seat is left stranded beside it;
//   2. together, stranding: one run, though a single seat is left;
//   3. two rows: two runs in neighbouring rows, as near to each other as can be, nobody alone where that is possible;
//   4. few groups: as few runs as possible, in rows near to each other;
//   5. scattered: any free seats.
// Within a rule the best row wins, and within a row what is nearest to its middle. Whoever needs wheelchair places or companions'
// seats gets just so many of them, next to each other and to the rest of the party where the hall allows it; nobody else gets
// one, and nobody at all gets a blocked one.
#ifndef BOOKING_WORKER_SEATING_H
#define BOOKING_WORKER_SEATING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/seat.h"

struct seating; // belongs to one thread

struct seating_seat {
    const char *row; // its name; copied
    uint32_t row_position; // rows stand in this order; equal for the seats of one row
    uint16_t number;
    enum seat_kind kind;
};

#define SEATING_NO_SEAT UINT32_MAX

// A hall with all seats free. `seats` come by row_position and, within a row, by number. ERROR_MEMORY; ERROR_INVALID when they do not come
// in that order.
int seating_new(const struct seating_seat *seats, size_t count, struct seating **ret) MUST_USE;
void seating_free(struct seating *seating); // accepts NULL

// Seats are numbered 0 … seating_count() - 1 in the order in which they came.
size_t seating_count(const struct seating *seating);
uint32_t seating_find(const struct seating *seating, const char *row, uint16_t number); // SEATING_NO_SEAT: there is none
const char *seating_row(const struct seating *seating, uint32_t seat);
uint16_t seating_number(const struct seating *seating, uint32_t seat);
enum seat_kind seating_kind(const struct seating *seating, uint32_t seat);
bool seating_is_free(const struct seating *seating, uint32_t seat); // a blocked one never is

// Constant time and logarithmic at most; taking what is taken, and giving back what is free, does nothing and returns false.
bool seating_take(struct seating *seating, uint32_t seat);
bool seating_give_back(struct seating *seating, uint32_t seat);
void seating_clear(struct seating *seating); // all free again

struct seating_party {
    uint32_t count; // 1 … SEATS_IN_ORDER_MAX, with those in wheelchairs and their companions
    uint32_t wheelchair, companion;
};

enum seating_rule {
    SEATING_NOTHING, // there are not as many free seats of each kind
    SEATING_TOGETHER,
    SEATING_STRANDING,
    SEATING_TWO_ROWS,
    SEATING_FEW_GROUPS,
    SEATING_SCATTERED,
};

// The best seats for a party, in the hall's order in ret[0 … party->count - 1]; takes nothing. Says which rule found them.
enum seating_rule seating_best(const struct seating *seating, const struct seating_party *party,
                               uint32_t ret[static SEATS_IN_ORDER_MAX]);

const char *seating_rule_name(enum seating_rule rule); // "two_rows", for logs and counters

#endif
