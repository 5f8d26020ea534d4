// SPDX-License-Identifier: Apache-2.0
// Compares everybody with those of later places who were served; these are never more than a hall has room for.
#include "bench/crowd/check_standby.h"

#include <stdlib.h>

// A booking worker asks for the time and then waits for the tiers' locks. So two transactions may have their times the other way round, by
// as long as one waits; which of them was first is known to the database alone.
#define WAIT_US 2000000

static int compare_places(const void *a, const void *b)
{
    const struct check_standby *left = a, *right = b;
    return (left->place > right->place) - (left->place < right->place);
}

static bool is_passed_over(const struct check_standby *who, const struct check_standby *by)
{
    return by->served && by->tier == who->tier && by->quantity >= who->quantity && who->since_us < by->until_us &&
           by->until_us + WAIT_US < who->until_us;
}

void check_standby_judge(struct check_standby *entries, size_t count,
                         void (*report)(void *data, const struct check_standby *passed_over,
                                        const struct check_standby *served),
                         void *data)
{
    if (count < 2)
        return;
    qsort(entries, count, sizeof *entries, compare_places);
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count; k++)
            if (is_passed_over(&entries[i], &entries[k])) {
                report(data, &entries[i], &entries[k]);
                break;
            }
}
