// SPDX-License-Identifier: Apache-2.0
#include "admin/audit_payment_rules.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void break_of(struct audit *audit, const struct audit_paid *paid, const char *format, ...) PRINTF_LIKE(3, 4);

static void break_of(struct audit *audit, const struct audit_paid *paid, const char *format, ...)
{
    char what[160], attempt[32] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    if (paid->attempt > 1)
        snprintf(attempt, sizeof(attempt), ", attempt %" PRIu64, paid->attempt);
    audit_violation(audit, AUDIT_PAYMENTS, "place %" PRIu64 "%s: %s", paid->place, attempt, what);
}

bool audit_payment_is_under_way(const struct audit_payment *payment)
{
    if (!payment->is_known)
        return false;
    return !payment_is_end(payment->state) || (payment->state == PAYMENT_CAPTURED && payment->aim == PAYMENT_GIVE_BACK);
}

static bool takes_money(const struct audit_payment *payment)
{
    return payment->is_known && payment_has_money(payment->state) && payment->aim != PAYMENT_GIVE_BACK;
}

static bool is_failed(const struct audit_payment *payment)
{
    return payment->is_known && payment->state == PAYMENT_FAILED;
}

static bool is_open(const struct audit_payment *payment)
{
    return payment->is_known && payment_is_open(payment->state);
}

// The booking waits for what becomes of it: it is open, or what was taken by mistake goes back first.
static bool is_waited_for(const struct audit_payment *payment)
{
    return !payment->is_foundling && (is_open(payment) || (payment->is_known && payment->state == PAYMENT_REFUNDING));
}

static bool is_try(const struct audit_payment *payment)
{
    return !payment->is_foundling;
}

// The provider is being asked for money, or the bank asks its question.
static bool asks_for_money(const struct audit_payment *payment)
{
    return payment->is_known && (payment->state == PAYMENT_CREATED || payment->state == PAYMENT_CONFIRMING ||
                                 payment->state == PAYMENT_CHALLENGED);
}

static size_t count_of(const struct audit_payment *payments, size_t count, bool (*is)(const struct audit_payment *))
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += is(&payments[i]);
    return found;
}

bool audit_payments_are_there(const struct audit_payment *payments, size_t count)
{
    return count_of(payments, count, takes_money) + count_of(payments, count, is_failed) > 0;
}

// ---------------------------------------------------------------- a payment for itself

// Whoever looks after it looks at it in time. What the provider does not answer may stay for as long as it is asked about.
static void check_under_way(struct audit *audit, const struct audit_paid *paid, const struct audit_payment *payment)
{
    const char *state = payment_state_name(payment->state);
    audit->payments_waiting++;
    if (payment->next_us == AUDIT_NO_TIME)
        break_of(audit, paid, "payment %" PRIu32 " is %s, and nobody will look at it again", payment->number, state);
    else if (audit->options.settled && payment->state == PAYMENT_REFUNDING && payment->has_refund)
        break_of(audit, paid, "payment %" PRIu32 " is still refunding: the refund waits for its bank", payment->number);
    else if (audit->options.settled)
        break_of(audit, paid, "payment %" PRIu32 " is still %s%s", payment->number, state,
                 payment->aim == PAYMENT_GIVE_BACK ? ", and is to be given back" : "");
    else if (!audit->is_stopped && audit->now_us - payment->next_us > AUDIT_OVERDUE_US)
        break_of(audit, paid, "payment %" PRIu32 " is %s, and was to be looked at %" PRId64 " s ago", payment->number,
                 state, (audit->now_us - payment->next_us) / 1000000);
}

static void check_payment(struct audit *audit, const struct audit_paid *paid, const struct audit_payment *payment)
{
    if (!payment->is_known) {
        break_of(audit, paid, "payment %" PRIu32 " is in a state, or has an aim, that does not exist", payment->number);
        return;
    }
    const char *state = payment_state_name(payment->state);
    if (paid->has_given && !payment->is_foundling && payment->amount != paid->amount)
        break_of(audit, paid, "payment %" PRIu32 " is of %" PRIu64 ", and the booking costs %" PRIu64, payment->number,
                 payment->amount, paid->amount);
    if (paid->has_booking && !payment->is_foundling && strcmp(payment->currency, paid->currency) != 0)
        break_of(audit, paid, "payment %" PRIu32 " is in %s, and the booking in %s", payment->number, payment->currency,
                 paid->currency);
    if (!payment->has_intent && payment->state != PAYMENT_CREATED && payment->state != PAYMENT_DECLINED &&
        payment->state != PAYMENT_VOIDED)
        break_of(audit, paid, "payment %" PRIu32 " is %s, and the provider's id of it is not known", payment->number,
                 state);
    if ((payment->state == PAYMENT_CAPTURED && !payment->is_captured) ||
        (payment->state == PAYMENT_REFUNDED && !payment->is_returned))
        break_of(audit, paid, "payment %" PRIu32 " is %s, and nobody knows when", payment->number, state);
    if (audit_payment_is_under_way(payment))
        check_under_way(audit, paid, payment);
}

static void check_numbers(struct audit *audit, const struct audit_paid *paid)
{
    for (size_t i = 0; i < paid->count; i++) {
        if (paid->payments[i].number == i + 1)
            continue;
        break_of(audit, paid, "payment %zu is missing", i + 1);
        break;
    }
    const size_t tries = count_of(paid->payments, paid->count, is_try);
    if (tries > PAYMENT_TRIES_MAX)
        break_of(audit, paid, "has %zu payments, and %d are allowed", tries, PAYMENT_TRIES_MAX);
    if (count_of(paid->payments, paid->count, is_open) > 1)
        break_of(audit, paid, "has more than one payment that is open");
}

