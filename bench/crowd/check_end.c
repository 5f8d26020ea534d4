// SPDX-License-Identifier: Apache-2.0
// The rules that need the whole record, or the time that has passed: whether everybody heard all that was to come.
#include "bench/crowd/check_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "bench/crowd/check_standby.h"

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// Since when the visitor's order should have an end soon; INT64_MAX: not yet, or it has one.
static int64_t order_due_us(const struct check *check, const struct check_visitor *visitor)
{
    int64_t due_us = INT64_MAX, passed_us = visitor->place ? passing_at_us(&check->passing, visitor->place) : -1;
    if (!visitor->order.known || order_is_final(visitor->order.state))
        return INT64_MAX;
    if (visitor->let_in)
        due_us = visitor->let_in_us;
    if (passed_us >= 0)
        due_us = earlier(due_us, passed_us);
    if (visitor->at_end)
        due_us = earlier(due_us, visitor->at_end_us);
    if (visitor->left)
        due_us = earlier(due_us, visitor->left_us);
    if (due_us == INT64_MAX)
        return due_us;
    // A hold has its time, the bank takes some, and standby goes on for as long as anybody's hold may come back.
    int64_t since_us = visitor->order.changed_us;
    if (visitor->order.state == ORDER_STANDBY)
        since_us = check_later(visitor->order.told_us, check->moved_us);
    else if (visitor->order.state == ORDER_PAYING)
        since_us = visitor->order.told_us;
    return check_later(due_us, check_later(since_us, check_hold_end_us(check, &visitor->order)));
}

uint64_t check_overdue(const struct check *check, int64_t now_us)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < check->visitor_count && check->begun; i++)
        count += order_due_us(check, &check->visitors[i]) < now_us - check->patience_us;
    return count;
}

static void end_order(struct check *check, const struct check_visitor *visitor, uint32_t number)
{
    const struct check_order *order = &visitor->order;
    int64_t late_us = check->last_us - check->patience_us;
    if (order_due_us(check, visitor) < late_us && !check->interrupted)
        check_violation(check, CHECK_NO_OUTCOME, number, "was last told that the order is %s, and nothing more",
                        order_state_name(order->state));
    if (order->under_way && order->asked_us < late_us && !check->interrupted)
        check_violation(check, CHECK_NOT_ANSWERED, number,
                        "asked for something about the order at %.3f s, and was not answered",
                        (double)order->asked_us / 1e6);
    if (order->known && order_has_places(order->state) && visitor->place > check->served_max &&
        order->told_us < check->last_us - CHECK_GRACE_US)
        check_violation(check, CHECK_TOO_EARLY, number,
                        "was booked with place %" PRIu64 " when served was %" PRIu64 " at most", visitor->place,
                        check->served_max);
}

static void end_visitor(struct check *check, const struct check_visitor *visitor, uint32_t number)
{
    int64_t late_us = check->last_us - CHECK_GRACE_US;
    if (visitor->turned_away && check->heard_end_us < 0)
        check_violation(check, CHECK_FAILED, number, "was turned away, and nobody heard that the event is at its end");
    if (visitor->order_gone && !visitor->over && check->heard_end_us < 0)
        check_violation(check, CHECK_FAILED, number,
                        "came too late with the order, and neither the turn nor the event is over");
    if (visitor->failed)
        return;
    end_order(check, visitor, number);
    if (visitor->left)
        return;
    if (visitor->asked && !visitor->joined && !visitor->turned_away && visitor->asked_us < late_us &&
        !check->interrupted)
        check_violation(check, CHECK_NOT_ANSWERED, number, "asked to join and never got a place");
    if (visitor->place == 0)
        return;
    if (visitor->let_in && visitor->place > check->served_max && visitor->let_in_us < late_us)
        check_violation(check, CHECK_TOO_EARLY, number,
                        "was let in with place %" PRIu64 " when served was %" PRIu64 " at most", visitor->place,
                        check->served_max);
    int64_t passed_us = passing_at_us(&check->passing, visitor->place);
    if (!visitor->let_in && !visitor->at_end && passed_us >= 0 && passed_us < late_us)
        check_violation(check, CHECK_NOT_LET_IN, number, "place %" PRIu64 " was passed at %.3f s, and nobody told them",
                        visitor->place, (double)passed_us / 1e6);
}

static void report_standby(void *data, const struct check_standby *passed_over, const struct check_standby *served)
{
    check_violation(data, CHECK_STANDBY_ORDER, passed_over->visitor,
                    "with place %" PRIu64 " stood by for %" PRIu64 " tickets, and place %" PRIu64 " got %" PRIu64
                    " of the same tier %.3f s sooner",
                    passed_over->place, passed_over->quantity, served->place, served->quantity,
                    (double)(passed_over->until_us - served->until_us) / 1e6);
}

// What of a visitor's standby can be compared with others'. False: nothing.
static bool read_standby(const struct check *check, const struct check_visitor *visitor, struct check_standby *ret)
{
    const struct check_order *order = &visitor->order;
    if (!order->known || order->stands_by_us == TOLD_NO_TIME || order->has_needs || order->has_alternatives ||
        order->quantity == 0)
        return false;
    ret->place = visitor->place;
    ret->tier = order->tier;
    ret->quantity = order->quantity;
    ret->since_us = order->stands_by_us;
    ret->served = order->first_pay_until_us != TOLD_NO_TIME;
    ret->until_us =
        ret->served ? order->first_pay_until_us - check->hold_us : check->began_us + check->last_us - CHECK_GRACE_US;
    return ret->served || (order->state == ORDER_STANDBY && !order->gives_back);
}

static void end_standby(struct check *check)
{
    size_t count = 0;
    struct check_standby *entries = calloc(check->visitor_count ? check->visitor_count : 1, sizeof *entries);
    if (!entries) {
        check_violation(check, CHECK_RECORD, 0, "out of memory for standby");
        return;
    }
    for (uint32_t i = 0; i < check->visitor_count; i++)
        if (read_standby(check, &check->visitors[i], &entries[count]))
            entries[count++].visitor = i + 1;
    check_standby_judge(entries, count, report_standby, check);
    free(entries);
}

void check_end(struct check *check)
{
    if (!check->ended)
        check_violation(check, CHECK_RECORD, 0, check->begun ? "the record breaks off" : "there is no beginning");
    if (check->hall.failed)
        check_violation(check, CHECK_RECORD, 0, "out of memory for the seats");
    for (uint32_t i = 0; i < check->visitor_count && check->begun; i++)
        end_visitor(check, &check->visitors[i], i + 1);
    if (check->begun && check->hold_us > 0 && check->began_us != TOLD_NO_TIME)
        end_standby(check);
}
