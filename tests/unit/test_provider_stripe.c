// SPDX-License-Identifier: Apache-2.0
// Stripe's requests to the byte, and what is made of its answers: the usual ones, those at the limits, and everything that is none.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/provider_stripe.h"

// ---------------------------------------------------------------- requests

static const struct provider_request usual = {
    .idempotency_key = "0123456789abcdef0123456789abcdef-confirm-0",
    .intent = "pi_1",
    .session = "cs_test_1",
    .amount = 4500,
    .currency = "EUR",
    .payment_method = "pm_card_visa",
    .slug = "spring-gala",
    .reference = "K7QM-4WDP",
    .place = 4211,
    .attempt = 2,
    .number = 3,
    .return_url = "https://tickets.example/e/spring-gala",
    .created_since = 1795470000,
};

static void assert_request(enum provider_call call, const struct provider_request *base, const char *method,
                           const char *path, const char *body)
{
    struct provider_request request = *base;
    request.call = call;
    struct provider_wire wire = {0};
    assert_int_equal(provider_stripe.write(&request, "sk_test_secret", &wire), 0);
    assert_string_equal(wire.method, method);
    assert_string_equal(wire.path.data, path);
    assert_string_equal(wire.body.data ? wire.body.data : "", body);
    bool changes = strcmp(method, "POST") == 0;
    assert_int_equal(wire.header_count, changes ? 5 : 3);
    assert_string_equal(wire.headers[0].data, "Authorization: Bearer sk_test_secret");
    assert_string_equal(wire.headers[1].data, "Stripe-Version: 2024-06-20");
    assert_string_equal(wire.headers[2].data, "Accept: application/json");
    if (changes) {
        assert_string_equal(wire.headers[3].data, "Idempotency-Key: 0123456789abcdef0123456789abcdef-confirm-0");
        assert_string_equal(wire.headers[4].data, "Content-Type: application/x-www-form-urlencoded");
    }
    provider_wire_done(&wire);
}

static void requests_are_so_to_the_byte(void **state)
{
    (void)state;
    assert_request(PROVIDER_CREATE, &usual, "POST", "/v1/payment_intents",
                   "amount=4500&currency=eur&capture_method=manual&confirm=false&payment_method_types%5B%5D=card"
                   "&payment_method=pm_card_visa&description=spring-gala+K7QM-4WDP"
                   "&metadata%5Bonsale_event%5D=spring-gala&metadata%5Bonsale_place%5D=4211"
                   "&metadata%5Bonsale_attempt%5D=2&metadata%5Bonsale_number%5D=3"
                   "&metadata%5Bonsale_reference%5D=K7QM-4WDP");
    assert_request(PROVIDER_CONFIRM, &usual, "POST", "/v1/payment_intents/pi_1/confirm",
                   "return_url=https%3A%2F%2Ftickets.example%2Fe%2Fspring-gala");
    assert_request(PROVIDER_ASK, &usual, "GET", "/v1/payment_intents/pi_1?expand%5B%5D=latest_charge", "");
    assert_request(PROVIDER_CAPTURE, &usual, "POST", "/v1/payment_intents/pi_1/capture", "");
    assert_request(PROVIDER_CANCEL, &usual, "POST", "/v1/payment_intents/pi_1/cancel", "");
    assert_request(PROVIDER_REFUND, &usual, "POST", "/v1/refunds", "payment_intent=pi_1");
    assert_request(PROVIDER_CARD_PAGE, &usual, "POST", "/v1/checkout/sessions",
                   "mode=setup&currency=eur&payment_method_types%5B%5D=card&customer_creation=always"
                   "&success_url=https%3A%2F%2Ftickets.example%2Fe%2Fspring-gala%3Fcard%3Dback"
                   "&cancel_url=https%3A%2F%2Ftickets.example%2Fe%2Fspring-gala%3Fcard%3Dcancelled"
                   "&metadata%5Bonsale_event%5D=spring-gala&metadata%5Bonsale_place%5D=4211"
                   "&metadata%5Bonsale_number%5D=3");
    assert_request(PROVIDER_CARD_ASK, &usual, "GET",
                   "/v1/checkout/sessions/cs_test_1?expand%5B%5D=setup_intent.payment_method", "");
    assert_request(PROVIDER_LIST, &usual, "GET",
                   "/v1/payment_intents?limit=50&created%5Bgte%5D=1795470000&expand%5B%5D=data.latest_charge", "");
    struct provider_request next = usual;
    next.after = "pi_50";
    assert_request(PROVIDER_LIST, &next, "GET",
                   "/v1/payment_intents?limit=50&created%5Bgte%5D=1795470000&starting_after=pi_50"
                   "&expand%5B%5D=data.latest_charge",
                   "");
}

static void what_visitors_typed_breaks_out_of_nothing(void **state)
{
    (void)state;
    struct provider_request request = usual;
    request.payment_method = "pm_1&amount=1\r\nX: y\xC3\xA9 %+";
    request.customer = "cus_1";
    assert_request(PROVIDER_CREATE, &request, "POST", "/v1/payment_intents",
                   "amount=4500&currency=eur&capture_method=manual&confirm=false&payment_method_types%5B%5D=card"
                   "&payment_method=pm_1%26amount%3D1%0D%0AX%3A+y%C3%A9+%25%2B&customer=cus_1"
                   "&description=spring-gala+K7QM-4WDP"
                   "&metadata%5Bonsale_event%5D=spring-gala&metadata%5Bonsale_place%5D=4211"
                   "&metadata%5Bonsale_attempt%5D=2&metadata%5Bonsale_number%5D=3"
                   "&metadata%5Bonsale_reference%5D=K7QM-4WDP");
}

static void assert_cannot_be_said(enum provider_call call, struct provider_request request)
{
    struct provider_wire wire = {0};
    request.call = call;
    assert_int_equal(provider_stripe.write(&request, "sk_test_secret", &wire), ERROR_INVALID);
    provider_wire_done(&wire);
}

static struct provider_request with_text(size_t offset, const char *value)
{
    struct provider_request request = usual;
    memcpy((char *)&request + offset, &value, sizeof(value));
    return request;
}

#define WITH(member, value) with_text(offsetof(struct provider_request, member), (value))

