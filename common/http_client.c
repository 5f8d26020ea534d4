// SPDX-License-Identifier: Apache-2.0
// See http_client.h. One libcurl multi handle; each call is an easy handle and the answer that grows in it.
#include "common/http_client.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/utf8.h"

#define HEADER_BYTES_MAX (64 * 1024) // of all header lines of one answer
#define USER_AGENT "onsale"

struct call {
    struct http_client *client;
    struct call *next, *previous;
    CURL *easy;
    struct curl_slist *headers;
    struct buffer body;
    size_t header_bytes;
    const char *broken_off; // why we ended it; NULL: we did not
    struct http_client_answer answer;
    http_client_answered *answered;
    void *context;
    char error[CURL_ERROR_SIZE];
};

struct http_client {
    CURLM *multi;
    char *ca_file; // NULL: the system's authorities
    int64_t connect_timeout_ms, timeout_ms;
    struct call *calls; // under way
    size_t call_count;
    int64_t distrusted_at_ns; // connections made before are not used any more; 0: all are good
};

// ---------------------------------------------------------------- opening and closing

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void init_curl(void)
{
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

int http_client_open(const struct http_client_options *options, struct http_client **ret)
{
    if (pthread_once(&curl_once, init_curl) != 0 || curl_ready != CURLE_OK)
        return ERROR_MEMORY;
    struct http_client *client = calloc(1, sizeof(*client));
    if (!client)
        return ERROR_MEMORY;
    client->connect_timeout_ms = options->connect_timeout_ms;
    client->timeout_ms = options->timeout_ms;
    bool has_ca_file = options->ca_file && *options->ca_file;
    client->ca_file = has_ca_file ? strdup(options->ca_file) : NULL;
    client->multi = curl_multi_init();
    if (!client->multi || (has_ca_file && !client->ca_file)) {
        http_client_close(client);
        return ERROR_MEMORY;
    }
    // No more calls are let in than there may be connections, so none ever waits for one inside libcurl, where its time-out would not count.
    (void)curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)HTTP_CLIENT_CALLS_MAX);
    (void)curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_CLIENT_CALLS_MAX);
    (void)curl_multi_setopt(client->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    *ret = client;
    return 0;
}

static void link_call(struct call *call)
{
    struct http_client *client = call->client;
    call->next = client->calls;
    if (client->calls)
        client->calls->previous = call;
    client->calls = call;
    client->call_count++;
}

static void unlink_call(struct call *call)
{
    struct http_client *client = call->client;
    if (call->previous)
        call->previous->next = call->next;
    else
        client->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
    client->call_count--;
}

static void free_call(struct call *call)
{
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    buffer_done(&call->body);
    free(call);
}

void http_client_close(struct http_client *client)
{
    if (!client)
        return;
    while (client->calls) {
        struct call *call = client->calls;
        (void)curl_multi_remove_handle(client->multi, call->easy);
        unlink_call(call);
        free_call(call);
    }
    if (client->multi)
        (void)curl_multi_cleanup(client->multi);
    free(client->ca_file);
    free(client);
}

// ---------------------------------------------------------------- addresses

static int refuse(const char *reason, char *problem, size_t problem_bytes)
{
    if (problem && problem_bytes)
        (void)snprintf(problem, problem_bytes, "%s", reason);
    return ERROR_INVALID;
}

// libcurl has written what may also be "127.1" or "0x7f000001" as four numbers.
static bool is_loopback(const char *host)
{
    struct in_addr address;
    if (inet_pton(AF_INET, host, &address) == 1)
        return (ntohl(address.s_addr) >> 24) == 127;
    return strcmp(host, "[::1]") == 0 || strcasecmp(host, "localhost") == 0;
}

static bool url_has(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return has;
}

static const char *judge_parts(CURLU *url)
{
    char *scheme = NULL, *host = NULL;
    const char *wrong = NULL;
    if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK || !*host)
        wrong = "not a URL";
    else if (url_has(url, CURLUPART_USER) || url_has(url, CURLUPART_PASSWORD))
        wrong = "a user or password in a URL";
    else if (strcasecmp(scheme, "https") != 0 && (strcasecmp(scheme, "http") != 0 || !is_loopback(host)))
        wrong = "neither https nor http on this machine itself";
    curl_free(scheme);
    curl_free(host);
    return wrong;
}

// What RFC 3986 allows, and no more: others, a backslash above all, are read in different ways by different readers. So are fewer or more
// slashes than two.
static bool is_well_formed(const char *text)
{
    for (const char *at = text; *at; at++) {
        if (*at <= ' ' || *at > '~' || strchr("\\\"<>^`{|}", *at))
            return false;
    }
    const char *colon = strchr(text, ':');
    return colon && strncmp(colon, "://", 3) == 0 && colon[3] != '/';
}

