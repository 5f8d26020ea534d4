// SPDX-License-Identifier: Apache-2.0
// The arithmetic of the pace, as the audit checks it: since the count began anew, let in <= pace x elapsed + 1. Exact,
// in integers. Pure.
#ifndef ADMIN_AUDIT_PACE_H
#define ADMIN_AUDIT_PACE_H

#include <stdbool.h>
#include <stdint.h>

// One stretch of the count: from a row of pace_log to the next.
struct audit_pace {
    uint64_t served; // when it began
    int64_t at_us; // it began then or later
    uint64_t rate_count; // visitors per …
    uint32_t rate_seconds; // … so many seconds
};

// The most places that may have been let in from the stretch's beginning to `at_us`: 0 when the count is 0 or the time
// lies before the beginning.
uint64_t audit_pace_allowed(const struct audit_pace *stretch, int64_t at_us);

// Whether `served` may be reached at `at_us`.
bool audit_pace_holds(const struct audit_pace *stretch, uint64_t served, int64_t at_us);

#endif
