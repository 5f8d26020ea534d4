// SPDX-License-Identifier: Apache-2.0
// What the booking worker reads and writes in MySQL, as plain structures. Everything happens inside the caller's transaction, in
// the one order of locks: the event, its tiers by code, then freeings, bookings, customers, seats and the outbox. Errors are db.h's.
#ifndef BOOKING_WORKER_STORE_H
#define BOOKING_WORKER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "booking-worker/allocate.h"
#include "booking-worker/reference.h"
#include "booking-worker/task.h"
#include "common/db.h"
#include "common/dead_letter.h"
#include "common/error.h"
#include "common/seat.h"

#define STORE_HASH_BYTES 16 // of a customer
#define STORE_VISITOR_BYTES 16
#define STORE_TIERS_MAX 1000
#define STORE_SEATS_MAX 1000000 // of one tier

// ---------------------------------------------------------------- the event (store_event.c)

// What a hall that is remembered is compared with.
struct store_tier {
    uint64_t layout, taken_version;
};

struct store_event {
    uint64_t id;
    char slug[SLUG_BYTES];
    char currency[4];
    int64_t now_us; // by the event's clock: UTC minus the time for which it has been stopped
    int64_t hold_until_us; // when a hold that begins now runs out, by the same clock
    bool takes_cards; // set by who books: what is held is paid at once where its visitor has said what with
    struct allocate_event numbers; // its tiers belong to this structure
    struct store_tier *tiers; // beside numbers.tiers
};

// Holds the event's state still and locks its tiers. ERROR_NOT_FOUND: no such event. Freed with store_event_done().
int store_lock_event(struct db *db, uint64_t event_id, struct store_event *ret) MUST_USE;
void store_event_done(struct store_event *event); // accepts NULL and an empty one
// Only holds the event's state still: there are no tiers in it.
int store_hold_event(struct db *db, uint64_t event_id, struct store_event *ret) MUST_USE;
// Writes the numbers that changed, and raises taken_version where seats did.
int store_write_tiers(struct db *db, const struct store_event *event) MUST_USE;

// ---------------------------------------------------------------- orders (store_orders.c)

// One order as it was released.
struct store_order {
    bool is_there;
    bool is_released;
    bool is_booked; // in a state that this worker does not leave
    bool is_retried; // there is a booking, which an operator brought back to `released`
    uint32_t revision; // of the booking, before it is booked: of the order, or of the booking that is retried
    uint8_t visitor[STORE_VISITOR_BYTES], customer[STORE_HASH_BYTES];
    uint32_t customer_booked;
    char currency[4];
    const char *choices; // JSON, owned by the rows
    size_t choices_bytes;
};

// Reads the tasks' orders into `ret`, in the tasks' sequence. What the orders point to is in *ret_rows, which the caller frees.
int store_read_orders(struct db *db, uint64_t event_id, struct task *const *tasks, size_t count,
                      struct store_order *ret, struct db_rows **ret_rows) MUST_USE;
// Has admission publish the tasks' orders again, unless it was asked to since.
int store_give_back(struct db *db, uint64_t event_id, const struct task *const *tasks, size_t count) MUST_USE;

// ---------------------------------------------------------------- bookings (store_bookings.c)

// A booking as it is to stand.
struct store_booking {
    uint64_t place;
    uint32_t attempt;
    uint8_t visitor[STORE_VISITOR_BYTES], customer[STORE_HASH_BYTES];
    char currency[4];
    bool is_there; // a row that is changed; else a new one
    enum order_state was; // of a row that is there
    uint32_t revision;
    enum order_state state;
    enum order_reason reason;
    uint32_t choice;
    char tier[SLUG_BYTES]; // what was given; "": nothing
    uint32_t quantity;
    uint64_t amount;
    char standby_tier[SLUG_BYTES]; // of ORDER_STANDBY
    uint32_t standby_quantity;
    uint64_t standby_amount; // what that would cost; told, not written
    char reference[REFERENCE_BYTES]; // "": none
    char *seats, *gone; // JSON arrays of names; owned; NULL: none
    const char *step; // for order_log, constant; NULL: what it was before
    const char *tickets; // of the choice that was given, JSON, borrowed; NULL: none
    size_t tickets_bytes;
};

struct store_customer {
    uint8_t hash[STORE_HASH_BYTES];
    struct allocate_customer numbers;
};

