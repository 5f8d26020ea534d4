// SPDX-License-Identifier: Apache-2.0
// See provider_stripe_answer.h. The rules are Stripe's: https://docs.stripe.com/api/errors, https://docs.stripe.com/api/idempotent_requests,
// https://docs.stripe.com/error-low-level. What has no rule is PROVIDER_UNKNOWN.
#include "common/provider_stripe_answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"
#include "common/provider_stripe_object.h"
#include "common/utf8.h"

#define RETRY_AFTER_SECONDS_MAX 3600
#define PROBLEM_BYTES 128

static PRINTF_LIKE(2, 3) void explain(struct provider_answer *ret, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(ret->detail, sizeof(ret->detail), format, arguments);
    va_end(arguments);
    utf8_mend(ret->detail);
}

static PRINTF_LIKE(2, 3) void nobody_knows(struct provider_answer *ret, const char *format, ...)
{
    char reason[PROBLEM_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    ret->result = PROVIDER_UNKNOWN;
    explain(ret, "HTTP %d, %s", ret->http_status, reason);
}

static bool has_key(enum provider_call call)
{
    return call != PROVIDER_ASK && call != PROVIDER_CARD_ASK && call != PROVIDER_LIST;
}

static bool is_json(const struct http_client_answer *answer)
{
    static const char type[] = "application/json";
    size_t bytes = sizeof(type) - 1;
    return strncasecmp(answer->content_type, type, bytes) == 0 &&
           (answer->content_type[bytes] == '\0' || answer->content_type[bytes] == ';' ||
            answer->content_type[bytes] == ' ');
}

// The body, or NULL when it is none; `problem` says why.
static json_t *read_body(const struct http_client_answer *answer, char *problem, size_t problem_bytes)
{
    json_t *body = NULL;
    if (!is_json(answer))
        (void)snprintf(problem, problem_bytes, "not of type application/json");
    else if (json_read_object(answer->body, answer->body_bytes, HTTP_CLIENT_BODY_BYTES_MAX, problem, problem_bytes,
                              &body))
        return NULL;
    return body;
}

// ---------------------------------------------------------------- what was done

static bool is_of_owner(const struct provider_asked *asked, const char *slug, uint64_t place, uint32_t attempt,
                        uint32_t number)
{
    return !*asked->slug || (strcmp(asked->slug, slug) == 0 && asked->place == place && asked->attempt == attempt &&
                             asked->number == number);
}

static int read_one_intent(const json_t *body, const struct provider_asked *asked, struct provider_answer *ret,
                           const char **wrong)
{
    struct provider_intent intent;
    enum stripe_view view = asked->call == PROVIDER_ASK ? STRIPE_WITH_CHARGE : STRIPE_PLAIN;
    if (stripe_read_intent(body, view, &intent, wrong))
        return ERROR_INVALID;
    if (*asked->id && strcmp(asked->id, intent.id) != 0) {
        *wrong = "id";
        return ERROR_INVALID;
    }
    if (!is_of_owner(asked, intent.slug, intent.place, intent.attempt, intent.number)) {
        *wrong = "metadata";
        return ERROR_INVALID;
    }
    ret->intent = intent;
    return 0;
}

static int read_refund(const json_t *body, const struct provider_asked *asked, struct provider_answer *ret,
                       const char **wrong)
{
    struct provider_intent intent = {.status = PROVIDER_CAPTURED};
    char refund[PROVIDER_ID_BYTES];
    enum stripe_refund status = STRIPE_REFUND_WAITS;
    *wrong = !stripe_is_object(body, "refund")                        ? "object"
             : stripe_read_id(body, "id", refund)                     ? "id"
             : stripe_read_id_of(body, "payment_intent", intent.id)   ? "payment_intent"
             : strcmp(intent.id, asked->id) != 0                      ? "payment_intent"
             : stripe_read_amount(body, "amount", &intent.amount)     ? "amount"
             : intent.amount == 0                                     ? "amount"
             : stripe_read_currency(body, intent.currency)            ? "currency"
             : stripe_amount_to_ours(intent.currency, &intent.amount) ? "amount"
             : stripe_read_refund_status(body, &status)               ? "status"
                                                                      : NULL;
    if (*wrong)
        return ERROR_INVALID;
    intent.captured_amount = intent.amount; // all of it was to go back
    if (status == STRIPE_REFUND_DONE) {
        intent.refunded_amount = intent.amount;
    } else if (status == STRIPE_REFUND_WAITS) {
        intent.refunding_amount = intent.amount;
    } else {
        ret->result = PROVIDER_REFUSED;
        ret->is_key_spent = true;
        stripe_read_refund_code(body, ret->code);
        explain(ret, "HTTP %d, %s", ret->http_status, ret->code);
    }
    ret->intent = intent;
    memcpy(ret->refund, refund, sizeof(refund));
    return 0;
}

static void write_label(const json_t *method, char ret[static PROVIDER_LABEL_BYTES])
{
    const json_t *card = json_object_get(method, "card");
    const char *brand, *last4;
    if (json_read_string(card, "brand", 32, &brand) == 0 && json_read_string(card, "last4", 4, &last4) == 0 &&
        provider_stripe_is_id(brand) && strlen(last4) == 4 && strspn(last4, "0123456789") == 4)
        (void)snprintf(ret, PROVIDER_LABEL_BYTES, "%s %s", brand, last4);
    else
        (void)snprintf(ret, PROVIDER_LABEL_BYTES, "card");
}

static int read_kept_card(const json_t *body, struct provider_answer *ret, const char **wrong)
{
    const json_t *setup = json_object_get(body, "setup_intent"), *method = json_object_get(setup, "payment_method");
    if (!stripe_is_object(setup, "setup_intent") || !stripe_is_object(method, "payment_method") ||
        stripe_read_id(method, "id", ret->card.payment_method)) {
        *wrong = "setup_intent";
        return ERROR_INVALID;
    }
    if (stripe_read_id_of(body, "customer", ret->card.customer)) {
        *wrong = "customer";
        return ERROR_INVALID;
    }
    write_label(method, ret->card.label);
    return 0;
}

static int read_session_status(const json_t *body, struct provider_answer *ret, const char **wrong)
{
    const char *status = "";
    if (json_read_string(body, "status", 64, &status) == 0 && strcmp(status, "open") == 0)
        ret->card.state = PROVIDER_CARD_OPEN;
    else if (strcmp(status, "complete") == 0)
        ret->card.state = PROVIDER_CARD_KEPT;
    else if (strcmp(status, "expired") == 0)
        ret->card.state = PROVIDER_CARD_GONE;
    else
        *wrong = "status";
    return *wrong ? ERROR_INVALID : 0;
}

static int read_session(const json_t *body, const struct provider_asked *asked, struct provider_answer *ret,
                        const char **wrong)
{
    if (!stripe_is_object(body, "checkout.session"))
        *wrong = "object";
    else if (stripe_read_id(body, "id", ret->card.session) || (*asked->id && strcmp(asked->id, ret->card.session) != 0))
        *wrong = "id";
    if (*wrong || read_session_status(body, ret, wrong))
        return ERROR_INVALID;
    char slug[SLUG_BYTES] = "";
    uint64_t place = 0;
    uint32_t number = 0;
    // Somebody else's page would have somebody else's card pay.
    if (*asked->slug &&
        (stripe_read_session_owner(body, slug, &place, &number) || !is_of_owner(asked, slug, place, 0, number))) {
        *wrong = "metadata";
        return ERROR_INVALID;
    }
    int error = stripe_read_page(body, "url", ret->card.url); // null once the page is of no use any more
    bool needs_page = asked->call == PROVIDER_CARD_PAGE || ret->card.state == PROVIDER_CARD_OPEN;
    if (error == ERROR_INVALID || (error && needs_page)) {
        *wrong = "url";
        return ERROR_INVALID;
    }
    if (asked->call == PROVIDER_CARD_ASK && ret->card.state == PROVIDER_CARD_KEPT)
        return read_kept_card(body, ret, wrong);
    return 0;
}

static int read_list(const json_t *body, struct provider_intent *listed, struct provider_answer *ret,
                     const char **wrong)
{
    const json_t *data = json_object_get(body, "data");
    size_t count = json_array_size(data);
    if (!stripe_is_object(body, "list"))
        *wrong = "object";
    else if (!json_is_array(data) || count > PROVIDER_LIST_MAX)
        *wrong = "data";
    else if (json_read_bool(body, "has_more", &ret->has_more) || (ret->has_more && count == 0))
        *wrong = "has_more"; // more, but after nothing: it would be asked for without end
    for (size_t i = 0; i < count && !*wrong; i++) {
        if (stripe_read_intent(json_array_get(data, i), STRIPE_LISTED, &listed[i], wrong))
            return ERROR_INVALID;
    }
    if (*wrong)
        return ERROR_INVALID;
    ret->intent_count = count;
    ret->intents = listed;
    return 0;
}

static int read_object(const json_t *body, const struct provider_asked *asked, struct provider_intent *listed,
                       struct provider_answer *ret, const char **wrong)
{
    switch (asked->call) {
    case PROVIDER_REFUND:
        return read_refund(body, asked, ret, wrong);
    case PROVIDER_CARD_PAGE:
    case PROVIDER_CARD_ASK:
        return read_session(body, asked, ret, wrong);
    case PROVIDER_LIST:
        return read_list(body, listed, ret, wrong);
    default:
        return read_one_intent(body, asked, ret, wrong);
    }
}

static void read_success(const struct provider_asked *asked, const struct http_client_answer *answer,
                         struct provider_intent *listed, struct provider_answer *ret)
{
    char problem[PROBLEM_BYTES] = "";
    const char *wrong = NULL;
    json_t *body CLEANUP(json_cleanup) = read_body(answer, problem, sizeof(problem));
    if (!body) {
        nobody_knows(ret, "%s", problem);
        return;
    }
    const json_t *error = json_object_get(body, "error");
    if (error && !json_is_null(error)) {
        nobody_knows(ret, "with an error inside");
        return;
    }
    struct provider_answer found = *ret;
    found.result = PROVIDER_DONE;
    if (read_object(body, asked, listed, &found, &wrong))
        nobody_knows(ret, "its %s is not right", wrong);
    else
        *ret = found;
}

// ---------------------------------------------------------------- what was not

static bool may_decline(enum provider_call call)
{
    return call == PROVIDER_CREATE || call == PROVIDER_CONFIRM;
}

static bool has_or_may_have_money(const struct provider_intent *intent)
{
    enum provider_status status = intent->status;
    return *intent->id &&
           (status == PROVIDER_AUTHORISED || status == PROVIDER_CAPTURED || status == PROVIDER_PROCESSING);
}

// By status, type and code. A no that we cannot place is nobody's no.
static void judge(const struct provider_asked *asked, const char *type, struct provider_answer *ret)
{
    bool is_locked = strcmp(ret->code, "lock_timeout") == 0;
    ret->is_key_spent = has_key(asked->call);
    if (ret->http_status == 409 || is_locked) {
        ret->result = PROVIDER_BUSY; // another call holds the object or the key; this one did nothing
        ret->is_key_spent = false;
    } else if (ret->http_status == 402 && strcmp(type, "card_error") == 0) {
        ret->result = may_decline(asked->call) ? PROVIDER_DECLINED : PROVIDER_REFUSED;
        ret->reason = stripe_decline_reason(ret->code);
    } else if (ret->http_status == 400 || ret->http_status == 404) {
        ret->result = PROVIDER_REFUSED;
        if (!*ret->code)
            (void)snprintf(ret->code, sizeof(ret->code), "%s", type);
    } else {
        ret->result = PROVIDER_UNKNOWN;
    }
    // It says no and does not show to what (Stripe does), or shows money that is or may be reserved: one of the two is not right.
    bool is_of_this_one = *ret->intent.id || asked->call != PROVIDER_CONFIRM;
    if (ret->result == PROVIDER_DECLINED && (!is_of_this_one || has_or_may_have_money(&ret->intent))) {
        ret->result = PROVIDER_UNKNOWN;
        ret->reason = ORDER_NO_REASON;
    }
    explain(ret, "HTTP %d, %s%s%s", ret->http_status, type, *ret->code ? ", " : "", ret->code);
}

// For the log alone; what is no name is left out.
static void read_param(const json_t *error, char ret[static PROVIDER_CODE_BYTES])
{
    const char *text;
    if (json_read_string(error, "param", PROVIDER_CODE_BYTES - 1, &text) == 0 &&
        !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_[]")])
        memcpy(ret, text, strlen(text) + 1);
}

static int read_error_object(const json_t *body, const struct provider_asked *asked, struct provider_answer *ret,
                             const char **type, const char **wrong)
{
    static const char *const types[] = {"card_error", "invalid_request_error", "idempotency_error", "api_error",
                                        "rate_limit_error"};
    const json_t *error = json_object_get(body, "error"), *intent;
    const char *text = "";
    *wrong = "error";
    if (!json_is_object(error))
        return ERROR_INVALID;
    if (stripe_read_code(error, ret->code, wrong))
        return ERROR_INVALID;
    read_param(error, ret->param);
    *wrong = "type";
    if (json_read_string(error, "type", 64, &text))
        return ERROR_INVALID;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(text, types[i]) == 0)
            *type = types[i];
    }
    intent = json_object_get(error, "payment_intent");
    struct provider_asked same = *asked;
    same.call = PROVIDER_CONFIRM; // charges are sent along on request only
    *wrong = NULL;
    return json_is_object(intent) ? read_one_intent(intent, &same, ret, wrong) : 0;
}

