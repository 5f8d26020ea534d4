// SPDX-License-Identifier: Apache-2.0
// Stripe's objects in JSON, read into our words. Everything is bounded; what is missing, of another type or beyond bounds is refused, never
// guessed. Pure. For provider_stripe_answer.c.
#ifndef COMMON_PROVIDER_STRIPE_OBJECT_H
#define COMMON_PROVIDER_STRIPE_OBJECT_H

#include <jansson.h>
#include <stdbool.h>

#include "common/provider.h"

// What is asked of an intent.
enum stripe_view {
    STRIPE_PLAIN,
    STRIPE_WITH_CHARGE, // its charge must have been sent along with its refunds
    STRIPE_LISTED, // the same; and whatever others do on the same account must not keep us from reading the list
};

// All return 0 or ERROR_INVALID, with the member that is wrong in `wrong` (constant text), and leave *ret alone then.
int stripe_read_intent(const json_t *object, enum stripe_view view, struct provider_intent *ret,
                       const char **wrong) MUST_USE;
// Of an error of an intent or of a call: decline_code if there is one, else code. "" if neither.
int stripe_read_code(const json_t *error, char ret[static PROVIDER_CODE_BYTES], const char **wrong) MUST_USE;
// The member's id, whether the object was sent along or just named. ERROR_NOT_FOUND: it is null or absent.
int stripe_read_id_of(const json_t *object, const char *key, char ret[static PROVIDER_ID_BYTES]) MUST_USE;
int stripe_read_id(const json_t *object, const char *key, char ret[static PROVIDER_ID_BYTES]) MUST_USE;
// Whose a session for a card is (CARD_PAGE said so): as intents have it, without an attempt. ERROR_NOT_FOUND: it is none of ours.
int stripe_read_session_owner(const json_t *object, char ret_slug[static SLUG_BYTES], uint64_t *ret_place,
                              uint32_t *ret_number) MUST_USE;
// A page that a visitor can be sent to.
int stripe_read_page(const json_t *object, const char *key, char ret[static PROVIDER_URL_BYTES]) MUST_USE;
int stripe_read_currency(const json_t *object, char ret[static 4]) MUST_USE;
int stripe_read_amount(const json_t *object, const char *key, uint64_t *ret) MUST_USE;
// Stripe's unit of some currencies is not ISO 4217's, which is ours. ERROR_INVALID: such an amount is none in the other's unit.
int stripe_amount_to_theirs(const char *currency, uint64_t *amount) MUST_USE;
int stripe_amount_to_ours(const char *currency, uint64_t *amount) MUST_USE;
bool stripe_is_object(const json_t *object, const char *type);

enum stripe_refund {
    STRIPE_REFUND_DONE, // though its bank may send the money back even then: it becomes STRIPE_REFUND_FAILED
    STRIPE_REFUND_WAITS,
    STRIPE_REFUND_FAILED, // the money is the seller's again
};
int stripe_read_refund_status(const json_t *refund, enum stripe_refund *ret) MUST_USE;
// Of one that failed, why; "": it does not say.
void stripe_read_refund_code(const json_t *refund, char ret[static PROVIDER_CODE_BYTES]);

// Why a card was declined, by Stripe's word for it.
enum order_reason stripe_decline_reason(const char *code);

#endif
