// SPDX-License-Identifier: Apache-2.0
// What a visitor is told of a booking: one outcome, from a row as it is to stand.
#ifndef BOOKING_WORKER_TELL_H
#define BOOKING_WORKER_TELL_H

#include <stdbool.h>
#include <stdint.h>

#include "booking-worker/store.h"
#include "common/buffer.h"

// What is told of a hold beside the booking's own columns.
struct tell_hold {
    int64_t pay_until_us; // by the event's clock; OUTCOME_NO_TIME: it cannot run out
    bool had_more_time;
    const char *action_url; // where the bank asks; NULL: it does not
    const char *refund; // "done", "failed"; NULL: nothing goes back
};

// Adds the outcome to a message that outcomes_begin() began.
void tell_add(struct buffer *text, const struct store_booking *booking, const struct tell_hold *hold);
// The tickets that an outcome names beside what was given, from the order's choices.
void tell_fill_tickets(struct store_standing *standing);

#endif
