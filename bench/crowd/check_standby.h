// SPDX-License-Identifier: Apache-2.0
// Whether standby was served in the order of places among those who fit. When somebody was served follows from the end of the hold, so it
// does not matter how long the news of it took. Pure.
#ifndef BENCH_CROWD_CHECK_STANDBY_H
#define BENCH_CROWD_CHECK_STANDBY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One who stood by for one tier, with nothing else instead of it and without a need for particular seats.
struct check_standby {
    uint32_t visitor;
    uint64_t place, tier, quantity;
    int64_t since_us; // when the visitor was told so, in UTC
    int64_t until_us; // when it was served, or how long it surely still stood by
    bool served;
};

// Sorts the entries. `report` is told of each pair of which the later place was served although the earlier one stood by already and
// wanted no more; the first such pair of each who was passed over is enough.
void check_standby_judge(struct check_standby *entries, size_t count,
                         void (*report)(void *data, const struct check_standby *passed_over,
                                        const struct check_standby *served),
                         void *data);

#endif
