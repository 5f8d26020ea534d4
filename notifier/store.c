// SPDX-License-Identifier: Apache-2.0
// See store.h. As with everybody who changes bookings, all tiers of the event are locked first.
#include "notifier/store.h"

#include <stdio.h>
#include <string.h>

#include "common/order_state.h"
#include "common/outcome.h"
#include "common/topology.h"

#define TIERS_MAX 1000

static int find_slug(struct db *db, uint64_t event_id, char ret[static SLUG_BYTES])
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db, "SELECT slug FROM events WHERE id = ?", (struct db_value[]){DB_U(event_id)}, 1, 1, &rows);
    if (result == 0 && db_rows_count(rows) == 1)
        snprintf(ret, SLUG_BYTES, "%s", db_string(rows, 0, 0));
    return result;
}

static int lock_tiers(struct db *db, uint64_t event_id)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    return db_read(db, "SELECT code FROM tiers WHERE event_id = ? ORDER BY code FOR UPDATE",
                   (struct db_value[]){DB_U(event_id)}, 1, TIERS_MAX, &rows);
}

// ---------------------------------------------------------------- the order

// A released order at that very release; no rows if it has a booking already, or another message will book it.
static int read_order(struct db *db, const struct letter *letter, struct db_rows **ret)
{
    return db_read(
        db,
        "SELECT o.visitor, o.customer, o.currency, GREATEST(o.revision, COALESCE(b.revision, 0)) + 1, b.state"
        " FROM orders o LEFT JOIN bookings b"
        " ON b.event_id = o.event_id AND b.place = o.place AND b.attempt = o.attempt"
        " WHERE o.event_id = ? AND o.place = ? AND o.attempt = ? AND o.state = 'released'"
        " AND o.release_no = ? AND (b.state IS NULL OR b.state = 'released')",
        (struct db_value[]){DB_U(letter->dead.event_id), DB_U(letter->dead.place), DB_U(letter->dead.attempt),
                            DB_U(letter->release)},
        4, 1, ret);
}

// An operator's retry leaves a booking in state `released`.
static int write_booking(struct db *db, const struct letter *letter, const struct db_rows *order)
{
    const struct dead_letter *dead = &letter->dead;
    const struct db_value revision = DB_U(db_u64(order, 0, 3));
    if (!db_is_null(order, 0, 4))
        return db_write(db,
                        "UPDATE bookings SET state = 'failed', reason = 'crashed', revision = ?,"
                        " changed_at = UTC_TIMESTAMP(6) WHERE event_id = ? AND place = ? AND attempt = ?",
                        (struct db_value[]){revision, DB_U(dead->event_id), DB_U(dead->place), DB_U(dead->attempt)}, 4,
                        NULL);
    size_t bytes = 0;
    const void *customer = db_bytes(order, 0, 1, &bytes);
    return db_write(db,
                    "INSERT INTO bookings (event_id, place, attempt, state, reason, revision, currency, customer,"
                    " created_at, changed_at) VALUES (?, ?, ?, 'failed', 'crashed', ?, ?, ?, UTC_TIMESTAMP(6),"
                    " UTC_TIMESTAMP(6))",
                    (struct db_value[]){DB_U(dead->event_id), DB_U(dead->place), DB_U(dead->attempt), revision,
                                        db_text(db_string(order, 0, 2)), DB_B(customer, bytes)},
                    6, NULL);
}

static int write_outcome(struct db *db, struct outbox *outbox, const struct letter *letter, const struct db_rows *order,
                         const char *slug)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    struct outcome outcome = {
        .place = letter->dead.place,
        .attempt = letter->dead.attempt,
        .revision = (uint32_t)db_u64(order, 0, 3),
        .state = ORDER_FAILED,
        .reason = ORDER_CRASHED,
    };
    size_t bytes = 0;
    const void *visitor = db_bytes(order, 0, 0, &bytes);
    if (!visitor || bytes != sizeof(outcome.visitor))
        return ERROR_BUG;
    memcpy(outcome.visitor, visitor, bytes);
    outcomes_begin(&text, slug, db_string(order, 0, 2), NULL, 0);
    outcomes_add(&text, &outcome);
    outcomes_end(&text);
    return outbox_write(outbox, db, TOPOLOGY_OUTCOMES, OUTCOMES_TYPE, &text);
}

static int fail_order(struct db *db, struct outbox *outbox, const struct letter *letter, struct store_result *ret)
{
    struct db_rows *order CLEANUP(db_rows_cleanup) = NULL;
    int result = lock_tiers(db, letter->dead.event_id);
    if (result == 0)
        result = read_order(db, letter, &order);
    if (result || db_rows_count(order) == 0)
        return result;
    result = write_booking(db, letter, order);
    if (result == 0)
        result = write_outcome(db, outbox, letter, order, ret->slug);
    ret->is_failed = result == 0;
    return result;
}

// ---------------------------------------------------------------- the letter

static struct db_value number_or_null(uint64_t number)
{
    return number ? DB_U(number) : DB_N;
}

static int write_letter(struct db *db, const struct dead_letter *dead, bool *ret_is_new)
{
    const struct db_value values[] = {
        DB_B(dead->digest, sizeof(dead->digest)),
        db_text(dead->queue),
        db_text(dead->reason),
        db_text(dead->detail),
        number_or_null(dead->event_id),
        number_or_null(dead->place),
        number_or_null(dead->attempt),
        DB_B(dead->body ? dead->body : "", dead->body_bytes),
    };
    int result = db_write(db,
                          "INSERT INTO dead_letters (digest, queue, reason, detail, event_id, place, attempt, body,"
                          " died_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6))",
                          values, sizeof(values) / sizeof(values[0]), NULL);
    *ret_is_new = result == 0;
    return result == ERROR_DUPLICATE ? 0 : result;
}

static int record(struct db *db, struct outbox *outbox, const struct letter *letter, struct store_result *ret)
{
    int result = letter->dead.event_id ? find_slug(db, letter->dead.event_id, ret->slug) : 0;
    if (result == 0 && letter->is_returned_book && ret->slug[0])
        result = fail_order(db, outbox, letter, ret);
    return result ? result : write_letter(db, &letter->dead, &ret->is_new);
}

int store_record(struct db *db, struct outbox *outbox, const struct letter *letter, struct store_result *ret)
{
    struct store_result done = {0};
    int result = db_begin(db);
    if (result)
        return result;
    result = record(db, outbox, letter, &done);
    if (result == 0)
        result = db_commit(db);
    if (result) {
        db_rollback(db);
        outbox_rolled_back(outbox);
        return result;
    }
    outbox_committed(outbox);
    *ret = done;
    return 0;
}
