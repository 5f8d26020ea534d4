// SPDX-License-Identifier: Apache-2.0
// What a booker reads and writes of money: what orders want to be paid with, and the first rows of their payments, which are the payer's from
// then on. Inside the transaction that holds the event's tiers. Errors are db.h's.
#ifndef BOOKING_WORKER_STORE_MEANS_H
#define BOOKING_WORKER_STORE_MEANS_H

#include <stddef.h>
#include <stdint.h>

#include "booking-worker/store.h"
#include "common/db.h"
#include "common/error.h"
#include "common/payment.h"
#include "common/provider.h"

// What orders want to be paid with: their payment method, or the card that was left. *ret[i].payment_method "": nothing.
struct store_means {
    uint32_t number; // of the payment that would be begun
    char payment_method[PAYMENT_METHOD_BYTES], customer_id[PROVIDER_ID_BYTES];
};
int store_read_means(struct db *db, uint64_t event_id, const struct store_key *keys, size_t count,
                     struct store_means *ret) MUST_USE;
// Begins a payment of bookings that are paying from now on.
struct store_new_payment {
    uint64_t place;
    uint32_t attempt;
    uint64_t amount;
    const char *currency;
    const struct store_means *means;
};
int store_begin_payments(struct db *db, uint64_t event_id, const struct store_new_payment *payments,
                         size_t count) MUST_USE;

#endif
