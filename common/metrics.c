// SPDX-License-Identifier: Apache-2.0
// The registry of metrics and its text format. The list is kept so that metrics of one name are neighbours, because the
// format wants HELP and TYPE once, before all of them.
#include "common/metrics.h"

#include <assert.h>
#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

// The upper bounds of the buckets, and how they are written, in seconds.
static const struct {
    int64_t us;
    const char *le;
} bounds[] = {
    {100, "0.0001"}, {250, "0.00025"}, {500, "0.0005"}, {1000, "0.001"},  {2500, "0.0025"}, {5000, "0.005"},
    {10000, "0.01"}, {25000, "0.025"}, {50000, "0.05"}, {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},  {2500000, "2.5"}, {5000000, "5"},  {10000000, "10"}, {30000000, "30"}, {60000000, "60"},
};
#define BOUND_COUNT (sizeof bounds / sizeof bounds[0])
_Static_assert(BOUND_COUNT <= METRIC_BUCKETS_MAX, "a histogram has room for its buckets and the one beyond them");

static struct metric *registry;
static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;

void metrics_register(struct metric *metric)
{
    (void)pthread_mutex_lock(&registry_mutex);
    // Behind the last one of the same name, else at the end.
    struct metric **at = &registry, **place = NULL;
    for (; *at; at = &(*at)->next) {
        assert(*at != metric);
        if (strcmp((*at)->name, metric->name) == 0)
            place = &(*at)->next;
    }
    if (!place)
        place = at;
    metric->next = *place;
    *place = metric;
    (void)pthread_mutex_unlock(&registry_mutex);
}

void metric_add(struct metric *metric, int64_t delta)
{
    atomic_fetch_add_explicit(&metric->value, delta, memory_order_relaxed);
}

void metric_set(struct metric *metric, int64_t value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_observe_us(struct metric *metric, int64_t duration_us)
{
    if (duration_us < 0)
        duration_us = 0;
    size_t i = 0;
    while (i < BOUND_COUNT && duration_us > bounds[i].us)
        i++;
    atomic_fetch_add_explicit(&metric->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->sum_us, (uint64_t)duration_us, memory_order_relaxed);
}

// HELP and TYPE. In HELP a backslash and a line break are escaped.
static void write_head(struct buffer *text, const char *name, const char *help, enum metric_kind kind)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    buffer_format(text, "# HELP %s ", name);
    for (const char *at = help; *at; at++) {
        if (*at == '\\')
            buffer_text(text, "\\\\");
        else if (*at == '\n')
            buffer_text(text, "\\n");
        else
            buffer_append(text, at, 1);
    }
    buffer_format(text, "\n# TYPE %s %s\n", name, kinds[kind]);
}

static void write_simple(struct buffer *text, const struct metric *metric)
{
    const char *labels = metric->labels;
    buffer_format(text, "%s%s%s%s %" PRId64 "\n", metric->name, labels ? "{" : "", labels ? labels : "",
                  labels ? "}" : "", atomic_load_explicit(&metric->value, memory_order_relaxed));
}

static void write_histogram(struct buffer *text, const struct metric *metric)
{
    const char *labels = metric->labels ? metric->labels : "";
    const char *comma = *labels ? "," : "";
    uint64_t count = 0; // the buckets add up; so does the count, whatever is observed meanwhile
    for (size_t i = 0; i <= BOUND_COUNT; i++) {
        count += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
        buffer_format(text, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", metric->name, labels, comma,
                      i < BOUND_COUNT ? bounds[i].le : "+Inf", count);
    }
    uint64_t sum_us = atomic_load_explicit(&metric->sum_us, memory_order_relaxed);
    const char *open = *labels ? "{" : "", *close = *labels ? "}" : "";
    buffer_format(text, "%s_sum%s%s%s %" PRIu64 ".%06" PRIu64 "\n", metric->name, open, labels, close, sum_us / 1000000,
                  sum_us % 1000000);
    buffer_format(text, "%s_count%s%s%s %" PRIu64 "\n", metric->name, open, labels, close, count);
}

static void write_process_value(struct buffer *text, const char *name, const char *help, enum metric_kind kind,
                                double value)
{
    write_head(text, name, help, kind);
    buffer_format(text, "%s %.15g\n", name, value);
}

// Reads the beginning of a small file of /proc. False if there is none.
static bool read_proc(const char *path, char *text, size_t text_bytes)
{
    FILE *file = fopen(path, "re");
    size_t bytes = file ? fread(text, 1, text_bytes - 1, file) : 0;
    if (file)
        (void)fclose(file);
    text[bytes] = '\0';
    return bytes > 0;
}

// The n-th word (from 1) behind the command's name in /proc/self/stat, which may itself hold blanks and parentheses.
static double stat_field(const char *stat, int n)
{
    const char *at = strrchr(stat, ')');
    for (int i = 0; at && i < n; i++)
        at = strchr(at + 1, ' ');
    return at ? strtod(at, NULL) : 0;
}

// When this machine was started, in seconds since 1970.
static double boot_time(void)
{
    struct timespec since_boot, now;
    if (clock_gettime(CLOCK_BOOTTIME, &since_boot) != 0 || clock_gettime(CLOCK_REALTIME, &now) != 0)
        return 0;
    return (double)(now.tv_sec - since_boot.tv_sec) + (double)(now.tv_nsec - since_boot.tv_nsec) / 1e9;
}

// How many descriptors are open; -1 if that cannot be seen.
static int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return -1;
    int count = -1; // the directory's own descriptor does not count
    for (const struct dirent *entry = readdir(directory); entry; entry = readdir(directory))
        if (entry->d_name[0] != '.')
            count++;
    (void)closedir(directory);
    return count;
}

// The names that Prometheus' own client libraries use.
static void write_process(struct buffer *text)
{
    char stat[1024];
    if (read_proc("/proc/self/stat", stat, sizeof stat)) {
        double page_bytes = (double)sysconf(_SC_PAGESIZE), ticks = (double)sysconf(_SC_CLK_TCK);
        write_process_value(text, "process_start_time_seconds", "When the process was started, since 1970.",
                            METRIC_GAUGE, boot_time() + stat_field(stat, 20) / ticks);
        write_process_value(text, "process_virtual_memory_bytes", "Virtual memory.", METRIC_GAUGE,
                            stat_field(stat, 21));
        write_process_value(text, "process_resident_memory_bytes", "Resident memory.", METRIC_GAUGE,
                            stat_field(stat, 22) * page_bytes);
    }
    struct timespec cpu;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
        write_process_value(text, "process_cpu_seconds_total", "CPU time, of user and system.", METRIC_COUNTER,
                            (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9);
    int descriptors = count_descriptors();
    if (descriptors >= 0)
        write_process_value(text, "process_open_fds", "Open file descriptors.", METRIC_GAUGE, descriptors);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        write_process_value(text, "process_max_fds", "File descriptors that may be open.", METRIC_GAUGE,
                            (double)limit.rlim_cur);
}

void metrics_write(struct buffer *text)
{
    (void)pthread_mutex_lock(&registry_mutex);
    const char *name = "";
    for (const struct metric *metric = registry; metric; metric = metric->next) {
        if (strcmp(name, metric->name) != 0)
            write_head(text, metric->name, metric->help, metric->kind);
        name = metric->name;
        if (metric->kind == METRIC_HISTOGRAM)
            write_histogram(text, metric);
        else
            write_simple(text, metric);
    }
    (void)pthread_mutex_unlock(&registry_mutex);
    write_process(text);
}