static void read_error(const struct provider_asked *asked, const struct http_client_answer *answer,
                       struct provider_answer *ret)
{
    char problem[PROBLEM_BYTES] = "";
    const char *wrong = NULL, *type = "unknown_error";
    json_t *body CLEANUP(json_cleanup) = read_body(answer, problem, sizeof(problem));
    struct provider_answer found = *ret;
    if (!body)
        nobody_knows(ret, "%s", problem);
    else if (read_error_object(body, asked, &found, &type, &wrong))
        nobody_knows(ret, "its %s is not right", wrong);
    else {
        judge(asked, type, &found);
        *ret = found;
    }
}

// Where the status alone decides, the code is just for the log.
static void read_code_only(const struct http_client_answer *answer, struct provider_answer *ret)
{
    char problem[PROBLEM_BYTES];
    const char *wrong;
    json_t *body CLEANUP(json_cleanup) = read_body(answer, problem, sizeof(problem));
    const json_t *error = json_object_get(body, "error");
    if (json_is_object(error) && stripe_read_code(error, ret->code, &wrong))
        ret->code[0] = '\0';
    explain(ret, "HTTP %d%s%s", ret->http_status, *ret->code ? ", " : "", ret->code);
}

static int64_t retry_after_ms(const struct http_client_answer *answer)
{
    int64_t seconds = answer->retry_after_seconds;
    if (seconds < 0)
        return 0;
    return (seconds > RETRY_AFTER_SECONDS_MAX ? RETRY_AFTER_SECONDS_MAX : seconds) * 1000;
}

