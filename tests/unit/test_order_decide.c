// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// What giving, taking back and prolonging does, for every state of the order, its booking and the event.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/payment.h"
#include "waiting-room/order_decide.h"

static const struct order_rows nothing = {.arrived = true};
static const struct order_rows placed = {.arrived = true, .attempt = 1, .revision = 4, .order_state = ORDER_PLACED};

static struct order_rows booked(enum order_state state)
{
    return (struct order_rows){.arrived = true,
                               .attempt = 2,
                               .revision = 3,
                               .order_state = ORDER_RELEASED,
                               .booked = true,
                               .booking_state = state,
                               .booking_revision = 5};
}

static void assert_writes(struct order_decision decision, uint32_t attempt, uint32_t revision, enum order_state state)
{
    assert_int_equal(decision.verdict, ORDER_WRITE);
    assert_int_equal(decision.attempt, attempt);
    assert_int_equal(decision.revision, revision);
    assert_int_equal(decision.state, state);
}

static enum order_verdict put(enum lifecycle_state event, struct order_rows rows)
{
    return order_decide_put(event, &rows).verdict;
}

static enum order_verdict take_back(struct order_rows rows)
{
    return order_decide_take_back(&rows).verdict;
}

static enum order_verdict leave(struct order_rows rows)
{
    return order_decide_leave(&rows).verdict;
}

static enum order_verdict more_time(struct order_rows rows)
{
    return order_decide_more_time(&rows).verdict;
}

static void an_order_is_given_and_changed(void **state)
{
    (void)state;
    assert_writes(order_decide_put(LIFECYCLE_OPEN, &nothing), 1, 1, ORDER_PLACED);
    assert_writes(order_decide_put(LIFECYCLE_OPEN, &placed), 1, 5, ORDER_PLACED);
    assert_writes(order_decide_take_back(&placed), 1, 5, ORDER_CANCELLED);
}

static void the_event_s_state_counts(void **state)
{
    (void)state;
    static const enum order_verdict verdicts[] = {
        [LIFECYCLE_DRAFT] = ORDER_NOT_YET,     [LIFECYCLE_LOBBY] = ORDER_WRITE,
        [LIFECYCLE_OPEN] = ORDER_WRITE,        [LIFECYCLE_PAUSED] = ORDER_WRITE,
        [LIFECYCLE_STOPPED] = ORDER_STOPPED,   [LIFECYCLE_SOLD_OUT] = ORDER_EVENT_SOLD_OUT,
        [LIFECYCLE_CLOSED] = ORDER_EVENT_OVER,
    };
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
        assert_int_equal(put((enum lifecycle_state)i, nothing), verdicts[i]);
        assert_int_equal(put((enum lifecycle_state)i, placed), verdicts[i]);
        // Who has tickets hears that, whatever the event's state.
        assert_int_equal(put((enum lifecycle_state)i, booked(ORDER_CONFIRMED)), ORDER_HAS_TICKETS);
    }
}

static void only_its_visitor_and_only_with_a_place(void **state)
{
    (void)state;
    struct order_rows foreign = placed, left = placed;
    foreign.arrived = false;
    left.left = true;
    assert_int_equal(put(LIFECYCLE_OPEN, foreign), ORDER_NO_ARRIVAL);
    assert_int_equal(take_back(foreign), ORDER_NO_ARRIVAL);
    assert_int_equal(put(LIFECYCLE_OPEN, left), ORDER_LEFT);
    assert_int_equal(take_back(left), ORDER_WRITE); // leaving does that itself; doing it once more harms nobody
}

static void what_is_released_stays(void **state)
{
    (void)state;
    struct order_rows released = placed;
    released.order_state = ORDER_RELEASED;
    assert_int_equal(put(LIFECYCLE_OPEN, released), ORDER_TOO_LATE);
    assert_int_equal(take_back(released), ORDER_TOO_LATE);
    static const enum order_state open[] = {ORDER_RELEASED,        ORDER_HELD,     ORDER_PAYING,
                                            ORDER_ACTION_REQUIRED, ORDER_DECLINED, ORDER_STANDBY};
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        assert_int_equal(put(LIFECYCLE_OPEN, booked(open[i])), ORDER_TOO_LATE);
        assert_int_equal(leave(booked(open[i])), ORDER_TOO_LATE); // who gives the place up keeps what is booked
    }
    assert_int_equal(take_back(booked(ORDER_RELEASED)),
                     ORDER_TOO_LATE); // an operator has just sent it on its way again
    assert_int_equal(take_back(booked(ORDER_PAYING)), ORDER_TOO_LATE);
    assert_int_equal(leave(booked(ORDER_CONFIRMED)), ORDER_TOO_LATE);
    assert_int_equal(leave(released), ORDER_TOO_LATE);
    assert_writes(order_decide_leave(&placed), 1, 5, ORDER_CANCELLED);
    assert_int_equal(take_back(booked(ORDER_CONFIRMED)), ORDER_HAS_TICKETS);
}

