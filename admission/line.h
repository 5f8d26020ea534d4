// SPDX-License-Identifier: Apache-2.0
// One event as admission sees it: what its row says, where its line is, the count of its pace. Puts count, gate and
// forecast together and knows when the count has to begin anew. Pure: no I/O, the time comes from the caller.
#ifndef ADMISSION_LINE_H
#define ADMISSION_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "admission/count.h"
#include "admission/forecast.h"
#include "admission/gate.h"
#include "admission/timetable.h"
#include "common/lifecycle.h"
#include "common/pace.h"
#include "common/slug.h"

// Lets in this many a second when the dial says `auto` without a ceiling (docs/decisions.md).
#define LINE_AUTO_PER_SECOND 100

// An event's row, as far as admission needs it.
struct line_event {
    uint64_t id;
    char slug[SLUG_BYTES];
    uint64_t version;
    enum lifecycle_state state;
    struct pace pace;
    bool has_max_active;
    uint64_t max_active;
    uint32_t turn_seconds;
    bool has_tiers; // it sells; without them it is a gate only, and nothing is ever released
    int64_t stopped_us; // how long the event's clock has stood still; right for every state but `stopped`
    struct timetable timetable;
};

// Why the count has to begin anew.
enum line_restart {
    LINE_RUNS, // it does not
    LINE_RESTART_LEADER, // another leader, or this one lost sight of MySQL
    LINE_RESTART_OPEN, // the event opened, or goes on after a pause or stop
    LINE_RESTART_PACE, // the dial was changed
    LINE_RESTART_EMPTY, // nobody was waiting for a while
    LINE_RESTART_FULL, // max_active turns ran for a while
    LINE_RESTART_RELEASE, // orders could not be released for a while
    LINE_RESTART_LATE, // this program or MySQL was too slow
};

struct line {
    struct line_event event;
    uint64_t served, last; // as MySQL said last; `last` may be behind, never ahead
    struct count count;
    enum line_restart restart; // to be done before anybody is let in
    bool has_clock; // clock_ahead_us was seen since the count started
    int64_t clock_ahead_us; // the least that MySQL's clock was ahead of the monotonic one since then
    int64_t let_in_ns; // when somebody was let in last; COUNT_NEVER: nobody ever was
    uint64_t active; // turns that run; known only if the event has max_active
    bool cannot_release; // orders cannot be released, see line_hold()
    enum gate_reason held_by; // what the gate said last
    struct forecast forecast;
    bool is_busy; // somebody was waiting and the event was open when the line was looked at last
    int64_t busy_from_ns; // when that was
    uint64_t busy_served; // served then
};

// What the dial means: visitors per so many seconds. 0 lets nobody in.
void line_rate(const struct pace *pace, uint64_t *ret_count, uint32_t *ret_seconds);
const char *line_restart_name(enum line_restart restart); // "empty", as in pace_log

// Begins with an event's row and what MySQL says of its line; the count is to be started.
void line_init(struct line *line, const struct line_event *event, uint64_t served, uint64_t last, int64_t let_in_ns);
// Takes over a changed row. What concerns the count makes it begin anew.
void line_take_event(struct line *line, const struct line_event *event);
// Takes over what MySQL says of the line after this program lost sight of it (leadership, a transaction): the count
// begins anew.
void line_take_head(struct line *line, uint64_t served, uint64_t last, int64_t let_in_ns);

// Orders cannot be released, or can again. A line whose visitors would find nobody to take their orders stands still
// meanwhile, and its count begins anew after it.
void line_hold(struct line *line, bool cannot_release);

// Looks at the line at `now_ns`: whether there is something to do in a transaction, a restart of the count or
// somebody to let in. Notices lateness, and keeps the time in which the line was busy for the forecast.
bool line_look(struct line *line, int64_t now_ns);
// Starts the count anew. Call it after the restart was written to pace_log, with a time taken after that.
void line_restart_count(struct line *line, int64_t now_ns);
// Says how far MySQL's clock is ahead of the monotonic one. The audit measures the pace by MySQL's clock, on another
// machine perhaps, so when that one goes more slowly (or is set back) the count waits for it; it never hurries after
// it.
void line_follow_clock(struct line *line, int64_t ahead_us);
// How many to let in now. 0 while a restart is due.
uint64_t line_let_in(struct line *line, int64_t now_ns);
// They were let in, durably; `now_ns` is when that was decided.
void line_moved(struct line *line, uint64_t places, int64_t now_ns);
// When to look again for the clock's sake; COUNT_NEVER when only news can change anything.
int64_t line_next_ns(const struct line *line);
// How long one place takes; false when nobody can say.
bool line_forecast(const struct line *line, int64_t *ret_low_us, int64_t *ret_high_us);

#endif
