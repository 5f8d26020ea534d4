// SPDX-License-Identifier: Apache-2.0
// One thing after the other: time first, then the decision.
#include "bench/crowd/hold.h"

static void begin_attempt(struct hold *hold, uint32_t attempt)
{
    hold->attempt = attempt;
    hold->asked_for_time = hold->gave_back = hold->paid = false;
    hold->given = hold->purse.count > 0 && hold->purse.with_order ? 1 : 0;
    hold->given_at = 0;
    hold->answered = 0;
}

// A card is given in the hold, and another after each decline that was heard since.
static bool gives_card(struct hold *hold, const struct told_order *newest)
{
    bool is_time = newest->state == ORDER_HELD ? hold->given == 0
                                               : newest->state == ORDER_DECLINED && newest->revision > hold->given_at;
    if (!is_time || hold->given == hold->purse.count)
        return false;
    hold->given++;
    hold->given_at = newest->revision;
    return true;
}

static bool answers(struct hold *hold, const struct told_order *newest)
{
    if (newest->state != ORDER_ACTION_REQUIRED || hold->answered == hold->given || hold->purse.answers == ANSWERS_NEVER)
        return false;
    hold->answered = hold->given;
    return true;
}

// Who changes their mind may have shown a card before, and then does so when they hear what the bank says.
static bool gives_back(struct hold *hold, const struct told_order *newest)
{
    if (hold->holding != HOLDING_GIVES_BACK || hold->gave_back ||
        (newest->state == ORDER_HELD && hold->purse.count > 0))
        return false;
    hold->gave_back = true;
    return true;
}

enum hold_act hold_next(struct hold *hold, const struct told_order *newest)
{
    bool held = order_may_lapse(newest->state);
    if (!held && newest->state != ORDER_STANDBY)
        return HOLD_WAIT;
    if (hold->attempt != newest->attempt)
        begin_attempt(hold, newest->attempt);
    if (held && hold->more_time && !hold->asked_for_time && newest->may_have_more_time) {
        hold->asked_for_time = true;
        return HOLD_ASK_FOR_TIME;
    }
    if (gives_back(hold, newest))
        return HOLD_GIVE_BACK;
    if (hold->gave_back || !held || hold->holding == HOLDING_LAPSES)
        return HOLD_WAIT;
    if (hold->purse.count > 0)
        return gives_card(hold, newest) ? HOLD_GIVE_CARD : answers(hold, newest) ? HOLD_ANSWER : HOLD_WAIT;
    if (hold->holding != HOLDING_GIVES_BACK && !hold->paid) {
        hold->paid = true;
        return HOLD_PAY;
    }
    return HOLD_WAIT;
}

const char *hold_card(const struct hold *hold)
{
    return hold->purse.cards[hold->given > 0 ? hold->given - 1 : 0];
}
