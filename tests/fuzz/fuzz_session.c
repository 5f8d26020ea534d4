// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// What a client sends once it speaks HTTP/2, without a socket: the connection's session takes the bytes piece by piece, and
// what it would send goes nowhere. First byte: the size of the pieces, and whether the peer is a trusted proxy. The
// preface is not part of the input. Requests are whole and bounded, and each is closed once.
#include "common/log.h"
#include "tests/fuzz/fuzz.h"
#include "waiting-room/http_internal.h"
#include "waiting-room/router.h"

#define OPEN_MAX (2 * HTTP_STREAMS_MAX)

// The exchanges that the handler has heard of and not seen closed; `streaming` ones sleep until the next piece.
static struct {
    struct http_exchange *exchange;
    bool streaming;
} open_exchanges[OPEN_MAX];
static size_t open_count;

static void check_text(const char *text)
{
    FUZZ_CHECK(!text || strlen(text) <= HTTP_COLLECTED_BYTES_MAX);
}

static void check_request(const struct http_request *request)
{
    FUZZ_CHECK(request->method_name && request->path && request->query && request->authority && request->body);
    FUZZ_CHECK(!strchr(request->path, '?') && strlen(request->path) <= HTTP_PATH_BYTES_MAX);
    FUZZ_CHECK(strlen(request->query) <= HTTP_QUERY_BYTES_MAX);
    FUZZ_CHECK(request->body_bytes <= router_body_bytes_max(request->path) &&
               request->body[request->body_bytes] == '\0');
    check_text(request->authorization);
    check_text(request->cookie);
    check_text(request->accept);
    check_text(request->content_type);
    check_text(request->origin);
    check_text(request->sec_fetch_site);
    check_text(request->accept_language);
    check_text(request->forwarded_for);
    struct peer_address address;
    FUZZ_CHECK(memchr(request->address, '\0', sizeof request->address));
    FUZZ_CHECK(peer_parse(request->address, strlen(request->address), &address) == 0);
}

static ptrdiff_t on_read(struct http_exchange *exchange, char *data, size_t size)
{
    (void)exchange;
    (void)data;
    (void)size;
    return 0; // sleeps; what wakes it is the next piece
}

static void on_request(struct http_exchange *exchange, const struct http_request *request)
{
    check_request(request);
    FUZZ_CHECK(open_count < OPEN_MAX);
    for (size_t i = 0; i < open_count; i++)
        FUZZ_CHECK(open_exchanges[i].exchange != exchange);
    open_exchanges[open_count].exchange = exchange;
    open_exchanges[open_count].streaming = false;
    struct route_match match;
    const struct http_header headers[] = {{"content-type", "text/plain"}};
    int found = route_find(request->method, request->path, &match);
    if (found == 0 && match.route == ROUTE_LINE && request->method == HTTP_GET) {
        open_exchanges[open_count].streaming = true;
        open_count++;
        http_stream(exchange, 200, headers, 1, on_read);
    } else if (request->method == HTTP_DELETE) {
        open_count++; // never answered
    } else {
        open_count++;
        http_respond(exchange, found ? 404 : 200, headers, 1, request->body, request->body_bytes);
    }
}

static void on_closed(struct http_exchange *exchange)
{
    size_t i = 0;
    while (i < open_count && open_exchanges[i].exchange != exchange)
        i++;
    FUZZ_CHECK(i < open_count);
    open_exchanges[i] = open_exchanges[--open_count];
}

static struct http_loop *make_loop(void)
{
    struct http_server *server = calloc(1, sizeof *server);
    struct http_loop *loop = calloc(1, sizeof *loop);
    FUZZ_CHECK(server && loop && uv_loop_init(&loop->uv) == 0);
    server->handler = (struct http_handler){on_request, on_closed, router_body_bytes_max};
    FUZZ_CHECK(peer_networks_parse("10.0.0.0/8", &server->trusted) == 0);
    loop->server = server;
    loop->thread = pthread_self();
    loop->warned_ms = INT64_MAX; // nothing is logged
    FUZZ_CHECK(http_session_setup(loop) == 0);
    log_init("fuzz", LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    return loop;
}

// Takes everything there is to send. False: the session is at its end.
static bool send_all(struct http_connection *connection)
{
    const uint8_t *piece;
    ssize_t bytes;
    while ((bytes = nghttp2_session_mem_send(connection->session, &piece)) > 0)
        ;
    http_loop_clean(connection);
    return bytes == 0;
}

static bool take_piece(struct http_connection *connection, const uint8_t *data, size_t bytes)
{
    if (!http_session_receive(connection, (const char *)data, bytes))
        return false;
    FUZZ_CHECK(connection->collected_bytes <= HTTP_COLLECTED_BYTES_MAX);
    FUZZ_CHECK(connection->exchange_count <= OPEN_MAX && open_count <= connection->exchange_count);
    for (size_t i = 0; i < open_count; i++)
        if (open_exchanges[i].streaming)
            http_wake(open_exchanges[i].exchange);
    return send_all(connection) && !connection->doomed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct http_loop *loop;
    if (!loop)
        loop = make_loop();
    if (bytes == 0)
        return 0;
    struct http_connection *connection = calloc(1, sizeof *connection);
    FUZZ_CHECK(connection != NULL);
    connection->loop = loop;
    connection->state = HTTP_OPEN_STATE;
    connection->patience = HTTP_PATIENCE;
    connection->peer = (struct peer_address){{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}};
    connection->peer_trusted = data[0] & 1;
    if (!connection->peer_trusted)
        connection->peer.bytes[12] = 127;
    FUZZ_CHECK(http_session_open(connection) == 0);
    FUZZ_CHECK(http_session_receive(connection, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN));
    size_t size = 1 + (size_t)(data[0] >> 1) * 16;
    bool goes_on = send_all(connection);
    for (size_t at = 1; goes_on && at < bytes; at += size)
        goes_on = take_piece(connection, data + at, bytes - at < size ? bytes - at : size);
    if (connection->doomed)
        (void)send_all(connection);
    while (connection->oldest)
        http_exchange_free(connection->oldest);
    FUZZ_CHECK(open_count == 0 && connection->collected_bytes == 0 && connection->exchange_count == 0);
    nghttp2_session_del(connection->session);
    http_loop_clean(connection);
    free(connection);
    return 0;
}
