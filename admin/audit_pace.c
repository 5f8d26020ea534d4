// SPDX-License-Identifier: Apache-2.0
// A count of 3.6 x 10^8 an hour times some years in microseconds is more than 64 bits, so the product has 128.
#include "admin/audit_pace.h"

#define US_PER_SECOND 1000000

__extension__ typedef unsigned __int128 wide;

uint64_t audit_pace_allowed(const struct audit_pace *stretch, int64_t at_us)
{
    if (stretch->rate_count == 0 || stretch->rate_seconds == 0 || at_us < stretch->at_us)
        return 0;
    wide elapsed_us = (wide)((uint64_t)at_us - (uint64_t)stretch->at_us);
    wide due = (wide)stretch->rate_count * elapsed_us / ((wide)stretch->rate_seconds * US_PER_SECOND) + 1;
    return due > UINT64_MAX ? UINT64_MAX : (uint64_t)due;
}

bool audit_pace_holds(const struct audit_pace *stretch, uint64_t served, int64_t at_us)
{
    return served <= stretch->served || served - stretch->served <= audit_pace_allowed(stretch, at_us);
}
