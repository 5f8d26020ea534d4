// SPDX-License-Identifier: Apache-2.0
// The payment provider's client alone, for tests/integration/test_provider.py. NAME=VALUE arguments are the configuration; it prints {"ready":true}, or
// {"problem":"…"} and ends with 1. Each line of standard input is then one round of calls, words NAME=VALUE: call=confirm intent=pi_1 key=k return_url=…,
// and count=500 for as many at once. It prints a line of JSON for each answer as it comes, and {"done":COUNT,"seconds":…} after the last.
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/provider.h"

struct setting {
    const char *name;
    char **field;
};

static void set(struct setting *settings, size_t count, const char *word)
{
    const char *equals = strchr(word, '=');
    for (size_t i = 0; equals && i < count; i++) {
        if (strlen(settings[i].name) == (size_t)(equals - word) &&
            strncmp(settings[i].name, word, (size_t)(equals - word)) == 0) {
            free(*settings[i].field);
            *settings[i].field = strdup(equals + 1);
            return;
        }
    }
    fprintf(stderr, "what is %s?\n", word);
    exit(2);
}

static uint64_t number_of(const char *text)
{
    return text ? strtoull(text, NULL, 10) : 0;
}

static void print(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    printf("%s\n", text);
    fflush(stdout);
    free(text);
    json_decref(object);
}

static json_t *intent_json(const struct provider_intent *intent)
{
    const char *reason = order_reason_name(intent->reason);
    return json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:i, s:I}", "id", intent->id,
        "status", provider_status_name(intent->status), "amount", (json_int_t)intent->amount, "captured_amount",
        (json_int_t)intent->captured_amount, "refunded_amount", (json_int_t)intent->refunded_amount, "refunding_amount",
        (json_int_t)intent->refunding_amount, "has_failed_refund", intent->has_failed_refund, "refund_code",
        intent->refund_code, "refund", intent->refund, "currency", intent->currency, "action_url", intent->action_url,
        "reason", reason ? reason : "", "code", intent->code, "slug", intent->slug, "place", (json_int_t)intent->place,
        "attempt", (int)intent->attempt, "number", (int)intent->number, "created_at", (json_int_t)intent->created_at);
}

static void print_answer(void *context, const struct provider_answer *answer)
{
    static const char *const card_states[] = {"open", "kept", "gone"};
    const char *reason = order_reason_name(answer->reason);
    json_t *object = json_pack(
        "{s:s, s:s, s:i, s:s, s:s, s:s, s:I, s:b, s:b, s:s}", "call", provider_call_name(answer->call), "result",
        provider_result_name(answer->result), "http_status", answer->http_status, "code", answer->code, "detail",
        answer->detail, "reason", reason ? reason : "", "retry_after_ms", (json_int_t)answer->retry_after_ms,
        "is_key_spent", answer->is_key_spent, "is_replayed", answer->is_replayed, "refund", answer->refund);
    if (*answer->intent.id)
        json_object_set_new(object, "intent", intent_json(&answer->intent));
    if (*answer->card.session)
        json_object_set_new(object, "card",
                            json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "session", answer->card.session, "url",
                                      answer->card.url, "customer", answer->card.customer, "payment_method",
                                      answer->card.payment_method, "label", answer->card.label, "state",
                                      card_states[answer->card.state]));
    if (answer->call == PROVIDER_LIST && answer->result == PROVIDER_DONE) {
        json_t *intents = json_array();
        for (size_t i = 0; i < answer->intent_count; i++)
            json_array_append_new(intents, intent_json(&answer->intents[i]));
        json_object_set_new(object, "intents", intents);
        json_object_set_new(object, "has_more", json_boolean(answer->has_more));
    }
    print(object);
    ++*(uint64_t *)context;
}

static enum provider_call call_of(const char *name)
{
    for (unsigned i = 0; name && i < PROVIDER_CALL_COUNT; i++) {
        if (strcmp(name, provider_call_name((enum provider_call)i)) == 0)
            return (enum provider_call)i;
    }
    fprintf(stderr, "which call?\n");
    exit(2);
}

