// SPDX-License-Identifier: Apache-2.0
// The growing byte string. Capacity doubles, so that appending costs amortised constant time, and stops at the ceiling.
#include "common/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

#define BYTES_MAX_DEFAULT ((size_t)16 * 1024 * 1024)
#define CAPACITY_FIRST 512

void buffer_done(struct buffer *buffer)
{
    if (!buffer)
        return;
    free(buffer->data);
    *buffer = (struct buffer){.bytes_max = buffer->bytes_max};
}

void buffer_clear(struct buffer *buffer)
{
    buffer->bytes = 0;
    buffer->failed = false;
    if (buffer->data)
        buffer->data[0] = '\0';
}

// Makes room for `bytes` more and the NUL. Sets `failed` and returns false if there can be none.
static bool reserve(struct buffer *buffer, size_t bytes)
{
    if (buffer->failed)
        return false;
    size_t bytes_max = buffer->bytes_max > 0 ? buffer->bytes_max : BYTES_MAX_DEFAULT;
    if (buffer->bytes > bytes_max || bytes > bytes_max - buffer->bytes) {
        buffer->failed = true;
        return false;
    }
    size_t needed = buffer->bytes + bytes + 1;
    if (needed <= buffer->capacity)
        return true;
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : CAPACITY_FIRST;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    char *data = realloc(buffer->data, capacity);
    if (!data) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void buffer_append(struct buffer *buffer, const void *data, size_t bytes)
{
    if (!reserve(buffer, bytes))
        return;
    if (bytes > 0)
        memcpy(buffer->data + buffer->bytes, data, bytes);
    buffer->bytes += bytes;
    buffer->data[buffer->bytes] = '\0';
}

void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_number(struct buffer *buffer, uint64_t number)
{
    char digits[20];
    size_t first = sizeof digits;
    do
        digits[--first] = (char)('0' + number % 10);
    while (number /= 10);
    buffer_append(buffer, digits + first, sizeof digits - first);
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
    if (!reserve(buffer, 0))
        return;
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    size_t room = buffer->capacity - buffer->bytes;
    int written = vsnprintf(buffer->data + buffer->bytes, room, format, arguments);
    if (written < 0) {
        buffer->failed = true;
    } else if ((size_t)written < room) {
        // It may fit the memory and still pass the ceiling.
        if (reserve(buffer, (size_t)written))
            buffer->bytes += (size_t)written;
    } else if (reserve(buffer, (size_t)written)) {
        (void)vsnprintf(buffer->data + buffer->bytes, (size_t)written + 1, format, again);
        buffer->bytes += (size_t)written;
    }
    if (buffer->data)
        buffer->data[buffer->bytes] = '\0'; // on failure, only what fitted before is left
    va_end(again);
    va_end(arguments);
}

// The escape of a character in a JSON string, or NULL when it stands for itself. `scratch` is for \u00XX.
static const char *json_escape(unsigned char c, char scratch[static 8])
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        if (c >= 0x20 && c != 0x7F)
            return NULL;
        (void)snprintf(scratch, 8, "\\u%04x", c);
        return scratch;
    }
}

void buffer_json_string(struct buffer *buffer, const char *text)
{
    size_t bytes = strlen(text);
    buffer_append(buffer, "\"", 1);
    size_t plain = 0; // where the text begins that stands for itself and is not yet appended
    for (size_t i = 0; i < bytes;) {
        char scratch[8];
        size_t length = utf8_character_bytes(text + i, bytes - i);
        const char *instead = length == 0   ? UTF8_REPLACEMENT
                              : length == 1 ? json_escape((unsigned char)text[i], scratch)
                                            : NULL;
        size_t next = i + (length == 0 ? 1 : length);
        if (instead) {
            buffer_append(buffer, text + plain, i - plain);
            buffer_text(buffer, instead);
            plain = next;
        }
        i = next;
    }
    buffer_append(buffer, text + plain, bytes - plain);
    buffer_append(buffer, "\"", 1);
}

static const char *html_escape(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void buffer_html(struct buffer *buffer, const char *text)
{
    const char *plain = text;
    for (; *text; text++) {
        const char *instead = html_escape(*text);
        if (!instead)
            continue;
        buffer_append(buffer, plain, (size_t)(text - plain));
        buffer_text(buffer, instead);
        plain = text + 1;
    }
    buffer_append(buffer, plain, (size_t)(text - plain));
}

char *buffer_take(struct buffer *buffer)
{
    buffer_append(buffer, "", 0); // an empty text is a text too
    char *data = NULL;
    if (!buffer->failed) {
        data = buffer->data;
        buffer->data = NULL;
    }
    buffer_done(buffer);
    return data;
}
