// SPDX-License-Identifier: Apache-2.0
// What the checker keeps: for check.c, which takes the lines, and check_end.c, which judges what can be judged only after them.
#ifndef BENCH_CROWD_CHECK_INTERNAL_H
#define BENCH_CROWD_CHECK_INTERNAL_H

#include "bench/crowd/check.h"
#include "bench/crowd/check_order.h"
#include "bench/crowd/check_seats.h"
#include "bench/crowd/owners.h"
#include "bench/crowd/passing.h"

struct check_visitor {
    uint64_t place, seat;
    uint64_t ahead, served; // the last that was told, or follows from what was told
    bool was_declined, was_challenged;
    bool has_ahead, asked, joined, turned_away, has_reference, order_gone, let_in, left, over, at_end, failed;
    int64_t asked_us, let_in_us, at_end_us, left_us;
    struct check_order order;
};

struct check {
    void (*report)(void *data, const char *text);
    void *data;
    bool begun, ended, faults, interrupted, has_desk, has_cards;
    char event[SLUG_BYTES]; // "": not said
    int64_t began_us; // UTC; TOLD_NO_TIME: not said
    int64_t hold_us; // 0: not said
    int64_t moved_us; // when somebody's booking last changed, or the last hold runs out that was told of
    int64_t heard_end_us; // when somebody first heard that the event is at its end; -1: nobody did
    int64_t patience_us;
    uint32_t visitor_count;
    int64_t last_us;
    struct check_visitor *visitors; // by number - 1
    struct owners places, seats, references;
    struct check_seats hall;
    struct passing passing;
    uint64_t served_max; // that anybody heard
    uint64_t violations[CHECK_RULE_COUNT];
    struct check_counts counts;
};

// `number` 0: it is nobody's in particular.
PRINTF_LIKE(4, 5)
void check_violation(struct check *check, enum check_rule rule, uint32_t number, const char *format, ...);

// When the order's hold runs out, as the record's lines count time; 0: it has none, or the record does not say.
static inline int64_t check_hold_end_us(const struct check *check, const struct check_order *order)
{
    bool known =
        order_may_lapse(order->state) && check->began_us != TOLD_NO_TIME && order->pay_until_us > check->began_us;
    return known ? order->pay_until_us - check->began_us : 0;
}

static inline int64_t check_later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
