// SPDX-License-Identifier: Apache-2.0
// What all servers do before they start: arguments, configuration, log, signals.
#include "common/program.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "common/buffer.h"
#include "common/error.h"
#include "common/log.h"

#define STATUS_USAGE 2

static void print_help(const struct config_table *table, const char *summary)
{
    struct buffer text = BUFFER_INIT;
    buffer_format(&text, "Usage: %s [--config FILE] [--check-config]\n\n%s\n\n", table->program, summary);
    buffer_text(
        &text,
        "  --config FILE    the configuration; else $ONSALE_CONFIG, ./var/onsale.ini, /etc/onsale/onsale.ini\n"
        "  --check-config   says what is wrong with the configuration and ends\n"
        "  --help           shows this\n"
        "  --version        shows the version\n\n"
        "SIGHUP reads the configuration again, SIGTERM and SIGINT end the program.\n"
        "[section] key is also ONSALE_SECTION_KEY in the environment, or ONSALE_SECTION_KEY_FILE, which names a\n"
        "file with the value. The keys with their defaults:\n\n");
    config_describe(table, &text);
    if (!text.failed)
        (void)fputs(text.data, stdout);
    buffer_done(&text);
}

// The signals that the programs wait for.
static void handled_signals(sigset_t *ret)
{
    (void)sigemptyset(ret);
    (void)sigaddset(ret, SIGTERM);
    (void)sigaddset(ret, SIGINT);
    (void)sigaddset(ret, SIGHUP);
}

static void set_signals(void)
{
    // They are taken by one thread that waits for them; everywhere else they must not interrupt.
    sigset_t signals;
    handled_signals(&signals);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN); // a peer that has gone is an error of write(2), not the end
}

// Loads the configuration and says what is wrong with it. 0 or an exit status.
static int load(const struct config_table *table, const char *path)
{
    struct buffer problems = BUFFER_INIT;
    int error = config_load(table, path, &problems);
    int status = error == 0 ? 0 : error == ERROR_INVALID ? STATUS_USAGE : 1;
    if (status != 0)
        (void)fprintf(stderr, "%s: the configuration cannot be used%s%s\n%s", table->program,
                      error == ERROR_INVALID ? "" : ": ", error == ERROR_INVALID ? "" : error_str(error),
                      problems.data ? problems.data : "");
    buffer_done(&problems);
    return status;
}

int program_start(const struct config_table *table, const char *summary, int argc, char **argv, const char **ret_path)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {"config", required_argument, NULL, 'c'},
        {"check-config", no_argument, NULL, 'k'},
        {0},
    };
    const char *given = NULL;
    bool check_only = false;
    int option = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'h':
            print_help(table, summary);
            return 0;
        case 'v':
            (void)printf("%s (Onsale) %s\n", table->program, ONSALE_VERSION);
            return 0;
        case 'c':
            given = optarg;
            break;
        case 'k':
            check_only = true;
            break;
        default: // getopt_long() has said what is wrong
            (void)fprintf(stderr, "Try '%s --help'.\n", table->program);
            return STATUS_USAGE;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "%s: '%s' is not expected\nTry '%s --help'.\n", table->program, argv[optind],
                      table->program);
        return STATUS_USAGE;
    }
    const char *path = config_find(given);
    int status = load(table, path);
    if (status != 0)
        return status;
    if (check_only) {
        (void)printf("configuration ok: %s\n", path ? path : "no file, defaults and environment");
        config_done(table);
        return 0;
    }
    const struct common_config *config = table->config;
    log_init(table->program, (enum log_level)config->log_level, (enum log_format)config->log_format);
    set_signals();
    *ret_path = path;
    return -1;
}

static void reload(const struct config_table *table, const char *path)
{
    const struct common_config *config = table->config;
    struct buffer problems CLEANUP(buffer_done) = BUFFER_INIT;
    int result = config_reload(table, path, &problems);
    if (result) {
        log_error("reload_failed", LOG_S("error", error_str(result)), LOG_S("problems", problems.data));
    } else {
        log_set_level((enum log_level)config->log_level);
        log_info("reloaded", LOG_S("path", path));
    }
}

int program_wait_signal(void)
{
    sigset_t signals;
    handled_signals(&signals);
    int signal_number = 0;
    while (sigwait(&signals, &signal_number) != 0)
        ; // it only fails when interrupted
    return signal_number;
}

void program_serve(const struct config_table *table, const char *path)
{
    log_info("started", LOG_S("version", ONSALE_VERSION));
    while (program_wait_signal() == SIGHUP)
        reload(table, path);
    log_info("stopping", LOG_S("reason", "signal"));
}
