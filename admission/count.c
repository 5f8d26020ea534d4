// SPDX-License-Identifier: Apache-2.0
// The arithmetic of the pace. Products of a rate and a time need more than 64 bits (360,000,000 an hour times 292
// years of nanoseconds), so they are made in 128; every quotient fits 64 again or is cut off at the end of time.
#include "admission/count.h"

#include <assert.h>

__extension__ typedef unsigned __int128 wide;

#define NS_PER_SECOND UINT64_C(1000000000)

// The time that `places` take at the count's rate, rounded up to the nanosecond on which the last of them is due.
static int64_t span_ns(const struct count *count, uint64_t places)
{
    wide per = (wide)count->rate_seconds * NS_PER_SECOND;
    wide span = ((wide)places * per + (count->rate_count - 1)) / count->rate_count;
    return span > (wide)INT64_MAX ? INT64_MAX : (int64_t)span;
}

static int64_t later(int64_t from_ns, int64_t span)
{
    return span > 0 && from_ns > INT64_MAX - span ? INT64_MAX : from_ns + span;
}

void count_start(struct count *count, uint64_t rate_count, uint32_t rate_seconds, int64_t now_ns, int64_t last_ns)
{
    assert(rate_seconds > 0);
    *count = (struct count){
        .running = true,
        .rate_count = rate_count,
        .rate_seconds = rate_seconds,
        .start_ns = now_ns,
    };
    if (rate_count == 0 || last_ns == COUNT_NEVER) {
        return;
    }
    int64_t soonest_ns = later(last_ns, span_ns(count, 1));
    if (soonest_ns > now_ns) {
        count->start_ns = soonest_ns;
    }
}

void count_stop(struct count *count)
{
    *count = (struct count){0};
}

void count_delay(struct count *count, int64_t by_ns)
{
    count->start_ns = later(count->start_ns, by_ns);
}

uint64_t count_due(const struct count *count, int64_t now_ns)
{
    if (!count->running || count->rate_count == 0 || now_ns < count->start_ns) {
        return 0;
    }
    // Unsigned, so that a start before the clock's zero (a machine that has just booted) does no harm.
    uint64_t elapsed_ns = (uint64_t)now_ns - (uint64_t)count->start_ns;
    wide due = (wide)count->rate_count * elapsed_ns / ((wide)count->rate_seconds * NS_PER_SECOND) + 1;
    return due > count->let_in ? (uint64_t)(due - count->let_in) : 0;
}

void count_let_in(struct count *count, uint64_t places)
{
    count->let_in += places;
}

int64_t count_next_ns(const struct count *count)
{
    if (!count->running || count->rate_count == 0) {
        return COUNT_NEVER;
    }
    return later(count->start_ns, span_ns(count, count->let_in));
}

int64_t count_lateness_ns(const struct count *count, int64_t now_ns)
{
    int64_t next_ns = count_next_ns(count);
    return next_ns < now_ns ? now_ns - next_ns : 0;
}
