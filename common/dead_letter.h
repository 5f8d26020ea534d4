// SPDX-License-Identifier: Apache-2.0
// Dead letters as messages (type `dead`, queue onsale.dead): a message that could not be processed, with the reason, on its way to
// the notifier, which records it in MySQL. Written to the outbox in the transaction that condemned it.
#ifndef COMMON_DEAD_LETTER_H
#define COMMON_DEAD_LETTER_H

#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/error.h"

#define DEAD_LETTER_TYPE "dead"
#define DEAD_LETTER_BODY_BYTES_MAX (16 * 1024) // what is kept of the condemned message
#define DEAD_LETTER_DIGEST_BYTES 32
#define DEAD_LETTER_DETAIL_BYTES 501

struct dead_letter {
    char queue[65]; // where it was
    char reason[33]; // one word of the list in docs/messages.md
    char detail[DEAD_LETTER_DETAIL_BYTES]; // a sentence for the operator, UTF-8
    uint8_t digest[DEAD_LETTER_DIGEST_BYTES]; // SHA-256 over the whole condemned body
    uint64_t event_id, place; // 0: it did not say
    uint32_t attempt;
    size_t body_bytes;
    const void
        *body; // the condemned message's first bytes, any bytes; borrowed when writing, owned by *memory when read
    void *memory;
};

// SHA-256 over a message's body.
void dead_letter_digest(const void *body, size_t body_bytes, uint8_t ret[static DEAD_LETTER_DIGEST_BYTES]);
// Appends the message as JSON; the body as base64url, cut at DEAD_LETTER_BODY_BYTES_MAX. Check text->failed.
void dead_letter_write(const struct dead_letter *letter, struct buffer *text);
// ERROR_INVALID with the reason in `problem`, ERROR_MEMORY. Freed with dead_letter_done().
int dead_letter_read(const char *body, size_t body_bytes, struct dead_letter *ret, char *problem,
                     size_t problem_bytes) MUST_USE;
void dead_letter_done(struct dead_letter *letter); // accepts NULL and an empty one

#endif
