// SPDX-License-Identifier: Apache-2.0
// The gate: how many may be let in now, and if nobody, why. The only place where the event's state, the pace, the end
// of the line and the room inside are put together. Pure.
#ifndef ADMISSION_GATE_H
#define ADMISSION_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/lifecycle.h"

struct gate {
    enum lifecycle_state state;
    uint64_t due; // by the pace
    uint64_t served, last; // the line's head, and the last place given
    bool has_max_active;
    uint64_t active, max_active; // whose turns run, and how many may at once
    bool cannot_release; // the event sells, and nobody's order could be released
};

enum gate_reason {
    GATE_LETS_IN,
    GATE_NOT_OPEN,
    GATE_LINE_EMPTY, // nobody is waiting
    GATE_NO_RELEASE, // orders cannot be released
    GATE_FULL, // max_active turns run
    GATE_NOT_DUE, // the pace allows nobody yet
};

// How many may be let in: never past the last place given, never more than the pace or the room allows, nobody unless
// open, nobody whose order could not be released.
uint64_t gate_let_in(const struct gate *gate, enum gate_reason *ret_reason);

#endif
