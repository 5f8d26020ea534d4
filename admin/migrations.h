// SPDX-License-Identifier: Apache-2.0
// The migrations that this program carries: the files sql/NNNN_NAME.sql, in order, as they were when it was built.
#ifndef ADMIN_MIGRATIONS_H
#define ADMIN_MIGRATIONS_H

#include <stddef.h>

#include "common/error.h"

#define MIGRATION_CHECKSUM_BYTES 65 // SHA-256 in hexadecimal, and its NUL

struct migration {
    unsigned version; // NNNN: 1, 2, 3, …
    const char *name; // "line"
    const char *text; // the file
    const char *text_end;
};

extern const struct migration migrations[];
extern const size_t migration_count;

// The checksum by which a database says what it was made with. Returns `text`.
const char *migration_checksum(const struct migration *migration, char text[static MIGRATION_CHECKSUM_BYTES]);

#endif
