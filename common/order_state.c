// SPDX-License-Identifier: Apache-2.0
// The table. A cell that is not in it is a change that nobody may make.
#include "common/order_state.h"

#include <stddef.h>
#include <string.h>

static const char *const state_names[ORDER_STATE_COUNT] = {
    [ORDER_PLACED] = "placed",
    [ORDER_RELEASED] = "released",
    [ORDER_HELD] = "held",
    [ORDER_PAYING] = "paying",
    [ORDER_ACTION_REQUIRED] = "action_required",
    [ORDER_DECLINED] = "declined",
    [ORDER_STANDBY] = "standby",
    [ORDER_CONFIRMED] = "confirmed",
    [ORDER_SOLD_OUT] = "sold_out",
    [ORDER_REFUSED] = "refused",
    [ORDER_EXPIRED] = "expired",
    [ORDER_FAILED] = "failed",
    [ORDER_CANCELLED] = "cancelled",
};

static const char *const reason_names[ORDER_REASON_COUNT] = {
    [ORDER_CUSTOMER_LIMIT] = "customer_limit",
    [ORDER_TIER_CLOSED] = "tier_closed",
    [ORDER_EVENT_CLOSED] = "event_closed",
    [ORDER_SEATS_TAKEN] = "seats_taken",
    [ORDER_BROKEN] = "broken",
    [ORDER_CRASHED] = "crashed",
    [ORDER_CARD_DECLINED] = "card_declined",
    [ORDER_INSUFFICIENT_FUNDS] = "insufficient_funds",
    [ORDER_EXPIRED_CARD] = "expired_card",
    [ORDER_AUTHENTICATION_FAILED] = "authentication_failed",
    [ORDER_PAYMENT_METHOD_INVALID] = "payment_method_invalid",
    [ORDER_PAYMENT_UNKNOWN] = "payment_unknown",
    [ORDER_PAYMENT_FAILED] = "payment_failed",
};

#define TO(state) (1u << (state))

static const unsigned leads_to[ORDER_STATE_COUNT] = {
    [ORDER_PLACED] =
        TO(ORDER_PLACED) | TO(ORDER_RELEASED) | TO(ORDER_CANCELLED) | TO(ORDER_REFUSED) | TO(ORDER_SOLD_OUT),
    [ORDER_RELEASED] = TO(ORDER_HELD) | TO(ORDER_CONFIRMED) | TO(ORDER_STANDBY) | TO(ORDER_SOLD_OUT) |
                       TO(ORDER_REFUSED) | TO(ORDER_FAILED),
    [ORDER_HELD] = TO(ORDER_PAYING) | TO(ORDER_EXPIRED) | TO(ORDER_CANCELLED),
    [ORDER_PAYING] =
        TO(ORDER_CONFIRMED) | TO(ORDER_DECLINED) | TO(ORDER_ACTION_REQUIRED) | TO(ORDER_FAILED) | TO(ORDER_EXPIRED),
    [ORDER_ACTION_REQUIRED] = TO(ORDER_PAYING) | TO(ORDER_EXPIRED) | TO(ORDER_CANCELLED),
    [ORDER_DECLINED] = TO(ORDER_PAYING) | TO(ORDER_EXPIRED) | TO(ORDER_CANCELLED),
    [ORDER_STANDBY] = TO(ORDER_HELD) | TO(ORDER_CONFIRMED) | TO(ORDER_SOLD_OUT) | TO(ORDER_CANCELLED),
};

// What only an operator's recorded act does to a state that is final.
static const unsigned operator_leads_to[ORDER_STATE_COUNT] = {
    [ORDER_FAILED] = TO(ORDER_RELEASED),
    [ORDER_CONFIRMED] = TO(ORDER_CANCELLED),
};

const char *order_state_name(enum order_state state)
{
    return (unsigned)state < ORDER_STATE_COUNT ? state_names[state] : "unknown";
}

int order_state_parse(const char *name, enum order_state *ret)
{
    for (unsigned i = 0; name && i < ORDER_STATE_COUNT; i++) {
        if (strcmp(name, state_names[i]) == 0) {
            *ret = (enum order_state)i;
            return 0;
        }
    }
    return ERROR_INVALID;
}

const char *order_reason_name(enum order_reason reason)
{
    return (unsigned)reason < ORDER_REASON_COUNT ? reason_names[reason] : NULL;
}

int order_reason_parse(const char *name, enum order_reason *ret)
{
    if (!name) {
        *ret = ORDER_NO_REASON;
        return 0;
    }
    for (unsigned i = 1; i < ORDER_REASON_COUNT; i++) {
        if (strcmp(name, reason_names[i]) == 0) {
            *ret = (enum order_reason)i;
            return 0;
        }
    }
    return ERROR_INVALID;
}

bool order_may_become(enum order_state from, enum order_state to, enum order_by by)
{
    if ((unsigned)from >= ORDER_STATE_COUNT || (unsigned)to >= ORDER_STATE_COUNT)
        return false;
    unsigned allowed = leads_to[from] | (by == ORDER_BY_OPERATOR ? operator_leads_to[from] : 0);
    return (allowed & TO(to)) != 0;
}

bool order_is_final(enum order_state state)
{
    return (unsigned)state < ORDER_STATE_COUNT && leads_to[state] == 0;
}

bool order_has_places(enum order_state state)
{
    return state == ORDER_HELD || state == ORDER_PAYING || state == ORDER_ACTION_REQUIRED || state == ORDER_DECLINED ||
           state == ORDER_CONFIRMED;
}

bool order_is_counted(enum order_state state)
{
    return order_has_places(state) || state == ORDER_STANDBY;
}

bool order_may_lapse(enum order_state state)
{
    return state == ORDER_HELD || state == ORDER_ACTION_REQUIRED || state == ORDER_DECLINED;
}

bool order_allows_another(enum order_state state)
{
    return order_is_final(state) && state != ORDER_CONFIRMED;
}
