// SPDX-License-Identifier: Apache-2.0
// The document of GET /v1/events/SLUG/seats: the hall of each seated tier and which of its seats somebody has. Its tiers are written
// once for everybody who asks; what differs from answer to answer is `now` alone. Pure.
#ifndef WAITING_ROOM_SEATS_DOCUMENT_H
#define WAITING_ROOM_SEATS_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "waiting-room/hall.h"

#define SEATS_ETAG_BYTES 24 // W/"0123456789abcdef" and NUL

// Immutable and counted: the store and all loops share one.
struct seats_document {
    _Atomic unsigned references;
    char *tiers; // the JSON object {CODE: {…}, …}
    size_t tiers_bytes;
    char etag[SEATS_ETAG_BYTES]; // weak, with its quotes: it is of the tiers, and `now` is not
};

// Appends one tier: {"version":…,"rows":[{"row","seats","wheelchair","companion","blocked","taken"}, …]}, members without content left out.
// `taken` has a flag for each seat, row by row.
void seats_tier_write(struct buffer *text, const struct hall *hall, uint64_t version, const bool *taken);

// Takes the text over, which the caller has written. NULL when out of memory, or when the text failed: then it is still the caller's.
struct seats_document *seats_document_new(struct buffer *tiers);
struct seats_document *seats_document_ref(struct seats_document *document); // accepts NULL
void seats_document_unref(struct seats_document *document); // accepts NULL

// Whether a field If-None-Match names it (RFC 9110, 13.1.2). The field may be NULL.
bool seats_document_is_known(const struct seats_document *document, const char *if_none_match);

// Appends the whole document; `at_us` is when MySQL had it so.
void seats_document_write(struct buffer *text, const char *slug, const struct seats_document *document, int64_t at_us);

#endif
