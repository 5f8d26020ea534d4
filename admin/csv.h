// SPDX-License-Identifier: Apache-2.0
// CSV by RFC 4180, safe to open in a spreadsheet. Pure.
#ifndef ADMIN_CSV_H
#define ADMIN_CSV_H

#include <stddef.h>

#include "common/buffer.h"

// Appends one record with its CRLF. NULL is an empty field. A field that a spreadsheet would take for a formula, because it begins with
// =, +, -, @, a tab or a line end, gets an apostrophe in front: what visitors typed must not be run on the seller's desk.
void csv_write(const char *const *fields, size_t count, struct buffer *text);

#endif
