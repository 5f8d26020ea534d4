// SPDX-License-Identifier: Apache-2.0
// Keeps of each visitor the last thing of every kind, and compares.
#include "bench/crowd/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "bench/crowd/check_order.h"
#include "bench/crowd/passing.h"

struct visitor {
    uint64_t place, seat;
    uint64_t ahead, served; // the last that was told, or follows from what was told
    bool has_ahead, asked, joined, turned_away, has_reference, order_gone, let_in, left, over, at_end, failed;
    int64_t asked_us, let_in_us, at_end_us, left_us;
    struct check_order order;
};

// Numbers (places, seats) and whose they are: open addressing, at most half full.
struct owners {
    struct owner {
        uint64_t number; // 0: empty
        uint32_t visitor;
    } * slots;
    size_t mask;
};

struct check {
    void (*report)(void *data, const char *text);
    void *data;
    bool begun, ended, faults, interrupted;
    int64_t heard_end_us; // when somebody first heard that the event is at its end; -1: nobody did
    int64_t patience_us;
    uint32_t visitor_count;
    int64_t last_us;
    struct visitor *visitors; // by number - 1
    struct owners places, seats, references;
    struct passing passing;
    uint64_t served_max; // that anybody heard
    uint64_t violations[CHECK_RULE_COUNT];
    struct check_counts counts;
};

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
    free(check->places.slots);
    free(check->seats.slots);
    free(check->references.slots);
    passing_done(&check->passing);
    free(check);
}

// `visitor` 0: it is nobody's in particular.
PRINTF_LIKE(4, 5)
static void violation(struct check *check, enum check_rule rule, uint32_t visitor, const char *format, ...)
{
    char what[200], text[300];
    va_list arguments;
    check->violations[rule]++;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    double seconds = (double)check->last_us / 1e6;
    if (visitor)
        (void)snprintf(text, sizeof text, "%s: visitor %" PRIu32 " at %.3f s: %s", rules[rule], visitor, seconds, what);
    else
        (void)snprintf(text, sizeof text, "%s: at %.3f s: %s", rules[rule], seconds, what);
    check->report(check->data, text);
}

static bool owners_init(struct owners *owners, uint32_t count)
{
    size_t size = 16;
    while (size < (size_t)count * 2)
        size *= 2;
    owners->slots = calloc(size, sizeof *owners->slots);
    owners->mask = size - 1;
    return owners->slots != NULL;
}

// Whose the number is; it becomes this visitor's if it is nobody's yet.
static uint32_t owners_take(struct owners *owners, uint64_t number, uint32_t visitor)
{
    size_t at = (size_t)(number * UINT64_C(0x9E3779B97F4A7C15) >> 20) & owners->mask;
    while (owners->slots[at].number != 0 && owners->slots[at].number != number)
        at = (at + 1) & owners->mask;
    if (owners->slots[at].number == 0)
        owners->slots[at] = (struct owner){number, visitor};
    return owners->slots[at].visitor;
}

static void begin(struct check *check, const struct told *told)
{
    check->visitor_count = (uint32_t)told->visitors;
    check->faults = told->faults;
    check->visitors = calloc(check->visitor_count, sizeof *check->visitors);
    check->patience_us = told->patience_seconds * 1000000;
    if (!check->visitors || !owners_init(&check->places, check->visitor_count) ||
        !owners_init(&check->seats, check->visitor_count) || !owners_init(&check->references, check->visitor_count)) {
        violation(check, CHECK_RECORD, 0, "out of memory for %" PRIu32 " visitors", check->visitor_count);
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
        violation(check, CHECK_PLACE_CHANGED, visitor, "had %s %" PRIu64 ", and is now told %" PRIu64, what, *mine,
                  number);
        return;
    }
    *mine = number;
    uint32_t owner = owners_take(owners, number, visitor);
    if (owner != visitor)
        violation(check, CHECK_PLACE_TWICE, visitor, "%s %" PRIu64 " is visitor %" PRIu32 "'s", what, number, owner);
}

