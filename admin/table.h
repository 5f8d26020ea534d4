// SPDX-License-Identifier: Apache-2.0
// Tables for people: cells as text, columns as wide as their widest cell. Pure.
#ifndef ADMIN_TABLE_H
#define ADMIN_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"

#define TABLE_COLUMNS_MAX 12
#define TABLE_NUMBER_BYTES 24

// `cells` holds row_count × column_count texts, the first row being the heads. A column whose head begins with '>' is
// aligned to the right (the '>' is not shown). NULL is an empty cell. Control characters are shown as '?'.
void table_write(const char *const *cells, size_t column_count, size_t row_count, struct buffer *text);

// Writes a number into a cell's text. Returns `text`.
const char *table_number(uint64_t number, char text[static TABLE_NUMBER_BYTES]);

#endif
