// SPDX-License-Identifier: Apache-2.0
// A template in which {{NAME}} stands for something that its user knows. Pure.
#ifndef WAITING_ROOM_PAGE_TEMPLATE_H
#define WAITING_ROOM_PAGE_TEMPLATE_H

#include <stddef.h>

#include "common/buffer.h"

#define PAGE_PLACEHOLDER_BYTES_MAX 32 // of a name, with NUL; a longer one stands for nothing

// Appends the template; what a placeholder stands for is appended by `append`, and is not looked through for placeholders. What begins one and does not
// end it is text.
void page_template_fill(const char *template, size_t template_bytes,
                        void (*append)(struct buffer *html, const void *context, const char *name), const void *context,
                        struct buffer *html);

#endif