static void what_is_held_is_given_back(void **state)
{
    (void)state;
    static const enum order_state held[] = {ORDER_HELD, ORDER_ACTION_REQUIRED, ORDER_DECLINED, ORDER_STANDBY};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        struct order_rows rows = booked(held[i]);
        rows.is_lapsed = true; // nobody has swept it: it makes no difference
        struct order_decision decision = order_decide_take_back(&rows);
        assert_writes(decision, 2, 6, ORDER_CANCELLED);
        assert_true(decision.of_booking);
        order_rows_after(&rows, &decision);
        assert_int_equal(rows.revision, 3);
        assert_int_equal(rows.order_state, ORDER_RELEASED);
        assert_int_equal(take_back(rows), ORDER_UNCHANGED);
        assert_int_equal(more_time(rows), ORDER_NO_HOLD);
        assert_writes(order_decide_put(LIFECYCLE_OPEN, &rows), 3, 1, ORDER_PLACED);
    }
}

static void more_time_is_given_once(void **state)
{
    (void)state;
    static const enum order_state held[] = {ORDER_HELD, ORDER_DECLINED};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        struct order_rows rows = booked(held[i]), lapsed = rows;
        struct order_decision decision = order_decide_more_time(&rows);
        assert_writes(decision, 2, 6, held[i]);
        assert_true(decision.of_booking);
        order_rows_after(&rows, &decision);
        assert_int_equal(more_time(rows), ORDER_HAD_MORE_TIME);
        decision = order_decide_take_back(&rows);
        assert_writes(decision, 2, 7, ORDER_CANCELLED);
        lapsed.is_lapsed = true;
        assert_int_equal(more_time(lapsed), ORDER_LAPSED);
        lapsed.had_more_time = true;
        assert_int_equal(more_time(lapsed), ORDER_HAD_MORE_TIME);
    }
}

static void only_a_hold_has_a_time(void **state)
{
    (void)state;
    struct order_rows foreign = booked(ORDER_HELD);
    foreign.arrived = false;
    assert_int_equal(more_time(foreign), ORDER_NO_ARRIVAL);
    assert_int_equal(more_time(nothing), ORDER_NONE);
    assert_int_equal(more_time(placed), ORDER_NO_HOLD);
    for (int i = 0; i < ORDER_STATE_COUNT; i++)
        if (i != ORDER_HELD && i != ORDER_DECLINED)
            assert_int_equal(more_time(booked((enum order_state)i)), ORDER_NO_HOLD);
}

static struct order_rows payable(enum order_state state)
{
    struct order_rows rows = booked(state);
    rows.is_amount_due = true;
    return rows;
}

static enum order_verdict pay(struct order_rows rows)
{
    return order_decide_pay(LIFECYCLE_OPEN, &rows, true).verdict;
}

static void what_is_held_is_paid(void **state)
{
    (void)state;
    static const enum order_state held[] = {ORDER_HELD, ORDER_DECLINED};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        struct order_rows rows = payable(held[i]);
        struct order_decision decision = order_decide_pay(LIFECYCLE_CLOSED, &rows, true); // its holds may finish
        assert_writes(decision, 2, 6, ORDER_PAYING);
        assert_true(decision.of_booking);
        order_rows_after(&rows, &decision);
        assert_int_equal(rows.payment_count, 1);
        assert_false(rows.had_more_time);
        assert_int_equal(pay(rows), ORDER_IS_PAYING); // the other tab
        assert_int_equal(take_back(rows), ORDER_TOO_LATE);
        assert_int_equal(more_time(rows), ORDER_NO_HOLD);
    }
}

