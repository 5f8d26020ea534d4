// SPDX-License-Identifier: Apache-2.0
// One request and its answer, as the handlers see it: whole answers, bodies that come bit by bit, sleeping and waking.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "waiting-room/http_internal.h"

struct http_exchange *http_exchange_new(struct http_connection *connection, int32_t stream_id)
{
    struct http_exchange *exchange = calloc(1, sizeof *exchange);
    struct http_collected *collected = calloc(1, sizeof *collected);
    if (exchange == NULL || collected == NULL) {
        free(exchange);
        free(collected);
        return NULL;
    }
    exchange->connection = connection;
    exchange->stream_id = stream_id;
    exchange->since_ms = http_now(connection->loop);
    exchange->collected = collected;
    exchange->previous = connection->newest;
    if (connection->newest == NULL)
        connection->oldest = exchange;
    else
        connection->newest->next = exchange;
    connection->newest = exchange;
    connection->exchange_count++;
    metric_add(&http_metric_streams, 1);
    return exchange;
}

void http_exchange_release_request(struct http_exchange *exchange)
{
    struct http_collected *collected = exchange->collected;
    if (collected == NULL)
        return;
    exchange->connection->collected_bytes -= collected->bytes;
    exchange->collected = NULL;
    buffer_done(&collected->text);
    buffer_done(&collected->cookie);
    buffer_done(&collected->forwarded);
    buffer_done(&collected->body);
    free(collected);
}

void http_exchange_free(struct http_exchange *exchange)
{
    struct http_connection *connection = exchange->connection;
    if (exchange->dispatched)
        connection->loop->server->handler.closed(exchange);
    http_exchange_release_request(exchange);
    if (exchange->previous == NULL)
        connection->oldest = exchange->next;
    else
        exchange->previous->next = exchange->next;
    if (exchange->next == NULL)
        connection->newest = exchange->previous;
    else
        exchange->next->previous = exchange->previous;
    connection->exchange_count--;
    connection->idle_since_ms = http_now(connection->loop);
    metric_add(&http_metric_streams, -1);
    if (exchange->release_body)
        exchange->release_body(exchange->body_owner);
    free(exchange);
}

static ssize_t on_read_body(nghttp2_session *session, int32_t stream_id, uint8_t *data, size_t bytes,
                            uint32_t *data_flags, nghttp2_data_source *source, void *user_data)
{
    (void)session;
    (void)stream_id;
    (void)user_data;
    struct http_exchange *exchange = source->ptr;
    size_t rest = exchange->body_bytes - exchange->body_offset;
    size_t taken = rest < bytes ? rest : bytes;
    memcpy(data, exchange->body + exchange->body_offset, taken);
    exchange->body_offset += taken;
    exchange->since_ms = http_now(exchange->connection->loop);
    if (exchange->body_offset == exchange->body_bytes)
        *data_flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)taken;
}

static ssize_t on_read_stream(nghttp2_session *session, int32_t stream_id, uint8_t *data, size_t bytes,
                              uint32_t *data_flags, nghttp2_data_source *source, void *user_data)
{
    (void)session;
    (void)stream_id;
    (void)user_data;
    struct http_exchange *exchange = source->ptr;
    ptrdiff_t taken = exchange->read(exchange, (char *)data, bytes);
    assert(taken <= (ptrdiff_t)bytes);
    if (taken > 0)
        return taken;
    if (taken == 0) {
        exchange->asleep = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *data_flags |= NGHTTP2_DATA_FLAG_EOF;
    return 0;
}

// nghttp2 asks for pointers to bytes that it could change, and only reads them.
static uint8_t *bytes_of(const char *text)
{
    union {
        const char *text;
        uint8_t *bytes;
    } same = {.text = text};
    return same.bytes;
}

static nghttp2_nv field(const char *name, const char *value, size_t value_bytes)
{
    uint8_t flags = NGHTTP2_NV_FLAG_NONE;
    // A secret in the compression's table could be guessed at by whoever shares the connection (RFC 7541, 7.1).
    if (strcmp(name, "set-cookie") == 0)
        flags = NGHTTP2_NV_FLAG_NO_INDEX;
    return (nghttp2_nv){.name = bytes_of(name),
                        .value = bytes_of(value),
                        .namelen = strlen(name),
                        .valuelen = value_bytes,
                        .flags = flags};
}

// `length` NULL: not known beforehand.
static void submit(struct http_exchange *exchange, int status, const struct http_header *headers, size_t header_count,
                   const char *length, const nghttp2_data_provider *provider)
{
    struct http_connection *connection = exchange->connection;
    nghttp2_nv fields[HTTP_HEADERS_MAX + 4];
    size_t count = 0;
    assert(header_count <= HTTP_HEADERS_MAX && status >= 200 && status <= 599);
    const char status_text[] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10), (char)('0' + status % 10),
                                '\0'};
    fields[count++] = field(":status", status_text, 3);
    for (size_t i = 0; i < header_count; i++)
        fields[count++] = field(headers[i].name, headers[i].value, strlen(headers[i].value));
    const char *date = http_loop_date(connection->loop);
    fields[count++] = field("date", date, strlen(date));
    if (length != NULL)
        fields[count++] = field("content-length", length, strlen(length));
    if (connection->ssl != NULL)
        fields[count++] = field("strict-transport-security", "max-age=31536000", 16);

    exchange->answered = true;
    exchange->since_ms = http_now(connection->loop);
    metric_add(&http_metric_requests[status / 100 - 1], 1);
    if (nghttp2_submit_response(connection->session, exchange->stream_id, fields, count, provider) != 0)
        nghttp2_submit_rst_stream(connection->session, NGHTTP2_FLAG_NONE, exchange->stream_id, NGHTTP2_INTERNAL_ERROR);
    if (!exchange->dispatching)
        http_exchange_release_request(exchange);
    http_loop_dirty(connection);
}

