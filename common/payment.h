// SPDX-License-Identifier: Apache-2.0
// The words of a payment: its states (rows of `payments`) and what it is to come to. What leads from one to the next is decided by the
// booking worker alone (booking-worker/payment_flow.h); docs/payments.md draws it. Pure.
#ifndef COMMON_PAYMENT_H
#define COMMON_PAYMENT_H

#include <stdbool.h>

#include "common/error.h"
#include "common/random.h"

#define PAYMENT_TRIES_MAX 5 // payments of one booking; after that its hold runs out
#define PAYMENT_METHOD_BYTES 256 // with NUL
#define PAYMENT_KEY_BYTES RANDOM_NAME_BYTES // random_name() makes it

enum payment_state {
    PAYMENT_CREATED, // the provider may or may not have heard of it; nothing can have been charged
    PAYMENT_CONFIRMING, // its intent's id is stored, and it was or is being confirmed
    PAYMENT_CHALLENGED, // the bank asks the visitor something
    PAYMENT_AUTHORISED, // the money is reserved and the booking confirmed
    PAYMENT_CAPTURING, // it is being taken
    PAYMENT_CAPTURED, // end: it is the seller's
    PAYMENT_DECLINED, // end: nothing was charged
    PAYMENT_VOIDING, // what may be reserved is being let go
    PAYMENT_VOIDED, // end: the provider says that nothing is reserved
    PAYMENT_REFUNDING, // what was taken goes back
    PAYMENT_REFUNDED, // end
    PAYMENT_FAILED, // end: it cannot be captured, or not refunded; an operator has a dead letter
    PAYMENT_STATE_COUNT,
};

enum payment_aim {
    PAYMENT_TAKE, // the money is wanted
    PAYMENT_CLOSE, // the hold ran out while the bank asked: what is authorised by now is taken, anything else is ended
    PAYMENT_GIVE_BACK, // whatever was taken goes back
    PAYMENT_AIM_COUNT,
};

const char *payment_state_name(enum payment_state state); // "confirming"
int payment_state_parse(const char *name, enum payment_state *ret) MUST_USE; // NULL: ERROR_INVALID
const char *payment_aim_name(enum payment_aim aim); // "give_back"
int payment_aim_parse(const char *name, enum payment_aim *ret) MUST_USE;

// Money may still come or be on its way: at most one payment of a booking is.
bool payment_is_open(enum payment_state state);
// Nobody has to do anything any more, as long as the money stays wanted.
bool payment_is_end(enum payment_state state);
// The seller has the money or will have it: authorised, capturing, captured.
bool payment_has_money(enum payment_state state);

#endif
