// SPDX-License-Identifier: Apache-2.0
// The rights of the programs' MySQL users, read from the file that this program carries (sql/grants.sql). Pure but for
// grants_text, which is that file.
#ifndef ADMIN_GRANTS_H
#define ADMIN_GRANTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

#define GRANTS_MAX 256
#define GRANT_NAME_BYTES 65

// One right on one table, or on one of its columns.
struct grant {
    char program[GRANT_NAME_BYTES];
    char table[GRANT_NAME_BYTES];
    char privilege[GRANT_NAME_BYTES]; // "SELECT"
    char column[GRANT_NAME_BYTES]; // "" for the whole table
};

struct grants {
    size_t count;
    struct grant items[GRANTS_MAX];
};

extern const char grants_text[];
extern const char grants_text_end[];

// Reads blocks of "-- program: NAME" and "GRANT PRIVILEGE [(COLUMN, …)], … ON TABLE;". ERROR_INVALID with the line's
// number in *ret_line for anything else that is no comment; ERROR_LIMIT when there are more than GRANTS_MAX.
int grants_read(const char *text, size_t bytes, struct grants *ret, size_t *ret_line) MUST_USE;

bool grants_have(const struct grants *grants, const char *program, const char *table, const char *privilege,
                 const char *column);
bool grants_know(const struct grants *grants, const char *program); // it has a block

#endif
