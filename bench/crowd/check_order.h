// SPDX-License-Identifier: Apache-2.0
// The rules about one visitor's order: what was asked, what was answered, what the stream told, compared with each other.
// Pure; check.c has one of these for each visitor.
#ifndef BENCH_CROWD_CHECK_ORDER_H
#define BENCH_CROWD_CHECK_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/crowd/check.h"
#include "bench/crowd/told.h"

#define CHECK_WISHES_MAX 6

// A PUT that may be what the order says now: the last one that was acknowledged, and all whose fate is unknown, since a
// waiting room that was frozen may do them late. Choices are kept as fingerprints.
struct check_wish {
    uint64_t choices[TOLD_CHOICES_MAX];
    uint64_t seats[TOLD_CHOICES_MAX]; // 0: any
    uint8_t count;
    bool acknowledged, again; // sent more than once
};

struct check_version { // of an order; a higher one is newer
    uint32_t attempt, revision;
};

struct check_order {
    bool asked, under_way; // a PUT, ever; a request, now
    bool asked_again; // a PUT, since there is this attempt
    bool has_needs, has_alternatives; // some order of this visitor had
    unsigned ordered_cards; // bits of enum told_card: what orders said they would be paid with
    bool known; // there is an order, and `state` says what was last told of it
    enum order_state state;
    uint64_t quantity, amount, print;
    char currency[4];
    uint64_t tier; // fingerprint of its name
    uint32_t seat_count, groups; // as in struct told_order
    uint64_t seats;
    // Of this attempt:
    bool gives_back; // DELETE was asked for
    int64_t stands_by_us; // when it was first told to stand by, in UTC; TOLD_NO_TIME: never
    int64_t first_pay_until_us, pay_until_us; // TOLD_NO_TIME: none was told
    int64_t paid_us; // at the desk, in UTC; TOLD_NO_TIME: not yet
    unsigned cards; // bits of enum told_card: given in the hold, before it ran out
    bool answered_yes; // when the bank asked
    struct check_version told; // the newest of all
    struct check_version framed; // the newest on a stream
    struct check_version stream_floor, answer_floor; // what was known when the stream, the answer was asked for
    int64_t asked_us; // when it was last asked for something
    int64_t told_us; // when something new was told of it
    int64_t changed_us; // when the visitor's PUT was acknowledged, or an order was told of first
    uint8_t wish_count;
    bool forgot; // more wishes than there is room for: what the order says cannot be judged any more
    struct check_wish wishes[CHECK_WISHES_MAX];
};

// Whether the visitor has done what the bank wants to see before it pays.
bool check_order_has_paid_by_card(const struct check_order *order);

// Takes a line about the order, or one that ends a stream or a request. Returns the rule that it breaks, with the reason
// in `why`, or CHECK_RULE_COUNT. `utc_us` is when; TOLD_NO_TIME: the record does not say.
enum check_rule check_order_take(struct check_order *order, const struct told *told, int64_t utc_us, char *why,
                                 size_t why_bytes);

#endif
