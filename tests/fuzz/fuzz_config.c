// SPDX-License-Identifier: Apache-2.0
// The INI file: what is taken over is within bounds and is the same when it is written out and read again; what is refused
// is said, changes nothing, and never shows a secret.
#define _GNU_SOURCE // memfd_create(), memmem(), environ
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/address.h"
#include "common/config.h"
#include "tests/fuzz/fuzz.h"

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
    {"waiting-room", "threads", CONFIG_INT, FIELD(threads), .default_text = "2", .min = -3, .max = 64,
     .help = "How many."},
    {"waiting-room", "compress", CONFIG_BOOL, FIELD(compress), .default_text = "no", .help = "Whether."},
    {"waiting-room", "mode", CONFIG_CHOICE, FIELD(mode), .default_text = "safe", .choices = modes, .help = "Which."},
    {"waiting-room", "joins", CONFIG_RATE, FIELD(joins), .default_text = "600/min", .help = "Fast."},
    {"waiting-room", "secret", CONFIG_STRING, FIELD(secret), .default_text = "", .secret = true, .help = "Hush."},
};
#define KEY_COUNT (sizeof keys / sizeof keys[0])
#define SECRET "open-sesame"

// The environment wins over the file.
static void forget_environment(void)
{
    for (char **at = environ; *at;) {
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(*at, "="), *at);
        if (strncmp(name, "ONSALE_", 7) == 0 && unsetenv(name) == 0)
            at = environ;
        else
            at++;
    }
}

// Loads a text as a file. On success the configuration is the caller's.
static int load(const void *text, size_t bytes, struct test_config *config, struct buffer *problems)
{
    static int file = -1;
    static char path[64];
    if (file < 0) {
        file = memfd_create("onsale.ini", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
        forget_environment();
    }
    FUZZ_CHECK(ftruncate(file, 0) == 0);
    FUZZ_CHECK(pwrite(file, text, bytes, 0) == (ssize_t)bytes);
    struct config_table table = {.keys = keys, .key_count = KEY_COUNT, .config = config, .program = "waiting-room"};
    *config = (struct test_config){.threads = 7};
    int error = config_load(&table, path, problems);
    FUZZ_CHECK(error == 0 || error == ERROR_INVALID);
    if (error) {
        // Whole lines, each with its place, and nothing taken over.
        FUZZ_CHECK(problems->bytes > 0 && problems->data[problems->bytes - 1] == '\n');
        for (const char *line = problems->data; *line; line = strchr(line, '\n') + 1)
            FUZZ_CHECK(strncmp(line, path, strlen(path)) == 0 && line[strlen(path)] == ':');
        FUZZ_CHECK(config->threads == 7 && !config->listen && !config->common.mysql_user);
    } else {
        FUZZ_CHECK(problems->bytes == 0);
    }
    return error;
}

static void done(struct test_config *config)
{
    struct config_table table = {.keys = keys, .key_count = KEY_COUNT, .config = config, .program = "waiting-room"};
    config_done(&table);
}

static void check_values(const struct test_config *config)
{
    struct address address;
    FUZZ_CHECK(config->threads >= -3 && config->threads <= 64);
    FUZZ_CHECK(config->mode == 0 || config->mode == 1);
    FUZZ_CHECK(config->joins.count >= 0 && config->joins.per_seconds >= 1 && config->joins.per_seconds <= 3600);
    FUZZ_CHECK(config->common.mysql_port >= 1 && config->common.mysql_port <= 65535);
    FUZZ_CHECK(*config->listen == '\0' || address_split(config->listen, &address) == 0);
}

static void check_written_again(const struct test_config *config)
{
    struct buffer text = BUFFER_INIT, problems = BUFFER_INIT;
    struct test_config again;
    buffer_format(&text, "[mysql]\nuser=%s\n[waiting-room]\nlisten=%s\nthreads=%lld\ncompress=%s\nmode=%s\n",
                  config->common.mysql_user, config->listen, (long long)config->threads,
                  config->compress ? "true" : "false", modes[config->mode]);
    buffer_format(&text, "joins=%lld/%s\nsecret=%s\n", (long long)config->joins.count,
                  config->joins.per_seconds == 1    ? "s"
                  : config->joins.per_seconds == 60 ? "min"
                                                    : "h",
                  config->secret);
    FUZZ_CHECK(load(text.data, text.bytes, &again, &problems) == 0);
    FUZZ_CHECK(strcmp(again.common.mysql_user, config->common.mysql_user) == 0);
    FUZZ_CHECK(strcmp(again.listen, config->listen) == 0 && strcmp(again.secret, config->secret) == 0);
    FUZZ_CHECK(again.threads == config->threads && again.compress == config->compress && again.mode == config->mode);
    FUZZ_CHECK(again.joins.count == config->joins.count && again.joins.per_seconds == config->joins.per_seconds);
    done(&again);
    buffer_done(&text);
    buffer_done(&problems);
}

// A secret that is not allowed, behind whatever was there before.
static void check_secrecy(const uint8_t *data, size_t bytes)
{
    struct test_config config;
    struct buffer text = BUFFER_INIT, problems = BUFFER_INIT;
    if (memmem(data, bytes, SECRET, strlen(SECRET)))
        return;
    if (bytes)
        buffer_append(&text, data, bytes);
    buffer_format(&text, "\n[waiting-room]\n%s = " SECRET "\x01\n", bytes % 2 ? "secret" : "mysql_password");
    FUZZ_CHECK(load(text.data, text.bytes, &config, &problems) == ERROR_INVALID);
    FUZZ_CHECK(!strstr(problems.data, SECRET));
    buffer_done(&text);
    buffer_done(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct buffer problems = BUFFER_INIT;
    struct test_config config;
    if (load(data, bytes, &config, &problems) == 0) {
        check_values(&config);
        check_written_again(&config);
        done(&config);
    }
    buffer_done(&problems);
    check_secrecy(data, bytes);
    return 0;
}
