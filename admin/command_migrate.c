// SPDX-License-Identifier: Apache-2.0
// onsale migrate: brings the database to this program's version. A server-wide lock keeps two of them apart. MySQL
// commits every CREATE TABLE by itself, so what is done of a migration is noted after each statement, and a migration
// that broke off goes on from there.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/commands.h"
#include "admin/migrations.h"
#include "admin/sql_text.h"
#include "admin/users.h"
#include "common/buffer.h"

#define LOCK_SECONDS 60
#define STATEMENT_TIMEOUT_SECONDS 3600 // an ALTER of a big table takes its time
#define ROWS_MAX 10000
#define DATABASE_BYTES_MAX 48 // with the lock's prefix it must fit into MySQL's 64

struct migrate {
    struct context *context;
    struct db_rows *rows; // of schema_migrations: version, name, checksum, statements, done
    unsigned from, to;
    bool created_database;
    json_t *applied;
};

static bool database_name_is_valid(const char *name)
{
    size_t bytes = strlen(name);
    return bytes >= 1 && bytes <= DATABASE_BYTES_MAX &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == bytes;
}

// Opened without a database, since it may not be there yet.
static int ensure_database(struct migrate *migrate)
{
    struct context *context = migrate->context;
    const char *name = context->config->common.mysql_database;
    if (!database_name_is_valid(name))
        return context_fail(context, EXIT_USAGE, "[mysql] database: 1 to %d of A-Z, a-z, 0-9, _ and - are allowed",
                            DATABASE_BYTES_MAX);
    struct common_config without = context->config->common;
    char empty[] = "";
    without.mysql_database = empty;
    const struct db_options options = {.config = &without, .program = "onsale"};
    int status = context_connect(context, &options);
    if (status != EXIT_DONE)
        return status;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(context->db, "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = ?",
                    (struct db_value[]){db_text(name)}, 1, 1, &rows);
    if (r == 0 && db_u64(rows, 0, 0) == 0) {
        char sql[128];
        snprintf(sql, sizeof(sql), "CREATE DATABASE IF NOT EXISTS `%s` CHARACTER SET utf8mb4", name);
        r = db_exec(context->db, sql);
        migrate->created_database = r == 0;
    }
    if (r < 0)
        return context_db_failed(context, r, "making the database");
    db_close(context->db);
    context->db = NULL;
    return EXIT_DONE;
}

static int open_and_lock(struct migrate *migrate)
{
    struct context *context = migrate->context;
    const struct db_options options = {.config = &context->config->common,
                                       .program = "onsale",
                                       .io_timeout_seconds = STATEMENT_TIMEOUT_SECONDS,
                                       .lock_wait_timeout_seconds = LOCK_SECONDS};
    int status = context_connect(context, &options);
    if (status != EXIT_DONE)
        return status;
    char name[65];
    snprintf(name, sizeof(name), "onsale.migrate.%s", context->config->common.mysql_database);
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(context->db, "SELECT GET_LOCK(?, ?)", (struct db_value[]){db_text(name), DB_I(LOCK_SECONDS)}, 2, 1,
                    &rows);
    if (r < 0)
        return context_db_failed(context, r, "waiting for another migration");
    if (db_u64(rows, 0, 0) != 1)
        return context_fail(context, EXIT_FAILED, "another migration has been running for %d seconds", LOCK_SECONDS);
    return EXIT_DONE;
}

static int read_applied(struct migrate *migrate)
{
    struct context *context = migrate->context;
    int r = db_exec(context->db, "CREATE TABLE IF NOT EXISTS schema_migrations ("
                                 "version INT UNSIGNED NOT NULL PRIMARY KEY, name VARCHAR(64) NOT NULL, "
                                 "checksum CHAR(64) CHARACTER SET ascii NOT NULL, statements INT UNSIGNED NOT NULL, "
                                 "applied_at DATETIME(6) NULL) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4");
    if (r == 0)
        r = db_read(context->db,
                    "SELECT version, name, checksum, statements, applied_at IS NOT NULL FROM schema_migrations ORDER "
                    "BY version",
                    NULL, 0, ROWS_MAX, &migrate->rows);
    return r < 0 ? context_db_failed(context, r, "reading the database's version") : EXIT_DONE;
}

static const struct migration *find_migration(uint64_t version)
{
    for (size_t i = 0; i < migration_count; i++) {
        if (migrations[i].version == version)
            return &migrations[i];
    }
    return NULL;
}

