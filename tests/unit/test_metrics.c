// SPDX-License-Identifier: Apache-2.0
// The text that Prometheus reads. The registry is one for the process, so the tests share their metrics.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/metrics.h"

static struct metric joins = METRIC_COUNTER("onsale_joins_total", "Joins, good\\bad\nand more.");
static struct metric streams = METRIC_GAUGE("onsale_streams", "Streams that are open.");
static struct metric answers_ok = {
    .name = "onsale_answers_total", .labels = "status=\"200\"", .help = "Answers.", .kind = METRIC_COUNTER};
static struct metric answers_bad = {
    .name = "onsale_answers_total", .labels = "status=\"500\"", .help = "Answers.", .kind = METRIC_COUNTER};
static struct metric seconds = METRIC_HISTOGRAM("onsale_commit_seconds", "Commits.");
static struct metric labelled = {
    .name = "onsale_wait_seconds", .labels = "kind=\"a\"", .help = "Waits.", .kind = METRIC_HISTOGRAM};

static char *write_all(void)
{
    struct buffer text = BUFFER_INIT;
    metrics_write(&text);
    char *written = buffer_take(&text);
    assert_non_null(written);
    return written;
}

static void assert_written(const char *part)
{
    char *text = write_all();
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
    free(text);
}

static int setup(void **state)
{
    (void)state;
    metrics_register(&joins);
    metrics_register(&answers_ok);
    metrics_register(&streams);
    metrics_register(&answers_bad); // apart from its sibling, but written next to it
    metrics_register(&seconds);
    metrics_register(&labelled);
    return 0;
}

static void test_values(void **state)
{
    (void)state;
    metric_add(&joins, 41);
    metric_add(&joins, 1);
    metric_set(&streams, 7);
    metric_add(&streams, -9);
    assert_written("# TYPE onsale_joins_total counter\nonsale_joins_total 42\n");
    assert_written("# TYPE onsale_streams gauge\nonsale_streams -2\n");
}

static void test_help_is_escaped(void **state)
{
    (void)state;
    assert_written("# HELP onsale_joins_total Joins, good\\\\bad\\nand more.\n# TYPE");
}

// HELP and TYPE once for both, and the two lines together.
static void test_labels(void **state)
{
    (void)state;
    metric_add(&answers_ok, 3);
    assert_written("# HELP onsale_answers_total Answers.\n# TYPE onsale_answers_total counter\n"
                   "onsale_answers_total{status=\"200\"} 3\nonsale_answers_total{status=\"500\"} 0\n# HELP");
}

static void test_histogram(void **state)
{
    (void)state;
    metric_observe_us(&seconds, -5); // counts as nothing
    metric_observe_us(&seconds, 100); // a bound belongs to its bucket
    metric_observe_us(&seconds, 101);
    metric_observe_us(&seconds, 1500000);
    metric_observe_us(&seconds, 61000000); // beyond the last
    assert_written("# TYPE onsale_commit_seconds histogram\nonsale_commit_seconds_bucket{le=\"0.0001\"} 2\n"
                   "onsale_commit_seconds_bucket{le=\"0.00025\"} 3\n");
    assert_written("{le=\"1\"} 3\nonsale_commit_seconds_bucket{le=\"2.5\"} 4\n");
    assert_written("{le=\"60\"} 4\nonsale_commit_seconds_bucket{le=\"+Inf\"} 5\n"
                   "onsale_commit_seconds_sum 62.500201\nonsale_commit_seconds_count 5\n");
}

static void test_labelled_histogram(void **state)
{
    (void)state;
    metric_observe_us(&labelled, 200);
    assert_written("onsale_wait_seconds_bucket{kind=\"a\",le=\"0.0001\"} 0\n"
                   "onsale_wait_seconds_bucket{kind=\"a\",le=\"0.00025\"} 1\n");
    assert_written("onsale_wait_seconds_sum{kind=\"a\"} 0.000200\nonsale_wait_seconds_count{kind=\"a\"} 1\n");
}

static double process_value(const char *name)
{
    char *text = write_all(), line[128];
    (void)snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(text, line);
    double value = at ? strtod(at + strlen(line), NULL) : -1;
    free(text);
    return value;
}

static void test_process(void **state)
{
    (void)state;
    double resident = process_value("process_resident_memory_bytes");
    assert_true(resident > 100e3 && resident < 100e9);
    assert_true(process_value("process_virtual_memory_bytes") >= resident);
    assert_true(process_value("process_cpu_seconds_total") >= 0);
    assert_true(process_value("process_max_fds") >= process_value("process_open_fds"));
    double started = process_value("process_start_time_seconds"), now = (double)time(NULL);
    assert_true(started > now - 3600 && started <= now + 1);
}

static void test_open_descriptors(void **state)
{
    (void)state;
    double before = process_value("process_open_fds");
    FILE *file = fopen("/dev/null", "re");
    assert_non_null(file);
    double with_one_more = process_value("process_open_fds");
    (void)fclose(file);
    assert_true(before >= 3 && with_one_more == before + 1);
}

static void *add_many(void *context)
{
    for (int i = 0; i < 10000; i++) {
        metric_add(context, 1);
        metric_observe_us(&labelled, 1);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, &answers_bad), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_written("onsale_answers_total{status=\"500\"} 40000\n");
    assert_written("onsale_wait_seconds_count{kind=\"a\"} 40001\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_help_is_escaped),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_labelled_histogram),
        cmocka_unit_test(test_process),
        cmocka_unit_test(test_open_descriptors),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests_name("metrics", tests, setup, NULL);
}
