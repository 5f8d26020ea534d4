// SPDX-License-Identifier: Apache-2.0
// Seats and how they are called: one seat by its name, "A-12", and the seats of a row as an event file writes them, "1-14,17-30".
// Pure.
#ifndef COMMON_SEAT_H
#define COMMON_SEAT_H

#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/error.h"

#define SEAT_NUMBER_MAX 9999
#define SEAT_ROW_MAX 1000 // seats in one row
#define SEAT_ROW_NAME_BYTES 17 // of a row's name: 16 letters, digits, blanks, dots, dashes, and NUL
#define SEAT_NAME_BYTES (SEAT_ROW_NAME_BYTES + 5) // "ROW-SEAT" and NUL
#define SEATS_IN_ORDER_MAX 64 // in one order; standing places have no such bound

// Who a seat is for. Whoever has no such need is given ordinary ones only.
enum seat_kind {
    SEAT_ORDINARY,
    SEAT_WHEELCHAIR,
    SEAT_COMPANION, // of somebody in a wheelchair
    SEAT_BLOCKED, // nobody: it is not on sale
};

// Splits "A-12" at the last dash. ERROR_INVALID when there is no row (at most 16 bytes) or no number from 1 to SEAT_NUMBER_MAX without
// leading zeros. Whether there is such a seat is the hall's to say.
int seat_name_read(const char *name, size_t bytes, char ret_row[static SEAT_ROW_NAME_BYTES],
                   uint16_t *ret_number) MUST_USE;
void seat_name_write(const char *row, uint16_t number, char ret[static SEAT_NAME_BYTES]);

// Reads numbers and ranges, separated by commas, without blanks. Writes the numbers in rising order to `ret_numbers`
// and returns 0, or ERROR_INVALID with what is wrong in `problem`: not a number, 0 or above SEAT_NUMBER_MAX, a range
// that runs backwards, a seat that is there twice, more than SEAT_ROW_MAX seats.
int seat_range_read(const char *text, uint16_t ret_numbers[static SEAT_ROW_MAX], size_t *ret_count, char *problem,
                    size_t problem_bytes) MUST_USE;

// Appends rising numbers as "1-14,17-30".
void seat_range_write(const uint16_t *numbers, size_t count, struct buffer *text);

#endif
