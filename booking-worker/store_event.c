// SPDX-License-Identifier: Apache-2.0
// See store.h. Whoever changes tiers or customers of an event, or gives a booking what it has, locks all its tiers first. So once they
// are locked here, plain reads of customers see what will not change, and orders that are released stay as they are by themselves. Visitors
// and operators end bookings without these locks; what they ended waits in `freeings`.
#include <stdlib.h>
#include <string.h>

#include "booking-worker/store_internal.h"

#define SECOND_US INT64_C(1000000)

int store_copy_text(const char *text, size_t bytes, char *ret)
{
    if (!text || strlen(text) >= bytes)
        return ERROR_BUG;
    memcpy(ret, text, strlen(text) + 1);
    return 0;
}

int store_copy_optional(const char *text, size_t bytes, char *ret)
{
    return store_copy_text(text ? text : "", bytes, ret);
}

void store_copy_bytes(const struct db_rows *rows, size_t row, size_t column, size_t bytes, void *ret)
{
    size_t there = 0;
    const void *data = db_bytes(rows, row, column, &there);
    if (data && there == bytes)
        memcpy(ret, data, bytes);
}

void store_write_keys(struct buffer *text, const struct store_key *keys, size_t count)
{
    buffer_text(text, "[");
    for (size_t i = 0; i < count; i++) {
        buffer_text(text, i ? ",[" : "[");
        buffer_number(text, keys[i].place);
        buffer_text(text, ",");
        buffer_number(text, keys[i].attempt);
        buffer_text(text, "]");
    }
    buffer_text(text, "]");
}

static int read_event(struct db *db, struct store_event *event)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db,
                         "SELECT slug, state, currency, max_per_customer, hold_seconds,"
                         " UTC_TIMESTAMP(6) - INTERVAL stopped_us MICROSECOND FROM events WHERE id = ?"
                         " LOCK IN SHARE MODE",
                         (struct db_value[]){DB_U(event->id)}, 1, 1, &rows);
    if (result)
        return result;
    if (db_rows_count(rows) == 0)
        return ERROR_NOT_FOUND;
    if (store_copy_text(db_string(rows, 0, 0), sizeof(event->slug), event->slug) ||
        store_copy_text(db_string(rows, 0, 2), sizeof(event->currency), event->currency) ||
        lifecycle_state_parse(db_string(rows, 0, 1), &event->numbers.state))
        return ERROR_BUG;
    event->numbers.max_per_customer = (uint32_t)db_u64(rows, 0, 3);
    event->now_us = db_time_us(rows, 0, 5);
    event->hold_until_us = event->now_us + (int64_t)db_u64(rows, 0, 4) * SECOND_US;
    return event->now_us > 0 ? 0 : ERROR_BUG;
}

static int lock_tiers(struct db *db, struct store_event *event)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db,
                         "SELECT code, kind, capacity, held, sold, standby, layout, taken_version FROM tiers"
                         " WHERE event_id = ? ORDER BY code FOR UPDATE",
                         (struct db_value[]){DB_U(event->id)}, 1, STORE_TIERS_MAX, &rows);
    if (result)
        return result;
    size_t count = db_rows_count(rows);
    event->numbers.tiers = calloc(count + 1, sizeof(*event->numbers.tiers));
    event->tiers = calloc(count + 1, sizeof(*event->tiers));
    if (!event->numbers.tiers || !event->tiers)
        return ERROR_MEMORY;
    event->numbers.tier_count = count;
    for (size_t i = 0; i < count; i++) {
        struct allocate_tier *tier = &event->numbers.tiers[i];
        if (store_copy_text(db_string(rows, i, 0), sizeof(tier->code), tier->code))
            return ERROR_BUG;
        tier->is_seated = strcmp(db_string(rows, i, 1), "seated") == 0;
        tier->capacity = (uint32_t)db_u64(rows, i, 2);
        tier->held = (uint32_t)db_u64(rows, i, 3);
        tier->sold = (uint32_t)db_u64(rows, i, 4);
        tier->standby = (uint32_t)db_u64(rows, i, 5);
        event->tiers[i].layout = db_u64(rows, i, 6);
        event->tiers[i].taken_version = db_u64(rows, i, 7);
    }
    return 0;
}

int store_hold_event(struct db *db, uint64_t event_id, struct store_event *ret)
{
    struct store_event event = {.id = event_id};
    int result = read_event(db, &event);
    if (result == 0)
        *ret = event;
    return result;
}

int store_lock_event(struct db *db, uint64_t event_id, struct store_event *ret)
{
    struct store_event event = {.id = event_id};
    int result = read_event(db, &event);
    if (result == 0)
        result = lock_tiers(db, &event);
    if (result)
        store_event_done(&event);
    else
        *ret = event;
    return result;
}

void store_event_done(struct store_event *event)
{
    if (!event)
        return;
    free(event->numbers.tiers);
    free(event->tiers);
    *event = (struct store_event){0};
}

int store_write_tiers(struct db *db, const struct store_event *event)
{
    for (size_t i = 0; i < event->numbers.tier_count; i++) {
        const struct allocate_tier *tier = &event->numbers.tiers[i];
        if (!tier->is_changed && !tier->has_changed_seats)
            continue;
        int result =
            db_write(db,
                     "UPDATE tiers SET held = ?, sold = ?, standby = ?, taken_version = taken_version + ?"
                     " WHERE event_id = ? AND code = ?",
                     (struct db_value[]){DB_U(tier->held), DB_U(tier->sold), DB_U(tier->standby),
                                         DB_U(tier->has_changed_seats ? 1 : 0), DB_U(event->id), db_text(tier->code)},
                     6, NULL);
        if (result)
            return result;
    }
    return 0;
}
