// SPDX-License-Identifier: Apache-2.0
// An event as one loop sees it: the newest snapshot, how far the line is, and the frames that are alike for everybody, built
// once and shared by all streams. `served` only grows here, whatever the news say. Belongs to one loop; nothing is locked.
#ifndef WAITING_ROOM_EVENT_VIEW_H
#define WAITING_ROOM_EVENT_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "waiting-room/frames.h"
#include "waiting-room/line_state.h"
#include "waiting-room/news.h"
#include "waiting-room/seats_document.h"
#include "waiting-room/snapshot.h"

// A text that is being sent by several streams at once.
struct frame {
    unsigned references;
    size_t bytes;
    char data[];
};

struct frame *frame_new(const struct buffer *text); // NULL when out of memory, or when the buffer failed
struct frame *frame_ref(struct frame *frame);
void frame_unref(struct frame *frame); // accepts NULL

enum frame_kind { FRAME_EVENT, FRAME_STOCK, FRAME_NOTICE, FRAME_SERVED, FRAME_KIND_COUNT };
#define FRAME_BIT(kind) (1u << (kind))

struct visitor;
struct stream;
struct seats_asker;

// The plan of the hall, for who asks for it. handle_seats.c's.
struct seats_board {
    struct seats_document *document; // NULL: none yet
    struct frame *text; // of the whole answer, which all share; NULL: none yet, or out of memory
    int64_t looked_ns; // when MySQL had it so
    int64_t answered_ns; // when the store last answered
    bool asking; // the store was asked and has not answered yet
    struct seats_asker *askers; // who waits for that
};

struct event_view {
    struct snapshot *event; // the view's own copy: news of the stock are written into its tiers
    struct frames_line line;
    struct frame *frames[FRAME_KIND_COUNT]; // NULL: to be built when somebody wants it
    uint64_t frame_id;
    bool served_due; // `served` moved since the last frame about it
    int64_t next_served_ns; // not before this time: at most four a second
    bool stock_due; // the same for what is left of the tiers
    int64_t next_stock_ns;
    bool standby_due; // how many stand by before somebody may have changed
    bool standby_asking; // MySQL is being asked
    int64_t next_standby_ns; // not before this time: at most once a second
    int64_t stock_at_us; // MySQL's clock when the stock was counted; SNAPSHOT_NO_TIME: never
    int64_t read_ns; // when the public document or the page was last asked for
    struct visitor **visitors; // by number
    size_t bucket_count, visitor_count;
    struct stream *streams;
    size_t stream_count;
    uint32_t present; // visitors with a stream
    struct seats_board seats;
    struct event_view *next; // in the loop's list
};

struct event_view *event_view_new(const struct snapshot *event); // makes a copy of its own; NULL when out of memory
void event_view_free(struct event_view *view); // accepts NULL; nobody may be on it any more

// Takes a snapshot over unless a newer one is there. Returns FRAME_BITs of what changed for visitors; sets served_due and stock_due.
unsigned event_view_take_snapshot(struct event_view *view, const struct snapshot *event);
// Takes the line's news over; older news than what is known changes nothing. Sets served_due.
void event_view_take_served(struct event_view *view, const struct message_served_event *news);
// Takes over what is left of the tiers; what was counted earlier than what is known changes nothing. Sets stock_due, and standby_due while
// somebody stands by or just did.
void event_view_take_stock(struct event_view *view, const struct stock_news *news);
// The same as event_view_take_served() with what an answer from MySQL carried along.
void event_view_take_line(struct event_view *view, uint64_t served, uint64_t last);

// The newest frame of a kind, with a reference for the caller. NULL when out of memory.
struct frame *event_view_frame(struct event_view *view, enum frame_kind kind);

void event_view_rules(const struct event_view *view, struct line_event *ret);
// How long the event's clock has stood still at `now_us`, a stop that goes on included.
int64_t event_view_stopped_us(const struct event_view *view, int64_t now_us);

#endif
