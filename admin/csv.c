// SPDX-License-Identifier: Apache-2.0
#include "admin/csv.h"

#include <string.h>

static void write_field(const char *field, struct buffer *text)
{
    if (!field || !*field)
        return;
    const bool is_formula = strchr("=+-@\t\r\n", *field) != NULL;
    if (!is_formula && !strpbrk(field, ",\"\r\n")) {
        buffer_text(text, field);
        return;
    }
    buffer_text(text, is_formula ? "\"'" : "\"");
    for (; *field; field++)
        buffer_append(text, *field == '"' ? "\"\"" : field, *field == '"' ? 2 : 1);
    buffer_text(text, "\"");
}

void csv_write(const char *const *fields, size_t count, struct buffer *text)
{
    for (size_t i = 0; i < count; i++) {
        if (i)
            buffer_text(text, ",");
        write_field(fields[i], text);
    }
    buffer_text(text, "\r\n");
}
