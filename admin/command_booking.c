// SPDX-License-Identifier: Apache-2.0
// onsale booking show, find, cancel: one visitor's order, looked for by what people have at hand (a place, a spoken reference, an
// e-mail address), and taken back.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/booking_story.h"
#include "admin/command.h"
#include "admin/commands.h"
#include "admin/currency.h"
#include "admin/notify.h"
#include "admin/order_change.h"
#include "admin/reference.h"
#include "admin/table.h"
#include "admin/tickets.h"
#include "common/clock.h"
#include "common/customer.h"

#define FOUND_MAX 10000
#define COLUMNS 9

static bool read_place(const char *text, uint64_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || *text < '0' || *text > '9' || value == 0)
        return false;
    *ret = value;
    return true;
}

static int find_event(struct context *context, const char *slug, uint64_t *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r =
        db_read(context->db, "SELECT id FROM events WHERE slug = ?", (struct db_value[]){db_text(slug)}, 1, 1, &rows);
    if (r < 0)
        return context_db_failed(context, r, context->command->name);
    if (db_rows_count(rows) == 0)
        return context_no_event(context, slug);
    *ret = db_u64(rows, 0, 0);
    return EXIT_DONE;
}

// ---------------------------------------------------------------- show

// The place and the attempt of a booking by its reference. ERROR_NOT_FOUND: none, or the text cannot be one.
static int find_reference(struct db *db, uint64_t event_id, const char *text, uint64_t *ret_place,
                          uint32_t *ret_attempt)
{
    char reference[REFERENCE_BYTES];
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    if (reference_parse(text, reference) < 0)
        return ERROR_NOT_FOUND;
    int r = db_read(db, "SELECT place, attempt FROM bookings WHERE reference = ? AND event_id = ?",
                    (struct db_value[]){db_text(reference), DB_U(event_id)}, 2, 1, &rows);
    if (r == 0 && db_rows_count(rows) == 0)
        return ERROR_NOT_FOUND;
    if (r < 0)
        return r;
    *ret_place = db_u64(rows, 0, 0);
    *ret_attempt = (uint32_t)db_u64(rows, 0, 1);
    return 0;
}

static int read_story(struct context *context, uint64_t event_id, const char *slug, const char *which,
                      struct story *story)
{
    uint64_t place = 0;
    uint32_t attempt;
    int r = ERROR_NOT_FOUND;
    if (read_place(which, &place)) {
        r = story_read(context->db, event_id, slug, place, story);
        if (r != ERROR_NOT_FOUND)
            return r;
        story_done(story);
    }
    // Eight digits may be a reference all the same.
    r = find_reference(context->db, event_id, which, &place, &attempt);
    return r < 0 ? r : story_read(context->db, event_id, slug, place, story);
}

int command_booking_show(struct context *context)
{
    const char *slug = context->arguments[0], *which = context->arguments[1];
    uint64_t event_id = 0;
    int status = context_database(context);
    if (status == EXIT_DONE)
        status = find_event(context, slug, &event_id);
    if (status != EXIT_DONE)
        return status;
    struct story story = {0};
    int r = read_story(context, event_id, slug, which, &story);
    if (r == ERROR_NOT_FOUND) {
        status = context_fail(context, EXIT_NOT_FOUND, "%s has no place and no reference '%.40s'", slug, which);
    } else if (r < 0) {
        status = context_db_failed(context, r, "booking show");
    } else if (context->json) {
        status = context_print_json(context, story_json(&story));
    } else {
        struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
        story_text(&story, &text);
        status = context_print_text(context, &text);
    }
    story_done(&story);
    return status;
}

// ---------------------------------------------------------------- find

#define FIND                                                                                                                                         \
    "SELECT o.place, o.attempt, COALESCE(b.state, o.state), IF(b.state IS NULL, o.reason, b.reason), b.reference, "                                  \
    "COALESCE(b.tier, b.standby_tier, o.tier), IF(b.tier IS NOT NULL, b.quantity, IF(b.standby_tier IS NOT NULL, b.standby_quantity, o.quantity)), " \
    "IF(b.tier IS NULL, o.amount, b.amount), o.currency, o.email, o.name, o.placed_at, b.seats FROM orders o "                                       \
    "LEFT JOIN bookings b ON b.event_id = o.event_id AND b.place = o.place AND b.attempt = o.attempt "                                               \
    "WHERE o.event_id = ? AND o.customer = ? ORDER BY o.place, o.attempt LIMIT 10000"
