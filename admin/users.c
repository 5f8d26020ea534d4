// SPDX-License-Identifier: Apache-2.0
// Users exist for both hosts, 'localhost' and '%': a fresh server has an anonymous user for 'localhost' that would
// otherwise be taken for everybody who connects through the socket. Names cannot be parameters of CREATE USER or GRANT,
// so they are checked to be plain words; the password is quoted by the server itself (QUOTE()).
#include "admin/users.h"

#include <stdio.h>
#include <string.h>

static const char *const hosts[] = {"localhost", "%"};
#define HOST_COUNT (sizeof(hosts) / sizeof(hosts[0]))
#define USER_BYTES_MAX 32
#define RIGHTS_MAX 1000 // of one user, as the server lists them

static bool name_is_valid(const char *name)
{
    size_t bytes = strlen(name);
    return bytes >= 1 && bytes <= USER_BYTES_MAX &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == bytes;
}

// Runs a statement that the server puts together from quoted parameters.
static int execute_quoted(struct db *db, const char *assemble, const struct db_value *values, size_t value_count)
{
    int r = db_write(db, assemble, values, value_count, NULL);
    if (r < 0 || (r = db_exec(db, "PREPARE onsale_user FROM @onsale_statement")) < 0)
        return r;
    r = db_exec(db, "EXECUTE onsale_user");
    if (r < 0)
        return r;
    // The statement holds a password: nothing of it stays in the session.
    r = db_exec(db, "DEALLOCATE PREPARE onsale_user");
    return r < 0 ? r : db_exec(db, "SET @onsale_statement = NULL");
}

static int make_user(struct db *db, const struct program_user *user, const char *host)
{
    const struct db_value values[] = {db_text(user->user), db_text(host), db_text(user->password)};
    int r = execute_quoted(db,
                           "SET @onsale_statement = CONCAT('CREATE USER IF NOT EXISTS ', QUOTE(?), '@', QUOTE(?), "
                           "' IDENTIFIED BY ', QUOTE(?))",
                           values, 3);
    if (r < 0)
        return r;
    return execute_quoted(
        db, "SET @onsale_statement = CONCAT('ALTER USER ', QUOTE(?), '@', QUOTE(?), ' IDENTIFIED BY ', QUOTE(?))",
        values, 3);
}

static int grant_one(struct db *db, const char *verb, const char *word, const struct grant *grant, const char *database,
                     const char *user, const char *host)
{
    char sql[512];
    snprintf(sql, sizeof(sql), "%s %s%s%s%s ON `%s`.`%s` %s '%s'@'%s'", verb, grant->privilege,
             *grant->column ? " (" : "", grant->column, *grant->column ? ")" : "", database, grant->table, word, user,
             host);
    return db_exec(db, sql);
}

// Takes back what the user has in this database and the file does not say.
static int revoke_surplus(struct db *db, const struct grants *grants, const char *program, const char *database,
                          const char *user, const char *host)
{
    char grantee[128];
    snprintf(grantee, sizeof(grantee), "'%s'@'%s'", user, host);
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(db,
                    "SELECT table_name, privilege_type, '' FROM information_schema.table_privileges "
                    "WHERE grantee = ? AND table_schema = ? UNION ALL "
                    "SELECT table_name, privilege_type, column_name FROM information_schema.column_privileges "
                    "WHERE grantee = ? AND table_schema = ?",
                    (struct db_value[]){db_text(grantee), db_text(database), db_text(grantee), db_text(database)}, 4,
                    RIGHTS_MAX, &rows);
    for (size_t i = 0; r == 0 && i < db_rows_count(rows); i++) {
        struct grant grant = {0};
        snprintf(grant.table, sizeof(grant.table), "%s", db_string(rows, i, 0));
        snprintf(grant.privilege, sizeof(grant.privilege), "%s", db_string(rows, i, 1));
        snprintf(grant.column, sizeof(grant.column), "%s", db_string(rows, i, 2));
        // MySQL lists a whole table's right for each of its columns as well.
        if (strcmp(grant.privilege, "USAGE") == 0 ||
            grants_have(grants, program, grant.table, grant.privilege, grant.column) ||
            (*grant.column && grants_have(grants, program, grant.table, grant.privilege, "")))
            continue;
        r = grant_one(db, "REVOKE", "FROM", &grant, database, user, host);
    }
    return r;
}

