// SPDX-License-Identifier: Apache-2.0
// onsale event apply, event list, event show.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/commands.h"
#include "admin/currency.h"
#include "admin/event_store.h"
#include "admin/notify.h"
#include "admin/table.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "common/seat.h"

#define ZONES "/usr/share/zoneinfo"

// A time zone is a file of the system's data that begins with TZif. The folder also holds other spellings of all zones
// (posix/, right/) and names that mean nothing to a browser; those are not meant.
static int zone_exists(const char *name)
{
    static const char *const others[] = {"posix/", "right/", "localtime", "posixrules", "Factory"};
    size_t bytes = strlen(name);
    if (!bytes || strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") != bytes ||
        *name == '/')
        return 0;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strncmp(name, others[i], strlen(others[i])) == 0)
            return 0;
    }
    FILE *utc = fopen(ZONES "/UTC", "re");
    if (!utc)
        return -1;
    fclose(utc);
    char path[128], magic[4] = "";
    snprintf(path, sizeof(path), ZONES "/%s", name);
    FILE *zone = fopen(path, "re");
    if (!zone)
        return 0;
    bool is_zone = fread(magic, 1, sizeof(magic), zone) == sizeof(magic) && memcmp(magic, "TZif", 4) == 0;
    fclose(zone);
    return is_zone;
}

// Reads a file, or standard input for "-", up to a byte more than is allowed.
static int read_file(const struct context *context, const char *path, struct buffer *ret)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!file)
        return context_fail(context, EXIT_NOT_FOUND, "%s: %s", path, strerror(errno));
    char chunk[16384];
    size_t got;
    while (ret->bytes <= EVENT_FILE_BYTES_MAX && (got = fread(chunk, 1, sizeof(chunk), file)) > 0)
        buffer_append(ret, chunk, got);
    int broken = ferror(file) ? errno : 0;
    if (file != stdin)
        fclose(file);
    if (broken)
        return context_fail(context, EXIT_FAILED, "%s: %s", path, strerror(broken));
    return ret->failed ? context_fail(context, EXIT_FAILED, "out of memory") : EXIT_DONE;
}

static int refuse_file(const struct context *context, const char *path, const struct event_problems *problems)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    json_t *errors = json_array();
    for (size_t i = 0; i < problems->count; i++) {
        const struct event_problem *problem = &problems->items[i];
        buffer_format(&text, "\n  %s: %s", *problem->field ? problem->field : "file", problem->detail);
        json_array_append_new(errors, json_pack("{s:s, s:s}", "field", problem->field, "detail", problem->detail));
    }
    if (problems->more)
        buffer_format(&text, "\n  and %zu more", problems->more);
    if (context->json)
        return context_fail_with(context, EXIT_FAILED,
                                 json_pack("{s:s, s:s, s:i, s:o}", "type", "/problems/event-file", "title",
                                           "The event file is not right", "status", 422, "errors", errors),
                                 "%s is not right: %zu problems", path, problems->count + problems->more);
    json_decref(errors);
    // Longer than a line's bound in context_fail(), so it is written here.
    fprintf(stderr, "onsale: %s is not right:%s\n", path, text.data ? text.data : "");
    return EXIT_FAILED;
}

static int report_applied(const struct context *context, const char *slug, const struct event_applied *applied,
                          bool dry_run)
{
    const struct event_changes *changes = &applied->changes;
    if (context->json) {
        json_t *list = json_array();
        for (size_t i = 0; i < changes->count; i++)
            json_array_append_new(list, json_pack("{s:s, s:s?, s:s?}", "field", changes->items[i].field, "old",
                                                  changes->items[i].before, "new", changes->items[i].after));
        return context_print_json(context, json_pack("{s:s, s:b, s:b, s:I, s:o}", "event", slug, "created",
                                                     (int)applied->created, "dry_run", (int)dry_run, "version",
                                                     (json_int_t)applied->version, "changes", list));
    }
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    if (changes->count == 0)
        buffer_format(&text, "%s: nothing changes\n", slug);
    else
        buffer_format(&text, "%s%s%s:\n", dry_run ? "would " : "", slug,
                      applied->created ? (dry_run ? " be made" : " is made") : (dry_run ? " change" : " changes"));
    for (size_t i = 0; i < changes->count; i++) {
        const struct event_change *change = &changes->items[i];
        if (!change->before)
            buffer_format(&text, "  + %s: %s\n", change->field, change->after);
        else if (!change->after)
            buffer_format(&text, "  - %s: %s\n", change->field, change->before);
        else
            buffer_format(&text, "  ~ %s: %s → %s\n", change->field, change->before, change->after);
    }
    if (changes->more)
        buffer_format(&text, "  and %zu more\n", changes->more);
    return context_print_text(context, &text);
}

