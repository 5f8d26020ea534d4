// SPDX-License-Identifier: Apache-2.0
// When Stripe says no, and whose no it is: the bank's, ours to mend, for now, or nobody's.
#include "tests/unit/stripe_answers.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_no_of_the_bank),
        cmocka_unit_test(a_no_that_does_not_add_up),
        cmocka_unit_test(what_cannot_be),
        cmocka_unit_test(later_with_the_same_key),
        cmocka_unit_test(what_is_refused_is_named),
        cmocka_unit_test(our_key_is_not_accepted),
        cmocka_unit_test(errors_of_its_own_spend_the_key),
        cmocka_unit_test(no_answer_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
