// SPDX-License-Identifier: Apache-2.0
// The fields that matter to a visitor: event and data. Comments, id and retry are passed over.
#include "bench/crowd/sse.h"

#include <stdio.h>
#include <string.h>

void sse_init(struct sse *sse)
{
    *sse = (struct sse){.line = {.bytes_max = SSE_LINE_BYTES_MAX}, .data = {.bytes_max = SSE_LINE_BYTES_MAX}};
}

void sse_done(struct sse *sse)
{
    if (!sse)
        return;
    buffer_done(&sse->line);
    buffer_done(&sse->data);
}

// The value of a field, if the line is one of that name; the space after the colon is not part of it.
static const char *value_of(const char *line, const char *name)
{
    size_t bytes = strlen(name);
    if (strncmp(line, name, bytes) != 0 || line[bytes] != ':')
        return NULL;
    return line + bytes + (line[bytes + 1] == ' ' ? 2 : 1);
}

static void take_field(struct sse *sse)
{
    const char *value = value_of(sse->line.data, "event");
    if (value) {
        (void)snprintf(sse->event, sizeof sse->event, "%s", value);
        return;
    }
    value = value_of(sse->line.data, "data");
    if (!value)
        return;
    if (sse->data.bytes > 0)
        buffer_text(&sse->data, "\n");
    buffer_text(&sse->data, value);
}

int sse_take(struct sse *sse, const char *piece, size_t bytes, sse_frame_fn *on_frame, void *owner)
{
    while (bytes > 0) {
        const char *end = memchr(piece, '\n', bytes);
        size_t part = end ? (size_t)(end - piece) : bytes;
        buffer_append(&sse->line, piece, part);
        if (sse->line.failed)
            return ERROR_LIMIT;
        piece += part + (end ? 1 : 0);
        bytes -= part + (end ? 1 : 0);
        if (!end)
            return 0;
        if (sse->line.bytes > 0 && sse->line.data[sse->line.bytes - 1] == '\r')
            sse->line.data[--sse->line.bytes] = '\0';
        if (sse->line.bytes > 0) {
            take_field(sse);
            buffer_clear(&sse->line);
            if (sse->data.failed)
                return ERROR_LIMIT;
            continue;
        }
        buffer_clear(&sse->line);
        if (sse->data.bytes > 0) {
            struct buffer data = sse->data;
            sse->data = (struct buffer){.bytes_max = SSE_LINE_BYTES_MAX};
            char event[sizeof sse->event];
            memcpy(event, sse->event, sizeof event);
            sse->event[0] = '\0';
            bool more = on_frame(owner, event[0] ? event : "message", data.data, data.bytes);
            buffer_done(&data);
            if (!more)
                return 0;
        }
        sse->event[0] = '\0';
    }
    return 0;
}
