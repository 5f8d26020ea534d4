// SPDX-License-Identifier: Apache-2.0
// The transaction of `event apply`. Locks the event's row, then its tiers by code; everything is decided from what is
// locked. What the dial and the timetable own (pace, opens_at) is written only when the file changed in it, so that
// applying a file again for another reason never turns back the dial.
#include "admin/event_store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/utf8.h"

#define LOG_DETAIL_BYTES_MAX 4000
#define LOG_VALUE_BYTES_MAX 200
#define SEATS_NAMED_MAX 10 // in a refusal

struct store {
    struct db *db;
    const struct event_file *file;
    struct event_file *before; // NULL: the event is new
    const char *text;
    size_t text_bytes;
    uint64_t id, version;
    struct db_rows *tiers; // locked: code, held, sold, standby
    char *refusal;
};

// The old file was checked when it was applied; a time zone that went away since must not make it unreadable.
static int any_zone(const char *name)
{
    (void)name;
    return 1;
}

static int lock_event(struct store *store)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(store->db, "SELECT id, version, file FROM events WHERE slug = ? FOR UPDATE",
                    (struct db_value[]){db_text(store->file->slug)}, 1, 1, &rows);
    if (r < 0 || db_rows_count(rows) == 0)
        return r;
    store->id = db_u64(rows, 0, 0);
    store->version = db_u64(rows, 0, 1);
    struct event_problems problems;
    size_t bytes;
    const void *old = db_bytes(rows, 0, 2, &bytes);
    r = event_file_read(old, bytes, any_zone, &store->before, &problems);
    if (r == ERROR_INVALID) {
        snprintf(store->refusal, EVENT_REFUSAL_BYTES,
                 "the file that was applied last is not understood any more: %.100s %.100s", problems.items[0].field,
                 problems.items[0].detail);
        return ERROR_CONFLICT;
    }
    if (r < 0)
        return r;
    return db_read(store->db, "SELECT code, held, sold, standby FROM tiers WHERE event_id = ? ORDER BY code FOR UPDATE",
                   (struct db_value[]){DB_U(store->id)}, 1, EVENT_FILE_TIERS_MAX, &store->tiers);
}

// A tier that somebody has places of, or stands by for: what may not happen to it.
static const char *broken(const struct event_tier *before, const struct event_tier *after, uint64_t taken)
{
    if (!after)
        return "the tier goes away";
    if (before && before->seated != after->seated)
        return after->seated ? "it would become seated" : "it would become standing";
    if (after->capacity < taken)
        return "the capacity would be below them";
    for (size_t i = 0; before && i < before->price_count; i++) {
        if (!event_tier_price(after, before->prices[i].code))
            return "a price goes away";
    }
    return NULL;
}

// "seats and 5 more are held or sold: …"
static void refuse_seats(const struct store *store, const struct db_rows *taken, const size_t *rows, size_t count,
                         enum event_seat_fate fate)
{
    struct buffer names CLEANUP(buffer_done) = BUFFER_INIT;
    for (size_t i = 0; i < count && i < SEATS_NAMED_MAX; i++)
        buffer_format(&names, "%s%s-%s", i ? ", " : "", db_string(taken, rows[i], 0), db_string(taken, rows[i], 1));
    if (count > SEATS_NAMED_MAX)
        buffer_format(&names, " and %zu more", count - SEATS_NAMED_MAX);
    const bool is_one = count == 1, goes = fate == EVENT_SEAT_GOES;
    snprintf(store->refusal, EVENT_REFUSAL_BYTES, "%s %.200s %s held or sold: %s cannot %s", is_one ? "seat" : "seats",
             names.data ? names.data : "", is_one ? "is" : "are", is_one ? "it" : "they",
             goes ? "go away or be blocked" : "be kept for wheelchairs or companions from now on");
}

