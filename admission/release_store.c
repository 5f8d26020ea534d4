// SPDX-License-Identifier: Apache-2.0
// See release_store.h. Many rows travel as one JSON parameter: [[place, attempt, release_no], …].
#include "admission/release_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"

// The first order of each kind is one step into the index, so a look costs two steps an event however many orders it has.
#define LOOK                                                                                                                       \
    "SELECT e.id, e.state AS event_state, COALESCE(s.served, 0) AS let_in,"                                                        \
    " (SELECT o.place FROM orders o FORCE INDEX (orders_due) WHERE o.event_id = e.id AND o.state = 'released' AND o.published = 0" \
    "  ORDER BY o.place LIMIT 1) AS marked,"                                                                                       \
    " (SELECT o.place FROM orders o FORCE INDEX (orders_due) WHERE o.event_id = e.id AND o.state = 'placed' AND o.published = 0"   \
    "  ORDER BY o.place LIMIT 1) AS placed "                                                                                       \
    "FROM events e LEFT JOIN line_served s ON s.event_id = e.id WHERE "

// Those where there is something to do; release_decide() has the last word.
#define DUE                                                                                             \
    "e.state IN ('open', 'paused', 'sold_out', 'closed') HAVING marked IS NOT NULL OR placed <= let_in" \
    " OR (placed IS NOT NULL AND event_state IN ('sold_out', 'closed')) LIMIT 1024"

static int read_look(struct db *db, const char *slug, struct db_rows **ret)
{
    if (!slug)
        return db_read(db, LOOK DUE, NULL, 0, RELEASE_EVENTS_MAX, ret);
    return db_read(db, LOOK "e.slug = ?", (struct db_value[]){db_text(slug)}, 1, RELEASE_EVENTS_MAX, ret);
}

static struct release_order first_order(const struct db_rows *rows, size_t row, size_t column, enum order_state state)
{
    return (struct release_order){.place = db_u64(rows, row, column), .attempt = 1, .state = state};
}

int release_look(struct db *db, const char *slug, struct release_seen **ret, size_t *ret_count)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = read_look(db, slug, &rows);
    if (result)
        return result;
    size_t count = db_rows_count(rows);
    struct release_seen *seen = calloc(count ? count : 1, sizeof(*seen));
    if (!seen)
        return ERROR_MEMORY;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct release_seen *each = &seen[kept];
        // Somebody will mend the state of an event that is none; its orders wait until then.
        if (lifecycle_state_parse(db_string(rows, i, 1), &each->state))
            continue;
        each->event_id = db_u64(rows, i, 0);
        each->served = db_u64(rows, i, 2);
        each->has_marked = !db_is_null(rows, i, 3);
        each->has_placed = !db_is_null(rows, i, 4);
        each->marked = first_order(rows, i, 3, ORDER_RELEASED);
        each->placed = first_order(rows, i, 4, ORDER_PLACED);
        kept++;
    }
    *ret = seen;
    *ret_count = kept;
    return 0;
}

int release_read_waiting(struct db *db, uint64_t event_id, uint64_t place, int64_t *ret_waiting_us)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    // The subquery has the values themselves: with the order's columns the server would walk the log from its beginning.
    int result =
        db_read(db,
                "SELECT GREATEST(0, TIMESTAMPDIFF(MICROSECOND, GREATEST(o.changed_at, COALESCE((SELECT l.at FROM"
                " served_log l WHERE l.event_id = ? AND l.served >= ? ORDER BY l.served LIMIT 1),"
                " o.changed_at)), UTC_TIMESTAMP(6))) FROM orders o WHERE o.event_id = ? AND o.place = ?"
                " ORDER BY o.attempt DESC LIMIT 1",
                (struct db_value[]){DB_U(event_id), DB_U(place), DB_U(event_id), DB_U(place)}, 4, 1, &rows);
    if (!result)
        *ret_waiting_us = db_rows_count(rows) > 0 ? db_i64(rows, 0, 0) : 0;
    return result;
}

// ---------------------------------------------------------------- the fence and the event

