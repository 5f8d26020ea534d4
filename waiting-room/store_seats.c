// SPDX-License-Identifier: Apache-2.0
// Which seats of an event somebody has, for everybody who looks at the plan. However many ask, MySQL is asked at most once a second per
// event and never for more than a twentieth of the thread's time, and it is first asked only whether anything changed.
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "waiting-room/line_store_internal.h"

#define EVERY_NS INT64_C(1000000000)
#define SHARE 20 // reading takes at most this part of the thread's time
#define TIERS_MAX 1000
#define SEATS_MAX 200000 // as many as an event file may have

// What is known of one tier.
struct known_tier {
    char code[SLUG_BYTES];
    struct hall *hall; // that the text was written of
    uint64_t version; // tiers.taken_version
    struct buffer text;
};

struct store_seats {
    uint32_t event_id;
    struct seats_document *document; // NULL: none yet
    int64_t at_us; // MySQL's clock when it was like that
    int64_t looked_ns, next_ns;
    size_t tier_count;
    struct known_tier *tiers;
    struct store_seats *next;
};

static struct metric looks = METRIC_COUNTER("onsale_seats_looks_total", "Times MySQL was asked whether seats changed.");
static struct metric reads = METRIC_COUNTER("onsale_seats_reads_total", "Times the taken seats of a tier were read.");

void store_register_seats_metrics(void)
{
    metrics_register(&looks);
    metrics_register(&reads);
}

static void free_tiers(struct known_tier *tiers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        hall_unref(tiers[i].hall);
        buffer_done(&tiers[i].text);
    }
    free(tiers);
}

void store_free_seats(struct store_seats *seats)
{
    while (seats) {
        struct store_seats *next = seats->next;
        free_tiers(seats->tiers, seats->tier_count);
        seats_document_unref(seats->document);
        free(seats);
        seats = next;
    }
}

static struct store_seats *find_seats(struct line_store *store, uint32_t event_id)
{
    for (struct store_seats *seats = store->seats; seats; seats = seats->next)
        if (seats->event_id == event_id)
            return seats;
    struct store_seats *seats = calloc(1, sizeof *seats);
    if (seats) {
        seats->event_id = event_id;
        seats->next = store->seats;
        store->seats = seats;
    }
    return seats;
}

static const struct snapshot *find_event(const struct line_store *store, uint32_t id)
{
    for (size_t i = 0; i < store->snapshot_count; i++)
        if (store->snapshots[i]->id == id)
            return store->snapshots[i];
    return NULL;
}

// Rows come sorted by their row's name, so a row is looked for once. A seat that this hall does not have is one of a hall that is newer than
// the snapshot, which is about to be read.
static void mark_taken(const struct hall *hall, const struct db_rows *rows, bool *taken)
{
    const struct hall_row *row = NULL;
    size_t first = 0;
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        const char *name = db_string(rows, i, 1);
        if (!name)
            continue; // nobody has any
        if (!row || strcmp(row->name, name) != 0) {
            row = hall_find_row(hall, name);
            first = 0;
            for (const struct hall_row *before = hall->rows; row && before < row; before++)
                first += before->seat_count;
        }
        const struct hall_seat *seat = row ? hall_find_seat(row, (uint16_t)db_u64(rows, i, 2)) : NULL;
        if (seat)
            taken[first + (size_t)(seat - row->seats)] = true;
    }
}

// One statement sees one moment, so the version is that of these very seats.
static int read_tier(struct line_store *store, uint32_t event_id, struct known_tier *tier)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int error = db_read(store->db,
                        "SELECT t.taken_version, s.row_name, CAST(s.seat_name AS UNSIGNED) FROM tiers t"
                        " LEFT JOIN taken_seats s ON s.event_id = t.event_id AND s.tier = t.code"
                        " WHERE t.event_id = ? AND t.code = ? ORDER BY s.row_name LIMIT 200000",
                        (struct db_value[]){DB_U(event_id), db_text(tier->code)}, 2, SEATS_MAX, &rows);
    if (error < 0 || db_rows_count(rows) == 0)
        return error;
    bool *taken = calloc(tier->hall->seat_count + 1, sizeof *taken);
    if (!taken)
        return ERROR_MEMORY;
    mark_taken(tier->hall, rows, taken);
    seats_tier_write(&tier->text, tier->hall, db_u64(rows, 0, 0), taken);
    tier->version = db_u64(rows, 0, 0);
    free(taken);
    metric_add(&reads, 1);
    return tier->text.failed ? ERROR_MEMORY : 0;
}

