// SPDX-License-Identifier: Apache-2.0
// What a running command has at hand: its arguments, the configuration, a connection to MySQL, and the ways to speak to
// people (text) or to programs (--json). Every message of failure goes through here, so that exit status, text and
// problem object agree.
#ifndef ADMIN_CONTEXT_H
#define ADMIN_CONTEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/settings.h"
#include "common/buffer.h"
#include "common/db.h"

#define CONTEXT_OPTIONS_MAX 4
#define CONTEXT_ACTOR_BYTES 128

// Exit statuses, as documented for scripts.
enum exit_status {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2, // or configuration
    EXIT_NOT_FOUND = 3,
    EXIT_OUT_OF_REACH = 4, // MySQL or RabbitMQ
};

struct command;

struct context {
    const struct admin_config *config;
    const struct command *command;
    bool json;
    char **arguments;
    size_t argument_count;
    const char
        *options[CONTEXT_OPTIONS_MAX]; // in the order of command->options: the value, "" for a flag, NULL: not given
    struct db *db; // after context_database()
};

// The value of an option of the running command: NULL when it was not given, "" for a flag.
const char *context_option(const struct context *context, const char *name);

// Reads --limit (1 … 10000; 100 when not given) for lists. 0, or the exit status after saying what is allowed.
int context_limit(const struct context *context, size_t *ret) MUST_USE;

// Who runs the command, for the event's log: the login name behind sudo, at this machine's name.
const char *context_actor(char text[static CONTEXT_ACTOR_BYTES]);

// Connects to MySQL and sees that the schema is there. 0, or the exit status after saying why not.
int context_database(struct context *context) MUST_USE;
// The same with options of one's own.
int context_connect(struct context *context, const struct db_options *options) MUST_USE;

// Says what went wrong on standard error, as text or as a problem object, and returns the exit status.
int context_fail(const struct context *context, enum exit_status status, const char *format, ...) PRINTF_LIKE(3, 4);
// The same with members of its own for the problem object (stolen; `errors: [{field, detail}]`).
int context_fail_with(const struct context *context, enum exit_status status, json_t *members, const char *format, ...)
    PRINTF_LIKE(4, 5);
// Says that something with MySQL failed, by its class.
int context_db_failed(const struct context *context, int error, const char *doing);
int context_no_event(const struct context *context, const char *slug);

// Says something on the side, on standard error: what was done stands, but somebody should know.
void context_note(const struct context *context, const char *format, ...) PRINTF_LIKE(2, 3);

// Writes one JSON object as a line to standard output and frees it. Returns EXIT_DONE, or EXIT_FAILED when it could not
// be written or `json` is NULL (out of memory).
int context_print_json(const struct context *context, json_t *json);
// The same for a list: {"items": […], "next": what --after takes for the rest, or null}, of the first `count` rows.
int context_print_items(const struct context *context, const struct db_rows *rows, size_t count,
                        json_t *item(const struct db_rows *rows, size_t row), const char *next);
// Writes text that people read; the same.
int context_print_text(const struct context *context, struct buffer *text);

#endif