static void only_what_is_held_is_paid(void **state)
{
    (void)state;
    struct order_rows foreign = payable(ORDER_HELD);
    foreign.arrived = false;
    assert_int_equal(pay(foreign), ORDER_NO_ARRIVAL);
    assert_int_equal(pay(nothing), ORDER_NONE);
    assert_int_equal(pay(placed), ORDER_NO_HOLD);
    for (int i = 0; i < ORDER_STATE_COUNT; i++) {
        enum order_verdict verdict = pay(payable((enum order_state)i));
        if (i == ORDER_HELD || i == ORDER_DECLINED)
            assert_int_equal(verdict, ORDER_WRITE);
        else if (i == ORDER_PAYING || i == ORDER_ACTION_REQUIRED)
            assert_int_equal(verdict, ORDER_IS_PAYING);
        else
            assert_int_equal(verdict, i == ORDER_CONFIRMED ? ORDER_HAS_TICKETS : ORDER_NO_HOLD);
    }
}

static void paying_has_its_limits(void **state)
{
    (void)state;
    struct order_rows rows = payable(ORDER_DECLINED), open = rows, lapsed = rows, free_of_charge = rows;
    rows.payment_count = PAYMENT_TRIES_MAX - 1;
    assert_int_equal(pay(rows), ORDER_WRITE);
    assert_int_equal(order_decide_pay(LIFECYCLE_STOPPED, &rows, true).verdict, ORDER_STOPPED);
    assert_int_equal(order_decide_pay(LIFECYCLE_OPEN, &rows, false).verdict, ORDER_NO_MEANS);
    rows.payment_count++;
    assert_int_equal(pay(rows), ORDER_TOO_MANY_TRIES);
    open.is_payment_open = true; // money of an earlier one is still to go back
    assert_int_equal(pay(open), ORDER_IS_PAYING);
    lapsed.is_lapsed = true;
    assert_int_equal(pay(lapsed), ORDER_LAPSED);
    free_of_charge.is_amount_due = false;
    assert_int_equal(pay(free_of_charge), ORDER_NOTHING_DUE);
}

static void a_card_is_for_who_orders_or_could(void **state)
{
    (void)state;
    struct order_rows foreign = placed, left = placed, over = booked(ORDER_EXPIRED);
    foreign.arrived = false;
    left.left = true;
    left.order_state = ORDER_CANCELLED;
    assert_int_equal(order_decide_card(LIFECYCLE_OPEN, &foreign, false), ORDER_NO_ARRIVAL);
    assert_int_equal(order_decide_card(LIFECYCLE_OPEN, &left, false), ORDER_LEFT);
    assert_int_equal(order_decide_card(LIFECYCLE_OPEN, &nothing, false), ORDER_WRITE);
    assert_int_equal(order_decide_card(LIFECYCLE_OPEN, &nothing, true), ORDER_TURN_OVER);
    assert_int_equal(order_decide_card(LIFECYCLE_OPEN, &over, false), ORDER_WRITE);
    assert_int_equal(order_decide_card(LIFECYCLE_OPEN, &over, true), ORDER_TURN_OVER);
    for (int i = 0; i < ORDER_STATE_COUNT; i++) {
        struct order_rows rows = booked((enum order_state)i);
        rows.left = true;
        if (order_is_final(rows.booking_state))
            continue;
        // What is under way has to be paid, whatever became of the turn and of the event.
        assert_int_equal(order_decide_card(LIFECYCLE_CLOSED, &rows, true), ORDER_WRITE);
        assert_int_equal(order_decide_card(LIFECYCLE_STOPPED, &rows, true), ORDER_STOPPED);
    }
    struct order_rows confirmed = booked(ORDER_CONFIRMED);
    assert_int_equal(order_decide_card(LIFECYCLE_OPEN, &confirmed, false), ORDER_HAS_TICKETS);
    assert_int_equal(order_decide_card(LIFECYCLE_SOLD_OUT, &nothing, false), ORDER_EVENT_SOLD_OUT);
    assert_int_equal(order_decide_card(LIFECYCLE_CLOSED, &nothing, true), ORDER_EVENT_OVER);
    assert_int_equal(order_decide_card(LIFECYCLE_DRAFT, &nothing, false), ORDER_NOT_YET);
}

static void an_end_without_tickets_allows_another_attempt(void **state)
{
    (void)state;
    static const enum order_state ends[] = {ORDER_SOLD_OUT, ORDER_REFUSED, ORDER_EXPIRED, ORDER_FAILED};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct order_rows rows = booked(ends[i]), unbooked = placed;
        assert_writes(order_decide_put(LIFECYCLE_OPEN, &rows), 3, 1, ORDER_PLACED);
        assert_int_equal(take_back(rows), ORDER_ENDED);
        unbooked.order_state = ends[i]; // ended in bulk, before it was released
        assert_writes(order_decide_put(LIFECYCLE_OPEN, &unbooked), 2, 1, ORDER_PLACED);
        assert_int_equal(take_back(unbooked), ORDER_ENDED);
    }
    struct order_rows cancelled = placed;
    cancelled.order_state = ORDER_CANCELLED;
    assert_writes(order_decide_put(LIFECYCLE_OPEN, &cancelled), 2, 1, ORDER_PLACED);
    assert_int_equal(take_back(cancelled), ORDER_UNCHANGED);
    assert_int_equal(take_back(nothing), ORDER_NONE);
}

