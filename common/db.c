// SPDX-License-Identifier: Apache-2.0
// The connection: session, time-outs, prepared statements kept by their text. Only what the client libraries of MySQL
// and MariaDB both have is used; where they differ (TLS) both ways stand here. What a statement reads is kept in
// db_rows.c; db_error.c knows the error numbers.
#include "common/db.h"

#include <assert.h>
#include <errmsg.h>
#include <errno.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/db_internal.h"

#define IO_TIMEOUT_SECONDS 5
#define LOCK_WAIT_TIMEOUT_SECONDS 5
// Servers allow some 16,000 prepared statements in all; a program here has well under a hundred texts.
#define STATEMENTS_MAX 256
#define BUCKETS 512
#define ERROR_TEXT_BYTES 512

// A statement's parameters are copied here before they are bound, so that the values may be constant.
struct parameter {
    union {
        int64_t i;
        uint64_t u;
        MYSQL_TIME time;
    };
};

struct statement {
    char *sql;
    uint64_t hash;
    MYSQL_STMT *handle;
    struct statement *next_in_bucket;
    uint64_t used_at; // by db.uses; the least is the oldest
    size_t parameter_count;
    MYSQL_BIND *binds;
    struct parameter *parameters;
};

struct db {
    struct db_options options;
    MYSQL mysql;
    bool initialised; // mysql_init() was called and mysql_close() was not
    bool connected;
    struct statement *buckets[BUCKETS];
    size_t statement_count;
    uint64_t uses;
    unsigned error_number;
    char error_text[ERROR_TEXT_BYTES];
};

// Why the last db_open() of this thread gave no handle.
static _Thread_local char open_error_text[ERROR_TEXT_BYTES];

struct db_value db_text(const char *text)
{
    if (!text)
        return DB_N;
    return (struct db_value){.type = DB_TEXT, .s = {text, strlen(text)}};
}

static void note_error(struct db *db, unsigned number, const char *text)
{
    db->error_number = number;
    snprintf(db->error_text, sizeof(db->error_text), "%s", text);
}

// ---------------------------------------------------------------- statements

static void statement_free(struct statement *statement)
{
    if (statement->handle)
        mysql_stmt_close(statement->handle);
    free(statement->binds);
    free(statement->parameters);
    free(statement->sql);
    free(statement);
}

static void statement_unlink(struct db *db, struct statement *statement)
{
    struct statement **link = &db->buckets[statement->hash % BUCKETS];
    while (*link != statement)
        link = &(*link)->next_in_bucket;
    *link = statement->next_in_bucket;
    db->statement_count--;
}

// Hangs up and forgets every statement. mysql_close() comes first: it cuts the statements loose, so that closing them
// only frees memory and writes nothing to a socket that may be dead.
static void drop(struct db *db)
{
    if (db->initialised)
        mysql_close(&db->mysql);
    db->initialised = false;
    db->connected = false;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct statement *statement = db->buckets[i], *next; statement; statement = next) {
            next = statement->next_in_bucket;
            statement_free(statement);
        }
        db->buckets[i] = NULL;
    }
    db->statement_count = 0;
}

static int fail(struct db *db, unsigned number, const char *text)
{
    note_error(db, number, text);
    if (db_is_lost(number))
        drop(db);
    return db_classify(number, db->error_text);
}

static int fail_connection(struct db *db)
{
    return fail(db, mysql_errno(&db->mysql), mysql_error(&db->mysql));
}

static int fail_statement(struct db *db, struct statement *statement)
{
    unsigned number = mysql_stmt_errno(statement->handle);
    char text[ERROR_TEXT_BYTES];
    snprintf(text, sizeof(text), "%s", number ? mysql_stmt_error(statement->handle) : mysql_error(&db->mysql));
    if (!number) // it came in the place of a row
        number = mysql_errno(&db->mysql);
    mysql_stmt_free_result(statement->handle); // an error may come between two rows
    // What was prepared before a migration may not fit the tables after it: the next one to ask prepares it anew.
    if (number == CR_NEW_STMT_METADATA || number == ER_NEED_REPREPARE || number == ER_UNKNOWN_STMT_HANDLER) {
        statement_unlink(db, statement);
        statement_free(statement);
    }
    return fail(db, number, text);
}

// A mistake of ours rather than the server's: what, in words for the log.
static int fail_bug(struct db *db, const char *text)
{
    note_error(db, 0, text);
    return ERROR_BUG;
}

static int fail_memory(struct db *db)
{
    note_error(db, 0, "out of memory");
    return ERROR_MEMORY;
}

static int fail_not_connected(struct db *db)
{
    if (!db->error_number)
        note_error(db, CR_SERVER_GONE_ERROR, "not connected");
    return ERROR_TRANSIENT;
}

