// SPDX-License-Identifier: Apache-2.0
// Counters, gauges and histograms in Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/).
// A metric is a static object; updating one is one atomic instruction from any thread.
#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

#define METRIC_BUCKETS_MAX 20

struct metric {
    const char *name; // onsale_joins_total; several metrics with one name and other labels stand together
    const char *labels; // "event=\"x\"" without braces, or NULL; constant and bounded
    const char *help;
    enum metric_kind kind;
    _Atomic int64_t value; // counters and gauges
    _Atomic uint64_t buckets[METRIC_BUCKETS_MAX + 1];
    _Atomic uint64_t sum_us;
    struct metric *next; // the registry's
};

#define METRIC_COUNTER(metric_name, help_text)                             \
    {                                                                      \
        .name = (metric_name), .help = (help_text), .kind = METRIC_COUNTER \
    }
#define METRIC_GAUGE(metric_name, help_text)                             \
    {                                                                    \
        .name = (metric_name), .help = (help_text), .kind = METRIC_GAUGE \
    }
#define METRIC_HISTOGRAM(metric_name, help_text)                             \
    {                                                                        \
        .name = (metric_name), .help = (help_text), .kind = METRIC_HISTOGRAM \
    }

// Adds a metric to what metrics_write() shows. Once each, before threads start; the metric must live for ever.
void metrics_register(struct metric *metric);
void metric_add(struct metric *metric, int64_t delta); // counters: delta >= 0
void metric_set(struct metric *metric, int64_t value);
// A duration in microseconds into a histogram of seconds, buckets from 100 µs to 60 s.
void metric_observe_us(struct metric *metric, int64_t duration_us);
// Appends everything registered, and the process's own (resident memory, CPU seconds, open descriptors, start time). Any thread.
void metrics_write(struct buffer *text);

#endif
