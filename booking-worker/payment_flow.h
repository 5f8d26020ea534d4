// SPDX-License-Identifier: Apache-2.0
// What becomes of a payment: pure. From what the rows say, the next call to the provider; from the rows and an answer, the next state and
// what the booking makes of it. It reads no clock and calls nobody; docs/payments.md draws it.
#ifndef BOOKING_WORKER_PAYMENT_FLOW_H
#define BOOKING_WORKER_PAYMENT_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "common/lifecycle.h"
#include "common/order_state.h"
#include "common/payment.h"
#include "common/provider.h"

#define PAYMENT_DEAD_TRIES 10 // looks without a definite answer, after which an operator is called
#define PAYMENT_DEAD_TRIES_BUSY 100 // of those that were certainly not done, and are tried again sooner
#define PAYMENT_BUSY_SECONDS_MAX 30
#define PAYMENT_CHALLENGE_SECONDS 15 // between two looks while the bank asks the visitor
#define PAYMENT_STOPPED_SECONDS 1 // between two looks while the event is stopped
// Between two looks at a refund that waits for its bank: half the time that it has been waiting, within these.
#define PAYMENT_BANK_SECONDS_MIN 15
#define PAYMENT_BANK_SECONDS_MAX 3600

// The reasons of a payment's dead letter, as docs/messages.md lists them.
#define PAYMENT_DEAD_UNKNOWN "payment_unknown"
#define PAYMENT_DEAD_CAPTURE "capture_failed"
#define PAYMENT_DEAD_VOID "void_failed"
#define PAYMENT_DEAD_REFUND "refund_failed"
#define PAYMENT_DEAD_WRONG "provider_wrong"

// A payment and its booking, as their rows say.
struct payment_facts {
    enum payment_state state;
    enum payment_aim aim;
    bool has_intent;
    bool is_newest; // of its booking, but for money of nobody (provider_news.h): only the newest may confirm it
    bool has_other_open; // another payment of its booking is open
    bool is_dead; // an operator knows
    bool has_new_key; // a key was spent before: the first one no longer names the intent
    bool
        has_refund; // the provider has taken a refund of it, since it is to be refunded (again): whether that is through is another matter
    int64_t state_seconds; // for how long it has been in this state
    uint32_t tries;
    uint64_t amount;
    char currency[4];
    bool has_booking;
    enum order_state booking;
    bool is_stopped; // the event: nothing is created or confirmed
    bool was_refused; // the call before this one, by the same payer, was refused, and this one asks what the intent is
};

// What the booking makes of it.
enum payment_effect {
    PAYMENT_NO_EFFECT,
    PAYMENT_CONFIRMS, // paying or action_required → confirmed: its places are sold
    PAYMENT_DECLINES, // paying or action_required → declined
    PAYMENT_ASKS_VISITOR, // paying → action_required
    PAYMENT_EXPIRES, // paying → expired: its places may go back
    PAYMENT_FAILS, // paying → failed: its places may go back
    PAYMENT_FREES, // it has ended before: its places, where they waited for this, may go back; its refund is done
    PAYMENT_RETURNS, // its money is on its way back: its places, where they waited for this, may go back; its refund is not done
    PAYMENT_CANNOT_REFUND, // its refund failed
    PAYMENT_DELAYS, // paying stays, and the visitor hears that it takes longer
};

struct payment_step {
    enum payment_state state; // to be written
    enum payment_aim aim; // to be written
    bool has_call; // to be made once that is committed
    enum provider_call call;
    bool is_end; // nothing is to be done any more
    int64_t wait_seconds; // else, without a call: until it is looked at again
    uint32_t tries; // to be written
    bool takes_new_key; // for the next call
    bool stores_intent; // the answer's id
    bool stores_refund; // the answer's id of the refund
    bool forgets_intent; // the provider does not know it: the same key will name the right one
    enum payment_effect effect;
    enum order_reason reason; // of DECLINES, FAILS and of the payment itself
    const char *dead; // why an operator must hear of it; NULL: need not
};

// What to do with a payment that is due. The state is written before the call.
struct payment_step payment_next(const struct payment_facts *facts);

// What to do after the provider's answer to a call for it.
struct payment_step payment_after(const struct payment_facts *facts, const struct provider_answer *answer);

// How long to wait after so many looks (1, 2, …) without a definite answer, in seconds.
int64_t payment_wait_seconds(uint32_t tries);
// How long to leave a refund to its bank that has been waiting for so long.
int64_t payment_bank_seconds(int64_t waiting_seconds);

#endif
