// SPDX-License-Identifier: Apache-2.0
// The seats of a row as an event file writes them, "1-14,17-30": reading them with every mistake found, and writing a
// set of seats back in that shape. Pure.
#ifndef ADMIN_SEAT_RANGE_H
#define ADMIN_SEAT_RANGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/error.h"

#define SEAT_NUMBER_MAX 9999
#define SEAT_ROW_MAX 1000 // seats in one row

// Reads numbers and ranges, separated by commas, without blanks. Writes the numbers in rising order to `ret_numbers`
// and returns 0, or ERROR_INVALID with what is wrong in `problem`: not a number, 0 or above SEAT_NUMBER_MAX, a range
// that runs backwards, a seat that is there twice, more than SEAT_ROW_MAX seats.
int seat_range_read(const char *text, uint16_t ret_numbers[static SEAT_ROW_MAX], size_t *ret_count, char *problem,
                    size_t problem_bytes) MUST_USE;

// Appends rising numbers as "1-14,17-30".
void seat_range_write(const uint16_t *numbers, size_t count, struct buffer *text);

#endif
