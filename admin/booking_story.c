// SPDX-License-Identifier: Apache-2.0
#include "admin/booking_story.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/currency.h"
#include "admin/table.h"
#include "common/clock.h"
#include "common/utf8.h"

#define ATTEMPTS_MAX 1000
#define LOG_MAX 5000
#define LETTERS_MAX 1000

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
enum {
    O_ATTEMPT,
    O_STATE,
    O_REASON,
    O_REVISION,
    O_TIER,
    O_QUANTITY,
    O_AMOUNT,
    O_CURRENCY,
    O_CHOICES,
    O_EMAIL,
    O_NAME,
    O_LANG,
    O_PLACED_AT,
    O_CHANGED_AT,
    O_RELEASED_AT,
    O_ENDED_AT,
    O_RELEASE_NO,
    O_PUBLISHED,
    B_STATE,
    B_REASON,
    B_REVISION,
    B_CHOICE,
    B_TIER,
    B_QUANTITY,
    B_AMOUNT,
    B_REFERENCE,
    B_REFUND,
    B_CREATED_AT,
    B_CHANGED_AT,
    B_SEATS,
    B_GONE,
    B_PAY_UNTIL, // by UTC, as long as the event is not stopped again
    B_MORE_TIME,
    B_STANDBY_TIER,
    B_STANDBY_QUANTITY,
    B_AHEAD,
};
enum { L_AT, L_ATTEMPT, L_REVISION, L_STATE, L_ACTOR, L_DETAIL };
enum { D_ID, D_DIED_AT, D_REASON, D_DETAIL, D_STATE, D_RESOLVED_AT, D_RESOLVED_BY, D_ATTEMPT };

json_t *story_tickets(const char *choices, uint64_t choice)
{
    json_t *array = choices ? json_loads(choices, 0, NULL) : NULL;
    json_t *tickets = json_object_get(json_array_get(array, choice), "tickets");
    json_t *own = json_is_object(tickets) ? json_incref(tickets) : NULL;
    json_decref(array);
    return own;
}

void story_tickets_text(const json_t *tickets, struct buffer *text)
{
    bool first = true;
    const char *code;
    json_t *count;
    json_object_foreach((json_t *)(uintptr_t)tickets, code, count)
    {
        buffer_format(text, "%s%" JSON_INTEGER_FORMAT " %s", first ? "" : ", ", json_integer_value(count), code);
        first = false;
    }
}

json_t *story_seats(const char *seats)
{
    json_t *array = seats ? json_loads(seats, 0, NULL) : NULL;
    return array ? array : json_null();
}

void story_seats_text(const char *seats, struct buffer *text)
{
    json_t *array = story_seats(seats);
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *name = json_string_value(json_array_get(array, i));
        buffer_format(text, "%s%s", i ? ", " : "", name ? name : "?");
    }
    json_decref(array);
}

// ---------------------------------------------------------------- the steps

static struct story_step *add_step(struct story *story, int64_t at_us, const char *name)
{
    struct story_step *step = &story->steps[story->step_count++];
    *step = (struct story_step){.at_us = at_us, .name = name};
    return step;
}

static void describe(struct story_step *step, const char *format, ...) PRINTF_LIKE(2, 3);

static void describe(struct story_step *step, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(step->detail, sizeof(step->detail), format, arguments);
    va_end(arguments);
    utf8_mend(step->detail);
}

static bool is_logged(const struct story *story, uint64_t attempt, uint64_t revision)
{
    for (size_t i = 0; i < db_rows_count(story->log); i++)
        if (db_u64(story->log, i, L_ATTEMPT) == attempt && db_u64(story->log, i, L_REVISION) == revision)
            return true;
    return false;
}

