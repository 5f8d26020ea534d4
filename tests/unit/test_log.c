// SPDX-License-Identifier: Apache-2.0
// Lines of the log are caught in a pipe in the place of standard error: their form, hostile values, the limit of a line,
// and that threads do not mix theirs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/log.h"

#define TIME_BYTES (sizeof "2026-11-23T20:20:59.123456Z" - 1)

static char caught[65536];

struct catcher {
    int standard_error;
    int pipe_end;
};

static struct catcher catch_begin(void)
{
    int ends[2];
    struct catcher catcher = {.standard_error = dup(STDERR_FILENO)};
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    (void)close(ends[1]);
    catcher.pipe_end = ends[0];
    return catcher;
}

// Gives standard error back. Everything that was logged is in `caught`.
static size_t catch_end(struct catcher catcher)
{
    (void)dup2(catcher.standard_error, STDERR_FILENO);
    (void)close(catcher.standard_error);
    size_t bytes = 0;
    ssize_t got = 0;
    while ((got = read(catcher.pipe_end, caught + bytes, sizeof caught - 1 - bytes)) > 0)
        bytes += (size_t)got;
    caught[bytes] = '\0';
    (void)close(catcher.pipe_end);
    return bytes;
}

// Runs a statement and leaves what it logged in `caught`.
#define CAUGHT(statement)                       \
    do {                                        \
        struct catcher catcher = catch_begin(); \
        statement;                              \
        (void)catch_end(catcher);               \
    } while (0)

// What was caught is one line that begins with a time of the right shape; returns what stands behind "time=… ".
static const char *after_time(void)
{
    assert_memory_equal(caught, "time=2", 6);
    assert_true(caught[5 + TIME_BYTES - 1] == 'Z' && caught[5 + 19] == '.');
    assert_true(strchr(caught, '\n') == caught + strlen(caught) - 1);
    return caught + 5 + TIME_BYTES + 1;
}