static void what_cannot_be_said_is_not_begun(void **state)
{
    (void)state;
    char long_id[PROVIDER_ID_BYTES + 1], long_key[PROVIDER_KEY_BYTES + 1], long_url[2002];
    memset(long_id, 'a', sizeof(long_id));
    long_id[PROVIDER_ID_BYTES] = '\0';
    memset(long_key, 'a', sizeof(long_key));
    long_key[PROVIDER_KEY_BYTES] = '\0';
    memset(long_url, 'a', sizeof(long_url));
    long_url[2001] = '\0';
    static const enum provider_call of_intent[] = {PROVIDER_CONFIRM, PROVIDER_ASK, PROVIDER_CAPTURE, PROVIDER_CANCEL,
                                                   PROVIDER_REFUND};
    static const char *const no_ids[] = {NULL, "", "pi/1", "pi_1?x", "..", "pi 1", "pi_\xC3\xA9", "pi_1\n"};
    for (size_t j = 0; j < sizeof(no_ids) / sizeof(no_ids[0]); j++) {
        for (size_t i = 0; i < sizeof(of_intent) / sizeof(of_intent[0]); i++)
            assert_cannot_be_said(of_intent[i], WITH(intent, no_ids[j]));
        assert_cannot_be_said(PROVIDER_CARD_ASK, WITH(session, no_ids[j]));
        assert_cannot_be_said(PROVIDER_CREATE, WITH(idempotency_key, no_ids[j]));
        if (no_ids[j])
            assert_cannot_be_said(PROVIDER_LIST, WITH(after, no_ids[j]));
    }
    assert_cannot_be_said(PROVIDER_ASK, WITH(intent, long_id));
    assert_cannot_be_said(PROVIDER_CREATE, WITH(idempotency_key, long_key));
    assert_cannot_be_said(PROVIDER_CREATE, WITH(payment_method, NULL));
    assert_cannot_be_said(PROVIDER_CREATE, WITH(payment_method, ""));
    assert_cannot_be_said(PROVIDER_CREATE, WITH(payment_method, long_id));
    assert_cannot_be_said(PROVIDER_CREATE, WITH(customer, ""));
    assert_cannot_be_said(PROVIDER_CREATE, WITH(currency, "eur"));
    assert_cannot_be_said(PROVIDER_CREATE, WITH(currency, "EURO"));
    assert_cannot_be_said(PROVIDER_CREATE, WITH(currency, NULL));
    assert_cannot_be_said(PROVIDER_CREATE, WITH(slug, "Gala"));
    assert_cannot_be_said(PROVIDER_CREATE, WITH(reference, NULL));
    assert_cannot_be_said(PROVIDER_CONFIRM, WITH(return_url, NULL));
    assert_cannot_be_said(PROVIDER_CARD_PAGE, WITH(return_url, long_url));
    assert_cannot_be_said(PROVIDER_CARD_PAGE, WITH(slug, NULL));
    assert_cannot_be_said(PROVIDER_CALL_COUNT, usual);
    struct provider_request request = usual;
    request.amount = 0;
    assert_cannot_be_said(PROVIDER_CREATE, request);
    request.amount = UINT64_C(1000000000001);
    assert_cannot_be_said(PROVIDER_CREATE, request);
    request = usual;
    request.place = 0;
    assert_cannot_be_said(PROVIDER_CREATE, request);
    request = usual;
    request.created_since = -1;
    assert_cannot_be_said(PROVIDER_LIST, request);
}

// ---------------------------------------------------------------- answers

#define OWNER                                                                                      \
    "\"metadata\":{\"onsale_event\":\"spring-gala\",\"onsale_place\":\"4211\",\"onsale_attempt\":" \
    "\"2\",\"onsale_number\":\"3\",\"onsale_reference\":\"K7QM-4WDP\"}"
#define INTENT(status, more)                                                                                     \
    "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":4500,\"amount_received\":0,\"currency\":\"eur\"," \
    "\"created\":1795470001,\"latest_charge\":null,\"status\":\"" status "\"," OWNER more "}"
#define CARD_ERROR(code, decline, more)                                                       \
    "{\"error\":{\"type\":\"card_error\",\"code\":\"" code "\",\"decline_code\":" decline "," \
    "\"message\":\"Your card ending in 4242 of jo@example.org was declined.\"" more "}}"
#define REQUEST_ERROR(code) \
    "{\"error\":{\"type\":\"invalid_request_error\",\"code\":" code ",\"message\":\"sk_test_secret is wrong\"}}"

static struct provider_intent listed[PROVIDER_LIST_MAX];

static struct provider_answer read_raw(enum provider_call call, const struct http_client_answer *raw)
{
    struct provider_answer answer;
    struct provider_asked asked = {.call = call};
    bool is_of_session = call == PROVIDER_CARD_ASK;
    if (call != PROVIDER_CREATE && call != PROVIDER_CARD_PAGE && call != PROVIDER_LIST)
        (void)snprintf(asked.id, sizeof(asked.id), "%s", is_of_session ? "cs_test_1" : "pi_1");
    if (call == PROVIDER_CREATE || call == PROVIDER_CARD_PAGE) {
        (void)snprintf(asked.slug, sizeof(asked.slug), "spring-gala");
        asked.place = 4211;
        asked.attempt = call == PROVIDER_CREATE ? 2 : 0;
        asked.number = 3;
    }
    memset(&answer, 0x5a, sizeof(answer));
    provider_stripe.read(&asked, raw, listed, &answer);
    assert_int_equal(answer.call, call);
    // Whatever the provider says in sentences stays out of the log.
    assert_null(strstr(answer.detail, "4242"));
    assert_null(strstr(answer.detail, "jo@"));
    assert_null(strstr(answer.detail, "sk_test"));
    assert_non_null(memchr(answer.detail, '\0', sizeof(answer.detail)));
    return answer;
}

static struct provider_answer read_answer(enum provider_call call, int status, const char *body)
{
    const struct http_client_answer raw = {
        .result = HTTP_CLIENT_ANSWERED,
        .status = status,
        .body = body,
        .body_bytes = strlen(body),
        .content_type = "application/json",
        .retry_after_seconds = -1,
    };
    return read_raw(call, &raw);
}

static void assert_unknown(enum provider_call call, int status, const char *body)
{
    struct provider_answer answer = read_answer(call, status, body);
    if (answer.result != PROVIDER_UNKNOWN)
        fail_msg("%s of %d %s", provider_result_name(answer.result), status, body);
    assert_int_equal(answer.http_status, status);
    assert_string_equal(answer.intent.id, "");
    assert_true(*answer.detail);
    if (status < 400)
        assert_false(answer.is_key_spent);
}

