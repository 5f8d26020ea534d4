// SPDX-License-Identifier: Apache-2.0
// See line.h. The count runs from the moment the event is open. When it could not let anybody in for a while,
// whatever the reason, it has fallen behind the clock, and is started anew before the next visitor is let in.
#include "admission/line.h"

#include <string.h>

static const char *const restart_names[] = {
    [LINE_RUNS] = "",
    [LINE_RESTART_LEADER] = "leader",
    [LINE_RESTART_OPEN] = "open",
    [LINE_RESTART_PACE] = "pace",
    [LINE_RESTART_EMPTY] = "empty",
    [LINE_RESTART_FULL] = "full",
    [LINE_RESTART_RELEASE] = "release",
    [LINE_RESTART_LATE] = "late",
};

const char *line_restart_name(enum line_restart restart)
{
    return restart_names[restart];
}

void line_rate(const struct pace *pace, uint64_t *ret_count, uint32_t *ret_seconds)
{
    if (pace->is_auto && pace->count == 0) {
        *ret_count = LINE_AUTO_PER_SECOND;
        *ret_seconds = 1;
        return;
    }
    *ret_count = pace->count;
    *ret_seconds = pace->per_seconds;
}

static bool same_rate(const struct pace *a, const struct pace *b)
{
    uint64_t a_count, b_count;
    uint32_t a_seconds, b_seconds;
    line_rate(a, &a_count, &a_seconds);
    line_rate(b, &b_count, &b_seconds);
    return a_count == b_count && a_seconds == b_seconds && a->is_auto == b->is_auto;
}

void line_init(struct line *line, const struct line_event *event, uint64_t served, uint64_t last, int64_t let_in_ns)
{
    *line = (struct line){
        .event = *event,
        .served = served,
        .last = last,
        .restart = LINE_RESTART_LEADER,
        .let_in_ns = let_in_ns,
        .held_by = GATE_NOT_OPEN,
    };
}

void line_take_head(struct line *line, uint64_t served, uint64_t last, int64_t let_in_ns)
{
    count_stop(&line->count);
    if (line->restart == LINE_RUNS)
        line->restart = LINE_RESTART_LEADER;
    line->is_busy = false;
    line->served = served;
    line->last = last;
    line->let_in_ns = let_in_ns;
}

void line_take_event(struct line *line, const struct line_event *event)
{
    bool is_new = line->event.version == 0;
    bool was_open = line->event.state == LIFECYCLE_OPEN;
    bool is_open = event->state == LIFECYCLE_OPEN;
    bool pace_changed = !same_rate(&line->event.pace, &event->pace);
    // A pause and its end that happened between two looks show in nothing but the version; the clock of a stop shows.
    bool stood_still = line->event.stopped_us != event->stopped_us;
    line->event = *event;
    if (pace_changed)
        forecast_reset(&line->forecast);
    if (!is_open)
        count_stop(&line->count);
    if (is_new)
        return; // how it came to be open is not this program's doing
    if (is_open && (!was_open || stood_still))
        line->restart = LINE_RESTART_OPEN;
    else if (is_open && pace_changed && line->restart != LINE_RESTART_OPEN)
        line->restart = LINE_RESTART_PACE;
}

void line_hold(struct line *line, bool cannot_release)
{
    line->cannot_release = cannot_release;
}

static bool is_held(const struct line *line)
{
    return line->cannot_release && line->event.has_tiers;
}

static uint64_t ask_gate(struct line *line, int64_t now_ns)
{
    const struct gate gate = {
        .state = line->event.state,
        .due = count_due(&line->count, now_ns),
        .served = line->served,
        .last = line->last,
        .has_max_active = line->event.has_max_active,
        .active = line->active,
        .max_active = line->event.max_active,
        .cannot_release = is_held(line),
    };
    return gate_let_in(&gate, &line->held_by);
}

