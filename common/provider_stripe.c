// SPDX-License-Identifier: Apache-2.0
// Requests to Stripe: method, path, headers and a form (https://docs.stripe.com/api). Answers are read in provider_stripe_answer.c.
#include "common/provider_stripe.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/provider_stripe_answer.h"
#include "common/provider_stripe_object.h"

#define AMOUNT_MAX UINT64_C(1000000000000)
#define ADDRESS_BYTES_MAX 2000

// application/x-www-form-urlencoded (https://url.spec.whatwg.org, 5.2).
static void encode(struct buffer *text, const char *value)
{
    static const char digits[] = "0123456789ABCDEF";
    for (const char *at = value; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (isalnum(c) || strchr("*-._", c))
            buffer_append(text, at, 1);
        else if (c == ' ')
            buffer_text(text, "+");
        else
            buffer_append(text, (const char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
    }
}

static void add(struct buffer *form, const char *name, const char *value)
{
    if (form->bytes > 0)
        buffer_text(form, "&");
    encode(form, name);
    buffer_text(form, "=");
    encode(form, value);
}

static void add_number(struct buffer *form, const char *name, uint64_t number)
{
    char text[21];
    (void)snprintf(text, sizeof(text), "%" PRIu64, number);
    add(form, name, text);
}

// Ids become part of a path, so they are of few characters. Stripe's are.
static bool is_id(const char *text)
{
    size_t bytes = text ? strlen(text) : 0;
    return bytes > 0 && bytes < PROVIDER_ID_BYTES && provider_stripe_is_id(text);
}

static bool is_text(const char *text, size_t bytes_max)
{
    return text && *text && strlen(text) <= bytes_max;
}

static int add_currency(struct buffer *form, const char *currency)
{
    char lower[4] = "";
    if (!currency || strlen(currency) != 3)
        return ERROR_INVALID;
    for (size_t i = 0; i < 3; i++) {
        if (currency[i] < 'A' || currency[i] > 'Z')
            return ERROR_INVALID;
        lower[i] = (char)(currency[i] - 'A' + 'a');
    }
    add(form, "currency", lower);
    return 0;
}

static bool has_owner(const struct provider_request *request)
{
    return request->slug && slug_is_valid(request->slug, strlen(request->slug)) && request->place > 0 &&
           request->number > 0;
}

static int write_create(const struct provider_request *request, struct provider_wire *wire)
{
    struct buffer *form = &wire->body;
    char description[SLUG_BYTES + 64];
    if (request->amount == 0 || request->amount > AMOUNT_MAX || !has_owner(request) || request->attempt == 0 ||
        !is_text(request->reference, 40) || !is_text(request->payment_method, PROVIDER_ID_BYTES - 1) ||
        (request->customer && !is_id(request->customer)))
        return ERROR_INVALID;
    uint64_t amount = request->amount;
    if (!request->currency || stripe_amount_to_theirs(request->currency, &amount))
        return ERROR_INVALID;
    add_number(form, "amount", amount);
    if (add_currency(form, request->currency))
        return ERROR_INVALID;
    add(form, "capture_method", "manual");
    add(form, "confirm", "false");
    add(form, "payment_method_types[]", "card");
    add(form, "payment_method", request->payment_method);
    if (request->customer)
        add(form, "customer", request->customer);
    (void)snprintf(description, sizeof(description), "%s %s", request->slug, request->reference);
    add(form, "description", description);
    add(form, "metadata[onsale_event]", request->slug);
    add_number(form, "metadata[onsale_place]", request->place);
    add_number(form, "metadata[onsale_attempt]", request->attempt);
    add_number(form, "metadata[onsale_number]", request->number);
    add(form, "metadata[onsale_reference]", request->reference);
    buffer_text(&wire->path, "/v1/payment_intents");
    return 0;
}

static int write_of_intent(const struct provider_request *request, const char *what, struct provider_wire *wire)
{
    if (!is_id(request->intent))
        return ERROR_INVALID;
    buffer_text(&wire->path, "/v1/payment_intents/");
    buffer_text(&wire->path, request->intent);
    buffer_text(&wire->path, what);
    return 0;
}

static int write_confirm(const struct provider_request *request, struct provider_wire *wire)
{
    if (!is_text(request->return_url, ADDRESS_BYTES_MAX))
        return ERROR_INVALID;
    add(&wire->body, "return_url", request->return_url);
    return write_of_intent(request, "/confirm", wire);
}

static int write_refund(const struct provider_request *request, struct provider_wire *wire)
{
    if (!is_id(request->intent))
        return ERROR_INVALID;
    add(&wire->body, "payment_intent", request->intent);
    buffer_text(&wire->path, "/v1/refunds");
    return 0;
}

static int write_card_page(const struct provider_request *request, struct provider_wire *wire)
{
    struct buffer *form = &wire->body;
    char address[ADDRESS_BYTES_MAX + 32];
    if (!is_text(request->return_url, ADDRESS_BYTES_MAX) || !has_owner(request))
        return ERROR_INVALID;
    add(form, "mode", "setup");
    if (add_currency(form, request->currency))
        return ERROR_INVALID;
    add(form, "payment_method_types[]", "card");
    add(form, "customer_creation", "always"); // a payment method without a customer can be used once only
    (void)snprintf(address, sizeof(address), "%s?card=back", request->return_url);
    add(form, "success_url", address);
    (void)snprintf(address, sizeof(address), "%s?card=cancelled", request->return_url);
    add(form, "cancel_url", address);
    add(form, "metadata[onsale_event]", request->slug);
    add_number(form, "metadata[onsale_place]", request->place);
    add_number(form, "metadata[onsale_number]", request->number);
    buffer_text(&wire->path, "/v1/checkout/sessions");
    return 0;
}

static int write_card_ask(const struct provider_request *request, struct provider_wire *wire)
{
    if (!is_id(request->session))
        return ERROR_INVALID;
    buffer_text(&wire->path, "/v1/checkout/sessions/");
    buffer_text(&wire->path, request->session);
    buffer_text(&wire->path, "?");
    struct buffer query CLEANUP(buffer_done) = BUFFER_INIT;
    add(&query, "expand[]", "setup_intent.payment_method");
    if (query.failed)
        return ERROR_MEMORY;
    buffer_text(&wire->path, query.data);
    return 0;
}

static int write_list(const struct provider_request *request, struct provider_wire *wire)
{
    struct buffer query CLEANUP(buffer_done) = BUFFER_INIT;
    if (request->created_since < 0 || (request->after && !is_id(request->after)))
        return ERROR_INVALID;
    add_number(&query, "limit", PROVIDER_LIST_MAX);
    add_number(&query, "created[gte]", (uint64_t)request->created_since);
    if (request->after)
        add(&query, "starting_after", request->after);
    add(&query, "expand[]", "data.latest_charge.refunds"); // and with them their charge
    if (query.failed)
        return ERROR_MEMORY;
    buffer_text(&wire->path, "/v1/payment_intents?");
    buffer_text(&wire->path, query.data);
    return 0;
}

static int write_call(const struct provider_request *request, struct provider_wire *wire)
{
    switch (request->call) {
    case PROVIDER_CREATE:
        return write_create(request, wire);
    case PROVIDER_CONFIRM:
        return write_confirm(request, wire);
    case PROVIDER_ASK:
        return write_of_intent(request, "?expand%5B%5D=latest_charge.refunds", wire);
    case PROVIDER_CAPTURE:
        return write_of_intent(request, "/capture", wire);
    case PROVIDER_CANCEL:
        return write_of_intent(request, "/cancel", wire);
    case PROVIDER_REFUND:
        return write_refund(request, wire);
    case PROVIDER_CARD_PAGE:
        return write_card_page(request, wire);
    case PROVIDER_CARD_ASK:
        return write_card_ask(request, wire);
    case PROVIDER_LIST:
        return write_list(request, wire);
    case PROVIDER_CALL_COUNT:
        break;
    }
    return ERROR_INVALID;
}

static void add_header(struct provider_wire *wire, const char *name, const char *value)
{
    struct buffer *line = &wire->headers[wire->header_count++];
    buffer_text(line, name);
    buffer_text(line, value);
}

static bool changes_something(enum provider_call call)
{
    return call != PROVIDER_ASK && call != PROVIDER_CARD_ASK && call != PROVIDER_LIST;
}

static int write_request(const struct provider_request *request, const char *secret_key, struct provider_wire *ret)
{
    bool changes = changes_something(request->call);
    if (changes && (!is_text(request->idempotency_key, PROVIDER_KEY_BYTES - 1) ||
                    !provider_stripe_is_id(request->idempotency_key)))
        return ERROR_INVALID;
    int error = write_call(request, ret);
    if (error)
        return error;
    ret->method = changes ? "POST" : "GET";
    add_header(ret, "Authorization: Bearer ", secret_key);
    add_header(ret, "Stripe-Version: ", PROVIDER_STRIPE_VERSION);
    add_header(ret, "Accept: ", "application/json");
    if (changes) {
        add_header(ret, "Idempotency-Key: ", request->idempotency_key);
        add_header(ret, "Content-Type: ", "application/x-www-form-urlencoded");
    }
    bool failed = ret->path.failed || ret->body.failed;
    for (size_t i = 0; i < ret->header_count; i++)
        failed = failed || ret->headers[i].failed;
    return failed ? ERROR_MEMORY : 0;
}

const struct provider_kind provider_stripe = {
    .name = "stripe",
    .write = write_request,
    .read = provider_stripe_read_answer,
};
