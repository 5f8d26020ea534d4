// SPDX-License-Identifier: Apache-2.0
// See store.h: how often a message that came back was tried.
#include "booking-worker/store.h"

int store_note_attempt(struct db *db, const char *queue, const uint8_t digest[static DEAD_LETTER_DIGEST_BYTES],
                       uint32_t *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_write(db,
                          "INSERT INTO delivery_attempts (digest, queue, attempts, last_at)"
                          " VALUES (?, ?, 1, UTC_TIMESTAMP(6))"
                          " ON DUPLICATE KEY UPDATE attempts = attempts + 1, last_at = VALUES(last_at)",
                          (struct db_value[]){DB_B(digest, DEAD_LETTER_DIGEST_BYTES), db_text(queue)}, 2, NULL);
    if (result == 0)
        result = db_read(db, "SELECT attempts FROM delivery_attempts WHERE digest = ?",
                         (struct db_value[]){DB_B(digest, DEAD_LETTER_DIGEST_BYTES)}, 1, 1, &rows);
    if (result == 0)
        *ret = db_rows_count(rows) ? (uint32_t)db_u64(rows, 0, 0) : 1;
    return result;
}

int store_forget_attempts(struct db *db, const uint8_t digest[static DEAD_LETTER_DIGEST_BYTES])
{
    return db_write(db, "DELETE FROM delivery_attempts WHERE digest = ?",
                    (struct db_value[]){DB_B(digest, DEAD_LETTER_DIGEST_BYTES)}, 1, NULL);
}