// The database must be a beginning of what this program knows.
static int check_applied(struct migrate *migrate)
{
    unsigned newest = migrations[migration_count - 1].version;
    for (size_t i = 0; i < db_rows_count(migrate->rows); i++) {
        uint64_t version = db_u64(migrate->rows, i, 0);
        const struct migration *migration = find_migration(version);
        char checksum[MIGRATION_CHECKSUM_BYTES];
        if (!migration)
            return context_fail(migrate->context, EXIT_FAILED,
                                "the database has version %" PRIu64
                                " (%s) and this program knows only up to %u: there is no way "
                                "back, use a newer program",
                                version, db_string(migrate->rows, i, 1), newest);
        if (strcmp(migration_checksum(migration, checksum), db_string(migrate->rows, i, 2)) != 0)
            return context_fail(migrate->context, EXIT_FAILED,
                                "the database's version %" PRIu64
                                " (%s) was made with another text than this program has "
                                "(checksum %.12s there, %.12s here)",
                                version, db_string(migrate->rows, i, 1), db_string(migrate->rows, i, 2), checksum);
        if (db_u64(migrate->rows, i, 4))
            migrate->from = migrate->to = (unsigned)version;
    }
    return EXIT_DONE;
}

static int apply_statements(struct db *db, const struct migration *migration, uint64_t skip)
{
    const char *at = migration->text, *statement;
    size_t left = (size_t)(migration->text_end - at), bytes;
    for (uint64_t done = 0; sql_text_next(&at, &left, &statement, &bytes); done++) {
        if (done < skip)
            continue;
        struct buffer sql CLEANUP(buffer_done) = BUFFER_INIT;
        buffer_append(&sql, statement, bytes);
        if (sql.failed)
            return ERROR_MEMORY;
        int r = db_exec(db, sql.data);
        if (r == 0)
            r = db_write(db, "UPDATE schema_migrations SET statements = ? WHERE version = ?",
                         (struct db_value[]){DB_U(done + 1), DB_U(migration->version)}, 2, NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

static int apply_one(struct migrate *migrate, const struct migration *migration)
{
    struct db *db = migrate->context->db;
    uint64_t skip = 0;
    for (size_t i = 0; i < db_rows_count(migrate->rows); i++) {
        if (db_u64(migrate->rows, i, 0) != migration->version)
            continue;
        if (db_u64(migrate->rows, i, 4))
            return EXIT_DONE;
        skip = db_u64(migrate->rows, i, 3);
    }
    char checksum[MIGRATION_CHECKSUM_BYTES], doing[128];
    migration_checksum(migration, checksum);
    int r =
        db_write(db,
                 "INSERT INTO schema_migrations (version, name, checksum, statements) VALUES (?, ?, ?, 0) "
                 "ON DUPLICATE KEY UPDATE name = VALUES(name)",
                 (struct db_value[]){DB_U(migration->version), db_text(migration->name), db_text(checksum)}, 3, NULL);
    if (r == 0)
        r = apply_statements(db, migration, skip);
    if (r == 0)
        r = db_write(db, "UPDATE schema_migrations SET applied_at = UTC_TIMESTAMP(6) WHERE version = ?",
                     (struct db_value[]){DB_U(migration->version)}, 1, NULL);
    snprintf(doing, sizeof(doing), "migration %u (%s)", migration->version, migration->name);
    if (r < 0)
        return context_db_failed(migrate->context, r, doing);
    migrate->to = migration->version;
    if (json_array_append_new(migrate->applied,
                              json_pack("{s:i, s:s}", "version", (int)migration->version, "name", migration->name)) < 0)
        return context_fail(migrate->context, EXIT_FAILED, "out of memory");
    return EXIT_DONE;
}

static int report(struct migrate *migrate, json_t *users)
{
    struct context *context = migrate->context;
    if (context->json) {
        json_t *json = json_pack("{s:i, s:i, s:O, s:b}", "from", (int)migrate->from, "to", (int)migrate->to, "applied",
                                 migrate->applied, "database_created", (int)migrate->created_database);
        if (json && users)
            json_object_set(json, "users", users);
        return context_print_json(context, json);
    }
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    const char *database = context->config->common.mysql_database;
    if (migrate->created_database)
        buffer_format(&text, "made the database %s\n", database);
    if (migrate->from == migrate->to)
        buffer_format(&text, "%s is at version %u already\n", database, migrate->to);
    else
        buffer_format(&text, "%s: from version %u to %u\n", database, migrate->from, migrate->to);
    for (size_t i = 0; i < json_array_size(users); i++) {
        const json_t *user = json_array_get(users, i);
        buffer_format(&text, "%s: user %s has its rights\n", json_string_value(json_object_get(user, "program")),
                      json_string_value(json_object_get(user, "user")));
    }
    return context_print_text(context, &text);
}

int command_migrate(struct context *context)
{
    struct migrate migrate = {.context = context, .applied = json_array()};
    json_t *users = context_option(context, "users") ? json_array() : NULL;
    int status = ensure_database(&migrate);
    if (status == EXIT_DONE)
        status = open_and_lock(&migrate);
    if (status == EXIT_DONE)
        status = read_applied(&migrate);
    if (status == EXIT_DONE)
        status = check_applied(&migrate);
    for (size_t i = 0; status == EXIT_DONE && i < migration_count; i++)
        status = apply_one(&migrate, &migrations[i]);
    if (status == EXIT_DONE && users)
        status = users_apply(context, users);
    if (status == EXIT_DONE)
        status = report(&migrate, users);
    db_rows_free(migrate.rows);
    json_decref(migrate.applied);
    json_decref(users);
    return status;
}
