// SPDX-License-Identifier: Apache-2.0
// What the payer reads and writes of payments and of the bookings that they are for. Inside the caller's transaction, in the one order of
// locks: the event, its tiers, bookings, payments, then what is inserted. Errors are db.h's.
#ifndef BOOKING_WORKER_STORE_PAYMENTS_H
#define BOOKING_WORKER_STORE_PAYMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "booking-worker/payment_flow.h"
#include "booking-worker/store.h"
#include "common/db.h"
#include "common/error.h"

#define STORE_NO_TIME INT64_MIN

struct store_payment {
    bool is_there;
    uint64_t event_id, place;
    uint32_t attempt, number;
    uint64_t claim; // the last payer's that took it, and of its last answer
    uint32_t key_no;
    struct payment_facts facts;
    char slug[SLUG_BYTES], reference[REFERENCE_BYTES];
    int64_t late_seconds; // of what is due: since when
    int64_t hold_left_us; // by the event's clock; STORE_NO_TIME: it cannot run out, or not now
    char payment_method[PAYMENT_METHOD_BYTES], customer_id[PROVIDER_ID_BYTES]; // customer_id "": none
    char idempotency_key[PAYMENT_KEY_BYTES];
    char intent[PROVIDER_ID_BYTES]; // "": not known
    char provider_code[PROVIDER_CODE_BYTES]; // the last that was told; "": none yet
};

// How a payment is to stand.
struct store_payment_change {
    uint64_t place;
    uint32_t attempt, number;
    uint64_t claim; // only where it is still this payer's
    enum payment_state state;
    enum payment_aim aim;
    uint32_t tries, key_no;
    int64_t wait_seconds; // until it is due again; -1: never
    bool is_claimed; // this payer goes on with it: wait_seconds is its lease
    bool is_dead;
    bool forgets_intent;
    bool is_authorised, is_captured, is_returned; // the provider has said so now
    enum order_reason reason;
    const char *intent, *refund, *provider_code; // NULL: as it is
};

// Locks payments that are due, of all events, and that nobody else is just taking, at most `max`, the longest due first. The caller frees *ret.
int store_lock_due_payments(struct db *db, size_t max, struct store_payment **ret, size_t *ret_count) MUST_USE;
// Writes what the steps say. Those with a call get another claim (which is in `payments` then too) and are due again after `lease_seconds`.
int store_claim_payments(struct db *db, struct store_payment *payments, const struct payment_step *steps, size_t count,
                         int64_t lease_seconds) MUST_USE;
// Has them looked at by others at once, as far as they are still this payer's.
int store_release_payments(struct db *db, const struct store_payment *payments, size_t count) MUST_USE;
// Makes due what waits because it had no definite answer, at most `max`, in a transaction of its own.
int store_hasten_payments(struct db *db, size_t max, size_t *ret_count) MUST_USE;

// A booking that is paid for, as it stands.
struct store_paid {
    struct store_standing standing;
    int64_t pay_until_us; // by the event's clock; STORE_NO_TIME: none
    bool had_more_time, is_refund_pending, is_refund_done;
    bool has_other_under_way; // another payment of it is open, or on its way back
    bool has_other_to_return; // the same, but for what only its bank still has to do
};
// Locks the bookings of the keys, then their payments. ret_paid and ret_payments are in the keys' sequence; is_there false: there is no such
// row. What they point to is in *ret_rows, which the caller frees; standing.booking.seats is the caller's.
int store_lock_paid(struct db *db, const struct store_event *event, const struct store_payment *keys, size_t count,
                    struct store_paid *ret_paid, struct store_payment *ret_payments,
                    struct db_rows **ret_rows) MUST_USE;
// Raises their claims by one, too: an answer counts once, even if nobody knows whether it has been committed.
int store_write_payments(struct db *db, uint64_t event_id, const struct store_payment_change *changes,
                         size_t count) MUST_USE;

struct store_paid_change {
    const struct store_booking *booking; // `was`, and what it is to be
    const char *action_url; // of ORDER_ACTION_REQUIRED
    const char *refund; // "done", "failed"; NULL: as it is
    bool is_freed; // its places may go back: a row in freeings
};
// ERROR_BUG also when a row is not in the state it was in: they are locked.
int store_write_paid(struct db *db, const struct store_event *event, const struct store_paid_change *changes,
                     size_t count) MUST_USE;
// The places of a booking that ended before, where they wait for its payment, may go back.
int store_open_freeing(struct db *db, uint64_t event_id, uint64_t place, uint32_t attempt) MUST_USE;

#endif