// Counts the time since the last look, if somebody was waiting then.
static void keep_forecast(struct line *line, int64_t now_ns)
{
    if (line->is_busy)
        forecast_add(&line->forecast, (now_ns - line->busy_from_ns) / 1000, line->served - line->busy_served);
    // The rest below a microsecond is not lost: it is part of the next span.
    line->busy_from_ns = line->is_busy ? now_ns - (now_ns - line->busy_from_ns) % 1000 : now_ns;
    line->busy_served = line->served;
    line->is_busy = line->event.state == LIFECYCLE_OPEN && !is_held(line) && line->last > line->served &&
                    line->count.rate_count > 0;
}

// A count that is late starts anew; what held it up until now tells why it was late.
static void notice_lateness(struct line *line, enum gate_reason was_held_by, int64_t now_ns)
{
    if (line->restart != LINE_RUNS || count_lateness_ns(&line->count, now_ns) <= COUNT_LATE_NS)
        return;
    if (was_held_by == GATE_LINE_EMPTY)
        line->restart = LINE_RESTART_EMPTY;
    else if (was_held_by == GATE_FULL)
        line->restart = LINE_RESTART_FULL;
    else if (was_held_by == GATE_NO_RELEASE)
        line->restart = LINE_RESTART_RELEASE;
    else
        line->restart = LINE_RESTART_LATE;
}

bool line_look(struct line *line, int64_t now_ns)
{
    keep_forecast(line, now_ns);
    if (line->event.state != LIFECYCLE_OPEN) {
        line->held_by = GATE_NOT_OPEN;
        return false;
    }
    enum gate_reason was_held_by = line->held_by;
    bool somebody = ask_gate(line, now_ns) > 0;
    // An empty line may well be late; that matters when there is somebody to let in again.
    if (somebody)
        notice_lateness(line, was_held_by, now_ns);
    return somebody || line->restart != LINE_RUNS;
}

void line_restart_count(struct line *line, int64_t now_ns)
{
    uint64_t rate_count;
    uint32_t rate_seconds;
    line_rate(&line->event.pace, &rate_count, &rate_seconds);
    count_start(&line->count, rate_count, rate_seconds, now_ns, line->let_in_ns);
    line->restart = LINE_RUNS;
    line->has_clock = false;
}

void line_follow_clock(struct line *line, int64_t ahead_us)
{
    if (!line->count.running || line->restart != LINE_RUNS)
        return;
    if (line->has_clock && ahead_us < line->clock_ahead_us)
        count_delay(&line->count, (line->clock_ahead_us - ahead_us) * 1000);
    if (!line->has_clock || ahead_us < line->clock_ahead_us)
        line->clock_ahead_us = ahead_us;
    line->has_clock = true;
}

uint64_t line_let_in(struct line *line, int64_t now_ns)
{
    return line->restart == LINE_RUNS ? ask_gate(line, now_ns) : 0;
}

void line_moved(struct line *line, uint64_t places, int64_t now_ns)
{
    count_let_in(&line->count, places);
    line->served += places;
    line->active += places;
    line->let_in_ns = now_ns;
}

int64_t line_next_ns(const struct line *line)
{
    if (line->event.state != LIFECYCLE_OPEN)
        return COUNT_NEVER;
    if (line->restart != LINE_RUNS)
        return INT64_MIN; // at once
    bool is_full = line->event.has_max_active && line->active >= line->event.max_active;
    if (is_full || is_held(line) || line->last <= line->served)
        return COUNT_NEVER;
    return count_next_ns(&line->count);
}

bool line_forecast(const struct line *line, int64_t *ret_low_us, int64_t *ret_high_us)
{
    if (line->event.state != LIFECYCLE_OPEN || is_held(line))
        return false;
    uint64_t rate_count;
    uint32_t rate_seconds;
    line_rate(&line->event.pace, &rate_count, &rate_seconds);
    return forecast_range(&line->forecast, rate_count, rate_seconds, ret_low_us, ret_high_us);
}
