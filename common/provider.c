// SPDX-License-Identifier: Apache-2.0
// See provider.h. Calls go through an HTTP client; what they say and mean is the provider's kind's.
#include "common/provider.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/authorities.h"
#include "common/http_client.h"
#include "common/provider_kind.h"
#include "common/provider_stripe.h"
#include "common/secret_file.h"

#define CONNECT_TIMEOUT_MS 10000

struct call {
    struct provider *provider;
    struct call *next, *previous;
    struct provider_asked asked;
    provider_answered *answered;
    void *context;
};

struct provider {
    const struct provider_kind *kind;
    const struct common_config *config;
    struct http_client *http;
    struct call *calls; // under way
    struct provider_intent *listed; // of the last LIST; NULL until one is begun
    char secret_key[PROVIDER_SECRET_KEY_BYTES];
};

// ---------------------------------------------------------------- words

const char *provider_call_name(enum provider_call call)
{
    static const char *const names[PROVIDER_CALL_COUNT] = {
        [PROVIDER_CREATE] = "create",       [PROVIDER_CONFIRM] = "confirm",   [PROVIDER_ASK] = "ask",
        [PROVIDER_CAPTURE] = "capture",     [PROVIDER_CANCEL] = "cancel",     [PROVIDER_REFUND] = "refund",
        [PROVIDER_CARD_PAGE] = "card_page", [PROVIDER_CARD_ASK] = "card_ask", [PROVIDER_LIST] = "list",
    };
    return (unsigned)call < PROVIDER_CALL_COUNT ? names[call] : "unknown";
}

const char *provider_result_name(enum provider_result result)
{
    static const char *const names[] = {
        [PROVIDER_DONE] = "done", [PROVIDER_DECLINED] = "declined", [PROVIDER_REFUSED] = "refused",
        [PROVIDER_BUSY] = "busy", [PROVIDER_DENIED] = "denied",     [PROVIDER_UNKNOWN] = "unknown",
    };
    return (unsigned)result < sizeof(names) / sizeof(names[0]) ? names[result] : "unknown";
}

const char *provider_status_name(enum provider_status status)
{
    static const char *const names[] = {
        [PROVIDER_UNCONFIRMED] = "unconfirmed",
        [PROVIDER_FAILED] = "failed",
        [PROVIDER_ACTION_REQUIRED] = "action_required",
        [PROVIDER_PROCESSING] = "processing",
        [PROVIDER_AUTHORISED] = "authorised",
        [PROVIDER_CAPTURED] = "captured",
        [PROVIDER_CANCELLED] = "cancelled",
    };
    return (unsigned)status < sizeof(names) / sizeof(names[0]) ? names[status] : "unknown";
}

void provider_wire_done(struct provider_wire *wire)
{
    for (size_t i = 0; i < wire->header_count; i++) {
        if (wire->headers[i].data)
            OPENSSL_cleanse(wire->headers[i].data, wire->headers[i].bytes);
        buffer_done(&wire->headers[i]);
    }
    buffer_done(&wire->path);
    buffer_done(&wire->body);
}

// ---------------------------------------------------------------- opening and closing

static PRINTF_LIKE(4, 5) int refuse(int error, char *problem, size_t problem_bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(problem, problem_bytes, format, arguments);
    va_end(arguments);
    return error;
}

