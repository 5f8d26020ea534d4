// SPDX-License-Identifier: Apache-2.0
// Bookings that are held and whose visitors have said what they pay with are paid at once: they become `paying` in the same transaction, each with
// its first payment. Inside the transaction that holds the event's tiers. Errors are db.h's.
#ifndef BOOKING_WORKER_BEGIN_PAYMENTS_H
#define BOOKING_WORKER_BEGIN_PAYMENTS_H

#include <stddef.h>

#include "booking-worker/store_means.h"

struct begun_payments {
    struct store_means *means;
    struct store_new_payment *items;
    size_t count;
};

// Turns held bookings that can be paid into paying ones, before they are written. Freed with begin_payments_done().
int begin_payments_find(struct db *db, const struct store_event *event, struct store_booking *bookings, size_t count,
                        struct begun_payments *ret) MUST_USE;
// After the bookings were written.
int begin_payments_write(struct db *db, const struct store_event *event, const struct begun_payments *begun) MUST_USE;
void begin_payments_done(struct begun_payments *begun);

#endif
