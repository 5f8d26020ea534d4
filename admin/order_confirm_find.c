// SPDX-License-Identifier: Apache-2.0
#include "admin/order_confirm_find.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "admin/reference.h"
#include "common/buffer.h"

static uint64_t place_of(const char *given)
{
    char *end;
    errno = 0;
    const unsigned long long value = strtoull(given, &end, 10);
    return errno || *end || *given < '0' || *given > '9' || value > INT64_MAX ? 0 : value;
}

// Rows of an item's number, its place and its attempt.
static void take_found(const struct db_rows *rows, struct order_confirm *items)
{
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        struct order_confirm *item = &items[db_u64(rows, i, 0)];
        item->is_found = true;
        item->place = db_u64(rows, i, 1);
        item->attempt = (uint32_t)db_u64(rows, i, 2);
    }
}

// Places are looked up for their newest attempt, and what is none, or nobody's, as a reference: eight digits may be one.
static int find_places(struct db *db, uint64_t event_id, struct order_confirm *items, size_t count)
{
    struct buffer keys CLEANUP(buffer_done) = BUFFER_INIT;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    buffer_text(&keys, "[");
    for (size_t i = 0; i < count; i++)
        buffer_format(&keys, "%s[%zu,%" PRIu64 "]", i ? "," : "", i, place_of(items[i].given));
    buffer_text(&keys, "]");
    if (keys.failed)
        return ERROR_MEMORY;
    int r = db_read(db,
                    "SELECT k.n, o.place, MAX(o.attempt) FROM JSON_TABLE(?, '$[*]' COLUMNS (n INT UNSIGNED PATH "
                    "'$[0]', place BIGINT UNSIGNED PATH '$[1]')) AS k STRAIGHT_JOIN orders o ON o.event_id = ? AND "
                    "o.place = k.place GROUP BY k.n, o.place",
                    (struct db_value[]){db_text(keys.data), DB_U(event_id)}, 2, count, &rows);
    if (r == 0)
        take_found(rows, items);
    return r;
}

static int find_references(struct db *db, uint64_t event_id, struct order_confirm *items, size_t count)
{
    struct buffer keys CLEANUP(buffer_done) = BUFFER_INIT;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    size_t asked = 0;
    char reference[REFERENCE_BYTES];
    buffer_text(&keys, "[");
    for (size_t i = 0; i < count; i++)
        if (!items[i].is_found && reference_parse(items[i].given, reference) == 0)
            buffer_format(&keys, "%s[%zu,\"%s\"]", asked++ ? "," : "", i, reference);
    buffer_text(&keys, "]");
    if (keys.failed)
        return ERROR_MEMORY;
    if (!asked)
        return 0;
    int r = db_read(db,
                    "SELECT k.n, b.place, b.attempt FROM JSON_TABLE(?, '$[*]' COLUMNS (n INT UNSIGNED PATH '$[0]', "
                    "reference VARCHAR(9) PATH '$[1]')) AS k STRAIGHT_JOIN bookings b ON b.reference = "
                    "CONVERT(k.reference USING ascii) WHERE b.event_id = ?",
                    (struct db_value[]){db_text(keys.data), DB_U(event_id)}, 2, asked, &rows);
    if (r == 0)
        take_found(rows, items);
    return r;
}

int order_confirm_find(struct db *db, uint64_t event_id, struct order_confirm *items, size_t count)
{
    const int r = find_places(db, event_id, items, count);
    return r < 0 ? r : find_references(db, event_id, items, count);
}
