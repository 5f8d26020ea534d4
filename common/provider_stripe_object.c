// SPDX-License-Identifier: Apache-2.0
// See provider_stripe_object.h.
#include "common/provider_stripe_object.h"

#include <stdio.h>
#include <string.h>

#include "common/http_client.h"
#include "common/json.h"
#include "common/provider_stripe_answer.h"

#define AMOUNT_MAX INT64_C(1000000000000)
#define TIME_MAX INT64_C(253402300799) // the end of the year 9999
#define REFUNDS_MAX 100 // of a charge in one answer; Stripe sends ten

static int refuse(const char *what, const char **wrong)
{
    *wrong = what;
    return ERROR_INVALID;
}

bool provider_stripe_is_id(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] == '\0';
}

bool stripe_is_object(const json_t *object, const char *type)
{
    const char *text;
    return json_is_object(object) && json_read_string(object, "object", 64, &text) == 0 && strcmp(text, type) == 0;
}

int stripe_read_id(const json_t *object, const char *key, char ret[static PROVIDER_ID_BYTES])
{
    const char *text;
    int error = json_read_string(object, key, PROVIDER_ID_BYTES - 1, &text);
    if (error)
        return error;
    if (!*text || !provider_stripe_is_id(text))
        return ERROR_INVALID;
    memcpy(ret, text, strlen(text) + 1);
    return 0;
}

int stripe_read_id_of(const json_t *object, const char *key, char ret[static PROVIDER_ID_BYTES])
{
    const json_t *member = json_object_get(object, key);
    if (!json_is_object(member))
        return stripe_read_id(object, key, ret);
    return stripe_read_id(member, "id", ret) == 0 ? 0 : ERROR_INVALID;
}

int stripe_read_page(const json_t *object, const char *key, char ret[static PROVIDER_URL_BYTES])
{
    const char *text;
    int error = json_read_string(object, key, PROVIDER_URL_BYTES - 1, &text);
    if (error)
        return error;
    if (http_client_check_url(text, NULL, 0) != 0)
        return ERROR_INVALID;
    memcpy(ret, text, strlen(text) + 1);
    return 0;
}

int stripe_read_currency(const json_t *object, char ret[static 4])
{
    const char *text;
    if (json_read_string(object, "currency", 3, &text) || strlen(text) != 3)
        return ERROR_INVALID;
    for (size_t i = 0; i < 3; i++) {
        if (text[i] < 'a' || text[i] > 'z')
            return ERROR_INVALID;
    }
    for (size_t i = 0; i < 4; i++)
        ret[i] = text[i] ? (char)(text[i] - 'a' + 'A') : '\0';
    return 0;
}

int stripe_read_amount(const json_t *object, const char *key, uint64_t *ret)
{
    int64_t amount;
    if (json_read_integer(object, key, 0, AMOUNT_MAX, &amount))
        return ERROR_INVALID;
    *ret = (uint64_t)amount;
    return 0;
}

// https://docs.stripe.com/currencies: special cases, and zero-decimal currencies. The least money of theirs in the least of ours, or ours in theirs.
static int convert(const char *currency, bool is_to_theirs, uint64_t *amount)
{
    static const struct {
        char currency[4];
        bool is_finer; // theirs
    } hundreds[] = {{"ISK", true}, {"UGX", true}, {"MGA", false}};
    for (size_t i = 0; i < sizeof(hundreds) / sizeof(hundreds[0]); i++) {
        if (strcmp(currency, hundreds[i].currency) != 0)
            continue;
        if (hundreds[i].is_finer == is_to_theirs)
            *amount *= 100; // amounts are bounded far below
        else if (*amount % 100 != 0)
            return ERROR_INVALID;
        else
            *amount /= 100;
    }
    return 0;
}

int stripe_amount_to_theirs(const char *currency, uint64_t *amount)
{
    return convert(currency, true, amount);
}

int stripe_amount_to_ours(const char *currency, uint64_t *amount)
{
    return convert(currency, false, amount);
}

// ---------------------------------------------------------------- errors

// A word for people who look for the reason: one that cannot be a word of Stripe's is left out.
static bool is_code(const char *text)
{
    size_t bytes = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return bytes > 0 && bytes < PROVIDER_CODE_BYTES && !text[bytes];
}

int stripe_read_code(const json_t *error, char ret[static PROVIDER_CODE_BYTES], const char **wrong)
{
    static const char *const keys[] = {"decline_code", "code"};
    const char *found = "";
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const json_t *member = json_object_get(error, keys[i]);
        if (!member || json_is_null(member))
            continue;
        if (!json_is_string(member))
            return refuse(keys[i], wrong);
        if (!*found && is_code(json_string_value(member)))
            found = json_string_value(member);
    }
    memcpy(ret, found, strlen(found) + 1);
    return 0;
}

