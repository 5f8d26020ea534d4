// SPDX-License-Identifier: Apache-2.0
// What was written stands in one array in the order of its ids; each entry goes written → committed → sent → confirmed → removed.
#include "common/outbox.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIRM_TIMEOUT_MS 5000
#define REMOVE_MAX 256

enum stage {
    STAGE_WRITTEN, // in the caller's open transaction
    STAGE_COMMITTED, // durable, to be published
    STAGE_SENT, // published, not confirmed yet
    STAGE_CONFIRMED, // to be removed
    STAGE_REMOVED, // in the caller's open transaction
};

struct entry {
    enum stage stage;
    uint64_t id;
    char *queue, *type, *body;
    size_t body_bytes;
};

struct outbox {
    size_t count;
    struct entry entries[OUTBOX_PENDING_MAX];
};

int outbox_new(struct outbox **ret)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));
    if (!outbox)
        return ERROR_MEMORY;
    *ret = outbox;
    return 0;
}

static void entry_done(struct entry *entry)
{
    free(entry->queue);
    free(entry->type);
    free(entry->body);
    *entry = (struct entry){0};
}

void outbox_free(struct outbox *outbox)
{
    if (!outbox)
        return;
    for (size_t i = 0; i < outbox->count; i++)
        entry_done(&outbox->entries[i]);
    free(outbox);
}

// Forgets the entries of one stage.
static void forget(struct outbox *outbox, enum stage stage)
{
    size_t kept = 0;
    for (size_t i = 0; i < outbox->count; i++) {
        if (outbox->entries[i].stage == stage)
            entry_done(&outbox->entries[i]);
        else
            outbox->entries[kept++] = outbox->entries[i];
    }
    outbox->count = kept;
}

static void move(struct outbox *outbox, enum stage from, enum stage to)
{
    for (size_t i = 0; i < outbox->count; i++)
        if (outbox->entries[i].stage == from)
            outbox->entries[i].stage = to;
}

static size_t count_of(const struct outbox *outbox, enum stage stage)
{
    size_t count = 0;
    for (size_t i = 0; i < outbox->count; i++)
        count += outbox->entries[i].stage == stage;
    return count;
}

int outbox_write(struct outbox *outbox, struct db *db, const char *queue, const char *type, const struct buffer *body)
{
    struct db_written written;
    if (body->failed || !body->data)
        return ERROR_MEMORY;
    int result = db_write(db, "INSERT INTO outbox (queue, type, body, created_at) VALUES (?, ?, ?, UTC_TIMESTAMP(6))",
                          (struct db_value[]){db_text(queue), db_text(type), db_text(body->data)}, 3, &written);
    if (result)
        return result;
    if (outbox->count == OUTBOX_PENDING_MAX)
        return 0; // it stands in MySQL: the sweep takes it
    struct entry entry = {.stage = STAGE_WRITTEN,
                          .id = written.insert_id,
                          .queue = strdup(queue),
                          .type = strdup(type),
                          .body = strdup(body->data),
                          .body_bytes = body->bytes};
    if (entry.queue && entry.type && entry.body)
        outbox->entries[outbox->count++] = entry;
    else
        entry_done(&entry); // the same
    return 0;
}

void outbox_committed(struct outbox *outbox)
{
    move(outbox, STAGE_WRITTEN, STAGE_COMMITTED);
    forget(outbox, STAGE_REMOVED);
}

// A COMMIT whose answer was lost may have happened: what was written then is the sweep's.
void outbox_rolled_back(struct outbox *outbox)
{
    forget(outbox, STAGE_WRITTEN);
    move(outbox, STAGE_REMOVED, STAGE_CONFIRMED);
}

int outbox_publish(struct outbox *outbox, struct bus *bus)
{
    for (size_t i = 0; i < outbox->count; i++) {
        struct entry *entry = &outbox->entries[i];
        if (entry->stage != STAGE_COMMITTED)
            continue;
        const struct bus_message message = {
            .exchange = "",
            .routing_key = entry->queue,
            .body = entry->body,
            .body_bytes = entry->body_bytes,
            .type = entry->type,
            .persistent = true,
        };
        int result = bus_publish(bus, &message, NULL);
        if (result)
            return result;
        entry->stage = STAGE_SENT;
    }
    return 0;
}

