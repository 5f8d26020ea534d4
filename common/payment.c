// SPDX-License-Identifier: Apache-2.0
// See payment.h.
#include "common/payment.h"

#include <stddef.h>
#include <string.h>

static const char *const state_names[PAYMENT_STATE_COUNT] = {
    [PAYMENT_CREATED] = "created",       [PAYMENT_CONFIRMING] = "confirming", [PAYMENT_CHALLENGED] = "challenged",
    [PAYMENT_AUTHORISED] = "authorised", [PAYMENT_CAPTURING] = "capturing",   [PAYMENT_CAPTURED] = "captured",
    [PAYMENT_DECLINED] = "declined",     [PAYMENT_VOIDING] = "voiding",       [PAYMENT_VOIDED] = "voided",
    [PAYMENT_REFUNDING] = "refunding",   [PAYMENT_REFUNDED] = "refunded",     [PAYMENT_FAILED] = "failed",
};

static const char *const aim_names[PAYMENT_AIM_COUNT] = {
    [PAYMENT_TAKE] = "take",
    [PAYMENT_CLOSE] = "close",
    [PAYMENT_GIVE_BACK] = "give_back",
};

static int find(const char *const *names, unsigned count, const char *name, unsigned *ret)
{
    for (unsigned i = 0; name && i < count; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = i;
            return 0;
        }
    }
    return ERROR_INVALID;
}

const char *payment_state_name(enum payment_state state)
{
    return (unsigned)state < PAYMENT_STATE_COUNT ? state_names[state] : "unknown";
}

int payment_state_parse(const char *name, enum payment_state *ret)
{
    unsigned at;
    int result = find(state_names, PAYMENT_STATE_COUNT, name, &at);
    if (result == 0)
        *ret = (enum payment_state)at;
    return result;
}

const char *payment_aim_name(enum payment_aim aim)
{
    return (unsigned)aim < PAYMENT_AIM_COUNT ? aim_names[aim] : "unknown";
}

int payment_aim_parse(const char *name, enum payment_aim *ret)
{
    unsigned at;
    int result = find(aim_names, PAYMENT_AIM_COUNT, name, &at);
    if (result == 0)
        *ret = (enum payment_aim)at;
    return result;
}

bool payment_is_end(enum payment_state state)
{
    return state == PAYMENT_CAPTURED || state == PAYMENT_DECLINED || state == PAYMENT_VOIDED ||
           state == PAYMENT_REFUNDED || state == PAYMENT_FAILED;
}

bool payment_is_open(enum payment_state state)
{
    return !payment_is_end(state) && state != PAYMENT_REFUNDING;
}

bool payment_has_money(enum payment_state state)
{
    return state == PAYMENT_AUTHORISED || state == PAYMENT_CAPTURING || state == PAYMENT_CAPTURED;
}