// By name, under the lock of the tier: nobody gets or loses a seat meanwhile.
static int check_seats(struct store *store, const struct event_tier *before, const struct event_tier *after)
{
    struct db_rows *taken CLEANUP(db_rows_cleanup) = NULL;
    if (!before || !after || !before->seated || !after->seated || event_tier_seats_equal(before, after))
        return 0;
    int r = db_read(store->db,
                    "SELECT row_name, seat_name FROM taken_seats WHERE event_id = ? AND tier = ? ORDER BY row_name, "
                    "CAST(seat_name AS UNSIGNED)",
                    (struct db_value[]){DB_U(store->id), db_text(before->code)}, 2, EVENT_FILE_SEATS_MAX, &taken);
    size_t *rows = calloc(db_rows_count(taken) + 1, sizeof(*rows));
    if (r == 0 && !rows)
        r = ERROR_MEMORY;
    for (int fate = EVENT_SEAT_GOES; r == 0 && fate <= EVENT_SEAT_MARKED; fate++) {
        size_t count = 0;
        for (size_t i = 0; i < db_rows_count(taken); i++)
            if (event_tier_seat_fate(before, after, db_string(taken, i, 0), db_string(taken, i, 1)) ==
                (enum event_seat_fate)fate)
                rows[count++] = i;
        if (count) {
            refuse_seats(store, taken, rows, count, (enum event_seat_fate)fate);
            r = ERROR_CONFLICT;
        }
    }
    free(rows);
    return r;
}

static int check_tier(struct store *store, size_t row)
{
    const char *code = db_string(store->tiers, row, 0);
    const uint64_t held = db_u64(store->tiers, row, 1), sold = db_u64(store->tiers, row, 2),
                   standby = db_u64(store->tiers, row, 3);
    if (held + sold + standby == 0)
        return 0;
    assert(store->before); // who has tiers was made from a file
    const struct event_tier *before = event_file_tier(store->before, code), *after = event_file_tier(store->file, code);
    // First, because it can say which seats are meant: a full hall has too little capacity, too, as soon as one goes away.
    const int r = check_seats(store, before, after);
    if (r < 0)
        return r;
    const char *why = broken(before, after, held + sold);
    if (!why && strcmp(store->before->currency, store->file->currency) != 0)
        why = "the currency changes";
    if (!why)
        return 0;
    snprintf(store->refusal, EVENT_REFUSAL_BYTES,
             "tier %s has %" PRIu64 " places held and %" PRIu64 " sold, and %" PRIu64 " stand by: %s", code, held, sold,
             standby, why);
    return ERROR_CONFLICT;
}

static int check_tiers(struct store *store)
{
    int r = 0;
    for (size_t i = 0; store->tiers && i < db_rows_count(store->tiers) && r == 0; i++)
        r = check_tier(store, i);
    return r;
}

static struct db_value time_value(int64_t time_us)
{
    return time_us == EVENT_FILE_NO_TIME ? DB_N : DB_T(time_us);
}

static int insert_event(struct store *store)
{
    const struct event_file *file = store->file;
    const struct db_value values[] = {
        db_text(file->slug),
        db_text(file->name),
        db_text(file->venue),
        db_text(file->timezone),
        time_value(file->starts_at_us),
        time_value(file->lobby_opens_at_us),
        time_value(file->opens_at_us),
        time_value(file->closes_at_us),
        db_text(file->currency),
        DB_I(file->max_per_order),
        DB_I(file->max_per_customer),
        DB_I(file->turn_seconds),
        DB_I(file->absent_seconds),
        DB_I(file->hold_seconds),
        file->max_active ? DB_I(file->max_active) : DB_N,
        db_text(file->pace),
        {.type = DB_TEXT, .s = {store->text, store->text_bytes}},
    };
    struct db_written written;
    int r = db_write(
        store->db,
        "INSERT INTO events (slug, name, venue, timezone, starts_at, lobby_opens_at, opens_at, closes_at, "
        "currency, max_per_order, max_per_customer, turn_seconds, absent_seconds, hold_seconds, max_active, pace, "
        "file, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6))",
        values, sizeof(values) / sizeof(values[0]), &written);
    if (r < 0)
        return r;
    store->id = written.insert_id;
    store->version = 1;
    const struct db_value id[] = {DB_U(store->id)};
    r = db_write(store->db, "INSERT INTO line_counters (event_id) VALUES (?)", id, 1, NULL);
    return r < 0 ? r : db_write(store->db, "INSERT INTO line_served (event_id) VALUES (?)", id, 1, NULL);
}