// A user who may do more than any program is somebody else's: setting its password would lock people out.
static int refuse_powerful(struct context *context, const char *program, const char *user)
{
    if (strcmp(user, context->config->common.mysql_user) == 0)
        return context_fail(context, EXIT_USAGE,
                            "[%s] mysql_user is '%s', the user of [mysql] itself; name one of its own", program, user);
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    char pattern[64];
    snprintf(pattern, sizeof(pattern), "'%s'@", user);
    int r = db_read(context->db,
                    "SELECT MIN(privilege_type) FROM (SELECT privilege_type FROM information_schema.user_privileges "
                    "WHERE LEFT(grantee, CHAR_LENGTH(?)) = ? AND privilege_type <> 'USAGE' UNION ALL "
                    "SELECT privilege_type FROM information_schema.schema_privileges "
                    "WHERE LEFT(grantee, CHAR_LENGTH(?)) = ?) AS rights",
                    (struct db_value[]){db_text(pattern), db_text(pattern), db_text(pattern), db_text(pattern)}, 4, 1,
                    &rows);
    if (r < 0)
        return context_db_failed(context, r, "looking at the users' rights");
    if (!db_is_null(rows, 0, 0))
        return context_fail(
            context, EXIT_FAILED,
            "the user '%s' has rights of its own (%s) on the server or on whole databases; [%s] mysql_user "
            "must name a user for that program alone",
            user, db_string(rows, 0, 0), program);
    return EXIT_DONE;
}

static int check_configured(struct context *context, const struct grants *grants)
{
    const struct program_user *users = context->config->users;
    for (int p = 0; p < CONFIG_ADMIN; p++) {
        const char *program = settings_program_name((enum config_program)p);
        if (!grants_know(grants, program))
            continue;
        if (!*users[p].user)
            return context_fail(context, EXIT_USAGE, "[%s] mysql_user is not set; --users makes the users named there",
                                program);
        if (!name_is_valid(users[p].user))
            return context_fail(context, EXIT_USAGE, "[%s] mysql_user: 1 to %d of A-Z, a-z, 0-9, _ and - are allowed",
                                program, USER_BYTES_MAX);
        for (int q = 0; q < p; q++) {
            if (users[q].user && strcmp(users[p].user, users[q].user) == 0)
                return context_fail(context, EXIT_USAGE,
                                    "[%s] and [%s] have the same mysql_user '%s'; each needs its own",
                                    settings_program_name((enum config_program)q), program, users[p].user);
        }
        int status = refuse_powerful(context, program, users[p].user);
        if (status != EXIT_DONE)
            return status;
    }
    return EXIT_DONE;
}

static int apply_one(struct context *context, const struct grants *grants, const char *program,
                     const struct program_user *user)
{
    const char *database = context->config->common.mysql_database;
    int r = 0;
    for (size_t h = 0; r == 0 && h < HOST_COUNT; h++) {
        r = make_user(context->db, user, hosts[h]);
        // Taking back first: with a right on a table its namesakes on columns go as well.
        if (r == 0)
            r = revoke_surplus(context->db, grants, program, database, user->user, hosts[h]);
        for (size_t i = 0; r == 0 && i < grants->count; i++) {
            if (strcmp(grants->items[i].program, program) == 0)
                r = grant_one(context->db, "GRANT", "TO", &grants->items[i], database, user->user, hosts[h]);
        }
    }
    if (r < 0)
        return context_db_failed(context, r, "setting the users' rights");
    return EXIT_DONE;
}

int users_apply(struct context *context, json_t *ret_users)
{
    static struct grants grants; // some 64 KiB: not for the stack
    size_t line;
    if (grants_read(grants_text, (size_t)(grants_text_end - grants_text), &grants, &line) < 0)
        return context_fail(context, EXIT_FAILED, "sql/grants.sql, line %zu, is not understood", line);
    int status = check_configured(context, &grants);
    for (int p = 0; status == EXIT_DONE && p < CONFIG_ADMIN; p++) {
        const char *program = settings_program_name((enum config_program)p);
        const struct program_user *user = &context->config->users[p];
        if (!grants_know(&grants, program))
            continue;
        status = apply_one(context, &grants, program, user);
        if (status == EXIT_DONE &&
            json_array_append_new(ret_users, json_pack("{s:s, s:s}", "program", program, "user", user->user)) < 0)
            status = context_fail(context, EXIT_FAILED, "out of memory");
    }
    return status;
}
