// SPDX-License-Identifier: Apache-2.0
// Requests to Stripe, to the byte; what cannot be said to it; and amounts, in its unit both ways.
#include "tests/unit/stripe_answers.h"

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
    assert_request(PROVIDER_ASK, &usual, "GET", "/v1/payment_intents/pi_1?expand%5B%5D=latest_charge.refunds", "");
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
                   "/v1/payment_intents?limit=50&created%5Bgte%5D=1795470000&expand%5B%5D=data.latest_charge.refunds",
                   "");
    struct provider_request next = usual;
    next.after = "pi_50";
    assert_request(PROVIDER_LIST, &next, "GET",
                   "/v1/payment_intents?limit=50&created%5Bgte%5D=1795470000&starting_after=pi_50"
                   "&expand%5B%5D=data.latest_charge.refunds",
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
        char body[1024], form[64];
        assert_int_equal(provider_stripe.write(&request, "sk_test_secret", &wire), 0);
        (void)snprintf(form, sizeof(form), "amount=%s&currency=%s&", cases[i].theirs, cases[i].lower);
        assert_memory_equal(wire.body.data, form, strlen(form));
        provider_wire_done(&wire);
        (void)snprintf(body, sizeof(body),
                       "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":%s,\"amount_received\":%s,"
                       "\"currency\":\"%s\",\"created\":1,\"status\":\"succeeded\",\"latest_charge\":{\"id\":\"ch_1\","
                       "\"object\":\"charge\",\"amount_refunded\":%s,\"refunds\":{\"object\":\"list\",\"has_more\":"
                       "false,\"data\":[{\"id\":\"re_1\",\"object\":\"refund\",\"amount\":%s,\"currency\":\"%s\","
                       "\"status\":\"succeeded\"}]}}}",
                       cases[i].theirs, cases[i].theirs, cases[i].lower, cases[i].theirs, cases[i].theirs,
                       cases[i].lower);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_so_to_the_byte),
        cmocka_unit_test(what_visitors_typed_breaks_out_of_nothing),
        cmocka_unit_test(what_cannot_be_said_is_not_begun),
        cmocka_unit_test(amounts_are_iso_4217s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