static void every_status_of_an_intent_is_understood(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum provider_status status;
        enum order_reason reason;
        const char *code, *action_url;
    } cases[] = {
        {INTENT("requires_confirmation", ""), PROVIDER_UNCONFIRMED, ORDER_NO_REASON, "", ""},
        {INTENT("requires_payment_method", ""), PROVIDER_UNCONFIRMED, ORDER_NO_REASON, "", ""},
        {INTENT("requires_payment_method", ",\"last_payment_error\":null"), PROVIDER_UNCONFIRMED, ORDER_NO_REASON, "",
         ""},
        {INTENT("requires_payment_method", ",\"last_payment_error\":{\"code\":\"card_declined\",\"decline_code\":"
                                           "\"insufficient_funds\",\"type\":\"card_error\"}"),
         PROVIDER_FAILED, ORDER_INSUFFICIENT_FUNDS, "insufficient_funds", ""},
        {INTENT("requires_payment_method", ",\"last_payment_error\":{\"code\":\"payment_intent_authentication_"
                                           "failure\",\"decline_code\":null}"),
         PROVIDER_FAILED, ORDER_AUTHENTICATION_FAILED, "payment_intent_authentication_failure", ""},
        {INTENT("requires_payment_method", ",\"last_payment_error\":{}"), PROVIDER_FAILED, ORDER_CARD_DECLINED, "", ""},
        {INTENT("requires_action", ",\"next_action\":{\"type\":\"redirect_to_url\",\"redirect_to_url\":{\"url\":"
                                   "\"https://hooks.stripe.com/3d?a=1\",\"return_url\":\"https://x\"}}"),
         PROVIDER_ACTION_REQUIRED, ORDER_NO_REASON, "", "https://hooks.stripe.com/3d?a=1"},
        {INTENT("requires_action", ",\"next_action\":{\"type\":\"redirect_to_url\",\"redirect_to_url\":{\"url\":"
                                   "\"http://127.0.0.1:8500/challenge/pi_1\"}}"),
         PROVIDER_ACTION_REQUIRED, ORDER_NO_REASON, "", "http://127.0.0.1:8500/challenge/pi_1"},
        {INTENT("processing", ""), PROVIDER_PROCESSING, ORDER_NO_REASON, "", ""},
        {INTENT("requires_capture", ""), PROVIDER_AUTHORISED, ORDER_NO_REASON, "", ""},
        {INTENT("succeeded", ""), PROVIDER_CAPTURED, ORDER_NO_REASON, "", ""},
        {INTENT("canceled", ""), PROVIDER_CANCELLED, ORDER_NO_REASON, "", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct provider_answer answer = read_answer(PROVIDER_CONFIRM, 200, cases[i].body);
        if (answer.result != PROVIDER_DONE)
            fail_msg("%s: %s", answer.detail, cases[i].body);
        assert_int_equal(answer.intent.status, cases[i].status);
        assert_int_equal(answer.intent.reason, cases[i].reason);
        assert_string_equal(answer.intent.code, cases[i].code);
        assert_string_equal(answer.intent.action_url, cases[i].action_url);
        assert_string_equal(answer.intent.id, "pi_1");
        assert_int_equal(answer.intent.amount, 4500);
        assert_string_equal(answer.intent.currency, "EUR");
        assert_string_equal(answer.intent.slug, "spring-gala");
        assert_int_equal(answer.intent.place, 4211);
        assert_int_equal(answer.intent.attempt, 2);
        assert_int_equal(answer.intent.number, 3);
        assert_int_equal(answer.intent.created_at, 1795470001);
        assert_string_equal(answer.code, "");
        assert_false(answer.is_key_spent || answer.is_replayed);
    }
}

// What the bank asks may be no page, or none that anybody should be sent to. That it asks is known all the same, and so is that nothing is reserved.
static void a_question_without_a_page_is_one(void **state)
{
    (void)state;
    char long_url[2400];
    (void)snprintf(long_url, sizeof(long_url),
                   INTENT("requires_action", ",\"next_action\":{\"type\":\"redirect_to_url\",\"redirect_to_url\":{"
                                             "\"url\":\"https://h/%02000d\"}}"),
                   0);
    const char *const bodies[] = {
        INTENT("requires_action", ""),
        INTENT("requires_action", ",\"next_action\":null"),
        INTENT("requires_action", ",\"next_action\":{\"type\":\"use_stripe_sdk\",\"use_stripe_sdk\":{}}"),
        INTENT("requires_action", ",\"next_action\":{\"type\":\"redirect_to_url\"}"),
        INTENT("requires_action", ",\"next_action\":{\"type\":\"redirect_to_url\",\"redirect_to_url\":{\"url\":null}}"),
        INTENT(
            "requires_action",
            ",\"next_action\":{\"type\":\"redirect_to_url\",\"redirect_to_url\":{\"url\":\"http://evil.example/\"}}"),
        INTENT("requires_action",
               ",\"next_action\":{\"type\":\"redirect_to_url\",\"redirect_to_url\":{\"url\":\"javascript:alert(1)\"}}"),
        INTENT("requires_action",
               ",\"next_action\":{\"type\":\"redirect_to_url\",\"redirect_to_url\":{\"url\":\"https://a b/\"}}"),
        long_url,
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct provider_answer answer = read_answer(PROVIDER_CONFIRM, 200, bodies[i]);
        if (answer.result != PROVIDER_DONE)
            fail_msg("%s: %s", answer.detail, bodies[i]);
        assert_int_equal(answer.intent.status, PROVIDER_ACTION_REQUIRED);
        assert_string_equal(answer.intent.action_url, "");
    }
}

