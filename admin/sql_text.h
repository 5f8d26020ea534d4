// SPDX-License-Identifier: Apache-2.0
// SQL files cut into statements. Pure.
#ifndef ADMIN_SQL_TEXT_H
#define ADMIN_SQL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

// Finds the next statement: from *at, of which *bytes are left, skips blanks and `--` comments and goes up to a `;`
// outside of quotes and comments, or to the end. True when there is one: *ret is its beginning (the comments inside are
// part of it, the `;` is not), *ret_bytes its length, and *at and *bytes what comes after.
bool sql_text_next(const char **at, size_t *bytes, const char **ret, size_t *ret_bytes);

#endif
