// SPDX-License-Identifier: Apache-2.0
#include "admin/booking_story.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/booking_story_payments.h"
#include "admin/booking_story_rows.h"
#include "admin/currency.h"
#include "admin/tickets.h"
#include "common/order_state.h"
#include "common/utf8.h"

#define ATTEMPTS_MAX 1000
#define LOG_MAX 5000
#define LETTERS_MAX 1000
#define REFUND "refund " // begins a detail of the log: done, failed, tried again
#define WAS "was " // begins a detail of the log: the state before

#define ORDERS                                                                                                                     \
    "SELECT o.attempt, o.state, o.reason, o.revision, o.tier, o.quantity, o.amount, o.currency, o.choices, "                       \
    "o.email, o.name, o.lang, o.placed_at, o.changed_at, o.released_at, o.ended_at, o.release_no, o.published, "                   \
    "b.state, b.reason, b.revision, b.choice, b.tier, b.quantity, b.amount, b.reference, b.refund, "                               \
    "b.created_at, b.changed_at, b.seats, b.gone, b.pay_until + INTERVAL (e.stopped_us + IF(e.stopped_at IS NULL, 0, GREATEST(0, " \
    "TIMESTAMPDIFF(MICROSECOND, e.stopped_at, UTC_TIMESTAMP(6))))) MICROSECOND, b.more_time, b.standby_tier, b.standby_quantity, " \
    "IF(b.state = 'standby', (SELECT COUNT(*) FROM bookings s WHERE s.event_id = b.event_id AND s.state = 'standby' AND "          \
    "s.place < b.place AND s.standby_tier = b.standby_tier), NULL) FROM orders o JOIN events e ON e.id = o.event_id "              \
    "LEFT JOIN bookings b ON b.event_id = o.event_id "                                                                             \
    "AND b.place = o.place AND b.attempt = o.attempt WHERE o.event_id = ? AND o.place = ? ORDER BY o.attempt"
enum { L_AT, L_ATTEMPT, L_REVISION, L_STATE, L_ACTOR, L_DETAIL };
enum { D_ID, D_DIED_AT, D_REASON, D_DETAIL, D_STATE, D_RESOLVED_AT, D_RESOLVED_BY, D_ATTEMPT };

struct story_step *story_add_step(struct story *story, int64_t at_us, const char *name)
{
    struct story_step *step = &story->steps[story->step_count++];
    *step = (struct story_step){.at_us = at_us, .name = name};
    return step;
}

void story_describe(struct story_step *step, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(step->detail, sizeof(step->detail), format, arguments);
    va_end(arguments);
    utf8_mend(step->detail);
}

// What the log says about a revision; SIZE_MAX: nothing.
static size_t logged_at(const struct story *story, uint64_t attempt, uint64_t revision)
{
    for (size_t i = 0; i < db_rows_count(story->log); i++)
        if (db_u64(story->log, i, L_ATTEMPT) == attempt && db_u64(story->log, i, L_REVISION) == revision)
            return i;
    return SIZE_MAX;
}

static bool is_logged(const struct story *story, uint64_t attempt, uint64_t revision)
{
    return logged_at(story, attempt, revision) != SIZE_MAX;
}

static void describe_state(struct story_step *step, const struct db_rows *orders, size_t row, int reason, int tier,
                           int quantity, int amount)
{
    char money[CURRENCY_AMOUNT_BYTES];
    if (!db_is_null(orders, row, (size_t)reason))
        story_describe(step, "%s", db_string(orders, row, (size_t)reason));
    else if (!db_is_null(orders, row, (size_t)tier))
        story_describe(step, "%" PRIu64 " × %s, %s", db_u64(orders, row, (size_t)quantity),
                       db_string(orders, row, (size_t)tier),
                       currency_format(db_u64(orders, row, (size_t)amount), db_string(orders, row, O_CURRENCY), money));
}