static void what_is_no_intent_is_not_known(void **state)
{
    (void)state;
    const char *const bodies[] = {
        "",
        "{",
        "[]",
        "null",
        "\"pi_1\"",
        "<html>502</html>",
        "{}",
        "{\"object\":\"payment_intent\"}",
        INTENT("requires_capture", "") "}", // something behind it
        INTENT("requires_capture", ",\"amount\":1"), // twice, and which is it?
        INTENT("settled", ""),
        INTENT("", ""),
        INTENT("requires_capture", ",\"error\":{\"type\":\"card_error\"}"),
        INTENT("requires_payment_method", ",\"last_payment_error\":\"no\""),
        INTENT("requires_payment_method", ",\"last_payment_error\":{\"code\":7}"),
        "{\"id\":\"pi_2\",\"object\":\"payment_intent\",\"amount\":4500,\"amount_received\":0,\"currency\":\"eur\","
        "\"created\":1,\"status\":\"requires_capture\"}", // another
        "{\"id\":\"pi_1\",\"object\":\"setup_intent\",\"amount\":4500,\"amount_received\":0,\"currency\":\"eur\","
        "\"created\":1,\"status\":\"succeeded\"}",
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_unknown(PROVIDER_CONFIRM, 200, bodies[i]);
}

// One member after the other is missing, of another type, beyond its bounds.
static void every_member_is_looked_at(void **state)
{
    (void)state;
    static const char *const members[][8] = {
        {"id", "\"pi_1\"", "null", "7", "\"\"", "\"pi/1\"", "\"pi_1 \"", NULL},
        {"object", "\"payment_intent\"", "null", "\"charge\"", "{}", NULL},
        {"amount", "4500", "null", "-1", "4500.0", "\"4500\"", "1000000000001", NULL},
        {"amount_received", "0", "null", "-1", "0.0", "\"0\"", "9223372036854775808", NULL},
        {"currency", "\"eur\"", "null", "\"EUR\"", "\"eu\"", "\"euro\"", "978", NULL},
        {"created", "1795470001", "null", "-1", "1.5", "\"1\"", "253402300800", NULL},
        {"status", "\"requires_capture\"", "null", "1", "[]", NULL},
    };
    size_t count = sizeof(members) / sizeof(members[0]);
    for (size_t wrong = 0; wrong <= count; wrong++) {
        for (size_t version = 1; version < 8; version++) {
            struct buffer text = BUFFER_INIT;
            const char *value = wrong < count ? members[wrong][version] : NULL;
            buffer_text(&text, "{\"metadata\":{}");
            for (size_t i = 0; i < count; i++) {
                if (i != wrong)
                    buffer_format(&text, ",\"%s\":%s", members[i][0], members[i][1]);
                else if (version > 1 && value)
                    buffer_format(&text, ",\"%s\":%s", members[i][0], value);
            }
            buffer_text(&text, "}");
            if (wrong == count)
                assert_int_equal(read_answer(PROVIDER_CAPTURE, 200, text.data).result, PROVIDER_DONE);
            else
                assert_unknown(PROVIDER_CAPTURE, 200, text.data);
            buffer_done(&text);
        }
    }
}

static void limits_are_within(void **state)
{
    (void)state;
    struct provider_answer answer = read_answer(
        PROVIDER_CONFIRM, 299,
        "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":1000000000000,\"amount_received\":1000000000000,"
        "\"currency\":\"kwd\",\"created\":253402300799,\"status\":\"succeeded\"}");
    assert_int_equal(answer.result, PROVIDER_DONE);
    assert_true(answer.intent.amount == UINT64_C(1000000000000));
    assert_true(answer.intent.captured_amount == UINT64_C(1000000000000));
    assert_string_equal(answer.intent.slug, "");
    assert_string_equal(answer.intent.currency, "KWD");
    char body[1024], id[PROVIDER_ID_BYTES + 1];
    memset(id, 'a', sizeof(id));
    for (size_t bytes = PROVIDER_ID_BYTES - 1; bytes <= PROVIDER_ID_BYTES; bytes++) {
        id[bytes] = '\0';
        (void)snprintf(body, sizeof(body),
                       "{\"id\":\"%s\",\"object\":\"payment_intent\",\"amount\":1,\"amount_received\":0,"
                       "\"currency\":\"eur\",\"created\":0,\"status\":\"requires_confirmation\"," OWNER "}",
                       id);
        answer = read_answer(PROVIDER_CREATE, 200, body);
        assert_int_equal(answer.result, bytes < PROVIDER_ID_BYTES ? PROVIDER_DONE : PROVIDER_UNKNOWN);
        id[bytes] = 'a';
    }
    // The longest address that a visitor is sent to.
    char url[PROVIDER_URL_BYTES], action[PROVIDER_URL_BYTES + 600];
    (void)snprintf(url, sizeof(url), "https://h/%0*d", PROVIDER_URL_BYTES - 1 - 10, 0);
    (void)snprintf(
        action, sizeof(action),
        "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":1,\"amount_received\":0,\"currency\":\"eur\","
        "\"created\":0,\"status\":\"requires_action\",\"next_action\":{\"type\":\"redirect_to_url\","
        "\"redirect_to_url\":{\"url\":\"%s\"}}}",
        url);
    answer = read_answer(PROVIDER_CONFIRM, 200, action);
    assert_int_equal(answer.result, PROVIDER_DONE);
    assert_string_equal(answer.intent.action_url, url);
}

static void only_json_is_json(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        enum provider_result result;
    } cases[] = {
        {"application/json", PROVIDER_DONE},
        {"Application/JSON; charset=utf-8", PROVIDER_DONE},
        {"", PROVIDER_UNKNOWN},
        {"text/html", PROVIDER_UNKNOWN},
        {"application/jsonp", PROVIDER_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_client_answer raw = {
            .status = 200,
            .body = INTENT("requires_capture", ""),
            .body_bytes = strlen(INTENT("requires_capture", "")),
        };
        (void)snprintf(raw.content_type, sizeof(raw.content_type), "%s", cases[i].type);
        assert_int_equal(read_raw(PROVIDER_CONFIRM, &raw).result, cases[i].result);
    }
}

static void what_was_refunded_stands_in_the_charge(void **state)
{
    (void)state;
    static const char text[] =
        "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":4500,\"amount_received\":4500,\"currency\":\"eur\","
        "\"created\":1,\"status\":\"succeeded\",\"latest_charge\":{\"id\":\"ch_1\",\"object\":\"charge\","
        "\"amount_refunded\":4500}}";
    struct provider_answer answer = read_answer(PROVIDER_ASK, 200, text);
    assert_int_equal(answer.result, PROVIDER_DONE);
    assert_int_equal(answer.intent.captured_amount, 4500);
    assert_int_equal(answer.intent.refunded_amount, 4500);
    assert_int_equal(read_answer(PROVIDER_ASK, 200, INTENT("canceled", "")).result, PROVIDER_DONE);
    static const char *const charges[] = {"\"ch_1\"", "{}", "7", "{\"object\":\"charge\",\"amount_refunded\":-1}",
                                          "{\"object\":\"card\",\"amount_refunded\":0}"};
    for (size_t i = 0; i < sizeof(charges) / sizeof(charges[0]); i++) {
        char body[512];
        (void)snprintf(body, sizeof(body),
                       "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":1,\"amount_received\":1,"
                       "\"currency\":\"eur\",\"created\":1,\"status\":\"succeeded\",\"latest_charge\":%s}",
                       charges[i]);
        assert_unknown(PROVIDER_ASK, 200, body);
        assert_int_equal(read_answer(PROVIDER_CAPTURE, 200, body).result, PROVIDER_DONE); // which does not tell
    }
    assert_unknown(PROVIDER_ASK, 200,
                   "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":1,\"amount_received\":1,"
                   "\"currency\":\"eur\",\"created\":1,\"status\":\"succeeded\"}");
}

// Whoever has lost count on a connection answers the call before.
static void what_belongs_to_another_call_is_not_taken(void **state)
{
    (void)state;
#define OF(slug, place, attempt, number)                                                                         \
    "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":4500,\"amount_received\":0,\"currency\":\"eur\"," \
    "\"created\":1,\"status\":\"requires_confirmation\",\"metadata\":{\"onsale_event\":\"" slug                  \
    "\",\"onsale_place\":\"" place "\",\"onsale_attempt\":\"" attempt "\",\"onsale_number\":\"" number "\"}}"
#define NOBODYS                                                                                                  \
    "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":4500,\"amount_received\":0,\"currency\":\"eur\"," \
    "\"created\":1,\"status\":\"requires_confirmation\",\"metadata\":{}}"
    assert_int_equal(read_answer(PROVIDER_CREATE, 200, OF("spring-gala", "4211", "2", "3")).result, PROVIDER_DONE);
    static const char *const others[] = {
        OF("gala", "4211", "2", "3"),        OF("spring-gala", "4212", "2", "3"), OF("spring-gala", "4211", "1", "3"),
        OF("spring-gala", "4211", "2", "2"), OF("spring-gala", "4211", "2", ""),  NOBODYS,
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_unknown(PROVIDER_CREATE, 200, others[i]);
    // Of what is asked for by its id, that counts.
    assert_int_equal(read_answer(PROVIDER_CONFIRM, 200, others[0]).result, PROVIDER_DONE);
#define PAGE_OF(slug, place, number)                                                                             \
    "{\"id\":\"cs_1\",\"object\":\"checkout.session\",\"status\":\"open\",\"url\":\"https://h/\",\"metadata\":{" \
    "\"onsale_event\":\"" slug "\",\"onsale_place\":\"" place "\",\"onsale_number\":\"" number "\"}}"
    assert_int_equal(read_answer(PROVIDER_CARD_PAGE, 200, PAGE_OF("spring-gala", "4211", "3")).result, PROVIDER_DONE);
    assert_unknown(PROVIDER_CARD_PAGE, 200, PAGE_OF("gala", "4211", "3"));
    assert_unknown(PROVIDER_CARD_PAGE, 200, PAGE_OF("spring-gala", "4210", "3"));
    assert_unknown(PROVIDER_CARD_PAGE, 200, PAGE_OF("spring-gala", "4211", "4"));
    assert_unknown(PROVIDER_CARD_PAGE, 200, PAGE_OF("spring-gala", "x", "3"));
}

// Stripe's unit of a few currencies is another than ISO 4217's. A mistake there is one by a hundred.
static void amounts_are_iso_4217s(void **state)
{
    (void)state;
    static const struct {
        const char *currency, *lower;
        uint64_t ours;
        const char *theirs; // "": there is no such amount
    } cases[] = {{"EUR", "eur", 4500, "4500"},
                 {"JPY", "jpy", 4500, "4500"},
                 {"KWD", "kwd", 4500, "4500"},
                 {"ISK", "isk", 4500, "450000"},
                 {"UGX", "ugx", 1000000000, "100000000000"},
                 {"MGA", "mga", 450000, "4500"},
                 {"MGA", "mga", 450050, ""}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct provider_wire wire = {0};
        struct provider_request request = usual;
        request.call = PROVIDER_CREATE;
        request.amount = cases[i].ours;
        request.currency = cases[i].currency;
        if (!*cases[i].theirs) {
            assert_cannot_be_said(PROVIDER_CREATE, request);
            continue;
        }
        char body[512], form[64];
        assert_int_equal(provider_stripe.write(&request, "sk_test_secret", &wire), 0);
        (void)snprintf(form, sizeof(form), "amount=%s&currency=%s&", cases[i].theirs, cases[i].lower);
        assert_memory_equal(wire.body.data, form, strlen(form));
        provider_wire_done(&wire);
        (void)snprintf(body, sizeof(body),
                       "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":%s,\"amount_received\":%s,"
                       "\"currency\":\"%s\",\"created\":1,\"status\":\"succeeded\",\"latest_charge\":{\"id\":\"ch_1\","
                       "\"object\":\"charge\",\"amount_refunded\":%s}}",
                       cases[i].theirs, cases[i].theirs, cases[i].lower, cases[i].theirs);
        struct provider_answer answer = read_answer(PROVIDER_ASK, 200, body);
        assert_int_equal(answer.result, PROVIDER_DONE);
        assert_true(answer.intent.amount == cases[i].ours && answer.intent.captured_amount == cases[i].ours &&
                    answer.intent.refunded_amount == cases[i].ours);
        (void)snprintf(
            body, sizeof(body),
            "{\"id\":\"re_1\",\"object\":\"refund\",\"amount\":%s,\"currency\":\"%s\",\"payment_intent\":\"pi_1\","
            "\"status\":\"succeeded\"}",
            cases[i].theirs, cases[i].lower);
        answer = read_answer(PROVIDER_REFUND, 200, body);
        assert_int_equal(answer.intent.refunded_amount, cases[i].ours);
    }
    assert_unknown(
        PROVIDER_ASK, 200,
        "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":450050,\"amount_received\":0,\"currency\":\"isk\","
        "\"created\":1,\"status\":\"requires_capture\",\"latest_charge\":null}");
}

static void refunds(void **state)
{
    (void)state;
#define REFUND(status, intent)                                                                               \
    "{\"id\":\"re_1\",\"object\":\"refund\",\"amount\":4500,\"currency\":\"eur\",\"payment_intent\":" intent \
    ",\"status\":\"" status "\"}"
#define REFUND_OF_A_PART                                                                                      \
    "{\"id\":\"re_1\",\"object\":\"refund\",\"amount\":1.5,\"currency\":\"eur\",\"payment_intent\":\"pi_1\"," \
    "\"status\":\"succeeded\"}"
#define REFUND_OF_NOTHING                                                                                   \
    "{\"id\":\"re_1\",\"object\":\"refund\",\"amount\":0,\"currency\":\"eur\",\"payment_intent\":\"pi_1\"," \
    "\"status\":\"failed\"}"
    static const char *const good[] = {REFUND("succeeded", "\"pi_1\""), REFUND("pending", "\"pi_1\""),
                                       REFUND("requires_action", "{\"id\":\"pi_1\"}")};
    for (size_t i = 0; i < 3; i++) {
        struct provider_answer answer = read_answer(PROVIDER_REFUND, 200, good[i]);
        assert_int_equal(answer.result, PROVIDER_DONE);
        assert_string_equal(answer.refund, "re_1");
        assert_string_equal(answer.intent.id, "pi_1");
        assert_int_equal(answer.intent.status, PROVIDER_CAPTURED);
        assert_int_equal(answer.intent.refunded_amount, 4500);
        assert_string_equal(answer.intent.currency, "EUR");
    }
    struct provider_answer failed = read_answer(PROVIDER_REFUND, 200, REFUND("failed", "\"pi_1\""));
    assert_int_equal(failed.result, PROVIDER_REFUSED);
    assert_string_equal(failed.code, "refund_failed");
    assert_true(failed.is_key_spent);
    // As of one that was captured and not given back, and not of one of which nothing was captured.
    assert_int_equal(failed.intent.refunded_amount, 0);
    assert_int_equal(failed.intent.captured_amount, 4500);
    static const char *const wrong[] = {
        REFUND("succeeded", "\"pi_2\""),
        REFUND("succeeded", "null"),
        REFUND("done", "\"pi_1\""),
        INTENT("succeeded", ""),
        REFUND_OF_A_PART,
        REFUND_OF_NOTHING,
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_unknown(PROVIDER_REFUND, 200, wrong[i]);
}

#define TO_ONE \
    ",\"payment_intent\":" INTENT("requires_payment_method", ",\"last_payment_error\":{\"code\":\"card_declined\"}")

static void a_no_of_the_bank(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum order_reason reason;
        const char *code;
    } cases[] = {
        {CARD_ERROR("card_declined", "\"generic_decline\"", TO_ONE), ORDER_CARD_DECLINED, "generic_decline"},
        {CARD_ERROR("card_declined", "\"insufficient_funds\"", TO_ONE), ORDER_INSUFFICIENT_FUNDS, "insufficient_funds"},
        {CARD_ERROR("expired_card", "\"expired_card\"", TO_ONE), ORDER_EXPIRED_CARD, "expired_card"},
        {CARD_ERROR("expired_card", "null", TO_ONE), ORDER_EXPIRED_CARD, "expired_card"},
        {CARD_ERROR("authentication_required", "\"authentication_required\"", TO_ONE), ORDER_AUTHENTICATION_FAILED,
         "authentication_required"},
        {CARD_ERROR("payment_intent_authentication_failure", "null", TO_ONE), ORDER_AUTHENTICATION_FAILED,
         "payment_intent_authentication_failure"},
        {CARD_ERROR("incorrect_cvc", "\"Not A Code\"", TO_ONE), ORDER_CARD_DECLINED, "incorrect_cvc"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct provider_answer answer = read_answer(PROVIDER_CONFIRM, 402, cases[i].body);
        assert_int_equal(answer.result, PROVIDER_DECLINED);
        assert_int_equal(answer.reason, cases[i].reason);
        assert_string_equal(answer.code, cases[i].code);
        assert_true(answer.is_key_spent);
        assert_string_equal(answer.intent.id, "pi_1");
        assert_int_equal(answer.intent.status, PROVIDER_FAILED);
    }
    // Not said to what: it may be the answer to another call.
    assert_int_equal(read_answer(PROVIDER_CONFIRM, 402, CARD_ERROR("card_declined", "null", "")).result,
                     PROVIDER_UNKNOWN);
    assert_int_equal(read_answer(PROVIDER_CREATE, 402, CARD_ERROR("card_declined", "null", "")).result,
                     PROVIDER_DECLINED);
    // A card cannot say no to what has been authorised: then it is something else that cannot be.
    assert_int_equal(read_answer(PROVIDER_CAPTURE, 402, cases[0].body).result, PROVIDER_REFUSED);
    assert_int_equal(read_answer(PROVIDER_CANCEL, 402, cases[0].body).result, PROVIDER_REFUSED);
}

static void a_no_that_does_not_add_up(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "declined",
        "{}",
        "{\"error\":null}",
        "{\"error\":\"card_declined\"}",
        "{\"error\":{}}",
        "{\"error\":{\"type\":7}}",
        "{\"error\":{\"type\":\"card_error\",\"code\":7}}",
        "{\"error\":{\"type\":\"card_error\",\"decline_code\":{}}}",
        "{\"error\":{\"type\":\"invalid_request_error\"}}", // 402 is for cards
        "{\"error\":{\"type\":\"api_error\"}}",
        CARD_ERROR("card_declined", "null", ",\"payment_intent\":{\"id\":\"pi_1\"}"),
        CARD_ERROR("card_declined", "null",
                   ",\"payment_intent\":{\"id\":\"pi_2\",\"object\":\"payment_intent\",\"amount\":1,"
                   "\"amount_received\":0,\"currency\":\"eur\",\"created\":1,\"status\":\"requires_payment_method\"}"),
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        assert_unknown(PROVIDER_CONFIRM, 402, bodies[i]);
    // A no, and yet the money is reserved, or may be.
    static const char *const with_money[] = {
        CARD_ERROR("card_declined", "null", ",\"payment_intent\":" INTENT("requires_capture", "")),
        CARD_ERROR("card_declined", "null", ",\"payment_intent\":" INTENT("succeeded", "")),
        CARD_ERROR("card_declined", "null", ",\"payment_intent\":" INTENT("processing", "")),
    };
    for (size_t i = 0; i < 3; i++) {
        struct provider_answer answer = read_answer(PROVIDER_CONFIRM, 402, with_money[i]);
        assert_int_equal(answer.result, PROVIDER_UNKNOWN);
        assert_int_equal(answer.reason, ORDER_NO_REASON);
        assert_string_equal(answer.intent.id, "pi_1");
    }
}

static void what_cannot_be(void **state)
{
    (void)state;
    struct provider_answer answer = read_answer(PROVIDER_CREATE, 400, REQUEST_ERROR("\"payment_method_unactivated\""));
    assert_int_equal(answer.result, PROVIDER_REFUSED);
    assert_string_equal(answer.code, "payment_method_unactivated");
    assert_true(answer.is_key_spent);
    answer = read_answer(PROVIDER_ASK, 404, REQUEST_ERROR("\"resource_missing\""));
    assert_int_equal(answer.result, PROVIDER_REFUSED);
    assert_string_equal(answer.code, "resource_missing");
    assert_false(answer.is_key_spent); // it had none
    answer = read_answer(PROVIDER_CREATE, 400, "{\"error\":{\"type\":\"idempotency_error\",\"message\":\"m\"}}");
    assert_int_equal(answer.result, PROVIDER_REFUSED);
    assert_string_equal(answer.code, "idempotency_error");
    assert_true(answer.is_key_spent);
    answer = read_answer(PROVIDER_CANCEL, 400,
                         "{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"payment_intent_unexpected_state\","
                         "\"payment_intent\":" INTENT("succeeded", "") "}}");
    assert_int_equal(answer.result, PROVIDER_REFUSED);
    assert_int_equal(answer.intent.status, PROVIDER_CAPTURED); // what it is instead
    // Not Stripe's: a server that happens to stand at this address.
    assert_unknown(PROVIDER_ASK, 404, "Not Found");
    assert_unknown(PROVIDER_ASK, 404, "{\"detail\":\"Not Found\"}");
    assert_unknown(PROVIDER_CREATE, 400, "");
}

static void later_with_the_same_key(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
    } cases[] = {
        {409, "{\"error\":{\"type\":\"idempotency_error\",\"code\":\"idempotency_key_in_use\"}}"},
        {409, REQUEST_ERROR("\"lock_timeout\"")},
        {400, REQUEST_ERROR("\"lock_timeout\"")},
        {429, REQUEST_ERROR("\"lock_timeout\"")},
        {429, REQUEST_ERROR("\"rate_limit\"")},
        {429, "slow down"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static const struct {
            int64_t seconds, ms;
        } waits[] = {{-1, 0}, {0, 0}, {7, 7000}, {3600, 3600000}, {999999999, 3600000}};
        for (size_t j = 0; j < sizeof(waits) / sizeof(waits[0]); j++) {
            const struct http_client_answer raw = {
                .status = cases[i].status,
                .body = cases[i].body,
                .body_bytes = strlen(cases[i].body),
                .content_type = "application/json",
                .retry_after_seconds = waits[j].seconds,
            };
            struct provider_answer answer = read_raw(PROVIDER_CREATE, &raw);
            assert_int_equal(answer.result, PROVIDER_BUSY);
            assert_int_equal(answer.retry_after_ms, waits[j].ms);
            assert_false(answer.is_key_spent);
        }
        // What it kept under the key it will say again for as long as that: nothing was done then, and with another key it may be.
        const struct http_client_answer kept = {
            .status = cases[i].status,
            .body = cases[i].body,
            .body_bytes = strlen(cases[i].body),
            .content_type = "application/json",
            .retry_after_seconds = -1,
            .is_replayed = true,
        };
        struct provider_answer answer = read_raw(PROVIDER_CREATE, &kept);
        assert_int_equal(answer.result, PROVIDER_BUSY);
        assert_true(answer.is_key_spent);
        answer = read_raw(PROVIDER_ASK, &kept);
        assert_false(answer.is_key_spent); // it has none
    }
    assert_unknown(PROVIDER_CREATE, 409, "conflict");
}

// Which of the parameters it is about: a card's are the visitor's, any other an operator's.
static void what_is_refused_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *error, *param;
    } cases[] = {
        {"\"param\":\"amount\",\"code\":\"amount_too_small\"", "amount"},
        {"\"param\":\"payment_method_types[0]\"", "payment_method_types[0]"},
        {"\"param\":null", ""},
        {"\"param\":7", ""},
        {"\"param\":\"\"", ""},
        {"\"param\":\"sk_test_secret was wrong\"", ""},
        {"\"param\":\"a123456789012345678901234567890123456789012345678901234567890123456789\"", ""},
        {"\"code\":\"amount_too_small\"", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char body[300];
        (void)snprintf(body, sizeof(body), "{\"error\":{\"type\":\"invalid_request_error\",%s}}", cases[i].error);
        struct provider_answer answer = read_answer(PROVIDER_CREATE, 400, body);
        assert_int_equal(answer.result, PROVIDER_REFUSED);
        assert_string_equal(answer.param, cases[i].param);
    }
}

static void our_key_is_not_accepted(void **state)
{
    (void)state;
    struct provider_answer answer = read_answer(PROVIDER_CONFIRM, 401, REQUEST_ERROR("\"api_key_expired\""));
    assert_int_equal(answer.result, PROVIDER_DENIED);
    assert_string_equal(answer.code, "api_key_expired");
    assert_false(answer.is_key_spent);
    assert_int_equal(read_answer(PROVIDER_CONFIRM, 403, "no").result, PROVIDER_DENIED);
}

static void errors_of_its_own_spend_the_key(void **state)
{
    (void)state;
    static const struct {
        enum provider_call call;
        int status;
        bool should_retry, is_replayed, is_spent;
    } cases[] = {
        {PROVIDER_CONFIRM, 500, false, false, true},  {PROVIDER_CONFIRM, 503, false, false, true},
        {PROVIDER_CONFIRM, 424, false, false, true},  {PROVIDER_CONFIRM, 500, true, false, false},
        {PROVIDER_CONFIRM, 500, true, true, true},    {PROVIDER_ASK, 500, false, false, false},
        {PROVIDER_CONFIRM, 302, false, false, false}, {PROVIDER_CONFIRM, 100, false, false, false},
        {PROVIDER_CONFIRM, 304, false, false, false}, {PROVIDER_CONFIRM, 405, false, false, false},
        {PROVIDER_CONFIRM, 999, false, false, true},
    };
    static const char *const bodies[] = {"", "{\"error\":{\"type\":\"api_error\",\"code\":\"oops\"}}",
                                         INTENT("requires_capture", "")};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t j = 0; j < sizeof(bodies) / sizeof(bodies[0]); j++) {
            const struct http_client_answer raw = {
                .status = cases[i].status,
                .body = bodies[j],
                .body_bytes = strlen(bodies[j]),
                .content_type = "application/json",
                .should_retry = cases[i].should_retry,
                .is_replayed = cases[i].is_replayed,
            };
            struct provider_answer answer = read_raw(cases[i].call, &raw);
            assert_int_equal(answer.result, PROVIDER_UNKNOWN);
            assert_int_equal(answer.is_key_spent, cases[i].is_spent);
            assert_int_equal(answer.is_replayed, cases[i].is_replayed);
            assert_string_equal(answer.intent.id, "");
            assert_string_equal(answer.code, j == 1 ? "oops" : "");
        }
    }
}

