// SPDX-License-Identifier: Apache-2.0
// What is known of a visitor's newest order and what became of it. Read from MySQL, or heard as an outcome; what is older than
// what is known changes nothing. Pure.
#ifndef WAITING_ROOM_ORDER_FACTS_H
#define WAITING_ROOM_ORDER_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/error.h"
#include "common/order_state.h"
#include "common/outcome.h"
#include "common/provider.h"
#include "common/slug.h"

struct order_facts {
    _Atomic unsigned references; // two requests of one batch may share it on two loops; never changed once shared
    uint64_t place;
    uint32_t attempt;
    uint32_t revision; // the booking's once there is one, else the order's
    enum order_state state;
    enum order_reason reason;
    char reference[OUTCOME_REFERENCE_BYTES]; // "": none
    char tier[SLUG_BYTES]; // what was given, or what is wanted first
    uint32_t quantity;
    uint64_t amount;
    char currency[4];
    char *tickets; // JSON object {CODE: n, …}; NULL: none
    char *alternatives; // JSON array of the other choices as they were given; NULL: none
    char *email, *name; // NULL: not known (only an outcome was heard)
    char refund[OUTCOME_REFUND_BYTES]; // "": none
    uint32_t wheelchair, companion; // places that the order needs
    char *seats; // JSON array of the seats that were given, or are asked for by name; NULL: none
    char *gone; // JSON array of the seats that others have; NULL: none
    int64_t pay_until_us; // when the hold runs out, by the event's clock; OUTCOME_NO_TIME: it cannot
    bool had_more_time; // more time was asked for already
    int32_t tries_left; // ORDER_DECLINED: payments that may still be tried; -1: not known (only an outcome was heard)
    char *action_url; // ORDER_ACTION_REQUIRED: where the bank asks; NULL: nowhere
    bool has_payment_method; // the order says what to pay with
    bool has_card; // a card was left for this place
    char card_label[PROVIDER_LABEL_BYTES]; // what its owner knows it by; "": not known
    int64_t ahead; // ORDER_STANDBY: how many stand by before this one; -1: not known (only an outcome was heard)
};

// Nothing is known: all zero, no pay_until_us, ahead and tries_left -1. One reference; NULL when out of memory.
struct order_facts *order_facts_new(void);
struct order_facts *order_facts_ref(struct order_facts *facts); // accepts NULL
void order_facts_unref(struct order_facts *facts); // accepts NULL

// Whether (attempt, revision) of `news` is higher than that of `known` (NULL: nothing is known, so it is).
bool order_facts_is_news(const struct order_facts *known, uint32_t attempt, uint32_t revision);

// What is known after an outcome was heard: a new one with one reference. E-mail, name, alternatives, needs and means of payment are kept from `known` if it
// is the same attempt, and what was wanted too unless the outcome says what was given. NULL when out of memory.
struct order_facts *order_facts_after(const struct order_facts *known, const struct outcome *outcome,
                                      const char *currency);

// Takes what is wanted, the needs and the other choices from orders.choices; `choice` is the one that was given or is waited for, or wanted
// first (0). So it does with the seats asked for by name, unless `facts` has seats already. ERROR_MEMORY; ERROR_BUG when the text is not what this program writes.
int order_facts_take_choices(struct order_facts *facts, const char *choices, unsigned choice) MUST_USE;

// A copy with that final state and that revision, with one reference. NULL when out of memory.
struct order_facts *order_facts_ended(const struct order_facts *facts, enum order_state state, uint32_t revision);

// The same for a hold that runs out later by that much, for one that is being paid, for one in standby behind that many, and with the card that
// was left for it (`label` NULL: none).
struct order_facts *order_facts_prolonged(const struct order_facts *facts, int64_t by_us, uint32_t revision);
struct order_facts *order_facts_paying(const struct order_facts *facts, uint32_t revision);
struct order_facts *order_facts_with_card(const struct order_facts *facts, const char *label);
struct order_facts *order_facts_behind(const struct order_facts *facts, int64_t ahead);

// When the hold runs out, as it stands now: `stopped_us` is how long the event's clock has stood still, a stop that goes on included.
// OUTCOME_NO_TIME: it cannot run out.
int64_t order_facts_pay_until_us(const struct order_facts *facts, int64_t stopped_us);

// Whether the visitor may ask for more time, as far as the state goes: the time may be over meanwhile.
bool order_facts_may_ask_for_more_time(const struct order_facts *facts);

// Appends the document of GET /v1/events/SLUG/order and of the stream's `order` frame: one JSON object with `now`. While the hold can run out it
// has `pay_until` and `more_time` (whether more can be asked for).
void order_facts_write(struct buffer *text, const struct order_facts *facts, int64_t stopped_us, int64_t now_us);

#endif
