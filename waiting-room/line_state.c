// SPDX-License-Identifier: Apache-2.0
// The rules of the line. A turn's end is wall time, moved on by as long as the event's clock has stood still since it began.
#include "waiting-room/line_state.h"

#define SECOND_US 1000000

const char *line_name(enum line line)
{
    static const char *const names[] = {
        [LINE_LOBBY] = "lobby", [LINE_WAITING] = "waiting", [LINE_TURN] = "turn",
        [LINE_OVER] = "over",   [LINE_LEFT] = "left",
    };
    return names[line];
}

int64_t line_stopped_us(const struct line_event *event, int64_t now_us)
{
    bool stopped = event->state == LIFECYCLE_STOPPED && event->stopped_at_us != SNAPSHOT_NO_TIME;
    return event->stopped_us + (stopped && now_us > event->stopped_at_us ? now_us - event->stopped_at_us : 0);
}

bool line_may_come_back(const struct line_event *event, int64_t let_in_us, int64_t let_in_stopped_us, int64_t now_us)
{
    int64_t stood_still_us = line_stopped_us(event, now_us) - let_in_stopped_us;
    return now_us - let_in_us - stood_still_us <= event->absent_us;
}

// An event that is at its end has nothing more for anybody; opening it again brings everybody back to where they were.
static bool is_at_end(enum lifecycle_state state)
{
    return state == LIFECYCLE_CLOSED || state == LIFECYCLE_SOLD_OUT;
}

static void set_waiting(const struct line_event *event, uint64_t place, struct line_state *state)
{
    uint64_t away = place - event->served; // at least 1
    state->line = LINE_WAITING;
    state->ahead = away - 1;
    // The range is honest only as a range: rounded down at its low end and up at its high end.
    if (event->has_wait && away <= (uint64_t)(INT64_MAX / 2) / (uint64_t)(event->us_per_place_high + 1)) {
        state->has_wait = true;
        state->wait_low_seconds = (int64_t)away * event->us_per_place_low / SECOND_US;
        state->wait_high_seconds = ((int64_t)away * event->us_per_place_high + SECOND_US - 1) / SECOND_US;
    }
}

static void set_let_in(const struct line_event *event, const struct line_facts *facts, int64_t now_us,
                       struct line_state *state)
{
    state->line = LINE_TURN;
    if (facts->turn == LINE_TURN_UNKNOWN) {
        state->turn_unknown = true;
        return;
    }
    int64_t ends_us = facts->turn_began_us + event->turn_us + line_stopped_us(event, now_us) - facts->turn_stopped_us;
    if (facts->turn == LINE_TURN_MISSED || now_us >= ends_us)
        state->line = LINE_OVER;
    else
        state->until_us = ends_us;
}

void line_state_of(const struct line_event *event, const struct line_facts *facts, int64_t now_us,
                   struct line_state *ret)
{
    struct line_state state = {.until_us = SNAPSHOT_NO_TIME, .place = event->opened ? facts->number : 0};
    if (facts->left)
        state.line = LINE_LEFT;
    else if (is_at_end(event->state))
        state.line = LINE_OVER;
    else if (!event->opened)
        state.line = LINE_LOBBY;
    else if (facts->number > event->served)
        set_waiting(event, facts->number, &state);
    else
        set_let_in(event, facts, now_us, &state);
    *ret = state;
}