static void no_answer_at_all(void **state)
{
    (void)state;
    struct http_client_answer raw = {.result = HTTP_CLIENT_NOT_SENT, .body = "", .problem = "refused"};
    struct provider_answer answer = read_raw(PROVIDER_CONFIRM, &raw);
    assert_int_equal(answer.result, PROVIDER_BUSY);
    assert_int_equal(answer.http_status, 0);
    assert_string_equal(answer.detail, "not sent: refused");
    // Whatever half of it says.
    raw = (struct http_client_answer){.result = HTTP_CLIENT_LOST,
                                      .status = 402,
                                      .body = CARD_ERROR("card_declined", "null", ""),
                                      .content_type = "application/json",
                                      .problem = "cut off"};
    raw.body_bytes = strlen(raw.body);
    answer = read_raw(PROVIDER_CONFIRM, &raw);
    assert_int_equal(answer.result, PROVIDER_UNKNOWN);
    assert_false(answer.is_key_spent);
    assert_string_equal(answer.detail, "no answer: cut off");
}

// ---------------------------------------------------------------- cards and lists

#define PAGE_OWNER "\"metadata\":{\"onsale_event\":\"spring-gala\",\"onsale_place\":\"4211\",\"onsale_number\":\"3\"}"
#define SESSION(id, status, url, setup, customer)                                               \
    "{\"id\":\"" id "\",\"object\":\"checkout.session\",\"status\":\"" status "\",\"url\":" url \
    ",\"setup_intent\":" setup ",\"customer\":" customer ",\"mode\":\"setup\"," PAGE_OWNER "}"
