// SPDX-License-Identifier: Apache-2.0
// Speaking to people and programs, and connecting to MySQL, for all commands.
#include "admin/context.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/command.h"
#include "common/utf8.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 10000

#define MYSQL_NO_SUCH_TABLE 1146
#define MYSQL_NO_SUCH_DATABASE 1049

const char *context_option(const struct context *context, const char *name)
{
    for (size_t i = 0; context->command->options[i].name; i++) {
        if (strcmp(context->command->options[i].name, name) == 0)
            return context->options[i];
    }
    return NULL;
}

int context_limit(const struct context *context, size_t *ret)
{
    const char *text = context_option(context, "limit");
    if (!text) {
        *ret = LIMIT_DEFAULT;
        return 0;
    }
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || *end || *text < '0' || *text > '9' || value < 1 || value > LIMIT_MAX)
        return context_fail(context, EXIT_USAGE, "--limit is '%.20s'; 1 to %d are allowed", text, LIMIT_MAX);
    *ret = value;
    return 0;
}

const char *context_actor(char text[static CONTEXT_ACTOR_BYTES])
{
    char host[64] = "";
    if (gethostname(host, sizeof(host) - 1) < 0 || !host[0])
        snprintf(host, sizeof(host), "localhost");
    const char *name = getenv("SUDO_USER");
    if (!name || !*name) {
        const struct passwd *user = getpwuid(getuid());
        name = user ? user->pw_name : NULL;
    }
    if (name)
        snprintf(text, CONTEXT_ACTOR_BYTES, "%.60s@%s", name, host);
    else
        snprintf(text, CONTEXT_ACTOR_BYTES, "%ju@%s", (uintmax_t)getuid(), host);
    // It goes into a log that people read in a terminal.
    for (char *at = text; *at; at++) {
        if (*at <= 0x20 || *at >= 0x7f)
            *at = '?';
    }
    return text;
}

static const struct {
    const char *type, *title;
    int http; // the status that HTTP would have for it (RFC 9457 wants one)
} kinds[] = {
    [EXIT_FAILED] = {"/problems/failed", "It could not be done", 409},
    [EXIT_USAGE] = {"/problems/usage", "The command or the configuration is not right", 400},
    [EXIT_NOT_FOUND] = {"/problems/not-found", "There is no such thing", 404},
    [EXIT_OUT_OF_REACH] = {"/problems/out-of-reach", "MySQL or RabbitMQ is out of reach", 503},
};

// What is said may quote anybody's bytes, cut anywhere; JSON takes UTF-8 only.
static void format_text(char *text, size_t text_bytes, const char *format, va_list arguments) PRINTF_LIKE(3, 0);

static void format_text(char *text, size_t text_bytes, const char *format, va_list arguments)
{
    vsnprintf(text, text_bytes, format, arguments);
    utf8_mend(text);
}

static void say_failure(const struct context *context, enum exit_status status, json_t *members, const char *format,
                        va_list arguments) PRINTF_LIKE(4, 0);

static void say_failure(const struct context *context, enum exit_status status, json_t *members, const char *format,
                        va_list arguments)
{
    char detail[1024];
    format_text(detail, sizeof(detail), format, arguments);
    if (!context->json) {
        fprintf(stderr, "onsale: %s\n", detail);
        return;
    }
    json_t *problem = json_pack("{s:s, s:s, s:i, s:s, s:i}", "type", kinds[status].type, "title", kinds[status].title,
                                "status", kinds[status].http, "detail", detail, "exit", (int)status);
    if (problem && members)
        json_object_update(problem, members);
    if (!problem || json_dumpf(problem, stderr, JSON_COMPACT) < 0)
        fprintf(stderr, "{\"type\":\"%s\"}", kinds[status].type);
    fputc('\n', stderr);
    json_decref(problem);
}

int context_fail_with(const struct context *context, enum exit_status status, json_t *members, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_failure(context, status, members, format, arguments);
    va_end(arguments);
    json_decref(members);
    return (int)status;
}

