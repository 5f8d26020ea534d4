// SPDX-License-Identifier: Apache-2.0
// Keeps of each visitor the last thing of every kind, and compares.
#include "bench/crowd/check_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const rules[] = {
    [CHECK_RECORD] = "record",
    [CHECK_PLACE_TWICE] = "place_twice",
    [CHECK_PLACE_CHANGED] = "place_changed",
    [CHECK_POSITION_GREW] = "position_grew",
    [CHECK_SERVED_BACK] = "served_back",
    [CHECK_LINE_BACK] = "line_back",
    [CHECK_TOO_EARLY] = "too_early",
    [CHECK_NOT_LET_IN] = "not_let_in",
    [CHECK_NOT_ANSWERED] = "not_answered",
    [CHECK_INTERRUPTED] = "interrupted",
    [CHECK_FAILED] = "failed",
    [CHECK_ORDER_UNASKED] = "order_unasked",
    [CHECK_ORDER_WRONG] = "order_wrong",
    [CHECK_ORDER_BACK] = "order_back",
    [CHECK_ORDER_LOST] = "order_lost",
    [CHECK_STATE_WRONG] = "state_wrong",
    [CHECK_HOLD_WRONG] = "hold_wrong",
    [CHECK_SEAT_WRONG] = "seat_wrong",
    [CHECK_SEAT_TWICE] = "seat_twice",
    [CHECK_STANDBY_ORDER] = "standby_order",
    [CHECK_NOT_PAID] = "not_paid",
    [CHECK_DECLINED_WRONG] = "declined_wrong",
    [CHECK_CHALLENGE_WRONG] = "challenge_wrong",
    [CHECK_MONEY_MISSING] = "money_missing",
    [CHECK_MONEY_WRONG] = "money_wrong",
    [CHECK_MONEY_TWICE] = "money_twice",
    [CHECK_MONEY_TAKEN] = "money_taken",
    [CHECK_MONEY_OPEN] = "money_open",
    [CHECK_FINAL_CHANGED] = "final_changed",
    [CHECK_REFERENCE_TWICE] = "reference_twice",
    [CHECK_NO_OUTCOME] = "no_outcome",
};

const char *check_rule_name(enum check_rule rule)
{
    return rules[rule];
}

struct check *check_new(void (*report)(void *data, const char *text), void *data)
{
    struct check *check = calloc(1, sizeof *check);
    if (check) {
        check->report = report;
        check->data = data;
        check->heard_end_us = -1;
    }
    return check;
}

void check_free(struct check *check)
{
    if (!check)
        return;
    free(check->visitors);
    owners_done(&check->places);
    owners_done(&check->seats);
    owners_done(&check->references);
    check_seats_done(&check->hall);
    passing_done(&check->passing);
    free(check);
}

void check_violation(struct check *check, enum check_rule rule, uint32_t number, const char *format, ...)
{
    char what[200], text[300];
    va_list arguments;
    check->violations[rule]++;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    double seconds = (double)check->last_us / 1e6;
    if (number)
        (void)snprintf(text, sizeof text, "%s: visitor %" PRIu32 " at %.3f s: %s", rules[rule], number, seconds, what);
    else
        (void)snprintf(text, sizeof text, "%s: at %.3f s: %s", rules[rule], seconds, what);
    check->report(check->data, text);
}

static void begin(struct check *check, const struct told *told)
{
    check->visitor_count = (uint32_t)told->visitors;
    check->faults = told->faults;
    check->began_us = told->began_us;
    check->has_desk = told->has_desk;
    check->has_cards = told->has_cards;
    memcpy(check->event, told->event, sizeof check->event);
    check->hold_us = told->hold_seconds * 1000000;
    check->visitors = calloc(check->visitor_count, sizeof *check->visitors);
    check->patience_us = told->patience_seconds * 1000000;
    if (!check->visitors || !owners_init(&check->places, check->visitor_count) ||
        !owners_init(&check->seats, check->visitor_count) || !owners_init(&check->references, check->visitor_count)) {
        check_violation(check, CHECK_RECORD, 0, "out of memory for %" PRIu32 " visitors", check->visitor_count);
        return;
    }
    check->begun = true;
    check->counts.visitors = check->visitor_count;
}

