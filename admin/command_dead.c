// SPDX-License-Identifier: Apache-2.0
// onsale dead list, show, retry, discard: messages that could not be processed, and payments that cannot go on by themselves. Retrying sends
// the order to be booked again, or has the payment taken up again; discarding says that somebody has looked and nothing is to be done. Neither removes a letter.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/commands.h"
#include "admin/currency.h"
#include "admin/notify.h"
#include "admin/order_change.h"
#include "admin/table.h"
#include "common/clock.h"
#include "common/topology.h"
#include "common/utf8.h"

#define ALL_MAX 10000 // open letters that one --all takes
#define SHOWN_BODY_BYTES 16384

// A letter about a payment says which one.
#define BODY "IF(JSON_VALID(CONVERT(d.body USING utf8mb4)), CONVERT(d.body USING utf8mb4), '{}')"
#define LETTERS                                                                                                        \
    "SELECT d.id, d.died_at, d.queue, d.reason, d.detail, e.slug, d.place, d.attempt, d.state, d.resolved_at, "        \
    "d.resolved_by, d.body, COALESCE(b.state, o.state), p.number, p.state, p.intent, p.amount, p.currency FROM "       \
    "dead_letters d LEFT JOIN events e ON e.id = d.event_id "                                                          \
    "LEFT JOIN orders o ON o.event_id = d.event_id AND o.place = d.place AND o.attempt = d.attempt "                   \
    "LEFT JOIN bookings b ON b.event_id = d.event_id AND b.place = d.place AND b.attempt = d.attempt "                 \
    "LEFT JOIN payments p ON d.queue = '" TOPOLOGY_PAYMENTS "' AND p.event_id = d.event_id AND p.place = d.place AND " \
    "p.attempt = d.attempt AND p.number = CAST(JSON_EXTRACT(" BODY ", '$.payment.number') AS UNSIGNED) "
enum {
    D_ID,
    D_DIED_AT,
    D_QUEUE,
    D_REASON,
    D_DETAIL,
    D_SLUG,
    D_PLACE,
    D_ATTEMPT,
    D_STATE,
    D_RESOLVED_AT,
    D_RESOLVED_BY,
    D_BODY,
    D_ORDER_STATE,
    P_NUMBER, // all NULL: it is not about a payment
    P_STATE,
    P_INTENT,
    P_AMOUNT,
    P_CURRENCY
};

static int read_id(const struct context *context, const char *text, uint64_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || *text < '0' || *text > '9' || value == 0)
        return context_fail(context, EXIT_USAGE, "'%.40s' is no number of a dead letter; `onsale dead list` shows them",
                            text);
    *ret = value;
    return EXIT_DONE;
}

// ---------------------------------------------------------------- list and show

static json_t *number_or_null(const struct db_rows *rows, size_t row, size_t column)
{
    return db_u64(rows, row, column) ? json_integer((json_int_t)db_u64(rows, row, column)) : json_null();
}

static json_t *payment_json(const struct db_rows *rows, size_t row)
{
    if (db_is_null(rows, row, P_NUMBER))
        return json_null();
    return json_pack("{s:I, s:s, s:s?, s:I, s:s}", "number", (json_int_t)db_u64(rows, row, P_NUMBER), "state",
                     db_string(rows, row, P_STATE), "intent", db_string(rows, row, P_INTENT), "amount",
                     (json_int_t)db_u64(rows, row, P_AMOUNT), "currency", db_string(rows, row, P_CURRENCY));
}

static json_t *letter_json(const struct db_rows *rows, size_t row)
{
    char died[CLOCK_TEXT_BYTES], resolved[CLOCK_TEXT_BYTES];
    const bool is_resolved = !db_is_null(rows, row, D_RESOLVED_AT);
    if (is_resolved)
        clock_format(db_time_us(rows, row, D_RESOLVED_AT), resolved);
    return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s?, s:o, s:o, s:s?, s:o, s:s, s:s?, s:s?}", "id",
                     (json_int_t)db_u64(rows, row, D_ID), "died_at",
                     clock_format(db_time_us(rows, row, D_DIED_AT), died), "queue", db_string(rows, row, D_QUEUE),
                     "reason", db_string(rows, row, D_REASON), "detail", db_string(rows, row, D_DETAIL), "event",
                     db_string(rows, row, D_SLUG), "place", number_or_null(rows, row, D_PLACE), "attempt",
                     number_or_null(rows, row, D_ATTEMPT), "order_state", db_string(rows, row, D_ORDER_STATE),
                     "payment", payment_json(rows, row), "state", db_string(rows, row, D_STATE), "resolved_at",
                     is_resolved ? resolved : NULL, "resolved_by", db_string(rows, row, D_RESOLVED_BY));
}

