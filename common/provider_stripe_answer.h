// SPDX-License-Identifier: Apache-2.0
// What Stripe's answers mean (docs/payments.md, "Calls, and what is made of the answers"). Pure. For provider_stripe.c.
#ifndef COMMON_PROVIDER_STRIPE_ANSWER_H
#define COMMON_PROVIDER_STRIPE_ANSWER_H

#include <stdbool.h>

#include "common/provider_kind.h"

// See struct provider_kind.
void provider_stripe_read_answer(const struct provider_asked *asked, const struct http_client_answer *answer,
                                 struct provider_intent *listed, struct provider_answer *ret);

// Letters, digits, '_', '-': what Stripe names things with, and what can stand in a path or a header as it is.
bool provider_stripe_is_id(const char *text);

#endif