// Writes new ones, and changes those that are there; the hold of what is held ends at the event's hold_until_us. ERROR_DUPLICATE: a
// reference is taken, or somebody else was first. ERROR_TRANSIENT also when a row is not in the state it was in.
int store_write_bookings(struct db *db, const struct store_event *event, const struct store_booking *bookings,
                         size_t count) MUST_USE;
// A line in order_log for each booking that was there before.
int store_log_bookings(struct db *db, uint64_t event_id, const struct store_booking *bookings, size_t count) MUST_USE;
int store_write_customers(struct db *db, uint64_t event_id, const struct store_customer *customers,
                          size_t count) MUST_USE;

// ---------------------------------------------------------------- what comes back, and who waits for it (store_returns.c)

struct store_key {
    uint64_t place;
    uint32_t attempt;
    enum order_state was; // of a freeing: what the booking had been
    bool is_told; // of a freeing: its visitor knows
};

// Locks what waits to be freed, in place order, at most `max`; what others are just writing is left for the next time. The caller frees *ret.
int store_lock_freeings(struct db *db, uint64_t event_id, size_t max, struct store_key **ret,
                        size_t *ret_count) MUST_USE;
int store_delete_freeings(struct db *db, uint64_t event_id, const struct store_key *keys, size_t count) MUST_USE;
// Of bookings b: those that end by themselves when their time is over. Where the bank still asks its question, the payment ends first, and the
// booking with it.
#define STORE_MAY_LAPSE                                                                                               \
    "(b.state IN ('held', 'declined') OR (b.state = 'action_required' AND NOT EXISTS (SELECT 1 FROM payments p WHERE" \
    " p.event_id = b.event_id AND p.place = b.place AND p.attempt = b.attempt AND p.open = 1)))"
// Locks bookings whose hold has run out by the event's clock, in place order, at most `max`. The caller frees *ret.
int store_lock_lapsed(struct db *db, const struct store_event *event, size_t max, struct store_key **ret,
                      size_t *ret_count) MUST_USE;
// Locks bookings in standby behind `after` that may be served or have to hear that it is over, in place order, at most `max`. *ret_last: the
// last place that was looked at; 0: there are no more behind it. The caller frees *ret.
int store_lock_standby(struct db *db, const struct store_event *event, uint64_t after, size_t max,
                       struct store_key **ret, size_t *ret_count, uint64_t *ret_last) MUST_USE;

// A booking as it stands, with what its order asked for. `seats` is borrowed from the rows.
struct store_standing {
    bool is_there;
    struct store_booking booking; // is_there true, `was` its state
    uint32_t customer_booked;
    const char *choices;
    size_t choices_bytes;
};
// Reads the keys' bookings, in the keys' sequence. What they point to is in *ret_rows, which the caller frees.
int store_read_bookings(struct db *db, uint64_t event_id, const struct store_key *keys, size_t count,
                        struct store_standing *ret, struct db_rows **ret_rows) MUST_USE;

// ---------------------------------------------------------------- seats (store_seats.c)

// A seat that a booking is given, or gives back.
struct store_seat {
    char tier[SLUG_BYTES];
    char row[SEAT_ROW_NAME_BYTES];
    uint16_t number;
    uint64_t place;
    uint32_t attempt;
};
// ERROR_DUPLICATE: somebody has one of them.
int store_give_seats(struct db *db, uint64_t event_id, const struct store_seat *seats, size_t count) MUST_USE;
// Seats that the booking does not have are left alone.
int store_take_seats_back(struct db *db, uint64_t event_id, const struct store_seat *seats, size_t count) MUST_USE;
// The hall of a tier, with all seats free; one statement. ERROR_PERMANENT also when the rows are no hall.
int store_read_seating(struct db *db, uint64_t event_id, const char *tier, struct seating **ret) MUST_USE;
// Takes those that somebody has; one statement.
int store_read_taken(struct db *db, uint64_t event_id, const char *tier, struct seating *seating) MUST_USE;

// ---------------------------------------------------------------- suspects (store_attempts.c)

// Notes, in a transaction of its own, that a message is about to be tried; *ret is how often it was, this time included.
int store_note_attempt(struct db *db, const char *queue, const uint8_t digest[static DEAD_LETTER_DIGEST_BYTES],
                       uint32_t *ret) MUST_USE;
int store_forget_attempts(struct db *db, const uint8_t digest[static DEAD_LETTER_DIGEST_BYTES]) MUST_USE;

#endif