// What was given with its seats, what was gone, or what is waited for.
static void describe_booking(struct story_step *step, const struct db_rows *orders, size_t row)
{
    struct buffer seats CLEANUP(buffer_done) = BUFFER_INIT;
    if (!db_is_null(orders, row, B_STANDBY_TIER)) {
        story_describe(step, "%" PRIu64 " × %s", db_u64(orders, row, B_STANDBY_QUANTITY),
                       db_string(orders, row, B_STANDBY_TIER));
        return;
    }
    describe_state(step, orders, row, B_REASON, B_TIER, B_QUANTITY, B_AMOUNT);
    tickets_seats_text(db_string(orders, row, db_is_null(orders, row, B_GONE) ? B_SEATS : B_GONE), &seats);
    const size_t used = strlen(step->detail);
    if (seats.bytes)
        snprintf(step->detail + used, sizeof(step->detail) - used, ": %s", seats.data);
}

// What the order became at first, of a booking that has changed since: the first change in the log says what it was before. Visitors
// end or prolong only what is held or stands by; operators release again only what has failed.
static const char *first_state(const struct story *story, size_t row)
{
    const struct db_rows *orders = story->orders, *log = story->log;
    size_t at = SIZE_MAX;
    for (size_t i = 0; i < db_rows_count(log); i++)
        if (db_u64(log, i, L_ATTEMPT) == db_u64(orders, row, O_ATTEMPT) &&
            db_u64(log, i, L_REVISION) > db_u64(orders, row, O_REVISION) &&
            (at == SIZE_MAX || db_u64(log, i, L_REVISION) < db_u64(log, at, L_REVISION)))
            at = i;
    const char *detail = at == SIZE_MAX ? NULL : db_string(log, at, L_DETAIL);
    enum order_state state;
    if (detail && strncmp(detail, WAS, strlen(WAS)) == 0 && order_state_parse(detail + strlen(WAS), &state) == 0)
        return order_state_name(state);
    if (at != SIZE_MAX && strcmp(db_string(log, at, L_STATE), order_state_name(ORDER_RELEASED)) == 0)
        return order_state_name(ORDER_FAILED);
    if (at != SIZE_MAX && strcmp(db_string(log, at, L_ACTOR), "visitor") == 0)
        return order_state_name(db_is_null(orders, row, B_TIER) ? ORDER_STANDBY : ORDER_HELD);
    return "booked";
}

// What became of the order. Only the last state stands in its row; the changes before it are in the log.
static void add_booking(struct story *story, size_t row)
{
    const struct db_rows *orders = story->orders;
    const uint32_t attempt = (uint32_t)db_u64(orders, row, O_ATTEMPT);
    const uint64_t revision = db_u64(orders, row, B_REVISION), first = db_u64(orders, row, O_REVISION) + 1;
    struct story_step *step;
    if (db_is_null(orders, row, B_STATE))
        return;
    const char *state = db_string(orders, row, B_STATE);
    step = story_add_step(story, db_time_us(orders, row, B_CREATED_AT),
                          revision == first ? state : first_state(story, row));
    step->attempt = attempt;
    step->revision = (uint32_t)first;
    if (revision == first) {
        describe_booking(step, orders, row);
    } else if (!is_logged(story, attempt, revision)) {
        step = story_add_step(story, db_time_us(orders, row, B_CHANGED_AT), state);
        step->attempt = attempt;
        step->revision = (uint32_t)revision;
        describe_booking(step, orders, row);
    }
}

