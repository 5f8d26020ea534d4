// SPDX-License-Identifier: Apache-2.0
// What nghttp2 reports of a connection: requests are collected here and handed to the handler when they are whole; what
// is too large is refused; who floods is shown the door. Nothing here sends or receives: callbacks only record and
// submit, and the connection is flushed at the end of the loop's turn.
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "waiting-room/http_internal.h"

// Header lists of up to this many times the limit get an answer (431); beyond, the connection ends.
#define HEADER_LIST_PATIENCE 8
// What the useless costs, in units of HTTP_PATIENCE. A reset by the peer may leave work behind that was begun for it
// (CVE-2023-44487), one that the peer made us send as well (CVE-2025-8671).
#define COST_FRAME 1
#define COST_RESET_RECEIVED 2
#define COST_RESET_SENT 4

// Of a body that was refused: what is read and dropped before its stream is reset.
#define DROPPED_BYTES_MAX (4 * 1024 * 1024)

// The fields that handlers look at, and where they go. The order is that of `offsets`.
static const struct field {
    const char *name;
    size_t name_bytes;
    size_t member;
} fields[] = {
#define FIELD(text, member)                                             \
    {                                                                   \
        (text), sizeof(text) - 1, offsetof(struct http_request, member) \
    }
    FIELD(":method", method_name),
    FIELD(":path", path),
    FIELD(":authority", authority),
    FIELD("authorization", authorization),
    FIELD("accept", accept),
    FIELD("content-type", content_type),
    FIELD("origin", origin),
    FIELD("sec-fetch-site", sec_fetch_site),
    FIELD("accept-language", accept_language),
    FIELD("if-none-match", if_none_match),
    FIELD("stripe-signature", stripe_signature),
    FIELD("host", authority), // behind ":authority", which wins
#undef FIELD
};
enum { FIELD_COUNT = sizeof fields / sizeof fields[0], FIELD_METHOD = 0, FIELD_PATH = 1 };
_Static_assert(FIELD_COUNT <= HTTP_FIELDS_MAX, "struct http_collected has too few offsets");

static bool is(const uint8_t *text, size_t bytes, const char *word)
{
    return bytes == strlen(word) && memcmp(text, word, bytes) == 0;
}

void http_session_doom(struct http_connection *connection, enum http_error_kind kind, uint32_t code)
{
    if (connection->doomed)
        return;
    connection->doomed = true;
    http_loop_cut(connection, kind);
    nghttp2_session_terminate_session(connection->session, code);
    http_loop_dirty(connection);
}