// A number that came with an answer or a frame: the visitor's only one, and nobody else's. Only the first is taken, so the
// table never holds more numbers than there are visitors.
static void take_number(struct check *check, struct owners *owners, const char *what, uint64_t number, uint64_t *mine,
                        uint32_t visitor)
{
    if (number == 0 || number == *mine)
        return;
    if (*mine != 0) {
        check_violation(check, CHECK_PLACE_CHANGED, visitor, "had %s %" PRIu64 ", and is now told %" PRIu64, what,
                        *mine, number);
        return;
    }
    *mine = number;
    uint32_t owner = owners_take(owners, number, visitor);
    if (owner != visitor)
        check_violation(check, CHECK_PLACE_TWICE, visitor, "%s %" PRIu64 " is visitor %" PRIu32 "'s", what, number,
                        owner);
}

static void take_ahead(struct check *check, struct check_visitor *visitor, uint32_t number, uint64_t ahead)
{
    if (visitor->has_ahead && ahead > visitor->ahead)
        check_violation(check, CHECK_POSITION_GREW, number, "had %" PRIu64 " ahead, and now %" PRIu64, visitor->ahead,
                        ahead);
    visitor->has_ahead = true;
    visitor->ahead = ahead;
}

static void take_line(struct check *check, struct check_visitor *visitor, const struct told *told)
{
    take_number(check, &check->places, "place", told->place, &visitor->place, told->visitor);
    // In the answers that come once there are places the seat is left out.
    take_number(check, &check->seats, "seat", told->seat, &visitor->seat, told->visitor);
    if (told->has_ahead)
        take_ahead(check, visitor, told->visitor, told->ahead);
    switch (told->line) {
    case TOLD_TURN:
        passing_note(&check->passing, told->place, told->at_us);
        if (!visitor->let_in) {
            visitor->let_in = true;
            visitor->let_in_us = told->at_us;
            check->counts.let_in++;
        }
        break;
    case TOLD_OVER:
        if (!visitor->over)
            check->counts.over++;
        visitor->over = true;
        break;
    case TOLD_HAS_LEFT:
        if (!visitor->left)
            check_violation(check, CHECK_FAILED, told->visitor, "is told of having left, and has not");
        break;
    default:
        if (visitor->let_in || (told->line == TOLD_LOBBY && visitor->place))
            check_violation(check, CHECK_LINE_BACK, told->visitor,
                            "is told to wait, having been let in or placed before");
        break;
    }
}

static void take_join(struct check *check, struct check_visitor *visitor, const struct told *told)
{
    if (told->kind == TOLD_JOIN) {
        if (told->status != 201)
            check_violation(check, CHECK_FAILED, told->visitor, "joining was answered with %" PRId64, told->status);
        if (visitor->joined)
            check_violation(check, CHECK_RECORD, told->visitor, "joins twice");
        visitor->joined = true;
        check->counts.joined++;
    } else {
        if (told->status != 200)
            check_violation(check, CHECK_PLACE_CHANGED, told->visitor, "coming back was answered with %" PRId64,
                            told->status);
        check->counts.rejoined++;
    }
    take_line(check, visitor, told);
}

static void take_served(struct check *check, struct check_visitor *visitor, const struct told *told)
{
    if (told->served < visitor->served)
        check_violation(check, CHECK_SERVED_BACK, told->visitor, "heard served %" PRIu64 ", and now %" PRIu64,
                        visitor->served, told->served);
    visitor->served = told->served;
    if (told->served > check->served_max)
        check->served_max = told->served;
    passing_note(&check->passing, told->served, told->at_us);
    if (visitor->place)
        take_ahead(check, visitor, told->visitor,
                   told->served + 1 < visitor->place ? visitor->place - told->served - 1 : 0);
}

