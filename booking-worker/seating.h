// SPDX-License-Identifier: Apache-2.0
// The hall of one seated tier, and which seats a party gets: pure. Rows stand from best to worst as the event file lists them, the
// best seats of a row are those in its middle: half-way between its first and its last number. Two seats are neighbours when their
// numbers differ by one, so a gap in the numbers is an aisle. A run is a sequence of neighbours in one row that are all free and
// ordinary, as long as it can be. A seat is stranded when its run is shortened to that single seat.
//
// The rules, each a function, tried one after the other over the whole hall, so that a later one is only used where no
// earlier one finds anything:
//   1. together: neighbours, and no seat is left stranded beside them;
//   2. stranding: neighbours, though a seat is stranded;
//   3. two rows: a group each in two neighbouring rows. Pairs of rows where nobody sits alone come first, then those where no
//      seat is stranded, then the better rows. Within the pair: as few columns apart as can be (none when they overlap),
//      then groups as even as can be, then nearest to the middle, both distances added up;
//   4. few groups: as few runs as possible, then the rows as near to each other as can be, then the best rows. The longest runs are
//      filled, and who is left over gets part of the shortest run that is long enough; but nobody sits alone if these runs
//      allow it. This rule always finds seats when there are enough.
// Unless a rule says otherwise the best row wins, and within a row what is nearest to its middle; then the lower number.
//
// Whoever needs wheelchair places or companions' seats gets just so many of them; nobody else gets one, and nobody at all gets a blocked
// seat. For such a party neighbours may be of any kind, and after the first two rules come:
//   3. one row: all in one row, as few columns from the first to the last as possible, and only then the best row;
//   4. apart: the wheelchairs and companions by the rules so far, else in as few rows next to each other as possible; the others by
//      the ordinary rules, but together in the nearest row where there is one.
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
// in that order, when a row has no name, one that is too long or another row's, or more than SEAT_ROW_MAX seats.
int seating_new(const struct seating_seat *seats, size_t count, struct seating **ret) MUST_USE;
void seating_free(struct seating *seating); // accepts NULL

// Seats are numbered 0 … seating_count() - 1 in the order in which they came.
size_t seating_count(const struct seating *seating);
// A seat by its name, upper and lower case alike, as MySQL's key compares rows. SEATING_NO_SEAT: there is none.
uint32_t seating_find(const struct seating *seating, const char *row, uint16_t number);
const char *seating_row(const struct seating *seating, uint32_t seat);
uint16_t seating_number(const struct seating *seating, uint32_t seat);
enum seat_kind seating_kind(const struct seating *seating, uint32_t seat);
bool seating_is_free(const struct seating *seating, uint32_t seat); // a blocked one never is

// What is remembered of the seat's row is worked out anew, of no other. Taking what is taken, and giving back what is not, does nothing and
// returns false. A blocked seat can be taken, too: it may have been sold before it was blocked.
bool seating_take(struct seating *seating, uint32_t seat);
bool seating_give_back(struct seating *seating, uint32_t seat);
void seating_clear(struct seating *seating); // nothing taken

struct seating_party {
    uint32_t count; // 1 … SEATS_IN_ORDER_MAX, with those in wheelchairs and their companions
    uint32_t wheelchair, companion;
};

enum seating_rule {
    SEATING_NOTHING, // there are not as many free seats of each kind, or there is no such party
    SEATING_TOGETHER,
    SEATING_STRANDING,
    SEATING_TWO_ROWS,
    SEATING_FEW_GROUPS,
    SEATING_ONE_ROW, // with needs only, and so is
    SEATING_APART,
};

// The best seats for a party, in the hall's order in ret[0 … party->count - 1]; takes nothing. Says which rule found them.
enum seating_rule seating_best(const struct seating *seating, const struct seating_party *party,
                               uint32_t ret[static SEATS_IN_ORDER_MAX]);

const char *seating_rule_name(enum seating_rule rule); // "two_rows", for logs and counters

#endif
