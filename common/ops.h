// SPDX-License-Identifier: Apache-2.0
// The operators' port: /healthz (alive), /readyz (can do its work; 503 and what is missing otherwise), /metrics.
// Served by libmicrohttpd from a thread of its own.
#ifndef COMMON_OPS_H
#define COMMON_OPS_H

#include <stdbool.h>

#include "common/buffer.h"
#include "common/error.h"

struct ops;

// Says whether the program can do its work; appends what is missing, a line each (ready, but with less than it would like:
// shown behind "ok"). Called from the ops thread.
typedef bool ops_ready_fn(void *context, struct buffer *missing);

// Listens on HOST:PORT (port 0: any free one; logged as ops_listening with the port; empty address: no port, *ret is NULL).
// ERROR_INVALID for an address that is none, ERROR_PERMANENT when it cannot be bound.
int ops_open(const char *address, ops_ready_fn *ready, void *context, struct ops **ret) MUST_USE;
void ops_close(struct ops *ops); // accepts NULL

#endif