static void describe_state(struct story_step *step, const struct db_rows *orders, size_t row, int reason, int tier,
                           int quantity, int amount)
{
    char money[CURRENCY_AMOUNT_BYTES];
    if (!db_is_null(orders, row, (size_t)reason))
        describe(step, "%s", db_string(orders, row, (size_t)reason));
    else if (!db_is_null(orders, row, (size_t)tier))
        describe(step, "%" PRIu64 " × %s, %s", db_u64(orders, row, (size_t)quantity),
                 db_string(orders, row, (size_t)tier),
                 currency_format(db_u64(orders, row, (size_t)amount), db_string(orders, row, O_CURRENCY), money));
}

// What was given with its seats, what was gone, or what is waited for.
static void describe_booking(struct story_step *step, const struct db_rows *orders, size_t row)
{
    struct buffer seats CLEANUP(buffer_done) = BUFFER_INIT;
    if (!db_is_null(orders, row, B_STANDBY_TIER)) {
        describe(step, "%" PRIu64 " × %s", db_u64(orders, row, B_STANDBY_QUANTITY),
                 db_string(orders, row, B_STANDBY_TIER));
        return;
    }
    describe_state(step, orders, row, B_REASON, B_TIER, B_QUANTITY, B_AMOUNT);
    story_seats_text(db_string(orders, row, db_is_null(orders, row, B_GONE) ? B_SEATS : B_GONE), &seats);
    const size_t used = strlen(step->detail);
    if (seats.bytes)
        snprintf(step->detail + used, sizeof(step->detail) - used, ": %s", seats.data);
}

// What became of the order. Only the last state stands in its row; what an operator did is in the log.
static void add_booking(struct story *story, size_t row)
{
    const struct db_rows *orders = story->orders;
    const uint32_t attempt = (uint32_t)db_u64(orders, row, O_ATTEMPT);
    const uint64_t revision = db_u64(orders, row, B_REVISION), first = db_u64(orders, row, O_REVISION) + 1;
    struct story_step *step;
    if (db_is_null(orders, row, B_STATE))
        return;
    const char *state = db_string(orders, row, B_STATE);
    step = add_step(story, db_time_us(orders, row, B_CREATED_AT), revision == first ? state : "booked");
    step->attempt = attempt;
    step->revision = (uint32_t)first;
    if (revision == first) {
        describe_booking(step, orders, row);
    } else if (!is_logged(story, attempt, revision)) {
        step = add_step(story, db_time_us(orders, row, B_CHANGED_AT), state);
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
        step = add_step(story, db_time_us(orders, row, O_PLACED_AT), "ordered");
        step->attempt = attempt;
        step->revision = 1;
        describe_state(step, orders, row, O_REASON, O_TIER, O_QUANTITY, O_AMOUNT);
    }
    if (!db_is_null(orders, row, O_RELEASED_AT)) {
        step = add_step(story, db_time_us(orders, row, O_RELEASED_AT), "released");
        step->attempt = attempt;
        step->revision = revision;
        if (db_u64(orders, row, O_RELEASE_NO) > 1)
            describe(step, "handed over %" PRIu64 " times", db_u64(orders, row, O_RELEASE_NO));
    }
    if (!db_is_null(orders, row, O_ENDED_AT) && !is_logged(story, attempt, revision)) {
        step = add_step(story, db_time_us(orders, row, O_ENDED_AT), db_string(orders, row, O_STATE));
        step->attempt = attempt;
        step->revision = revision;
        if (!db_is_null(orders, row, O_REASON))
            describe(step, "%s", db_string(orders, row, O_REASON));
    }
    add_booking(story, row);
}

// What the visitor did is told in the visitor's words.
static const char *log_step(const char *state, uint64_t revision, const char *actor)
{
    if (strcmp(state, "placed") == 0)
        return revision == 1 ? "ordered" : "changed";
    return strcmp(state, "cancelled") == 0 && strcmp(actor, "visitor") == 0 ? "taken back" : state;
}