static int update_event(struct store *store)
{
    const struct event_file *file = store->file, *before = store->before;
    bool pace = strcmp(file->pace, before->pace) != 0, opens_at = file->opens_at_us != before->opens_at_us;
    const struct db_value values[] = {
        db_text(file->name),
        db_text(file->venue),
        db_text(file->timezone),
        time_value(file->starts_at_us),
        time_value(file->lobby_opens_at_us),
        time_value(file->closes_at_us),
        db_text(file->currency),
        DB_I(file->max_per_order),
        DB_I(file->max_per_customer),
        DB_I(file->turn_seconds),
        DB_I(file->absent_seconds),
        DB_I(file->hold_seconds),
        file->max_active ? DB_I(file->max_active) : DB_N,
        {.type = DB_TEXT, .s = {store->text, store->text_bytes}},
        DB_I(pace),
        db_text(file->pace),
        DB_I(opens_at),
        time_value(file->opens_at_us),
        DB_U(store->id),
    };
    int r = db_write(
        store->db,
        "UPDATE events SET name = ?, venue = ?, timezone = ?, starts_at = ?, lobby_opens_at = ?, closes_at = ?, "
        "currency = ?, max_per_order = ?, max_per_customer = ?, turn_seconds = ?, absent_seconds = ?, "
        "hold_seconds = ?, max_active = ?, file = ?, pace = IF(?, ?, pace), opens_at = IF(?, ?, opens_at), "
        "version = version + 1 WHERE id = ?",
        values, sizeof(values) / sizeof(values[0]), NULL);
    if (r == 0)
        store->version++;
    return r;
}

