// SPDX-License-Identifier: Apache-2.0
// An order, its booking and their payments while an operator's change of them has them locked: the locks in the order of order_change.h, and
// what every change writes. Inside the caller's transaction; errors are db.h's, ERROR_MEMORY and ERROR_BUG (a row that cannot be).
#ifndef ADMIN_ORDER_LOCKED_H
#define ADMIN_ORDER_LOCKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/order_change.h"
#include "common/buffer.h"
#include "common/db.h"
#include "common/error.h"
#include "common/order_state.h"
#include "common/outbox.h"
#include "common/outcome.h"

#define LOCKED_PAYMENTS_MAX 256 // of one booking: the number is a byte
#define LOCKED_DETAIL_BYTES 64 // of the log

// Begins as {.db, .change}, with event_id and change->place where they are known; `locks_tiers` is set before the rows are taken.
struct locked {
    struct db *db;
    uint64_t event_id;
    bool is_closed; // the event
    bool locks_tiers; // and the customer: by what takes or moves places
    uint8_t visitor[OUTCOME_VISITOR_BYTES];
    uint8_t customer[16];
    enum order_state order_state;
    bool has_booking;
    unsigned choice;
    char *tickets; // of the choice that was served; NULL: none
    char *seats; // JSON, as in the booking; NULL: none
    bool has_given; // the booking has, or had, a tier of its own: standby has not
    bool has_money; // a payment of the booking is authorised or captured
    bool has_open; // a payment of the booking may come to be authorised
    bool has_failed; // a payment of the booking could not be captured, and may still be authorised
    struct order_change *change;
};

void locked_done(struct locked *locked);

// ERROR_CONFLICT, with the reason in change->why: a clause for people.
int locked_refuse(struct locked *locked, const char *format, ...) PRINTF_LIKE(2, 3) MUST_USE;

// The newest attempt of the place, its customer and its booking, after the event and its tiers. What only ends a booking leaves
// the tiers and the customer alone. ERROR_NOT_FOUND: no event, or no order.
int locked_take_order(struct locked *locked) MUST_USE;
// The booking of a certain attempt, which need not be the newest, after the event. ERROR_NOT_FOUND: no event; ERROR_CONFLICT: no such booking.
int locked_take_attempt(struct locked *locked, uint32_t attempt) MUST_USE;
// All payments of the booking, after it.
int locked_take_payments(struct locked *locked) MUST_USE;

// Changes a row that must be there and have enough; ERROR_CONFLICT: counters do not agree, which is for the audit.
int locked_write_one(struct locked *locked, const char *sql, const struct db_value *values, size_t count) MUST_USE;
// The booking's new state, and the next revision.
int locked_write_booking(struct locked *locked, enum order_state state) MUST_USE;
int locked_write_log(struct locked *locked, const char *actor, const char *detail) MUST_USE;
void locked_add_outcome(const struct locked *locked,
                        struct buffer *text); // between outcomes_begin() and outcomes_end()
int locked_write_outcome(struct locked *locked, struct outbox *outbox) MUST_USE;

// A dead letter of the order.
struct letter {
    uint64_t id;
    uint32_t attempt;
    bool is_done; // there is nothing to do any more
    bool is_about_payment;
};
// Marks the letters of the order as retried, those about its booking or those about its payments: a redelivered message may have left more
// than one. That of a payment which is failed still stays open: nothing has been done about it.
int locked_mark_retried(struct locked *locked, bool about_payments, const char *actor, uint64_t *ret_count) MUST_USE;
// The same; ERROR_CONFLICT: there are none any more.
int locked_resolve_letters(struct locked *locked, bool about_payments, const char *actor) MUST_USE;

#endif