static bool has_seats(const struct event_file *file)
{
    for (size_t i = 0; i < file->tier_count; i++)
        if (file->tiers[i].seated)
            return true;
    return false;
}

static int apply_file(struct context *context, const struct event_file *file, const struct buffer *text)
{
    bool dry_run = context_option(context, "dry-run");
    char actor[CONTEXT_ACTOR_BYTES], refusal[EVENT_REFUSAL_BYTES] = "";
    struct event_applied applied;
    int status = context_database(context);
    if (status != EXIT_DONE)
        return status;
    int r =
        event_store_apply(context->db, file, text->data, text->bytes, dry_run, context_actor(actor), &applied, refusal);
    // Somebody made it at the same moment: now it is there, and locked properly.
    if (r == ERROR_DUPLICATE)
        r = event_store_apply(context->db, file, text->data, text->bytes, dry_run, actor, &applied, refusal);
    if (r == ERROR_CONFLICT)
        return context_fail(context, EXIT_FAILED, "%s", refusal);
    if (r < 0)
        return context_db_failed(context, r, "event apply");
    if (file->max_per_order > SEATS_IN_ORDER_MAX && has_seats(file))
        context_note(context, "max_per_order is %" PRId64 ", but an order in a tier with seats has at most %d",
                     file->max_per_order, SEATS_IN_ORDER_MAX);
    if (!dry_run && applied.changes.count)
        notify_changed(context, file->slug, applied.version);
    status = report_applied(context, file->slug, &applied, dry_run);
    event_changes_done(&applied.changes);
    return status;
}

int command_event_apply(struct context *context)
{
    const char *path = context->arguments[0];
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    struct event_file *file CLEANUP(event_file_cleanup) = NULL;
    struct event_problems problems;
    int status = read_file(context, path, &text);
    if (status != EXIT_DONE)
        return status;
    int r = event_file_read(text.data ? text.data : "", text.bytes, zone_exists, &file, &problems);
    if (r == ERROR_INVALID)
        return refuse_file(context, path, &problems);
    if (r < 0)
        return context_fail(context, EXIT_FAILED, "%s: %s", path, error_str(r));
    return apply_file(context, file, &text);
}

static json_t *json_time(const struct db_rows *rows, size_t row, size_t column)
{
    char text[CLOCK_TEXT_BYTES];
    return db_is_null(rows, row, column) ? json_null() : json_string(clock_format(db_time_us(rows, row, column), text));
}

static const char *time_text(const struct db_rows *rows, size_t row, size_t column, char text[static CLOCK_TEXT_BYTES])
{
    return db_is_null(rows, row, column) ? "–" : clock_format(db_time_us(rows, row, column), text);
}

static json_t *event_json(const struct db_rows *rows, size_t row)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:s}", "slug", db_string(rows, row, 0), "name", db_string(rows, row, 1),
                     "state", db_string(rows, row, 2), "opens_at", json_time(rows, row, 3), "starts_at",
                     json_time(rows, row, 4), "pace", db_string(rows, row, 5));
}

