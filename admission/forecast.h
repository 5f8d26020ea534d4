// SPDX-License-Identifier: Apache-2.0
// The forecast: how long one place takes, as a range, from what the line really did over its last 10, 60 and 300
// seconds of busy time and from the dial. Time in which the line was empty or stood still on purpose does not count.
// Pure.
#ifndef ADMISSION_FORECAST_H
#define ADMISSION_FORECAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORECAST_SECONDS 300

struct forecast {
    uint32_t places[FORECAST_SECONDS]; // let in per second of busy time; a ring
    size_t next; // where the coming second goes
    size_t filled; // seconds known, at most FORECAST_SECONDS
    int64_t busy_us; // of the second that is being filled
    uint64_t let_in; // in the second that is being filled
};

// Forgets everything: the dial was changed, so the past says nothing any more.
void forecast_reset(struct forecast *forecast);

// Adds what happened since the last call while somebody was waiting and the event was open.
void forecast_add(struct forecast *forecast, int64_t busy_us, uint64_t let_in);

// Microseconds per place at this rate. The low end is never below the dial; the high end has a tenth on top, for what
// nobody knows. False when nobody can say (rate_count 0).
bool forecast_range(const struct forecast *forecast, uint64_t rate_count, uint32_t rate_seconds, int64_t *ret_low_us,
                    int64_t *ret_high_us);

#endif
