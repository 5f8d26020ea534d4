// SPDX-License-Identifier: Apache-2.0
// Keeps of each visitor the last thing of every kind, and compares.
#include "bench/crowd/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "bench/crowd/passing.h"

struct visitor {
    uint64_t place, seat;
    uint64_t ahead, served; // the last that was told, or follows from what was told
    bool has_ahead, asked, joined, let_in, left, over, at_end, failed;
    int64_t asked_us, let_in_us;
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
    uint32_t visitor_count;
    int64_t last_us;
    struct visitor *visitors; // by number - 1
    struct owners places, seats;
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
    if (!check->visitors || !owners_init(&check->places, check->visitor_count) ||
        !owners_init(&check->seats, check->visitor_count)) {
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
        visitor->at_end = told->at_end;
        break;
    case TOLD_LOST:
        if (!check->faults)
            violation(check, CHECK_INTERRUPTED, told->visitor, "an answer or a stream broke off");
        break;
    case TOLD_LEFT:
        visitor->left = true;
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

static void end_visitor(struct check *check, const struct visitor *visitor, uint32_t number)
{
    int64_t late_us = check->last_us - CHECK_GRACE_US;
    if (visitor->failed || visitor->left)
        return;
    if (visitor->asked && !visitor->joined && visitor->asked_us < late_us && !check->interrupted)
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

void check_count(const struct check *check, struct check_counts *ret)
{
    *ret = check->counts;
}