static void add_log(struct story *story)
{
    for (size_t i = 0; i < db_rows_count(story->log); i++) {
        const char *actor = db_string(story->log, i, L_ACTOR);
        const uint64_t revision = db_u64(story->log, i, L_REVISION);
        struct story_step *step = add_step(story, db_time_us(story->log, i, L_AT),
                                           log_step(db_string(story->log, i, L_STATE), revision, actor));
        step->attempt = (uint32_t)db_u64(story->log, i, L_ATTEMPT);
        step->revision = (uint32_t)revision;
        step->actor = actor;
        if (!db_is_null(story->log, i, L_DETAIL))
            describe(step, "%s", db_string(story->log, i, L_DETAIL));
    }
}

static void add_letters(struct story *story)
{
    for (size_t i = 0; i < db_rows_count(story->letters); i++) {
        struct story_step *step = add_step(story, db_time_us(story->letters, i, D_DIED_AT), "dead letter");
        step->attempt = (uint32_t)db_u64(story->letters, i, D_ATTEMPT);
        describe(step, "%" PRIu64 ": %s: %.200s", db_u64(story->letters, i, D_ID),
                 db_string(story->letters, i, D_REASON), db_string(story->letters, i, D_DETAIL));
        if (db_is_null(story->letters, i, D_RESOLVED_AT))
            continue;
        const bool retried = strcmp(db_string(story->letters, i, D_STATE), "retried") == 0;
        step = add_step(story, db_time_us(story->letters, i, D_RESOLVED_AT), retried ? "retried" : "discarded");
        step->attempt = (uint32_t)db_u64(story->letters, i, D_ATTEMPT);
        step->actor = db_string(story->letters, i, D_RESOLVED_BY);
        describe(step, "dead letter %" PRIu64, db_u64(story->letters, i, D_ID));
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
    const size_t max =
        4 + 5 * db_rows_count(story->orders) + db_rows_count(story->log) + 2 * db_rows_count(story->letters);
    story->steps = calloc(max, sizeof(*story->steps));
    if (!story->steps)
        return ERROR_MEMORY;
    add_step(story, db_time_us(story->arrival, 0, 0), "joined");
    if (db_rows_count(story->served))
        add_step(story, db_time_us(story->served, 0, 0), "let in");
    if (db_rows_count(story->turn)) {
        struct story_step *step = add_step(story, db_time_us(story->turn, 0, 0), "turn began");
        if (db_u64(story->turn, 0, 1))
            describe(step, "on coming back");
    }
    for (size_t i = 0; i < db_rows_count(story->orders); i++)
        add_order(story, i);
    add_log(story);
    add_letters(story);
    if (!db_is_null(story->arrival, 0, 1))
        add_step(story, db_time_us(story->arrival, 0, 1), "left");
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
    free(story->steps);
    *story = (struct story){0};
}

// ---------------------------------------------------------------- telling

static json_t *time_json(const struct db_rows *rows, size_t row, size_t column)
{
    char at[CLOCK_TEXT_BYTES];
    return db_is_null(rows, row, column) ? json_null() : json_string(clock_format(db_time_us(rows, row, column), at));
}

static json_t *standby_json(const struct db_rows *orders, size_t row)
{
    if (db_is_null(orders, row, B_STANDBY_TIER))
        return json_null();
    return json_pack("{s:s, s:I, s:I}", "tier", db_string(orders, row, B_STANDBY_TIER), "quantity",
                     (json_int_t)db_u64(orders, row, B_STANDBY_QUANTITY), "ahead",
                     (json_int_t)db_u64(orders, row, B_AHEAD));
}

static json_t *booking_json(const struct db_rows *orders, size_t row)
{
    if (db_is_null(orders, row, B_STATE))
        return json_null();
    const bool given = !db_is_null(orders, row, B_TIER);
    json_t *tickets = given ? story_tickets(db_string(orders, row, O_CHOICES), db_u64(orders, row, B_CHOICE)) : NULL;
    return json_pack("{s:s, s:s?, s:I, s:s?, s:o, s:I, s:I, s:s?, s:s?, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "state",
                     db_string(orders, row, B_STATE), "reason", db_string(orders, row, B_REASON), "revision",
                     (json_int_t)db_u64(orders, row, B_REVISION), "tier", db_string(orders, row, B_TIER), "tickets",
                     tickets ? tickets : json_null(), "quantity", (json_int_t)db_u64(orders, row, B_QUANTITY), "amount",
                     (json_int_t)db_u64(orders, row, B_AMOUNT), "reference", db_string(orders, row, B_REFERENCE),
                     "refund", db_string(orders, row, B_REFUND), "created_at", time_json(orders, row, B_CREATED_AT),
                     "changed_at", time_json(orders, row, B_CHANGED_AT), "seats",
                     story_seats(db_string(orders, row, B_SEATS)), "gone", story_seats(db_string(orders, row, B_GONE)),
                     "pay_until", time_json(orders, row, B_PAY_UNTIL), "had_more_time",
                     (int)db_u64(orders, row, B_MORE_TIME), "standby", standby_json(orders, row));
}

static json_t *order_json(const struct db_rows *orders, size_t row)
{
    json_t *choices = json_loads(db_string(orders, row, O_CHOICES), 0, NULL);
    return json_pack("{s:I, s:s, s:s?, s:I, s:s, s:I, s:I, s:s, s:o, s:s, s:s?, s:s?, s:o, s:o, s:o, s:o, s:b, s:o}",
                     "attempt", (json_int_t)db_u64(orders, row, O_ATTEMPT), "state", db_string(orders, row, O_STATE),
                     "reason", db_string(orders, row, O_REASON), "revision",
                     (json_int_t)db_u64(orders, row, O_REVISION), "tier", db_string(orders, row, O_TIER), "quantity",
                     (json_int_t)db_u64(orders, row, O_QUANTITY), "amount", (json_int_t)db_u64(orders, row, O_AMOUNT),
                     "currency", db_string(orders, row, O_CURRENCY), "choices", choices ? choices : json_null(),
                     "email", db_string(orders, row, O_EMAIL), "name", db_string(orders, row, O_NAME), "lang",
                     db_string(orders, row, O_LANG), "placed_at", time_json(orders, row, O_PLACED_AT), "changed_at",
                     time_json(orders, row, O_CHANGED_AT), "released_at", time_json(orders, row, O_RELEASED_AT),
                     "ended_at", time_json(orders, row, O_ENDED_AT), "published", (int)db_u64(orders, row, O_PUBLISHED),
                     "booking", booking_json(orders, row));
}

static json_t *step_json(const struct story_step *step)
{
    char at[CLOCK_TEXT_BYTES];
    json_t *json = json_pack("{s:s, s:s, s:o, s:o, s:s?, s:s?}", "at", clock_format(step->at_us, at), "step",
                             step->name, "attempt", step->attempt ? json_integer(step->attempt) : json_null(),
                             "revision", step->revision ? json_integer(step->revision) : json_null(), "actor",
                             step->actor, "detail", *step->detail ? step->detail : NULL);
    return json;
}

json_t *story_json(const struct story *story)
{
    json_t *attempts = json_array(), *steps = json_array();
    for (size_t i = 0; i < db_rows_count(story->orders); i++)
        json_array_append_new(attempts, order_json(story->orders, i));
    for (size_t i = 0; i < story->step_count; i++)
        json_array_append_new(steps, step_json(&story->steps[i]));
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}", "event", story->slug, "place", (json_int_t)story->place,
                     "joined_at", time_json(story->arrival, 0, 0), "left_at", time_json(story->arrival, 0, 1),
                     "attempts", attempts, "steps", steps);
}

