// SPDX-License-Identifier: Apache-2.0
// One thing after the other: time first, then the decision.
#include "bench/crowd/hold.h"

enum hold_act hold_next(struct hold *hold, const struct told_order *newest)
{
    bool held = order_may_lapse(newest->state);
    if (!held && newest->state != ORDER_STANDBY)
        return HOLD_WAIT;
    if (hold->attempt != newest->attempt) {
        hold->attempt = newest->attempt;
        hold->asked_for_time = hold->gave_back = hold->paid = false;
    }
    if (held && hold->more_time && !hold->asked_for_time && newest->may_have_more_time) {
        hold->asked_for_time = true;
        return HOLD_ASK_FOR_TIME;
    }
    if (hold->holding == HOLDING_GIVES_BACK && !hold->gave_back) {
        hold->gave_back = true;
        return HOLD_GIVE_BACK;
    }
    if (held && (hold->holding == HOLDING_PAYS || hold->holding == HOLDING_PAYS_LATE) && !hold->paid) {
        hold->paid = true;
        return HOLD_PAY;
    }
    return HOLD_WAIT;
}
