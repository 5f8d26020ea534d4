// SPDX-License-Identifier: Apache-2.0
// Answers of the payment provider. A byte chooses the call, the first line is the HTTP status, the rest the body: whatever comes, what is told of it
// is whole, bounded and of what was asked for, and nothing is done or declined that the answer does not say.
#include <strings.h>

#include "common/provider_stripe.h"
#include "common/provider_stripe_answer.h"
#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

#define AMOUNT_MAX UINT64_C(1000000000000)

static void check_text(const char *text, size_t bytes)
{
    const char *end = memchr(text, '\0', bytes);
    FUZZ_CHECK(end != NULL);
    for (size_t at = 0, step; text[at]; at += step)
        FUZZ_CHECK((step = utf8_character_bytes(text + at, (size_t)(end - text) - at)) > 0);
}

#define CHECK_TEXT(field) check_text((field), sizeof(field))

static void check_url(const char *url)
{
    FUZZ_CHECK(!*url || strncasecmp(url, "https://", 8) == 0 || strncasecmp(url, "http://", 7) == 0);
    FUZZ_CHECK(!strpbrk(url, " \r\n\t"));
}

static void check_intent(const struct provider_intent *intent, bool is_ours)
{
    CHECK_TEXT(intent->id);
    CHECK_TEXT(intent->currency);
    CHECK_TEXT(intent->action_url);
    CHECK_TEXT(intent->code);
    CHECK_TEXT(intent->slug);
    FUZZ_CHECK(*intent->id && provider_stripe_is_id(intent->id) && intent->created_at >= 0);
    FUZZ_CHECK(intent->amount <= AMOUNT_MAX && intent->captured_amount <= AMOUNT_MAX &&
               intent->refunded_amount + intent->refunding_amount <= AMOUNT_MAX);
    CHECK_TEXT(intent->refund);
    CHECK_TEXT(intent->refund_code);
    FUZZ_CHECK(intent->status <= PROVIDER_CANCELLED && (unsigned)intent->reason < ORDER_REASON_COUNT);
    FUZZ_CHECK(intent->reason == ORDER_NO_REASON || intent->status == PROVIDER_FAILED);
    FUZZ_CHECK(!is_ours || strlen(intent->currency) == 3);
    FUZZ_CHECK(!*intent->slug || (slug_is_valid(intent->slug, strlen(intent->slug)) && intent->place > 0 &&
                                  intent->attempt > 0 && intent->number > 0));
    check_url(intent->action_url);
}

static void check_done(const struct provider_answer *answer, const struct provider_asked *asked)
{
    FUZZ_CHECK(answer->http_status >= 200 && answer->http_status <= 299 && !answer->is_key_spent);
    switch (answer->call) {
    case PROVIDER_CARD_PAGE:
    case PROVIDER_CARD_ASK:
        FUZZ_CHECK(*answer->card.session && (!*asked->id || strcmp(answer->card.session, asked->id) == 0));
        FUZZ_CHECK(answer->card.state != PROVIDER_CARD_OPEN || *answer->card.url);
        FUZZ_CHECK(answer->call == PROVIDER_CARD_PAGE || answer->card.state != PROVIDER_CARD_KEPT ||
                   (*answer->card.payment_method && *answer->card.customer && *answer->card.label));
        break;
    case PROVIDER_LIST:
        FUZZ_CHECK(answer->intent_count <= PROVIDER_LIST_MAX && (answer->intent_count > 0 || !answer->has_more));
        for (size_t i = 0; i < answer->intent_count; i++)
            check_intent(&answer->intents[i], *answer->intents[i].slug != '\0');
        break;
    default:
        check_intent(&answer->intent, true);
        FUZZ_CHECK((answer->call == PROVIDER_REFUND) == (*answer->refund != '\0'));
    }
}

static void check(const struct provider_answer *answer, const struct provider_asked *asked)
{
    CHECK_TEXT(answer->code);
    CHECK_TEXT(answer->detail);
    CHECK_TEXT(answer->refund);
    CHECK_TEXT(answer->card.session);
    CHECK_TEXT(answer->card.url);
    CHECK_TEXT(answer->card.customer);
    CHECK_TEXT(answer->card.payment_method);
    CHECK_TEXT(answer->card.label);
    check_url(answer->card.url);
    FUZZ_CHECK(answer->call == asked->call && answer->result <= PROVIDER_UNKNOWN);
    FUZZ_CHECK(answer->result == PROVIDER_DONE || *answer->detail);
    FUZZ_CHECK(!*answer->intent.id || !*asked->id || strcmp(answer->intent.id, asked->id) == 0);
    FUZZ_CHECK(!*answer->intent.id || !*asked->slug ||
               (strcmp(answer->intent.slug, asked->slug) == 0 && answer->intent.place == asked->place));
    FUZZ_CHECK(answer->retry_after_ms == 0);
    if (answer->result == PROVIDER_DONE)
        check_done(answer, asked);
    else if (*answer->intent.id)
        check_intent(&answer->intent, true);
    if (answer->result == PROVIDER_DECLINED) {
        FUZZ_CHECK(answer->http_status == 402 && answer->reason != ORDER_NO_REASON);
        FUZZ_CHECK(asked->call == PROVIDER_CREATE || (asked->call == PROVIDER_CONFIRM && *answer->intent.id));
        FUZZ_CHECK(answer->intent.status != PROVIDER_AUTHORISED && answer->intent.status != PROVIDER_CAPTURED);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct provider_intent listed[PROVIDER_LIST_MAX];
    struct fuzz_input input = {data, bytes};
    struct provider_asked asked = {.call = (enum provider_call)(fuzz_byte(&input) % PROVIDER_CALL_COUNT)};
    char *status = fuzz_line(&input), *body = fuzz_rest(&input);
    if (asked.call != PROVIDER_CREATE && asked.call != PROVIDER_CARD_PAGE && asked.call != PROVIDER_LIST)
        (void)snprintf(asked.id, sizeof(asked.id), "%s", asked.call == PROVIDER_CARD_ASK ? "cs_1" : "pi_1");
    if (asked.call == PROVIDER_CREATE || asked.call == PROVIDER_CARD_PAGE) {
        (void)snprintf(asked.slug, sizeof(asked.slug), "spring-gala");
        asked.place = 4211;
        asked.attempt = asked.call == PROVIDER_CREATE ? 2 : 0;
        asked.number = 3;
    }
    const struct http_client_answer raw = {
        .status = (int)(strtol(status, NULL, 10) % 1000),
        .body = body,
        .body_bytes = strlen(body),
        .content_type = "application/json",
        .retry_after_seconds = -1,
    };
    struct provider_answer answer;
    memset(&answer, 0x5a, sizeof(answer));
    memset(listed, 0x5a, sizeof(listed));
    provider_stripe.read(&asked, &raw, listed, &answer);
    check(&answer, &asked);
    free(status);
    free(body);
    return 0;
}