// ---------------------------------------------------------------- the booking with its payments

static bool is_captured(const struct audit_payment *payment)
{
    return takes_money(payment) && payment->state == PAYMENT_CAPTURED;
}

// What the provider must have taken for it.
static void count_booked(struct audit *audit, const struct audit_paid *paid)
{
    struct audit_money *money =
        count_of(paid->payments, paid->count, is_captured) ? audit_money(audit, paid->currency) : NULL;
    if (money)
        money->booked += paid->amount;
}

// Nobody gets something for nothing, nobody pays twice.
static void check_confirmed(struct audit *audit, const struct audit_paid *paid)
{
    const size_t taking = count_of(paid->payments, paid->count, takes_money);
    for (size_t i = 0; i < paid->count; i++)
        if (asks_for_money(&paid->payments[i]))
            break_of(audit, paid, "is confirmed, and payment %" PRIu32 " is still %s", paid->payments[i].number,
                     payment_state_name(paid->payments[i].state));
    count_booked(audit, paid);
    if (taking > 1)
        break_of(audit, paid, "is confirmed, and %zu of its payments take the money", taking);
    if (paid->amount == 0 || audit_payments_are_there(paid->payments, paid->count) || paid->by == AUDIT_BY_OPERATOR)
        return;
    // Where the provider takes the money now, what is confirmed at once was booked before it did.
    const bool is_of_before = !audit->options.takes_money || audit->first_payment_us == AUDIT_NO_TIME ||
                              paid->confirmed_us <= audit->first_payment_us;
    if (paid->by == AUDIT_BY_PAYER || !is_of_before)
        break_of(audit, paid, "is confirmed, and nothing of its %" PRIu64 " %s is authorised or captured", paid->amount,
                 paid->currency);
}

static bool may_ask(const struct audit_paid *paid, const struct audit_payment *payment)
{
    if (paid->state == ORDER_PAYING)
        return payment->state != PAYMENT_CHALLENGED;
    if (paid->state == ORDER_ACTION_REQUIRED)
        return payment->state != PAYMENT_CREATED;
    return paid->state == ORDER_CANCELLED && payment->aim == PAYMENT_GIVE_BACK;
}

// Nobody pays for nothing.
static void check_unconfirmed(struct audit *audit, const struct audit_paid *paid)
{
    const char *state = order_state_name(paid->state);
    for (size_t i = 0; i < paid->count; i++) {
        const struct audit_payment *payment = &paid->payments[i];
        if (takes_money(payment) || (asks_for_money(payment) && !may_ask(paid, payment)))
            break_of(audit, paid, "is %s, and payment %" PRIu32 " is %s", state, payment->number,
                     payment_state_name(payment->state));
    }
    if ((paid->state == ORDER_PAYING || paid->state == ORDER_ACTION_REQUIRED) &&
        count_of(paid->payments, paid->count, is_waited_for) == 0)
        break_of(audit, paid, "is %s, and no payment of it is open", state);
}

static void check_refund(struct audit *audit, const struct audit_paid *paid)
{
    size_t under_way = 0, back = 0, failed = 0, money = 0;
    const size_t all_under_way = count_of(paid->payments, paid->count, audit_payment_is_under_way);
    for (size_t i = 0; i < paid->count; i++) {
        const struct audit_payment *payment = &paid->payments[i];
        if (payment->is_foundling)
            continue;
        under_way += audit_payment_is_under_way(payment);
        money += payment->is_known && payment_has_money(payment->state);
        back += payment->is_known && (payment->state == PAYMENT_VOIDED || payment->state == PAYMENT_REFUNDED);
        failed += is_failed(payment);
    }
    if (paid->state != ORDER_CANCELLED)
        break_of(audit, paid, "is %s, and has a refund", order_state_name(paid->state));
    else if (strcmp(paid->refund, "pending") == 0  ? all_under_way == 0
             : strcmp(paid->refund, "done") == 0   ? under_way > 0 || money > 0 || back == 0
             : strcmp(paid->refund, "failed") == 0 ? failed == 0
                                                   : true)
        break_of(audit, paid, "the refund is %s, and its payments are not", paid->refund);
}

// Places may not go to somebody else while the bank may still let the money through.
static void check_freeing(struct audit *audit, const struct audit_paid *paid)
{
    if (paid->waits_for_payment && count_of(paid->payments, paid->count, audit_payment_is_under_way) == 0)
        break_of(audit, paid, "its places wait for a payment, and none is under way");
    for (size_t i = 0; i < paid->count; i++)
        if (!paid->waits_for_payment && paid->was == ORDER_ACTION_REQUIRED && is_open(&paid->payments[i]) &&
            !paid->payments[i].is_foundling)
            break_of(audit, paid, "its places go back, and payment %" PRIu32 " may still be authorised",
                     paid->payments[i].number);
}

void audit_payment_rules(struct audit *audit, const struct audit_paid *paid)
{
    for (size_t i = 0; i < paid->count; i++) {
        if (paid->has_booking || paid->payments[i].is_foundling)
            check_payment(audit, paid, &paid->payments[i]);
        else
            break_of(audit, paid, "has a payment, and no booking");
    }
    if (!paid->has_booking)
        return;
    check_numbers(audit, paid);
    if (paid->state == ORDER_CONFIRMED)
        check_confirmed(audit, paid);
    else
        check_unconfirmed(audit, paid);
    if (paid->refund)
        check_refund(audit, paid);
    if (paid->waits_to_be_freed)
        check_freeing(audit, paid);
}