// What visitors typed, without what a terminal would act on.
static void write_plain(const char *typed, struct buffer *text)
{
    for (; typed && *typed; typed++)
        buffer_append(text, (unsigned char)*typed < 0x20 || *typed == 0x7f ? "?" : typed, 1);
}

static void write_seats(const char *what, const char *seats, struct buffer *text)
{
    buffer_text(text, seats ? what : "");
    story_seats_text(seats, text);
    buffer_text(text, seats ? "\n" : "");
}

// Lines of their own, where there is any of it.
static void write_more(const struct db_rows *orders, size_t row, struct buffer *text)
{
    char at[CLOCK_TEXT_BYTES];
    write_seats("seats ", db_string(orders, row, B_SEATS), text);
    write_seats("others have ", db_string(orders, row, B_GONE), text);
    if (!db_is_null(orders, row, B_PAY_UNTIL))
        buffer_format(text, "held until %s%s\n", clock_format(db_time_us(orders, row, B_PAY_UNTIL), at),
                      db_u64(orders, row, B_MORE_TIME) ? ", more time was given" : "");
    if (!db_is_null(orders, row, B_STANDBY_TIER))
        buffer_format(text, "stands by for %" PRIu64 " × %s, %" PRIu64 " ahead\n",
                      db_u64(orders, row, B_STANDBY_QUANTITY), db_string(orders, row, B_STANDBY_TIER),
                      db_u64(orders, row, B_AHEAD));
}

