// SPDX-License-Identifier: Apache-2.0
// onsale booking list: the door list, everybody who has places or stands by. It is read and written in pages, so that a hundred
// thousand rows take no memory to speak of.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/commands.h"
#include "admin/csv.h"
#include "admin/currency.h"
#include "admin/table.h"
#include "admin/tickets.h"

#define PAGE_ROWS 1000

// The key's order, so a page begins where the last one ended.
#define LIST                                                                                                                   \
    "SELECT b.place, b.reference, o.name, o.email, COALESCE(b.tier, b.standby_tier), o.choices, b.choice, IF(b.tier IS NULL, " \
    "b.standby_quantity, b.quantity), b.amount, b.currency, b.state, b.seats, (SELECT CAST(COALESCE(SUM(p.amount), 0) AS "     \
    "UNSIGNED) FROM payments p WHERE p.event_id = b.event_id AND p.place = b.place AND p.attempt = b.attempt AND p.state = "   \
    "'captured') FROM bookings b JOIN orders o ON "                                                                            \
    "o.event_id = b.event_id AND o.place = b.place AND o.attempt = b.attempt WHERE b.event_id = ? AND b.place > ? AND "        \
    "b.state IN ('confirmed', 'held', 'paying', 'action_required', 'declined', 'standby') ORDER BY b.place, b.attempt LIMIT ?"
enum {
    B_PLACE,
    B_REFERENCE,
    B_NAME,
    B_EMAIL,
    B_TIER,
    B_CHOICES,
    B_CHOICE,
    B_QUANTITY,
    B_AMOUNT,
    B_CURRENCY,
    B_STATE,
    B_SEATS,
    B_CHARGED, // what the payment provider has taken
    COLUMNS = 12
};

static int read_page(struct context *context, uint64_t event_id, uint64_t after, size_t limit, struct db_rows **ret)
{
    return db_read(context->db, LIST, (struct db_value[]){DB_U(event_id), DB_U(after), DB_U(limit)}, 3, limit, ret);
}

// The amount alone, "90.00": the currency has a field of its own.
static const char *amount_text(const struct db_rows *rows, size_t row, size_t column,
                               char text[static CURRENCY_AMOUNT_BYTES])
{
    currency_format(db_u64(rows, row, column), db_string(rows, row, B_CURRENCY), text);
    text[strcspn(text, " ")] = '\0';
    return text;
}

// ---------------------------------------------------------------- CSV

static void write_record(const struct db_rows *rows, size_t row, struct buffer *text)
{
    struct buffer tickets CLEANUP(buffer_done) = BUFFER_INIT, seats CLEANUP(buffer_done) = BUFFER_INIT;
    char amount[CURRENCY_AMOUNT_BYTES], charged[CURRENCY_AMOUNT_BYTES], place[TABLE_NUMBER_BYTES],
        quantity[TABLE_NUMBER_BYTES];
    json_t *json = tickets_of(db_string(rows, row, B_CHOICES), db_u64(rows, row, B_CHOICE));
    tickets_text(json, &tickets);
    json_decref(json);
    tickets_seats_text(db_string(rows, row, B_SEATS), &seats);
    const char *fields[COLUMNS] = {db_string(rows, row, B_REFERENCE),
                                   table_number(db_u64(rows, row, B_PLACE), place),
                                   db_string(rows, row, B_NAME),
                                   db_string(rows, row, B_EMAIL),
                                   db_string(rows, row, B_TIER),
                                   tickets.data,
                                   table_number(db_u64(rows, row, B_QUANTITY), quantity),
                                   amount_text(rows, row, B_AMOUNT, amount),
                                   db_string(rows, row, B_CURRENCY),
                                   db_string(rows, row, B_STATE),
                                   seats.data,
                                   amount_text(rows, row, B_CHARGED, charged)};
    csv_write(fields, COLUMNS, text);
}

// Everything from `after` on, or `limit` rows of it (0: all).
static int write_csv(struct context *context, uint64_t event_id, uint64_t after, size_t limit)
{
    static const char *const heads[COLUMNS] = {"reference", "place",  "name",     "email", "tier",  "tickets",
                                               "quantity",  "amount", "currency", "state", "seats", "charged"};
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    size_t left = limit ? limit : SIZE_MAX;
    csv_write(heads, COLUMNS, &text);
    for (bool more = true; more;) {
        struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
        const size_t page = left < PAGE_ROWS ? left : PAGE_ROWS;
        int r = read_page(context, event_id, after, page, &rows);
        if (r < 0)
            return context_db_failed(context, r, "booking list");
        const size_t count = db_rows_count(rows);
        for (size_t i = 0; i < count; i++)
            write_record(rows, i, &text);
        int status = context_print_text(context, &text);
        if (status != EXIT_DONE)
            return status;
        buffer_clear(&text);
        left -= count;
        more = count == page && left > 0;
        if (count)
            after = db_u64(rows, count - 1, B_PLACE);
    }
    return EXIT_DONE;
}

// ---------------------------------------------------------------- JSON and table