// Tiers and prices that the file no longer has. Seats of every tier that goes or changes are written anew.
static int remove_gone(struct store *store)
{
    for (size_t t = 0; store->before && t < store->before->tier_count; t++) {
        const struct event_tier *before = &store->before->tiers[t];
        const struct event_tier *after = event_file_tier(store->file, before->code);
        const struct db_value key[] = {DB_U(store->id), db_text(before->code)};
        int r = 0;
        if (before->seated && (!after || !event_tier_seats_equal(before, after)))
            r = db_write(store->db, "DELETE FROM seats WHERE event_id = ? AND tier = ?", key, 2, NULL);
        for (size_t p = 0; r == 0 && p < before->price_count; p++) {
            if (!event_tier_price(after, before->prices[p].code))
                r = db_write(store->db, "DELETE FROM tier_prices WHERE event_id = ? AND tier = ? AND code = ?",
                             (struct db_value[]){key[0], key[1], db_text(before->prices[p].code)}, 3, NULL);
        }
        if (r == 0 && !after)
            r = db_write(store->db, "DELETE FROM tiers WHERE event_id = ? AND code = ?", key, 2, NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

static int write_prices(struct store *store, const struct event_tier *tier)
{
    struct db_value values[EVENT_FILE_PRICES_MAX * 6];
    for (size_t p = 0; p < tier->price_count; p++) {
        struct db_value *row = &values[6 * p];
        row[0] = DB_U(store->id);
        row[1] = db_text(tier->code);
        row[2] = db_text(tier->prices[p].code);
        row[3] = DB_U(p);
        row[4] = db_text(tier->prices[p].name);
        row[5] = DB_I(tier->prices[p].amount);
    }
    return db_write_many(
        store->db, "INSERT INTO tier_prices (event_id, tier, code, position, name, amount) VALUES ",
        "(?, ?, ?, ?, ?, ?)",
        " ON DUPLICATE KEY UPDATE position = VALUES(position), name = VALUES(name), amount = VALUES(amount)", values, 6,
        tier->price_count);
}

#define SEAT_VALUES 9

static int write_row(struct store *store, const struct event_tier *tier, size_t position)
{
    const struct event_row *row = &tier->rows[position];
    struct db_value *values = calloc(row->seat_count * SEAT_VALUES, sizeof(*values));
    char(*names)[8] = calloc(row->seat_count, sizeof(*names));
    int r = values && names ? 0 : ERROR_MEMORY;
    for (size_t s = 0; r == 0 && s < row->seat_count; s++) {
        const struct event_seat *seat = &row->seats[s];
        snprintf(names[s], sizeof(names[s]), "%u", (unsigned)seat->number);
        const struct db_value one[SEAT_VALUES] = {
            DB_U(store->id),    db_text(tier->code),    db_text(row->name),    db_text(names[s]),   DB_U(position),
            DB_U(seat->number), DB_U(seat->wheelchair), DB_U(seat->companion), DB_U(seat->blocked),
        };
        memcpy(&values[s * SEAT_VALUES], one, sizeof(one));
    }
    if (r == 0)
        r = db_write_many(
            store->db,
            "INSERT INTO seats (event_id, tier, row_name, seat_name, row_position, seat_position, wheelchair, "
            "companion, blocked) VALUES ",
            "(?, ?, ?, ?, ?, ?, ?, ?, ?)", "", values, SEAT_VALUES, row->seat_count);
    free(values);
    free(names);
    return r;
}

static int write_tiers(struct store *store)
{
    for (size_t t = 0; t < store->file->tier_count; t++) {
        const struct event_tier *tier = &store->file->tiers[t], *before = event_file_tier(store->before, tier->code);
        const bool seats = !before || before->seated != tier->seated || !event_tier_seats_equal(before, tier);
        // The event's version only grows, so no layout of a tier comes a second time, not even when the tier went away meanwhile.
        const struct db_value values[] = {DB_U(store->id),
                                          db_text(tier->code),
                                          DB_U(t),
                                          db_text(tier->name),
                                          db_text(tier->seated ? "seated" : "standing"),
                                          DB_U(tier->capacity),
                                          DB_U(store->version),
                                          DB_U(seats)};
        int r = db_write(
            store->db,
            "INSERT INTO tiers (event_id, code, position, name, kind, capacity, layout) VALUES (?, ?, ?, ?, ?, ?, "
            "?) ON DUPLICATE KEY UPDATE position = VALUES(position), name = VALUES(name), kind = VALUES(kind), "
            "capacity = VALUES(capacity), layout = IF(?, VALUES(layout), layout)",
            values, 8, NULL);
        if (r == 0)
            r = write_prices(store, tier);
        for (size_t row = 0; r == 0 && seats && row < tier->row_count; row++)
            r = write_row(store, tier, row);
        if (r < 0)
            return r;
    }
    return 0;
}

static int write_log(struct store *store, const struct event_changes *changes, const char *actor)
{
    struct buffer detail CLEANUP(buffer_done) = BUFFER_INIT;
    size_t shown = 0;
    for (; store->before && shown < changes->count && detail.bytes < LOG_DETAIL_BYTES_MAX; shown++) {
        const struct event_change *change = &changes->items[shown];
        const char *old = change->before ? change->before : "none", *new = change->after ? change->after : "none";
        buffer_format(&detail, "%s%s: %.*s → %.*s", shown ? "; " : "", change->field,
                      (int)utf8_cut(old, LOG_VALUE_BYTES_MAX), old, (int)utf8_cut(new, LOG_VALUE_BYTES_MAX), new);
    }
    size_t left = store->before ? changes->count + changes->more - shown : 0;
    if (left)
        buffer_format(&detail, "; and %zu more", left);
    if (detail.failed)
        return ERROR_MEMORY;
    return db_write(store->db,
                    "INSERT INTO event_log (event_id, at, actor, action, detail) VALUES (?, UTC_TIMESTAMP(6), ?, ?, ?)",
                    (struct db_value[]){DB_U(store->id), db_text(actor), db_text(store->before ? "apply" : "create"),
                                        db_text(detail.bytes ? detail.data : NULL)},
                    4, NULL);
}

static int apply_in_transaction(struct store *store, bool dry_run, const char *actor, struct event_applied *applied)
{
    int r = lock_event(store);
    if (r < 0)
        return r;
    applied->created = !store->before;
    event_diff(store->before, store->file, &applied->changes);
    if (applied->changes.failed)
        return ERROR_MEMORY;
    r = check_tiers(store);
    if (r < 0 || dry_run || applied->changes.count == 0)
        return r;
    r = store->before ? update_event(store) : insert_event(store);
    if (r == 0)
        r = remove_gone(store);
    if (r == 0)
        r = write_tiers(store);
    return r < 0 ? r : write_log(store, &applied->changes, actor);
}

int event_store_apply(struct db *db, const struct event_file *file, const char *text, size_t text_bytes, bool dry_run,
                      const char *actor, struct event_applied *ret, char ret_refusal[static EVENT_REFUSAL_BYTES])
{
    struct store store = {.db = db, .file = file, .text = text, .text_bytes = text_bytes, .refusal = ret_refusal};
    struct event_applied applied = {0};
    int r = db_begin(db);
    if (r == 0)
        r = apply_in_transaction(&store, dry_run, actor, &applied);
    if (r == 0 && !dry_run)
        r = db_commit(db);
    if ((r < 0 || dry_run) && db_is_connected(db))
        db_rollback(db);
    event_file_free(store.before);
    db_rows_free(store.tiers);
    if (r < 0) {
        event_changes_done(&applied.changes);
        return r;
    }
    applied.version = store.version;
    *ret = applied;
    return 0;
}
