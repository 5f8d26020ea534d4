// SPDX-License-Identifier: Apache-2.0
// See way.h. Each is written as one would write it in a shop: as few statements as the way allows, values as parameters.
#include "bench/locking/way.h"

#include <string.h>

static const char insert_one[] = "INSERT INTO booked (place, stock, reference, at) VALUES (?, ?, ?, UTC_TIMESTAMP(6))";

static int insert(struct db *db, uint64_t row, uint64_t place)
{
    const struct db_value values[] = {DB_U(place), DB_U(row), DB_U(place)};
    return db_write(db, insert_one, values, 3, NULL);
}

static int end(struct db *db, int result)
{
    if (result == 0)
        result = db_commit(db);
    if (result)
        db_rollback(db);
    return result;
}

// ---------------------------------------------------------------- pessimistic

static int lock_and_count(struct db *db, uint64_t row, uint64_t wanted)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db, "SELECT capacity, held, sold FROM stock WHERE id = ? FOR UPDATE",
                         (struct db_value[]){DB_U(row)}, 1, 1, &rows);
    if (result)
        return result;
    if (db_rows_count(rows) == 0 || db_u64(rows, 0, 1) + db_u64(rows, 0, 2) + wanted > db_u64(rows, 0, 0))
        return ERROR_LIMIT;
    return db_write(db, "UPDATE stock SET sold = sold + ? WHERE id = ?", (struct db_value[]){DB_U(wanted), DB_U(row)},
                    2, NULL);
}

static int pessimistic(struct db *db, uint64_t row, uint64_t place)
{
    int result = db_begin(db);
    if (result == 0)
        result = lock_and_count(db, row, 1);
    if (result == 0)
        result = insert(db, row, place);
    return end(db, result);
}

static int batch(struct db *db, uint64_t row, uint64_t place)
{
    static _Thread_local struct db_value values[3 * WAY_BATCH];
    for (size_t i = 0; i < WAY_BATCH; i++) {
        values[3 * i] = DB_U(place + i);
        values[3 * i + 1] = DB_U(row);
        values[3 * i + 2] = DB_U(place + i);
    }
    int result = db_begin(db);
    if (result == 0)
        result = lock_and_count(db, row, WAY_BATCH);
    if (result == 0)
        result = db_write_many(db, "INSERT INTO booked (place, stock, reference, at) VALUES ",
                               "(?, ?, ?, UTC_TIMESTAMP(6))", "", values, 3, WAY_BATCH);
    return end(db, result);
}

// ---------------------------------------------------------------- optimistic

// Reads without a lock and outside of the transaction; nobody waits for who only reads. What was read is checked by the write.
static int optimistic(struct db *db, uint64_t row, uint64_t place)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    struct db_written written = {0};
    int result = db_read(db, "SELECT capacity, held, sold, version FROM stock WHERE id = ?",
                         (struct db_value[]){DB_U(row)}, 1, 1, &rows);
    if (result)
        return result;
    if (db_rows_count(rows) == 0 || db_u64(rows, 0, 1) + db_u64(rows, 0, 2) >= db_u64(rows, 0, 0))
        return ERROR_LIMIT;
    result = db_begin(db);
    if (result == 0)
        result = db_write(db, "UPDATE stock SET sold = ?, version = version + 1 WHERE id = ? AND version = ?",
                          (struct db_value[]){DB_U(db_u64(rows, 0, 2) + 1), DB_U(row), DB_U(db_u64(rows, 0, 3))}, 3,
                          &written);
    if (result == 0 && written.affected == 0)
        result = ERROR_CONFLICT;
    if (result == 0)
        result = insert(db, row, place);
    return end(db, result);
}

// ---------------------------------------------------------------- one statement that judges and counts

static int take_if_left(struct db *db, uint64_t row)
{
    struct db_written written = {0};
    int result = db_write(db, "UPDATE stock SET sold = sold + 1 WHERE id = ? AND held + sold < capacity",
                          (struct db_value[]){DB_U(row)}, 1, &written);
    return result == 0 && written.affected == 0 ? ERROR_LIMIT : result;
}

static int conditional(struct db *db, uint64_t row, uint64_t place)
{
    int result = db_begin(db);
    if (result == 0)
        result = take_if_left(db, row);
    if (result == 0)
        result = insert(db, row, place);
    return end(db, result);
}

// The hot row last, so that its lock is held for one statement and the commit.
static int conditional_last(struct db *db, uint64_t row, uint64_t place)
{
    int result = db_begin(db);
    if (result == 0)
        result = insert(db, row, place);
    if (result == 0)
        result = take_if_left(db, row);
    return end(db, result);
}

// ---------------------------------------------------------------- the stock in parts

// Any part that nobody else has just now. All parts together are one tier, so whoever wants to know what is left adds them up, and what is
// left at the end may lie in parts too small for a party.
static int any_part(struct db *db, uint64_t row, uint64_t place)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    (void)row;
    int result = db_begin(db);
    if (result == 0)
        result =
            db_read(db, "SELECT id FROM stock WHERE held + sold < capacity ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED",
                    NULL, 0, 1, &rows);
    if (result == 0 && db_rows_count(rows) == 0)
        result = ERROR_CONFLICT; // all are taken just now
    if (result == 0)
        result = db_write(db, "UPDATE stock SET sold = sold + 1 WHERE id = ?",
                          (struct db_value[]){DB_U(db_u64(rows, 0, 0))}, 1, NULL);
    if (result == 0)
        result = insert(db, db_u64(rows, 0, 0), place);
    return end(db, result);
}

const struct way ways[] = {
    {"pessimistic", pessimistic, 1, "SELECT ... FOR UPDATE, count, insert, commit"},
    {"optimistic", optimistic, 1, "read with its version, UPDATE ... WHERE version = ?, else again after a pause"},
    {"conditional", conditional, 1, "UPDATE ... WHERE held + sold < capacity, insert, commit"},
    {"conditional-last", conditional_last, 1, "the same, the insert first"},
    {"parts", any_part, 1, "any row that nobody has locked: FOR UPDATE SKIP LOCKED"},
    {"batch", batch, WAY_BATCH, "as pessimistic, 500 bookings in a transaction"},
};
const size_t way_count = sizeof(ways) / sizeof(ways[0]);

const struct way *way_find(const char *name)
{
    for (size_t i = 0; i < way_count; i++)
        if (strcmp(ways[i].name, name) == 0)
            return &ways[i];
    return NULL;
}
