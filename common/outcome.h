// SPDX-License-Identifier: Apache-2.0
// Outcomes: changes of orders and bookings that their visitors must learn, many in one message (type `outcomes`). The same
// body goes from whoever makes the change through the outbox and the queue onsale.outcomes to the notifier, and from there
// over onsale.feed to every waiting room. It carries all that a visitor is told, so nobody has to ask MySQL again.
#ifndef COMMON_OUTCOME_H
#define COMMON_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/error.h"
#include "common/order_state.h"
#include "common/random.h"
#include "common/slug.h"

#define OUTCOMES_MAX 128 // in one message
#define OUTCOME_VISITOR_BYTES 16
#define OUTCOME_REFERENCE_BYTES 10 // "K7QM-4WDP" and NUL
#define OUTCOME_TICKETS_BYTES 2048 // of JSON, with NUL
#define OUTCOME_SEATS_BYTES 2048 // of a JSON array of SEATS_IN_ORDER_MAX names, with NUL
#define OUTCOME_URL_BYTES 2001 // with NUL
#define OUTCOME_REFUND_BYTES 9 // "pending", "done", "failed", with NUL
#define OUTCOME_NO_TIME INT64_MIN
#define OUTCOME_SENDER_BYTES RANDOM_NAME_BYTES

struct outcome {
    uint64_t place;
    uint32_t attempt;
    uint32_t revision; // of the booking, or of the order that ended before it became one; higher wins within an attempt
    uint8_t visitor[OUTCOME_VISITOR_BYTES];
    enum order_state state;
    enum order_reason reason;
    char reference[OUTCOME_REFERENCE_BYTES]; // "": none
    char tier[SLUG_BYTES]; // what was given; "": nothing
    uint32_t quantity;
    uint64_t amount;
    const char
        *tickets; // JSON object {CODE: n, …}; NULL: none. Borrowed when writing; the struct outcomes owns it when read
    const char *seats; // JSON array of the seats that were given; NULL: none. Owned as tickets are
    const char *gone; // JSON array of the seats that others have (ORDER_SEATS_TAKEN); NULL: none. Owned as tickets are
    int64_t
        pay_until_us; // when the hold runs out by the event's clock (UTC minus the time it stood still); OUTCOME_NO_TIME: it cannot
    bool had_more_time; // the visitor had the hold prolonged, which is done once
    const char
        *action_url; // ORDER_ACTION_REQUIRED: where the bank asks, http or https; NULL: nowhere. Owned as tickets are
    char refund[OUTCOME_REFUND_BYTES]; // ORDER_CANCELLED, after it was paid; "": nothing goes back
};

// Builds one message. Between begin and end come at most OUTCOMES_MAX outcomes. Check text->failed after the end.
// `sender` and `seq` are the notifier's when it passes outcomes on (seq 1, 2, 3, … per sender, so that a reader sees a gap); elsewhere
// NULL and 0.
void outcomes_begin(struct buffer *text, const char *slug, const char *currency, const char *sender, uint64_t seq);
void outcomes_add(struct buffer *text, const struct outcome *outcome);
void outcomes_end(struct buffer *text);

struct outcomes {
    char slug[SLUG_BYTES];
    char currency[4];
    char sender[OUTCOME_SENDER_BYTES]; // "": none
    uint64_t seq;
    size_t count;
    struct outcome *items;
};

#define OUTCOMES_TYPE "outcomes"

// Reads a message. ERROR_INVALID with the reason in `problem`, ERROR_MEMORY. Freed with outcomes_done().
int outcomes_read(const char *body, size_t body_bytes, struct outcomes *ret, char *problem,
                  size_t problem_bytes) MUST_USE;
void outcomes_done(struct outcomes *outcomes); // accepts NULL and an empty one

#endif