// What there is now: the newest attempt.
static void write_head(const struct story *story, struct buffer *text)
{
    const struct db_rows *orders = story->orders;
    buffer_format(text, "%s, place %" PRIu64 ": ", story->slug, story->place);
    if (db_rows_count(orders) == 0) {
        buffer_text(text, "no order\n\n");
        return;
    }
    const size_t row = db_rows_count(orders) - 1;
    const bool booked = !db_is_null(orders, row, B_STATE), given = booked && !db_is_null(orders, row, B_TIER);
    const char *reason = db_string(orders, row, booked ? B_REASON : O_REASON),
               *reference = db_string(orders, row, B_REFERENCE), *name = db_string(orders, row, O_NAME);
    char money[CURRENCY_AMOUNT_BYTES];
    json_t *tickets = story_tickets(db_string(orders, row, O_CHOICES), given ? db_u64(orders, row, B_CHOICE) : 0);
    buffer_format(text, "%s%s%s%s%s\n", db_string(orders, row, booked ? B_STATE : O_STATE), reason ? ", " : "",
                  reason ? reason : "", reference ? ", reference " : "", reference ? reference : "");
    buffer_format(text, "%s %" PRIu64 " × %s (", given ? "has" : "wanted",
                  db_u64(orders, row, given ? B_QUANTITY : O_QUANTITY),
                  db_string(orders, row, given ? B_TIER : O_TIER));
    story_tickets_text(tickets, text);
    buffer_format(
        text, "), %s\n",
        currency_format(db_u64(orders, row, given ? B_AMOUNT : O_AMOUNT), db_string(orders, row, O_CURRENCY), money));
    write_more(orders, row, text);
    write_plain(db_string(orders, row, O_EMAIL), text);
    buffer_text(text, name ? ", " : "");
    write_plain(name, text);
    buffer_text(text, "\n\n");
    json_decref(tickets);
}

void story_text(const struct story *story, struct buffer *text)
{
    enum { COLUMNS = 5 };
    const char **cells = calloc((story->step_count + 1) * COLUMNS, sizeof(*cells));
    char(*fields)[2][CLOCK_TEXT_BYTES] = calloc(story->step_count + 1, sizeof(*fields));
    if (!cells || !fields) {
        text->failed = true;
    } else {
        const char *heads[COLUMNS] = {"AT", "STEP", ">ATTEMPT", "BY", "DETAIL"};
        memcpy(cells, heads, sizeof(heads));
        for (size_t i = 0; i < story->step_count; i++) {
            const struct story_step *step = &story->steps[i];
            const char **row = &cells[COLUMNS * (i + 1)];
            row[0] = clock_format(step->at_us, fields[i][0]);
            row[1] = step->name;
            if (step->attempt)
                snprintf(fields[i][1], sizeof(fields[i][1]), "%" PRIu32, step->attempt);
            row[2] = fields[i][1];
            row[3] = step->actor;
            row[4] = step->detail;
        }
        write_head(story, text);
        table_write(cells, COLUMNS, story->step_count + 1, text);
    }
    free(cells);
    free(fields);
}