static void take_ahead(struct check *check, struct visitor *visitor, uint32_t number, uint64_t ahead)
{
    if (visitor->has_ahead && ahead > visitor->ahead)
        violation(check, CHECK_POSITION_GREW, number, "had %" PRIu64 " ahead, and now %" PRIu64, visitor->ahead, ahead);
    visitor->has_ahead = true;
    visitor->ahead = ahead;
}

static void take_line(struct check *check, struct visitor *visitor, const struct told *told)
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
            violation(check, CHECK_FAILED, told->visitor, "is told of having left, and has not");
        break;
    default:
        if (visitor->let_in || (told->line == TOLD_LOBBY && visitor->place))
            violation(check, CHECK_LINE_BACK, told->visitor, "is told to wait, having been let in or placed before");
        break;
    }
}

static void take_join(struct check *check, struct visitor *visitor, const struct told *told)
{
    if (told->kind == TOLD_JOIN) {
        if (told->status != 201)
            violation(check, CHECK_FAILED, told->visitor, "joining was answered with %" PRId64, told->status);
        if (visitor->joined)
            violation(check, CHECK_RECORD, told->visitor, "joins twice");
        visitor->joined = true;
        check->counts.joined++;
    } else {
        if (told->status != 200)
            violation(check, CHECK_PLACE_CHANGED, told->visitor, "coming back was answered with %" PRId64,
                      told->status);
        check->counts.rejoined++;
    }
    take_line(check, visitor, told);
}