void http_respond_shared(struct http_exchange *exchange, int status, const struct http_header *headers,
                         size_t header_count, const void *body, size_t body_bytes, void (*release)(void *owner),
                         void *owner)
{
    struct http_connection *connection = exchange->connection;
    assert(!exchange->answered && pthread_equal(pthread_self(), connection->loop->thread));
    bool bodyless = status == 204 || status == 304;
    bool is_open = connection->state == HTTP_OPEN_STATE; // else it is just being taken down; `closed` is on its way
    bool sends = is_open && body_bytes > 0 && !bodyless && !exchange->head;
    nghttp2_data_provider provider = {.source = {.ptr = exchange}, .read_callback = on_read_body};
    if (sends) {
        exchange->body = body;
        exchange->body_bytes = body_bytes;
        exchange->release_body = release;
        exchange->body_owner = owner;
    }
    char length[24];
    snprintf(length, sizeof length, "%zu", body_bytes);
    if (is_open)
        submit(exchange, status, headers, header_count, bodyless ? NULL : length, sends ? &provider : NULL);
    if (!sends)
        release(owner);
}

void http_respond(struct http_exchange *exchange, int status, const struct http_header *headers, size_t header_count,
                  const void *body, size_t body_bytes)
{
    struct http_connection *connection = exchange->connection;
    assert(!exchange->answered && pthread_equal(pthread_self(), connection->loop->thread));
    if (connection->state != HTTP_OPEN_STATE)
        return;
    char *copy = malloc(body_bytes + 1);
    if (copy == NULL) {
        exchange->answered = true;
        nghttp2_submit_rst_stream(connection->session, NGHTTP2_FLAG_NONE, exchange->stream_id, NGHTTP2_INTERNAL_ERROR);
        http_loop_dirty(connection);
        return;
    }
    if (body_bytes > 0)
        memcpy(copy, body, body_bytes);
    http_respond_shared(exchange, status, headers, header_count, copy, body_bytes, free, copy);
}

void http_stream(struct http_exchange *exchange, int status, const struct http_header *headers, size_t header_count,
                 http_read_fn *read)
{
    struct http_connection *connection = exchange->connection;
    assert(!exchange->answered && pthread_equal(pthread_self(), connection->loop->thread));
    if (connection->state != HTTP_OPEN_STATE)
        return;
    exchange->read = read;
    nghttp2_data_provider provider = {.source = {.ptr = exchange}, .read_callback = on_read_stream};
    submit(exchange, status, headers, header_count, NULL, exchange->head ? NULL : &provider);
}

void http_wake(struct http_exchange *exchange)
{
    struct http_connection *connection = exchange->connection;
    assert(pthread_equal(pthread_self(), connection->loop->thread));
    if (!exchange->asleep || connection->state != HTTP_OPEN_STATE)
        return;
    exchange->asleep = false;
    nghttp2_session_resume_data(connection->session, exchange->stream_id);
    http_loop_dirty(connection);
}

void http_exchange_stop_sending(struct http_exchange *exchange)
{
    exchange->sent_early = false;
    nghttp2_submit_rst_stream(exchange->connection->session, NGHTTP2_FLAG_NONE, exchange->stream_id, NGHTTP2_NO_ERROR);
    http_loop_dirty(exchange->connection);
}

// An answer without the handler: what was asked is too large, too slow or not for us.
void http_exchange_refuse(struct http_exchange *exchange)
{
    static const struct refusal {
        int status;
        const char *type, *title, *detail;
    } refusals[] = {
        {405, "method-not-allowed", "The method is not allowed here", "The field Allow says which are."},
        {408, "request-timeout", "The request took too long", "Send it again, as a whole."},
        {413, "body-too-large", "The body is too large", "It may have 16 KiB; what the payment provider tells, 48."},
        {414, "address-too-long", "The address is too long", "The path may have 1 KiB, the query 8 KiB."},
        {431, "headers-too-large", "The header fields are too large", "Together they may have 32 KiB."},
        {503, "too-much-at-once", "Too much at once on this connection",
         "Try again after the time in the field Retry-After."},
    };
    if (exchange->answered || exchange->connection->state != HTTP_OPEN_STATE)
        return;
    const struct refusal *refusal = refusals;
    while (refusal->status != exchange->refusal)
        refusal++;
    char body[256]; // a problem document (RFC 9457)
    int bytes =
        snprintf(body, sizeof body, "{\"type\":\"/problems/%s\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\"}",
                 refusal->type, refusal->title, refusal->status, refusal->detail);
    const struct http_header headers[] = {
        {"content-type", "application/problem+json"},
        {"cache-control", "no-store"},
        {"x-content-type-options", "nosniff"},
        {exchange->refusal == 503 ? "retry-after" : "allow",
         exchange->refusal == 503 ? "1" : "GET, HEAD, POST, PUT, DELETE"},
    };
    bool more = exchange->refusal == 503 || exchange->refusal == 405;
    http_respond(exchange, exchange->refusal, headers, more ? 4 : 3, body, (size_t)bytes);
}

void http_set_data(struct http_exchange *exchange, void *data)
{
    exchange->data = data;
}

void *http_data(const struct http_exchange *exchange)
{
    return exchange->data;
}

void http_set_connection_data(struct http_exchange *exchange, void *data, void (*free_data)(void *data))
{
    exchange->connection->data = data;
    exchange->connection->free_data = free_data;
}

void *http_connection_data(const struct http_exchange *exchange)
{
    return exchange->connection->data;
}

struct http_loop *http_exchange_loop(const struct http_exchange *exchange)
{
    return exchange->connection->loop;
}