static int print_events(const struct context *context, const struct db_rows *rows, size_t count)
{
    bool more = db_rows_count(rows) > count;
    if (context->json)
        return context_print_items(context, rows, count, event_json, more ? db_string(rows, count - 1, 0) : NULL);
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    const char **cells = calloc((count + 1) * 5, sizeof(*cells));
    char(*times)[CLOCK_TEXT_BYTES] = calloc(count + 1, sizeof(*times));
    if (!cells || !times) {
        free(cells);
        free(times);
        return context_fail(context, EXIT_FAILED, "out of memory");
    }
    cells[0] = "EVENT", cells[1] = "STATE", cells[2] = "OPENS", cells[3] = "PACE", cells[4] = "NAME";
    for (size_t i = 0; i < count; i++) {
        const char **row = &cells[5 * (i + 1)];
        row[0] = db_string(rows, i, 0);
        row[1] = db_string(rows, i, 2);
        row[2] = time_text(rows, i, 3, times[i]);
        row[3] = db_string(rows, i, 5);
        row[4] = db_string(rows, i, 1);
    }
    table_write(cells, 5, count + 1, &text);
    if (more)
        buffer_format(&text, "more: onsale event list --after %s\n", db_string(rows, count - 1, 0));
    free(cells);
    free(times);
    return context_print_text(context, &text);
}

int command_event_list(struct context *context)
{
    size_t limit;
    int status = context_limit(context, &limit);
    if (status == EXIT_DONE)
        status = context_database(context);
    if (status != EXIT_DONE)
        return status;
    const char *after = context_option(context, "after");
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r =
        db_read(context->db,
                "SELECT slug, name, state, opens_at, starts_at, pace FROM events WHERE slug > ? ORDER BY slug LIMIT ?",
                (struct db_value[]){db_text(after ? after : ""), DB_U(limit + 1)}, 2, limit + 1, &rows);
    if (r < 0)
        return context_db_failed(context, r, "event list");
    size_t count = db_rows_count(rows) < limit ? db_rows_count(rows) : limit;
    return print_events(context, rows, count);
}

#define SHOW_EVENT                                                                                                     \
    "SELECT id, slug, name, venue, timezone, starts_at, lobby_opens_at, opens_at, closes_at, currency, "               \
    "max_per_order, "                                                                                                  \
    "max_per_customer, turn_seconds, absent_seconds, hold_seconds, max_active, pace, state, stop_reason, lobby_size, " \
    "notice, version FROM events WHERE slug = ?"
enum {
    SHOW_ID,
    SHOW_SLUG,
    SHOW_NAME,
    SHOW_VENUE,
    SHOW_TIMEZONE,
    SHOW_STARTS_AT,
    SHOW_LOBBY_OPENS_AT,
    SHOW_OPENS_AT,
    SHOW_CLOSES_AT,
    SHOW_CURRENCY,
    SHOW_MAX_PER_ORDER,
    SHOW_MAX_PER_CUSTOMER,
    SHOW_TURN_SECONDS,
    SHOW_ABSENT_SECONDS,
    SHOW_HOLD_SECONDS,
    SHOW_MAX_ACTIVE,
    SHOW_PACE,
    SHOW_STATE,
    SHOW_STOP_REASON,
    SHOW_LOBBY_SIZE,
    SHOW_NOTICE,
    SHOW_VERSION,
};

struct shown {
    struct db_rows *event, *tiers,
        *prices; // tiers: code, name, kind, capacity, held, sold, rows, seats; prices: tier, code, name, amount
};

static int read_shown(struct context *context, const char *slug, struct shown *ret)
{
    int r = db_read(context->db, SHOW_EVENT, (struct db_value[]){db_text(slug)}, 1, 1, &ret->event);
    if (r < 0 || db_rows_count(ret->event) == 0)
        return r < 0 ? r : ERROR_NOT_FOUND;
    const struct db_value id[] = {DB_U(db_u64(ret->event, 0, SHOW_ID))};
    r = db_read(
        context->db,
        "SELECT t.code, t.name, t.kind, t.capacity, t.held, t.sold, COUNT(DISTINCT s.row_name), COUNT(s.seat_name) "
        "FROM tiers t LEFT JOIN seats s ON s.event_id = t.event_id AND s.tier = t.code WHERE t.event_id = ? "
        "GROUP BY t.code, t.name, t.kind, t.capacity, t.held, t.sold, t.position ORDER BY t.position",
        id, 1, EVENT_FILE_TIERS_MAX, &ret->tiers);
    if (r < 0)
        return r;
    return db_read(context->db,
                   "SELECT tier, code, name, amount FROM tier_prices WHERE event_id = ? ORDER BY tier, position", id, 1,
                   EVENT_FILE_TIERS_MAX * EVENT_FILE_PRICES_MAX, &ret->prices);
}

