// SPDX-License-Identifier: Apache-2.0
// A growing array that is sorted when it is asked.
#include "bench/crowd/latency.h"

#include <stdlib.h>

void latency_done(struct latency *latency)
{
    if (!latency)
        return;
    free(latency->values_us);
    *latency = (struct latency){0};
}

void latency_note(struct latency *latency, int64_t value_us)
{
    if (latency->count == latency->capacity) {
        size_t capacity = latency->capacity ? latency->capacity * 2 : 256;
        int64_t *values = realloc(latency->values_us, capacity * sizeof *values);
        if (!values)
            return;
        latency->values_us = values;
        latency->capacity = capacity;
    }
    latency->values_us[latency->count++] = value_us;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int64_t latency_percentile(struct latency *latency, unsigned percent)
{
    if (latency->count == 0)
        return 0;
    qsort(latency->values_us, latency->count, sizeof *latency->values_us, compare);
    size_t rank = (latency->count * percent + 99) / 100;
    return latency->values_us[rank > 0 ? rank - 1 : 0];
}
