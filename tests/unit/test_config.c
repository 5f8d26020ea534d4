// SPDX-License-Identifier: Apache-2.0
// Configuration: the file, the environment above it, files for secrets, and that every mistake is named with its place.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config.h"
#include "common/config_value.h"

struct test_config {
    struct common_config common;
    char *listen;
    int64_t threads;
    bool compress;
    int64_t mode;
    struct config_rate joins;
    char *secret;
};

static const char *const modes[] = {"fast", "safe", NULL};
#define FIELD(member) .offset = offsetof(struct test_config, member)
static const struct config_key keys[] = {
    {"waiting-room", "listen", CONFIG_ADDRESS, FIELD(listen), .default_text = "127.0.0.1:8443", .help = "Where."},
    {"waiting-room", "threads", CONFIG_INT, FIELD(threads), .default_text = "2", .min = 1, .max = 64, .unit = "threads",
     .reloadable = true, .help = "How many."},
    {"waiting-room", "compress", CONFIG_BOOL, FIELD(compress), .default_text = "no", .help = "Whether."},
    {"waiting-room", "mode", CONFIG_CHOICE, FIELD(mode), .default_text = "safe", .choices = modes, .help = "Which."},
    {"waiting-room", "joins", CONFIG_RATE, FIELD(joins), .default_text = "600/min", .reloadable = true,
     .help = "Fast."},
    {"waiting-room", "secret", CONFIG_STRING, FIELD(secret), .default_text = "", .secret = true, .help = "Hush."},
};

static struct test_config config;
static const struct config_table table = {
    .keys = keys, .key_count = sizeof keys / sizeof keys[0], .config = &config, .program = "waiting-room"};
static char path[64], secret_path[64];
static struct buffer problems;

