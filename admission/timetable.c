// SPDX-License-Identifier: Apache-2.0
// See timetable.h. A stopped event is left alone, whatever the time: somebody is dealing with an emergency. Once it is
// started again, the timetable catches up.
#include "admission/timetable.h"

#include <stddef.h>

static bool has_passed(int64_t at_us, int64_t now_us)
{
    return at_us != TIMETABLE_NONE && at_us <= now_us;
}

bool timetable_due(const struct timetable *timetable, enum lifecycle_state state, int64_t now_us,
                   enum lifecycle_action *ret_action)
{
    if (state == LIFECYCLE_CLOSED || state == LIFECYCLE_STOPPED)
        return false;
    if (has_passed(timetable->closes_at_us, now_us)) {
        *ret_action = LIFECYCLE_DO_CLOSE;
        return !timetable->closing_is_done;
    }
    if (state != LIFECYCLE_DRAFT && state != LIFECYCLE_LOBBY)
        return false;
    if (has_passed(timetable->opens_at_us, now_us)) {
        *ret_action = LIFECYCLE_DO_OPEN;
        return true;
    }
    *ret_action = LIFECYCLE_DO_LOBBY;
    return state == LIFECYCLE_DRAFT && has_passed(timetable->lobby_opens_at_us, now_us);
}

int64_t timetable_next_us(const struct timetable *timetable, int64_t now_us)
{
    const int64_t times[] = {timetable->lobby_opens_at_us, timetable->opens_at_us, timetable->closes_at_us};
    int64_t next_us = TIMETABLE_NEVER;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        if (times[i] != TIMETABLE_NONE && times[i] > now_us && times[i] < next_us) {
            next_us = times[i];
        }
    }
    return next_us;
}
