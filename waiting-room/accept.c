// SPDX-License-Identifier: Apache-2.0
// Reads the Accept field range by range; for each of the two types the most specific range that covers it decides.
#include "waiting-room/accept.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct preference {
    int specificity; // 0: not covered, 1: */*, 2: type/*, 3: the type itself
    int quality; // thousandths
};

// Reads a weight like "0.5" or "1.000" into thousandths; what is malformed counts as 1, the default.
static int read_quality(const char *text)
{
    if (text[0] != '0')
        return 1000;
    int quality = 0, unit = 100;
    if (text[1] == '.')
        for (const char *digit = text + 2; *digit >= '0' && *digit <= '9' && unit > 0; digit++, unit /= 10)
            quality += (*digit - '0') * unit;
    return quality;
}

static int find_quality(const char *range, size_t bytes)
{
    for (size_t i = 0; i + 2 < bytes; i++) {
        if (range[i] != ';')
            continue;
        size_t name = i + 1 + strspn(range + i + 1, " \t");
        if (name + 2 < bytes && (range[name] == 'q' || range[name] == 'Q') && range[name + 1] == '=')
            return read_quality(range + name + 2);
    }
    return 1000;
}

static void weigh(struct preference *preference, const char *type, const char *range, size_t type_bytes, int quality)
{
    size_t main_bytes = strcspn(type, "/") + 1;
    int specificity = 0;
    if (type_bytes == 3 && strncmp(range, "*/*", 3) == 0)
        specificity = 1;
    else if (type_bytes == main_bytes + 1 && strncasecmp(range, type, main_bytes) == 0 && range[main_bytes] == '*')
        specificity = 2;
    else if (type_bytes == strlen(type) && strncasecmp(range, type, type_bytes) == 0)
        specificity = 3;
    if (specificity > preference->specificity)
        *preference = (struct preference){specificity, quality};
}

enum accept accept_choose(const char *field)
{
    if (!field || field[strspn(field, " \t,")] == '\0')
        return ACCEPT_JSON;
    struct preference json = {0}, stream = {0};
    const char *next = field;
    while (*next) {
        const char *range = next + strspn(next, " \t,");
        size_t bytes = strcspn(range, ",");
        size_t type_bytes = strcspn(range, "; \t,");
        next = range + bytes;
        int quality = find_quality(range, bytes);
        weigh(&json, "application/json", range, type_bytes, quality);
        weigh(&stream, "text/event-stream", range, type_bytes, quality);
    }
    bool stream_named = stream.specificity == 3 && stream.quality > 0;
    bool json_fits = json.specificity > 0 && json.quality > 0;
    if (stream_named &&
        (!json_fits || stream.quality > json.quality || (stream.quality == json.quality && json.specificity < 3)))
        return ACCEPT_STREAM;
    return json_fits ? ACCEPT_JSON : ACCEPT_NEITHER;
}

bool accept_is_json_body(const char *content_type)
{
    static const char json[] = "application/json";
    size_t bytes = sizeof json - 1;
    return content_type && strncasecmp(content_type, json, bytes) == 0 && strchr(" \t;", content_type[bytes]);
}