#define SETUP(method) \
    "{\"id\":\"seti_1\",\"object\":\"setup_intent\",\"status\":\"succeeded\",\"payment_method\":" method "}"
#define METHOD(card) "{\"id\":\"pm_9\",\"object\":\"payment_method\",\"type\":\"card\",\"card\":" card "}"
#define PAGE "\"https://checkout.stripe.com/c/pay/cs_test_1\""

static void pages_for_cards(void **state)
{
    (void)state;
    struct provider_answer answer =
        read_answer(PROVIDER_CARD_PAGE, 200, SESSION("cs_test_7", "open", PAGE, "null", "null"));
    assert_int_equal(answer.result, PROVIDER_DONE);
    assert_string_equal(answer.card.session, "cs_test_7");
    assert_string_equal(answer.card.url, "https://checkout.stripe.com/c/pay/cs_test_1");
    assert_int_equal(answer.card.state, PROVIDER_CARD_OPEN);
    assert_unknown(PROVIDER_CARD_PAGE, 200, SESSION("cs_test_7", "open", "null", "null", "null"));
    assert_unknown(PROVIDER_CARD_PAGE, 200, SESSION("cs_test_7", "expired", "null", "null", "null"));
    assert_unknown(PROVIDER_CARD_PAGE, 200, SESSION("cs_test_7", "open", "\"http://evil.example/\"", "null", "null"));
    assert_unknown(PROVIDER_CARD_PAGE, 200, SESSION("cs_test_7", "shut", PAGE, "null", "null"));
    assert_unknown(PROVIDER_CARD_PAGE, 200, SESSION("", "open", PAGE, "null", "null"));
    assert_unknown(PROVIDER_CARD_PAGE, 200, INTENT("requires_capture", ""));
}

