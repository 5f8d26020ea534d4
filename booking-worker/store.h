// SPDX-License-Identifier: Apache-2.0
// What the booking worker reads and writes in MySQL, as plain structures. Everything happens inside the caller's transaction, in
// the one order of locks: the event, its tiers by code, then customers, bookings and the outbox. Errors are db.h's.
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

#define STORE_HASH_BYTES 16 // of a customer
#define STORE_TIERS_MAX 1000

struct store_event {
    uint64_t id;
    char slug[SLUG_BYTES];
    char currency[4];
    struct allocate_event numbers; // its tiers belong to this structure
};

struct store_customer {
    uint8_t hash[STORE_HASH_BYTES];
    struct allocate_customer numbers;
};

// One order as it was released, and what becomes of it.
struct store_order {
    // Read.
    bool is_there;
    bool is_released;
    bool is_booked; // in a state that this worker does not leave
    bool is_retried; // there is a booking, which an operator brought back to `released`
    uint32_t revision; // of the booking, before it is booked: of the order, or of the booking that is retried
    uint8_t visitor[16], customer[STORE_HASH_BYTES];
    uint32_t customer_booked;
    char currency[4];
    const char *choices; // JSON, owned by the rows
    size_t choices_bytes;
    // Decided.
    struct allocate_verdict verdict;
    struct choice choice; // the one that is served; all zero: none
    char reference[REFERENCE_BYTES]; // "": none
};

// Holds the event's state still and locks its tiers. ERROR_NOT_FOUND: no such event. Freed with store_event_done().
int store_lock_event(struct db *db, uint64_t event_id, struct store_event *ret) MUST_USE;
void store_event_done(struct store_event *event); // accepts NULL and an empty one

// Reads the tasks' orders into `ret`, in the tasks' sequence. What the orders point to is in *ret_rows, which the caller frees.
int store_read_orders(struct db *db, uint64_t event_id, struct task *const *tasks, size_t count,
                      struct store_order *ret, struct db_rows **ret_rows) MUST_USE;

// A booking to be written: which order of which task.
struct store_booking {
    const struct task *task;
    const struct store_order *order;
};
// Writes new ones, and changes those that are retried. ERROR_DUPLICATE: a reference is taken, or somebody else was first.
int store_write_bookings(struct db *db, uint64_t event_id, const struct store_booking *bookings, size_t count) MUST_USE;
int store_write_tiers(struct db *db, const struct store_event *event) MUST_USE;
int store_write_customers(struct db *db, uint64_t event_id, const struct store_customer *customers,
                          size_t count) MUST_USE;
// Has admission publish these orders again, unless it was asked to since.
int store_give_back(struct db *db, uint64_t event_id, const struct store_booking *orders, size_t count) MUST_USE;

// Notes, in a transaction of its own, that a message is about to be tried; *ret is how often it was, this time included.
int store_note_attempt(struct db *db, const char *queue, const uint8_t digest[static DEAD_LETTER_DIGEST_BYTES],
                       uint32_t *ret) MUST_USE;
int store_forget_attempts(struct db *db, const uint8_t digest[static DEAD_LETTER_DIGEST_BYTES]) MUST_USE;

#endif