static void take_served(struct check *check, struct visitor *visitor, const struct told *told)
{
    if (told->served < visitor->served)
        violation(check, CHECK_SERVED_BACK, told->visitor, "heard served %" PRIu64 ", and now %" PRIu64,
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
static void take_reference(struct check *check, struct visitor *visitor, const struct told *told)
{
    uint64_t number = 0;
    if (visitor->has_reference || !told->order.reference[0])
        return;
    visitor->has_reference = true;
    for (const char *at = told->order.reference; *at; at++)
        number = number * 131 + (uint8_t)*at; // nine bytes: no two references that are written properly are one number
    uint32_t owner = owners_take(&check->references, number, told->visitor);
    if (owner != told->visitor)
        violation(check, CHECK_REFERENCE_TWICE, told->visitor, "%s is visitor %" PRIu32 "'s", told->order.reference,
                  owner);
}

// Takes the order out of the counts before it changes, and into them after.
static void count_order(struct check_counts *counts, const struct check_order *order, bool in)
{
    if (!order->known)
        return;
    uint64_t tickets = order->state == ORDER_CONFIRMED ? order->quantity : 0;
    if (in) {
        counts->ordered++;
        counts->orders[order->state]++;
        counts->sold += tickets;
    } else {
        counts->ordered--;
        counts->orders[order->state]--;
        counts->sold -= tickets;
    }
}

static void take_order(struct check *check, struct visitor *visitor, const struct told *told)
{
    char why[160];
    count_order(&check->counts, &visitor->order, false);
    enum check_rule broken = check_order_take(&visitor->order, told, why, sizeof why);
    count_order(&check->counts, &visitor->order, true);
    if (broken != CHECK_RULE_COUNT)
        violation(check, broken, told->visitor, "%s", why);
    if (told->kind == TOLD_ORDER_REFUSED && told->status == 410)
        visitor->order_gone = true;
    if (told->kind == TOLD_ORDER || told->kind == TOLD_ORDER_ANSWER)
        take_reference(check, visitor, told);
}

void check_take(struct check *check, const struct told *told)
{
    if (told->at_us < check->last_us)
        violation(check, CHECK_RECORD, told->visitor, "time goes back by %" PRId64 " us", check->last_us - told->at_us);
    else
        check->last_us = told->at_us;
    if (check->begun == (told->kind == TOLD_BEGIN) || check->ended) {
        violation(check, CHECK_RECORD, told->visitor, "a line (%s) where none may be", told_kind_name(told->kind));
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
        violation(check, CHECK_RECORD, told->visitor, "there is no such visitor");
        return;
    }
    struct visitor *visitor = &check->visitors[told->visitor - 1];
    if (!visitor->joined && (told->kind == TOLD_REJOIN || (told->kind >= TOLD_OPENED && told->kind <= TOLD_CLOSED)))
        violation(check, CHECK_RECORD, told->visitor, "hears something (%s) before joining",
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
    case TOLD_LOST:
        take_order(check, visitor, told);
        if (!check->faults)
            violation(check, CHECK_INTERRUPTED, told->visitor, "an answer or a stream broke off");
        break;
    case TOLD_LEFT:
        visitor->left = true;
        visitor->left_us = told->at_us;
        check->counts.left++;
        break;
    case TOLD_FAILED:
        visitor->failed = true;
        violation(check, CHECK_FAILED, told->visitor, "an answer that should not have come (status %" PRId64 ")",
                  told->status);
        break;
    default:
        break;
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// Since when the visitor's order should have an end soon; INT64_MAX: not yet, or it has one.
static int64_t order_due_us(const struct check *check, const struct visitor *visitor)
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
    return due_us < visitor->order.changed_us ? visitor->order.changed_us : due_us;
}

uint64_t check_overdue(const struct check *check, int64_t now_us)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < check->visitor_count && check->begun; i++)
        count += order_due_us(check, &check->visitors[i]) < now_us - check->patience_us;
    return count;
}

static void end_order(struct check *check, const struct visitor *visitor, uint32_t number)
{
    const struct check_order *order = &visitor->order;
    int64_t late_us = check->last_us - check->patience_us;
    if (order_due_us(check, visitor) < late_us && !check->interrupted)
        violation(check, CHECK_NO_OUTCOME, number, "was last told that the order is %s, and nothing more",
                  order_state_name(order->state));
    if (order->under_way && order->asked_us < late_us && !check->interrupted)
        violation(check, CHECK_NOT_ANSWERED, number,
                  "asked for something about the order at %.3f s, and was not answered", (double)order->asked_us / 1e6);
    if (order->known && order_has_places(order->state) && visitor->place > check->served_max &&
        order->told_us < check->last_us - CHECK_GRACE_US)
        violation(check, CHECK_TOO_EARLY, number,
                  "was booked with place %" PRIu64 " when served was %" PRIu64 " at most", visitor->place,
                  check->served_max);
}

static void end_visitor(struct check *check, const struct visitor *visitor, uint32_t number)
{
    int64_t late_us = check->last_us - CHECK_GRACE_US;
    if (visitor->turned_away && check->heard_end_us < 0)
        violation(check, CHECK_FAILED, number, "was turned away, and nobody heard that the event is at its end");
    if (visitor->order_gone && !visitor->over && check->heard_end_us < 0)
        violation(check, CHECK_FAILED, number,
                  "came too late with the order, and neither the turn nor the event is over");
    if (visitor->failed)
        return;
    end_order(check, visitor, number);
    if (visitor->left)
        return;
    if (visitor->asked && !visitor->joined && !visitor->turned_away && visitor->asked_us < late_us &&
        !check->interrupted)
        violation(check, CHECK_NOT_ANSWERED, number, "asked to join and never got a place");
    if (visitor->place == 0)
        return;
    if (visitor->let_in && visitor->place > check->served_max && visitor->let_in_us < late_us)
        violation(check, CHECK_TOO_EARLY, number,
                  "was let in with place %" PRIu64 " when served was %" PRIu64 " at most", visitor->place,
                  check->served_max);
    int64_t passed_us = passing_at_us(&check->passing, visitor->place);
    if (!visitor->let_in && !visitor->at_end && passed_us >= 0 && passed_us < late_us)
        violation(check, CHECK_NOT_LET_IN, number, "place %" PRIu64 " was passed at %.3f s, and nobody told them",
                  visitor->place, (double)passed_us / 1e6);
}

void check_end(struct check *check)
{
    if (!check->ended)
        violation(check, CHECK_RECORD, 0, check->begun ? "the record breaks off" : "there is no beginning");
    for (uint32_t i = 0; i < check->visitor_count && check->begun; i++)
        end_visitor(check, &check->visitors[i], i + 1);
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
