// SPDX-License-Identifier: Apache-2.0
// What the provider has answered becomes what is: payments, bookings, places and outcomes of one event, many in one transaction. The flow
// decides (payment_flow.h); here its decisions are carried out under the locks.
#ifndef BOOKING_WORKER_PAYER_SETTLE_H
#define BOOKING_WORKER_PAYER_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "booking-worker/store_payments.h"
#include "common/outbox.h"
#include "common/provider.h"

struct payer;

// A payment while this payer has it.
struct payer_call {
    struct payer *payer;
    struct store_payment payment; // as it was read last
    struct payment_step step; // the call that is under way, or, settled, what comes next
    bool was_refused; // the call before this one was, without a word about the intent
    struct provider_answer answer;
    int64_t began_ns;
    unsigned hops; // calls since it was taken
    struct payer_call *next; // the payer's lists
};

#define PAYER_SETTLE_MAX 256 // answers in one transaction

// One transaction for the answers of one event, of each booking one. On success each call's step says how it goes on: has_call, with the payment as it stands
// now, or it is done with. On failure nothing has happened, or everything has and the answers are dropped the next time. Errors are db.h's.
int payer_settle(struct db *db, struct outbox *outbox, uint64_t event_id, struct payer_call *const *calls, size_t count,
                 int64_t lease_seconds) MUST_USE;

#endif
