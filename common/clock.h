// SPDX-License-Identifier: Apache-2.0
// Time: the monotonic clock for durations, UTC microseconds for points in time, and RFC 3339 text for what others read.
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define CLOCK_TEXT_BYTES 32 // "2026-11-23T20:20:59.123456Z" and its NUL, with room

// Nanoseconds of CLOCK_MONOTONIC. For durations within one process only.
int64_t clock_monotonic_ns(void);

// Microseconds since 1970-01-01T00:00:00Z of this machine's clock. Deadlines are never judged by it: MySQL's clock does.
int64_t clock_utc_us(void);

// Writes a time as RFC 3339 in UTC: with milliseconds ("2026-11-23T20:20:59.123Z") unless they are zero. Returns `text`.
const char *clock_format(int64_t utc_us, char text[static CLOCK_TEXT_BYTES]);
// The same, always with microseconds.
const char *clock_format_us(int64_t utc_us, char text[static CLOCK_TEXT_BYTES]);

// Reads an RFC 3339 date-time (offset or Z required, up to nine decimals, no leap second) between the years 1970 and 9999.
// ERROR_INVALID otherwise.
int clock_parse(const char *text, int64_t *ret_utc_us) MUST_USE;

#endif
