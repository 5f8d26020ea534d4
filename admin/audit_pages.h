// SPDX-License-Identifier: Apache-2.0
// A table read in pages, row by row, in the order of its key: each table is read once, so that an audit takes time in proportion to
// the line, and no memory to speak of.
#ifndef ADMIN_AUDIT_PAGES_H
#define ADMIN_AUDIT_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/db.h"
#include "common/error.h"

#define AUDIT_PAGE_ROWS 5000

struct audit_pages {
    // With the event's id, the key after which the page begins, and how many rows. The key is the first column, or the first two
    // when `has_attempt`: then the parameters are id, first, first, second, rows.
    const char *sql;
    bool has_attempt;
    struct db_rows *rows;
    size_t row; // the next one
    uint64_t after, after_attempt; // the key of the last row that was taken
};

// Makes the next row available at pages->row, if there is one.
int audit_pages_look(struct db *db, uint64_t event_id, struct audit_pages *pages, bool *ret_is_there) MUST_USE;
// Goes on to the row after it.
void audit_pages_take(struct audit_pages *pages);
void audit_pages_done(struct audit_pages *pages);

#endif
