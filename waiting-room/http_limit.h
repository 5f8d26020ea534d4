// SPDX-License-Identifier: Apache-2.0
// How many connections each address has, over all loops. One small table behind a mutex: it is touched only when a
// connection comes or goes.
#ifndef WAITING_ROOM_HTTP_LIMIT_H
#define WAITING_ROOM_HTTP_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "waiting-room/peer.h"

struct http_limit;

// `addresses_max` bounds the table: it holds at most one entry for each connection there may be.
int http_limit_new(int64_t per_address_max, size_t addresses_max, struct http_limit **ret) MUST_USE;
void http_limit_free(struct http_limit *limit);
// Counts a connection; false when the address has as many as it may (then nothing was counted). Any thread.
bool http_limit_take(struct http_limit *limit, const struct peer_address *address);
void http_limit_give(struct http_limit *limit, const struct peer_address *address);

#endif
