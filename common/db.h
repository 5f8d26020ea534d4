// SPDX-License-Identifier: Apache-2.0
// MySQL and MariaDB: one connection that belongs to one thread, prepared statements kept by their text, errors by class,
// reconnecting on demand. SQL texts are string literals; values travel as parameters only.
#ifndef COMMON_DB_H
#define COMMON_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/error.h"

struct db;

struct db_options {
    const struct common_config *config; // where, who; must outlive the connection
    const char *program; // shown in the process list as a connection attribute
    int64_t io_timeout_seconds; // for reading and writing; 0: 5. Connecting: at most 5
    int64_t
        wait_timeout_seconds; // the session's: how long the server keeps locks of a silent client; 0: server's default
    int64_t lock_wait_timeout_seconds; // innodb_lock_wait_timeout; 0: 5; kept below io_timeout_seconds
};

struct db_value {
    enum { DB_NULL, DB_SIGNED, DB_UNSIGNED, DB_TEXT, DB_BYTES, DB_TIME } type;
    union {
        int64_t i; // DB_SIGNED; DB_TIME: UTC microseconds, for DATETIME(6) columns
        uint64_t u;
        struct {
            const void *data; // borrowed for the call
            size_t bytes;
        } s;
    };
};

#define DB_N ((struct db_value){.type = DB_NULL})
#define DB_I(value) ((struct db_value){.type = DB_SIGNED, .i = (value)})
#define DB_U(value) ((struct db_value){.type = DB_UNSIGNED, .u = (value)})
#define DB_T(value) ((struct db_value){.type = DB_TIME, .i = (value)})
#define DB_B(value, size) ((struct db_value){.type = DB_BYTES, .s = {(value), (size)}})
struct db_value db_text(const char *text); // DB_TEXT; NULL becomes SQL NULL

// Connects (READ COMMITTED, utf8mb4, time zone UTC, CLIENT_FOUND_ROWS, strict mode, autocommit). *ret is made even when the
// server cannot be reached: then ERROR_TRANSIENT is returned and db_ensure() may succeed later. On any other error there is no handle.
int db_open(const struct db_options *options, struct db **ret) MUST_USE;
void db_close(struct db *db); // accepts NULL

// Reconnects if the connection is lost; one attempt, no waiting. 0 when there is a connection.
int db_ensure(struct db *db) MUST_USE;
bool db_is_connected(const struct db *db);
uint64_t db_connection_id(const struct db *db); // for KILL; 0 when not connected

// The last error's number and text, for the log. Never NULL. db_error_text(NULL) says why the last db_open() of this
// thread gave no handle.
unsigned db_errno(const struct db *db);
const char *db_error_text(const struct db *db);

struct db_written {
    uint64_t affected; // rows found by the condition, changed or not (CLIENT_FOUND_ROWS)
    uint64_t insert_id; // also what LAST_INSERT_ID(expression) was given
};

// Runs a statement without a result. `ret` may be NULL. Returns 0, ERROR_TRANSIENT (lost connection, 1205, 1213, 1020,
// 3572, read-only, full, shutting down, too many connections), ERROR_DUPLICATE (1062), ERROR_INVALID (what the data says: too long,
// out of range, a CHECK: 4025, 3819), ERROR_PERMANENT (rights, syntax, missing table). After a lost connection an open
// transaction is gone, and whether a COMMIT that failed took effect is unknown.
int db_write(struct db *db, const char *sql, const struct db_value *values, size_t value_count,
             struct db_written *ret) MUST_USE;

// Writes many rows with few statements. `head` "INSERT INTO t (a, b) VALUES ", `row` "(?, ?)", `tail` "" or an ON DUPLICATE
// KEY clause. `values` holds row_count × values_per_row values. Statements of fixed sizes (256, 16, 1 rows) are prepared once.
int db_write_many(struct db *db, const char *head, const char *row, const char *tail, const struct db_value *values,
                  size_t values_per_row, size_t row_count) MUST_USE;

// Runs something without parameters or result that need not be prepared: "BEGIN", "COMMIT", DDL, KILL with a number in it.
int db_exec(struct db *db, const char *sql) MUST_USE;
int db_begin(struct db *db) MUST_USE;
int db_commit(struct db *db) MUST_USE;
void db_rollback(struct db *db); // after an error; nothing to do if that fails, the connection is then dropped

// Reads all rows (at most rows_max, else ERROR_LIMIT) into memory. The caller frees the rows.
struct db_rows;
int db_read(struct db *db, const char *sql, const struct db_value *values, size_t value_count, size_t rows_max,
            struct db_rows **ret) MUST_USE;
void db_rows_free(struct db_rows *rows); // accepts NULL
void db_rows_cleanup(struct db_rows **rows); // for CLEANUP()
size_t db_rows_count(const struct db_rows *rows); // 0 for NULL, which is what a failed read leaves
bool db_is_null(const struct db_rows *rows, size_t row, size_t column);
int64_t db_i64(const struct db_rows *rows, size_t row, size_t column); // 0 for NULL
uint64_t db_u64(const struct db_rows *rows, size_t row, size_t column); // 0 for NULL
const char *db_string(const struct db_rows *rows, size_t row,
                      size_t column); // NUL-terminated, owned by rows; NULL for NULL
const void *db_bytes(const struct db_rows *rows, size_t row, size_t column, size_t *ret_bytes); // NULL for NULL
int64_t db_time_us(const struct db_rows *rows, size_t row, size_t column); // DATETIME → UTC microseconds; 0 for NULL

#endif
