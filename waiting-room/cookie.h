// SPDX-License-Identifier: Apache-2.0
// How a queue token travels: as a bearer (RFC 6750) or in the cookie __Host-onsale-SLUG (RFC 6265). Pure.
#ifndef WAITING_ROOM_COOKIE_H
#define WAITING_ROOM_COOKIE_H

#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/error.h"

// Finds the event's cookie in a Cookie field. 0: *ret_value (borrowed, not terminated) and its length; it may be empty.
// ERROR_NOT_FOUND: not there. When the name comes twice the first one counts, as browsers put the better match first.
int cookie_find(const char *field, const char *slug, const char **ret_value, size_t *ret_bytes) MUST_USE;

// Appends the Set-Cookie value that gives the token, or the one that takes it away.
void cookie_give(struct buffer *text, const char *slug, const char *token, int64_t max_age_seconds);
void cookie_remove(struct buffer *text, const char *slug);

// Reads "Bearer TOKEN". ERROR_NOT_FOUND: no field, or another scheme. ERROR_INVALID: nothing or more than one word behind it.
int bearer_find(const char *field, const char **ret_token, size_t *ret_bytes) MUST_USE;

#endif
