// SPDX-License-Identifier: Apache-2.0
// What a statement read: all rows in memory, typed by what the server sent. Texts stand one after the other in one block;
// a long value is fetched straight into it, so there is no limit on a column but the one on the whole.
#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/db_internal.h"

#define ROWS_BYTES_MAX ((size_t)256 * 1024 * 1024)
// Values up to this size come with the row; longer ones cost another copy, not another round trip.
#define SHORT_VALUE_BYTES 512
#define COLUMNS_MAX 128

#define US_PER_SECOND 1000000
#define SECONDS_PER_DAY 86400

// my_bool in MariaDB's client, bool in MySQL's.
typedef __typeof__(*((MYSQL_BIND *)NULL)->is_null) db_bool;

enum cell_kind { CELL_NULL, CELL_SIGNED, CELL_UNSIGNED, CELL_REAL, CELL_TEXT, CELL_TIME };

struct cell {
    enum cell_kind kind;
    union {
        int64_t i; // CELL_SIGNED, CELL_TIME
        uint64_t u;
        double real;
        struct {
            size_t offset, bytes; // in db_rows.texts
        } text;
    };
};

struct db_rows {
    size_t row_count, column_count, cells_capacity;
    struct cell *cells;
    char *texts;
    size_t texts_bytes, texts_capacity;
};

// Where one column of the row at hand arrives.
struct column {
    enum cell_kind kind;
    union {
        int64_t i;
        uint64_t u;
        double real;
        MYSQL_TIME time;
        char text[SHORT_VALUE_BYTES];
    };
    unsigned long bytes;
    db_bool is_null, is_cut;
};

// ---------------------------------------------------------------- time

// Howard Hinnant's method: years begin in March, so that the leap day is the last of its year.
static int64_t days_from_date(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

static void date_from_days(int64_t days, MYSQL_TIME *ret)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned day_of_era = (unsigned)(days - era * 146097);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted_month = (5 * day_of_year + 2) / 153;
    ret->day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    ret->month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    ret->year = (unsigned)((int64_t)year_of_era + era * 400 + (ret->month <= 2));
}

void db_time_from_us(int64_t utc_us, MYSQL_TIME *ret)
{
    int64_t seconds = utc_us / US_PER_SECOND, fraction = utc_us % US_PER_SECOND;
    if (fraction < 0) {
        fraction += US_PER_SECOND;
        seconds--;
    }
    int64_t days = seconds / SECONDS_PER_DAY, of_day = seconds % SECONDS_PER_DAY;
    if (of_day < 0) {
        of_day += SECONDS_PER_DAY;
        days--;
    }
    memset(ret, 0, sizeof(*ret));
    date_from_days(days, ret);
    ret->hour = (unsigned)(of_day / 3600);
    ret->minute = (unsigned)(of_day / 60 % 60);
    ret->second = (unsigned)(of_day % 60);
    ret->second_part = (unsigned long)fraction;
    ret->time_type = MYSQL_TIMESTAMP_DATETIME;
}

int64_t db_time_to_us(const MYSQL_TIME *time)
{
    if (time->month == 0 || time->day == 0)
        return 0;
    int64_t days = days_from_date((int64_t)time->year, time->month, time->day);
    int64_t seconds =
        days * SECONDS_PER_DAY + (int64_t)time->hour * 3600 + (int64_t)time->minute * 60 + (int64_t)time->second;
    return seconds * US_PER_SECOND + (int64_t)time->second_part;
}

// ---------------------------------------------------------------- fetching

static void bind_column(const MYSQL_FIELD *field, struct column *column, MYSQL_BIND *bind)
{
    memset(bind, 0, sizeof(*bind));
    bind->length = &column->bytes;
    bind->is_null = &column->is_null;
    bind->error = &column->is_cut;
    switch (field->type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
        column->kind = field->flags & UNSIGNED_FLAG ? CELL_UNSIGNED : CELL_SIGNED;
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->is_unsigned = column->kind == CELL_UNSIGNED;
        bind->buffer = &column->u;
        break;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
        column->kind = CELL_REAL;
        bind->buffer_type = MYSQL_TYPE_DOUBLE;
        bind->buffer = &column->real;
        break;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
        column->kind = CELL_TIME;
        bind->buffer_type = MYSQL_TYPE_DATETIME;
        bind->buffer = &column->time;
        bind->buffer_length = sizeof(column->time);
        break;
    default: // texts, bytes, and decimals, which are texts on the wire (SUM() and COUNT() differ in this)
        column->kind = CELL_TEXT;
        bind->buffer_type = MYSQL_TYPE_STRING;
        bind->buffer = column->text;
        bind->buffer_length = sizeof(column->text);
        break;
    }
}