static void read_status(const struct provider_asked *asked, const struct http_client_answer *answer,
                        struct provider_intent *listed, struct provider_answer *ret)
{
    int status = answer->status;
    if (status >= 200 && status <= 299) {
        read_success(asked, answer, listed, ret);
    } else if (status == 401 || status == 403) {
        ret->result = PROVIDER_DENIED; // looked at before anything is done, and not kept under the key
        read_code_only(answer, ret);
    } else if (status == 429) {
        ret->result = PROVIDER_BUSY; // likewise
        read_code_only(answer, ret);
    } else if (status == 400 || status == 402 || status == 404 || status == 409) {
        read_error(asked, answer, ret);
    } else {
        ret->result = PROVIDER_UNKNOWN;
        // Errors of its own are kept under the key like any answer, unless it says that it would try again.
        bool is_its_own = status >= 500 || status == 424;
        ret->is_key_spent = has_key(asked->call) && is_its_own && (answer->is_replayed || !answer->should_retry);
        read_code_only(answer, ret);
    }
    if (ret->result == PROVIDER_BUSY) {
        ret->retry_after_ms = retry_after_ms(answer);
        ret->is_key_spent = has_key(asked->call) && answer->is_replayed; // kept: it will be busy for ever
    }
}

void provider_stripe_read_answer(const struct provider_asked *asked, const struct http_client_answer *answer,
                                 struct provider_intent *listed, struct provider_answer *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->call = asked->call;
    ret->http_status = answer->status;
    ret->is_replayed = answer->is_replayed;
    switch (answer->result) {
    case HTTP_CLIENT_ANSWERED:
        read_status(asked, answer, listed, ret);
        break;
    case HTTP_CLIENT_NOT_SENT:
        ret->result = PROVIDER_BUSY;
        explain(ret, "not sent: %s", answer->problem);
        break;
    case HTTP_CLIENT_LOST:
        ret->result = PROVIDER_UNKNOWN;
        explain(ret, "no answer: %s", answer->problem);
        break;
    }
}
