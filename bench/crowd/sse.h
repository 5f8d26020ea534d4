// SPDX-License-Identifier: Apache-2.0
// Reads an event stream (HTML, 9.2.6) piece by piece. Pure. Lines end with LF, as the waiting room writes them; CR before it
// is dropped.
#ifndef BENCH_CROWD_SSE_H
#define BENCH_CROWD_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "common/error.h"

#define SSE_LINE_BYTES_MAX 65536

struct sse {
    struct buffer line, data; // what of a line, and of a frame's data, has come
    char event[33];
};

void sse_init(struct sse *sse);
void sse_done(struct sse *sse); // accepts NULL

// Called for each complete frame that has data; `text` is the data, NUL-terminated. False: no more is wanted.
typedef bool sse_frame_fn(void *owner, const char *event, const char *text, size_t bytes);

// ERROR_LIMIT for a line or a frame longer than SSE_LINE_BYTES_MAX. After `on_frame` returned false the rest is thrown away,
// and *sse is not looked at again, so it may be gone by then.
int sse_take(struct sse *sse, const char *piece, size_t bytes, sse_frame_fn *on_frame, void *owner) MUST_USE;

#endif
