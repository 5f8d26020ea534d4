// SPDX-License-Identifier: Apache-2.0
// What db.c and db_rows.c share, and what the unit tests look at. Nobody else includes it.
#ifndef COMMON_DB_INTERNAL_H
#define COMMON_DB_INTERNAL_H

#include <mysql.h>

#include "common/db.h"

// Whether the connection is useless after this error.
bool db_is_lost(unsigned number);

// The class of a server's or the client library's error number; `text` decides for TLS alone.
int db_classify(unsigned number, const char *text);

// UTC microseconds ↔ DATETIME(6). A zero date is 0.
void db_time_from_us(int64_t utc_us, MYSQL_TIME *ret);
int64_t db_time_to_us(const MYSQL_TIME *time);

// Takes the rows of an executed statement. A failure of the library or the server leaves its number in *ret_number (then
// the class is the caller's to find); otherwise ERROR_LIMIT, ERROR_MEMORY or ERROR_BUG (no result).
int db_rows_fetch(MYSQL_STMT *handle, size_t rows_max, struct db_rows **ret, unsigned *ret_number) MUST_USE;

#endif