static void write_bytes(const char *to, const char *text, size_t bytes)
{
    FILE *file = fopen(to, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static int load_text(const char *text)
{
    write_bytes(path, text, strlen(text));
    return config_load(&table, path, &problems);
}

// Loads a file with mistakes: nothing reaches the structure, and each of the parts (NULL-terminated) is told.
static void assert_problems(const char *text, const char *const *parts)
{
    const struct test_config nothing = {0};
    assert_int_equal(load_text(text), ERROR_INVALID);
    assert_memory_equal(&config, &nothing, sizeof config);
    size_t lines = 0, count = 0;
    for (const char *at = problems.data; *at; at++)
        lines += *at == '\n' ? 1 : 0;
    for (; parts[count]; count++) {
        char expected[256];
        (void)snprintf(expected, sizeof expected, "%s:%s", path, parts[count]);
        if (!strstr(problems.data, expected))
            fail_msg("\"%s\" is not in:\n%s", expected, problems.data);
    }
    assert_int_equal(lines, count);
    buffer_clear(&problems);
}
#define ASSERT_PROBLEMS(text, ...) assert_problems((text), (const char *const[]){__VA_ARGS__, NULL})

static int setup(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/test_config_%ld.ini", (long)getpid());
    (void)snprintf(secret_path, sizeof secret_path, "/tmp/test_config_%ld.secret", (long)getpid());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    config_done(&table);
    buffer_done(&problems);
    memset(&config, 0, sizeof config);
    (void)unlink(path);
    (void)unlink(secret_path);
    const char *const variables[] = {
        "ONSALE_MYSQL_HOST",          "ONSALE_MYSQL_PASSWORD",       "ONSALE_MYSQL_PASSWORD_FILE",
        "ONSALE_WAITING_ROOM_LISTEN", "ONSALE_WAITING_ROOM_THREADS", "ONSALE_WAITING_ROOM_MYSQL_USER",
        "ONSALE_WAITING_ROOM_SECRET", "ONSALE_WAITING_ROOM_THREAD",  "ONSALE_CONFIG",
        "ONSALE_SOMETHING",           "ONSALE_NOTIFIER_SOMETHING",   "ONSALE_MYSQL_",
    };
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        (void)unsetenv(variables[i]);
    return 0;
}

static void test_defaults(void **state)
{
    (void)state;
    assert_int_equal(config_load(&table, NULL, &problems), 0);
    assert_string_equal(config.common.mysql_host, "127.0.0.1");
    assert_int_equal(config.common.mysql_port, 3306);
    assert_string_equal(config.common.mysql_socket, "");
    assert_string_equal(config.common.mysql_user, "onsale");
    assert_string_equal(config.common.amqp_url, "amqp://guest:guest@127.0.0.1:5672/");
    assert_string_equal(config.common.ops_listen[CONFIG_WAITING_ROOM], "127.0.0.1:9101");
    assert_string_equal(config.common.ops_listen[CONFIG_NOTIFIER], "127.0.0.1:9104");
    assert_null(config.common.ops_listen[CONFIG_ADMIN]);
    assert_int_equal(config.common.tokens_queue_lifetime_seconds, 604800);
    assert_int_equal(config.common.log_level, 2);
    assert_string_equal(config.listen, "127.0.0.1:8443");
    assert_int_equal(config.threads, 2);
    assert_false(config.compress);
    assert_int_equal(config.mode, 1);
    assert_int_equal(config.joins.count, 600);
    assert_int_equal(config.joins.per_seconds, 60);
    assert_int_equal(problems.bytes, 0);
}

// Comments, blanks, indentation, a byte order mark, Windows' line ends, a last line without an end: all as one expects.
static void test_file(void **state)
{
    (void)state;
    assert_int_equal(load_text("\xEF\xBB\xBF[mysql]\r\n# a comment\r\n\r\nhost = db.example ; where it is\r\n"
                               "  user = indented\n\tpassword=p#w d=1\n; another\n[waiting-room]\nlisten = [::1]:0\n"
                               "threads=64\ncompress: on\nmode = fast\njoins = 0"),
                     0);
    assert_string_equal(config.common.mysql_host, "db.example");
    assert_string_equal(config.common.mysql_user, "indented");
    assert_string_equal(config.common.mysql_password, "p#w d=1");
    assert_string_equal(config.listen, "[::1]:0");
    assert_int_equal(config.threads, 64);
    assert_true(config.compress);
    assert_int_equal(config.mode, 0);
    assert_int_equal(config.joins.count, 0);
}

static void test_own_mysql_user_wins(void **state)
{
    (void)state;
    assert_int_equal(load_text("[waiting-room]\nmysql_user = wr\n[mysql]\nuser = all\npassword = general\n"
                               "[admission]\nmysql_user = adm\n"),
                     0);
    assert_string_equal(config.common.mysql_user, "wr");
    assert_string_equal(config.common.mysql_password, "general");
    (void)setenv("ONSALE_WAITING_ROOM_MYSQL_USER", "from_environment", 1);
    config_done(&table);
    assert_int_equal(load_text("[waiting-room]\nmysql_user = wr\nmysql_password = own\n[mysql]\npassword = general\n"),
                     0);
    assert_string_equal(config.common.mysql_user, "from_environment");
    assert_string_equal(config.common.mysql_password, "own");
}

static void test_problems_of_keys(void **state)
{
    (void)state;
    ASSERT_PROBLEMS("[mysql]\nhots = x\nport = 0\n\n[waiting-room]\nlsten = 1\nthreads = 1e3\ncompress = maybe\n"
                    "mode = fats\njoins = 5/d\nlisten = 8443\nQWERTY = 1\n[tokens]\nqueue_lifetime_seconds = -1\n",
                    "2: [mysql] \"hots\": no such key; did you mean host?\n",
                    "3: [mysql] port: \"0\" is not allowed; a whole number, 1 to 65535\n",
                    "6: [waiting-room] \"lsten\": no such key; did you mean listen?\n",
                    "7: [waiting-room] threads: \"1e3\" is not allowed; a whole number of threads, 1 to 64\n",
                    "8: [waiting-room] compress: \"maybe\" is not allowed; true, yes, on, 1, false, no, off or 0\n",
                    "9: [waiting-room] mode: \"fats\" is not allowed; fast or safe\n",
                    "10: [waiting-room] joins: \"5/d\" is not allowed; COUNT/s, COUNT/min or COUNT/h",
                    "11: [waiting-room] listen: \"8443\" is not allowed; HOST:PORT",
                    "12: [waiting-room] \"QWERTY\": no such key\n",
                    "14: [tokens] queue_lifetime_seconds: \"-1\" is not allowed; a whole number of seconds, 3600 to");
    ASSERT_PROBLEMS("[mysql]\nhost = a\n[amqp]\ntls_ca = b\n[mysql]\nhost = c\n", "6: [mysql] host: given twice");
}

static void test_problems_of_lines(void **state)
{
    (void)state;
    char long_line[512];
    (void)snprintf(long_line, sizeof long_line, "[mysql]\nhost = %0300d\nport = x\n", 1);
    ASSERT_PROBLEMS(long_line, "2: the line is too long", "3: [mysql] port: \"x\"");
    ASSERT_PROBLEMS("early = 1\n[mysql]\nhost\n= x\n[mysql\n[waiting-rom]\nlisten = 1\n[empty]\n",
                    "1: \"early\": stands before the first [section]\n", "3: neither KEY = VALUE, nor [SECTION]",
                    "4: [mysql] \"\": no such key\n", "5: the section's name has no ]",
                    "6: no such section: \"waiting-rom\"; did you mean waiting-room?\n",
                    "8: no such section: \"empty\"\n");
    static const char with_nul[] = "[mysql]\nhost = a\0b\n";
    write_bytes(path, with_nul, sizeof with_nul - 1);
    assert_int_equal(config_load(&table, path, &problems), ERROR_INVALID);
    assert_non_null(strstr(problems.data, ":2: a NUL byte"));
}

// Other programs' sections are theirs, even where this program would see a mistake.
static void test_other_programs_are_not_judged(void **state)
{
    (void)state;
    // Who takes the money is everybody's.
    ASSERT_PROBLEMS("[payment]\nx = y\n", "2: [payment] \"x\": no such key\n");
    assert_int_equal(
        load_text("[admission]\nno_such_key = 1\nlisten = x\n[notifier]\na = 1\na = 2\n[booking-worker]\nx = y\n"), 0);
}

static void test_files_that_cannot_be_read(void **state)
{
    (void)state;
    assert_int_equal(config_load(&table, "/nonexistent/onsale.ini", &problems), ERROR_INVALID);
    assert_string_equal(problems.data, "/nonexistent/onsale.ini: cannot be read: No such file or directory\n");
    buffer_clear(&problems);
    assert_int_equal(config_load(&table, "/tmp", &problems), ERROR_INVALID);
    assert_string_equal(problems.data, "/tmp: cannot be read: Is a directory\n");
    buffer_clear(&problems);
    assert_int_equal(config_load(&table, "/dev/zero", &problems), ERROR_INVALID); // ends, though the file does not
    assert_non_null(strstr(problems.data, "more than 1 MiB"));
}

static void test_environment(void **state)
{
    (void)state;
    (void)setenv("ONSALE_MYSQL_HOST", "from-environment", 1);
    (void)setenv("ONSALE_WAITING_ROOM_LISTEN", "", 1);
    (void)setenv("ONSALE_WAITING_ROOM_THREADS", "7", 1);
    (void)setenv("ONSALE_SOMETHING", "else", 1);
    assert_int_equal(load_text("[mysql]\nhost = from-file\n[waiting-room]\nthreads = 3\nlisten = 127.0.0.1:1\n"), 0);
    assert_string_equal(config.common.mysql_host, "from-environment");
    assert_string_equal(config.listen, "");
    assert_int_equal(config.threads, 7);
    (void)setenv("ONSALE_WAITING_ROOM_THREADS", "65", 1);
    assert_int_equal(config_reload(&table, path, &problems), ERROR_INVALID);
    assert_string_equal(problems.data, "ONSALE_WAITING_ROOM_THREADS: [waiting-room] threads: \"65\" is not allowed; "
                                       "a whole number of threads, 1 to 64\n");
}

static void load_secret(const char *text, size_t bytes, int expected)
{
    write_bytes(secret_path, text, bytes);
    (void)setenv("ONSALE_MYSQL_PASSWORD_FILE", secret_path, 1);
    config_done(&table);
    buffer_clear(&problems);
    assert_int_equal(config_load(&table, NULL, &problems), expected);
}

static void test_secrets_from_files(void **state)
{
    (void)state;
    load_secret("hush\n", 5, 0);
    assert_string_equal(config.common.mysql_password, "hush");
    load_secret(" hu sh ", 7, 0);
    assert_string_equal(config.common.mysql_password, " hu sh ");
    load_secret("hush\r\n", 6, 0);
    assert_string_equal(config.common.mysql_password, "hush");
    load_secret("", 0, 0);
    assert_string_equal(config.common.mysql_password, "");
    load_secret("hush\n\n", 6, ERROR_INVALID); // one line's end, not two
    load_secret("hu\0sh", 5, ERROR_INVALID);
    char *big = malloc(65537);
    assert_non_null(big);
    memset(big, 'x', 65537);
    load_secret(big, 65536, 0);
    load_secret(big, 65537, ERROR_INVALID);
    free(big);
    (void)setenv("ONSALE_MYSQL_PASSWORD_FILE", "/nonexistent/secret", 1);
    buffer_clear(&problems);
    assert_int_equal(config_load(&table, NULL, &problems), ERROR_INVALID);
    assert_string_equal(problems.data,
                        "ONSALE_MYSQL_PASSWORD_FILE: [mysql] password: cannot read \"/nonexistent/secret\": "
                        "No such file or directory\n");
}

static void test_value_and_file_both(void **state)
{
    (void)state;
    (void)setenv("ONSALE_MYSQL_PASSWORD", "a", 1);
    (void)setenv("ONSALE_MYSQL_PASSWORD_FILE", "/dev/null", 1);
    assert_int_equal(config_load(&table, NULL, &problems), ERROR_INVALID);
    assert_string_equal(problems.data,
                        "ONSALE_MYSQL_PASSWORD_FILE: [mysql] password: ONSALE_MYSQL_PASSWORD is there too; "
                        "leave one of them\n");
}

static void test_unknown_variables(void **state)
{
    (void)state;
    (void)setenv("ONSALE_NOTIFIER_SOMETHING", "another program's", 1);
    (void)setenv("ONSALE_WAITING_ROOM_THREAD", "7", 1);
    assert_int_equal(config_load(&table, NULL, &problems), ERROR_INVALID);
    assert_string_equal(problems.data,
                        "ONSALE_WAITING_ROOM_THREAD: [waiting-room] \"thread\": no such key; did you mean threads?\n");
    (void)unsetenv("ONSALE_WAITING_ROOM_THREAD");
    buffer_done(&problems);
    (void)setenv("ONSALE_MYSQL_", "7", 1);
    assert_int_equal(config_load(&table, NULL, &problems), ERROR_INVALID);
    assert_string_equal(problems.data, "ONSALE_MYSQL_: [mysql] \"\": no such key\n");
}

static void test_secrets_are_not_shown(void **state)
{
    (void)state;
    (void)setenv("ONSALE_WAITING_ROOM_SECRET", "swordfish\n", 1);
    assert_int_equal(config_load(&table, NULL, &problems), ERROR_INVALID);
    assert_string_equal(problems.data, "ONSALE_WAITING_ROOM_SECRET: [waiting-room] secret: not allowed; "
                                       "text without control characters\n");
    struct buffer text = BUFFER_INIT;
    config_describe(&table, &text);
    assert_non_null(strstr(text.data, "  secret\n      text; secret\n      Hush.\n"));
    assert_null(strstr(text.data, "guest@"));
    buffer_done(&text);
}

static void test_reloading(void **state)
{
    (void)state;
    assert_int_equal(load_text("[waiting-room]\nthreads = 3\nmode = fast\n[log]\nlevel = warn\n"), 0);
    assert_int_equal(config.common.log_level, 1);
    static const char changed[] = "[waiting-room]\nthreads = 4\nmode = safe\njoins = 9/h\n[log]\nlevel = debug\n"
                                  "[mysql]\nhost = other\n";
    write_bytes(path, changed, sizeof changed - 1);
    const char *host = config.common.mysql_host;
    assert_int_equal(config_reload(&table, path, &problems), 0);
    assert_int_equal(config.threads, 4);
    assert_int_equal(config.joins.count, 9);
    assert_int_equal(config.common.log_level, 3);
    assert_int_equal(config.mode, 0); // not reloadable
    assert_ptr_equal(config.common.mysql_host, host);
    static const char broken[] = "[waiting-room]\nthreads = 5\n[log]\nlevel = loud\n";
    write_bytes(path, broken, sizeof broken - 1);
    assert_int_equal(config_reload(&table, path, &problems), ERROR_INVALID);
    assert_int_equal(config.threads, 4);
    static const char back[] = "[mysql]\n";
    write_bytes(path, back, sizeof back - 1);
    assert_int_equal(config_reload(&table, path, &problems), 0);
    assert_int_equal(config.threads, 2); // a key that was taken out has its default again
}

static void test_finding(void **state)
{
    (void)state;
    (void)setenv("ONSALE_CONFIG", "/named/by/environment", 1);
    assert_string_equal(config_find("/given"), "/given");
    assert_string_equal(config_find(NULL), "/named/by/environment");
    (void)unsetenv("ONSALE_CONFIG");
    if (access("/etc/onsale/onsale.ini", F_OK) == 0)
        return; // on a machine where Onsale is installed, there is always one
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    char folder[] = "/tmp/test_config_XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_null(config_find(NULL));
    assert_int_equal(chdir(here), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void test_describing(void **state)
{
    (void)state;
    struct buffer text = BUFFER_INIT;
    config_describe(&table, &text);
    assert_non_null(strstr(text.data, "[waiting-room]\n  listen = 127.0.0.1:8443\n"));
    assert_non_null(strstr(text.data, "  threads = 2\n      a whole number of threads, 1 to 64; taken over on SIGHUP\n"
                                      "      How many.\n"));
    assert_non_null(strstr(text.data, "mysql_user, mysql_password\n"));
    assert_non_null(
        strstr(text.data, "[log]\n  level = info\n      error, warn, info or debug; taken over on SIGHUP\n"));
    buffer_done(&text);
}

static void assert_value(const struct config_key *key, const char *text, int expected)
{
    union config_value value;
    if (config_value_parse(key, text, &value) != expected)
        fail_msg("\"%s\" for %s is not %s", text, key->name, error_str(expected));
}

static void test_values(void **state)
{
    (void)state;
    const struct config_key any = {.name = "any", .type = CONFIG_INT, .min = INT64_MIN, .max = INT64_MAX};
    const struct config_key address = {.name = "address", .type = CONFIG_ADDRESS};
    const struct config_key rate = {.name = "rate", .type = CONFIG_RATE};
    const char *const good_numbers[] = {"0", "-1", "007", "9223372036854775807"};
    const char *const bad_numbers[] = {"", "-", "+1", " 1", "1 ", "1.0", "0x1", "1k", "9223372036854775808", "--1"};
    const char *const good_addresses[] = {"",       "localhost:1",   "127.0.0.1:65535",
                                          "[::]:0", "[fe80::1]:443", "a_b.c-d:80"};
    const char *const bad_addresses[] = {":80",    "localhost", "localhost:", "localhost:65536", "localhost:-1",
                                         "::1:80", "[::1]",     "[::1]80",    "[::1:80",         "[1.2.3.4]:80",
                                         "a b:80", "a:80 ",     "a:+80",      "a:080808",        "http://a:80",
                                         "a/b:80", "[]:80",     "-a:80"};
    const char *const good_rates[] = {"0", "0/s", "600/min", "1/h", "1000000000/s"};
    const char *const bad_rates[] = {
        "", "5", "1/m", "-1/s", "1 /s", "1000000001/s", "1/s ", "/s", "1e3/s", "18446744073709551617/s"};
    for (size_t i = 0; i < sizeof good_numbers / sizeof *good_numbers; i++)
        assert_value(&any, good_numbers[i], 0);
    for (size_t i = 0; i < sizeof bad_numbers / sizeof *bad_numbers; i++)
        assert_value(&any, bad_numbers[i], ERROR_INVALID);
    for (size_t i = 0; i < sizeof good_addresses / sizeof *good_addresses; i++)
        assert_value(&address, good_addresses[i], 0);
    for (size_t i = 0; i < sizeof bad_addresses / sizeof *bad_addresses; i++)
        assert_value(&address, bad_addresses[i], ERROR_INVALID);
    for (size_t i = 0; i < sizeof good_rates / sizeof *good_rates; i++)
        assert_value(&rate, good_rates[i], 0);
    for (size_t i = 0; i < sizeof bad_rates / sizeof *bad_rates; i++)
        assert_value(&rate, bad_rates[i], ERROR_INVALID);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_file),
        TEST(test_own_mysql_user_wins),
        TEST(test_problems_of_keys),
        TEST(test_problems_of_lines),
        TEST(test_other_programs_are_not_judged),
        TEST(test_files_that_cannot_be_read),
        TEST(test_environment),
        TEST(test_unknown_variables),
        TEST(test_secrets_from_files),
        TEST(test_value_and_file_both),
        TEST(test_secrets_are_not_shown),
        TEST(test_reloading),
        TEST(test_finding),
        TEST(test_describing),
        TEST(test_values),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
