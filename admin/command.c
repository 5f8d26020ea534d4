// SPDX-License-Identifier: Apache-2.0
// What is read from the table of commands: parsing, help, suggestions.
#include "admin/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/commands.h"
#include "admin/settings.h"

const struct command *command_find(char *const *words, size_t word_count, size_t *ret_words)
{
    for (const struct command *command = command_table; command->name; command++) {
        const char *blank = strchr(command->name, ' ');
        size_t first = blank ? (size_t)(blank - command->name) : strlen(command->name);
        if (word_count == 0 || strlen(words[0]) != first || memcmp(words[0], command->name, first) != 0)
            continue;
        if (!blank || (word_count > 1 && strcmp(words[1], blank + 1) == 0)) {
            *ret_words = blank ? 2 : 1;
            return command;
        }
    }
    return NULL;
}

// How many insertions, removals and replacements make one word of another. Words are cut at 31 letters.
static unsigned distance(const char *a, const char *b)
{
    unsigned row[32];
    size_t b_length = strnlen(b, 31);
    for (unsigned j = 0; j <= b_length; j++)
        row[j] = j;
    for (unsigned i = 1; i <= strnlen(a, 31); i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned cost = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < cost)
                cost = row[j] + 1;
            if (row[j - 1] + 1 < cost)
                cost = row[j - 1] + 1;
            row[j] = cost;
        }
    }
    return row[b_length];
}

const char *command_nearest(char *const *words, size_t word_count)
{
    const char *nearest = NULL;
    unsigned best = 3; // more than two letters off is another word
    char typed[64] = "";
    if (word_count > 1)
        snprintf(typed, sizeof(typed), "%.30s %.30s", words[0], words[1]);
    for (const struct command *command = command_table; command->name; command++) {
        unsigned off = distance(words[0], command->name);
        if (strchr(command->name, ' ')) {
            char first[32];
            snprintf(first, sizeof(first), "%.*s", (int)strcspn(command->name, " "), command->name);
            // "evnt apply" is near to "event apply"; "event" alone is near to all of them, so the first is shown.
            unsigned part = distance(words[0], first);
            off = *typed ? distance(typed, command->name) : part;
            if (off > 2 && part <= 1)
                off = part + 2;
        }
        if (off < best) {
            best = off;
            nearest = command->name;
        }
    }
    return nearest;
}

static int bad_usage(const struct context *context, const char *what, const char *word)
{
    const struct command *command = context->command;
    return context_fail(context, EXIT_USAGE, "%s: %s%s%.60s%s; usage: onsale %s%s%s", command->name, what,
                        *word ? " '" : "", word, *word ? "'" : "", command->name, *command->arguments ? " " : "",
                        command->arguments);
}

// Takes one option and, if it has one, its value. Returns how many words that were, or 0 after saying what is wrong.
static size_t parse_option(struct context *context, char **words, size_t word_count)
{
    const char *name = words[0] + 2;
    size_t length = strcspn(name, "=");
    for (size_t i = 0; context->command->options[i].name; i++) {
        const struct command_option *option = &context->command->options[i];
        if (strlen(option->name) != length || memcmp(option->name, name, length) != 0)
            continue;
        if (!option->value && name[length] == '=')
            return bad_usage(context, "takes no value:", words[0]), 0;
        if (!option->value) {
            context->options[i] = "";
            return 1;
        }
        if (name[length] == '=') {
            context->options[i] = name + length + 1;
            return 1;
        }
        if (word_count < 2)
            return bad_usage(context, "needs a value:", words[0]), 0;
        context->options[i] = words[1];
        return 2;
    }
    return bad_usage(context, "there is no option", words[0]), 0;
}