static int raise_fence(struct db *db, uint64_t event_id, uint64_t epoch, bool *ret_raised)
{
    struct db_written written;
    int result = db_write(db, "UPDATE release_fences SET epoch = ? WHERE event_id = ? AND epoch <= ?",
                          (struct db_value[]){DB_U(epoch), DB_U(event_id), DB_U(epoch)}, 3, &written);
    if (!result)
        *ret_raised = written.affected == 1;
    return result;
}

int release_fence(struct db *db, uint64_t event_id, uint64_t epoch)
{
    bool raised = false;
    int result = raise_fence(db, event_id, epoch, &raised);
    if (result || raised)
        return result;
    // Either it has a later epoch, or it is not there yet. Two that make it at once meet at its key.
    result = db_write(db,
                      "INSERT INTO release_fences (event_id, epoch) VALUES (?, 0) "
                      "ON DUPLICATE KEY UPDATE event_id = VALUES(event_id)",
                      (struct db_value[]){DB_U(event_id)}, 1, NULL);
    if (!result)
        result = raise_fence(db, event_id, epoch, &raised);
    if (result)
        return result;
    return raised ? 0 : ERROR_CONFLICT;
}

int release_hold(struct db *db, uint64_t event_id, struct release_event *ret)
{
    struct db_rows *event CLEANUP(db_rows_cleanup) = NULL;
    struct db_rows *line CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db, "SELECT slug, currency, state FROM events WHERE id = ? LOCK IN SHARE MODE",
                         (struct db_value[]){DB_U(event_id)}, 1, 1, &event);
    if (result)
        return result;
    if (db_rows_count(event) == 0)
        return ERROR_NOT_FOUND;
    struct release_event held = {.id = event_id};
    snprintf(held.slug, sizeof(held.slug), "%s", db_string(event, 0, 0));
    snprintf(held.currency, sizeof(held.currency), "%s", db_string(event, 0, 1));
    if (lifecycle_state_parse(db_string(event, 0, 2), &held.state))
        return ERROR_INVALID;
    // Not locked: letting in and releasing never wait for each other. The line only moves on, and a later leader that came
    // after this was read waits at the fence.
    result = db_read(db,
                     "SELECT COALESCE((SELECT served FROM line_served WHERE event_id = ?), 0), epoch FROM leaders "
                     "WHERE name = 'admission'",
                     (struct db_value[]){DB_U(event_id)}, 1, 1, &line);
    if (result)
        return result;
    held.served = db_u64(line, 0, 0);
    held.leader_epoch = db_rows_count(line) ? db_u64(line, 0, 1) : 0;
    *ret = held;
    return 0;
}

// ---------------------------------------------------------------- orders

static void write_keys(struct buffer *text, const struct release_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buffer_text(text, i ? ",[" : "[[");
        buffer_number(text, rows[i].order.place);
        buffer_text(text, ",");
        buffer_number(text, rows[i].order.attempt);
        buffer_text(text, ",");
        buffer_number(text, rows[i].release_no);
        buffer_text(text, "]");
    }
    buffer_text(text, "]");
}

#define KEYS                                                                                                  \
    "JSON_TABLE(?, '$[*]' COLUMNS (place BIGINT UNSIGNED PATH '$[0]', attempt SMALLINT UNSIGNED PATH '$[1]'," \
    " release_no INT UNSIGNED PATH '$[2]')) AS k"
// From the keys to the rows and never the other way, whatever the server thinks of the table's size.
#define ORDERS_OF_KEYS KEYS " STRAIGHT_JOIN orders o ON o.event_id = ? AND o.place = k.place AND o.attempt = k.attempt"

int release_note(struct db *db, uint64_t event_id, const struct release_row *rows, size_t count)
{
    struct buffer keys CLEANUP(buffer_done) = BUFFER_INIT;
    if (count == 0)
        return 0;
    write_keys(&keys, rows, count);
    if (keys.failed)
        return ERROR_MEMORY;
    return db_write(
        db, "UPDATE " ORDERS_OF_KEYS " SET o.published = 1 WHERE o.release_no = k.release_no AND o.state = 'released'",
        (struct db_value[]){db_text(keys.data), DB_U(event_id)}, 2, NULL);
}