static void add_order(struct story *story, size_t row)
{
    const struct db_rows *orders = story->orders;
    const uint32_t attempt = (uint32_t)db_u64(orders, row, O_ATTEMPT),
                   revision = (uint32_t)db_u64(orders, row, O_REVISION);
    struct story_step *step;
    if (!is_logged(story, attempt, 1)) {
        step = story_add_step(story, db_time_us(orders, row, O_PLACED_AT), "ordered");
        step->attempt = attempt;
        step->revision = 1;
        describe_state(step, orders, row, O_REASON, O_TIER, O_QUANTITY, O_AMOUNT);
    }
    if (!db_is_null(orders, row, O_RELEASED_AT)) {
        step = story_add_step(story, db_time_us(orders, row, O_RELEASED_AT), "released");
        step->attempt = attempt;
        step->revision = revision;
        if (db_u64(orders, row, O_RELEASE_NO) > 1)
            story_describe(step, "handed over %" PRIu64 " times", db_u64(orders, row, O_RELEASE_NO));
    }
    if (!db_is_null(orders, row, O_ENDED_AT) && !is_logged(story, attempt, revision)) {
        step = story_add_step(story, db_time_us(orders, row, O_ENDED_AT), db_string(orders, row, O_STATE));
        step->attempt = attempt;
        step->revision = revision;
        if (!db_is_null(orders, row, O_REASON))
            story_describe(step, "%s", db_string(orders, row, O_REASON));
    }
    add_booking(story, row);
}

// What the visitor did is told in the visitor's words.
static const char *log_step(const char *state, uint64_t revision, const char *actor, const char *detail)
{
    // It was cancelled before: this is news of its money.
    if (strcmp(state, "cancelled") == 0 && detail && strncmp(detail, REFUND, strlen(REFUND)) == 0)
        return "refund";
    if (strcmp(state, "placed") == 0)
        return revision == 1 ? "ordered" : "changed";
    return strcmp(state, "cancelled") == 0 && strcmp(actor, "visitor") == 0 ? "taken back" : state;
}

// What the log notes and, of what the booking still is, what it has or why it has nothing.
static void describe_logged(const struct story *story, size_t i, struct story_step *step)
{
    const struct db_rows *orders = story->orders;
    const char *detail = db_string(story->log, i, L_DETAIL);
    enum order_state state;
    for (size_t row = 0; row < db_rows_count(orders); row++)
        if (db_u64(orders, row, O_ATTEMPT) == step->attempt && !db_is_null(orders, row, B_STATE) &&
            db_u64(orders, row, B_REVISION) == step->revision &&
            order_state_parse(db_string(orders, row, B_STATE), &state) == 0 &&
            (order_has_places(state) || !db_is_null(orders, row, B_REASON)))
            describe_booking(step, orders, row);
    const size_t used = strlen(step->detail);
    if (detail)
        snprintf(step->detail + used, sizeof(step->detail) - used, "%s%s", used ? "; " : "", detail);
    utf8_mend(step->detail);
}

static void add_log(struct story *story)
{
    for (size_t i = 0; i < db_rows_count(story->log); i++) {
        const char *actor = db_string(story->log, i, L_ACTOR);
        const uint64_t revision = db_u64(story->log, i, L_REVISION);
        struct story_step *step = story_add_step(
            story, db_time_us(story->log, i, L_AT),
            log_step(db_string(story->log, i, L_STATE), revision, actor, db_string(story->log, i, L_DETAIL)));
        step->attempt = (uint32_t)db_u64(story->log, i, L_ATTEMPT);
        step->revision = (uint32_t)revision;
        step->actor = actor;
        describe_logged(story, i, step);
    }
}

static void add_letters(struct story *story)
{
    for (size_t i = 0; i < db_rows_count(story->letters); i++) {
        struct story_step *step = story_add_step(story, db_time_us(story->letters, i, D_DIED_AT), "dead letter");
        step->attempt = (uint32_t)db_u64(story->letters, i, D_ATTEMPT);
        story_describe(step, "%" PRIu64 ": %s: %.200s", db_u64(story->letters, i, D_ID),
                       db_string(story->letters, i, D_REASON), db_string(story->letters, i, D_DETAIL));
        if (db_is_null(story->letters, i, D_RESOLVED_AT))
            continue;
        const bool retried = strcmp(db_string(story->letters, i, D_STATE), "retried") == 0;
        step = story_add_step(story, db_time_us(story->letters, i, D_RESOLVED_AT), retried ? "retried" : "discarded");
        step->attempt = (uint32_t)db_u64(story->letters, i, D_ATTEMPT);
        step->actor = db_string(story->letters, i, D_RESOLVED_BY);
        story_describe(step, "dead letter %" PRIu64, db_u64(story->letters, i, D_ID));
    }
}

