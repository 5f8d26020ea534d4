// SPDX-License-Identifier: Apache-2.0
// Stripe's answers, written by hand, and reading them as the client does: what its tests share.
#ifndef TESTS_UNIT_STRIPE_ANSWERS_H
#define TESTS_UNIT_STRIPE_ANSWERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/provider_stripe.h"

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

static inline struct provider_answer read_raw(enum provider_call call, const struct http_client_answer *raw)
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

static inline struct provider_answer read_answer(enum provider_call call, int status, const char *body)
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

static inline void assert_unknown(enum provider_call call, int status, const char *body)
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

#endif
