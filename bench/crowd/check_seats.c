// SPDX-License-Identifier: Apache-2.0
// A seat is never taken out of the table: whether who was told of it last still has it is asked of that visitor's order.
#include "bench/crowd/check_seats.h"

#include <stdlib.h>

#define SIZE_MIN 256

struct check_seat {
    uint64_t print; // 0: empty
    const struct check_order *order;
    uint32_t visitor, attempt;
};

void check_seats_done(struct check_seats *seats)
{
    if (!seats)
        return;
    free(seats->slots);
    *seats = (struct check_seats){0};
}

static struct check_seat *find(struct check_seat *slots, size_t size, uint64_t print)
{
    size_t at = (size_t)print & (size - 1);
    while (slots[at].print != 0 && slots[at].print != print)
        at = (at + 1) & (size - 1);
    return &slots[at];
}

static bool grow(struct check_seats *seats)
{
    size_t size = seats->size ? seats->size * 2 : SIZE_MIN;
    struct check_seat *slots = calloc(size, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < seats->size; i++)
        if (seats->slots[i].print != 0)
            *find(slots, size, seats->slots[i].print) = seats->slots[i];
    free(seats->slots);
    seats->slots = slots;
    seats->size = size;
    return true;
}

static bool has_it(const struct check_seat *seat)
{
    return seat->order->known && seat->order->told.attempt == seat->attempt && order_has_places(seat->order->state);
}

// Nobody else may have the seat of somebody who is confirmed, or may still pay and has not given it back.
static bool may_have_lost_it(const struct check_order *order, int64_t utc_us)
{
    // While somebody pays the hold does not run out; but the bank may have said no by now, and then it has.
    bool may_run_out = order_may_lapse(order->state) || order->state == ORDER_PAYING;
    bool has_run_out = may_run_out && utc_us != TOLD_NO_TIME && order->pay_until_us <= utc_us;
    return order->state != ORDER_CONFIRMED && (has_run_out || order->gives_back);
}

uint32_t check_seats_take(struct check_seats *seats, uint32_t visitor, const struct check_order *order,
                          const struct told *told, int64_t utc_us)
{
    uint32_t other = 0;
    for (size_t i = 0; i < told->order.seat_count; i++) {
        if (seats->count * 2 >= seats->size && !grow(seats)) {
            seats->failed = true;
            return other;
        }
        struct check_seat *seat = find(seats->slots, seats->size, told->seats[i]);
        if (seat->print != 0 && seat->visitor != visitor && has_it(seat)) {
            // Old news: the hold may have been over before its visitor heard of it.
            if (may_have_lost_it(order, utc_us))
                continue;
            if (!may_have_lost_it(seat->order, utc_us))
                other = seat->visitor;
        }
        seats->count += seat->print == 0;
        *seat = (struct check_seat){told->seats[i], order, visitor, order->told.attempt};
    }
    return other;
}