int command_parse(struct context *context, char **words, size_t word_count)
{
    context->arguments = calloc(word_count + 1, sizeof(*context->arguments));
    if (!context->arguments)
        return context_fail(context, EXIT_FAILED, "out of memory");
    bool literal = false;
    for (size_t i = 0; i < word_count;) {
        if (!literal && strcmp(words[i], "--") == 0) {
            literal = true;
            i++;
        } else if (!literal && strncmp(words[i], "--", 2) == 0) {
            size_t taken = parse_option(context, words + i, word_count - i);
            if (!taken)
                return EXIT_USAGE;
            i += taken;
        } else {
            context->arguments[context->argument_count++] = words[i++]; // also "-" and "-1", for the command to judge
        }
    }
    if (context->argument_count < context->command->arguments_min)
        return bad_usage(context, "something is missing", "");
    if (context->argument_count > context->command->arguments_max)
        return bad_usage(context, "there is too much:", context->arguments[context->command->arguments_max]);
    return EXIT_DONE;
}

void command_help_all(struct buffer *text)
{
    buffer_text(text, "usage: onsale [--config FILE] [--json] COMMAND\n\nThe command line of Onsale: events, the pace, "
                      "what goes on.\n\n");
    for (const struct command *command = command_table; command->name; command++) {
        char usage[64];
        snprintf(usage, sizeof(usage), "%s %s", command->name, command->arguments);
        buffer_format(text, "  %-33s %s\n", usage, command->summary);
    }
    buffer_text(
        text,
        "\n  --config FILE                     the configuration; else $ONSALE_CONFIG, ./var/onsale.ini, /etc/onsale/onsale.ini\n"
        "  --json                            one JSON object (watch, log: JSON lines); failures are a problem object on standard "
        "error\n"
        "  --check-config                    only read the configuration and say what is wrong with it\n"
        "  --version                         the version\n\n"
        "Exit status: 0 done, 1 it failed, 2 usage or configuration, 3 not found, 4 MySQL or RabbitMQ out of reach.\n"
        "`onsale help COMMAND` shows examples, `onsale help config` the keys of the configuration.\n");
}

void command_help_one(const struct command *command, struct buffer *text)
{
    buffer_format(text, "usage: onsale %s%s%s", command->name, *command->arguments ? " " : "", command->arguments);
    for (const struct command_option *option = command->options; option->name; option++)
        buffer_format(text, " [--%s%s%s]", option->name, option->value ? " " : "", option->value ? option->value : "");
    buffer_format(text, "\n\n%s: %s.\n", command->name, command->summary);
    if (command->help)
        buffer_format(text, "%s\n", command->help);
    for (const struct command_option *option = command->options; option->name; option++) {
        char name[32];
        snprintf(name, sizeof(name), "--%s%s%s", option->name, option->value ? " " : "",
                 option->value ? option->value : "");
        buffer_format(text, "%s  %-18s %s\n", option == command->options ? "\n" : "", name, option->help);
    }
    buffer_format(text, "\nExamples:\n%s\n", command->examples);
}

int command_help(struct context *context)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    if (context->argument_count == 0) {
        command_help_all(&text);
        return context_print_text(context, &text);
    }
    if (context->argument_count == 1 && strcmp(context->arguments[0], "config") == 0) {
        config_describe(&settings_table, &text);
        return context_print_text(context, &text);
    }
    size_t name_words;
    const struct command *command = command_find(context->arguments, context->argument_count, &name_words);
    if (command) {
        command_help_one(command, &text);
        return context_print_text(context, &text);
    }
    // `help event` explains every command that begins so.
    for (command = command_table; command->name; command++) {
        size_t bytes = strlen(context->arguments[0]);
        if (context->argument_count == 1 && strncmp(command->name, context->arguments[0], bytes) == 0 &&
            command->name[bytes] == ' ') {
            if (text.bytes)
                buffer_text(&text, "\n");
            command_help_one(command, &text);
        }
    }
    if (text.bytes)
        return context_print_text(context, &text);
    const char *nearest = command_nearest(context->arguments, context->argument_count);
    return context_fail(context, EXIT_NOT_FOUND, "there is no command '%.60s'%s%s%s", context->arguments[0],
                        nearest ? "; did you mean `onsale help " : "", nearest ? nearest : "", nearest ? "`?" : "");
}
