// SPDX-License-Identifier: Apache-2.0
// Reading and writing a pace. Exact and strict: what is dialled by mistake must be refused, not guessed.
#include "common/pace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *text;
    uint32_t per_seconds;
} units[] = {{"/s", 1}, {"/min", 60}, {"/h", 3600}};
#define UNIT_COUNT (sizeof units / sizeof units[0])

static const char auto_text[] = "auto";
#define AUTO_BYTES (sizeof auto_text - 1)

// Reads digits and a unit. Zero needs no unit and always comes back as 0 per second.
static int parse_count(const char *text, struct pace *pace)
{
    uint64_t count = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        count = count * 10 + (uint64_t)(*at - '0');
        if (count > UINT64_C(3600) * PACE_PER_SECOND_MAX)
            return ERROR_INVALID;
    }
    if (at == text)
        return ERROR_INVALID;
    *pace = (struct pace){.count = count, .per_seconds = 1};
    if (count == 0 && *at == '\0')
        return 0;
    for (size_t i = 0; i < UNIT_COUNT; i++) {
        if (strcmp(at, units[i].text) != 0)
            continue;
        if (count > (uint64_t)units[i].per_seconds * PACE_PER_SECOND_MAX)
            return ERROR_INVALID;
        if (count > 0)
            pace->per_seconds = units[i].per_seconds;
        return 0;
    }
    return ERROR_INVALID;
}

int pace_parse(const char *text, struct pace *ret)
{
    if (!text || strnlen(text, PACE_TEXT_BYTES) >= PACE_TEXT_BYTES)
        return ERROR_INVALID;
    struct pace pace = {.is_auto = true, .per_seconds = 1};
    if (strcmp(text, auto_text) != 0) {
        bool is_auto = strncmp(text, auto_text, AUTO_BYTES) == 0 && text[AUTO_BYTES] == ':';
        int error = parse_count(is_auto ? text + AUTO_BYTES + 1 : text, &pace);
        // A ceiling of zero would read as no ceiling at all; who wants nobody let in says "0".
        if (error != 0 || (is_auto && pace.count == 0))
            return ERROR_INVALID;
        pace.is_auto = is_auto;
    }
    *ret = pace;
    return 0;
}

const char *pace_format(const struct pace *pace, char text[static PACE_TEXT_BYTES])
{
    const char *unit = units[0].text;
    for (size_t i = 0; i < UNIT_COUNT; i++)
        if (units[i].per_seconds == pace->per_seconds)
            unit = units[i].text;
    if (pace->count == 0)
        (void)snprintf(text, PACE_TEXT_BYTES, "%s", pace->is_auto ? auto_text : "0");
    else
        (void)snprintf(text, PACE_TEXT_BYTES, "%s%" PRIu64 "%s", pace->is_auto ? "auto:" : "", pace->count, unit);
    return text;
}