enum {
    F_PLACE,
    F_ATTEMPT,
    F_STATE,
    F_REASON,
    F_REFERENCE,
    F_TIER,
    F_QUANTITY,
    F_AMOUNT,
    F_CURRENCY,
    F_EMAIL,
    F_NAME,
    F_PLACED_AT,
    F_SEATS
};

static json_t *found_json(const struct db_rows *rows, size_t row)
{
    char at[CLOCK_TEXT_BYTES];
    return json_pack("{s:I, s:I, s:s, s:s?, s:s?, s:s, s:I, s:I, s:s, s:s, s:s?, s:s, s:o}", "place",
                     (json_int_t)db_u64(rows, row, F_PLACE), "attempt", (json_int_t)db_u64(rows, row, F_ATTEMPT),
                     "state", db_string(rows, row, F_STATE), "reason", db_string(rows, row, F_REASON), "reference",
                     db_string(rows, row, F_REFERENCE), "tier", db_string(rows, row, F_TIER), "quantity",
                     (json_int_t)db_u64(rows, row, F_QUANTITY), "amount", (json_int_t)db_u64(rows, row, F_AMOUNT),
                     "currency", db_string(rows, row, F_CURRENCY), "email", db_string(rows, row, F_EMAIL), "name",
                     db_string(rows, row, F_NAME), "placed_at", clock_format(db_time_us(rows, row, F_PLACED_AT), at),
                     "seats", tickets_seats(db_string(rows, row, F_SEATS)));
}

static int print_found(const struct context *context, const struct db_rows *rows)
{
    const size_t count = db_rows_count(rows);
    if (context->json)
        return context_print_items(context, rows, count, found_json, NULL);
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    char(*amounts)[CURRENCY_AMOUNT_BYTES] = calloc(count + 1, sizeof(*amounts));
    char(*numbers)[3][TABLE_NUMBER_BYTES] = calloc(count + 1, sizeof(*numbers));
    const char **cells = calloc((count + 1) * COLUMNS, sizeof(*cells));
    struct buffer *seats = calloc(count + 1, sizeof(*seats));
    text.failed = !amounts || !numbers || !cells || !seats;
    if (!text.failed) {
        const char *heads[COLUMNS] = {">PLACE", ">ATTEMPT", "STATE", "REFERENCE", ">TICKETS",
                                      "TIER",   ">AMOUNT",  "NAME",  "SEATS"};
        memcpy(cells, heads, sizeof(heads));
        for (size_t i = 0; i < count; i++) {
            const char **row = &cells[COLUMNS * (i + 1)];
            row[0] = table_number(db_u64(rows, i, F_PLACE), numbers[i][0]);
            row[1] = table_number(db_u64(rows, i, F_ATTEMPT), numbers[i][1]);
            row[2] = db_string(rows, i, F_STATE);
            row[3] = db_string(rows, i, F_REFERENCE);
            row[4] = table_number(db_u64(rows, i, F_QUANTITY), numbers[i][2]);
            row[5] = db_string(rows, i, F_TIER);
            row[6] = currency_format(db_u64(rows, i, F_AMOUNT), db_string(rows, i, F_CURRENCY), amounts[i]);
            row[7] = db_string(rows, i, F_NAME);
            tickets_seats_text(db_string(rows, i, F_SEATS), &seats[i]);
            row[8] = seats[i].data;
        }
        table_write(cells, COLUMNS, count + 1, &text);
    }
    for (size_t i = 0; seats && i < count; i++)
        buffer_done(&seats[i]);
    free(seats);
    free(amounts);
    free(numbers);
    free(cells);
    return context_print_text(context, &text);
}

int command_booking_find(struct context *context)
{
    const char *slug = context->arguments[0];
    uint8_t customer[CUSTOMER_BYTES];
    uint64_t event_id = 0;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int status = context_database(context);
    if (status == EXIT_DONE)
        status = find_event(context, slug, &event_id);
    if (status != EXIT_DONE)
        return status;
    customer_of_email(context->arguments[1], customer);
    int r = db_read(context->db, FIND, (struct db_value[]){DB_U(event_id), DB_B(customer, sizeof(customer))}, 2,
                    FOUND_MAX, &rows);
    if (r < 0)
        return context_db_failed(context, r, "booking find");
    if (db_rows_count(rows) == 0)
        return context_fail(context, EXIT_NOT_FOUND, "nobody ordered at %s with the e-mail address '%.254s'", slug,
                            context->arguments[1]);
    return print_found(context, rows);
}

