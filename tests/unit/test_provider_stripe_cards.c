// SPDX-License-Identifier: Apache-2.0
// Pages for cards, the cards that were left there, and lists of intents.
#include <stdlib.h>

#include "tests/unit/stripe_answers.h"

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
        cmocka_unit_test(pages_for_cards),
        cmocka_unit_test(cards_that_were_left),
        cmocka_unit_test(lists),
        cmocka_unit_test(what_others_do_does_not_hide_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