static int read_key(struct provider *provider, char *problem, size_t problem_bytes)
{
    const char *path = provider->config->payment_secret_key_file;
    char text[PROVIDER_SECRET_KEY_BYTES + 64]; // some blanks around it do no harm
    size_t bytes;
    if (!path || !*path)
        return refuse(ERROR_INVALID, problem, problem_bytes, "[payment] secret_key_file: not given");
    int error = secret_file_read(path, text, sizeof(text), &bytes, problem, problem_bytes);
    if (error)
        return error;
    const char *begin = text + strspn(text, " \t\r\n"), *end = text + bytes;
    while (end > begin && strchr(" \t\r\n", end[-1]))
        end--;
    size_t key_bytes = (size_t)(end - begin);
    if (key_bytes == 0)
        error = refuse(ERROR_INVALID, problem, problem_bytes, "%s: empty", path);
    else if (key_bytes >= sizeof(provider->secret_key))
        error = refuse(ERROR_INVALID, problem, problem_bytes, "%s: longer than %zu bytes", path,
                       sizeof(provider->secret_key) - 1);
    for (size_t i = 0; i < key_bytes && !error; i++) {
        if (begin[i] <= ' ' || begin[i] > '~') // it goes into a header
            error = refuse(ERROR_INVALID, problem, problem_bytes, "%s: holds characters that no key has", path);
    }
    if (!error) {
        memcpy(provider->secret_key, begin, key_bytes);
        provider->secret_key[key_bytes] = '\0';
    }
    OPENSSL_cleanse(text, sizeof(text));
    return error;
}

static int open_http(struct provider *provider, char *problem, size_t problem_bytes)
{
    const struct common_config *config = provider->config;
    char reason[256] = "";
    if (http_client_check_base(config->payment_base_url, reason, sizeof(reason)))
        return refuse(ERROR_INVALID, problem, problem_bytes, "[payment] base_url: %s", reason);
    if (*config->payment_tls_ca && authorities_check(config->payment_tls_ca, reason, sizeof(reason)))
        return refuse(ERROR_PERMANENT, problem, problem_bytes, "[payment] tls_ca: %s", reason);
    int64_t timeout_ms = config->payment_timeout_seconds * 1000;
    const struct http_client_options options = {
        .ca_file = config->payment_tls_ca,
        .connect_timeout_ms = timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS,
        .timeout_ms = timeout_ms,
    };
    return http_client_open(&options, &provider->http);
}

int provider_open(const struct common_config *config, struct provider **ret, char *problem, size_t problem_bytes)
{
    if (config->payment_provider != PAYMENT_STRIPE)
        return refuse(ERROR_INVALID, problem, problem_bytes, "[payment] provider: there is nobody to ask");
    struct provider *provider = calloc(1, sizeof(*provider));
    if (!provider)
        return refuse(ERROR_MEMORY, problem, problem_bytes, "out of memory");
    provider->kind = &provider_stripe;
    provider->config = config;
    int error = read_key(provider, problem, problem_bytes);
    if (!error)
        error = open_http(provider, problem, problem_bytes);
    if (error == ERROR_MEMORY)
        (void)refuse(error, problem, problem_bytes, "out of memory");
    if (error) {
        provider_close(provider);
        return error;
    }
    *ret = provider;
    return 0;
}

int provider_check(const struct common_config *config, struct buffer *problems)
{
    struct provider *provider = NULL;
    char problem[256] = "";
    int result = 0;
    if (config->payment_provider != PAYMENT_STRIPE)
        return 0;
    if (provider_open(config, &provider, problem, sizeof(problem)) < 0) {
        // What is about a file begins with its path, all else with the key.
        buffer_format(problems, "%s%s\n", *problem == '[' ? "" : "[payment] ", problem);
        result = ERROR_INVALID;
    }
    provider_close(provider);
    if (http_client_check_base(config->payment_return_url, problem, sizeof(problem)) < 0) {
        buffer_format(problems, "[payment] return_url: %s\n",
                      *config->payment_return_url ? problem : "not given, and visitors could not come back");
        result = ERROR_INVALID;
    }
    return result;
}

void provider_close(struct provider *provider)
{
    if (!provider)
        return;
    http_client_close(provider->http);
    for (struct call *call = provider->calls, *next; call; call = next) {
        next = call->next;
        free(call);
    }
    OPENSSL_cleanse(provider->secret_key, sizeof(provider->secret_key));
    free(provider->listed);
    free(provider);
}

// ---------------------------------------------------------------- calls

static void link_call(struct call *call)
{
    struct provider *provider = call->provider;
    call->next = provider->calls;
    if (provider->calls)
        provider->calls->previous = call;
    provider->calls = call;
}

static void unlink_call(struct call *call)
{
    if (call->previous)
        call->previous->next = call->next;
    else
        call->provider->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
}

