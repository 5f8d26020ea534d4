// SPDX-License-Identifier: Apache-2.0
// A pace as people write it: "10/s", "600/min", "5000/h", "0", "auto", "auto:600/min". Pure.
#ifndef COMMON_PACE_H
#define COMMON_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define PACE_TEXT_BYTES 32
#define PACE_PER_SECOND_MAX 100000 // faster than any shop; keeps all arithmetic in 64 bits

struct pace {
    bool is_auto; // `count` is then the ceiling, or 0 for none
    uint64_t count; // visitors …
    uint32_t per_seconds; // … per 1, 60 or 3600 seconds
};

// ERROR_INVALID for anything else than the forms above: no sign, no exponent, no blanks, not over PACE_PER_SECOND_MAX a second.
int pace_parse(const char *text, struct pace *ret) MUST_USE;
// Writes it back; what was parsed comes back to the letter, but for leading zeros. Returns `text`.
const char *pace_format(const struct pace *pace, char text[static PACE_TEXT_BYTES]);

#endif
