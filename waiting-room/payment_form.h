// SPDX-License-Identifier: Apache-2.0
// What a visitor pays with: the body of POST /v1/events/SLUG/payment, and the payment method in that of PUT order. Pure.
#ifndef WAITING_ROOM_PAYMENT_FORM_H
#define WAITING_ROOM_PAYMENT_FORM_H

#include <stddef.h>

#include "common/error.h"
#include "common/payment.h"
#include "waiting-room/order_form.h"

struct payment_form {
    char method[PAYMENT_METHOD_BYTES]; // in the provider's words; "": the card that was left is meant
};

// What is wrong with a payment method: the provider's ids are 1 to 255 letters, digits and underscores. NULL: nothing.
const char *payment_method_problem(const char *method);

// An empty body means the card that was left, as a missing member does. Errors as of order_form_read().
int payment_form_read(const char *body, size_t bytes, struct payment_form *ret,
                      struct order_form_problems *ret_problems) MUST_USE;

#endif