// A reference as a number: what is said at the door must be one visitor's. Only a visitor's first is taken.
static void take_reference(struct check *check, struct check_visitor *visitor, const struct told *told)
{
    uint64_t number = 0;
    if (visitor->has_reference || !told->order.reference[0])
        return;
    visitor->has_reference = true;
    for (const char *at = told->order.reference; *at; at++)
        number = number * 131 + (uint8_t)*at; // nine bytes: no two references that are written properly are one number
    uint32_t owner = owners_take(&check->references, number, told->visitor);
    if (owner != told->visitor)
        check_violation(check, CHECK_REFERENCE_TWICE, told->visitor, "%s is visitor %" PRIu32 "'s",
                        told->order.reference, owner);
}

// Takes the order out of the counts before it changes, and into them after.
static void count_order(struct check_counts *counts, const struct check_order *order, bool in)
{
    if (!order->known)
        return;
    bool confirmed = order->state == ORDER_CONFIRMED;
    uint64_t sign = in ? 1 : UINT64_MAX; // adding the latter takes away one
    counts->ordered += sign;
    counts->orders[order->state] += sign;
    counts->sold += confirmed ? sign * order->quantity : 0;
    counts->owed += confirmed ? sign * order->amount : 0;
    counts->seated += confirmed && order->seat_count > 0 ? sign : 0;
    counts->split += confirmed && order->groups > 1 ? sign : 0;
}

// The booking has changed, by what the visitor was just told.
static void take_change(struct check *check, const struct check_order *order, const struct told *told, int64_t utc_us)
{
    if (order->state != ORDER_PLACED && order->state != ORDER_RELEASED)
        check->moved_us = check_later(check->moved_us, told->at_us);
    check->moved_us = check_later(check->moved_us, check_hold_end_us(check, order));
    if (order_has_places(order->state)) {
        uint32_t other = check_seats_take(&check->hall, told->visitor, order, told, utc_us);
        if (other)
            check_violation(check, CHECK_SEAT_TWICE, told->visitor, "is told of a seat that visitor %" PRIu32 " has",
                            other);
    }
    if (order->state != ORDER_CONFIRMED || told->order.amount == 0)
        return;
    if (check->has_cards && !check_order_has_paid_by_card(order))
        check_violation(check, CHECK_NOT_PAID, told->visitor, "is confirmed, and gave no card in time that could pay");
    if (!check->has_desk)
        return;
    if (order->paid_us == TOLD_NO_TIME)
        check_violation(check, CHECK_NOT_PAID, told->visitor, "is confirmed, and has not paid");
    // What is shown has milliseconds, and may be as much too early.
    else if (order->pay_until_us != TOLD_NO_TIME && order->paid_us > order->pay_until_us + 1000)
        check_violation(check, CHECK_NOT_PAID, told->visitor, "is confirmed, having paid %.3f s too late",
                        (double)(order->paid_us - order->pay_until_us) / 1e6);
}

static void count_payment(struct check *check, struct check_visitor *visitor, const struct told *told)
{
    check->counts.cards += told->kind == TOLD_ORDER_ASKED && told->verb == TOLD_PAY;
    if (told->kind != TOLD_ORDER && told->kind != TOLD_ORDER_ANSWER)
        return;
    check->counts.declined += told->order.state == ORDER_DECLINED && !visitor->was_declined;
    check->counts.challenged += told->order.state == ORDER_ACTION_REQUIRED && !visitor->was_challenged;
    visitor->was_declined = visitor->was_declined || told->order.state == ORDER_DECLINED;
    visitor->was_challenged = visitor->was_challenged || told->order.state == ORDER_ACTION_REQUIRED;
}

static void take_order(struct check *check, struct check_visitor *visitor, const struct told *told)
{
    char why[160];
    struct check_order *order = &visitor->order;
    const struct check_version before = order->told;
    int64_t utc_us = check->began_us == TOLD_NO_TIME ? TOLD_NO_TIME : check->began_us + told->at_us;
    count_order(&check->counts, order, false);
    enum check_rule broken = check_order_take(order, told, utc_us, why, sizeof why);
    count_order(&check->counts, order, true);
    count_payment(check, visitor, told);
    if (broken != CHECK_RULE_COUNT)
        check_violation(check, broken, told->visitor, "%s", why);
    else if (order->told.attempt != before.attempt || order->told.revision != before.revision)
        take_change(check, order, told, utc_us);
    if (told->kind == TOLD_ORDER_REFUSED && told->status == 410)
        visitor->order_gone = true;
    if (told->kind == TOLD_ORDER || told->kind == TOLD_ORDER_ANSWER)
        take_reference(check, visitor, told);
}

