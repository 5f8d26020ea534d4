// SPDX-License-Identifier: Apache-2.0
// What the files of the store share: taking values out of rows, and keys as JSON.
#ifndef BOOKING_WORKER_STORE_INTERNAL_H
#define BOOKING_WORKER_STORE_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "booking-worker/store.h"
#include "common/buffer.h"

// ERROR_BUG when the text is NULL or does not fit: the columns are no longer than that.
int store_copy_text(const char *text, size_t bytes, char *ret) MUST_USE;
// The same, with "" for NULL.
int store_copy_optional(const char *text, size_t bytes, char *ret) MUST_USE;
void store_copy_bytes(const struct db_rows *rows, size_t row, size_t column, size_t bytes, void *ret);
// Appends [[place,attempt],…].
void store_write_keys(struct buffer *text, const struct store_key *keys, size_t count);

#endif