static json_t *shown_tiers(const struct shown *shown)
{
    json_t *tiers = json_array();
    for (size_t t = 0; t < db_rows_count(shown->tiers); t++) {
        const struct db_rows *rows = shown->tiers;
        json_t *prices = json_array();
        for (size_t p = 0; p < db_rows_count(shown->prices); p++) {
            if (strcmp(db_string(shown->prices, p, 0), db_string(rows, t, 0)) == 0)
                json_array_append_new(prices, json_pack("{s:s, s:s, s:I}", "code", db_string(shown->prices, p, 1),
                                                        "name", db_string(shown->prices, p, 2), "amount",
                                                        (json_int_t)db_u64(shown->prices, p, 3)));
        }
        json_array_append_new(tiers,
                              json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I}", "code", db_string(rows, t, 0),
                                        "name", db_string(rows, t, 1), "kind", db_string(rows, t, 2), "prices", prices,
                                        "capacity", (json_int_t)db_u64(rows, t, 3), "held",
                                        (json_int_t)db_u64(rows, t, 4), "sold", (json_int_t)db_u64(rows, t, 5), "rows",
                                        (json_int_t)db_u64(rows, t, 6), "seats", (json_int_t)db_u64(rows, t, 7)));
    }
    return tiers;
}

static json_t *json_number(const struct db_rows *rows, size_t column)
{
    return db_is_null(rows, 0, column) ? json_null() : json_integer((json_int_t)db_u64(rows, 0, column));
}

static int show_json(const struct context *context, const struct shown *shown)
{
    const struct db_rows *event = shown->event;
    static const struct {
        const char *key;
        int column;
        enum { KIND_TEXT, KIND_TIME, KIND_NUMBER } kind;
    } members[] = {
        {"slug", SHOW_SLUG, KIND_TEXT},
        {"name", SHOW_NAME, KIND_TEXT},
        {"venue", SHOW_VENUE, KIND_TEXT},
        {"state", SHOW_STATE, KIND_TEXT},
        {"stop_reason", SHOW_STOP_REASON, KIND_TEXT},
        {"timezone", SHOW_TIMEZONE, KIND_TEXT},
        {"starts_at", SHOW_STARTS_AT, KIND_TIME},
        {"lobby_opens_at", SHOW_LOBBY_OPENS_AT, KIND_TIME},
        {"opens_at", SHOW_OPENS_AT, KIND_TIME},
        {"closes_at", SHOW_CLOSES_AT, KIND_TIME},
        {"currency", SHOW_CURRENCY, KIND_TEXT},
        {"max_per_order", SHOW_MAX_PER_ORDER, KIND_NUMBER},
        {"max_per_customer", SHOW_MAX_PER_CUSTOMER, KIND_NUMBER},
        {"turn_seconds", SHOW_TURN_SECONDS, KIND_NUMBER},
        {"absent_seconds", SHOW_ABSENT_SECONDS, KIND_NUMBER},
        {"hold_seconds", SHOW_HOLD_SECONDS, KIND_NUMBER},
        {"max_active", SHOW_MAX_ACTIVE, KIND_NUMBER},
        {"pace", SHOW_PACE, KIND_TEXT},
        {"lobby_size", SHOW_LOBBY_SIZE, KIND_NUMBER},
        {"notice", SHOW_NOTICE, KIND_TEXT},
        {"version", SHOW_VERSION, KIND_NUMBER},
    };
    json_t *json = json_object();
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        size_t column = (size_t)members[i].column;
        json_t *value = members[i].kind == KIND_TIME     ? json_time(event, 0, column)
                        : members[i].kind == KIND_NUMBER ? json_number(event, column)
                        : db_is_null(event, 0, column)   ? json_null()
                                                         : json_string(db_string(event, 0, column));
        json_object_set_new(json, members[i].key, value);
    }
    json_object_set_new(json, "tiers", shown_tiers(shown));
    return context_print_json(context, json);
}