static void there_is_a_limit(void **state)
{
    (void)state;
    struct order_rows often = placed, many = booked(ORDER_SOLD_OUT);
    often.revision = ORDER_REVISIONS_MAX - 1;
    assert_int_equal(put(LIFECYCLE_OPEN, often), ORDER_WRITE);
    often.revision++;
    assert_int_equal(put(LIFECYCLE_OPEN, often), ORDER_TOO_OFTEN);
    assert_int_equal(take_back(often), ORDER_WRITE);
    many.attempt = ORDER_ATTEMPTS_MAX;
    assert_int_equal(put(LIFECYCLE_OPEN, many), ORDER_TOO_OFTEN);
}

static void several_go_one_after_another(void **state)
{
    (void)state;
    struct order_rows rows = booked(ORDER_SOLD_OUT);
    struct order_decision decision = order_decide_put(LIFECYCLE_OPEN, &rows);
    order_rows_after(&rows, &decision);
    assert_false(rows.booked); // the booking was the last attempt's
    decision = order_decide_put(LIFECYCLE_OPEN, &rows);
    assert_writes(decision, 3, 2, ORDER_PLACED);
    order_rows_after(&rows, &decision);
    decision = order_decide_take_back(&rows);
    assert_writes(decision, 3, 3, ORDER_CANCELLED);
    order_rows_after(&rows, &decision);
    decision = order_decide_take_back(&rows);
    order_rows_after(&rows, &decision);
    assert_int_equal(rows.revision, 3);
    assert_writes(order_decide_put(LIFECYCLE_OPEN, &rows), 4, 1, ORDER_PLACED);
}

// Whatever is written, the table of states allows.
static void the_table_of_states_is_kept(void **state)
{
    (void)state;
    for (int i = 0; i < ORDER_STATE_COUNT; i++) {
        struct order_rows rows = placed;
        rows.order_state = (enum order_state)i;
        struct order_decision changed = order_decide_put(LIFECYCLE_OPEN, &rows), back = order_decide_take_back(&rows);
        if (changed.verdict == ORDER_WRITE && changed.attempt == rows.attempt)
            assert_true(order_may_become(rows.order_state, changed.state, ORDER_BY_SYSTEM));
        if (changed.verdict == ORDER_WRITE && changed.attempt != rows.attempt)
            assert_true(order_allows_another(rows.order_state));
        if (back.verdict == ORDER_WRITE)
            assert_true(order_may_become(rows.order_state, back.state, ORDER_BY_SYSTEM));
        rows = booked((enum order_state)i);
        back = order_decide_take_back(&rows);
        assert_true(back.verdict != ORDER_WRITE || back.of_booking);
        if (back.verdict == ORDER_WRITE)
            assert_true(order_may_become(rows.booking_state, back.state, ORDER_BY_SYSTEM));
        rows.is_amount_due = true;
        struct order_decision paid = order_decide_pay(LIFECYCLE_OPEN, &rows, true);
        if (paid.verdict == ORDER_WRITE)
            assert_true(order_may_become(rows.booking_state, paid.state, ORDER_BY_SYSTEM));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_is_given_and_changed),
        cmocka_unit_test(the_event_s_state_counts),
        cmocka_unit_test(only_its_visitor_and_only_with_a_place),
        cmocka_unit_test(what_is_released_stays),
        cmocka_unit_test(what_is_held_is_given_back),
        cmocka_unit_test(more_time_is_given_once),
        cmocka_unit_test(only_a_hold_has_a_time),
        cmocka_unit_test(what_is_held_is_paid),
        cmocka_unit_test(only_what_is_held_is_paid),
        cmocka_unit_test(paying_has_its_limits),
        cmocka_unit_test(a_card_is_for_who_orders_or_could),
        cmocka_unit_test(an_end_without_tickets_allows_another_attempt),
        cmocka_unit_test(there_is_a_limit),
        cmocka_unit_test(several_go_one_after_another),
        cmocka_unit_test(the_table_of_states_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