void check_take(struct check *check, const struct told *told)
{
    if (told->at_us < check->last_us)
        check_violation(check, CHECK_RECORD, told->visitor, "time goes back by %" PRId64 " us",
                        check->last_us - told->at_us);
    else
        check->last_us = told->at_us;
    if (check->begun == (told->kind == TOLD_BEGIN) || check->ended) {
        check_violation(check, CHECK_RECORD, told->visitor, "a line (%s) where none may be",
                        told_kind_name(told->kind));
        return;
    }
    if (told->kind == TOLD_BEGIN) {
        begin(check, told);
        return;
    }
    if (told->kind == TOLD_END) {
        check->ended = true;
        check->interrupted = told->interrupted;
        return;
    }
    if (told->visitor == 0 || told->visitor > check->visitor_count) {
        check_violation(check, CHECK_RECORD, told->visitor, "there is no such visitor");
        return;
    }
    struct check_visitor *visitor = &check->visitors[told->visitor - 1];
    if (!visitor->joined && (told->kind == TOLD_REJOIN || (told->kind >= TOLD_OPENED && told->kind <= TOLD_CLOSED)))
        check_violation(check, CHECK_RECORD, told->visitor, "hears something (%s) before joining",
                        told_kind_name(told->kind));
    switch (told->kind) {
    case TOLD_ASKED:
        if (!visitor->asked)
            check->counts.asked++;
        visitor->asked = true;
        visitor->asked_us = told->at_us;
        break;
    case TOLD_JOIN:
    case TOLD_REJOIN:
        take_join(check, visitor, told);
        break;
    case TOLD_LINE:
        take_line(check, visitor, told);
        break;
    case TOLD_SERVED:
        take_served(check, visitor, told);
        break;
    case TOLD_EVENT:
        if (told->at_end && !visitor->at_end)
            visitor->at_end_us = told->at_us;
        visitor->at_end = told->at_end;
        if (told->at_end && check->heard_end_us < 0)
            check->heard_end_us = told->at_us;
        break;
    case TOLD_TURNED_AWAY:
        if (!visitor->turned_away)
            check->counts.turned_away++;
        visitor->turned_away = true;
        break;
    case TOLD_ORDER:
    case TOLD_ORDER_ASKED:
    case TOLD_ORDER_ANSWER:
    case TOLD_ORDER_REFUSED:
    case TOLD_CLOSED:
        take_order(check, visitor, told);
        break;
    case TOLD_ANSWERS:
        take_order(check, visitor, told);
        break;
    case TOLD_PAYS:
        take_order(check, visitor, told);
        check->counts.paid++;
        break;
    case TOLD_LOST:
        take_order(check, visitor, told);
        if (!check->faults)
            check_violation(check, CHECK_INTERRUPTED, told->visitor, "an answer or a stream broke off");
        break;
    case TOLD_LEFT:
        visitor->left = true;
        visitor->left_us = told->at_us;
        check->counts.left++;
        break;
    case TOLD_FAILED:
        visitor->failed = true;
        check_violation(check, CHECK_FAILED, told->visitor, "an answer that should not have come (status %" PRId64 ")",
                        told->status);
        break;
    default:
        break;
    }
}

uint64_t check_violations(const struct check *check)
{
    uint64_t sum = 0;
    for (enum check_rule rule = 0; rule < CHECK_RULE_COUNT; rule++)
        sum += check->violations[rule];
    return sum;
}

uint64_t check_violations_of(const struct check *check, enum check_rule rule)
{
    return check->violations[rule];
}

int64_t check_passed_at_us(const struct check *check, uint64_t place)
{
    return passing_at_us(&check->passing, place);
}

int64_t check_end_heard_at_us(const struct check *check)
{
    return check->heard_end_us;
}

void check_count(const struct check *check, struct check_counts *ret)
{
    *ret = check->counts;
}