static void cards_that_were_left(void **state)
{
    (void)state;
    struct provider_answer answer =
        read_answer(PROVIDER_CARD_ASK, 200,
                    SESSION("cs_test_1", "complete", "null", SETUP(METHOD("{\"brand\":\"visa\",\"last4\":\"4242\"}")),
                            "\"cus_5\""));
    assert_int_equal(answer.result, PROVIDER_DONE);
    assert_int_equal(answer.card.state, PROVIDER_CARD_KEPT);
    assert_string_equal(answer.card.payment_method, "pm_9");
    assert_string_equal(answer.card.customer, "cus_5");
    assert_string_equal(answer.card.label, "visa 4242");
    static const char *const no_card[] = {
        SESSION("cs_test_1", "complete", "null", SETUP(METHOD("null")), "{\"id\":\"cus_5\"}"),
        SESSION("cs_test_1", "complete", "null", SETUP(METHOD("{\"brand\":\"a b\",\"last4\":\"4242\"}")), "\"cus_5\""),
        SESSION("cs_test_1", "complete", "null", SETUP(METHOD("{\"brand\":\"visa\",\"last4\":\"42\"}")), "\"cus_5\""),
    };
    for (size_t i = 0; i < 3; i++) {
        answer = read_answer(PROVIDER_CARD_ASK, 200, no_card[i]);
        assert_int_equal(answer.result, PROVIDER_DONE);
        assert_string_equal(answer.card.label, "card");
        assert_string_equal(answer.card.customer, "cus_5");
    }
    answer = read_answer(PROVIDER_CARD_ASK, 200, SESSION("cs_test_1", "open", PAGE, "\"seti_1\"", "null"));
    assert_int_equal(answer.card.state, PROVIDER_CARD_OPEN);
    answer = read_answer(PROVIDER_CARD_ASK, 200, SESSION("cs_test_1", "expired", "null", "\"seti_1\"", "null"));
    assert_int_equal(answer.result, PROVIDER_DONE);
    assert_int_equal(answer.card.state, PROVIDER_CARD_GONE);
    static const char *const wrong[] = {
        SESSION("cs_test_2", "open", PAGE, "null", "null"),
        SESSION("cs_test_1", "complete", "null", "\"seti_1\"", "\"cus_5\""),
        SESSION("cs_test_1", "complete", "null", SETUP("\"pm_9\""), "\"cus_5\""),
        SESSION("cs_test_1", "complete", "null", SETUP(METHOD("{}")), "null"),
        SESSION("cs_test_1", "complete", "7", SETUP(METHOD("{}")), "\"cus_5\""),
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_unknown(PROVIDER_CARD_ASK, 200, wrong[i]);
}

static char *list_of(size_t count, const char *item, const char *more)
{
    struct buffer text = BUFFER_INIT;
    buffer_format(&text, "{\"object\":\"list\",\"has_more\":%s,\"data\":[", more);
    for (size_t i = 0; i < count; i++)
        buffer_format(&text, "%s%s", i ? "," : "", item);
    buffer_text(&text, "]}");
    return buffer_take(&text);
}

static struct provider_answer read_list_of(size_t count, const char *item, const char *more)
{
    char *text = list_of(count, item, more);
    struct provider_answer answer = read_answer(PROVIDER_LIST, 200, text);
    free(text);
    return answer;
}

static void lists(void **state)
{
    (void)state;
    static const char ours[] = INTENT("requires_capture", "");
    struct provider_answer answer = read_list_of(PROVIDER_LIST_MAX, ours, "true");
    assert_int_equal(answer.result, PROVIDER_DONE);
    assert_int_equal(answer.intent_count, PROVIDER_LIST_MAX);
    assert_true(answer.has_more);
    assert_ptr_equal(answer.intents, listed);
    assert_string_equal(answer.intents[PROVIDER_LIST_MAX - 1].slug, "spring-gala");
    assert_int_equal(answer.intents[0].status, PROVIDER_AUTHORISED);
    answer = read_list_of(0, "", "false");
    assert_int_equal(answer.result, PROVIDER_DONE);
    assert_int_equal(answer.intent_count, 0);
    assert_int_equal(read_list_of(PROVIDER_LIST_MAX + 1, ours, "false").result, PROVIDER_UNKNOWN);
    assert_int_equal(read_list_of(0, "", "true").result, PROVIDER_UNKNOWN);
    assert_int_equal(read_list_of(1, ours, "1").result, PROVIDER_UNKNOWN);
    assert_int_equal(read_list_of(1, "7", "false").result, PROVIDER_UNKNOWN);
    assert_int_equal(read_list_of(1, INTENT("settled", ""), "false").result, PROVIDER_UNKNOWN);
    assert_unknown(PROVIDER_LIST, 200, "{\"object\":\"list\",\"has_more\":false,\"data\":{}}");
    assert_unknown(PROVIDER_LIST, 200, ours);
}

// The account may be used for other things as well.
static void what_others_do_does_not_hide_ours(void **state)
{
    (void)state;
    static const char *const others[] = {
        "{\"id\":\"pi_x\",\"object\":\"payment_intent\",\"created\":5,\"status\":\"something_new\",\"metadata\":{}}",
        "{\"id\":\"pi_x\",\"object\":\"payment_intent\",\"created\":5,\"amount\":-3,\"status\":\"succeeded\"}",
        "{\"id\":\"pi_x\",\"object\":\"payment_intent\",\"created\":5,\"metadata\":{\"onsale_event\":\"gala\"}}",
        "{\"id\":\"pi_x\",\"object\":\"payment_intent\",\"created\":5,\"metadata\":{\"onsale_event\":\"gala\","
        "\"onsale_place\":\"0\",\"onsale_attempt\":\"1\",\"onsale_number\":\"1\"}}",
        "{\"id\":\"pi_x\",\"object\":\"payment_intent\",\"created\":5,\"metadata\":{\"onsale_event\":\"gala\","
        "\"onsale_place\":\"1\",\"onsale_attempt\":\"65536\",\"onsale_number\":\"1\"}}",
        "{\"id\":\"pi_x\",\"object\":\"payment_intent\",\"created\":5,\"metadata\":{\"onsale_event\":\"gala\","
        "\"onsale_place\":\"+1\",\"onsale_attempt\":\"1\",\"onsale_number\":\"1\"}}",
        "{\"id\":\"pi_x\",\"object\":\"payment_intent\",\"created\":5,\"metadata\":{\"onsale_event\":\"gala\","
        "\"onsale_place\":1,\"onsale_attempt\":\"1\",\"onsale_number\":\"1\"}}",
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct provider_answer answer = read_list_of(1, others[i], "true");
        assert_int_equal(answer.result, PROVIDER_DONE);
        assert_string_equal(answer.intents[0].id, "pi_x"); // it is what the next page comes after
        assert_string_equal(answer.intents[0].slug, "");
        assert_int_equal(answer.intents[0].created_at, 5);
    }
    // Of ours, a question that nobody can be sent to is no reason not to see the rest.
    struct provider_answer answer = read_list_of(1, INTENT("requires_action", ""), "false");
    assert_int_equal(answer.result, PROVIDER_DONE);
    assert_int_equal(answer.intents[0].status, PROVIDER_ACTION_REQUIRED);
    assert_string_equal(answer.intents[0].action_url, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_so_to_the_byte),
        cmocka_unit_test(what_visitors_typed_breaks_out_of_nothing),
        cmocka_unit_test(what_cannot_be_said_is_not_begun),
        cmocka_unit_test(every_status_of_an_intent_is_understood),
        cmocka_unit_test(a_question_without_a_page_is_one),
        cmocka_unit_test(what_is_no_intent_is_not_known),
        cmocka_unit_test(every_member_is_looked_at),
        cmocka_unit_test(limits_are_within),
        cmocka_unit_test(only_json_is_json),
        cmocka_unit_test(what_was_refunded_stands_in_the_charge),
        cmocka_unit_test(what_belongs_to_another_call_is_not_taken),
        cmocka_unit_test(amounts_are_iso_4217s),
        cmocka_unit_test(refunds),
        cmocka_unit_test(a_no_of_the_bank),
        cmocka_unit_test(a_no_that_does_not_add_up),
        cmocka_unit_test(what_cannot_be),
        cmocka_unit_test(later_with_the_same_key),
        cmocka_unit_test(what_is_refused_is_named),
        cmocka_unit_test(our_key_is_not_accepted),
        cmocka_unit_test(errors_of_its_own_spend_the_key),
        cmocka_unit_test(no_answer_at_all),
        cmocka_unit_test(pages_for_cards),
        cmocka_unit_test(cards_that_were_left),
        cmocka_unit_test(lists),
        cmocka_unit_test(what_others_do_does_not_hide_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
