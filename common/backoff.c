// SPDX-License-Identifier: Apache-2.0
// Waiting longer after each failure, up to a most, at a random point of the upper half.
#include "common/backoff.h"

#include <limits.h>

int64_t backoff_next_ms(struct backoff *backoff, uint64_t random)
{
    int64_t wait = backoff->first_ms > 0 ? backoff->first_ms : 1;
    int64_t most = backoff->most_ms > wait ? backoff->most_ms : wait;
    for (unsigned i = 0; i < backoff->failures && wait < most; i++)
        wait = wait > most / 2 ? most : wait * 2;
    if (backoff->failures < UINT_MAX)
        backoff->failures++;
    int64_t half = wait / 2 + wait % 2;
    return half + (int64_t)(random % (uint64_t)(wait - half + 1));
}

void backoff_reset(struct backoff *backoff)
{
    backoff->failures = 0;
}
