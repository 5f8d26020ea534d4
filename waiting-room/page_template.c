// SPDX-License-Identifier: Apache-2.0
// See page_template.h.
#define _GNU_SOURCE // memmem()
#include "waiting-room/page_template.h"

#include <string.h>

void page_template_fill(const char *template, size_t template_bytes,
                        void (*append)(struct buffer *html, const void *context, const char *name), const void *context,
                        struct buffer *html)
{
    const char *rest = template, *end = template + template_bytes;
    while (rest < end) {
        const char *open = memmem(rest, (size_t)(end - rest), "{{", 2);
        const char *close = open == NULL ? NULL : memmem(open, (size_t)(end - open), "}}", 2);
        if (close == NULL)
            break;
        buffer_append(html, rest, (size_t)(open - rest));
        char name[PAGE_PLACEHOLDER_BYTES_MAX];
        size_t name_bytes = (size_t)(close - open) - 2;
        if (name_bytes < sizeof(name)) {
            memcpy(name, open + 2, name_bytes);
            name[name_bytes] = '\0';
            append(html, context, name);
        }
        rest = close + 2;
    }
    buffer_append(html, rest, (size_t)(end - rest));
}
