// SPDX-License-Identifier: Apache-2.0
// Parsing and writing of the cookie and the bearer; what the token says is judged elsewhere.
#include "waiting-room/cookie.h"

#include <string.h>
#include <strings.h>

#define PREFIX "__Host-onsale-"

int cookie_find(const char *field, const char *slug, const char **ret_value, size_t *ret_bytes)
{
    size_t slug_bytes = strlen(slug);
    const char *next = field;
    while (next && *next) {
        const char *pair = next + strspn(next, "; \t");
        size_t bytes = strcspn(pair, ";");
        next = pair + bytes;
        if (bytes < sizeof PREFIX + slug_bytes || strncmp(pair, PREFIX, sizeof PREFIX - 1) != 0)
            continue;
        const char *name_end = pair + sizeof PREFIX - 1 + slug_bytes;
        if (strncmp(pair + sizeof PREFIX - 1, slug, slug_bytes) != 0 || *name_end != '=')
            continue;
        const char *value = name_end + 1;
        size_t value_bytes = (size_t)(pair + bytes - value);
        while (value_bytes && (value[value_bytes - 1] == ' ' || value[value_bytes - 1] == '\t'))
            value_bytes--;
        *ret_value = value;
        *ret_bytes = value_bytes;
        return 0;
    }
    return ERROR_NOT_FOUND;
}

// The prefix __Host- makes browsers insist on Secure and Path=/ and refuse a Domain: no sibling site can plant one.
#define ATTRIBUTES "; Path=/; Secure; HttpOnly; SameSite=Lax"

void cookie_give(struct buffer *text, const char *slug, const char *token, int64_t max_age_seconds)
{
    buffer_text(text, PREFIX);
    buffer_text(text, slug);
    buffer_text(text, "=");
    buffer_text(text, token);
    buffer_text(text, "; Max-Age=");
    buffer_number(text, (uint64_t)max_age_seconds);
    buffer_text(text, ATTRIBUTES);
}

void cookie_remove(struct buffer *text, const char *slug)
{
    buffer_format(text, PREFIX "%s=; Max-Age=0" ATTRIBUTES, slug);
}

int bearer_find(const char *field, const char **ret_token, size_t *ret_bytes)
{
    if (!field || strncasecmp(field, "bearer", 6) != 0 || (field[6] != ' ' && field[6] != '\0'))
        return ERROR_NOT_FOUND;
    const char *token = field + 6 + strspn(field + 6, " ");
    size_t bytes = strcspn(token, " \t,");
    if (bytes == 0 || token[bytes + strspn(token + bytes, " ")] != '\0')
        return ERROR_INVALID;
    *ret_token = token;
    *ret_bytes = bytes;
    return 0;
}