static json_t *row_json(const struct db_rows *rows, size_t row)
{
    json_t *tickets = tickets_of(db_string(rows, row, B_CHOICES), db_u64(rows, row, B_CHOICE));
    return json_pack("{s:I, s:s?, s:s?, s:s, s:s?, s:o, s:I, s:I, s:s, s:s, s:o, s:I}", "place",
                     (json_int_t)db_u64(rows, row, B_PLACE), "reference", db_string(rows, row, B_REFERENCE), "name",
                     db_string(rows, row, B_NAME), "email", db_string(rows, row, B_EMAIL), "tier",
                     db_string(rows, row, B_TIER), "tickets", tickets ? tickets : json_null(), "quantity",
                     (json_int_t)db_u64(rows, row, B_QUANTITY), "amount", (json_int_t)db_u64(rows, row, B_AMOUNT),
                     "currency", db_string(rows, row, B_CURRENCY), "state", db_string(rows, row, B_STATE), "seats",
                     tickets_seats(db_string(rows, row, B_SEATS)), "charged", (json_int_t)db_u64(rows, row, B_CHARGED));
}

static void write_table(const struct db_rows *rows, size_t count, struct buffer *text)
{
    enum { SHOWN = 9 };
    char(*amounts)[CURRENCY_AMOUNT_BYTES] = calloc(count + 1, sizeof(*amounts));
    char(*numbers)[2][TABLE_NUMBER_BYTES] = calloc(count + 1, sizeof(*numbers));
    struct buffer *seats = calloc(count + 1, sizeof(*seats));
    const char **cells = calloc((count + 1) * SHOWN, sizeof(*cells));
    if (!amounts || !numbers || !seats || !cells) {
        text->failed = true;
    } else {
        const char *heads[SHOWN] = {"REFERENCE", ">PLACE",  "NAME",  "EMAIL", ">TICKETS",
                                    "TIER",      ">AMOUNT", "STATE", "SEATS"};
        memcpy(cells, heads, sizeof(heads));
        for (size_t i = 0; i < count; i++) {
            const char **row = &cells[SHOWN * (i + 1)];
            row[0] = db_string(rows, i, B_REFERENCE);
            row[1] = table_number(db_u64(rows, i, B_PLACE), numbers[i][0]);
            row[2] = db_string(rows, i, B_NAME);
            row[3] = db_string(rows, i, B_EMAIL);
            row[4] = table_number(db_u64(rows, i, B_QUANTITY), numbers[i][1]);
            row[5] = db_string(rows, i, B_TIER);
            row[6] = currency_format(db_u64(rows, i, B_AMOUNT), db_string(rows, i, B_CURRENCY), amounts[i]);
            row[7] = db_string(rows, i, B_STATE);
            tickets_seats_text(db_string(rows, i, B_SEATS), &seats[i]);
            row[8] = seats[i].data;
        }
        table_write(cells, SHOWN, count + 1, text);
    }
    for (size_t i = 0; seats && i < count; i++)
        buffer_done(&seats[i]);
    free(seats);
    free(amounts);
    free(numbers);
    free(cells);
}

static int print_page(struct context *context, uint64_t event_id, uint64_t after, size_t limit)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = read_page(context, event_id, after, limit + 1, &rows);
    if (r < 0)
        return context_db_failed(context, r, "booking list");
    const bool more = db_rows_count(rows) > limit;
    const size_t count = more ? limit : db_rows_count(rows);
    char next[TABLE_NUMBER_BYTES] = "";
    if (more)
        table_number(db_u64(rows, count - 1, B_PLACE), next);
    if (context->json)
        return context_print_items(context, rows, count, row_json, more ? next : NULL);
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    write_table(rows, count, &text);
    if (more)
        buffer_format(&text, "more: onsale booking list %s --after %s\n", context->arguments[0], next);
    return context_print_text(context, &text);
}

static int read_after(struct context *context, uint64_t *ret)
{
    const char *text = context_option(context, "after");
    char *end;
    if (!text) {
        *ret = 0;
        return EXIT_DONE;
    }
    errno = 0;
    *ret = strtoull(text, &end, 10);
    if (errno || *end || *text < '0' || *text > '9')
        return context_fail(context, EXIT_USAGE, "--after is '%.20s'; it is a place, `next` of the list before", text);
    return EXIT_DONE;
}

int command_booking_list(struct context *context)
{
    const char *slug = context->arguments[0];
    const bool csv = context_option(context, "csv") != NULL;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    size_t limit;
    uint64_t after;
    int status = context_limit(context, &limit);
    if (status == EXIT_DONE)
        status = read_after(context, &after);
    if (status == EXIT_DONE && csv && context->json)
        status = context_fail(context, EXIT_USAGE, "booking list: --csv or --json, not both");
    if (status == EXIT_DONE)
        status = context_database(context);
    if (status != EXIT_DONE)
        return status;
    int r =
        db_read(context->db, "SELECT id FROM events WHERE slug = ?", (struct db_value[]){db_text(slug)}, 1, 1, &rows);
    if (r < 0)
        return context_db_failed(context, r, "booking list");
    if (db_rows_count(rows) == 0)
        return context_no_event(context, slug);
    const uint64_t event_id = db_u64(rows, 0, 0);
    return csv ? write_csv(context, event_id, after, context_option(context, "limit") ? limit : 0)
               : print_page(context, event_id, after, limit);
}
