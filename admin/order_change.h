// SPDX-License-Identifier: Apache-2.0
// What an operator does to a booking after the fact: cancels it, or sends one that failed to be booked again. Each is one
// transaction that takes the locks in the order that all programs keep (event, tiers, arrival, order, customer, booking, payments; a
// cancellation needs no tiers and no customer, for a booking worker frees the places), goes through the table of states, counts the revision
// up, logs who did it and writes the outcome to the outbox. Money that was taken for what is cancelled is only asked back here: the payer
// of a booking worker returns it, and says so in bookings.refund.
#ifndef ADMIN_ORDER_CHANGE_H
#define ADMIN_ORDER_CHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/db.h"
#include "common/error.h"
#include "common/order_state.h"
#include "common/outbox.h"
#include "common/outcome.h"
#include "common/payment.h"
#include "common/slug.h"

#define ORDER_CHANGE_MANY_MAX OUTCOMES_MAX

struct order_change {
    char slug[SLUG_BYTES];
    uint64_t place;
    uint32_t attempt, revision;
    enum order_state before, after; // equal: there was nothing to do
    char reference[OUTCOME_REFERENCE_BYTES]; // "": none
    char tier[SLUG_BYTES]; // what was given, or what was stood by for; "": nothing
    uint32_t quantity; // of it
    uint64_t amount;
    char currency[4];
    const char *refund; // of a cancelled booking: "pending", "done", "failed", or NULL: nothing is to be given back
    bool asks_payer; // a payment is due now: ring for the payer
    uint32_t payment; // the newest payment that is taken up again; 0: none
    enum payment_state payment_state; // as what
    char why[200]; // of ERROR_CONFLICT: a clause for people
};

// Cancels the newest booking of a place, and leaves its places to a booking worker to be freed, and its money to the payer. `attempt` is the one
// that is meant, and another than the newest is refused; 0: whichever is the newest. ERROR_NOT_FOUND: no such event, or nobody at that place
// ordered; ERROR_CONFLICT: ret->why; else db.h's. What is to be told is committed in the outbox.
int order_change_cancel(struct db *db, struct outbox *outbox, const char *slug, uint64_t place, uint32_t attempt,
                        const char *actor, struct order_change *ret) MUST_USE;

// Cancels the newest bookings of `count` places (at most ORDER_CHANGE_MANY_MAX, in ascending order) in one transaction, as
// order_change_cancel() does each, where their event is closed. `ret` has room for as many; of those that cannot be cancelled (any more),
// before and after are the same. ERROR_CONFLICT: ret[0].why, and nothing is cancelled.
int order_change_cancel_many(struct db *db, struct outbox *outbox, const char *slug, const uint64_t *places,
                             size_t count, const char *actor, struct order_change *ret) MUST_USE;

// Sends the failed order of a dead letter to be booked again: it is released anew, and admission publishes it. A letter about a payment has
// the payment taken up again instead: what nobody knows is asked about at once, what could not be captured or given back is tried once more.
// ERROR_NOT_FOUND: no such letter; ERROR_CONFLICT: ret->why.
int order_change_retry(struct db *db, struct outbox *outbox, uint64_t letter, const char *actor,
                       struct order_change *ret) MUST_USE;

#endif
