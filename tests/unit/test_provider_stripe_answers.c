// SPDX-License-Identifier: Apache-2.0
// What Stripe says of an intent and of its refunds: the usual, at the limits, and everything that is none.
#include <stdlib.h>

#include "tests/unit/stripe_answers.h"

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

#define A_REFUND(id, amount, status, more)                                                                     \
    "{\"id\":\"" id "\",\"object\":\"refund\",\"amount\":" amount ",\"currency\":\"eur\",\"status\":\"" status \
    "\"" more "}"
#define A_CHARGE(sum, has_more, refunds)                                                            \
    "{\"id\":\"ch_1\",\"object\":\"charge\",\"amount_refunded\":" sum                               \
    ",\"refunds\":{\"object\":\"list\",\"url\":\"/v1/charges/ch_1/refunds\",\"has_more\":" has_more \
    ",\"data\":[" refunds "]}}"

static struct provider_answer read_charged(enum provider_call call, const char *charge)
{
    char body[2048];
    (void)snprintf(body, sizeof(body),
                   "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"amount\":4500,\"amount_received\":4500,"
                   "\"currency\":\"eur\",\"created\":1,\"status\":\"succeeded\",\"latest_charge\":%s}",
                   charge);
    return read_answer(call, 200, body);
}

static void what_was_refunded_stands_in_the_charge(void **state)
{
    (void)state;
    static const struct {
        const char *charge;
        uint64_t refunded, refunding;
        bool has_failed;
        const char *refund, *code;
    } cases[] = {
        {A_CHARGE("0", "false", ""), 0, 0, false, "", ""},
        {A_CHARGE("4500", "false", A_REFUND("re_1", "4500", "succeeded", "")), 4500, 0, false, "re_1", ""},
        // The sum has what waits in it: nobody has got it yet.
        {A_CHARGE("4500", "false", A_REFUND("re_1", "4500", "pending", "")), 0, 4500, false, "re_1", ""},
        {A_CHARGE("4500", "false", A_REFUND("re_1", "4500", "requires_action", "")), 0, 4500, false, "re_1", ""},
        {A_CHARGE("0", "false", A_REFUND("re_1", "4500", "failed", ",\"failure_reason\":\"lost_or_stolen_card\"")), 0,
         0, true, "", "lost_or_stolen_card"},
        // Whether the sum still has it in it or not.
        {A_CHARGE("4500", "false", A_REFUND("re_1", "4500", "canceled", ",\"failure_reason\":7")), 0, 0, true, "",
         "refund_canceled"},
        {A_CHARGE("4500", "false",
                  A_REFUND("re_3", "4000", "pending",
                           "") "," A_REFUND("re_2", "4000", "failed", "") "," A_REFUND("re_1", "500", "succeeded", "")),
         500, 4000, true, "re_3", "refund_failed"},
        // Of more than are shown, the sum tells.
        {A_CHARGE("1100", "true", A_REFUND("re_9", "100", "pending", "") "," A_REFUND("re_8", "100", "succeeded", "")),
         1000, 100, false, "re_9", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct provider_answer answer = read_charged(PROVIDER_ASK, cases[i].charge);
        assert_int_equal(answer.result, PROVIDER_DONE);
        assert_int_equal(answer.intent.captured_amount, 4500);
        assert_int_equal(answer.intent.refunded_amount, cases[i].refunded);
        assert_int_equal(answer.intent.refunding_amount, cases[i].refunding);
        assert_int_equal(answer.intent.has_failed_refund, cases[i].has_failed);
        assert_string_equal(answer.intent.refund, cases[i].refund);
        assert_string_equal(answer.intent.refund_code, cases[i].code);
    }
    assert_int_equal(read_answer(PROVIDER_ASK, 200, INTENT("canceled", "")).result, PROVIDER_DONE);
    static const char *const charges[] = {
        "\"ch_1\"",
        "{}",
        "7",
        "{\"object\":\"charge\",\"amount_refunded\":0}", // its refunds were not sent along
        "{\"object\":\"charge\",\"amount_refunded\":0,\"refunds\":null}",
        "{\"object\":\"charge\",\"amount_refunded\":0,\"refunds\":{\"object\":\"list\",\"data\":[]}}",
        A_CHARGE("-1", "false", ""),
        A_CHARGE("4500", "false", A_REFUND("re_1", "4500", "paused", "")),
        A_CHARGE("4500", "false", A_REFUND("", "4500", "pending", "")),
        A_CHARGE("4500", "false", "\"re_1\""),
        A_CHARGE("4500", "false",
                 "{\"id\":\"re_1\",\"object\":\"refund\",\"amount\":1,\"currency\":\"usd\",\"status\":\"pending\"}"),
        "{\"object\":\"card\",\"amount_refunded\":0,\"refunds\":{\"object\":\"list\",\"has_more\":false,\"data\":[]}}",
    };
    for (size_t i = 0; i < sizeof(charges) / sizeof(charges[0]); i++) {
        assert_int_equal(read_charged(PROVIDER_ASK, charges[i]).result, PROVIDER_UNKNOWN);
        assert_int_equal(read_charged(PROVIDER_CAPTURE, charges[i]).result, PROVIDER_DONE); // which does not tell
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
        assert_int_equal(answer.intent.refunded_amount, i == 0 ? 4500 : 0); // the others wait
        assert_int_equal(answer.intent.refunding_amount, i == 0 ? 0 : 4500);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_of_an_intent_is_understood),
        cmocka_unit_test(a_question_without_a_page_is_one),
        cmocka_unit_test(what_is_no_intent_is_not_known),
        cmocka_unit_test(every_member_is_looked_at),
        cmocka_unit_test(limits_are_within),
        cmocka_unit_test(only_json_is_json),
        cmocka_unit_test(what_was_refunded_stands_in_the_charge),
        cmocka_unit_test(what_belongs_to_another_call_is_not_taken),
        cmocka_unit_test(refunds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
