// SPDX-License-Identifier: Apache-2.0
// The table of commands, and what is read from it: parsing, help, suggestions.
#include "admin/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/commands.h"
#include "admin/settings.h"

#define LIST_OPTIONS                                                           \
    {                                                                          \
        {"limit", "N", "at most so many (100)"},                               \
        {                                                                      \
            "after", "NEXT", "go on after this one: `next` of the list before" \
        }                                                                      \
    }

const struct command command_table[] = {
    {
        .name = "migrate",
        .arguments = "",
        .summary = "brings the database to this program's version",
        .help = "Makes the database if it is missing, applies the migrations that it lacks, one after the other, and "
                "says from\n"
                "which version to which. A database that is newer than this program is left alone.\n"
                "With --users the MySQL users named in the configuration ([waiting-room] mysql_user, …) are made, "
                "their passwords\n"
                "set, and each gets just the rights that its program needs.",
        .examples = "  onsale migrate\n  onsale migrate --users",
        .options = {{"users", NULL, "also make the programs' MySQL users and set their rights"}},
        .run = command_migrate,
    },
    {
        .name = "event apply",
        .arguments = "FILE",
        .summary = "makes an event from a file, or changes it to what the file says",
        .help = "Prints what changes, field by field. `pace` and `opens_at` act only when they changed in the file. "
                "What would break\n"
                "held or sold places is refused. FILE may be - for standard input.",
        .examples = "  onsale event apply spring-gala.json --dry-run\n  onsale event apply spring-gala.json",
        .arguments_min = 1,
        .arguments_max = 1,
        .options = {{"dry-run", NULL, "only say what would change"}},
        .run = command_event_apply,
    },
    {
        .name = "event list",
        .arguments = "",
        .summary = "lists all events",
        .examples = "  onsale event list\n  onsale event list --json --limit 10",
        .options = LIST_OPTIONS,
        .run = command_event_list,
    },
    {
        .name = "event show",
        .arguments = "SLUG",
        .summary = "shows an event: times, limits, tiers, prices",
        .examples = "  onsale event show spring-gala\n  onsale event show spring-gala --json",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_event_show,
    },
    {
        .name = "lobby",
        .arguments = "SLUG",
        .summary = "opens the lobby: people may gather before the opening",
        .examples = "  onsale lobby spring-gala",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_lifecycle,
    },
    {
        .name = "open",
        .arguments = "SLUG",
        .summary = "opens the event: the line moves at the pace",
        .help = "Also opens again what was closed or sold out. The lobby's visitors come first.",
        .examples = "  onsale open spring-gala",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_lifecycle,
    },
    {
        .name = "close",
        .arguments = "SLUG",
        .summary = "closes the event: nobody joins, nobody more is let in",
        .examples = "  onsale close spring-gala",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_lifecycle,
    },
    {
        .name = "pause",
        .arguments = "SLUG",
        .summary = "nobody more is let in until `resume`; joining goes on",
        .examples = "  onsale pause spring-gala",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_lifecycle,
    },
    {
        .name = "resume",
        .arguments = "SLUG",
        .summary = "ends a pause",
        .examples = "  onsale resume spring-gala",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_lifecycle,
    },
    {
        .name = "stop",
        .arguments = "SLUG",
        .summary = "an emergency: no joins, nobody let in, the clocks of turns stand still",
        .examples = "  onsale stop spring-gala --reason \"wrong prices, mending them\"",
        .arguments_min = 1,
        .arguments_max = 1,
        .options = {{"reason", "TEXT", "why; it goes into the event's log (needed)"}},
        .run = command_lifecycle,
    },
    {
        .name = "start",
        .arguments = "SLUG",
        .summary = "ends a stop: the event goes on as it was, and so do the clocks",
        .examples = "  onsale start spring-gala",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_lifecycle,
    },
    {
        .name = "say",
        .arguments = "SLUG TEXT",
        .summary = "puts a notice on every page of the event; an empty text takes it away",
        .examples = "  onsale say spring-gala \"Doors open at 18:30.\"\n  onsale say spring-gala \"\"",
        .arguments_min = 2,
        .arguments_max = 2,
        .run = command_say,
    },
    {
        .name = "rate",
        .arguments = "SLUG [PACE]",
        .summary = "shows or dials the pace at which visitors are let in",
        .help = "PACE is COUNT/s, COUNT/min or COUNT/h (at most 100000 a second), auto, auto:COUNT/min, or 0, which "
                "lets nobody in.\n"
                "The pace is kept in MySQL, so it stands even while admission is away; the answer says whether "
                "admission has\n"
                "acted on it and after how many milliseconds.",
        .examples =
            "  onsale rate spring-gala\n  onsale rate spring-gala 10/s\n  onsale rate spring-gala auto:600/min --json",
        .arguments_min = 1,
        .arguments_max = 2,
        .run = command_rate,
    },
    {
        .name = "status",
        .arguments = "[SLUG]",
        .summary = "shows one event now, or a table of all",
        .examples = "  onsale status\n  onsale status spring-gala\n  onsale status spring-gala --json",
        .arguments_max = 1,
        .options = LIST_OPTIONS,
        .run = command_status,
    },
    {
        .name = "watch",
        .arguments = "SLUG",
        .summary = "draws an event's status anew every second, until Ctrl-C",
        .help = "With --json a line each second.",
        .examples = "  onsale watch spring-gala\n  onsale watch spring-gala --json --count 60",
        .arguments_min = 1,
        .arguments_max = 1,
        .options = {{"count", "N", "end after so many"}},
        .run = command_watch,
    },
    {
        .name = "log",
        .arguments = "SLUG",
        .summary = "shows who did what and when, each count of the pace, and how many were let in per minute",
        .help = "With --json a line for each entry.",
        .examples = "  onsale log spring-gala\n  onsale log spring-gala --json",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_log,
    },
    {
        .name = "audit",
        .arguments = "SLUG",
        .summary = "checks what must always hold, against the database",
        .help = "A line for each check, and samples of what breaks it. Exit status 1 when something does. It may run "
                "during the sale:\n"
                "it reads one consistent snapshot, and counts what is still on its way. After the sale --settled "
                "breaks on that too.",
        .examples = "  onsale audit spring-gala\n  onsale audit spring-gala --settled --json",
        .arguments_min = 1,
        .arguments_max = 1,
        .options = {{"settled", NULL, "every order must have come to its end"}},
        .run = command_audit,
    },
    {
        .name = "booking show",
        .arguments = "SLUG PLACE|REFERENCE",
        .summary = "every step of one visitor, with times",
        .help = "A reference may be typed as it was heard: small letters, no dash, O for 0, I or L for 1.",
        .examples = "  onsale booking show spring-gala 4211\n  onsale booking show spring-gala K7QM-4WDP --json",
        .arguments_min = 2,
        .arguments_max = 2,
        .run = command_booking_show,
    },
    {
        .name = "booking find",
        .arguments = "SLUG EMAIL",
        .summary = "all orders that were given with an e-mail address",
        .help = "Capitals and blanks around the address do not matter.",
        .examples = "  onsale booking find spring-gala ada@example.org",
        .arguments_min = 2,
        .arguments_max = 2,
        .run = command_booking_find,
    },
    {
        .name = "booking list",
        .arguments = "SLUG",
        .summary = "the door list: everybody who has places or stands by",
        .help = "With --csv all of them, as comma-separated values (RFC 4180); what a spreadsheet would run as a "
                "formula has an\n"
                "apostrophe in front.",
        .examples = "  onsale booking list spring-gala\n  onsale booking list spring-gala --csv > door.csv\n"
                    "  onsale booking list spring-gala --json --limit 1000 --after 4211",
        .arguments_min = 1,
        .arguments_max = 1,
        .options = {{"csv", NULL, "as CSV, all of them"},
                    {"limit", "N", "at most so many (100; with --csv all)"},
                    {"after", "PLACE", "go on after this place: `next` of the list before"}},
        .run = command_booking_list,
    },
    {
        .name = "booking cancel",
        .arguments = "SLUG PLACE",
        .summary = "takes a booking back: its places go to standby or back on sale, its visitor is told",
        .help = "The newest booking of that place, if it is confirmed, held, declined or in standby. A booking worker "
                "frees its places a\n"
                "moment later; an event that is sold out then sells again.",
        .examples = "  onsale booking cancel spring-gala 4211",
        .arguments_min = 2,
        .arguments_max = 2,
        .run = command_booking_cancel,
    },
    {
        .name = "booking confirm",
        .arguments = "SLUG PLACE|REFERENCE...|-",
        .summary = "paid elsewhere: what is held is confirmed, and its visitor is told",
        .help = "With - they are read from standard input, one a line; empty lines and what follows a # do not count. "
                "Each is told, and\n"
                "the exit status is 0 when all are confirmed now. What is confirmed already is fine, so a list may be "
                "given again. A hold\n"
                "that has run out, and anything while the event is stopped, is not confirmed. Use the references that "
                "visitors name: a place\n"
                "is whatever its visitor ordered last.",
        .examples = "  onsale booking confirm spring-gala K7QM-4WDP\n"
                    "  onsale booking confirm spring-gala - < paid.txt",
        .arguments_min = 2,
        .arguments_max = 1024,
        .run = command_booking_confirm,
    },
    {
        .name = "dead list",
        .arguments = "",
        .summary = "lists the open dead letters: messages that could not be processed",
        .examples = "  onsale dead list\n  onsale dead list --json --limit 10",
        .options = LIST_OPTIONS,
        .run = command_dead_list,
    },
    {
        .name = "dead show",
        .arguments = "ID",
        .summary = "shows one dead letter: why it died, whose it was, what it said",
        .examples = "  onsale dead show 12",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = command_dead_show,
    },
    {
        .name = "dead retry",
        .arguments = "[ID...]",
        .summary = "sends the failed orders of dead letters to be booked again",
        .help = "Refused when the letter belongs to no order, when the booking has not failed, or when the visitor has "
                "ordered again\n"
                "since. With --all such letters are skipped and counted.",
        .examples = "  onsale dead retry 12 13\n  onsale dead retry --all",
        .arguments_max = 1024,
        .options = {{"all", NULL, "all that are open"}},
        .run = command_dead_retry,
    },
    {
        .name = "dead discard",
        .arguments = "ID...",
        .summary = "says that nothing is to be done about dead letters; they are kept, and no longer listed",
        .examples = "  onsale dead discard 12",
        .arguments_min = 1,
        .arguments_max = 1024,
        .run = command_dead_discard,
    },
    {
        .name = "keys list",
        .arguments = "",
        .summary = "lists the keys of the queue tokens, without their secrets",
        .examples = "  onsale keys list",
        .options = LIST_OPTIONS,
        .run = command_keys_list,
    },
    {
        .name = "keys rotate",
        .arguments = "",
        .summary = "adds a key for queue tokens; it signs ten minutes later, the first one at once",
        .help = "Older keys verify until the tokens that they signed have expired, then their files are removed. Run "
                "it where the\n"
                "key directory is, and copy the directory to every machine with a waiting room.",
        .examples = "  onsale keys rotate",
        .run = command_keys_rotate,
    },
    {
        .name = "help",
        .arguments = "[COMMAND]",
        .summary = "explains a command, with examples; `help config` lists the configuration's keys",
        .examples = "  onsale help\n  onsale help event apply",
        .arguments_max = 2,
        .run = command_help,
    },
    {.name = NULL},
};

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
        buffer_format(text, "%s  %-16s %s\n", option == command->options ? "\n" : "", name, option->help);
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