static void write_letters(const struct db_rows *rows, size_t count, struct buffer *text)
{
    enum { COLUMNS = 7 };
    struct {
        char id[TABLE_NUMBER_BYTES], place[TABLE_NUMBER_BYTES], at[CLOCK_TEXT_BYTES];
    } *fields = calloc(count + 1, sizeof(*fields));
    const char **cells = calloc((count + 1) * COLUMNS, sizeof(*cells));
    if (!fields || !cells) {
        text->failed = true;
    } else {
        const char *heads[COLUMNS] = {">ID", "DIED AT", "REASON", "EVENT", ">PLACE", "ORDER", "DETAIL"};
        memcpy(cells, heads, sizeof(heads));
        for (size_t i = 0; i < count; i++) {
            const char **row = &cells[COLUMNS * (i + 1)];
            row[0] = table_number(db_u64(rows, i, D_ID), fields[i].id);
            row[1] = clock_format(db_time_us(rows, i, D_DIED_AT), fields[i].at);
            row[2] = db_string(rows, i, D_REASON);
            row[3] = db_string(rows, i, D_SLUG);
            row[4] = db_u64(rows, i, D_PLACE) ? table_number(db_u64(rows, i, D_PLACE), fields[i].place) : NULL;
            row[5] = db_string(rows, i, D_ORDER_STATE);
            row[6] = db_string(rows, i, D_DETAIL);
        }
        table_write(cells, COLUMNS, count + 1, text);
    }
    free(fields);
    free(cells);
}

int command_dead_list(struct context *context)
{
    const char *after_text = context_option(context, "after");
    uint64_t after = 0;
    size_t limit;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int status = context_limit(context, &limit);
    if (status == EXIT_DONE && after_text)
        status = read_id(context, after_text, &after);
    if (status == EXIT_DONE)
        status = context_database(context);
    if (status != EXIT_DONE)
        return status;
    int r = db_read(context->db, LETTERS "WHERE d.state = 'open' AND d.id > ? ORDER BY d.id LIMIT ?",
                    (struct db_value[]){DB_U(after), DB_U(limit + 1)}, 2, limit + 1, &rows);
    if (r < 0)
        return context_db_failed(context, r, "dead list");
    const bool more = db_rows_count(rows) > limit;
    const size_t count = more ? limit : db_rows_count(rows);
    char next[TABLE_NUMBER_BYTES] = "";
    if (more)
        table_number(db_u64(rows, count - 1, D_ID), next);
    if (context->json)
        return context_print_items(context, rows, count, letter_json, more ? next : NULL);
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    if (count == 0)
        buffer_text(&text, "no open dead letters\n");
    else
        write_letters(rows, count, &text);
    if (more)
        buffer_format(&text, "more: onsale dead list --after %s\n", next);
    return context_print_text(context, &text);
}

// The message's bytes as text that a terminal and JSON can bear.
static char *body_text(const struct db_rows *rows, size_t row)
{
    size_t bytes;
    const char *body = db_bytes(rows, row, D_BODY, &bytes);
    if (bytes > SHOWN_BODY_BYTES)
        bytes = SHOWN_BODY_BYTES;
    char *text = malloc(bytes + 1);
    if (!text)
        return NULL;
    for (size_t i = 0; i < bytes; i++)
        text[i] = (unsigned char)body[i] < 0x20 || body[i] == 0x7f ? '?' : body[i];
    text[bytes] = '\0';
    utf8_mend(text);
    return text;
}

