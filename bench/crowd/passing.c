// SPDX-License-Identifier: Apache-2.0
// A rising list of steps, looked up by halving.
#include "bench/crowd/passing.h"

#include <stdlib.h>

#define STEPS_MAX ((size_t)1 << 22)

void passing_done(struct passing *passing)
{
    if (!passing)
        return;
    free(passing->steps);
    *passing = (struct passing){0};
}

void passing_note(struct passing *passing, uint64_t served, int64_t at_us)
{
    if (served == 0 || (passing->count > 0 && served <= passing->steps[passing->count - 1].served))
        return;
    if (passing->count == passing->capacity) {
        size_t capacity = passing->capacity ? passing->capacity * 2 : 256;
        struct passing_step *steps = capacity <= STEPS_MAX ? realloc(passing->steps, capacity * sizeof *steps) : NULL;
        if (!steps)
            return;
        passing->steps = steps;
        passing->capacity = capacity;
    }
    passing->steps[passing->count++] = (struct passing_step){served, at_us};
}

int64_t passing_at_us(const struct passing *passing, uint64_t place)
{
    size_t low = 0, high = passing->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (passing->steps[middle].served >= place)
            high = middle;
        else
            low = middle + 1;
    }
    return low < passing->count ? passing->steps[low].at_us : -1;
}