// Room for `bytes` and a NUL at the end of the texts. NULL when there is none.
static char *reserve_text(struct db_rows *rows, size_t bytes, int *ret_error)
{
    if (bytes >= ROWS_BYTES_MAX || rows->texts_bytes + bytes >= ROWS_BYTES_MAX) {
        *ret_error = ERROR_LIMIT;
        return NULL;
    }
    size_t needed = rows->texts_bytes + bytes + 1;
    if (needed > rows->texts_capacity) {
        size_t capacity = rows->texts_capacity ? rows->texts_capacity : 1024;
        while (capacity < needed)
            capacity *= 2;
        char *texts = realloc(rows->texts, capacity);
        if (!texts) {
            *ret_error = ERROR_MEMORY;
            return NULL;
        }
        rows->texts = texts;
        rows->texts_capacity = capacity;
    }
    return rows->texts + rows->texts_bytes;
}

static int take_text(struct db_rows *rows, MYSQL_STMT *handle, unsigned index, struct column *column, struct cell *cell,
                     unsigned *ret_number)
{
    int result = 0;
    size_t bytes = column->bytes;
    char *text = reserve_text(rows, bytes, &result);
    if (!text)
        return result;
    if (bytes <= sizeof(column->text)) {
        memcpy(text, column->text, bytes);
    } else {
        MYSQL_BIND whole = {.buffer_type = MYSQL_TYPE_STRING, .buffer = text, .buffer_length = bytes};
        unsigned long whole_bytes = 0;
        db_bool is_null = 0, is_cut = 0;
        whole.length = &whole_bytes;
        whole.is_null = &is_null;
        whole.error = &is_cut;
        if (mysql_stmt_fetch_column(handle, &whole, index, 0)) {
            *ret_number = mysql_stmt_errno(handle);
            return ERROR_TRANSIENT;
        }
    }
    text[bytes] = '\0';
    cell->text.offset = rows->texts_bytes;
    cell->text.bytes = bytes;
    rows->texts_bytes += bytes + 1;
    return 0;
}

static int grow_cells(struct db_rows *rows)
{
    size_t needed = (rows->row_count + 1) * rows->column_count;
    if (needed <= rows->cells_capacity)
        return 0;
    size_t capacity = rows->cells_capacity ? rows->cells_capacity * 2 : 8 * rows->column_count;
    if (capacity * sizeof(struct cell) > ROWS_BYTES_MAX)
        return ERROR_LIMIT;
    struct cell *cells = realloc(rows->cells, capacity * sizeof(*cells));
    if (!cells)
        return ERROR_MEMORY;
    rows->cells = cells;
    rows->cells_capacity = capacity;
    return 0;
}

static int take_row(struct db_rows *rows, MYSQL_STMT *handle, struct column *columns, unsigned *ret_number)
{
    int result = grow_cells(rows);
    if (result)
        return result;
    struct cell *cells = rows->cells + rows->row_count * rows->column_count;
    for (size_t i = 0; i < rows->column_count; i++) {
        struct column *column = &columns[i];
        struct cell *cell = &cells[i];
        cell->kind = column->is_null ? CELL_NULL : column->kind;
        cell->u = 0;
        if (cell->kind == CELL_TEXT) {
            result = take_text(rows, handle, (unsigned)i, column, cell, ret_number);
            if (result)
                return result;
        } else if (cell->kind == CELL_TIME) {
            cell->i = db_time_to_us(&column->time);
        } else if (cell->kind == CELL_REAL) {
            cell->real = column->real;
        } else if (cell->kind != CELL_NULL) {
            cell->u = column->u;
        }
    }
    rows->row_count++;
    return 0;
}

// What comes in the place of a row (a lock that was waited for too long, a deadlock, a connection that is gone) MariaDB's client notes with
// the connection only.
static unsigned fetch_errno(MYSQL_STMT *handle)
{
    unsigned number = mysql_stmt_errno(handle);
    return number ? number : mysql_errno(handle->mysql);
}

static int fetch_all(struct db_rows *rows, MYSQL_STMT *handle, const MYSQL_RES *meta, size_t rows_max,
                     struct column *columns, MYSQL_BIND *binds, unsigned *ret_number)
{
    for (size_t i = 0; i < rows->column_count; i++)
        bind_column(&meta->fields[i], &columns[i], &binds[i]);
    if (mysql_stmt_bind_result(handle, binds)) {
        *ret_number = mysql_stmt_errno(handle);
        return ERROR_TRANSIENT;
    }
    for (;;) {
        int fetched = mysql_stmt_fetch(handle);
        if (fetched == MYSQL_NO_DATA)
            return 0;
        if (fetched != 0 && fetched != MYSQL_DATA_TRUNCATED) {
            *ret_number = fetch_errno(handle);
            return ERROR_TRANSIENT;
        }
        if (rows->row_count >= rows_max)
            return ERROR_LIMIT;
        int result = take_row(rows, handle, columns, ret_number);
        if (result)
            return result;
    }
}