static void write_letter(const struct db_rows *rows, const char *body, struct buffer *text)
{
    char at[CLOCK_TEXT_BYTES], money[CURRENCY_AMOUNT_BYTES];
    buffer_format(text, "dead letter  %" PRIu64 ", %s\n", db_u64(rows, 0, D_ID), db_string(rows, 0, D_STATE));
    buffer_format(text, "died at      %s\n", clock_format(db_time_us(rows, 0, D_DIED_AT), at));
    buffer_format(text, "queue        %s\n", db_string(rows, 0, D_QUEUE));
    buffer_format(text, "reason       %s: %s\n", db_string(rows, 0, D_REASON), db_string(rows, 0, D_DETAIL));
    if (db_u64(rows, 0, D_PLACE) && !db_is_null(rows, 0, D_SLUG))
        buffer_format(text, "order        %s, place %" PRIu64 ", attempt %" PRIu64 ": %s\n", db_string(rows, 0, D_SLUG),
                      db_u64(rows, 0, D_PLACE), db_u64(rows, 0, D_ATTEMPT),
                      db_is_null(rows, 0, D_ORDER_STATE) ? "there is none" : db_string(rows, 0, D_ORDER_STATE));
    if (!db_is_null(rows, 0, P_NUMBER))
        buffer_format(text, "payment      %" PRIu64 " of %s, now %s; intent %s\n", db_u64(rows, 0, P_NUMBER),
                      currency_format(db_u64(rows, 0, P_AMOUNT), db_string(rows, 0, P_CURRENCY), money),
                      db_string(rows, 0, P_STATE),
                      db_is_null(rows, 0, P_INTENT) ? "not known" : db_string(rows, 0, P_INTENT));
    if (!db_is_null(rows, 0, D_RESOLVED_AT))
        buffer_format(text, "resolved     %s by %s\n", clock_format(db_time_us(rows, 0, D_RESOLVED_AT), at),
                      db_is_null(rows, 0, D_RESOLVED_BY) ? "?" : db_string(rows, 0, D_RESOLVED_BY));
    buffer_format(text, "message      %s\n", body);
}

int command_dead_show(struct context *context)
{
    uint64_t id = 0;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int status = read_id(context, context->arguments[0], &id);
    if (status == EXIT_DONE)
        status = context_database(context);
    if (status != EXIT_DONE)
        return status;
    int r = db_read(context->db, LETTERS "WHERE d.id = ?", (struct db_value[]){DB_U(id)}, 1, 1, &rows);
    if (r < 0)
        return context_db_failed(context, r, "dead show");
    if (db_rows_count(rows) == 0)
        return context_fail(context, EXIT_NOT_FOUND, "there is no dead letter %" PRIu64, id);
    char *body = body_text(rows, 0);
    if (!body)
        return context_fail(context, EXIT_FAILED, "out of memory");
    if (context->json) {
        json_t *json = letter_json(rows, 0);
        if (json)
            json_object_set_new(json, "body", json_string(body));
        status = context_print_json(context, json);
    } else {
        struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
        write_letter(rows, body, &text);
        status = context_print_text(context, &text);
    }
    free(body);
    return status;
}

// ---------------------------------------------------------------- retry and discard

// What came of many letters.
struct tally {
    json_t *done, *refused; // ids; {id, reason}
    struct buffer text;
    int status; // the exit status, the worst of all
};

static void tally_done(struct tally *tally, uint64_t id, const char *what)
{
    json_array_append_new(tally->done, json_integer((json_int_t)id));
    buffer_format(&tally->text, "dead letter %" PRIu64 ": %s\n", id, what);
}

static void tally_refused(struct tally *tally, uint64_t id, int status, const char *reason)
{
    json_array_append_new(tally->refused, json_pack("{s:I, s:s}", "id", (json_int_t)id, "reason", reason));
    buffer_format(&tally->text, "dead letter %" PRIu64 ": not done: %s\n", id, reason);
    if (status > tally->status)
        tally->status = status;
}

static int tally_print(const struct context *context, struct tally *tally, const char *done)
{
    int status;
    if (context->json)
        status = context_print_json(context, json_pack("{s:O, s:O}", done, tally->done, "refused", tally->refused));
    else
        status = context_print_text(context, &tally->text);
    json_decref(tally->done);
    json_decref(tally->refused);
    buffer_done(&tally->text);
    return status == EXIT_DONE ? tally->status : status;
}

static void say_payment(const struct order_change *change, char *ret, size_t ret_bytes)
{
    const char *what = change->payment_state == PAYMENT_CAPTURING ? "is captured again"
                       : change->payment_state == PAYMENT_REFUNDING || change->payment_state == PAYMENT_VOIDING
                           ? "is given back again"
                           : "is asked about again";
    snprintf(ret, ret_bytes, "payment %" PRIu32 " of place %" PRIu64 " at %s %s", change->payment, change->place,
             change->slug, what);
}

// One letter. An exit status other than EXIT_DONE ends the command: MySQL cannot do it.
static int retry_one(struct context *context, struct outbox *outbox, uint64_t id, bool is_all, struct tally *tally)
{
    struct order_change change;
    char actor[CONTEXT_ACTOR_BYTES], said[160];
    int r = order_change_retry(context->db, outbox, id, context_actor(actor), &change);
    if (r == ERROR_NOT_FOUND) {
        tally_refused(tally, id, EXIT_NOT_FOUND, "there is none");
    } else if (r == ERROR_CONFLICT) {
        tally_refused(tally, id, is_all ? EXIT_DONE : EXIT_FAILED, change.why);
    } else if (r < 0) {
        return context_db_failed(context, r, "dead retry");
    } else {
        if (change.payment)
            say_payment(&change, said, sizeof(said));
        else if (change.before == change.after)
            snprintf(said, sizeof(said), "retried already; the order of place %" PRIu64 " is %s", change.place,
                     order_state_name(change.after));
        else
            snprintf(said, sizeof(said), "the order of place %" PRIu64 " at %s is on its way to be booked again",
                     change.place, change.slug);
        tally_done(tally, id, said);
        if (change.asks_payer)
            notify_pay(context, change.slug, change.place);
    }
    return EXIT_DONE;
}