static uint64_t hash_text(const char *text)
{
    uint64_t hash = 14695981039346656037u; // FNV-1a
    for (const char *at = text; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    return hash;
}

static void evict_oldest(struct db *db)
{
    struct statement *oldest = NULL;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct statement *statement = db->buckets[i]; statement; statement = statement->next_in_bucket) {
            if (!oldest || statement->used_at < oldest->used_at)
                oldest = statement;
        }
    }
    assert(oldest);
    statement_unlink(db, oldest);
    statement_free(oldest);
}

static int statement_prepare(struct db *db, const char *sql, uint64_t hash, struct statement **ret)
{
    struct statement *statement = calloc(1, sizeof(*statement));
    if (!statement)
        return fail_memory(db);
    size_t sql_bytes = strlen(sql);
    statement->hash = hash;
    statement->sql = strdup(sql);
    statement->handle = mysql_stmt_init(&db->mysql);
    if (!statement->sql || !statement->handle) {
        statement_free(statement);
        return fail_memory(db);
    }
    if (mysql_stmt_prepare(statement->handle, sql, sql_bytes)) {
        unsigned number = mysql_stmt_errno(statement->handle);
        char text[ERROR_TEXT_BYTES];
        snprintf(text, sizeof(text), "%s", mysql_stmt_error(statement->handle));
        statement_free(statement);
        return fail(db, number, text);
    }
    statement->parameter_count = mysql_stmt_param_count(statement->handle);
    if (statement->parameter_count) {
        statement->binds = calloc(statement->parameter_count, sizeof(*statement->binds));
        statement->parameters = calloc(statement->parameter_count, sizeof(*statement->parameters));
        if (!statement->binds || !statement->parameters) {
            statement_free(statement);
            return fail_memory(db);
        }
    }
    *ret = statement;
    return 0;
}

static int statement_find(struct db *db, const char *sql, struct statement **ret)
{
    uint64_t hash = hash_text(sql);
    struct statement *statement = db->buckets[hash % BUCKETS];
    while (statement && (statement->hash != hash || strcmp(statement->sql, sql) != 0))
        statement = statement->next_in_bucket;
    if (!statement) {
        if (db->statement_count >= STATEMENTS_MAX)
            evict_oldest(db);
        int result = statement_prepare(db, sql, hash, &statement);
        if (result)
            return result;
        statement->next_in_bucket = db->buckets[hash % BUCKETS];
        db->buckets[hash % BUCKETS] = statement;
        db->statement_count++;
    }
    statement->used_at = ++db->uses;
    *ret = statement;
    return 0;
}

// The library never writes through a parameter's pointer, but its type has no const.
static void *without_const(const void *pointer)
{
    union {
        const void *from;
        void *to;
    } either = {.from = pointer};
    return either.to;
}

static void bind_value(MYSQL_BIND *bind, struct parameter *parameter, const struct db_value *value)
{
    static char nothing[1];
    memset(bind, 0, sizeof(*bind));
    switch (value->type) {
    case DB_NULL:
        bind->buffer_type = MYSQL_TYPE_NULL;
        break;
    case DB_SIGNED:
    case DB_UNSIGNED:
        parameter->u = value->u;
        bind->buffer_type = MYSQL_TYPE_LONGLONG;
        bind->buffer = &parameter->u;
        bind->is_unsigned = value->type == DB_UNSIGNED;
        break;
    case DB_TEXT:
    case DB_BYTES:
        bind->buffer_type = value->type == DB_TEXT ? MYSQL_TYPE_STRING : MYSQL_TYPE_BLOB;
        bind->buffer = value->s.bytes ? without_const(value->s.data) : nothing;
        bind->buffer_length = value->s.bytes;
        break;
    case DB_TIME:
        db_time_from_us(value->i, &parameter->time);
        bind->buffer_type = MYSQL_TYPE_DATETIME;
        bind->buffer = &parameter->time;
        bind->buffer_length = sizeof(parameter->time);
        break;
    }
}

// Finds or prepares, binds and executes. `ret` is left alone on failure.
static int execute(struct db *db, const char *sql, const struct db_value *values, size_t value_count,
                   struct statement **ret)
{
    if (!db->connected)
        return fail_not_connected(db);
    struct statement *statement;
    int result = statement_find(db, sql, &statement);
    if (result)
        return result;
    if (value_count != statement->parameter_count)
        return fail_bug(db, "the statement has another number of parameters");
    for (size_t i = 0; i < value_count; i++)
        bind_value(&statement->binds[i], &statement->parameters[i], &values[i]);
    if (value_count && mysql_stmt_bind_param(statement->handle, statement->binds))
        return fail_statement(db, statement);
    if (mysql_stmt_execute(statement->handle))
        return fail_statement(db, statement);
    *ret = statement;
    return 0;
}

