// SPDX-License-Identifier: Apache-2.0
// What all visitors of a run share: the clock, the record, the checker, what was measured. One thread's.
#ifndef BENCH_CROWD_STAGE_H
#define BENCH_CROWD_STAGE_H

#include <stdint.h>
#include <stdio.h>
#include <uv.h>

#include "bench/crowd/check.h"
#include "bench/crowd/latency.h"
#include "bench/crowd/link.h"
#include "bench/crowd/options.h"
#include "bench/crowd/told.h"

struct stage {
    const struct options *options;
    uv_loop_t loop;
    int64_t begun_ns;
    struct check *check;
    FILE *record; // NULL: nobody wants it
    uint64_t random;
    struct link **links, **slow_links;
    size_t link_count, slow_link_count;
    struct latency join, first_frame, let_in;
    uint64_t answered; // visitors who joined, or never will
    uint64_t done; // visitors for whom nothing more is to come
    uint64_t streams, put_off, lost;
    char path[128]; // /v1/events/SLUG/line
    char problem[200]; // the last answer that should not have come; "" if none
};

int64_t stage_now_us(const struct stage *stage); // since the beginning
uint64_t stage_random(struct stage *stage, uint64_t below);

// Sets the time, gives it to the checker, and writes it to the record with `data` (JSON without line breaks, or NULL).
void stage_told(struct stage *stage, struct told *told, const char *data);

#endif
