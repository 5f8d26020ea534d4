// SPDX-License-Identifier: Apache-2.0
// Whether what the provider says about an intent agrees with our row of it, to the minor unit: pure. Our state is written before each call and
// after each answer, so what the provider may say meanwhile is allowed for every state; nothing else needs patience.
#ifndef ADMIN_AUDIT_INTENT_RULES_H
#define ADMIN_AUDIT_INTENT_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/payment.h"
#include "common/provider.h"

struct audit_intent_row {
    bool has_intent; // else the row may still be told the id
    bool has_refund; // the provider has taken a refund of it
    enum payment_state state;
    uint64_t amount;
    char currency[4];
};

// `row` NULL: we have none. False: they disagree, and `why` is a clause that says in what.
bool audit_intent_agrees(const struct audit_intent_row *row, const struct provider_intent *intent, char *why,
                         size_t why_bytes);
// An intent beside the one that our row knows: nothing may ever have been reserved by it.
bool audit_intent_is_harmless(const struct provider_intent *intent);
// Whether the provider must have heard of a payment in that state.
bool audit_intent_must_be_there(enum payment_state state);

#endif