int db_write(struct db *db, const char *sql, const struct db_value *values, size_t value_count, struct db_written *ret)
{
    struct statement *statement = NULL;
    int result = execute(db, sql, values, value_count, &statement);
    if (result)
        return result;
    assert(statement);
    if (mysql_stmt_field_count(statement->handle)) {
        mysql_stmt_free_result(statement->handle);
        return fail_bug(db, "the statement has a result; read it with db_read()");
    }
    if (ret) {
        ret->affected = mysql_stmt_affected_rows(statement->handle);
        ret->insert_id = mysql_stmt_insert_id(statement->handle);
    }
    return 0;
}

int db_read(struct db *db, const char *sql, const struct db_value *values, size_t value_count, size_t rows_max,
            struct db_rows **ret)
{
    struct statement *statement;
    int result = execute(db, sql, values, value_count, &statement);
    if (result)
        return result;
    unsigned number = 0;
    result = db_rows_fetch(statement->handle, rows_max, ret, &number);
    if (number)
        result = fail_statement(db, statement); // may drop the connection, and the statement with it
    else
        mysql_stmt_free_result(statement->handle); // reads away what was not asked for
    if (result == ERROR_LIMIT)
        note_error(db, 0, "more rows or bytes than the caller allows");
    else if (result && !number)
        note_error(db, 0, result == ERROR_MEMORY ? "out of memory" : "the statement has no result that can be read");
    return result;
}

// ---------------------------------------------------------------- many rows

static int write_rows(struct db *db, const char *head, const char *row, const char *tail, const struct db_value *values,
                      size_t value_count, size_t row_count)
{
    struct buffer sql = BUFFER_INIT;
    buffer_text(&sql, head);
    for (size_t i = 0; i < row_count; i++) {
        if (i)
            buffer_text(&sql, ", ");
        buffer_text(&sql, row);
    }
    if (tail && tail[0]) {
        buffer_text(&sql, " ");
        buffer_text(&sql, tail);
    }
    int result = sql.failed || !sql.data ? fail_memory(db) : db_write(db, sql.data, values, value_count, NULL);
    buffer_done(&sql);
    return result;
}

int db_write_many(struct db *db, const char *head, const char *row, const char *tail, const struct db_value *values,
                  size_t values_per_row, size_t row_count)
{
    static const size_t sizes[] = {256, 16, 1};
    if (values_per_row == 0 || values_per_row * sizes[0] > 65535)
        return fail_bug(db, "a statement can have 65,535 parameters, so a row at most 255");
    size_t done = 0;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        while (row_count - done >= sizes[i]) {
            int result =
                write_rows(db, head, row, tail, values + done * values_per_row, values_per_row * sizes[i], sizes[i]);
            if (result)
                return result;
            done += sizes[i];
        }
    }
    return 0;
}

// ---------------------------------------------------------------- texts

int db_exec(struct db *db, const char *sql)
{
    if (!db->connected)
        return fail_not_connected(db);
    if (mysql_real_query(&db->mysql, sql, strlen(sql)))
        return fail_connection(db);
    if (mysql_field_count(&db->mysql)) {
        // Somebody let a SELECT through here: its rows must be taken off the wire.
        MYSQL_RES *unwanted = mysql_use_result(&db->mysql);
        if (unwanted)
            mysql_free_result(unwanted);
    }
    return 0;
}

int db_begin(struct db *db)
{
    return db_exec(db, "BEGIN");
}

int db_commit(struct db *db)
{
    return db_exec(db, "COMMIT");
}

void db_rollback(struct db *db)
{
    unsigned number = db->error_number;
    char text[ERROR_TEXT_BYTES];
    memcpy(text, db->error_text, sizeof(text));
    if (db->connected && db_exec(db, "ROLLBACK"))
        drop(db);
    // The caller wants to log why it rolled back, not how that went.
    db->error_number = number;
    memcpy(db->error_text, text, sizeof(text));
}

// ---------------------------------------------------------------- connecting

static void initialise_library(void)
{
    mysql_library_init(0, NULL, NULL);
}

static unsigned io_timeout(const struct db *db)
{
    int64_t seconds = db->options.io_timeout_seconds;
    return (unsigned)(seconds > 0 ? seconds : IO_TIMEOUT_SECONDS);
}