static void on_answer(void *context, const struct http_client_answer *raw)
{
    struct call *call = context;
    struct provider *provider = call->provider;
    struct provider_answer answer;
    provider->kind->read(&call->asked, raw, provider->listed, &answer);
    // Errors of its own are answers; what is not understood may be somebody else's.
    if (answer.result == PROVIDER_UNKNOWN && raw->result == HTTP_CLIENT_ANSWERED && raw->status < 500)
        http_client_distrust(provider->http);
    unlink_call(call);
    call->answered(call->context, &answer);
    free(call);
}

static int remember(struct provider *provider, const struct provider_request *request, struct call *call)
{
    struct provider_asked *asked = &call->asked;
    const char *id = request->call == PROVIDER_CARD_ASK ? request->session : request->intent;
    call->provider = provider;
    asked->call = request->call;
    // Lengths have been judged.
    if (request->call == PROVIDER_CREATE || request->call == PROVIDER_CARD_PAGE) {
        (void)snprintf(asked->slug, sizeof(asked->slug), "%s", request->slug);
        asked->place = request->place;
        asked->attempt = request->call == PROVIDER_CREATE ? request->attempt : 0;
        asked->number = request->number;
    } else if (request->call != PROVIDER_LIST) {
        (void)snprintf(asked->id, sizeof(asked->id), "%s", id);
    }
    if (request->call == PROVIDER_LIST && !provider->listed)
        provider->listed = calloc(PROVIDER_LIST_MAX, sizeof(*provider->listed));
    return request->call == PROVIDER_LIST && !provider->listed ? ERROR_MEMORY : 0;
}

static int send_request(struct provider *provider, const struct provider_wire *wire, struct call *call)
{
    const char *headers[HTTP_CLIENT_HEADERS_MAX];
    struct buffer url CLEANUP(buffer_done) = BUFFER_INIT;
    buffer_text(&url, provider->config->payment_base_url);
    buffer_append(&url, wire->path.data, wire->path.bytes);
    if (url.failed)
        return ERROR_MEMORY;
    for (size_t i = 0; i < wire->header_count; i++)
        headers[i] = wire->headers[i].data;
    const struct http_client_request request = {
        .method = wire->method,
        .url = url.data,
        .headers = headers,
        .header_count = wire->header_count,
        .body = wire->body.data,
        .body_bytes = wire->body.bytes,
    };
    return http_client_begin(provider->http, &request, on_answer, call);
}

int provider_begin(struct provider *provider, const struct provider_request *request, provider_answered *answered,
                   void *context)
{
    struct provider_wire wire CLEANUP(provider_wire_done) = {0};
    int error = provider->kind->write(request, provider->secret_key, &wire);
    if (error)
        return error;
    struct call *call = calloc(1, sizeof(*call));
    if (!call)
        return ERROR_MEMORY;
    call->answered = answered;
    call->context = context;
    error = remember(provider, request, call);
    if (!error)
        error = send_request(provider, &wire, call);
    if (error) {
        free(call);
        return error;
    }
    link_call(call);
    return 0;
}

size_t provider_in_flight(const struct provider *provider)
{
    return http_client_in_flight(provider->http);
}

void provider_work(struct provider *provider, int timeout_ms, int fd)
{
    http_client_work(provider->http, timeout_ms, fd);
}

void provider_wake(struct provider *provider)
{
    http_client_wake(provider->http);
}

// ---------------------------------------------------------------- one after the other

struct waiting {
    bool is_answered;
    struct provider_answer answer;
};

static void on_waited_for(void *context, const struct provider_answer *answer)
{
    struct waiting *waiting = context;
    waiting->answer = *answer;
    waiting->is_answered = true;
}

int provider_call(struct provider *provider, const struct provider_request *request, struct provider_answer *ret)
{
    struct waiting waiting = {.is_answered = false};
    int error = provider_begin(provider, request, on_waited_for, &waiting);
    if (error)
        return error;
    while (!waiting.is_answered) // the time-out of the call ends it
        provider_work(provider, 1000, -1);
    *ret = waiting.answer;
    return 0;
}