// Takes from the connection's patience, which grows back with time.
static void charge(struct http_connection *connection, int64_t cost)
{
    int64_t factor = connection->peer_trusted ? HTTP_PATIENCE_PROXY_FACTOR : 1;
    int64_t now_ms = http_now(connection->loop);
    int64_t grown = (now_ms - connection->patience_ms) * HTTP_PATIENCE_PER_SECOND * factor / 1000;
    if (grown > 0) {
        connection->patience += grown;
        connection->patience_ms = now_ms;
        if (connection->patience > HTTP_PATIENCE * factor)
            connection->patience = HTTP_PATIENCE * factor;
    }
    connection->patience -= cost;
    if (connection->patience < 0)
        http_session_doom(connection, HTTP_ERROR_FLOOD, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void refuse(struct http_exchange *exchange, int status, enum http_error_kind kind)
{
    if (exchange->refusal != 0 || exchange->answered)
        return;
    exchange->refusal = status;
    metric_add(&http_metric_errors[kind], 1);
    http_exchange_release_request(exchange);
    // Before the headers are complete an answer would have to wait for them anyway.
    if (exchange->headers_complete)
        http_exchange_refuse(exchange);
}

// Whether so much more may be kept for this connection.
static bool keep(struct http_exchange *exchange, size_t bytes)
{
    struct http_connection *connection = exchange->connection;
    if (connection->collected_bytes + bytes > HTTP_COLLECTED_BYTES_MAX) {
        refuse(exchange, 503, HTTP_ERROR_TOO_MUCH_AT_ONCE);
        return false;
    }
    connection->collected_bytes += bytes;
    exchange->collected->bytes += bytes;
    return true;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct http_connection *connection = user_data;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct http_exchange *exchange = http_exchange_new(connection, frame->hd.stream_id);
    if (exchange == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, exchange);
    return 0;
}

static void join(struct http_exchange *exchange, struct buffer *joined, const char *separator, const uint8_t *value,
                 size_t value_bytes)
{
    if (!keep(exchange, value_bytes + 2))
        return;
    if (joined->bytes > 0)
        buffer_text(joined, separator);
    buffer_append(joined, value, value_bytes);
}

static void keep_field(struct http_exchange *exchange, size_t index, const uint8_t *value, size_t value_bytes)
{
    struct http_collected *collected = exchange->collected;
    if (collected->offsets[index] != 0 || !keep(exchange, value_bytes + 1))
        return;
    collected->offsets[index] = collected->text.bytes + 1;
    buffer_append(&collected->text, value, value_bytes);
    buffer_append(&collected->text, "", 1);
}

static bool too_long(const uint8_t *value, size_t bytes)
{
    const uint8_t *query = memchr(value, '?', bytes);
    size_t path_bytes = query == NULL ? bytes : (size_t)(query - value);
    return path_bytes > HTTP_PATH_BYTES_MAX || bytes - path_bytes > HTTP_QUERY_BYTES_MAX;
}

// The path is known by then: pseudo-header fields come first (RFC 9113, 8.3).
static size_t body_bytes_max(const struct http_exchange *exchange)
{
    const struct http_collected *collected = exchange->collected;
    const struct http_handler *handler = &exchange->connection->loop->server->handler;
    size_t offset = collected->offsets[FIELD_PATH];
    if (!handler->body_bytes_max || offset == 0 || collected->text.failed)
        return HTTP_BODY_BYTES_MAX;
    return handler->body_bytes_max(collected->text.data + offset - 1);
}

static bool body_is_too_large(const uint8_t *value, size_t bytes, size_t max)
{
    uint64_t length = 0;
    for (size_t i = 0; i < bytes && length <= max; i++)
        length = length * 10 + (uint64_t)(value[i] - '0'); // nghttp2 has checked that these are digits
    return length > max;
}

static void take_header(struct http_exchange *exchange, const uint8_t *name, size_t name_bytes, const uint8_t *value,
                        size_t value_bytes)
{
    struct http_collected *collected = exchange->collected;
    if (is(name, name_bytes, "cookie")) {
        join(exchange, &collected->cookie, "; ", value, value_bytes);
    } else if (is(name, name_bytes, "x-forwarded-for")) {
        join(exchange, &collected->forwarded, ", ", value, value_bytes);
    } else if (is(name, name_bytes, "content-length")) {
        if (body_is_too_large(value, value_bytes, body_bytes_max(exchange)))
            refuse(exchange, 413, HTTP_ERROR_BODY_TOO_LARGE);
    } else if (is(name, name_bytes, "expect")) {
        exchange->expects_continue = is(value, value_bytes, "100-continue");
    } else if (is(name, name_bytes, ":path") && too_long(value, value_bytes)) {
        refuse(exchange, 414, HTTP_ERROR_PATH_TOO_LONG);
    } else {
        for (size_t i = 0; i < FIELD_COUNT; i++)
            if (fields[i].name_bytes == name_bytes && memcmp(fields[i].name, name, name_bytes) == 0) {
                keep_field(exchange, i, value, value_bytes);
                break;
            }
    }
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_bytes,
                     const uint8_t *value, size_t value_bytes, uint8_t flags, void *user_data)
{
    (void)flags;
    struct http_connection *connection = user_data;
    struct http_exchange *exchange = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (exchange == NULL)
        return 0;
    // Also of what is refused: an answer to HEAD never has a body (RFC 9110, 9.3.2).
    if (is(name, name_bytes, ":method"))
        exchange->head = is(value, value_bytes, "HEAD");
    // nghttp2 tells the peer our limit and leaves it to us to insist on it.
    exchange->header_list_bytes += (uint32_t)(name_bytes + value_bytes + 32);
    if (exchange->header_list_bytes > HEADER_LIST_PATIENCE * HTTP_HEADER_LIST_BYTES_MAX) {
        http_session_doom(connection, HTTP_ERROR_HEADERS_TOO_LARGE, NGHTTP2_ENHANCE_YOUR_CALM);
        return 0;
    }
    if (exchange->header_list_bytes > HTTP_HEADER_LIST_BYTES_MAX)
        refuse(exchange, 431, HTTP_ERROR_HEADERS_TOO_LARGE);
    // Trailers count, but mean nothing here (RFC 9110, 6.5.1).
    if (exchange->collected != NULL && exchange->refusal == 0 && !exchange->headers_complete)
        take_header(exchange, name, name_bytes, value, value_bytes);
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data, size_t bytes,
                         void *user_data)
{
    (void)flags;
    (void)user_data;
    struct http_exchange *exchange = nghttp2_session_get_stream_user_data(session, stream_id);
    if (exchange == NULL || exchange->dispatched)
        return 0;
    if (exchange->answered || exchange->collected == NULL) {
        exchange->dropped_bytes += (uint32_t)bytes;
        if (exchange->sent_early && exchange->dropped_bytes > DROPPED_BYTES_MAX)
            http_exchange_stop_sending(exchange);
        return 0;
    }
    struct buffer *body = &exchange->collected->body;
    if (bytes + body->bytes > body_bytes_max(exchange))
        refuse(exchange, 413, HTTP_ERROR_BODY_TOO_LARGE);
    else if (keep(exchange, bytes))
        buffer_append(body, data, bytes);
    return 0;
}

static enum http_method method_of(const char *name)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET", [HTTP_HEAD] = "HEAD", [HTTP_POST] = "POST", [HTTP_PUT] = "PUT", [HTTP_DELETE] = "DELETE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum http_method)i;
    return HTTP_OTHER;
}

