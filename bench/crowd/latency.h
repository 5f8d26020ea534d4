// SPDX-License-Identifier: Apache-2.0
// Durations, kept whole so that percentiles are exact. Pure.
#ifndef BENCH_CROWD_LATENCY_H
#define BENCH_CROWD_LATENCY_H

#include <stddef.h>
#include <stdint.h>

struct latency {
    int64_t *values_us;
    size_t count, capacity;
};

void latency_done(struct latency *latency); // accepts NULL and zeroes
void latency_note(struct latency *latency, int64_t value_us); // thrown away when there is no memory
// The smallest value that `percent` (1 to 100) of all do not exceed; 0 without values. Sorts them.
int64_t latency_percentile(struct latency *latency, unsigned percent);

#endif
