// SPDX-License-Identifier: Apache-2.0
// One thing that a visitor of the crowd was told, or that happened to them: a line of the record. The generator and the
// checker read the same JSON by the same function, so that they cannot understand it differently. Pure.
#ifndef BENCH_CROWD_TOLD_H
#define BENCH_CROWD_TOLD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/error.h"
#include "common/order_state.h"
#include "common/outcome.h"
#include "common/seat.h"
#include "common/slug.h"

enum told_kind {
    TOLD_BEGIN, // the first line: how many visitors, which event
    TOLD_ASKED, // asked to join for the first time
    TOLD_JOIN, // the answer to joining
    TOLD_REJOIN, // the answer to joining again with the token
    TOLD_OPENED, // the stream is there
    TOLD_LINE, // frames, by their names
    TOLD_SERVED,
    TOLD_EVENT,
    TOLD_STOCK,
    TOLD_NOTICE,
    TOLD_ORDER,
    TOLD_OTHER, // a frame of a name that is none of the above
    TOLD_CLOSED, // closed the stream, being let in or going to come back
    TOLD_LOST, // an answer or a stream broke off
    TOLD_PUT_OFF, // 429 or 503: comes again after Retry-After
    TOLD_LEFT, // gave the place up
    TOLD_FAILED, // an answer that should not have come
    TOLD_TURNED_AWAY, // joining came too late: 410
    TOLD_ORDER_ASKED, // sent PUT, DELETE or GET of the order, asked for more time, or gave a card to pay with
    TOLD_ORDER_ANSWER, // the answer to it, with the order
    TOLD_ORDER_REFUSED, // 404, 409, 410: there is no order, or it is too late for that
    TOLD_PAYS, // gave the money to the seller's desk
    TOLD_ANSWERS, // the bank's question
    TOLD_END, // the last line: why it ended
    TOLD_KIND_COUNT,
};

enum told_line { TOLD_LINE_NONE, TOLD_LOBBY, TOLD_WAITING, TOLD_TURN, TOLD_OVER, TOLD_HAS_LEFT };

enum told_verb { TOLD_PUT, TOLD_DELETE, TOLD_GET, TOLD_MORE_TIME, TOLD_PAY };

enum told_card { // what the sandbox bank does about it
    TOLD_NO_CARD,
    TOLD_CARD_GOOD,
    TOLD_CARD_DECLINED,
    TOLD_CARD_CHALLENGED, // pays if the bank's question is answered with yes
    TOLD_CARD_UNSURE, // pays in the end, but the bank is slow, silent or broken first
};

#define TOLD_CHOICES_MAX 4

#define TOLD_NO_TIME INT64_MIN

struct told_choice { // what a visitor wants, and what it costs
    char tier[SLUG_BYTES];
    uint64_t quantity, amount;
    uint64_t seats; // fingerprint of the seats asked for by name; 0: any
};

struct told_order { // what a visitor is told of the order
    enum order_state state;
    uint32_t attempt, revision;
    char reference[OUTCOME_REFERENCE_BYTES]; // "": none
    char tier[SLUG_BYTES]; // "": not said
    uint64_t quantity, amount; // 0: not said
    char currency[4]; // "": not said
    enum order_reason reason;
    bool has_action_url;
    uint32_t seat_count; // seats that were given, or are asked for by name
    uint32_t groups; // into how many rows of neighbours they fall
    uint64_t seats; // fingerprint of all of them, in whatever order; 0: none
    int64_t pay_until_us; // when the hold runs out, in UTC; TOLD_NO_TIME: not said
    bool may_have_more_time;
};

struct told {
    enum told_kind kind;
    uint32_t visitor; // 1, 2, 3, …; 0 in the first and the last line
    int64_t at_us; // since the beginning
    // What `data` says, as far as the kind has it.
    enum told_line line; // join, rejoin, line
    uint64_t place; // 0: none yet
    uint64_t seat; // in the lobby; 0: none
    bool has_ahead;
    uint64_t ahead;
    uint64_t served; // served
    bool at_end; // event: nothing more for anybody
    int64_t status; // join, rejoin, put_off, failed, turned_away, order_answer, order_refused
    bool about_order; // lost, put_off: not the stream, but a request about the order
    enum told_verb verb; // order_asked, order_answer, order_refused
    size_t choice_count; // order_asked, when it is a PUT: best first
    struct told_choice choices[TOLD_CHOICES_MAX];
    bool has_needs; // order_asked, when it is a PUT: a wheelchair place
    enum told_card card; // order_asked, when it is a PUT or pays
    bool says_yes; // answers
    struct told_order order; // order, order_answer
    uint64_t seats[SEATS_IN_ORDER_MAX]; // order, order_answer: fingerprints of its seats, order.seat_count of them
    int64_t visitors; // begin
    int64_t began_us; // begin: UTC; TOLD_NO_TIME: not said
    char event[SLUG_BYTES]; // begin; "": not said
    bool has_desk; // begin: nothing is confirmed but what was paid for
    bool has_cards; // begin: the same, by card
    int64_t hold_seconds; // begin: how long a hold is; 0: not said
    bool faults; // begin: interruptions are part of the test
    int64_t patience_seconds; // begin: how long somebody may be kept waiting for an outcome
    bool interrupted; // end: somebody asked for it
};

#define TOLD_LINE_BYTES_MAX 65536
#define TOLD_VISITORS_MAX 1000000
#define TOLD_URL_BYTES 2001 // of action_url, with NUL
#define TOLD_PATIENCE_MAX 1000000 // seconds
#define TOLD_HOLD_MAX 1000000 // seconds

const char *told_kind_name(enum told_kind kind); // "put_off"
const char *told_verb_name(enum told_verb verb); // "PUT"
enum told_card told_card_of(const char *payment_method);
enum told_kind told_kind_of_frame(const char *event); // TOLD_OTHER for a name that is unknown

// The fingerprint of a seat; of several it is their sum. Never 0.
uint64_t told_seat_print(const char *tier, const char *seat);

// Reads what `data` says into the fields of ret, by its kind. ERROR_INVALID when something that the kind needs is not there
// or is of another type; `problem` then names it.
int told_read_data(enum told_kind kind, const json_t *data, struct told *ret, char *problem,
                   size_t problem_bytes) MUST_USE;

// Reads a line of the record (without its line break). ERROR_INVALID as above.
int told_read(const char *text, size_t bytes, struct told *ret, char *problem, size_t problem_bytes) MUST_USE;

// Writes a line of the record. `data` is JSON without line breaks; NULL is {}. The stream keeps errors for ferror().
void told_write(FILE *file, const struct told *told, const char *data);

#endif
