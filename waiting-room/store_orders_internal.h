// SPDX-License-Identifier: Apache-2.0
// What the files of the store share that work on orders: how a row becomes what visitors are told, and a batch of requests while
// its rows are locked.
#ifndef WAITING_ROOM_STORE_ORDERS_INTERNAL_H
#define WAITING_ROOM_STORE_ORDERS_INTERNAL_H

#include "waiting-room/line_store_internal.h"

// The columns that facts are made from, of the order `o` and its booking `b`.
#define STORE_ORDER_COLUMNS                                                                                 \
    "o.place, o.attempt, o.visitor, o.state, o.reason, o.revision, o.currency, o.choices, o.email, o.name," \
    " o.payment_method IS NOT NULL"
#define STORE_BOOKING_COLUMNS                                                                                          \
    ", b.state, b.reason, b.revision, b.choice, b.tier, b.quantity, b.amount, b.reference, b.refund, b.seats, b.gone," \
    " b.pay_until, b.more_time, b.action_url,"                                                                         \
    " IF(b.state = 'declined', (SELECT SUM(p.payment_method <> '') FROM payments p FORCE INDEX (PRIMARY)"              \
    " WHERE p.event_id = b.event_id AND p.place = b.place AND p.attempt = b.attempt), NULL)"
// From the numbers to the rows and never the other way: in a small table the server would else begin with the event's orders,
// and lock them all.
#define STORE_NEWEST_ORDERS                                                                                      \
    " FROM JSON_TABLE(?, '$[*]' COLUMNS (number BIGINT UNSIGNED PATH '$')) AS asked"                             \
    " STRAIGHT_JOIN orders o FORCE INDEX (PRIMARY) ON o.event_id = ? AND o.place = asked.number AND o.attempt =" \
    " (SELECT MAX(n.attempt) FROM orders n FORCE INDEX (PRIMARY) WHERE n.event_id = o.event_id AND n.place = o.place)"
#define STORE_THEIR_BOOKINGS \
    " LEFT JOIN bookings b ON b.event_id = o.event_id AND b.place = o.place AND b.attempt = o.attempt"

// What visitors are told of a row of STORE_ORDER_COLUMNS, followed by STORE_BOOKING_COLUMNS if with_booking. *ret is not shared yet;
// `ahead` is not known. ERROR_MEMORY, ERROR_BUG.
int store_order_facts(const struct db_rows *rows, size_t row, bool with_booking, struct order_facts **ret) MUST_USE;

// A place that requests of the batch are about.
struct order_place {
    uint64_t number;
    bool exists;
    bool
        is_booking_wanted; // somebody wants to give back what is held, to have it longer or to pay: its booking is locked as well
    bool has_card; // one was left, which is that row of the batch's cards
    size_t card_row;
    uint8_t visitor[TOKEN_VISITOR_BYTES];
    struct order_rows rows;
    struct order_facts *facts; // the newest order as it stands after what was decided so far; NULL: none
};

struct order_batch {
    struct line_store *store;
    uint32_t event_id;
    struct line_event event; // its state and clock; the rest is not filled
    int64_t hold_us; // how much more time is
    uint64_t served, last;
    bool is_paid; // somebody wants to pay
    struct db_rows *cards; // of store_read_cards(); NULL: visitors pay elsewhere
    size_t place_count;
    struct order_place *places; // by number
    struct line_store_request **requests; // by number; for one number as they came
    struct order_decision *decisions;
    size_t count;
};

struct order_place *store_find_place(struct order_batch *batch, uint64_t number); // NULL: nobody asked about it

// Locks and reads everything that the requests are decided by, in the order in which everybody locks. In a transaction.
int store_lock_places(struct order_batch *batch) MUST_USE;
// Hands each row of a question about the places to `take`, until it fails. The question's parameters are `numbers` (as JSON) and the event's
// id; a row begins with the place's number.
int store_each_place(struct order_batch *batch, const char *sql, const char *numbers, size_t rows_max,
                     int take(struct order_place *place, const struct db_rows *rows, size_t row)) MUST_USE;
// Locks the bookings of the places where is_booking_wanted, with their orders, and completes what is known of them.
int store_lock_bookings(struct order_batch *batch) MUST_USE;
// Reads what the places may pay with, and if somebody wants to pay what payments there are. Once the bookings are locked: who adds a payment
// has its booking locked.
int store_read_means(struct order_batch *batch, const char *numbers) MUST_USE;
// Writes that the booking is being paid, and its payment. The place is as it is then.
int store_write_payment(struct order_batch *batch, const struct line_store_request *request,
                        const struct order_place *place) MUST_USE;
// The money of the booking's open payment is no longer wanted. Tells whether there is one.
int store_give_payment_back(struct order_batch *batch, uint64_t number, uint32_t attempt, bool *ret_open) MUST_USE;
// What the place's order is once its booking was changed.
struct order_facts *store_booking_facts(const struct order_batch *batch, const struct order_place *place,
                                        const struct order_decision *decision); // NULL when out of memory
// Writes a decision about a booking. `facts` is what it is then, `before` the state that it had.
int store_write_booking(struct order_batch *batch, const struct order_decision *decision,
                        const struct order_facts *facts, enum order_state before) MUST_USE;

#endif