static void set_tls(struct db *db)
{
    const char *ca = db->options.config->mysql_tls_ca;
    if (!ca || !ca[0])
        return;
    mysql_options(&db->mysql, MYSQL_OPT_SSL_CA, ca);
#ifdef MARIADB_PACKAGE_VERSION_ID
    my_bool yes = 1;
    mysql_options(&db->mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
    mysql_options(&db->mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
#else
    unsigned mode = SSL_MODE_VERIFY_IDENTITY;
    mysql_options(&db->mysql, MYSQL_OPT_SSL_MODE, &mode);
#endif
}

static void set_options(struct db *db)
{
    const struct common_config *config = db->options.config;
    unsigned timeout = io_timeout(db);
    unsigned protocol = config->mysql_host && config->mysql_host[0] ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
    // Who waits ten minutes for an answer does not wait that long for a server that says nothing at all.
    unsigned connect_timeout = timeout < IO_TIMEOUT_SECONDS ? timeout : IO_TIMEOUT_SECONDS;
    mysql_options(&db->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_timeout);
    mysql_options(&db->mysql, MYSQL_OPT_READ_TIMEOUT, &timeout);
    mysql_options(&db->mysql, MYSQL_OPT_WRITE_TIMEOUT, &timeout);
    // Said outright: "localhost" would otherwise mean the socket, whatever the port.
    mysql_options(&db->mysql, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(&db->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (db->options.program)
        mysql_options4(&db->mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", db->options.program);
    set_tls(db);
}

// READ COMMITTED cannot be a variable in a list: the two servers call it by different names.
static int set_session(struct db *db)
{
    int result = db_exec(db, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
    if (result)
        return result;
    // A wait for a lock must end before our own time-out on reading does, or it would cost the connection.
    int64_t lock_wait = db->options.lock_wait_timeout_seconds;
    if (lock_wait <= 0)
        lock_wait = LOCK_WAIT_TIMEOUT_SECONDS;
    if (lock_wait >= (int64_t)io_timeout(db))
        lock_wait = io_timeout(db) > 1 ? (int64_t)io_timeout(db) - 1 : 1;
    struct buffer sql = BUFFER_INIT;
    buffer_format(
        &sql,
        "SET autocommit = 1, time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
        "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = %lld, "
        "lock_wait_timeout = %lld",
        (long long)lock_wait, (long long)lock_wait);
    if (db->options.wait_timeout_seconds > 0)
        buffer_format(&sql, ", wait_timeout = %lld", (long long)db->options.wait_timeout_seconds);
    result = sql.failed ? fail_memory(db) : db_exec(db, sql.data);
    buffer_done(&sql);
    return result;
}

static const char *or_null(const char *text)
{
    return text && text[0] ? text : NULL;
}

static int connect_once(struct db *db)
{
    const struct common_config *config = db->options.config;
    drop(db);
    // The client library would report this like a handshake that went wrong.
    if (or_null(config->mysql_tls_ca) && access(config->mysql_tls_ca, R_OK) != 0) {
        snprintf(db->error_text, sizeof(db->error_text), "tls_ca %s: %s", config->mysql_tls_ca, strerror(errno));
        db->error_number = 0;
        return ERROR_PERMANENT;
    }
    if (!mysql_init(&db->mysql))
        return fail_memory(db);
    db->initialised = true;
    set_options(db);
    if (!mysql_real_connect(&db->mysql, or_null(config->mysql_host), or_null(config->mysql_user),
                            config->mysql_password, or_null(config->mysql_database), (unsigned)config->mysql_port,
                            or_null(config->mysql_socket), CLIENT_FOUND_ROWS)) {
        int result = fail_connection(db);
        drop(db);
        return result;
    }
    db->connected = true;
    int result = set_session(db);
    if (result) {
        drop(db);
        return result;
    }
    note_error(db, 0, "");
    return 0;
}

int db_open(const struct db_options *options, struct db **ret)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    // The library's own initialisation is not safe in several threads at once.
    pthread_once(&once, initialise_library);
    struct db *db = calloc(1, sizeof(*db));
    if (!db)
        return ERROR_MEMORY;
    db->options = *options;
    int result = connect_once(db);
    if (result && result != ERROR_TRANSIENT) {
        memcpy(open_error_text, db->error_text, sizeof(open_error_text));
        db_close(db);
        return result;
    }
    *ret = db;
    return result;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    drop(db);
    free(db);
}

int db_ensure(struct db *db)
{
    return db->connected ? 0 : connect_once(db);
}

bool db_is_connected(const struct db *db)
{
    return db->connected;
}

uint64_t db_connection_id(const struct db *db)
{
    // The function only looks, but its parameter has no const.
    return db->connected ? mysql_thread_id(without_const(&db->mysql)) : 0;
}

unsigned db_errno(const struct db *db)
{
    return db->error_number;
}

const char *db_error_text(const struct db *db)
{
    return db ? db->error_text : open_error_text;
}
