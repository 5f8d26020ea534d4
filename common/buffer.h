// SPDX-License-Identifier: Apache-2.0
// A growing byte string with a ceiling. Appending to a buffer that failed does nothing, so a caller builds a whole text
// and checks once.
#ifndef COMMON_BUFFER_H
#define COMMON_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct buffer {
    char *data; // always NUL-terminated once anything was appended; owned by the buffer
    size_t bytes; // without the NUL
    size_t capacity;
    size_t bytes_max; // 0: 16 MiB
    bool failed; // out of memory or over bytes_max; data keeps what fitted before
};

#define BUFFER_INIT ((struct buffer){0})

void buffer_done(struct buffer *buffer); // frees the data; accepts NULL; the buffer may be used again
void buffer_clear(struct buffer *buffer); // empties it and keeps the memory
void buffer_append(struct buffer *buffer, const void *data, size_t bytes);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_number(struct buffer *buffer, uint64_t number); // decimal
// Dear, as everything of printf's family: what is written for every visitor is put together from the functions above.
void buffer_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
void buffer_json_string(struct buffer *buffer, const char *text); // quoted and escaped (RFC 8259)
void buffer_html(struct buffer *buffer, const char *text); // & < > " ' escaped
// Gives the data away (to be freed with free()) and leaves the buffer empty. NULL if the buffer failed.
char *buffer_take(struct buffer *buffer);

#endif
