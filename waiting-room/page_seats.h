// SPDX-License-Identifier: Apache-2.0
// Seats in words. seats.js says the same. Pure.
#ifndef WAITING_ROOM_PAGE_SEATS_H
#define WAITING_ROOM_PAGE_SEATS_H

#include <jansson.h>

#include "common/buffer.h"

// Appends an array of names, ["A-12","A-13"], as "Row A, seats 12 and 13", rows in the order of the array and seats by number; three and more
// side by side as "12 to 14". What is no name of a seat is left out.
void page_seats_text(const json_t *names, struct buffer *text);

// Appends the names as they stand in the form's field: "A-12, A-13".
void page_seats_field(const json_t *names, struct buffer *text);

#endif
