// SPDX-License-Identifier: Apache-2.0
#include "admin/audit_pages.h"

int audit_pages_look(struct db *db, uint64_t event_id, struct audit_pages *pages, bool *ret_is_there)
{
    if (!pages->rows || pages->row == db_rows_count(pages->rows)) {
        if (pages->rows && db_rows_count(pages->rows) < AUDIT_PAGE_ROWS) {
            *ret_is_there = false;
            return 0;
        }
        const struct db_value one[] = {DB_U(event_id), DB_U(pages->after), DB_U(AUDIT_PAGE_ROWS)};
        const struct db_value two[] = {DB_U(event_id), DB_U(pages->after), DB_U(pages->after),
                                       DB_U(pages->after_attempt), DB_U(AUDIT_PAGE_ROWS)};
        audit_pages_done(pages);
        int r = db_read(db, pages->sql, pages->has_attempt ? two : one, pages->has_attempt ? 5 : 3, AUDIT_PAGE_ROWS,
                        &pages->rows);
        if (r < 0)
            return r;
        pages->row = 0;
    }
    *ret_is_there = pages->row < db_rows_count(pages->rows);
    return 0;
}

void audit_pages_take(struct audit_pages *pages)
{
    pages->after = db_u64(pages->rows, pages->row, 0);
    if (pages->has_attempt)
        pages->after_attempt = db_u64(pages->rows, pages->row, 1);
    pages->row++;
}

void audit_pages_done(struct audit_pages *pages)
{
    db_rows_free(pages->rows);
    pages->rows = NULL;
}
