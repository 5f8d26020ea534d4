// SPDX-License-Identifier: Apache-2.0
// What visitors read, as text: the JSON documents and the frames of the stream (HTML, 9.2: Server-sent events). Pure.
#ifndef WAITING_ROOM_FRAMES_H
#define WAITING_ROOM_FRAMES_H

#include <stdint.h>

#include "common/buffer.h"
#include "common/config.h"
#include "waiting-room/line_state.h"
#include "waiting-room/snapshot.h"

// Where the line is, as a view knows it.
struct frames_line {
    uint64_t served, last;
    bool has_wait;
    int64_t us_per_place_low, us_per_place_high;
};

// Each appends one JSON object.
void frames_public(struct buffer *text, const struct snapshot *event, const struct frames_line *line,
                   enum payment_provider payment, int64_t now_us);
// `token` NULL: left out. The seat is the arrival's number, shown while there is no place.
void frames_line(struct buffer *text, const struct line_state *state, uint64_t seat, const char *token, int64_t now_us);
void frames_event(struct buffer *text, const struct snapshot *event);
void frames_stock(struct buffer *text, const struct snapshot *event);
void frames_notice(struct buffer *text, const struct snapshot *event); // both members null when there is none
void frames_served(struct buffer *text, const struct snapshot *event, const struct frames_line *line);

// Wraps one line of JSON into a frame of the stream.
void frames_sse(struct buffer *text, const char *event, uint64_t id, const char *json);
// The first thing on a stream: how long to wait before connecting again, spread so that the clients of a server that went
// away do not come back together.
void frames_sse_retry(struct buffer *text, uint64_t random);

#endif