static int check_url(const char *text, bool is_base, char *problem, size_t problem_bytes)
{
    if (!is_well_formed(text))
        return refuse("not a URL", problem, problem_bytes);
    if (is_base && (text[strlen(text) - 1] == '/' || strpbrk(text, "?#")))
        return refuse("a slash at the end, a query or a fragment", problem, problem_bytes);
    CURLU *url = curl_url();
    const char *wrong = !url || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ? "not a URL" : judge_parts(url);
    curl_url_cleanup(url);
    return wrong ? refuse(wrong, problem, problem_bytes) : 0;
}

int http_client_check_url(const char *url, char *problem, size_t problem_bytes)
{
    return check_url(url, false, problem, problem_bytes);
}

int http_client_check_base(const char *url, char *problem, size_t problem_bytes)
{
    return check_url(url, true, problem, problem_bytes);
}

// ---------------------------------------------------------------- the answer as it comes

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
    struct call *call = context;
    buffer_append(&call->body, data, size * count);
    if (!call->body.failed)
        return size * count;
    call->broken_off =
        call->body.bytes + size * count > HTTP_CLIENT_BODY_BYTES_MAX ? "the answer is too long" : "out of memory";
    return 0; // libcurl ends the transfer
}

static bool header_is(const char *line, size_t name_bytes, const char *name)
{
    return name_bytes == strlen(name) && strncasecmp(line, name, name_bytes) == 0;
}

static bool value_is(const char *value, size_t bytes, const char *expected)
{
    return bytes == strlen(expected) && strncasecmp(value, expected, bytes) == 0;
}

static void read_retry_after(struct http_client_answer *answer, const char *value, size_t bytes)
{
    if (bytes == 0 || bytes > 9)
        return;
    int64_t seconds = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (value[i] < '0' || value[i] > '9')
            return;
        seconds = seconds * 10 + (value[i] - '0');
    }
    answer->retry_after_seconds = seconds;
}

static void read_header(struct http_client_answer *answer, const char *line, size_t bytes)
{
    const char *colon = memchr(line, ':', bytes);
    if (!colon)
        return;
    size_t name_bytes = (size_t)(colon - line);
    const char *value = colon + 1, *end = line + bytes;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
        end--;
    size_t value_bytes = (size_t)(end - value);
    if (header_is(line, name_bytes, "Retry-After")) {
        read_retry_after(answer, value, value_bytes);
    } else if (header_is(line, name_bytes, "Idempotent-Replayed")) {
        answer->is_replayed = value_is(value, value_bytes, "true");
    } else if (header_is(line, name_bytes, "Stripe-Should-Retry")) {
        answer->should_retry = value_is(value, value_bytes, "true");
    } else if (header_is(line, name_bytes, "Content-Type") && value_bytes < sizeof(answer->content_type)) {
        memcpy(answer->content_type, value, value_bytes);
        answer->content_type[value_bytes] = '\0';
    }
}

static void forget_headers(struct http_client_answer *answer)
{
    answer->content_type[0] = '\0';
    answer->retry_after_seconds = -1;
    answer->is_replayed = answer->should_retry = false;
}

static size_t on_header(char *line, size_t size, size_t count, void *context)
{
    struct call *call = context;
    size_t bytes = size * count;
    call->header_bytes += bytes;
    if (call->header_bytes > HEADER_BYTES_MAX) {
        call->broken_off = "the answer's headers are too long";
        return 0;
    }
    if (bytes >= 5 && strncmp(line, "HTTP/", 5) == 0) // after 100 (Continue) there comes another
        forget_headers(&call->answer);
    read_header(&call->answer, line, bytes);
    return bytes;
}

// ---------------------------------------------------------------- beginning

#define SET(option, value)                                               \
    do {                                                                 \
        if (curl_easy_setopt(easy, (option), (value)) != CURLE_OK)       \
            return ERROR_MEMORY; /* nothing but memory can be missing */ \
    } while (0)

static int set_transport(CURL *easy, const struct http_client *client)
{
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (client->ca_file) {
        SET(CURLOPT_CAINFO, client->ca_file);
        SET(CURLOPT_CAPATH, NULL); // just these, and not the system's as well
    }
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)client->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)client->timeout_ms);
    return 0;
}

// libcurl counts the life of a connection in whole seconds, so for the first two every call makes its own.
static int set_trust(CURL *easy, const struct http_client *client)
{
    if (client->distrusted_at_ns == 0)
        return 0;
    int64_t seconds = (clock_monotonic_ns() - client->distrusted_at_ns) / 1000000000 - 1;
    if (seconds < 1)
        SET(CURLOPT_FRESH_CONNECT, 1L);
    else
        SET(CURLOPT_MAXLIFETIME_CONN, (long)seconds);
    return 0;
}

static int add_header(struct call *call, const char *line)
{
    if (strpbrk(line, "\r\n"))
        return ERROR_INVALID;
    struct curl_slist *longer = curl_slist_append(call->headers, line);
    if (!longer)
        return ERROR_MEMORY;
    call->headers = longer;
    return 0;
}