// Puts the request together from what was collected.
static void build_request(struct http_exchange *exchange)
{
    struct http_collected *collected = exchange->collected;
    struct http_request *request = &collected->request;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const char **member = (const char **)(void *)((char *)request + fields[i].member);
        if (collected->offsets[i] != 0 && *member == NULL)
            *member = collected->text.data + collected->offsets[i] - 1;
    }
    request->query = "";
    if (request->path == NULL)
        request->path = "";
    if (request->authority == NULL)
        request->authority = "";
    if (collected->offsets[FIELD_PATH] != 0) {
        char *query = strchr(collected->text.data + collected->offsets[FIELD_PATH] - 1, '?');
        if (query != NULL) {
            *query = '\0';
            request->query = query + 1;
        }
    }
    request->method = method_of(request->method_name);
    request->cookie = collected->cookie.data;
    request->forwarded_for = collected->forwarded.data;
    request->body = collected->body.data == NULL ? "" : collected->body.data;
    request->body_bytes = collected->body.bytes;
    const struct peer_address *peer = &exchange->connection->peer;
    struct peer_address client =
        peer_client(peer, &exchange->connection->loop->server->trusted, request->forwarded_for);
    peer_format(&client, request->address);
}

// The request is whole: the handler's turn.
static void dispatch(struct http_exchange *exchange)
{
    struct http_collected *collected = exchange->collected;
    if (exchange->answered || exchange->dispatched || collected == NULL)
        return;
    if (collected->text.failed || collected->cookie.failed || collected->forwarded.failed || collected->body.failed ||
        collected->offsets[FIELD_METHOD] == 0) {
        refuse(exchange, 503, HTTP_ERROR_TOO_MUCH_AT_ONCE);
        return;
    }
    build_request(exchange);
    if (strcmp(collected->request.method_name, "CONNECT") == 0) {
        refuse(exchange, 405, HTTP_ERROR_MALFORMED);
        return;
    }
    exchange->dispatched = true;
    exchange->dispatching = true;
    exchange->connection->loop->server->handler.request(exchange, &collected->request);
    exchange->dispatching = false;
    // A handler may go on reading the request after it has answered, until it returns.
    if (exchange->answered)
        http_exchange_release_request(exchange);
}

