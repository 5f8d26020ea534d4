// SPDX-License-Identifier: Apache-2.0
// One request a call, with libcurl. Who plays a visitor never learns more from the bank than that it has heard the answer.
#include "bench/crowd/bank.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "bench/crowd/options.h"
#include "bench/crowd/told.h"
#include "common/buffer.h"

#define CONNECT_MS 3000
#define ANSWER_MS 10000 // a bank that is silent for so long is asked again
#define LEDGER_MS 30000
#define ANSWER_BYTES_MAX ((size_t)256 << 10)

struct call {
    const struct bank *bank;
    const char *url;
    const char *body; // NULL: GET
    long timeout_ms;
    // What came of it:
    struct buffer answer;
    CURLcode code;
    long status;
};

static size_t on_data(char *data, size_t size, size_t count, void *context)
{
    struct call *call = context;
    buffer_append(&call->answer, data, size * count);
    return call->answer.failed ? 0 : size * count;
}

// The same guard as for waiting rooms: nobody else's bank is asked by mistake.
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    const struct bank *bank = context;
    (void)purpose;
    if (!bank->elsewhere && !options_is_loopback(&address->addr))
        return CURL_SOCKET_BAD;
    return socket(address->family, address->socktype, address->protocol);
}

static int set_up(CURL *handle, struct call *call, const struct curl_slist *headers)
{
    const struct bank *bank = call->bank;
    bool good = curl_easy_setopt(handle, CURLOPT_URL, call->url) == CURLE_OK &&
                curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
                curl_easy_setopt(handle, CURLOPT_PROXY, "") == CURLE_OK &&
                curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS) == CURLE_OK &&
                curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, call->timeout_ms) == CURLE_OK &&
                curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
                curl_easy_setopt(handle, CURLOPT_OPENSOCKETDATA, bank) == CURLE_OK &&
                curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_data) == CURLE_OK &&
                curl_easy_setopt(handle, CURLOPT_WRITEDATA, call) == CURLE_OK &&
                curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
    if (good && call->body)
        good = curl_easy_setopt(handle, CURLOPT_POSTFIELDS, call->body) == CURLE_OK;
    if (good && bank->insecure)
        good = curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 0L) == CURLE_OK &&
               curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK;
    else if (good && bank->ca)
        good = curl_easy_setopt(handle, CURLOPT_CAINFO, bank->ca) == CURLE_OK;
    return good ? 0 : ERROR_MEMORY;
}

// Blocks until there is an answer, or none comes.
static void ask(struct call *call)
{
    CURL *handle = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    struct curl_slist *all =
        headers && call->body ? curl_slist_append(headers, "Content-Type: application/json") : headers;
    call->code = CURLE_OUT_OF_MEMORY;
    if (handle && all && set_up(handle, call, all) == 0) {
        call->code = curl_easy_perform(handle);
        (void)curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &call->status);
    }
    curl_slist_free_all(headers);
    curl_easy_cleanup(handle);
}

// Answering

struct errand {
    uv_work_t work;
    struct call call;
    char url[TOLD_URL_BYTES];
    bank_answered *answered;
    void *context;
};

static void on_work(uv_work_t *work)
{
    struct errand *errand = work->data;
    ask(&errand->call);
}

static int error_of(const struct call *call)
{
    if (call->code != CURLE_OK || call->status >= 500 || call->status == 429)
        return ERROR_TRANSIENT;
    // Answered before, or there is nothing to answer any more.
    if (call->status == 404 || call->status == 409 || call->status == 410)
        return ERROR_NOT_FOUND;
    return call->status >= 200 && call->status < 400 ? 0 : ERROR_PERMANENT;
}

static void on_worked(uv_work_t *work, int status)
{
    struct errand *errand = work->data;
    int error = status == 0 ? error_of(&errand->call) : ERROR_TRANSIENT;
    errand->answered(errand->context, error, (int)errand->call.status);
    buffer_done(&errand->call.answer);
    free(errand);
}

int bank_answer(const struct bank *bank, const char *url, bool yes, bank_answered *answered, void *context)
{
    size_t bytes = strlen(url);
    struct errand *errand = bytes > 0 && bytes < TOLD_URL_BYTES ? calloc(1, sizeof *errand) : NULL;
    if (!errand)
        return bytes > 0 && bytes < TOLD_URL_BYTES ? ERROR_MEMORY : ERROR_INVALID;
    memcpy(errand->url, url, bytes + 1);
    errand->call = (struct call){.bank = bank,
                                 .url = errand->url,
                                 .body = yes ? "{\"answer\":\"yes\"}" : "{\"answer\":\"no\"}",
                                 .timeout_ms = ANSWER_MS,
                                 .answer = {.bytes_max = ANSWER_BYTES_MAX}};
    errand->answered = answered;
    errand->context = context;
    errand->work.data = errand;
    if (uv_queue_work(bank->loop, &errand->work, on_work, on_worked) != 0) {
        free(errand);
        return ERROR_MEMORY;
    }
    return 0;
}

// The ledger

int bank_get(const struct bank *bank, const char *url, size_t bytes_max, char **ret, size_t *ret_bytes, char *problem,
             size_t problem_bytes)
{
    struct call call = {.bank = bank, .url = url, .timeout_ms = LEDGER_MS, .answer = {.bytes_max = bytes_max}};
    ask(&call);
    bool complete = call.code == CURLE_OK && call.status == 200;
    if (complete) {
        *ret_bytes = call.answer.bytes;
        *ret = call.answer.data ? buffer_take(&call.answer) : calloc(1, 1);
        return *ret ? 0 : ERROR_MEMORY;
    }
    buffer_done(&call.answer);
    if (call.code != CURLE_OK)
        (void)snprintf(problem, problem_bytes, "%s: %s", url, curl_easy_strerror(call.code));
    else
        (void)snprintf(problem, problem_bytes, "%s: status %ld", url, call.status);
    return call.code != CURLE_OK || call.status >= 500 ? ERROR_TRANSIENT : ERROR_PERMANENT;
}
