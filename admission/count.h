// SPDX-License-Identifier: Apache-2.0
// The count of the pace: how many may have been let in by now. It is worked out from the clock and the start of the
// count, in integers, so that small lateness never adds up: due(now) = 1 + floor(rate x (now - start)). What must not
// be made up for (a stall, a pause, a change of the dial, another leader) starts the count anew. Pure: the time comes
// from the caller.
#ifndef ADMISSION_COUNT_H
#define ADMISSION_COUNT_H

#include <stdbool.h>
#include <stdint.h>

// Later than this is not made up for.
#define COUNT_LATE_NS INT64_C(100000000)
// No time at all: nothing will ever be due.
#define COUNT_NEVER INT64_MAX

struct count {
    bool running;
    uint64_t rate_count; // visitors …
    uint32_t rate_seconds; // … per so many seconds; a rate_count of 0 lets nobody in
    int64_t start_ns; // when the first was due; monotonic
    uint64_t let_in; // since then
};

// Starts the count anew at `now_ns`, but never sooner than one interval of this rate after the last letting-in, so that
// however often a count starts, nobody is let in sooner after another than the pace allows. `last_ns` is when the last
// visitor was let in; COUNT_NEVER: nobody ever was. rate_seconds is at least 1, rate_count at most 100,000 a second.
void count_start(struct count *count, uint64_t rate_count, uint32_t rate_seconds, int64_t now_ns, int64_t last_ns);
void count_stop(struct count *count); // nothing is due until it starts again

// Moves the start later: time that another clock did not see pass.
void count_delay(struct count *count, int64_t by_ns);

// How many more are due at `now_ns`; 0 while it does not run.
uint64_t count_due(const struct count *count, int64_t now_ns);
// Says that so many were let in. Never more than count_due() allowed.
void count_let_in(struct count *count, uint64_t places);
// When the next one is due, to the nanosecond: count_due() is 0 just before and at least 1 from then on. COUNT_NEVER:
// not at all.
int64_t count_next_ns(const struct count *count);
// How late the next one is; 0 when it is not due yet.
int64_t count_lateness_ns(const struct count *count, int64_t now_ns);

#endif