static void on_request_headers(struct http_exchange *exchange, bool whole)
{
    exchange->headers_complete = true;
    if (exchange->refusal != 0) {
        http_exchange_refuse(exchange);
        return;
    }
    if (whole || !exchange->expects_continue)
        return;
    nghttp2_nv status = {.name = (uint8_t[]){":status"}, .value = (uint8_t[]){"100"}, .namelen = 7, .valuelen = 3};
    nghttp2_submit_headers(exchange->connection->session, NGHTTP2_FLAG_NONE, exchange->stream_id, NULL, &status, 1,
                           NULL);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    (void)user_data;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct http_exchange *exchange = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (exchange == NULL)
        return 0;
    bool whole = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_HEADERS && !exchange->headers_complete) {
        // CONNECT has no path and its stream does not end by itself: it is refused at once.
        const struct http_collected *collected = exchange->collected;
        if (collected != NULL && collected->offsets[FIELD_METHOD] != 0 &&
            strcmp(collected->text.data + collected->offsets[FIELD_METHOD] - 1, "CONNECT") == 0)
            refuse(exchange, 405, HTTP_ERROR_MALFORMED);
        on_request_headers(exchange, whole);
    }
    if (whole)
        dispatch(exchange);
    return 0;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *header, void *user_data)
{
    (void)session;
    struct http_connection *connection = user_data;
    switch (header->type) {
    case NGHTTP2_DATA:
        if (header->length == 0 && (header->flags & NGHTTP2_FLAG_END_STREAM) == 0)
            charge(connection, COST_FRAME);
        break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION: // counted by nghttp2
    case NGHTTP2_WINDOW_UPDATE:
        break;
    case NGHTTP2_RST_STREAM:
        charge(connection, COST_RESET_RECEIVED);
        break;
    default: // PING, SETTINGS, PRIORITY, what nobody knows
        charge(connection, COST_FRAME);
        break;
    }
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int code, void *user_data)
{
    (void)session;
    struct http_connection *connection = user_data;
    metric_add(&http_metric_errors[HTTP_ERROR_FRAME], 1);
    char address[PEER_TEXT_BYTES];
    log_debug("http_invalid_frame", LOG_U("type", frame->hd.type), LOG_S("problem", nghttp2_strerror(code)),
              LOG_S("address", peer_format(&connection->peer, address)));
    return 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct http_connection *connection = user_data;
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR) {
        charge(connection, COST_RESET_SENT);
        return 0;
    }
    bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (!ends || nghttp2_session_get_stream_remote_close(session, frame->hd.stream_id) != 0)
        return 0;
    // Answered before the request was whole. curl 7.88 loses an answer when the reset comes with it, so the reset waits
    // for the tick; most clients stop or are done by then.
    struct http_exchange *exchange = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (exchange != NULL) {
        exchange->sent_early = true;
        exchange->since_ms = http_now(connection->loop);
    }
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t code, void *user_data)
{
    (void)code;
    (void)user_data;
    struct http_exchange *exchange = nghttp2_session_get_stream_user_data(session, stream_id);
    if (exchange == NULL)
        return 0;
    nghttp2_session_set_stream_user_data(session, stream_id, NULL);
    http_exchange_free(exchange);
    return 0;
}

int http_session_setup(struct http_loop *loop)
{
    if (nghttp2_session_callbacks_new(&loop->callbacks) != 0 || nghttp2_option_new(&loop->options) != 0)
        return ERROR_MEMORY;
    nghttp2_session_callbacks_set_on_begin_headers_callback(loop->callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(loop->callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(loop->callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(loop->callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_begin_frame_callback(loop->callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(loop->callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(loop->callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(loop->callbacks, on_stream_close);
    // A second line behind charge(), which is stricter.
    nghttp2_option_set_max_outbound_ack(loop->options, 500);
    nghttp2_option_set_max_settings(loop->options, 32);
    nghttp2_option_set_stream_reset_rate_limit(loop->options, (uint64_t)HTTP_PATIENCE * HTTP_PATIENCE_PROXY_FACTOR,
                                               (uint64_t)HTTP_PATIENCE_PER_SECOND * HTTP_PATIENCE_PROXY_FACTOR);
    nghttp2_option_set_max_continuations(loop->options, 8);
    // Closed streams are remembered only for the old priority tree, which is turned off below.
    nghttp2_option_set_no_closed_streams(loop->options, 1);
    return 0;
}

int http_session_open(struct http_connection *connection)
{
    struct http_loop *loop = connection->loop;
    if (nghttp2_session_server_new2(&connection->session, loop->callbacks, connection, loop->options) != 0)
        return ERROR_MEMORY;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP_STREAM_WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEADER_LIST_BYTES_MAX},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    if (nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings,
                                sizeof settings / sizeof settings[0]) != 0)
        return ERROR_MEMORY;
    http_loop_dirty(connection);
    return 0;
}

bool http_session_receive(struct http_connection *connection, const char *data, size_t bytes)
{
    if (connection->doomed)
        return true;
    ssize_t taken = nghttp2_session_mem_recv(connection->session, (const uint8_t *)data, bytes);
    if (taken >= 0)
        return true;
    if (taken == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
        http_session_doom(connection, HTTP_ERROR_CONTINUATION_FLOOD, NGHTTP2_ENHANCE_YOUR_CALM);
    else if (taken == NGHTTP2_ERR_FLOODED)
        http_session_doom(connection, HTTP_ERROR_FLOOD, NGHTTP2_ENHANCE_YOUR_CALM);
    else
        http_session_doom(connection, HTTP_ERROR_FRAME, NGHTTP2_INTERNAL_ERROR);
    return false;
}
