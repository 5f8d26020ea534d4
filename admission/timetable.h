// SPDX-License-Identifier: Apache-2.0
// The timetable: what an event's lobby_opens_at, opens_at and closes_at ask for at a given time. Pure; the times are
// MySQL's, in UTC microseconds.
#ifndef ADMISSION_TIMETABLE_H
#define ADMISSION_TIMETABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/lifecycle.h"

#define TIMETABLE_NONE INT64_MIN // this time is not set
#define TIMETABLE_NEVER INT64_MAX

struct timetable {
    int64_t lobby_opens_at_us, opens_at_us, closes_at_us; // or TIMETABLE_NONE
    // Somebody closed or opened the event after closes_at: that time has had its say, and an operator who opens the
    // event once more is not overruled.
    bool closing_is_done;
};

// Whether something is to be done at `now_us` in this state, and what (*ret_action is written in any case but says
// nothing when it is false). What was missed is skipped: an event whose closing time has passed is closed and not
// opened first, one whose opening time has passed does not go through the lobby. A stopped event is left alone until
// somebody starts it.
bool timetable_due(const struct timetable *timetable, enum lifecycle_state state, int64_t now_us,
                   enum lifecycle_action *ret_action);

// The next time after `now_us` at which timetable_due() can change its answer; TIMETABLE_NEVER if there is none.
int64_t timetable_next_us(const struct timetable *timetable, int64_t now_us);

#endif
