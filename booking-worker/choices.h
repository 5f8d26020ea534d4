// SPDX-License-Identifier: Apache-2.0
// What an order asks for, as it stands in orders.choices: a JSON array, best first, of
// {"tier":"floor","tickets":{"full":2},"quantity":2,"amount":9000}, and beside these, where they apply, "seats":["A-12","A-13"] (as
// many as the quantity, each once) and "wheelchair":1, "companion":1 (together not more than the quantity). Read without a JSON
// library: there is one for every booking, and the form is ours. Whatever is not exactly of that form is not booked as if it were.
#ifndef BOOKING_WORKER_CHOICES_H
#define BOOKING_WORKER_CHOICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/seat.h"
#include "common/slug.h"

#define CHOICES_MAX 4 // the first one and three alternatives
#define CHOICES_QUANTITY_MAX 1000000 // tickets in one choice
#define CHOICES_CODES_MAX 32 // prices named in one choice
#define CHOICES_TICKETS_BYTES_MAX 2047 // of one choice's tickets as JSON; what an outcome can carry

struct choice {
    char tier[SLUG_BYTES];
    uint32_t quantity; // 1 …; the sum of the tickets
    uint64_t amount; // fixed when it was ordered
    const char *tickets; // the JSON object {CODE: n, …}, borrowed from the text that was read
    size_t tickets_bytes;
    const char *seats; // the JSON array of the seats asked for by name, borrowed; NULL: any
    size_t seats_bytes;
    uint32_t wheelchair, companion; // of the quantity
};

struct choices {
    size_t count; // 1 … CHOICES_MAX
    struct choice items[CHOICES_MAX];
};

// Reads `text`, which must live as long as *ret is used. ERROR_INVALID with the reason in `problem` (may be NULL).
int choices_read(const char *text, size_t bytes, struct choices *ret, char *problem, size_t problem_bytes) MUST_USE;

// The seats asked for by name, one after the other, of a choice that choices_read() read; *at begins with 0. False: there are no more.
bool choice_next_seat(const struct choice *choice, size_t *at, char ret_row[static SEAT_ROW_NAME_BYTES],
                      uint16_t *ret_number);

#endif
