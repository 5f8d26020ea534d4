// SPDX-License-Identifier: Apache-2.0
#include "admin/audit_intent_rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define IS(status) (1u << (status))
#define NOTHING (IS(PROVIDER_UNCONFIRMED) | IS(PROVIDER_FAILED) | IS(PROVIDER_CANCELLED))
#define NOT_CAPTURED (NOTHING | IS(PROVIDER_ACTION_REQUIRED) | IS(PROVIDER_PROCESSING) | IS(PROVIDER_AUTHORISED))

// What the provider may say about a payment in each state.
static const unsigned allowed[PAYMENT_STATE_COUNT] = {
    [PAYMENT_CREATED] = IS(PROVIDER_UNCONFIRMED),
    [PAYMENT_CONFIRMING] = NOT_CAPTURED,
    [PAYMENT_CHALLENGED] = NOT_CAPTURED,
    [PAYMENT_AUTHORISED] = IS(PROVIDER_AUTHORISED),
    [PAYMENT_CAPTURING] = IS(PROVIDER_AUTHORISED) | IS(PROVIDER_PROCESSING) | IS(PROVIDER_CAPTURED),
    [PAYMENT_CAPTURED] = IS(PROVIDER_CAPTURED),
    [PAYMENT_DECLINED] = NOTHING,
    [PAYMENT_VOIDING] = NOT_CAPTURED | IS(PROVIDER_CAPTURED), // of the last it learns by asking
    [PAYMENT_VOIDED] = NOTHING,
    [PAYMENT_REFUNDING] = IS(PROVIDER_CAPTURED),
    [PAYMENT_REFUNDED] = IS(PROVIDER_CAPTURED),
    [PAYMENT_FAILED] = NOT_CAPTURED | IS(PROVIDER_CAPTURED), // an operator has a dead letter
};

bool audit_intent_is_harmless(const struct provider_intent *intent)
{
    return (NOTHING & IS(intent->status)) != 0 && intent->captured_amount == 0;
}

bool audit_intent_must_be_there(enum payment_state state)
{
    return payment_has_money(state) || state == PAYMENT_REFUNDING || state == PAYMENT_REFUNDED;
}

// What was found to be of another amount is being given up, or was: the payer has seen to it.
static bool is_given_up(enum payment_state state)
{
    return state == PAYMENT_VOIDING || state == PAYMENT_VOIDED || state == PAYMENT_REFUNDING ||
           state == PAYMENT_REFUNDED || state == PAYMENT_FAILED;
}

// Ours failed, and the row waits for it. One of before, which an operator has had tried again, is not waited for any more.
static bool is_waited_for_in_vain(const struct audit_intent_row *row, const struct provider_intent *intent)
{
    return row->state == PAYMENT_REFUNDING && row->has_refund && intent->has_failed_refund &&
           intent->refunded_amount + intent->refunding_amount < intent->captured_amount;
}

static bool is_taken_right(const struct audit_intent_row *row, const struct provider_intent *intent)
{
    const bool is_whole = intent->captured_amount == intent->amount && intent->refunding_amount == 0;
    switch (row->state) {
    case PAYMENT_CAPTURED:
        return is_whole && intent->refunded_amount == 0;
    case PAYMENT_CAPTURING:
        return intent->status != PROVIDER_CAPTURED || (is_whole && intent->refunded_amount == 0);
    case PAYMENT_REFUNDED:
        return intent->refunded_amount == intent->captured_amount;
    default:
        return true;
    }
}

bool audit_intent_agrees(const struct audit_intent_row *row, const struct provider_intent *intent, char *why,
                         size_t why_bytes)
{
    if (!row) {
        snprintf(why, why_bytes, "the provider has it as %s, %" PRIu64 " %s, and there is no such payment",
                 provider_status_name(intent->status), intent->amount, intent->currency);
        return false;
    }
    if (!row->has_intent && audit_intent_is_harmless(intent) && !audit_intent_must_be_there(row->state))
        return true;
    if (!is_given_up(row->state) && (intent->amount != row->amount || strcmp(intent->currency, row->currency) != 0)) {
        snprintf(why, why_bytes, "the provider has it with %" PRIu64 " %s, and we asked for %" PRIu64 " %s",
                 intent->amount, intent->currency, row->amount, row->currency);
        return false;
    }
    if (!(allowed[row->state] & IS(intent->status))) {
        snprintf(why, why_bytes, "is %s, and the provider says %s", payment_state_name(row->state),
                 provider_status_name(intent->status));
        return false;
    }
    if (is_waited_for_in_vain(row, intent)) {
        snprintf(why, why_bytes, "is refunding, and the provider says that the refund failed%s%s",
                 *intent->refund_code ? ": " : "", intent->refund_code);
        return false;
    }
    if (!is_taken_right(row, intent)) {
        snprintf(why, why_bytes,
                 "is %s with %" PRIu64 " %s, and the provider has taken %" PRIu64 " and given back %" PRIu64,
                 payment_state_name(row->state), row->amount, row->currency, intent->captured_amount,
                 intent->refunded_amount);
        if (intent->refunding_amount > 0 || intent->has_failed_refund)
            snprintf(why + strlen(why), why_bytes - strlen(why), "%s",
                     intent->refunding_amount > 0 ? "; a refund waits for its bank" : "; a refund failed");
        return false;
    }
    return true;
}
