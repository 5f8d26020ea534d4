// SPDX-License-Identifier: Apache-2.0
// A visitor's story, told: as JSON, and as text for a terminal.
#include "admin/booking_story.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/booking_story_payments.h"
#include "admin/booking_story_rows.h"
#include "admin/currency.h"
#include "admin/table.h"
#include "admin/tickets.h"
#include "common/clock.h"
#include "common/order_state.h"

json_t *story_time_json(const struct db_rows *rows, size_t row, size_t column)
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
    json_t *tickets = given ? tickets_of(db_string(orders, row, O_CHOICES), db_u64(orders, row, B_CHOICE)) : NULL;
    return json_pack(
        "{s:s, s:s?, s:I, s:s?, s:o, s:I, s:I, s:s?, s:s?, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "state",
        db_string(orders, row, B_STATE), "reason", db_string(orders, row, B_REASON), "revision",
        (json_int_t)db_u64(orders, row, B_REVISION), "tier", db_string(orders, row, B_TIER), "tickets",
        tickets ? tickets : json_null(), "quantity", (json_int_t)db_u64(orders, row, B_QUANTITY), "amount",
        (json_int_t)db_u64(orders, row, B_AMOUNT), "reference", db_string(orders, row, B_REFERENCE), "refund",
        db_string(orders, row, B_REFUND), "created_at", story_time_json(orders, row, B_CREATED_AT), "changed_at",
        story_time_json(orders, row, B_CHANGED_AT), "seats", tickets_seats(db_string(orders, row, B_SEATS)), "gone",
        tickets_seats(db_string(orders, row, B_GONE)), "pay_until", story_time_json(orders, row, B_PAY_UNTIL),
        "had_more_time", (int)db_u64(orders, row, B_MORE_TIME), "standby", standby_json(orders, row));
}

static json_t *order_json(const struct story *story, size_t row)
{
    const struct db_rows *orders = story->orders;
    json_t *choices = json_loads(db_string(orders, row, O_CHOICES), 0, NULL);
    return json_pack(
        "{s:I, s:s, s:s?, s:I, s:s, s:I, s:I, s:s, s:o, s:s, s:s?, s:s?, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "attempt",
        (json_int_t)db_u64(orders, row, O_ATTEMPT), "state", db_string(orders, row, O_STATE), "reason",
        db_string(orders, row, O_REASON), "revision", (json_int_t)db_u64(orders, row, O_REVISION), "tier",
        db_string(orders, row, O_TIER), "quantity", (json_int_t)db_u64(orders, row, O_QUANTITY), "amount",
        (json_int_t)db_u64(orders, row, O_AMOUNT), "currency", db_string(orders, row, O_CURRENCY), "choices",
        choices ? choices : json_null(), "email", db_string(orders, row, O_EMAIL), "name",
        db_string(orders, row, O_NAME), "lang", db_string(orders, row, O_LANG), "placed_at",
        story_time_json(orders, row, O_PLACED_AT), "changed_at", story_time_json(orders, row, O_CHANGED_AT),
        "released_at", story_time_json(orders, row, O_RELEASED_AT), "ended_at",
        story_time_json(orders, row, O_ENDED_AT), "published", (int)db_u64(orders, row, O_PUBLISHED), "booking",
        booking_json(orders, row), "payments", story_payments_json(story, (uint32_t)db_u64(orders, row, O_ATTEMPT)));
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
        json_array_append_new(attempts, order_json(story, i));
    for (size_t i = 0; i < story->step_count; i++)
        json_array_append_new(steps, step_json(&story->steps[i]));
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "event", story->slug, "place", (json_int_t)story->place,
                     "joined_at", story_time_json(story->arrival, 0, 0), "left_at",
                     story_time_json(story->arrival, 0, 1), "attempts", attempts, "cards", story_cards_json(story),
                     "steps", steps);
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
    tickets_seats_text(seats, text);
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

static bool has_places(const struct db_rows *orders, size_t row)
{
    enum order_state state;
    return order_state_parse(db_string(orders, row, B_STATE), &state) == 0 && order_has_places(state);
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
    json_t *tickets = tickets_of(db_string(orders, row, O_CHOICES), given ? db_u64(orders, row, B_CHOICE) : 0);
    buffer_format(text, "%s%s%s%s%s\n", db_string(orders, row, booked ? B_STATE : O_STATE), reason ? ", " : "",
                  reason ? reason : "", reference ? ", reference " : "", reference ? reference : "");
    buffer_format(text, "%s %" PRIu64 " × %s (",
                  !given                    ? "wanted"
                  : has_places(orders, row) ? "has"
                                            : "had",
                  db_u64(orders, row, given ? B_QUANTITY : O_QUANTITY),
                  db_string(orders, row, given ? B_TIER : O_TIER));
    tickets_text(tickets, text);
    buffer_format(
        text, "), %s\n",
        currency_format(db_u64(orders, row, given ? B_AMOUNT : O_AMOUNT), db_string(orders, row, O_CURRENCY), money));
    write_more(orders, row, text);
    story_payments_text(story, (uint32_t)db_u64(orders, row, O_ATTEMPT), text);
    if (!db_is_null(orders, row, B_REFUND))
        buffer_format(text, "refund %s\n", db_string(orders, row, B_REFUND));
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
