// SPDX-License-Identifier: Apache-2.0
// See payment_form.h.
#include "waiting-room/payment_form.h"

#include <string.h>

#include "common/json.h"
#include "waiting-room/http.h"
#include "waiting-room/order_choice.h"

const char *payment_method_problem(const char *method)
{
    size_t bytes = strlen(method);
    if (bytes == 0)
        return "It is the id of a payment method; leave it out to pay with the card that was left.";
    if (bytes >= PAYMENT_METHOD_BYTES)
        return "It is longer than the id of a payment method can be.";
    if (strspn(method, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != bytes)
        return "It is the id of a payment method: letters, digits and underscores.";
    return NULL;
}

static int read_body(struct order_reading *reading, const json_t *body, struct payment_form *form)
{
    static const char *const known[] = {"payment_method", NULL};
    const char *method, *unknown = json_unknown_key(body, known);
    if (unknown)
        order_note(reading, "", unknown, "There is no such member.");
    int found = json_read_string(body, "payment_method", HTTP_BODY_BYTES_MAX, &method);
    const char *problem = found == ERROR_INVALID ? "It is text." : found == 0 ? payment_method_problem(method) : NULL;
    if (problem)
        order_note(reading, "", "payment_method", problem);
    else if (found == 0)
        memcpy(form->method, method, strlen(method) + 1);
    return reading->problems->count > 0 ? ERROR_CONFLICT : 0;
}

int payment_form_read(const char *body, size_t bytes, struct payment_form *ret,
                      struct order_form_problems *ret_problems)
{
    json_t *object CLEANUP(json_cleanup) = NULL;
    struct order_reading reading = {.problems = ret_problems};
    struct payment_form form = {0};
    ret_problems->count = 0;
    ret_problems->malformed[0] = '\0';
    int error = 0;
    if (bytes > 0) {
        error = json_read_object(body, bytes, HTTP_BODY_BYTES_MAX, ret_problems->malformed,
                                 sizeof ret_problems->malformed, &object);
        if (error < 0)
            return error == ERROR_MEMORY ? error : ERROR_INVALID;
        error = read_body(&reading, object, &form);
    }
    if (error == 0)
        *ret = form;
    return error;
}