enum order_reason stripe_decline_reason(const char *code)
{
    static const struct {
        const char *code;
        enum order_reason reason;
    } reasons[] = {
        {"insufficient_funds", ORDER_INSUFFICIENT_FUNDS},
        {"expired_card", ORDER_EXPIRED_CARD},
        {"authentication_required", ORDER_AUTHENTICATION_FAILED},
        {"payment_intent_authentication_failure", ORDER_AUTHENTICATION_FAILED},
        {"setup_intent_authentication_failure", ORDER_AUTHENTICATION_FAILED},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (strcmp(code, reasons[i].code) == 0)
            return reasons[i].reason;
    }
    return ORDER_CARD_DECLINED;
}

// ---------------------------------------------------------------- intents

static int read_decimal(const json_t *metadata, const char *key, uint64_t max, uint64_t *ret)
{
    const char *text;
    if (json_read_string(metadata, key, 19, &text) || !*text || text[strspn(text, "0123456789")])
        return ERROR_INVALID;
    uint64_t number = 0;
    for (; *text; text++)
        number = number * 10 + (uint64_t)(*text - '0');
    if (number == 0 || number > max)
        return ERROR_INVALID;
    *ret = number;
    return 0;
}

int stripe_read_session_owner(const json_t *object, char ret_slug[static SLUG_BYTES], uint64_t *ret_place,
                              uint32_t *ret_number)
{
    const json_t *metadata = json_object_get(object, "metadata");
    const char *slug;
    uint64_t place, number;
    if (!json_is_object(metadata) || json_read_string(metadata, "onsale_event", SLUG_BYTES - 1, &slug) ||
        !slug_is_valid(slug, strlen(slug)) || read_decimal(metadata, "onsale_place", INT64_MAX, &place) ||
        read_decimal(metadata, "onsale_number", UINT16_MAX, &number))
        return ERROR_NOT_FOUND;
    memcpy(ret_slug, slug, strlen(slug) + 1);
    *ret_place = place;
    *ret_number = (uint32_t)number;
    return 0;
}

// Metadata are what we said when it was created; others' intents have none or other ones.
static void read_owner(const json_t *object, struct provider_intent *ret)
{
    uint64_t attempt, place;
    uint32_t number;
    char slug[SLUG_BYTES] = "";
    if (stripe_read_session_owner(object, slug, &place, &number) ||
        read_decimal(json_object_get(object, "metadata"), "onsale_attempt", UINT16_MAX, &attempt))
        return;
    memcpy(ret->slug, slug, sizeof(slug));
    ret->place = place;
    ret->attempt = (uint32_t)attempt;
    ret->number = number;
}

static int read_last_error(const json_t *object, struct provider_intent *ret, const char **wrong)
{
    const json_t *error = json_object_get(object, "last_payment_error");
    ret->status = PROVIDER_UNCONFIRMED; // it waits for a payment method, and nobody has tried one
    if (!error || json_is_null(error))
        return 0;
    if (!json_is_object(error))
        return refuse("last_payment_error", wrong);
    ret->status = PROVIDER_FAILED;
    if (stripe_read_code(error, ret->code, wrong))
        return ERROR_INVALID;
    ret->reason = stripe_decline_reason(ret->code);
    return 0;
}

// Where the bank asks. Its question may be no page (Stripe has other kinds, and may add some), or an address that nobody should be sent to: that it asks,
// and that nothing is reserved, is known all the same.
static void read_next_action(const json_t *object, struct provider_intent *ret)
{
    const json_t *action = json_object_get(object, "next_action"), *redirect;
    const char *type;
    ret->status = PROVIDER_ACTION_REQUIRED;
    bool is_page = json_is_object(action) && json_read_string(action, "type", 64, &type) == 0 &&
                   strcmp(type, "redirect_to_url") == 0;
    redirect = json_object_get(action, "redirect_to_url");
    if (!is_page || !json_is_object(redirect) || stripe_read_page(redirect, "url", ret->action_url))
        ret->action_url[0] = '\0';
}

static int read_status(const json_t *object, struct provider_intent *ret, const char **wrong)
{
    static const struct {
        const char *name;
        enum provider_status status;
    } names[] = {
        {"requires_confirmation", PROVIDER_UNCONFIRMED},
        {"processing", PROVIDER_PROCESSING},
        {"requires_capture", PROVIDER_AUTHORISED},
        {"succeeded", PROVIDER_CAPTURED},
        {"canceled", PROVIDER_CANCELLED},
    };
    const char *name;
    if (json_read_string(object, "status", 64, &name))
        return refuse("status", wrong);
    if (strcmp(name, "requires_payment_method") == 0)
        return read_last_error(object, ret, wrong);
    if (strcmp(name, "requires_action") == 0) {
        read_next_action(object, ret);
        return 0;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i].name) == 0) {
            ret->status = names[i].status;
            return 0;
        }
    }
    return refuse("status", wrong);
}

int stripe_read_refund_status(const json_t *refund, enum stripe_refund *ret)
{
    static const struct {
        const char *name;
        enum stripe_refund status;
    } names[] = {
        {"succeeded", STRIPE_REFUND_DONE},
        {"pending", STRIPE_REFUND_WAITS}, // for the bank, or for our balance to be enough
        {"requires_action", STRIPE_REFUND_WAITS}, // for the customer
        {"failed", STRIPE_REFUND_FAILED},
        {"canceled", STRIPE_REFUND_FAILED},
    };
    const char *name;
    if (json_read_string(refund, "status", 64, &name))
        return ERROR_INVALID;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i].name) == 0) {
            *ret = names[i].status;
            return 0;
        }
    }
    return ERROR_INVALID;
}