// The text of the last time, if neither the hall nor what is taken of it has changed since.
static bool take_known(const struct store_seats *seats, struct known_tier *tier, uint64_t version)
{
    for (size_t i = 0; i < seats->tier_count; i++) {
        const struct known_tier *known = &seats->tiers[i];
        if (known->version != version || known->hall != tier->hall || strcmp(known->code, tier->code) != 0)
            continue;
        tier->version = version;
        buffer_append(&tier->text, known->text.data, known->text.bytes);
        return !tier->text.failed;
    }
    return false;
}

static uint64_t version_in(const struct db_rows *rows, const char *code)
{
    for (size_t row = 0; row < db_rows_count(rows); row++)
        if (strcmp(db_string(rows, row, 0), code) == 0)
            return db_u64(rows, row, 1);
    return 0;
}

static bool is_same(const struct store_seats *seats, const struct known_tier *tiers, size_t count)
{
    if (!seats->document || seats->tier_count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (seats->tiers[i].version != tiers[i].version || seats->tiers[i].hall != tiers[i].hall)
            return false;
    return true;
}

static int write_document(struct store_seats *seats, const struct known_tier *tiers, size_t count)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    buffer_text(&text, "{");
    for (size_t i = 0; i < count; i++) {
        buffer_format(&text, "%s\"%s\":", i ? "," : "", tiers[i].code);
        buffer_append(&text, tiers[i].text.data, tiers[i].text.bytes);
    }
    buffer_text(&text, "}");
    struct seats_document *document = seats_document_new(&text);
    if (!document)
        return ERROR_MEMORY;
    seats_document_unref(seats->document);
    seats->document = document;
    return 0;
}

static int fill_tiers(struct line_store *store, const struct store_seats *seats, const struct snapshot *event,
                      const struct db_rows *versions, struct known_tier *tiers, size_t *count)
{
    int error = 0;
    for (size_t i = 0; error == 0 && i < event->tier_count; i++) {
        if (!event->tiers[i].hall)
            continue;
        struct known_tier *tier = &tiers[(*count)++];
        memcpy(tier->code, event->tiers[i].code, sizeof tier->code);
        tier->hall = hall_ref(event->tiers[i].hall);
        if (!take_known(seats, tier, version_in(versions, tier->code)))
            error = read_tier(store, event->id, tier);
    }
    return error;
}

static int look(struct line_store *store, struct store_seats *seats, const struct snapshot *event)
{
    struct db_rows *versions CLEANUP(db_rows_cleanup) = NULL;
    metric_add(&looks, 1);
    int64_t at_us = line_store_now_us(store);
    int error = db_read(store->db, "SELECT code, taken_version FROM tiers WHERE event_id = ? AND kind = 'seated'",
                        (struct db_value[]){DB_U(event->id)}, 1, TIERS_MAX, &versions);
    if (error < 0)
        return error;
    size_t count = 0;
    struct known_tier *tiers = calloc(event->tier_count + 1, sizeof *tiers);
    if (!tiers)
        return ERROR_MEMORY;
    error = fill_tiers(store, seats, event, versions, tiers, &count);
    if (error == 0 && !is_same(seats, tiers, count))
        error = write_document(seats, tiers, count);
    if (error < 0) {
        free_tiers(tiers, count);
        return error;
    }
    free_tiers(seats->tiers, seats->tier_count);
    seats->tiers = tiers;
    seats->tier_count = count;
    seats->at_us = at_us;
    return 0;
}

static int look_if_due(struct line_store *store, struct store_seats *seats, uint32_t event_id)
{
    const struct snapshot *event = find_event(store, event_id);
    int64_t from_ns = clock_monotonic_ns();
    if (!event)
        return ERROR_NOT_FOUND;
    if (from_ns < seats->next_ns)
        return seats->document ? 0 : ERROR_TRANSIENT;
    int error = look(store, seats, event);
    int64_t took_ns = clock_monotonic_ns() - from_ns;
    seats->next_ns = from_ns + (took_ns * SHARE > EVERY_NS ? took_ns * SHARE : EVERY_NS);
    if (error == 0)
        seats->looked_ns = from_ns;
    return error;
}

void store_seats(struct line_store *store, struct line_store_request **requests, size_t count)
{
    struct store_seats *seats = find_seats(store, requests[0]->event_id);
    int error = seats ? look_if_due(store, seats, requests[0]->event_id) : ERROR_MEMORY;
    if (error < 0) {
        store_fail(store, requests, count, "seats", error);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        requests[i]->error = 0;
        requests[i]->seats = seats_document_ref(seats->document);
        requests[i]->seats_at_us = seats->at_us;
        requests[i]->seats_looked_ns = seats->looked_ns;
    }
}
