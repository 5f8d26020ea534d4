// SPDX-License-Identifier: Apache-2.0
// The part of an event's status that is about orders: how many stand where, how their payments stand, what is left and asked for, what waits
// in RabbitMQ, what died.
#ifndef ADMIN_STATUS_ORDERS_H
#define ADMIN_STATUS_ORDERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/bus.h"
#include "common/db.h"
#include "common/error.h"
#include "common/order_state.h"
#include "common/payment.h"

#define STATUS_QUEUES_MAX 4 // the event's booking queue, outcomes, dead letters, the payers' bell

struct status_orders {
    uint64_t orders[ORDER_STATE_COUNT]; // rows of `orders`; of the released ones those that are not booked yet
    uint64_t bookings[ORDER_STATE_COUNT];
    bool has_oldest;
    int64_t oldest_unbooked_us; // how long ago the oldest order that is not booked was released
    struct db_rows *asked; // code, tickets that orders in the line want
    uint64_t payments[PAYMENT_STATE_COUNT];
    bool has_open_payment;
    int64_t oldest_payment_us; // how long ago the oldest payment was begun that is not at its end, nor with the bank
    uint64_t oldest_payment_place; // whose that is; 0: it has come to its end while we looked
    uint64_t unanswered; // payments under way whose last call had no definite answer
    uint64_t with_bank; // refunds that the provider has taken, and that are not through
    int64_t oldest_with_bank_us; // of them, how long ago that was to happen
    uint64_t freeings; // bookings that were ended, whose places a booking worker has still to free
    uint64_t letters, letters_of_nobody; // open: of this event, of no event
    int64_t cost_us; // what it took to count
};

int status_orders_read(struct db *db, uint64_t event_id, struct status_orders *ret) MUST_USE;
bool status_orders_has_payments(const struct status_orders *orders); // somebody has paid, or tried to
void status_orders_done(struct status_orders *orders);
uint64_t status_orders_asked(const struct status_orders *orders, const char *tier);

struct status_queues {
    size_t count; // how many are asked for
    struct {
        const char *name;
        bool is_there;
        uint32_t messages, consumers;
    } items[STATUS_QUEUES_MAX];
};

// ERROR_TRANSIENT or ERROR_PERMANENT: RabbitMQ is out of reach, or a queue has not been made yet; the connection is then useless, and
// what was counted before is in *ret. The payers' bell has consumers only where cards are taken, so it is counted only if `has_payments`.
int status_queues_read(struct bus *bus, uint64_t event_id, bool has_payments, struct status_queues *ret) MUST_USE;

// Members for the status document, and lines for people. `queues` may be NULL: not asked, or away.
void status_orders_json(const struct status_orders *orders, const struct status_queues *queues, json_t *json);
void status_orders_text(const struct status_orders *orders, const struct status_queues *queues, struct buffer *text);

#endif
