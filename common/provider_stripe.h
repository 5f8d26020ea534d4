// SPDX-License-Identifier: Apache-2.0
// Stripe's API, as far as it is used here: PaymentIntents with manual capture, refunds, Checkout in setup mode. Pure.
#ifndef COMMON_PROVIDER_STRIPE_H
#define COMMON_PROVIDER_STRIPE_H

#include "common/provider_kind.h"

// Stripe changes names and shapes with its versions, and without this header an account's setting decides. The last version before the named
// releases (Acacia, 2024-09-30): since 2022-11-15 an intent has `latest_charge` in place of a list of charges, since 2022-08-01 Checkout makes a customer
// only where it is asked for. Up to 2026-07-29 nothing of what is used here has changed its type since, but in one place its meaning: before 2025-03-31
// an authorisation that was let go counts as refunded. Whoever changes it reads https://docs.stripe.com/changelog from here on, and docs/payments.md, "Compared with Stripe".
#define PROVIDER_STRIPE_VERSION "2024-06-20"

extern const struct provider_kind provider_stripe;

#endif