static int by_time(const void *a, const void *b)
{
    const struct story_step *left = a, *right = b;
    return (left->at_us > right->at_us) - (left->at_us < right->at_us);
}

// A simple sort that keeps the order of steps of the same moment.
static void sort_steps(struct story *story)
{
    for (size_t i = 1; i < story->step_count; i++) {
        const struct story_step step = story->steps[i];
        size_t at = i;
        for (; at > 0 && by_time(&story->steps[at - 1], &step) > 0; at--)
            story->steps[at] = story->steps[at - 1];
        story->steps[at] = step;
    }
}

static int make_steps(struct story *story)
{
    const size_t max = 4 + 5 * db_rows_count(story->orders) + db_rows_count(story->log) +
                       2 * db_rows_count(story->letters) + story_payments_steps_max(story);
    story->steps = calloc(max, sizeof(*story->steps));
    if (!story->steps)
        return ERROR_MEMORY;
    story_add_step(story, db_time_us(story->arrival, 0, 0), "joined");
    if (db_rows_count(story->served))
        story_add_step(story, db_time_us(story->served, 0, 0), "let in");
    if (db_rows_count(story->turn)) {
        struct story_step *step = story_add_step(story, db_time_us(story->turn, 0, 0), "turn began");
        if (db_u64(story->turn, 0, 1))
            story_describe(step, "on coming back");
    }
    for (size_t i = 0; i < db_rows_count(story->orders); i++)
        add_order(story, i);
    add_log(story);
    story_payments_add(story);
    add_letters(story);
    if (!db_is_null(story->arrival, 0, 1))
        story_add_step(story, db_time_us(story->arrival, 0, 1), "left");
    sort_steps(story);
    return 0;
}

int story_read(struct db *db, uint64_t event_id, const char *slug, uint64_t place, struct story *ret)
{
    const struct db_value key[] = {DB_U(event_id), DB_U(place)};
    *ret = (struct story){.event_id = event_id, .place = place, .slug = slug};
    int r = db_read(db, "SELECT joined_at, left_at FROM arrivals WHERE event_id = ? AND number = ?", key, 2, 1,
                    &ret->arrival);
    if (r == 0 && db_rows_count(ret->arrival) == 0)
        r = ERROR_NOT_FOUND;
    if (r == 0)
        r = db_read(db, "SELECT at FROM served_log WHERE event_id = ? AND served >= ? ORDER BY served LIMIT 1", key, 2,
                    1, &ret->served);
    if (r == 0)
        r = db_read(db, "SELECT began_at, came_back FROM turns WHERE event_id = ? AND place = ?", key, 2, 1,
                    &ret->turn);
    if (r == 0)
        r = db_read(db, ORDERS, key, 2, ATTEMPTS_MAX, &ret->orders);
    if (r == 0)
        r = db_read(
            db,
            "SELECT at, attempt, revision, state, actor, detail FROM order_log WHERE event_id = ? AND place = ? "
            "ORDER BY id LIMIT 5000",
            key, 2, LOG_MAX, &ret->log);
    if (r == 0)
        r = db_read(db,
                    "SELECT id, died_at, reason, detail, state, resolved_at, resolved_by, attempt FROM dead_letters "
                    "WHERE event_id = ? AND place = ? ORDER BY id LIMIT 1000",
                    key, 2, LETTERS_MAX, &ret->letters);
    if (r == 0)
        r = story_payments_read(db, ret);
    return r < 0 ? r : make_steps(ret);
}

void story_done(struct story *story)
{
    db_rows_free(story->arrival);
    db_rows_free(story->served);
    db_rows_free(story->turn);
    db_rows_free(story->orders);
    db_rows_free(story->log);
    db_rows_free(story->letters);
    db_rows_free(story->payments);
    db_rows_free(story->told);
    db_rows_free(story->cards);
    free(story->steps);
    *story = (struct story){0};
}
