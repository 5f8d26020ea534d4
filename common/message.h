// SPDX-License-Identifier: Apache-2.0
// The messages between programs: typed, versioned, bounded. Writing and reading stand side by side, so they cannot drift
// apart. Examples and who sends what: docs/messages.md.
#ifndef COMMON_MESSAGE_H
#define COMMON_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/error.h"
#include "common/slug.h"

#define MESSAGE_EVENTS_MAX 64 // events in one `served` message; more go into several
#define MESSAGE_PACE_BYTES 32
#define MESSAGE_TIERS_MAX 100 // in one `stock` message
#define MESSAGE_NUMBERS_MAX 256 // in one `ordered` message; more go into several

enum message_type {
    MESSAGE_SERVED, // admission → waiting rooms, on onsale.feed
    MESSAGE_EVENT_CHANGED, // onsale, admission → everybody, on onsale.control
    MESSAGE_ACTED, // admission → the command that asked, on its reply queue
    MESSAGE_LEFT, // a waiting room → waiting rooms, on onsale.feed
    MESSAGE_BOOK, // admission → booking workers, on the event's booking queue
    MESSAGE_ORDERED, // a waiting room → admission and waiting rooms, on onsale.control
    MESSAGE_STOCK, // notifier → waiting rooms, on onsale.feed
    MESSAGE_PAY, // waiting rooms, onsale → booking workers, on onsale.payments
};
// Outcomes and dead letters are long and have readers of their own: common/outcome.h, common/dead_letter.h.

struct message_served_event {
    char slug[SLUG_BYTES];
    uint64_t served;
    uint64_t last; // last place given, as admission last saw it
    char pace[MESSAGE_PACE_BYTES]; // the dial, as text
    bool has_wait; // false: nobody can say (paused, pace 0)
    int64_t us_per_place_low, us_per_place_high;
};

struct message_stock_tier {
    char code[SLUG_BYTES];
    uint64_t left; // capacity − held − sold
    uint64_t asked; // tickets that orders in the line want, each by its first choice
    uint64_t standby; // bookings that stand by for it
};

struct message {
    enum message_type type;
    union {
        struct {
            uint64_t epoch; // of the leader
            uint64_t seq; // 1, 2, 3, … within an epoch; a gap means that something was missed
            bool full; // every event that is not draft or closed is in it (sent twice a second)
            size_t event_count;
            struct message_served_event events[MESSAGE_EVENTS_MAX];
        } served;
        struct {
            char slug[SLUG_BYTES];
            uint64_t version;
        } event_changed;
        struct {
            char slug[SLUG_BYTES];
            uint64_t version; // of the event that admission has acted on
            uint64_t epoch;
        } acted;
        struct {
            char slug[SLUG_BYTES];
            uint64_t number; // of the arrival
        } left;
        struct {
            char slug[SLUG_BYTES]; // for logs; the id counts
            uint64_t event_id;
            uint64_t place;
            uint32_t attempt;
            uint32_t release; // orders.release_no
        } book;
        struct {
            char slug[SLUG_BYTES];
            bool due; // at least one of them is in its turn: admission need not wait for its next look
            size_t number_count;
            uint64_t numbers[MESSAGE_NUMBERS_MAX]; // places whose order was given, changed or taken back
        } ordered;
        struct {
            char slug[SLUG_BYTES];
            int64_t at_us; // MySQL's clock when it was counted; a reader ignores what is older than what it has
            size_t tier_count;
            struct message_stock_tier tiers[MESSAGE_TIERS_MAX];
        } stock;
        struct {
            char slug
                [SLUG_BYTES]; // for logs, as `place` is: what is to be done stands in MySQL. "": of no event, or of several
            uint64_t place; // 0: of no place, or of many
        } pay;
    };
};

// The type's name as it travels ("served", "event_changed", …).
const char *message_type_name(enum message_type type);

// Appends the message as JSON. Check text->failed.
void message_write(const struct message *message, struct buffer *text);

// Reads a message. ERROR_INVALID with the reason in `problem` when it is no JSON, of another version, of an unknown type, or
// out of bounds. Unknown members are ignored, so that a newer program may add some.
int message_read(const char *body, size_t body_bytes, struct message *ret, char *problem,
                 size_t problem_bytes) MUST_USE;

#endif
