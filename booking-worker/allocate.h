// SPDX-License-Identifier: Apache-2.0
// Who gets what: pure. Takes the numbers of an event's tiers, their halls and one customer, and what one order asks for; says what
// becomes of it, and takes its places from the numbers and its seats from the hall. Whoever calls it holds the rows that the numbers
// came from; when that transaction is not committed, numbers and halls are to be read again.
#ifndef BOOKING_WORKER_ALLOCATE_H
#define BOOKING_WORKER_ALLOCATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "booking-worker/choices.h"
#include "booking-worker/seating.h"
#include "common/lifecycle.h"
#include "common/order_state.h"
#include "common/slug.h"

struct allocate_tier {
    char code[SLUG_BYTES];
    bool is_seated;
    uint32_t capacity, held, sold;
    uint32_t standby; // bookings that stand by for it
    struct seating *seating; // of a seated tier, with the seats that are taken; borrowed
    bool is_changed; // set when a number changed
    bool has_changed_seats; // set when a seat was taken or given back
};

struct allocate_event {
    enum lifecycle_state state;
    bool needs_payment; // what costs something is held until it is paid; else it is confirmed at once
    uint32_t max_per_customer;
    size_t tier_count;
    struct allocate_tier *tiers;
};

struct allocate_customer {
    uint32_t booked; // tickets over all bookings of the event that are counted (order_is_counted)
    bool is_changed;
};

struct allocate_verdict {
    // ORDER_CONFIRMED, ORDER_HELD, ORDER_STANDBY, ORDER_SOLD_OUT, ORDER_REFUSED or ORDER_FAILED; ORDER_RELEASED: the event stands still,
    // so nothing is decided and the order is given back.
    enum order_state state;
    enum order_reason reason; // of ORDER_REFUSED; ORDER_BROKEN for ORDER_FAILED
    size_t choice; // ORDER_CONFIRMED, ORDER_HELD, ORDER_STANDBY, ORDER_SEATS_TAKEN: which one
    enum seating_rule rule; // how its seats were found; SEATING_NOTHING: standing places, or seats asked for by name
    // Of a seated tier that was given: its seats in the hall, as many as the quantity. ORDER_SEATS_TAKEN: which of the choice's seats are
    // gone, as positions in the list of choice_next_seat() (0 is the first), since one of them may not be in the hall any more.
    size_t seat_count;
    uint32_t seats[SEATS_IN_ORDER_MAX];
};

// A released order. The first choice that can be served whole is: held if it costs something and the event needs payment, else confirmed.
// While a tier has standby, nothing of it is given to newcomers. If none can be served, it stands by for the first one whose tier may still
// have enough, free or when what is held comes back (never for seats asked for by name). Else the answer is that to the best choice whose
// tier is still on sale: refused (customer_limit) where it would give the customer too many, refused (seats_taken) with the seats that are
// gone, sold_out where too few are left; refused (tier_closed) when all the tiers are gone. A seat asked for by name is gone when somebody has
// it, when the hall changed and it is not there any more or blocked, and when it is a wheelchair place or a companion's seat beyond what the
// choice needs. `choices` NULL: they could not be read (ORDER_FAILED). A choice that asks for seats of a standing tier, or for more than
// SEATS_IN_ORDER_MAX of a seated one, is broken, too.
struct allocate_verdict allocate_order(struct allocate_event *event, const struct choices *choices,
                                       struct allocate_customer *customer);

// An order in standby for its choice number `choice`, looked at anew. Whoever calls it goes through the standby of all tiers in one
// sequence, that of the places, so that what is free when it is somebody's turn is theirs. ORDER_STANDBY with the same choice: it goes
// on waiting, nothing has changed. Only when its choice cannot be had any more, now or later, the others are tried: ORDER_STANDBY with
// another choice: it waits for that one from now on. ORDER_HELD, ORDER_CONFIRMED: it was served. ORDER_SOLD_OUT: nothing that it waits for
// can come back any more, or the event is closed. Its customer already counts it: a choice of another size moves the count, and may not break
// the limit. ORDER_FAILED: the numbers do not agree with it (or there is no such choice), and nothing was changed; that is for the audit.
struct allocate_verdict allocate_standby(struct allocate_event *event, const struct choices *choices, size_t choice,
                                         struct allocate_customer *customer);

// What a booking had goes back: its places, its seats, its customer's count. `was` is ORDER_STANDBY (only the count and the tier's
// standby), ORDER_CONFIRMED, or a state that is held. Goes in every state of the event. False: the numbers do not agree with it, and
// nothing was changed; that is for the audit.
struct allocate_given {
    enum order_state was;
    const char *tier; // of standby: the tier it stands by for
    uint32_t quantity;
    size_t seat_count; // 0 … quantity: seats that are not in the hall any more are left out
    const uint32_t *seats;
};
bool allocate_free(struct allocate_event *event, const struct allocate_given *given,
                   struct allocate_customer *customer) MUST_USE;

// Whether every tier is sold to its last place, with nothing held that might come back and nobody standing by. An event without tiers
// sells nothing.
bool allocate_is_all_sold(const struct allocate_event *event);
// Whether somebody stands by for the tier who might be served or, as far as these numbers tell, has to be told that it is over. True for
// nothing now and then: how many places each of them waits for is not known here, but not more than max_per_customer.
bool allocate_has_standby_work(const struct allocate_event *event, const struct allocate_tier *tier);

#endif
