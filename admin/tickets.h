// SPDX-License-Identifier: Apache-2.0
// Tickets and seats as the database has them, for documents and for people.
#ifndef ADMIN_TICKETS_H
#define ADMIN_TICKETS_H

#include <jansson.h>
#include <stdint.h>

#include "common/buffer.h"

// The tickets of a choice, read from an order's choices: as the object, a new reference (NULL: none), and for people ("2 full, 1 child").
json_t *tickets_of(const char *choices, uint64_t choice);
char *tickets_json(const char *choices, uint64_t choice); // the same object as JSON, to be freed. NULL: none
void tickets_text(const json_t *tickets, struct buffer *text);
// Seats as the database has them: as an array, a new reference (JSON null: none), and for people ("A-3, A-4").
json_t *tickets_seats(const char *seats);
void tickets_seats_text(const char *seats, struct buffer *text);

#endif
