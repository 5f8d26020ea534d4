// SPDX-License-Identifier: Apache-2.0
// See leader.h, and docs/decisions.md for why this is a row and not GET_LOCK.
#include "admission/leader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// A lease that ends later than this was written before the server's clock was set back. Nobody renews such a one for
// long.
#define LEASE_MS_MAX (5 * LEADER_LEASE_MS)

struct row {
    struct leader_view view;
    uint64_t connection_id;
};

static int read_row(struct db *db, const char *sql, struct row *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db, sql, (struct db_value[]){db_text(LEADER_NAME)}, 1, 1, &rows);
    if (result)
        return result;
    if (db_rows_count(rows) == 0)
        return ERROR_PERMANENT; // the migration that makes the table makes the row
    snprintf(ret->view.holder, sizeof(ret->view.holder), "%s", db_string(rows, 0, 0));
    ret->connection_id = db_u64(rows, 0, 1);
    ret->view.epoch = db_u64(rows, 0, 2);
    int64_t expires_in_us = db_i64(rows, 0, 3);
    // Rounded up, so that who waits that long finds it expired.
    ret->view.expires_in_ms = expires_in_us > 0 ? expires_in_us / 1000 + 1 : expires_in_us / 1000;
    return 0;
}

#define ROW_COLUMNS \
    "SELECT holder, connection_id, epoch, TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), expires_at) FROM leaders"

static int look(struct db *db, struct row *ret)
{
    return read_row(db, ROW_COLUMNS " WHERE name = ?", ret);
}

static int lock(struct db *db, struct row *ret)
{
    return read_row(db, ROW_COLUMNS " WHERE name = ? FOR UPDATE", ret);
}

static bool may_be_taken(const struct leader *leader, const struct leader_view *view)
{
    // The row is still this program's own, from a connection that it lost: there is no need to wait for the expiry.
    bool is_own = leader->epoch > 0 && view->epoch == leader->epoch;
    return is_own || view->expires_in_ms <= 0 || view->expires_in_ms > LEASE_MS_MAX;
}

// Connection numbers begin anew with the server. One that was noted before the server started belongs to somebody
// else now.
static bool is_from_before_start(struct db *db, const struct leader_view *view)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    if (db_read(db, "SHOW GLOBAL STATUS LIKE 'Uptime'", NULL, 0, 1, &rows) || db_rows_count(rows) == 0)
        return false;
    const char *text = db_string(rows, 0, 1);
    int64_t uptime_seconds = 0;
    if (!text || sscanf(text, "%18" SCNd64, &uptime_seconds) != 1)
        return false;
    int64_t renewed_ms_ago = LEADER_LEASE_MS - view->expires_in_ms;
    return renewed_ms_ago > (uptime_seconds + 1) * 1000;
}

// Ends the connection of the leader before, and with it a transaction that it may have left open. That it is gone
// already is the usual case and no error.
static int end_connection(struct db *db, const struct row *row)
{
    if (row->connection_id == 0 || row->connection_id == db_connection_id(db) || is_from_before_start(db, &row->view))
        return 0;
    char sql[64];
    snprintf(sql, sizeof(sql), "KILL %" PRIu64, row->connection_id);
    int result = db_exec(db, sql);
    return result && !db_is_connected(db) ? result : 0;
}

static int take_row(struct leader *leader, struct db *db, uint64_t epoch_seen, struct row *ret)
{
    int result = lock(db, ret);
    if (result)
        return result;
    if (ret->view.epoch != epoch_seen || !may_be_taken(leader, &ret->view))
        return ERROR_CONFLICT;
    return db_write(db,
                    "UPDATE leaders SET holder = ?, connection_id = CONNECTION_ID(), epoch = ?, "
                    "expires_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND WHERE name = ?",
                    (struct db_value[]){db_text(leader->holder), DB_U(epoch_seen + 1), DB_I(LEADER_LEASE_MS * 1000),
                                        db_text(LEADER_NAME)},
                    4, NULL);
}

int leader_try(struct leader *leader, struct db *db, struct leader_view *ret)
{
    struct row row;
    leader->leads = false;
    int result = look(db, &row);
    if (result)
        return result;
    if (!may_be_taken(leader, &row.view)) {
        *ret = row.view;
        return ERROR_CONFLICT;
    }
    result = end_connection(db, &row);
    if (result)
        return result;
    uint64_t epoch_seen = row.view.epoch;
    result = db_begin(db);
    if (result)
        return result;
    result = take_row(leader, db, epoch_seen, &row);
    if (result) {
        db_rollback(db);
        if (result == ERROR_CONFLICT)
            *ret = row.view;
        return result;
    }
    // When the answer to this commit is lost, the row may be ours without our knowing: it expires, or we look again and
    // find an epoch that we never held. Either costs a lease's time and nothing else.
    result = db_commit(db);
    if (result)
        return result;
    leader->leads = true;
    leader->epoch = epoch_seen + 1;
    *ret = (struct leader_view){.epoch = leader->epoch, .expires_in_ms = LEADER_LEASE_MS};
    memcpy(ret->holder, leader->holder, sizeof(ret->holder));
    return 0;
}

int leader_hold(struct leader *leader, struct db *db)
{
    struct db_written written;
    int result = db_write(db,
                          "UPDATE leaders SET expires_at = UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND "
                          "WHERE name = ? AND epoch = ? AND connection_id = CONNECTION_ID()",
                          (struct db_value[]){DB_I(LEADER_LEASE_MS * 1000), db_text(LEADER_NAME), DB_U(leader->epoch)},
                          3, &written);
    if (result)
        return result;
    if (written.affected == 1)
        return 0;
    leader_lose(leader);
    return ERROR_CONFLICT;
}

void leader_resign(struct leader *leader, struct db *db)
{
    if (leader->leads && db_is_connected(db)) {
        // Nobody can do anything about a failure here: the lease then simply runs out.
        int result = db_write(db, "UPDATE leaders SET expires_at = UTC_TIMESTAMP(6) WHERE name = ? AND epoch = ?",
                              (struct db_value[]){db_text(LEADER_NAME), DB_U(leader->epoch)}, 2, NULL);
        (void)result;
    }
    leader_lose(leader);
}

void leader_lose(struct leader *leader)
{
    leader->leads = false;
}