static void show_tiers_text(const struct shown *shown, struct buffer *text)
{
    const struct db_rows *tiers = shown->tiers, *prices = shown->prices;
    for (size_t t = 0; t < db_rows_count(tiers); t++) {
        buffer_format(text, "\ntier %s (%s): %" PRIu64 " places, %" PRIu64 " held, %" PRIu64 " sold",
                      db_string(tiers, t, 0), db_string(tiers, t, 1), db_u64(tiers, t, 3), db_u64(tiers, t, 4),
                      db_u64(tiers, t, 5));
        if (strcmp(db_string(tiers, t, 2), "seated") == 0)
            buffer_format(text, "; %" PRIu64 " rows with %" PRIu64 " seats", db_u64(tiers, t, 6), db_u64(tiers, t, 7));
        buffer_text(text, "\n");
        for (size_t p = 0; p < db_rows_count(prices); p++) {
            char amount[CURRENCY_AMOUNT_BYTES];
            if (strcmp(db_string(prices, p, 0), db_string(tiers, t, 0)) == 0)
                buffer_format(text, "  %-12s %14s  %s\n", db_string(prices, p, 1),
                              currency_format(db_u64(prices, p, 3), db_string(shown->event, 0, SHOW_CURRENCY), amount),
                              db_string(prices, p, 2));
        }
    }
}

static int show_text(const struct context *context, const struct shown *shown)
{
    const struct db_rows *event = shown->event;
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    char starts[CLOCK_TEXT_BYTES], lobby[CLOCK_TEXT_BYTES], opens[CLOCK_TEXT_BYTES], closes[CLOCK_TEXT_BYTES];
    buffer_format(&text, "%s  %s%s%s\n", db_string(event, 0, SHOW_SLUG), db_string(event, 0, SHOW_NAME),
                  *db_string(event, 0, SHOW_VENUE) ? ", " : "", db_string(event, 0, SHOW_VENUE));
    buffer_format(&text, "state         %s%s%s\n", db_string(event, 0, SHOW_STATE),
                  db_is_null(event, 0, SHOW_STOP_REASON) ? "" : ": ",
                  db_is_null(event, 0, SHOW_STOP_REASON) ? "" : db_string(event, 0, SHOW_STOP_REASON));
    buffer_format(&text, "pace          %s\n", db_string(event, 0, SHOW_PACE));
    buffer_format(&text, "lobby opens   %s\nopens         %s\ncloses        %s\nstarts        %s (%s)\n",
                  time_text(event, 0, SHOW_LOBBY_OPENS_AT, lobby), time_text(event, 0, SHOW_OPENS_AT, opens),
                  time_text(event, 0, SHOW_CLOSES_AT, closes), time_text(event, 0, SHOW_STARTS_AT, starts),
                  db_string(event, 0, SHOW_TIMEZONE));
    buffer_format(&text,
                  "turn          %" PRIu64 " s; who was away may come back for %" PRIu64 " s; holds %" PRIu64 " s\n",
                  db_u64(event, 0, SHOW_TURN_SECONDS), db_u64(event, 0, SHOW_ABSENT_SECONDS),
                  db_u64(event, 0, SHOW_HOLD_SECONDS));
    buffer_format(&text, "limits        %" PRIu64 " per order, %" PRIu64 " per customer\n",
                  db_u64(event, 0, SHOW_MAX_PER_ORDER), db_u64(event, 0, SHOW_MAX_PER_CUSTOMER));
    if (!db_is_null(event, 0, SHOW_NOTICE))
        buffer_format(&text, "notice        %s\n", db_string(event, 0, SHOW_NOTICE));
    show_tiers_text(shown, &text);
    return context_print_text(context, &text);
}

int command_event_show(struct context *context)
{
    const char *slug = context->arguments[0];
    int status = context_database(context);
    if (status != EXIT_DONE)
        return status;
    struct shown shown = {0};
    int r = read_shown(context, slug, &shown);
    if (r == ERROR_NOT_FOUND)
        status = context_no_event(context, slug);
    else if (r < 0)
        status = context_db_failed(context, r, "event show");
    else
        status = context->json ? show_json(context, &shown) : show_text(context, &shown);
    db_rows_free(shown.event);
    db_rows_free(shown.tiers);
    db_rows_free(shown.prices);
    return status;
}