// ---------------------------------------------------------------- cancel

static int say_cancelled(const struct context *context, const struct order_change *change)
{
    const bool done = change->before != change->after;
    if (context->json)
        return context_print_json(
            context, json_pack("{s:s, s:I, s:I, s:s, s:s, s:I, s:s?, s:s?, s:I, s:s?}", "event", change->slug, "place",
                               (json_int_t)change->place, "attempt", (json_int_t)change->attempt, "old",
                               order_state_name(change->before), "new", order_state_name(change->after), "revision",
                               (json_int_t)change->revision, "reference", *change->reference ? change->reference : NULL,
                               "tier", *change->tier ? change->tier : NULL, "quantity", (json_int_t)change->quantity,
                               "refund", change->refund));
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    char money[CURRENCY_AMOUNT_BYTES];
    buffer_format(&text, "%s, place %" PRIu64 "%s%s: ", change->slug, change->place,
                  *change->reference ? ", reference " : "", change->reference);
    if (!done)
        buffer_format(&text, "cancelled already%s%s\n", change->refund ? ", refund " : "",
                      change->refund ? change->refund : "");
    else if (change->before == ORDER_STANDBY)
        buffer_format(&text, "standby → cancelled, %" PRIu32 " × %s are waited for no longer\n", change->quantity,
                      change->tier);
    else
        buffer_format(&text,
                      "%s → cancelled, %" PRIu32 " × %s go to standby or back on sale as soon as a booking worker has "
                      "freed them\n",
                      order_state_name(change->before), change->quantity, change->tier);
    if (done && change->refund)
        buffer_format(&text, "%s go back: refund %s, see `onsale booking show %s %" PRIu64 "`\n",
                      currency_format(change->amount, change->currency, money), change->refund, change->slug,
                      change->place);
    return context_print_text(context, &text);
}

// What the newest booking of a place is may have changed since the operator looked; a reference stays one booking's.
static int cancel_which(struct context *context, struct outbox *outbox, uint64_t event_id, struct order_change *ret)
{
    const char *slug = context->arguments[0], *which = context->arguments[1];
    char actor[CONTEXT_ACTOR_BYTES];
    uint64_t place;
    uint32_t attempt;
    int r = ERROR_NOT_FOUND;
    context_actor(actor);
    if (read_place(which, &place))
        r = order_change_cancel(context->db, outbox, slug, place, 0, actor, ret);
    if (r != ERROR_NOT_FOUND)
        return r;
    // Eight digits may be a reference all the same.
    r = find_reference(context->db, event_id, which, &place, &attempt);
    return r < 0 ? r : order_change_cancel(context->db, outbox, slug, place, attempt, actor, ret);
}

int command_booking_cancel(struct context *context)
{
    const char *slug = context->arguments[0], *which = context->arguments[1];
    uint64_t place, event_id = 0;
    char reference[REFERENCE_BYTES];
    const bool is_place = read_place(which, &place);
    if (!is_place && reference_parse(which, reference) < 0)
        return context_fail(context, EXIT_USAGE,
                            "booking cancel: '%.40s' is neither a place nor a reference; a place is a number from 1, a "
                            "reference is like K7QM-4WDP",
                            which);
    int status = context_database(context);
    if (status == EXIT_DONE)
        status = find_event(context, slug, &event_id);
    if (status != EXIT_DONE)
        return status;
    struct outbox *outbox;
    struct order_change change = {0};
    int r = outbox_new(&outbox);
    if (r < 0)
        return context_fail(context, EXIT_FAILED, "out of memory");
    r = cancel_which(context, outbox, event_id, &change);
    if (r == ERROR_NOT_FOUND && is_place) {
        status = context_fail(context, EXIT_NOT_FOUND, "%s: nobody ordered at place %" PRIu64, slug, place);
    } else if (r == ERROR_NOT_FOUND) {
        status = context_fail(context, EXIT_NOT_FOUND, "%s has no reference '%.40s'", slug, which);
    } else if (r == ERROR_CONFLICT) {
        status = context_fail(context, EXIT_FAILED, "booking cancel: impossible at place %" PRIu64 ": %s", change.place,
                              change.why);
    } else if (r < 0) {
        status = context_db_failed(context, r, "booking cancel");
    } else {
        notify_outbox(context, outbox);
        if (change.asks_payer)
            notify_pay(context, change.slug, change.place);
        status = say_cancelled(context, &change);
    }
    outbox_free(outbox);
    return status;
}