// The ids that were given, or of all open letters.
static int read_ids(struct context *context, bool is_all, uint64_t **ret, size_t *ret_count)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    size_t count = context->argument_count;
    if (is_all) {
        int r = db_read(context->db, "SELECT id FROM dead_letters WHERE state = 'open' ORDER BY id LIMIT 10000", NULL,
                        0, ALL_MAX, &rows);
        if (r < 0)
            return context_db_failed(context, r, "dead retry");
        count = db_rows_count(rows);
    }
    uint64_t *ids = calloc(count + 1, sizeof(*ids));
    if (!ids)
        return context_fail(context, EXIT_FAILED, "out of memory");
    for (size_t i = 0; i < count; i++) {
        int status = EXIT_DONE;
        if (is_all)
            ids[i] = db_u64(rows, i, 0);
        else
            status = read_id(context, context->arguments[i], &ids[i]);
        if (status != EXIT_DONE) {
            free(ids);
            return status;
        }
    }
    *ret = ids;
    *ret_count = count;
    return EXIT_DONE;
}

int command_dead_retry(struct context *context)
{
    const bool is_all = context_option(context, "all") != NULL;
    uint64_t *ids = NULL;
    size_t count = 0;
    struct outbox *outbox = NULL;
    if (is_all == (context->argument_count > 0))
        return context_fail(context, EXIT_USAGE, "dead retry: which ones? Their numbers, or --all, not both");
    int status = context_database(context);
    if (status == EXIT_DONE)
        status = read_ids(context, is_all, &ids, &count);
    if (status != EXIT_DONE)
        return status;
    if (outbox_new(&outbox) < 0) {
        free(ids);
        return context_fail(context, EXIT_FAILED, "out of memory");
    }
    struct tally tally = {.done = json_array(), .refused = json_array()};
    for (size_t i = 0; i < count && status == EXIT_DONE; i++)
        status = retry_one(context, outbox, ids[i], is_all, &tally);
    notify_outbox(context, outbox);
    outbox_free(outbox);
    free(ids);
    if (is_all)
        buffer_format(&tally.text, "%zu retried, %zu skipped\n", json_array_size(tally.done),
                      json_array_size(tally.refused));
    int printed = tally_print(context, &tally, "retried");
    return status == EXIT_DONE ? printed : status;
}

static int discard_one(struct context *context, uint64_t id, struct tally *tally)
{
    char actor[CONTEXT_ACTOR_BYTES];
    struct db_written written;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_write(context->db,
                     "UPDATE dead_letters SET state = 'discarded', resolved_at = UTC_TIMESTAMP(6), resolved_by = ? "
                     "WHERE id = ? AND state = 'open'",
                     (struct db_value[]){db_text(context_actor(actor)), DB_U(id)}, 2, &written);
    if (r == 0)
        r = db_read(context->db, "SELECT state FROM dead_letters WHERE id = ?", (struct db_value[]){DB_U(id)}, 1, 1,
                    &rows);
    if (r < 0)
        return context_db_failed(context, r, "dead discard");
    if (db_rows_count(rows) == 0)
        tally_refused(tally, id, EXIT_NOT_FOUND, "there is none");
    else if (strcmp(db_string(rows, 0, 0), "discarded") == 0)
        tally_done(tally, id, written.affected ? "discarded" : "discarded already");
    else
        tally_refused(tally, id, EXIT_FAILED, "it was retried");
    return EXIT_DONE;
}

int command_dead_discard(struct context *context)
{
    uint64_t *ids = NULL;
    size_t count = 0;
    int status = context_database(context);
    if (status == EXIT_DONE)
        status = read_ids(context, false, &ids, &count);
    if (status != EXIT_DONE)
        return status;
    struct tally tally = {.done = json_array(), .refused = json_array()};
    for (size_t i = 0; i < count && status == EXIT_DONE; i++)
        status = discard_one(context, ids[i], &tally);
    free(ids);
    int printed = tally_print(context, &tally, "discarded");
    return status == EXIT_DONE ? printed : status;
}
