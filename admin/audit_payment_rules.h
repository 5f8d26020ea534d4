// SPDX-License-Identifier: Apache-2.0
// What must hold between a booking and its payments (check 6), as far as the database alone can tell: pure. docs/payments.md has the states,
// docs/invariants.md the rules in words.
#ifndef ADMIN_AUDIT_PAYMENT_RULES_H
#define ADMIN_AUDIT_PAYMENT_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/audit.h"
#include "common/order_state.h"
#include "common/payment.h"

#define AUDIT_PAYMENTS_MAX 255 // of one booking: the number is a byte
#define AUDIT_NO_TIME INT64_MIN

struct audit_payment {
    uint32_t number;
    bool is_known; // its state and its aim are words that there are
    enum payment_state state;
    enum payment_aim aim;
    uint64_t amount;
    const char *currency;
    // The provider told of money that no row knew: this one was made so that it goes back. No booking waits for it, and none need be there.
    bool is_foundling;
    bool has_refund; // the provider has taken a refund of it
    bool has_intent, is_captured, is_returned; // the last two: the provider said so, at some time
    int64_t next_us; // when it is to be looked at; AUDIT_NO_TIME: never
};

// Who confirmed a booking: the money of the others did not go through the provider.
enum audit_confirmed_by {
    AUDIT_BY_PAYER,
    AUDIT_BY_OPERATOR, // `onsale booking confirm`
    AUDIT_BY_BOOKING, // as soon as it was booked: nothing is due, or it is due at the door
};

// A booking, or what should be one.
struct audit_paid {
    uint64_t place, attempt;
    bool has_booking;
    enum order_state state;
    bool has_given; // a tier, so that it has an amount
    uint64_t amount;
    const char *currency, *refund; // NULL: none
    bool waits_to_be_freed, waits_for_payment; // a row in freeings, and its payment_open
    enum order_state was; // of that row
    enum audit_confirmed_by by; // of a confirmed one that has no payment with money
    int64_t confirmed_us; // of that one as well
    const struct audit_payment *payments; // by number
    size_t count;
};

// Whether somebody has still something to do about a payment.
bool audit_payment_is_under_way(const struct audit_payment *payment);
// Whether the money of a confirmed booking is there, will be, or could not be taken, which an operator knows.
bool audit_payments_are_there(const struct audit_payment *payments, size_t count);

// Notes what breaks, and counts what is on its way.
void audit_payment_rules(struct audit *audit, const struct audit_paid *paid);

#endif