int context_fail(const struct context *context, enum exit_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_failure(context, status, NULL, format, arguments);
    va_end(arguments);
    return (int)status;
}

void context_note(const struct context *context, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    format_text(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (!context->json) {
        fprintf(stderr, "onsale: note: %s\n", text);
        return;
    }
    json_t *note = json_pack("{s:s}", "note", text);
    if (note)
        json_dumpf(note, stderr, JSON_COMPACT);
    fputc('\n', stderr);
    json_decref(note);
}

int context_no_event(const struct context *context, const char *slug)
{
    return context_fail(context, EXIT_NOT_FOUND, "there is no event '%.64s'; `onsale event list` shows all", slug);
}

int context_db_failed(const struct context *context, int error, const char *doing)
{
    const char *text = context->db ? db_error_text(context->db) : "";
    unsigned number = context->db ? db_errno(context->db) : 0;
    if (number == MYSQL_NO_SUCH_TABLE || number == MYSQL_NO_SUCH_DATABASE)
        return context_fail(context, EXIT_FAILED, "%s: the database is not set up: run `onsale migrate` (%s)", doing,
                            text);
    if (error == ERROR_TRANSIENT && context->db && !db_is_connected(context->db))
        return context_fail(context, EXIT_OUT_OF_REACH, "%s: MySQL is out of reach: %s", doing, text);
    if (error == ERROR_TRANSIENT)
        return context_fail(context, EXIT_FAILED, "%s: MySQL could not do it now, try again: %s", doing, text);
    return context_fail(context, EXIT_FAILED, "%s: %s%s%s", doing, error_str(error), *text ? ": " : "", text);
}

// Connecting failed for good: either the database is not there, or the server does not want this user.
static int explain_refusal(struct context *context)
{
    const struct common_config *config = &context->config->common;
    struct common_config without = *config;
    char empty[] = "";
    without.mysql_database = empty;
    const struct db_options options = {.config = &without, .program = "onsale"};
    int r = db_open(&options, &context->db);
    if (r == 0)
        return context_fail(context, EXIT_FAILED,
                            "the database '%s' is not there, or not for the user '%s'; `onsale migrate` makes it",
                            config->mysql_database, config->mysql_user);
    return context_fail(context, EXIT_USAGE, "MySQL at %s refuses the user '%s': see [mysql] user, password, tls_ca",
                        *config->mysql_host ? config->mysql_host : config->mysql_socket, config->mysql_user);
}

int context_connect(struct context *context, const struct db_options *options)
{
    int r = db_open(options, &context->db);
    if (r == ERROR_PERMANENT)
        return explain_refusal(context);
    return r < 0 ? context_db_failed(context, r, "connecting") : EXIT_DONE;
}

int context_database(struct context *context)
{
    const struct db_options options = {
        .config = &context->config->common, .program = "onsale", .io_timeout_seconds = 10};
    return context_connect(context, &options);
}

int context_print_json(const struct context *context, json_t *json)
{
    if (!json)
        return context_fail(context, EXIT_FAILED, "out of memory");
    int r = json_dumpf(json, stdout, JSON_COMPACT);
    json_decref(json);
    if (r < 0 || fputc('\n', stdout) == EOF || fflush(stdout) == EOF)
        return context_fail(context, EXIT_FAILED, "standard output cannot be written");
    return EXIT_DONE;
}

int context_print_items(const struct context *context, const struct db_rows *rows, size_t count,
                        json_t *item(const struct db_rows *rows, size_t row), const char *next)
{
    json_t *items = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(items, item(rows, i));
    return context_print_json(context, json_pack("{s:o, s:s?}", "items", items, "next", next));
}

int context_print_text(const struct context *context, struct buffer *text)
{
    if (text->failed)
        return context_fail(context, EXIT_FAILED, "out of memory");
    if (text->bytes && (fwrite(text->data, 1, text->bytes, stdout) != text->bytes || fflush(stdout) == EOF))
        return context_fail(context, EXIT_FAILED, "standard output cannot be written");
    return EXIT_DONE;
}