int db_rows_fetch(MYSQL_STMT *handle, size_t rows_max, struct db_rows **ret, unsigned *ret_number)
{
    int result = ERROR_MEMORY;
    struct column *columns = NULL;
    MYSQL_BIND *binds = NULL;
    struct db_rows *rows = NULL;
    MYSQL_RES *meta = mysql_stmt_result_metadata(handle);
    if (!meta)
        return ERROR_BUG;
    unsigned column_count = mysql_num_fields(meta);
    assert(column_count > 0 && column_count <= COLUMNS_MAX); // a statement's text is ours
    rows = calloc(1, sizeof(*rows));
    columns = calloc(column_count, sizeof(*columns));
    binds = calloc(column_count, sizeof(*binds));
    if (rows && columns && binds) {
        rows->column_count = column_count;
        result = fetch_all(rows, handle, meta, rows_max, columns, binds, ret_number);
    }
    if (result == 0)
        *ret = rows;
    else
        db_rows_free(rows);
    free(binds);
    free(columns);
    mysql_free_result(meta);
    return result;
}

// ---------------------------------------------------------------- reading

void db_rows_free(struct db_rows *rows)
{
    if (!rows)
        return;
    free(rows->cells);
    free(rows->texts);
    free(rows);
}

void db_rows_cleanup(struct db_rows **rows)
{
    db_rows_free(*rows);
}

size_t db_rows_count(const struct db_rows *rows)
{
    return rows ? rows->row_count : 0;
}

static const struct cell *cell_at(const struct db_rows *rows, size_t row, size_t column)
{
    assert(row < rows->row_count && column < rows->column_count);
    return &rows->cells[row * rows->column_count + column];
}

bool db_is_null(const struct db_rows *rows, size_t row, size_t column)
{
    return cell_at(rows, row, column)->kind == CELL_NULL;
}

int64_t db_i64(const struct db_rows *rows, size_t row, size_t column)
{
    const struct cell *cell = cell_at(rows, row, column);
    switch (cell->kind) {
    case CELL_NULL:
        return 0;
    case CELL_SIGNED:
        return cell->i;
    case CELL_UNSIGNED:
        return cell->u > INT64_MAX ? INT64_MAX : (int64_t)cell->u;
    case CELL_REAL:
        if (cell->real >= 9.2e18 || cell->real <= -9.2e18)
            return cell->real > 0 ? INT64_MAX : INT64_MIN;
        return (int64_t)cell->real;
    case CELL_TEXT: // a decimal; what stands behind its point is cut off
        return strtoll(rows->texts + cell->text.offset, NULL, 10);
    case CELL_TIME:
        break;
    }
    assert(!"a time is read with db_time_us()");
    return 0;
}

uint64_t db_u64(const struct db_rows *rows, size_t row, size_t column)
{
    const struct cell *cell = cell_at(rows, row, column);
    if (cell->kind == CELL_UNSIGNED)
        return cell->u;
    if (cell->kind == CELL_TEXT && rows->texts[cell->text.offset] != '-')
        return strtoull(rows->texts + cell->text.offset, NULL, 10);
    int64_t value = db_i64(rows, row, column);
    return value < 0 ? 0 : (uint64_t)value;
}

const void *db_bytes(const struct db_rows *rows, size_t row, size_t column, size_t *ret_bytes)
{
    const struct cell *cell = cell_at(rows, row, column);
    if (cell->kind == CELL_NULL) {
        *ret_bytes = 0;
        return NULL;
    }
    assert(cell->kind == CELL_TEXT); // the statement's text is wrong otherwise: CAST(… AS CHAR) helps
    *ret_bytes = cell->text.bytes;
    return rows->texts + cell->text.offset;
}

const char *db_string(const struct db_rows *rows, size_t row, size_t column)
{
    size_t bytes;
    return db_bytes(rows, row, column, &bytes);
}

// Times that went through an expression (GREATEST, IF, COALESCE of mixed types) arrive as text.
static int64_t time_from_text(const char *text)
{
    MYSQL_TIME time = {0};
    char fraction[7] = "";
    int fields = sscanf(text, "%4u-%2u-%2u %2u:%2u:%2u.%6[0-9]", &time.year, &time.month, &time.day, &time.hour,
                        &time.minute, &time.second, fraction);
    if (fields < 3)
        return 0;
    unsigned long microseconds = 0;
    for (size_t i = 0; i < 6; i++) // ".5" is half a second
        microseconds = microseconds * 10 + (i < strlen(fraction) ? (unsigned long)(fraction[i] - '0') : 0);
    time.second_part = microseconds;
    return db_time_to_us(&time);
}

int64_t db_time_us(const struct db_rows *rows, size_t row, size_t column)
{
    const struct cell *cell = cell_at(rows, row, column);
    if (cell->kind == CELL_NULL)
        return 0;
    if (cell->kind == CELL_TEXT)
        return time_from_text(rows->texts + cell->text.offset);
    assert(cell->kind == CELL_TIME);
    return cell->i;
}