void outbox_confirmed(struct outbox *outbox)
{
    move(outbox, STAGE_SENT, STAGE_CONFIRMED);
}

void outbox_lost_bus(struct outbox *outbox)
{
    move(outbox, STAGE_SENT, STAGE_COMMITTED);
}

static int remove_ids(struct db *db, const struct buffer *ids)
{
    if (ids->failed)
        return ERROR_MEMORY;
    // From the ids to the rows: the table is nearly always small, and the server would read and lock all of it, and so wait
    // for the rows that others have not committed yet.
    return db_write(db,
                    "DELETE outbox FROM JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS gone"
                    " STRAIGHT_JOIN outbox FORCE INDEX (PRIMARY) ON outbox.id = gone.id",
                    (struct db_value[]){db_text(ids->data)}, 1, NULL);
}

int outbox_remove(struct outbox *outbox, struct db *db)
{
    struct buffer ids CLEANUP(buffer_done) = BUFFER_INIT;
    size_t count = 0;
    buffer_text(&ids, "[");
    for (size_t i = 0; i < outbox->count && count < REMOVE_MAX; i++) {
        struct entry *entry = &outbox->entries[i];
        if (entry->stage != STAGE_CONFIRMED)
            continue;
        if (count++)
            buffer_text(&ids, ",");
        buffer_number(&ids, entry->id);
        entry->stage = STAGE_REMOVED;
    }
    buffer_text(&ids, "]");
    return count ? remove_ids(db, &ids) : 0;
}

int outbox_tidy(struct outbox *outbox, struct db *db)
{
    if (outbox_confirmed_count(outbox) == 0)
        return 0;
    int result = outbox_remove(outbox, db);
    if (result)
        outbox_rolled_back(outbox);
    else
        outbox_committed(outbox);
    return result;
}

size_t outbox_pending(const struct outbox *outbox)
{
    return outbox->count - count_of(outbox, STAGE_WRITTEN) - count_of(outbox, STAGE_REMOVED);
}

size_t outbox_confirmed_count(const struct outbox *outbox)
{
    return count_of(outbox, STAGE_CONFIRMED);
}

// ---------------------------------------------------------------- the sweep

static int publish_rows(struct bus *bus, const struct db_rows *rows, struct buffer *ids)
{
    buffer_text(ids, "[");
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        size_t bytes = 0;
        const void *body = db_bytes(rows, i, 3, &bytes);
        const struct bus_message message = {
            .exchange = "",
            .routing_key = db_string(rows, i, 1),
            .body = body,
            .body_bytes = bytes,
            .type = db_string(rows, i, 2),
            .persistent = true,
        };
        int result = bus_publish(bus, &message, NULL);
        if (result)
            return result;
        if (i)
            buffer_text(ids, ",");
        buffer_number(ids, db_u64(rows, i, 0));
    }
    buffer_text(ids, "]");
    return bus_wait_confirms(bus, CONFIRM_TIMEOUT_MS);
}

static int sweep_in_transaction(struct db *db, struct bus *bus, size_t *ret_count)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    struct buffer ids CLEANUP(buffer_done) = BUFFER_INIT;
    int result =
        db_read(db,
                "SELECT id, queue, type, body FROM outbox WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL ? SECOND"
                " ORDER BY created_at, id LIMIT 100 FOR UPDATE SKIP LOCKED",
                (struct db_value[]){DB_I(OUTBOX_SWEEP_AGE_SECONDS)}, 1, OUTBOX_SWEEP_MAX, &rows);
    if (result)
        return result;
    *ret_count = db_rows_count(rows);
    if (*ret_count == 0)
        return 0;
    result = publish_rows(bus, rows, &ids);
    return result ? result : remove_ids(db, &ids);
}

int outbox_sweep(struct db *db, struct bus *bus, size_t *ret_count)
{
    size_t count = 0;
    int result = db_begin(db);
    if (result)
        return result;
    result = sweep_in_transaction(db, bus, &count);
    if (result == 0)
        result = db_commit(db);
    if (result) {
        db_rollback(db);
        return result;
    }
    *ret_count = count;
    return 0;
}
