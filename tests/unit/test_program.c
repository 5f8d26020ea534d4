// SPDX-License-Identifier: Apache-2.0
// What main() functions share: arguments, exit statuses, and signals that wait until they are asked for.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/program.h"

static struct common_config config;
static const struct config_table table = {.config = &config, .program = "waiting-room"};
static char said[65536]; // on standard output and standard error

// Runs program_start() with up to three arguments, NULL where there are fewer. Returns its result.
static int start(const char *first, const char *second, const char *third, const char **ret_path)
{
    char arguments[4][128] = {"waiting-room"};
    const char *const given[] = {first, second, third};
    char *argv[5] = {arguments[0]};
    int argc = 1;
    for (size_t i = 0; i < 3 && given[i]; i++, argc++) {
        (void)snprintf(arguments[argc], sizeof arguments[argc], "%s", given[i]);
        argv[argc] = arguments[argc];
    }
    FILE *file = tmpfile();
    assert_non_null(file);
    int out = dup(STDOUT_FILENO), error = dup(STDERR_FILENO);
    (void)fflush(stdout);
    assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    optind = 0; // getopt_long() begins anew
    int result = program_start(&table, "Gives places.", argc, argv, ret_path);
    (void)fflush(stdout);
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(error, STDERR_FILENO);
    (void)close(out);
    (void)close(error);
    rewind(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    (void)fclose(file);
    return result;
}

static void assert_said(const char *part)
{
    if (!strstr(said, part))
        fail_msg("\"%s\" is not in:\n%s", part, said);
}

static void test_help_and_version(void **state)
{
    (void)state;
    const char *path = NULL;
    assert_int_equal(start("--help", NULL, NULL, &path), 0);
    assert_said("Usage: waiting-room [--config FILE]");
    assert_said("Gives places.");
    assert_said("[mysql]\n  host = 127.0.0.1\n");
    assert_int_equal(start("--version", NULL, NULL, &path), 0);
    assert_string_equal(said, "waiting-room (Onsale) " ONSALE_VERSION "\n");
}

static void test_wrong_usage(void **state)
{
    (void)state;
    const char *path = NULL;
    assert_int_equal(start("--no-such-option", NULL, NULL, &path), 2);
    assert_int_equal(start("--config", NULL, NULL, &path), 2);
    assert_int_equal(start("--check-config", "stray", NULL, &path), 2);
    assert_said("'stray' is not expected");
}

static void test_checking(void **state)
{
    (void)state;
    const char *path = NULL;
    char file[] = "/tmp/test_program_XXXXXX", expected[128];
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "[mysql]\nport = 0\nhots = 1\n", 26), 26);
    assert_int_equal(start("--check-config", "--config", file, &path), 2);
    (void)snprintf(expected, sizeof expected, "%s:2: [mysql] port", file);
    assert_said(expected);
    (void)snprintf(expected, sizeof expected, "%s:3: [mysql] \"hots\"", file);
    assert_said(expected);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(start("--check-config", "--config", file, &path), 0);
    (void)snprintf(expected, sizeof expected, "configuration ok: %s\n", file);
    assert_string_equal(said, expected);
    (void)close(fd);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(start("--config", file, NULL, &path), 2); // gone
    assert_said("cannot be read");
    assert_null(path);
}

static void test_running(void **state)
{
    (void)state;
    const char *path = NULL;
    assert_int_equal(start("--config", "/dev/null", NULL, &path), -1);
    assert_string_equal(said, "");
    assert_int_equal(config.mysql_port, 3306);
    // Sent before anybody waits, a signal is kept.
    const int signals[] = {SIGHUP, SIGTERM, SIGINT};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        assert_int_equal(kill(getpid(), signals[i]), 0);
        assert_int_equal(program_wait_signal(), signals[i]);
    }
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    (void)close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1); // and not the end of the process
    (void)close(ends[1]);
    config_done(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help_and_version),
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_checking),
        cmocka_unit_test(test_running),
    };
    return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
