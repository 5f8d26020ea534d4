// SPDX-License-Identifier: Apache-2.0
// The states of an event and what leads from one to the next: one table, used by operators' commands and by admission's
// timetable. docs/states.md draws it.
#ifndef COMMON_LIFECYCLE_H
#define COMMON_LIFECYCLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/db.h"
#include "common/error.h"

enum lifecycle_state {
    LIFECYCLE_DRAFT,
    LIFECYCLE_LOBBY,
    LIFECYCLE_OPEN,
    LIFECYCLE_PAUSED,
    LIFECYCLE_STOPPED,
    LIFECYCLE_SOLD_OUT,
    LIFECYCLE_CLOSED,
    LIFECYCLE_STATE_COUNT,
};

enum lifecycle_action {
    LIFECYCLE_DO_LOBBY,
    LIFECYCLE_DO_OPEN,
    LIFECYCLE_DO_PAUSE,
    LIFECYCLE_DO_RESUME,
    LIFECYCLE_DO_STOP,
    LIFECYCLE_DO_START,
    LIFECYCLE_DO_CLOSE,
    LIFECYCLE_DO_SELL_OUT, // by a booking worker, never by hand: only when every tier is sold to the last place and nobody stands by
    LIFECYCLE_DO_SELL_AGAIN, // by a booking worker, never by hand: something of a sold-out event is to be had again
    LIFECYCLE_ACTION_COUNT,
};

const char *lifecycle_state_name(enum lifecycle_state state); // "sold_out"
const char *lifecycle_action_name(enum lifecycle_action action); // "open"
int lifecycle_state_parse(const char *name, enum lifecycle_state *ret) MUST_USE;

// Pure: where an action leads. `before` is the state that `stop` left (only `start` looks at it) or that selling out left (only
// selling again does). Repeating an action leads to the same state (0); an impossible one is ERROR_CONFLICT.
int lifecycle_next(enum lifecycle_state state, enum lifecycle_state before, enum lifecycle_action action,
                   enum lifecycle_state *ret) MUST_USE;

struct lifecycle_change {
    enum lifecycle_state before, after; // equal: there was nothing to do
    uint64_t version; // of the event, afterwards
};

// Does it in one transaction of its own: locks the line's counter and then the event, checks, writes, logs to event_log with
// `actor` and `detail` (may be NULL; the reason of a stop). Opening from the lobby closes it: its size is noted. ERROR_NOT_FOUND: no such
// event; ERROR_CONFLICT: impossible from ret->before, which is then filled (selling out: or something is left or held, or somebody stands by;
// selling again: or nothing is). The caller tells the others (event_changed).
int lifecycle_apply(struct db *db, const char *slug, enum lifecycle_action action, const char *actor,
                    const char *detail, struct lifecycle_change *ret) MUST_USE;

#endif
