// SPDX-License-Identifier: Apache-2.0
// What one loop of the waiting room owns: its views of the events, its copy of the keys and of the page, its timer. The loop
// is told everything by messages on its own thread.
#ifndef WAITING_ROOM_ROOM_LOOP_H
#define WAITING_ROOM_ROOM_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/keyring.h"
#include "common/ticket_keys.h"
#include "waiting-room/event_view.h"
#include "waiting-room/http.h"
#include "waiting-room/page_files.h"
#include "waiting-room/room.h"

struct room_loop {
    struct room *room;
    struct http_loop *http;
    bool loaded; // all events have been read once
    struct event_view *views;
    struct keyring keyring; // key_count 0: none yet
    struct page_files *page;
    struct ticket_keys *tickets; // NULL: none yet
    uv_timer_t timer;
    unsigned ticks;
    int64_t ticked_ns; // when the timer last ran
    int64_t behind_until_ns; // 0 unless the process stood still
};

void *room_loop_start(struct http_loop *http);
void room_loop_stop(struct http_loop *http, void *data);

struct event_view *room_loop_view(const struct room_loop *loop, const char *slug); // NULL: no such event
int64_t room_loop_now_us(const struct room_loop *loop); // MySQL's clock
// The process stood still (frozen, suspended) until just now: the line that the loop knows may be one that others have long
// told this visitor more of. Only MySQL is to be believed until the feed has spoken again.
bool room_loop_is_behind(const struct room_loop *loop);
void room_loop_note_read(struct event_view *view); // somebody reads the event: what is left is worth knowing

// What other threads post; each lets its argument go.
void room_loop_on_snapshot(struct http_loop *http, void *snapshot);
void room_loop_on_served(struct http_loop *http, void *served_news);
void room_loop_on_left(struct http_loop *http, void *left_news);
void room_loop_on_ordered(struct http_loop *http, void *ordered_news);
void room_loop_on_outcomes(struct http_loop *http, void *outcomes_news);
void room_loop_on_outcomes_missed(struct http_loop *http, void *unused); // ask about everybody's order again
void room_loop_on_stock(struct http_loop *http, void *stock_news);
void room_loop_on_ready(struct http_loop *http, void *unused);
void room_loop_on_feed_back(struct http_loop *http,
                            void *unused); // something may have been missed: ask about everybody again
void room_loop_on_keyring(struct http_loop *http, void *keys);
void room_loop_on_tickets(struct http_loop *http, void *ticket_keys);
void room_loop_on_page(struct http_loop *http, void *page_files);

#endif