void stripe_read_refund_code(const json_t *refund, char ret[static PROVIDER_CODE_BYTES])
{
    const char *reason, *status;
    ret[0] = '\0';
    if (json_read_string(refund, "failure_reason", PROVIDER_CODE_BYTES - 1, &reason) == 0 && is_code(reason))
        memcpy(ret, reason, strlen(reason) + 1);
    else if (json_read_string(refund, "status", 16, &status) == 0 && is_code(status))
        (void)snprintf(ret, PROVIDER_CODE_BYTES, "refund_%s", status);
}

// Newest first.
static int read_charge_refund(const json_t *refund, struct provider_intent *ret)
{
    char id[PROVIDER_ID_BYTES], currency[4];
    enum stripe_refund status;
    uint64_t amount;
    if (!stripe_is_object(refund, "refund") || stripe_read_id(refund, "id", id) ||
        stripe_read_amount(refund, "amount", &amount) || stripe_read_currency(refund, currency) ||
        strcmp(currency, ret->currency) != 0 || stripe_amount_to_ours(currency, &amount) ||
        stripe_read_refund_status(refund, &status))
        return ERROR_INVALID;
    if (status == STRIPE_REFUND_FAILED) {
        if (!ret->has_failed_refund)
            stripe_read_refund_code(refund, ret->refund_code);
        ret->has_failed_refund = true;
        return 0;
    }
    *(status == STRIPE_REFUND_DONE ? &ret->refunded_amount : &ret->refunding_amount) += amount;
    if (!*ret->refund)
        memcpy(ret->refund, id, sizeof(id));
    return 0;
}

// The charge's own sum counts what waits as well, so that the refunds are needed one by one. Of more than a page of them (each of a part, by hand) the
// sum tells what is not shown.
static int read_refunds(const json_t *charge, struct provider_intent *ret)
{
    const json_t *refunds = json_object_get(charge, "refunds"), *data = json_object_get(refunds, "data");
    size_t count = json_array_size(data);
    uint64_t sum;
    bool has_more;
    if (!stripe_is_object(refunds, "list") || !json_is_array(data) || count > REFUNDS_MAX ||
        json_read_bool(refunds, "has_more", &has_more) || stripe_read_amount(charge, "amount_refunded", &sum) ||
        stripe_amount_to_ours(ret->currency, &sum))
        return ERROR_INVALID;
    for (size_t i = 0; i < count; i++) {
        if (read_charge_refund(json_array_get(data, i), ret))
            return ERROR_INVALID;
    }
    if (has_more && sum > ret->refunded_amount + ret->refunding_amount)
        ret->refunded_amount = sum - ret->refunding_amount;
    return ret->refunded_amount + ret->refunding_amount <= (uint64_t)AMOUNT_MAX ? 0 : ERROR_INVALID;
}

static int read_charge(const json_t *object, struct provider_intent *ret, const char **wrong)
{
    const json_t *charge = json_object_get(object, "latest_charge");
    if (json_is_null(charge)) // absent is something else: then it has not been sent along
        return 0;
    if (!stripe_is_object(charge, "charge") || read_refunds(charge, ret))
        return refuse("latest_charge", wrong);
    return 0;
}

static int read_content(const json_t *object, enum stripe_view view, struct provider_intent *ret, const char **wrong)
{
    if (stripe_read_amount(object, "amount", &ret->amount))
        return refuse("amount", wrong);
    if (stripe_read_amount(object, "amount_received", &ret->captured_amount))
        return refuse("amount_received", wrong);
    if (stripe_read_currency(object, ret->currency))
        return refuse("currency", wrong);
    if (stripe_amount_to_ours(ret->currency, &ret->amount) ||
        stripe_amount_to_ours(ret->currency, &ret->captured_amount))
        return refuse("amount", wrong);
    if (read_status(object, ret, wrong))
        return ERROR_INVALID;
    return view == STRIPE_PLAIN ? 0 : read_charge(object, ret, wrong);
}

int stripe_read_intent(const json_t *object, enum stripe_view view, struct provider_intent *ret, const char **wrong)
{
    struct provider_intent intent = {.status = PROVIDER_PROCESSING};
    if (!stripe_is_object(object, "payment_intent"))
        return refuse("object", wrong);
    if (stripe_read_id(object, "id", intent.id))
        return refuse("id", wrong);
    if (json_read_integer(object, "created", 0, TIME_MAX, &intent.created_at))
        return refuse("created", wrong);
    read_owner(object, &intent);
    const char *wrong_inside = NULL;
    if (read_content(object, view, &intent, &wrong_inside) && (view != STRIPE_LISTED || *intent.slug))
        return refuse(wrong_inside, wrong); // of others' intents in a list, what could be read is enough
    *ret = intent;
    return 0;
}
