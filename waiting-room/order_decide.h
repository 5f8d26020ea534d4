// SPDX-License-Identifier: Apache-2.0
// What giving, changing and taking back an order does, and asking for more time, by what the locked rows say. Pure; the store carries it
// out, and several requests for one place go through it one after another.
#ifndef WAITING_ROOM_ORDER_DECIDE_H
#define WAITING_ROOM_ORDER_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/lifecycle.h"
#include "common/order_state.h"

#define ORDER_ATTEMPTS_MAX 100
#define ORDER_REVISIONS_MAX 1000 // of one attempt before its release

// One place, as its rows say.
struct order_rows {
    bool arrived; // there is such an arrival, and it is this visitor's
    bool left;
    uint32_t attempt; // of the newest order; 0: none yet. The members below are that order's
    enum order_state order_state; // of the row in `orders`
    uint32_t revision; // of the order's row
    bool
        booked; // there is a row in `bookings`. The members below are that row's; all but its state are known only if it is locked
    enum order_state booking_state;
    uint32_t booking_revision;
    bool had_more_time;
    bool is_lapsed; // its time is over by the event's clock, whether somebody has swept it or not
    // Known only if somebody wants to pay.
    uint32_t payment_count; // payments that its visitor began so far
    bool is_payment_open; // one of them is not at its end
    bool is_amount_due; // it costs something
};

enum order_verdict {
    ORDER_WRITE, // a row of (attempt, revision, state): new, changed, taken back or prolonged
    ORDER_UNCHANGED, // taken back already: what there is, is the answer
    ORDER_NO_ARRIVAL, // nobody has that number, or somebody else
    ORDER_LEFT, // the place was given up
    ORDER_NOT_YET, // the event is a draft
    ORDER_STOPPED,
    ORDER_EVENT_SOLD_OUT,
    ORDER_EVENT_OVER,
    ORDER_TOO_LATE, // released already, or being paid
    ORDER_HAS_TICKETS, // confirmed: there is nothing to order any more
    ORDER_NONE, // nothing to take back
    ORDER_ENDED, // nor any more: it ended without tickets
    ORDER_TOO_OFTEN,
    ORDER_NO_HOLD, // nothing is held that could run out
    ORDER_HAD_MORE_TIME, // once already
    ORDER_LAPSED, // the time is over
    ORDER_IS_PAYING, // a payment is under way, or the bank asks
    ORDER_TOO_MANY_TRIES, // as many payments as a booking may have
    ORDER_NO_MEANS, // nothing to pay with
    ORDER_NOTHING_DUE,
    ORDER_TURN_OVER,
};

struct order_decision {
    enum order_verdict verdict;
    uint32_t attempt, revision; // of ORDER_WRITE
    enum order_state state;
    bool of_booking; // the row in `bookings` is written, not that in `orders`
};

// An order is given or changed.
struct order_decision order_decide_put(enum lifecycle_state event, const struct order_rows *rows);
// The order is taken back, or what is held for it is given back, or it no longer stands by. A hold whose time is over may be given back
// until somebody has swept it: it makes no difference.
struct order_decision order_decide_take_back(const struct order_rows *rows);
// Its visitor gives the place up: an order that was not released goes with it, what was booked stays.
struct order_decision order_decide_leave(const struct order_rows *rows);
// The visitor asks for more time to pay, which is given once, before the time is over.
struct order_decision order_decide_more_time(const struct order_rows *rows);
// The visitor pays for what is held; `has_means`: with something. What was declined may be tried again, PAYMENT_TRIES_MAX times in all.
struct order_decision order_decide_pay(enum lifecycle_state event, const struct order_rows *rows, bool has_means);
// Whether a card may be left: ORDER_WRITE, or why not. Who has an order under way may, whatever the event's state, for it will have to be
// paid; others if they could order.
enum order_verdict order_decide_card(enum lifecycle_state event, const struct order_rows *rows, bool is_turn_over);
// The rows after the decision was carried out.
void order_rows_after(struct order_rows *rows, const struct order_decision *decision);

#endif