static int take_rows(const struct db_rows *rows, enum order_state state, struct release_row *ret, size_t *ret_count)
{
    size_t count = db_rows_count(rows);
    for (size_t i = 0; i < count; i++) {
        size_t bytes;
        const void *visitor = db_bytes(rows, i, 4, &bytes);
        ret[i] = (struct release_row){
            .order = {.place = db_u64(rows, i, 0), .attempt = (uint32_t)db_u64(rows, i, 1), .state = state},
            .release_no = (uint32_t)db_u64(rows, i, 2),
            .revision = (uint32_t)db_u64(rows, i, 3),
        };
        if (visitor && bytes == OUTCOME_VISITOR_BYTES)
            memcpy(ret[i].visitor, visitor, bytes);
    }
    *ret_count = count;
    return 0;
}

// The index is in the order that is asked for, so the lock goes along it and ends at the limit. An order that is just being
// written is waited for: skipping it could release a later place before it.
#define READ_ORDERS                                                                                    \
    "SELECT place, attempt, release_no, revision, visitor FROM orders FORCE INDEX (orders_due) WHERE " \
    "event_id = ? AND state = ? AND published = 0 AND place <= ? ORDER BY place, attempt LIMIT ? FOR UPDATE"

static int read_orders(struct db *db, uint64_t event_id, enum order_state state, uint64_t place_max, size_t max,
                       struct release_row *ret, size_t *ret_count)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result =
        db_read(db, READ_ORDERS,
                (struct db_value[]){DB_U(event_id), db_text(order_state_name(state)), DB_U(place_max), DB_U(max)}, 4,
                max, &rows);
    return result ? result : take_rows(rows, state, ret, ret_count);
}

int release_read_marked(struct db *db, uint64_t event_id, size_t max, struct release_row *ret, size_t *ret_count)
{
    return read_orders(db, event_id, ORDER_RELEASED, UINT64_MAX, max, ret, ret_count);
}

int release_read_placed(struct db *db, uint64_t event_id, uint64_t place_max, size_t max, struct release_row *ret,
                        size_t *ret_count)
{
    return read_orders(db, event_id, ORDER_PLACED, place_max, max, ret, ret_count);
}

int release_mark(struct db *db, uint64_t event_id, const struct release_row *rows, size_t count)
{
    struct buffer keys CLEANUP(buffer_done) = BUFFER_INIT;
    struct db_written written;
    write_keys(&keys, rows, count);
    if (keys.failed)
        return ERROR_MEMORY;
    int result =
        db_write(db,
                 "UPDATE " ORDERS_OF_KEYS " SET o.state = 'released', o.revision = o.revision + 1, o.published = 0,"
                 " o.released_at = UTC_TIMESTAMP(6) WHERE o.state = 'placed'",
                 (struct db_value[]){db_text(keys.data), DB_U(event_id)}, 2, &written);
    if (result)
        return result;
    return written.affected == count ? 0 : ERROR_BUG;
}

int release_end(struct db *db, uint64_t event_id, const struct release_plan *plan, const struct release_row *rows,
                size_t count)
{
    struct buffer keys CLEANUP(buffer_done) = BUFFER_INIT;
    struct db_written written;
    write_keys(&keys, rows, count);
    if (keys.failed)
        return ERROR_MEMORY;
    int result =
        db_write(db,
                 "UPDATE " ORDERS_OF_KEYS
                 " SET o.state = ?, o.reason = ?, o.revision = o.revision + 1, o.ended_at = UTC_TIMESTAMP(6)"
                 " WHERE o.state = 'placed'",
                 (struct db_value[]){db_text(keys.data), DB_U(event_id), db_text(order_state_name(plan->end_state)),
                                     db_text(order_reason_name(plan->end_reason))},
                 4, &written);
    if (result)
        return result;
    return written.affected == count ? 0 : ERROR_BUG;
}
