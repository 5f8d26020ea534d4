// SPDX-License-Identifier: Apache-2.0
// Where a visitor stands: lobby → waiting → turn → over, or left. Pure: what is known of the event, what is known of the
// arrival, and a time go in; nothing is read or kept.
#ifndef WAITING_ROOM_LINE_STATE_H
#define WAITING_ROOM_LINE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "waiting-room/snapshot.h"

enum line { LINE_LOBBY, LINE_WAITING, LINE_TURN, LINE_OVER, LINE_LEFT };

const char *line_name(enum line line); // "waiting"

// What the rules need of an event.
struct line_event {
    enum lifecycle_state state;
    bool opened;
    int64_t turn_us, absent_us;
    int64_t stopped_us, stopped_at_us; // as in struct snapshot
    uint64_t served;
    bool has_wait;
    int64_t us_per_place_low, us_per_place_high;
};

// What is known of an arrival.
struct line_facts {
    uint64_t number;
    bool left;
    enum {
        LINE_TURN_UNKNOWN, // nobody has looked since the place was let in
        LINE_TURN_BEGAN, // turn_began_us and turn_stopped_us say when
        LINE_TURN_MISSED, // let in while absent, and for too long
    } turn;
    int64_t turn_began_us;
    int64_t turn_stopped_us; // the event's stopped_us at that time
};

struct line_state {
    enum line line;
    uint64_t place; // 0: not known yet (the lobby)
    uint64_t ahead; // people in front of a waiting visitor
    bool has_wait;
    int64_t wait_low_seconds, wait_high_seconds;
    int64_t until_us; // the turn's end; SNAPSHOT_NO_TIME outside a turn, or when it is not known
    bool turn_unknown; // the place is let in, but somebody must look up when
};

// `now_us` is MySQL's clock as near as this process knows it.
void line_state_of(const struct line_event *event, const struct line_facts *facts, int64_t now_us,
                   struct line_state *ret);

// How long the event's clock has stood still at `now_us`.
int64_t line_stopped_us(const struct line_event *event, int64_t now_us);

// Whether somebody who was not there when their place was let in may still begin their turn.
bool line_may_come_back(const struct line_event *event, int64_t let_in_us, int64_t let_in_stopped_us, int64_t now_us);

#endif