static void test_logfmt(void **state)
{
    (void)state;
    log_init("waiting-room", LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    CAUGHT(log_info("joined", LOG_S("slug", "spring-gala"), LOG_U("place", UINT64_MAX), LOG_I("delta", INT64_MIN),
                    LOG_F("seconds", 0.25), LOG_S("empty", NULL)));
    assert_string_equal(after_time(), "level=info program=waiting-room event=joined slug=spring-gala "
                                      "place=18446744073709551615 delta=-9223372036854775808 seconds=0.25 empty=\n");
}

static void test_errno_is_kept(void **state)
{
    (void)state;
    struct catcher catcher = catch_begin();
    errno = ENOENT;
    log_error("broken", LOG_F("value", 1e300));
    int kept = errno;
    (void)catch_end(catcher);
    assert_int_equal(kept, ENOENT);
}

// A value cannot break out of its line, nor look like another field.
static void test_hostile_values(void **state)
{
    (void)state;
    log_init("p", LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    CAUGHT(log_warn("e", LOG_S("a", "x y"), LOG_S("b", "k=v"), LOG_S("c", "say \"hi\"\\"),
                    LOG_S("d", "1\n2\t3\x1b[0m\x7f"), LOG_S("e", ""), LOG_S("f", "Z\xC3\xBCrich"),
                    LOG_S("g", "\xFF\xC3"), LOG_S("h", "\xC2\x85\xE2\x80\xA8")));
    assert_string_equal(after_time(),
                        "level=warn program=p event=e a=\"x y\" b=\"k=v\" c=\"say \\\"hi\\\"\\\\\" "
                        "d=\"1\\n2\\t3\\u001b[0m\\u007f\" e=\"\" f=\"Z\xC3\xBCrich\" g=\"\xEF\xBF\xBD\xEF\xBF\xBD\" "
                        "h=\"\\u0085\\u2028\"\n");
}

static void test_levels(void **state)
{
    (void)state;
    log_init("p", LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT);
    CAUGHT(log_info("no", LOG_I("i", 1)));
    assert_string_equal(caught, "");
    CAUGHT(log_warn("yes", LOG_I("i", 1)));
    assert_non_null(strstr(caught, "level=warn"));
    CAUGHT(log_error("yes", LOG_I("i", 1)));
    assert_non_null(strstr(caught, "level=error"));
    log_set_level(LOG_LEVEL_DEBUG);
    CAUGHT(log_debug("yes", LOG_I("i", 1)));
    assert_non_null(strstr(caught, "level=debug"));
    log_set_level(LOG_LEVEL_ERROR);
    CAUGHT(log_warn("no", LOG_I("i", 1)));
    assert_string_equal(caught, "");
}

static void test_json(void **state)
{
    (void)state;
    log_init("admission", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    CAUGHT(log_info("let_in", LOG_S("slug", "a \"b\"\\\n\xFF\x01"), LOG_U("place", UINT64_C(9007199254740993)),
                    LOG_F("rate", 1.5), LOG_F("nothing", (double)NAN), LOG_S("empty", NULL)));
    json_error_t error;
    json_t *json = json_loads(caught, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "level")), "info");
    assert_string_equal(json_string_value(json_object_get(json, "program")), "admission");
    assert_string_equal(json_string_value(json_object_get(json, "event")), "let_in");
    assert_int_equal(strlen(json_string_value(json_object_get(json, "time"))), TIME_BYTES);
    assert_string_equal(json_string_value(json_object_get(json, "slug")), "a \"b\"\\\n\xEF\xBF\xBD\x01");
    assert_int_equal(json_integer_value(json_object_get(json, "place")), INT64_C(9007199254740993));
    assert_true(json_real_value(json_object_get(json, "rate")) == 1.5);
    assert_true(json_is_null(json_object_get(json, "nothing")));
    assert_string_equal(json_string_value(json_object_get(json, "empty")), "");
    json_decref(json);
}

// One long value is cut and says so; the fields behind it are still there.
static void test_long_value(void **state)
{
    (void)state;
    char text[10000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_init("p", LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    CAUGHT(log_info("e", LOG_S("long", text), LOG_I("after", 7)));
    assert_true(strlen(caught) < 4096);
    assert_non_null(strstr(after_time(), "xxx\xE2\x80\xA6\" after=7\n"));
}

// Whatever does not fit, in either format, at every length around the limit: one line, well-formed, at most 4 KiB.
static void test_full_line(void **state)
{
    (void)state;
    char texts[3][2100];
    for (size_t bytes = 1900; bytes < 2090; bytes++) {
        for (size_t i = 0; i < 3; i++) {
            memset(texts[i], i == 1 ? '"' : 'y', bytes);
            texts[i][bytes] = '\0';
        }
        texts[2][bytes / 2] = '\0';
        log_init("p", LOG_LEVEL_INFO, bytes % 2 == 0 ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT);
        CAUGHT(log_info("e", LOG_S("a", texts[0]), LOG_S("b", texts[1]), LOG_S("c", texts[2]), LOG_S("d", texts[0])));
        size_t length = strlen(caught);
        assert_in_range(length, 3000, 4096);
        assert_true(strchr(caught, '\n') == caught + length - 1);
        assert_non_null(strstr(caught, bytes % 2 == 0 ? "\"cut\":1}\n" : " cut=1\n"));
        if (bytes % 2 != 0)
            continue;
        json_t *json = json_loads(caught, 0, NULL);
        assert_non_null(json);
        json_decref(json);
    }
}

#define THREADS 4
#define LINES 100

static void *log_many(void *context)
{
    for (int i = 0; i < LINES; i++)
        log_info("thread", LOG_S("text", context));
    return NULL;
}

static void test_threads_do_not_mix(void **state)
{
    (void)state;
    static char texts[THREADS][64];
    log_init("p", LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    struct catcher catcher = catch_begin();
    // The pipe holds 64 KiB, so nobody has to wait for a reader.
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        memset(texts[i], (char)('a' + i), sizeof texts[i] - 1);
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, texts[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    (void)catch_end(catcher);
    int counts[THREADS] = {0};
    for (char *line = caught, *end = NULL; (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        const char *text = strstr(line, " text=");
        assert_non_null(text);
        size_t who = (size_t)(text[6] - 'a');
        assert_in_range(who, 0, THREADS - 1);
        assert_string_equal(text + 6, texts[who]);
        counts[who]++;
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(counts[i], LINES);
}

static int bytes_written(const struct catcher *catcher)
{
    int bytes = -1;
    (void)ioctl(catcher->pipe_end, FIONREAD, &bytes);
    return bytes;
}

static void test_held_lines_wait(void **state)
{
    (void)state;
    log_init("test", LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    struct catcher catcher = catch_begin();
    log_hold();
    log_info("first", LOG_U("n", 1));
    log_info("second", LOG_U("n", 2));
    int while_held = bytes_written(&catcher);
    log_warn("third", LOG_U("n", 3)); // takes along what waits
    int after_warning = bytes_written(&catcher);
    log_info("fourth", LOG_U("n", 4));
    int held_again = bytes_written(&catcher);
    log_release();
    int released = bytes_written(&catcher);
    size_t bytes = catch_end(catcher);
    assert_int_equal(while_held, 0);
    assert_true(after_warning > 0);
    assert_int_equal(held_again, after_warning);
    assert_true(released > held_again);
    assert_int_equal(bytes, released);
    const char *at = caught;
    for (size_t i = 0; i < 4; i++) {
        at = strstr(at, (const char *[]){"event=first n=1\n", "event=second n=2\n", "event=third n=3\n",
                                         "event=fourth n=4\n"}[i]);
        assert_non_null(at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logfmt),
        cmocka_unit_test(test_errno_is_kept),
        cmocka_unit_test(test_hostile_values),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_long_value),
        cmocka_unit_test(test_full_line),
        cmocka_unit_test(test_threads_do_not_mix),
        cmocka_unit_test(test_held_lines_wait),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