static int set_request(struct call *call, const struct http_client_request *request)
{
    CURL *easy = call->easy;
    int error = add_header(call, "Expect:"); // no waiting for 100 (Continue)
    for (size_t i = 0; i < request->header_count && !error; i++)
        error = add_header(call, request->headers[i]);
    if (error)
        return error;
    // With TLS it is known as soon as a connection stands whether it speaks HTTP/2, so the first calls wait for that rather than open a
    // connection each. Without, it would be known only from the first answer, and nobody is to wait for somebody else's answer.
    bool is_tls = strncasecmp(request->url, "https:", 6) == 0;
    SET(CURLOPT_HTTP_VERSION, (long)(is_tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    SET(CURLOPT_PIPEWAIT, 1L);
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_HTTPHEADER, call->headers);
    SET(CURLOPT_USERAGENT, USER_AGENT);
    if (strcmp(request->method, "POST") == 0) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
        SET(CURLOPT_COPYPOSTFIELDS, request->body ? request->body : "");
    } else if (strcmp(request->method, "GET") != 0) {
        return ERROR_INVALID;
    }
    SET(CURLOPT_PRIVATE, call);
    SET(CURLOPT_ERRORBUFFER, call->error);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, call);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, call);
    return 0;
}

int http_client_begin(struct http_client *client, const struct http_client_request *request,
                      http_client_answered *answered, void *context)
{
    if (request->header_count > HTTP_CLIENT_HEADERS_MAX || http_client_check_url(request->url, NULL, 0) != 0)
        return ERROR_INVALID;
    if (client->call_count >= HTTP_CLIENT_CALLS_MAX)
        return ERROR_LIMIT;
    struct call *call = calloc(1, sizeof(*call));
    if (!call)
        return ERROR_MEMORY;
    call->client = client;
    call->answered = answered;
    call->context = context;
    call->body.bytes_max = HTTP_CLIENT_BODY_BYTES_MAX;
    forget_headers(&call->answer);
    call->easy = curl_easy_init();
    int error = call->easy ? set_transport(call->easy, client) : ERROR_MEMORY;
    if (!error)
        error = set_trust(call->easy, client);
    if (!error)
        error = set_request(call, request);
    if (!error && curl_multi_add_handle(client->multi, call->easy) != CURLM_OK)
        error = ERROR_MEMORY;
    if (error) {
        free_call(call);
        return error;
    }
    link_call(call);
    return 0;
}

size_t http_client_in_flight(const struct http_client *client)
{
    return client->call_count;
}

// ---------------------------------------------------------------- working

// Whether anything of the request has ever left, over whatever connection: the code of the last error alone does not tell, since a request that
// was sent over a connection kept open may have been tried again over one that could not be made.
static bool was_sent(CURL *easy)
{
    long request_bytes = 0;
    return curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &request_bytes) != CURLE_OK || request_bytes > 0;
}

static void explain(struct call *call, CURLcode code)
{
    const char *why = call->broken_off ? call->broken_off : *call->error ? call->error : curl_easy_strerror(code);
    (void)snprintf(call->answer.problem, sizeof(call->answer.problem), "%.*s", HTTP_CLIENT_PROBLEM_BYTES - 1, why);
    utf8_mend(call->answer.problem);
}

static void finish(struct call *call, CURLcode code)
{
    struct http_client *client = call->client;
    struct http_client_answer *answer = &call->answer;
    long status = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    answer->status = (int)status;
    answer->result = HTTP_CLIENT_ANSWERED;
    if (code != CURLE_OK || status == 0) {
        answer->result = was_sent(call->easy) ? HTTP_CLIENT_LOST : HTTP_CLIENT_NOT_SENT;
        explain(call, code);
    }
    answer->body = call->body.data ? call->body.data : "";
    answer->body_bytes = call->body.bytes;
    (void)curl_multi_remove_handle(client->multi, call->easy);
    unlink_call(call);
    call->answered(call->context, answer);
    free_call(call);
}

// Returns how many calls are through.
static size_t perform(struct http_client *client)
{
    int running, left;
    size_t finished = 0;
    (void)curl_multi_perform(client->multi, &running);
    for (CURLMsg *message; (message = curl_multi_info_read(client->multi, &left));) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result; // the message goes with the handle
        struct call *call = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        finish(call, code);
        finished++;
    }
    return finished;
}

void http_client_work(struct http_client *client, int timeout_ms, int fd)
{
    if (perform(client) > 0)
        return;
    struct curl_waitfd extra = {.fd = fd, .events = CURL_WAIT_POLLIN};
    (void)curl_multi_poll(client->multi, &extra, fd >= 0 ? 1 : 0, timeout_ms, NULL);
    (void)perform(client);
}

void http_client_wake(struct http_client *client)
{
    (void)curl_multi_wakeup(client->multi);
}

void http_client_distrust(struct http_client *client)
{
    client->distrusted_at_ns = clock_monotonic_ns();
}
