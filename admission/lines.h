// SPDX-License-Identifier: Apache-2.0
// All lines that the leader keeps: the events that there are, read again when their version has risen. Owned by the
// keeper's thread.
#ifndef ADMISSION_LINES_H
#define ADMISSION_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admission/line.h"
#include "common/db.h"
#include "common/error.h"

#define LINES_MEASURED 8

struct lines_entry {
    struct line line;
    bool is_stale; // its row has another version by now
    bool has_head; // served and last are known; events that nobody waits for are not asked
    bool is_broken; // its row cannot be understood; said once per version
    bool is_there; // seen by the last look at all versions
    uint64_t refused_version; // the timetable asked in this version for what could not be done
    bool has_forecast; // what MySQL was told last
    int64_t forecast_low_us, forecast_high_us;
};

struct lines {
    struct lines_entry **entries; // by id, ascending
    size_t count, capacity;
    // MySQL's clock (UTC) minus the monotonic clock, at least; so a time is never thought to have come too early.
    int64_t mysql_ahead_us;
    // What was measured lately. A slow answer makes it look less than it is, so the most of them is nearest to the
    // truth.
    int64_t measured_us[LINES_MEASURED];
    size_t measured_count;
};

void lines_done(struct lines *lines);

// Looks at all versions, reads what changed, drops what is gone. Errors are db.h's; ERROR_MEMORY.
int lines_refresh(struct lines *lines, struct db *db) MUST_USE;
// Reads the rows again that are known to be stale.
int lines_read_stale(struct lines *lines, struct db *db) MUST_USE;
// Nothing that was known of any line's head holds any more: all counts begin anew from what MySQL says.
void lines_forget_heads(struct lines *lines);
int lines_read_heads(struct lines *lines, struct db *db) MUST_USE; // those that are not known

struct lines_entry *lines_find(struct lines *lines, const char *slug); // NULL if there is none
// In the lobby or further, and not closed: waiting rooms want to hear of it.
bool lines_is_live(const struct lines_entry *entry);
// MySQL's time, or a little earlier; and back.
int64_t lines_mysql_us(const struct lines *lines, int64_t now_ns);
int64_t lines_monotonic_ns(const struct lines *lines, int64_t mysql_us);

#endif
