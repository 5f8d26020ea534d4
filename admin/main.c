// SPDX-License-Identifier: Apache-2.0
// onsale: the operators' command line. This file reads the global options, which may stand anywhere, loads the
// configuration and runs one command of the table in command.c.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/context.h"
#include "admin/settings.h"
#include "common/log.h"
#include "common/program.h"

#define WORDS_MAX 1024

struct words {
    char *items[WORDS_MAX];
    size_t count;
    const char *config_path;
    bool json, help, version, check_config;
    const char *problem;
};

// Takes the global options out, wherever they stand before a `--`, and keeps the rest in order.
static void sort_words(int argc, char **argv, struct words *words)
{
    bool literal = false;
    for (int i = 1; i < argc && !words->problem; i++) {
        char *word = argv[i];
        if (literal || word[0] != '-') {
            if (words->count == WORDS_MAX)
                words->problem = "there are too many arguments";
            else
                words->items[words->count++] = word;
        } else if (strcmp(word, "--json") == 0) {
            words->json = true;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            words->help = true;
        } else if (strcmp(word, "--version") == 0) {
            words->version = true;
        } else if (strcmp(word, "--check-config") == 0) {
            words->check_config = true;
        } else if (strncmp(word, "--config=", 9) == 0) {
            words->config_path = word + 9;
        } else if (strcmp(word, "--config") == 0) {
            if (++i == argc)
                words->problem = "--config needs a file";
            else
                words->config_path = argv[i];
        } else {
            literal = strcmp(word, "--") == 0;
            if (words->count == WORDS_MAX)
                words->problem = "there are too many arguments";
            else
                words->items[words->count++] = word; // the command's own; it also wants to see the `--`
        }
    }
}

static int show_help(const struct context *context, const struct command *command)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    if (command)
        command_help_one(command, &text);
    else
        command_help_all(&text);
    return context_print_text(context, &text);
}

static int no_such_command(const struct context *context, struct words *words)
{
    const char *nearest = command_nearest(words->items, words->count);
    if (nearest)
        return context_fail(context, EXIT_USAGE, "there is no command '%.60s'; did you mean `onsale %s`?",
                            words->items[0], nearest);
    return context_fail(context, EXIT_USAGE, "there is no command '%.60s'; `onsale help` lists them", words->items[0]);
}

static int load_configuration(struct context *context, const char *given)
{
    struct buffer problems CLEANUP(buffer_done) = BUFFER_INIT;
    if (config_load(&settings_table, config_find(given), &problems) == 0)
        return EXIT_DONE;
    while (problems.bytes && problems.data[problems.bytes - 1] == '\n')
        problems.data[--problems.bytes] = '\0';
    return context_fail(context, EXIT_USAGE, "%s", problems.data ? problems.data : "the configuration cannot be read");
}

static int run(struct words *words)
{
    struct context context = {.config = &settings, .json = words->json};
    if (words->problem)
        return context_fail(&context, EXIT_USAGE, "%s", words->problem);
    if (words->version) {
        if (words->json)
            return context_print_json(&context, json_pack("{s:s}", "version", ONSALE_VERSION));
        return printf("onsale %s\n", ONSALE_VERSION) < 0 ? EXIT_FAILED : EXIT_DONE;
    }
    if (words->count == 0 && words->check_config) {
        int status = load_configuration(&context, words->config_path);
        if (status == EXIT_DONE && !words->json) {
            const char *path = config_find(words->config_path);
            (void)printf("configuration ok: %s\n", path ? path : "no file, defaults and environment");
        }
        return status;
    }
    if (words->count == 0)
        return words->help ? show_help(&context, NULL)
                           : context_fail(&context, EXIT_USAGE, "a command is missing; `onsale help` lists them");

    size_t name_words;
    const struct command *command = command_find(words->items, words->count, &name_words);
    if (!command)
        return no_such_command(&context, words);
    context.command = command;
    if (words->help)
        return show_help(&context, command);
    int status = command_parse(&context, words->items + name_words, words->count - name_words);
    if (status == EXIT_DONE && strcmp(command->name, "help") != 0)
        status = load_configuration(&context, words->config_path);
    if (status == EXIT_DONE && !words->check_config)
        status = command->run(&context);
    db_close(context.db);
    free(context.arguments);
    return status;
}

int main(int argc, char **argv)
{
    // A reader that went away (`onsale log | head`) is an error on writing, not a reason to die.
    signal(SIGPIPE, SIG_IGN);
    log_init("onsale", LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    struct words words = {0};
    sort_words(argc, argv, &words);
    int status = run(&words);
    config_done(&settings_table);
    return status;
}
