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
    uint8_t count;
    bool acknowledged, again; // sent more than once
};

struct check_version { // of an order; a higher one is newer
    uint32_t attempt, revision;
};

struct check_order {
    bool asked, under_way; // a PUT, ever; a request, now
    bool asked_again; // a PUT, since there is this attempt
    bool known; // there is an order, and `state` says what was last told of it
    enum order_state state;
    uint64_t quantity, print;
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

// Takes a line about the order, or one that ends a stream or a request. Returns the rule that it breaks, with the reason
// in `why`, or CHECK_RULE_COUNT.
enum check_rule check_order_take(struct check_order *order, const struct told *told, char *why, size_t why_bytes);

#endif
