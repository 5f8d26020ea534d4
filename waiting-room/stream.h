// SPDX-License-Identifier: Apache-2.0
// One stream of server-sent events. It keeps no backlog, just which kinds of frame are due: whoever reads slowly gets the
// newest state. Everything runs on the loop that owns the view.
#ifndef WAITING_ROOM_STREAM_H
#define WAITING_ROOM_STREAM_H

#include <stdint.h>

#include "waiting-room/room_loop.h"
#include "waiting-room/visitor.h"

// Answers the exchange with a stream for that visitor. `set_cookie` may be NULL.
void stream_open(struct http_exchange *exchange, struct visitor *visitor, const char *set_cookie);

// Sends what changed to all streams of the view: FRAME_BITs of shared frames, and personal frames to those whose own state
// is another one now.
void stream_tell_view(struct room_loop *loop, struct event_view *view, unsigned frame_bits);
// The same for one visitor's streams, after news about them alone: their arrival or their order.
void stream_tell_visitor(struct room_loop *loop, struct visitor *visitor);
// Asks MySQL anew about every visitor of the view who is on a stream.
void stream_ask_again(struct room_loop *loop, struct event_view *view);

// What is known of the visitor's order is not all: asks MySQL anew. Without a stream, that is left to who needs it.
void stream_ask_visitor(struct room_loop *loop, struct visitor *visitor);

// Comments to streams that have been silent for long, and the end of those that must go. Call it four times a second.
void stream_tend(struct room_loop *loop, struct event_view *view);

void stream_register_metrics(void); // once, before threads start

#endif
