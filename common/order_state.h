// SPDX-License-Identifier: Apache-2.0
// The states of an order and of the booking that it becomes, and what leads from one to the next: one table, which whoever
// writes a state goes through, and which `onsale audit` checks. docs/states.md draws it.
#ifndef COMMON_ORDER_STATE_H
#define COMMON_ORDER_STATE_H

#include <stdbool.h>

#include "common/error.h"

enum order_state {
    ORDER_PLACED, // durable; may be changed or taken back
    ORDER_RELEASED, // on its way to be booked
    ORDER_HELD, // places kept until `pay_until`
    ORDER_PAYING, // with the payment provider
    ORDER_ACTION_REQUIRED, // the bank asks something
    ORDER_DECLINED, // as held, with a reason
    ORDER_STANDBY,
    ORDER_CONFIRMED, // from here on: final
    ORDER_SOLD_OUT,
    ORDER_REFUSED,
    ORDER_EXPIRED,
    ORDER_FAILED,
    ORDER_CANCELLED,
    ORDER_STATE_COUNT,
};

// Why an order was refused, a booking failed or a payment was declined.
enum order_reason {
    ORDER_NO_REASON,
    ORDER_CUSTOMER_LIMIT, // refused: the customer would have more than the event's max_per_customer
    ORDER_TIER_CLOSED, // refused: none of the tiers asked for is on sale any more
    ORDER_EVENT_CLOSED, // refused
    ORDER_SEATS_TAKEN, // refused
    ORDER_BROKEN, // failed: what the order says cannot be booked
    ORDER_CRASHED, // failed: the worker ended, time and again, while it booked it
    ORDER_CARD_DECLINED, // declined: the bank said no and nothing more
    ORDER_INSUFFICIENT_FUNDS, // declined
    ORDER_EXPIRED_CARD, // declined
    ORDER_AUTHENTICATION_FAILED, // declined: the bank's question was not answered, or wrongly
    ORDER_PAYMENT_METHOD_INVALID, // declined: the provider knows no such payment method, or cannot charge it
    ORDER_PAYMENT_UNKNOWN, // paying: the provider has not said for long what became of it; an operator knows
    ORDER_PAYMENT_FAILED, // failed: the provider's answers cannot be right; whatever was authorised is given back
    ORDER_REASON_COUNT,
};

const char *order_state_name(enum order_state state); // "sold_out"
int order_state_parse(const char *name, enum order_state *ret) MUST_USE; // NULL: ERROR_INVALID
const char *order_reason_name(enum order_reason reason); // "customer_limit"; NULL for ORDER_NO_REASON
int order_reason_parse(const char *name, enum order_reason *ret) MUST_USE; // NULL: ORDER_NO_REASON

// Who makes a change.
enum order_by {
    ORDER_BY_SYSTEM, // or the visitor
    ORDER_BY_OPERATOR, // may also do what ends a final state
};
// Whether one state leads to the next. Staying in a state is no change and always false, except that a placed order may be placed anew.
bool order_may_become(enum order_state from, enum order_state to, enum order_by by);

bool order_is_final(enum order_state state);
// Has places that nobody else may have: held, paying, action_required, declined, confirmed.
bool order_has_places(enum order_state state);
// Counts towards its customer's limit: has places, or stands by for some.
bool order_is_counted(enum order_state state);
// Has places that go back when its hold runs out: held, action_required, declined.
bool order_may_lapse(enum order_state state);
// Final, and the visitor may order again while the turn runs.
bool order_allows_another(enum order_state state);

#endif
