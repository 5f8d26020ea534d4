// SPDX-License-Identifier: Apache-2.0
// How long to wait before trying again: doubles from `first` to `most`, with jitter, so that a thousand clients of a
// server that came back do not knock together. Pure: the random number comes from the caller.
#ifndef COMMON_BACKOFF_H
#define COMMON_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t first_ms, most_ms;
    unsigned failures;
};

// The wait after one more failure, in milliseconds: between half and the whole of min(most, first × 2^failures).
// `random` is any 64-bit random number.
int64_t backoff_next_ms(struct backoff *backoff, uint64_t random);
void backoff_reset(struct backoff *backoff); // it worked

#endif
