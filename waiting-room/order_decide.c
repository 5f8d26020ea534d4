// SPDX-License-Identifier: Apache-2.0
// See order_decide.h.
#include "waiting-room/order_decide.h"

#include "common/payment.h"

static struct order_decision answer(enum order_verdict verdict)
{
    return (struct order_decision){.verdict = verdict};
}

static enum order_state state_of(const struct order_rows *rows)
{
    return rows->booked ? rows->booking_state : rows->order_state;
}

static struct order_decision write_row(uint32_t attempt, uint32_t revision, enum order_state state)
{
    return (struct order_decision){.verdict = ORDER_WRITE, .attempt = attempt, .revision = revision, .state = state};
}

static struct order_decision write_booking(const struct order_rows *rows, enum order_state state)
{
    struct order_decision decision = write_row(rows->attempt, rows->booking_revision + 1, state);
    decision.of_booking = true;
    return decision;
}

// What an event's state says to a new order. ORDER_WRITE: nothing against it.
static enum order_verdict verdict_of_event(enum lifecycle_state event)
{
    switch (event) {
    case LIFECYCLE_LOBBY:
    case LIFECYCLE_OPEN:
    case LIFECYCLE_PAUSED:
        return ORDER_WRITE;
    case LIFECYCLE_STOPPED:
        return ORDER_STOPPED;
    case LIFECYCLE_SOLD_OUT:
        return ORDER_EVENT_SOLD_OUT;
    case LIFECYCLE_CLOSED:
        return ORDER_EVENT_OVER;
    default:
        return ORDER_NOT_YET;
    }
}

struct order_decision order_decide_put(enum lifecycle_state event, const struct order_rows *rows)
{
    if (!rows->arrived)
        return answer(ORDER_NO_ARRIVAL);
    if (rows->left)
        return answer(ORDER_LEFT);
    enum order_state state = state_of(rows);
    // Who has tickets, or will know in a moment, hears that first, whatever the event's state.
    if (rows->attempt > 0 && state == ORDER_CONFIRMED)
        return answer(ORDER_HAS_TICKETS);
    if (rows->attempt > 0 && state != ORDER_PLACED && !order_allows_another(state))
        return answer(ORDER_TOO_LATE);
    enum order_verdict verdict = verdict_of_event(event);
    if (verdict != ORDER_WRITE)
        return answer(verdict);
    if (rows->attempt > 0 && state == ORDER_PLACED)
        return rows->revision < ORDER_REVISIONS_MAX ? write_row(rows->attempt, rows->revision + 1, ORDER_PLACED)
                                                    : answer(ORDER_TOO_OFTEN);
    return rows->attempt < ORDER_ATTEMPTS_MAX ? write_row(rows->attempt + 1, 1, ORDER_PLACED) : answer(ORDER_TOO_OFTEN);
}

struct order_decision order_decide_take_back(const struct order_rows *rows)
{
    if (!rows->arrived)
        return answer(ORDER_NO_ARRIVAL);
    if (rows->attempt == 0)
        return answer(ORDER_NONE);
    enum order_state state = state_of(rows);
    if (state == ORDER_CANCELLED)
        return answer(ORDER_UNCHANGED);
    if (state == ORDER_CONFIRMED)
        return answer(ORDER_HAS_TICKETS);
    if (!order_may_become(state, ORDER_CANCELLED, ORDER_BY_SYSTEM))
        return answer(order_is_final(state) ? ORDER_ENDED : ORDER_TOO_LATE);
    return rows->booked ? write_booking(rows, ORDER_CANCELLED)
                        : write_row(rows->attempt, rows->revision + 1, ORDER_CANCELLED);
}

struct order_decision order_decide_leave(const struct order_rows *rows)
{
    return rows->arrived && rows->booked ? answer(ORDER_TOO_LATE) : order_decide_take_back(rows);
}

struct order_decision order_decide_more_time(const struct order_rows *rows)
{
    if (!rows->arrived)
        return answer(ORDER_NO_ARRIVAL);
    if (rows->attempt == 0)
        return answer(ORDER_NONE);
    enum order_state state = state_of(rows);
    if (!rows->booked || (state != ORDER_HELD && state != ORDER_DECLINED))
        return answer(ORDER_NO_HOLD);
    if (rows->had_more_time)
        return answer(ORDER_HAD_MORE_TIME);
    return rows->is_lapsed ? answer(ORDER_LAPSED) : write_booking(rows, state);
}

struct order_decision order_decide_pay(enum lifecycle_state event, const struct order_rows *rows, bool has_means)
{
    if (!rows->arrived)
        return answer(ORDER_NO_ARRIVAL);
    if (rows->attempt == 0)
        return answer(ORDER_NONE);
    enum order_state state = state_of(rows);
    if (state == ORDER_CONFIRMED)
        return answer(ORDER_HAS_TICKETS);
    if (rows->booked && (state == ORDER_PAYING || state == ORDER_ACTION_REQUIRED))
        return answer(ORDER_IS_PAYING);
    if (!rows->booked || (state != ORDER_HELD && state != ORDER_DECLINED))
        return answer(ORDER_NO_HOLD);
    if (rows->is_payment_open)
        return answer(ORDER_IS_PAYING);
    if (rows->is_lapsed)
        return answer(ORDER_LAPSED);
    if (!rows->is_amount_due)
        return answer(ORDER_NOTHING_DUE);
    if (rows->payment_count >= PAYMENT_TRIES_MAX)
        return answer(ORDER_TOO_MANY_TRIES);
    if (event == LIFECYCLE_STOPPED)
        return answer(ORDER_STOPPED);
    return has_means ? write_booking(rows, ORDER_PAYING) : answer(ORDER_NO_MEANS);
}

enum order_verdict order_decide_card(enum lifecycle_state event, const struct order_rows *rows, bool is_turn_over)
{
    if (!rows->arrived)
        return ORDER_NO_ARRIVAL;
    enum order_state state = state_of(rows);
    if (rows->attempt > 0 && state == ORDER_CONFIRMED)
        return ORDER_HAS_TICKETS;
    if (event == LIFECYCLE_STOPPED)
        return ORDER_STOPPED;
    if (rows->attempt > 0 && !order_is_final(state))
        return ORDER_WRITE;
    if (rows->left)
        return ORDER_LEFT;
    enum order_verdict verdict = verdict_of_event(event);
    return verdict == ORDER_WRITE && is_turn_over ? ORDER_TURN_OVER : verdict;
}

void order_rows_after(struct order_rows *rows, const struct order_decision *decision)
{
    if (decision->verdict != ORDER_WRITE)
        return;
    if (decision->attempt != rows->attempt) {
        rows->booked = rows->is_payment_open = false;
        rows->payment_count = 0;
    }
    rows->attempt = decision->attempt;
    if (decision->of_booking) {
        rows->had_more_time |= decision->state == rows->booking_state; // what stays as it is was prolonged
        rows->payment_count += decision->state == ORDER_PAYING;
        rows->is_payment_open |= decision->state == ORDER_PAYING;
        rows->booking_revision = decision->revision;
        rows->booking_state = decision->state;
    } else {
        rows->revision = decision->revision;
        rows->order_state = decision->state;
    }
}
