// SPDX-License-Identifier: Apache-2.0
// What one transaction of a booker changes: gathered in memory while it decides, written at its end with few statements, and told
// once it is committed. What is undone is forgotten, so that nothing of it is left behind.
#ifndef BOOKING_WORKER_CHANGES_H
#define BOOKING_WORKER_CHANGES_H

#include "booking-worker/store.h"
#include "common/outbox.h"

// Why a booking changes, for the log.
enum change_why {
    CHANGE_BOOKED, // an order was decided on
    CHANGE_SERVED, // standby
    CHANGE_LAPSED, // the hold ran out
    CHANGE_FREED, // its visitor or an operator ended it; the row stands as it is
};

struct changes;

#define CHANGES_ROWS_MAX 32

int changes_new(struct changes **ret) MUST_USE; // ERROR_MEMORY
void changes_free(struct changes *changes); // accepts NULL
void changes_clear(struct changes *changes);

// The customer's numbers in this transaction, which begin with `booked`. Good until the next call. NULL when out of memory.
struct allocate_customer *changes_customer(struct changes *changes, const uint8_t hash[static STORE_HASH_BYTES],
                                           uint32_t booked);

// Takes over rows that what is added borrows from, whatever comes of it. ERROR_LIMIT: there are CHANGES_ROWS_MAX already.
int changes_keep(struct changes *changes, struct db_rows *rows) MUST_USE;

// Takes over a booking as it is to stand, with its seats and gone; of CHANGE_FREED it is only what the visitor is told, if is_told is not set.
// ERROR_MEMORY: it was freed.
int changes_add(struct changes *changes, struct store_booking *booking, enum change_why why, bool is_told) MUST_USE;
// A seat of it that is given, or that comes back.
int changes_give_seat(struct changes *changes, const struct store_seat *seat) MUST_USE;
int changes_take_seat_back(struct changes *changes, const struct store_seat *seat) MUST_USE;

// Writes it all, with references for what has none, the tiers' numbers and the outcomes. Inside the transaction. Errors are db.h's.
int changes_write(struct changes *changes, struct db *db, struct outbox *outbox,
                  const struct store_event *event) MUST_USE;
// Says what was committed: log and metrics.
void changes_say(const struct changes *changes, const struct store_event *event);
// How many payments were begun.
size_t changes_begun_count(const struct changes *changes);
// Whether something else than the booking of an order becomes of the place.
bool changes_return_of(const struct changes *changes, uint64_t place);

#endif