static void run_round(struct provider *provider, const struct provider_request *request, uint64_t count)
{
    int64_t begun_ns = clock_monotonic_ns();
    uint64_t answered = 0;
    for (uint64_t i = 0; i < count; i++) {
        int error = provider_begin(provider, request, print_answer, &answered);
        if (error) {
            print(json_pack("{s:s}", "not_begun", error_str(error)));
            count = i;
        }
    }
    while (answered < count)
        provider_work(provider, 1000, -1);
    print(json_pack("{s:I, s:I, s:f}", "done", (json_int_t)answered, "in_flight",
                    (json_int_t)provider_in_flight(provider), "seconds",
                    (double)(clock_monotonic_ns() - begun_ns) / 1e9));
}

static void run_line(struct provider *provider, char *line)
{
    char *call = NULL, *count = NULL, *key = NULL, *intent = NULL, *session = NULL, *amount = NULL, *currency = NULL,
         *payment_method = NULL, *customer = NULL, *slug = NULL, *reference = NULL, *place = NULL, *attempt = NULL,
         *number = NULL, *return_url = NULL, *since = NULL, *after = NULL, *sync = NULL, *rest = NULL;
    struct setting settings[] = {
        {"call", &call},         {"count", &count},           {"key", &key},
        {"intent", &intent},     {"session", &session},       {"amount", &amount},
        {"currency", &currency}, {"method", &payment_method}, {"customer", &customer},
        {"slug", &slug},         {"reference", &reference},   {"place", &place},
        {"attempt", &attempt},   {"number", &number},         {"return_url", &return_url},
        {"since", &since},       {"after", &after},           {"sync", &sync},
    };
    size_t setting_count = sizeof(settings) / sizeof(settings[0]);
    for (char *word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
        set(settings, setting_count, word);
    const struct provider_request request = {
        .call = call_of(call),
        .idempotency_key = key,
        .intent = intent,
        .session = session,
        .amount = number_of(amount),
        .currency = currency,
        .payment_method = payment_method,
        .customer = customer,
        .slug = slug,
        .reference = reference,
        .place = number_of(place),
        .attempt = (uint32_t)number_of(attempt),
        .number = (uint32_t)number_of(number),
        .return_url = return_url,
        .created_since = (int64_t)number_of(since),
        .after = after,
    };
    if (sync) {
        struct provider_answer answer;
        uint64_t answered = 0;
        int error = provider_call(provider, &request, &answer);
        if (error)
            print(json_pack("{s:s}", "not_begun", error_str(error)));
        else
            print_answer(&answered, &answer);
    } else {
        run_round(provider, &request, count ? number_of(count) : 1);
    }
    for (size_t i = 0; i < setting_count; i++)
        free(*settings[i].field);
}

int main(int argc, char **argv)
{
    struct common_config config = {
        .payment_provider = PAYMENT_STRIPE,
        .payment_base_url = strdup(""),
        .payment_secret_key_file = strdup(""),
        .payment_tls_ca = strdup(""),
    };
    char *timeout = strdup("5"), problem[256] = "";
    struct setting settings[] = {
        {"base_url", &config.payment_base_url},
        {"key_file", &config.payment_secret_key_file},
        {"tls_ca", &config.payment_tls_ca},
        {"timeout", &timeout},
    };
    for (int i = 1; i < argc; i++)
        set(settings, sizeof(settings) / sizeof(settings[0]), argv[i]);
    config.payment_timeout_seconds = (int64_t)number_of(timeout);
    struct provider *provider = NULL;
    int error = provider_open(&config, &provider, problem, sizeof(problem));
    if (error)
        print(json_pack("{s:s, s:s}", "problem", problem, "error", error_str(error)));
    else
        print(json_pack("{s:b}", "ready", 1));
    char line[8192];
    while (!error && fgets(line, sizeof(line), stdin))
        run_line(provider, line);
    provider_close(provider);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        free(*settings[i].field);
    return error ? 1 : 0;
}
