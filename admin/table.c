// SPDX-License-Identifier: Apache-2.0
// Aligning columns. A character counts as one column wide, which is right for all but East Asian and combining
// characters.
#include "admin/table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

static size_t width_of(const char *cell)
{
    size_t width = 0;
    for (; cell && *cell; cell++)
        width += ((unsigned char)*cell & 0xc0) != 0x80;
    return width;
}

static void write_cell(const char *cell, size_t width, bool right, bool last, struct buffer *text)
{
    size_t own = width_of(cell);
    int padding = own < width ? (int)(width - own) : 0;
    if (right)
        buffer_format(text, "%*s", padding, "");
    for (; cell && *cell; cell++) {
        bool control = (unsigned char)*cell < 0x20 || *cell == 0x7f;
        buffer_append(text, control ? "?" : cell, 1);
    }
    if (!last)
        buffer_format(text, "%*s", (right ? 0 : padding) + 2, "");
}

void table_write(const char *const *cells, size_t column_count, size_t row_count, struct buffer *text)
{
    assert(column_count >= 1 && column_count <= TABLE_COLUMNS_MAX);
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    bool right[TABLE_COLUMNS_MAX] = {false};
    for (size_t c = 0; row_count && c < column_count; c++)
        right[c] = cells[c] && cells[c][0] == '>';
    for (size_t r = 0; r < row_count; r++) {
        for (size_t c = 0; c < column_count; c++) {
            const char *cell = cells[r * column_count + c];
            size_t width = width_of(cell) - (r == 0 && right[c]);
            if (width > widths[c])
                widths[c] = width;
        }
    }
    for (size_t r = 0; r < row_count; r++) {
        for (size_t c = 0; c < column_count; c++) {
            const char *cell = cells[r * column_count + c];
            write_cell(r == 0 && right[c] ? cell + 1 : cell, widths[c], right[c], c + 1 == column_count, text);
        }
        buffer_text(text, "\n");
    }
}

const char *table_number(uint64_t number, char text[static TABLE_NUMBER_BYTES])
{
    snprintf(text, TABLE_NUMBER_BYTES, "%" PRIu64, number);
    return text;
}
