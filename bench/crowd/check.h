// SPDX-License-Identifier: Apache-2.0
// The rules that what a crowd was told must keep, one line of the record after the other. The generator asks while it runs,
// `crowd --check FILE` asks the file. Pure: no clock, no file.
#ifndef BENCH_CROWD_CHECK_H
#define BENCH_CROWD_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/crowd/ledger.h"
#include "bench/crowd/told.h"
#include "common/order_state.h"

enum check_rule {
    CHECK_RECORD, // the record itself: it begins, ends, its times rise
    CHECK_PLACE_TWICE, // two visitors with one place, or one seat in the lobby
    CHECK_PLACE_CHANGED, // coming back gave another place
    CHECK_POSITION_GREW, // more people ahead than before
    CHECK_SERVED_BACK, // `served` went back on a visitor's streams
    CHECK_LINE_BACK, // let in, and then told to wait
    CHECK_TOO_EARLY, // let in although nobody ever heard that `served` had come so far
    CHECK_NOT_LET_IN, // not let in although `served` passed the place
    CHECK_NOT_ANSWERED, // asked to join, and never heard anything
    CHECK_INTERRUPTED, // a stream or an answer broke off, and that was not part of the test
    CHECK_FAILED, // an answer that should not have come
    CHECK_ORDER_UNASKED, // told of an order without having given one
    CHECK_ORDER_WRONG, // an order of other tickets, or of another amount, than was asked for
    CHECK_ORDER_BACK, // (attempt, revision) fell, or one revision said two things
    CHECK_ORDER_LOST, // there is no order, after it was acknowledged
    CHECK_STATE_WRONG, // a state to which nothing leads from the one before
    CHECK_HOLD_WRONG, // a hold without an end, or one that shrinks; more time that is none
    CHECK_SEAT_WRONG, // other seats than were asked for or held, or not as many as tickets
    CHECK_SEAT_TWICE, // two visitors with one seat
    CHECK_STANDBY_ORDER, // served from standby past somebody with an earlier place who would have fitted
    CHECK_NOT_PAID, // confirmed, and not paid in time
    CHECK_DECLINED_WRONG, // declined without a reason, or with cards that the bank takes
    CHECK_CHALLENGE_WRONG, // the bank asks and cannot be answered, or asks about a card that it asks nothing about
    CHECK_MONEY_MISSING, // confirmed, and the bank's ledger has no money for it
    CHECK_MONEY_WRONG, // another amount or currency than the visitor was told
    CHECK_MONEY_TWICE, // paid more than once for one booking
    CHECK_MONEY_TAKEN, // money was taken and kept for what is not confirmed
    CHECK_MONEY_OPEN, // reserved on the visitor's card, and neither taken nor let go
    CHECK_FINAL_CHANGED, // two ends of one attempt, or an end that was none
    CHECK_REFERENCE_TWICE, // two visitors with one reference
    CHECK_NO_OUTCOME, // an order that was acknowledged and never ended, though its visitor was let in
    CHECK_RULE_COUNT,
};

// What came in the last seconds may not have reached everybody when the record ended.
#define CHECK_GRACE_US INT64_C(10000000)

struct check;

// `report` is told of each violation, in words, without a line break; `data` is its own. NULL when out of memory.
struct check *check_new(void (*report)(void *data, const char *text), void *data);
void check_free(struct check *check); // accepts NULL

void check_take(struct check *check, const struct told *told);
void check_end(struct check *check); // nothing more comes: what can be judged only now

uint64_t check_violations(const struct check *check); // of all rules
uint64_t check_violations_of(const struct check *check, enum check_rule rule);
const char *check_rule_name(enum check_rule rule); // "position_grew"

// When somebody in the crowd first knew that the place was passed; -1: nobody does yet.
int64_t check_passed_at_us(const struct check *check, uint64_t place);

// When somebody in the crowd first heard that the event is sold out or closed; -1: nobody did.
int64_t check_end_heard_at_us(const struct check *check);

// How many visitors have an order that should have ended by then and has not, as far as they were told.
uint64_t check_overdue(const struct check *check, int64_t now_us);

// Compares what visitors were told with what the bank says of the event's payments, once all of these are at an end. After check_end().
void check_ledger(struct check *check, const struct ledger *ledger);
const char *check_event(const struct check *check); // its slug; "": the record does not say

struct check_counts {
    uint64_t visitors, asked, joined, rejoined, turned_away, let_in, left, over;
    uint64_t ordered; // visitors who have an order
    uint64_t orders[ORDER_STATE_COUNT]; // by what their visitors were last told
    uint64_t sold; // tickets of those that are confirmed
    uint64_t seated, split; // of the confirmed: those with seats; those whose seats are not all neighbours
    uint64_t paid; // visitors who paid at the desk
    uint64_t cards; // given in a hold
    uint64_t declined, challenged; // visitors who were told so
    uint64_t owed; // what those who are confirmed pay, in the minor unit
};
void check_count(const struct check *check, struct check_counts *ret);

#endif
