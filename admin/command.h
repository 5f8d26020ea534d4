// SPDX-License-Identifier: Apache-2.0
// The commands, one row each in one table: words, usage, help, examples, options, function. Parsing, help and the
// suggestion for a mistyped command all read that table, so a command that is not described cannot be run.
#ifndef ADMIN_COMMAND_H
#define ADMIN_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "admin/context.h"
#include "common/buffer.h"

#define COMMAND_OPTIONS_MAX CONTEXT_OPTIONS_MAX

struct command_option {
    const char *name; // "reason", given as --reason TEXT or --reason=TEXT; NULL ends the list
    const char *value; // what the value is called in help; NULL: a flag
    const char *help;
};

struct command {
    const char *name; // one word or two: "rate", "event apply"
    const char *arguments; // "SLUG [PACE]"
    const char *summary; // one line
    const char *help; // more about it; NULL: the summary says it all
    const char *examples; // lines, each indented by two blanks
    size_t arguments_min, arguments_max;
    struct command_option options[COMMAND_OPTIONS_MAX + 1];
    int (*run)(struct context *context); // returns the exit status
};

// NULL-terminated by name.
extern const struct command command_table[];

// Finds the command that the words begin with. NULL if there is none. *ret_words is how many words its name has.
const struct command *command_find(char *const *words, size_t word_count, size_t *ret_words);

// The command whose name is nearest to what was typed; NULL when nothing is near. Pure.
const char *command_nearest(char *const *words, size_t word_count);

// Sorts what follows the command's name into context->arguments and context->options. 0, or the exit status after
// saying what is wrong.
int command_parse(struct context *context, char **words, size_t word_count);

// Appends the help of all commands, or of one.
void command_help_all(struct buffer *text);
void command_help_one(const struct command *command, struct buffer *text);

#endif
