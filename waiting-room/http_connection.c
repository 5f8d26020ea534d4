// SPDX-License-Identifier: Apache-2.0
// One connection: its socket with or without TLS, what could not be written at once, its deadlines and its end. Reading
// stops while something is unsent, so that a peer that takes nothing cannot make us pile up answers for it.
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "waiting-room/http_internal.h"
#include "waiting-room/tls.h"

#define LINGER_MS 1000
#define MOVING_STALL_FACTOR 4
#define STOP_SENDING_MS 250 // from an early answer to the reset of its stream
#define LINGER_BYTES_MAX ((size_t)1024 * 1024)
// Rounds of a flush in one turn: more, and a fast reader of long answers would keep the loop for itself.
#define FLUSH_ROUNDS_MAX 8
#define FRAME_BYTES_MAX (16384 + 9 + 1) // the most that nghttp2 gives in one piece

// What read and write below return besides a number of bytes.
enum { IO_WAIT = -1, IO_END = -2 };

static const char preface[HTTP_PREFACE_BYTES + 1] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"; // RFC 9113, 3.4

static const char not_http2[] = "HTTP/1.1 505 HTTP Version Not Supported\r\n"
                                "content-type: text/plain; charset=utf-8\r\n"
                                "content-length: 32\r\n"
                                "connection: close\r\n\r\n"
                                "This server speaks HTTP/2 only.\n";
static const char not_tls[] = "HTTP/1.1 400 Bad Request\r\n"
                              "content-type: text/plain; charset=utf-8\r\n"
                              "content-length: 48\r\n"
                              "connection: close\r\n\r\n"
                              "This port speaks HTTP/2 over TLS: use https://.\n";

static void on_poll(uv_poll_t *poll, int status, int events);

static void update_poll(struct http_connection *connection)
{
    bool unsent = connection->unsent != NULL;
    int events = UV_DISCONNECT;
    if (!unsent || connection->write_wants_read)
        events |= UV_READABLE;
    if ((unsent && !connection->write_wants_read) || connection->read_wants_write)
        events |= UV_WRITABLE;
    if (events == connection->poll_events)
        return;
    connection->poll_events = events;
    uv_poll_start(&connection->poll, events, on_poll);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct http_connection *connection = handle->data;
    http_loop_clean(connection);
    connection->loop->connection_count--;
    free(connection);
}

// Everything that belongs to HTTP/2 goes; the handler hears of the end of its exchanges.
static void end_session(struct http_connection *connection)
{
    while (connection->oldest != NULL)
        http_exchange_free(connection->oldest);
    nghttp2_session_del(connection->session);
    connection->session = NULL;
    if (connection->free_data != NULL)
        connection->free_data(connection->data);
    connection->data = NULL;
    connection->free_data = NULL;
}

void http_connection_close(struct http_connection *connection)
{
    if (connection->state == HTTP_CLOSED_STATE)
        return;
    struct http_loop *loop = connection->loop;
    connection->state = HTTP_CLOSED_STATE;
    end_session(connection);
    free(connection->unsent);
    connection->unsent = NULL;

    uv_close((uv_handle_t *)&connection->poll, on_handle_closed);
    SSL_free(connection->ssl);
    connection->ssl = NULL;
    close(connection->fd);

    if (connection->previous == NULL)
        loop->connections = connection->next;
    else
        connection->previous->next = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    if (connection->counted) {
        struct peer_address household = peer_household(&connection->peer);
        http_limit_give(loop->server->per_address, &household);
    }
    atomic_fetch_sub_explicit(&loop->server->connections, 1, memory_order_relaxed);
    metric_add(&http_metric_connections, -1);
}

static ptrdiff_t tls_result(struct http_connection *connection, int result, bool writing)
{
    switch (SSL_get_error(connection->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        connection->write_wants_read = writing;
        return IO_WAIT;
    case SSL_ERROR_WANT_WRITE:
        connection->read_wants_write = !writing;
        return IO_WAIT;
    default:
        ERR_clear_error();
        return IO_END;
    }
}

static ptrdiff_t socket_read(struct http_connection *connection, char *data, size_t bytes)
{
    if (connection->ssl != NULL) {
        ERR_clear_error();
        connection->read_wants_write = false;
        int result = SSL_read(connection->ssl, data, (int)bytes);
        return result > 0 ? result : tls_result(connection, result, false);
    }
    for (;;) {
        ssize_t result = recv(connection->fd, data, bytes, 0);
        if (result > 0)
            return result;
        if (result < 0 && errno == EINTR)
            continue;
        return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? IO_WAIT : IO_END;
    }
}

// Writes as much as the socket takes. Returns how much that was, or IO_END.
static ptrdiff_t socket_write(struct http_connection *connection, const char *data, size_t bytes)
{
    size_t written = 0;
    while (written < bytes) {
        ptrdiff_t result;
        if (connection->ssl != NULL) {
            ERR_clear_error();
            connection->write_wants_read = false;
            result = SSL_write(connection->ssl, data + written, (int)(bytes - written));
            if (result <= 0)
                result = tls_result(connection, (int)result, true);
        } else {
            result = send(connection->fd, data + written, bytes - written, MSG_NOSIGNAL);
            if (result < 0 && errno == EINTR)
                continue;
            if (result < 0)
                result = errno == EAGAIN || errno == EWOULDBLOCK ? IO_WAIT : IO_END;
        }
        if (result == IO_END)
            return IO_END;
        if (result == IO_WAIT)
            break;
        written += (size_t)result;
    }
    return (ptrdiff_t)written;
}

// Writes, and keeps what the socket does not take. False: the connection is dead.
static bool send_or_keep(struct http_connection *connection, const char *data, size_t bytes)
{
    ptrdiff_t written = socket_write(connection, data, bytes);
    if (written < 0)
        return false;
    connection->write_progress_ms = http_now(connection->loop);
    size_t rest = bytes - (size_t)written;
    if (rest == 0)
        return true;
    connection->unsent = malloc(rest);
    if (connection->unsent == NULL)
        return false;
    memcpy(connection->unsent, data + written, rest);
    connection->unsent_bytes = rest;
    connection->unsent_offset = 0;
    return true;
}

// Tries again what was kept. False: the connection is dead.
static bool send_kept(struct http_connection *connection)
{
    if (connection->unsent == NULL)
        return true;
    ptrdiff_t written = socket_write(connection, connection->unsent + connection->unsent_offset,
                                     connection->unsent_bytes - connection->unsent_offset);
    if (written < 0)
        return false;
    if (written > 0)
        connection->write_progress_ms = http_now(connection->loop);
    connection->unsent_offset += (size_t)written;
    if (connection->unsent_offset == connection->unsent_bytes) {
        free(connection->unsent);
        connection->unsent = NULL;
    }
    return true;
}

// Closes our side, once everything is out, and waits for the peer to close its own: closing with something unread would
// make the kernel reset the connection, and the peer lose what we said last.
static void close_write_side(struct http_connection *connection)
{
    if (connection->unsent != NULL || connection->write_closed)
        return;
    connection->write_closed = true;
    if (connection->ssl != NULL && SSL_is_init_finished(connection->ssl)) {
        ERR_clear_error();
        SSL_shutdown(connection->ssl);
        ERR_clear_error();
    }
    shutdown(connection->fd, SHUT_WR);
}

static void linger(struct http_connection *connection)
{
    connection->state = HTTP_LINGER_STATE;
    end_session(connection);
    connection->deadline_ms = http_now(connection->loop) + LINGER_MS;
    close_write_side(connection);
    update_poll(connection);
}

// One line in the language of whoever is there, and the end.
static void say_goodbye(struct http_connection *connection, const char *text, bool plain)
{
    metric_add(&http_metric_errors[HTTP_ERROR_NOT_HTTP2], 1);
    if (plain) {
        SSL_free(connection->ssl);
        connection->ssl = NULL;
    }
    if (!send_or_keep(connection, text, strlen(text)))
        http_connection_close(connection);
    else
        linger(connection);
}

// Gathers what nghttp2 has to send, up to the buffer's size. Negative: nghttp2 failed.
static ptrdiff_t gather(struct http_connection *connection)
{
    struct http_loop *loop = connection->loop;
    size_t gathered = 0;
    while (sizeof loop->output - gathered >= FRAME_BYTES_MAX) {
        const uint8_t *piece;
        ssize_t bytes = nghttp2_session_mem_send(connection->session, &piece);
        if (bytes < 0)
            return bytes;
        if (bytes == 0)
            break;
        assert((size_t)bytes <= sizeof loop->output - gathered);
        memcpy(loop->output + gathered, piece, (size_t)bytes);
        gathered += (size_t)bytes;
    }
    return (ptrdiff_t)gathered;
}

// Sends until there is nothing more, or the socket takes no more. False: the connection is dead.
static bool send_session(struct http_connection *connection)
{
    for (int round = 0; connection->unsent == NULL; round++) {
        if (round == FLUSH_ROUNDS_MAX) {
            http_loop_dirty(connection);
            break;
        }
        ptrdiff_t bytes = gather(connection);
        if (bytes < 0)
            return false;
        if (bytes == 0)
            break;
        if (!send_or_keep(connection, connection->loop->output, (size_t)bytes))
            return false;
    }
    return true;
}

void http_connection_flush(struct http_connection *connection)
{
    if (!send_kept(connection)) {
        http_connection_close(connection);
        return;
    }
    if (connection->state == HTTP_LINGER_STATE)
        close_write_side(connection);
    if (connection->state == HTTP_OPEN_STATE && connection->unsent == NULL) {
        if (!send_session(connection)) {
            http_connection_close(connection);
            return;
        }
        if (connection->unsent == NULL && !nghttp2_session_want_read(connection->session) &&
            !nghttp2_session_want_write(connection->session)) {
            linger(connection);
            return;
        }
    }
    update_poll(connection);
}

static void handshake(struct http_connection *connection)
{
    ERR_clear_error();
    connection->read_wants_write = false;
    int result = SSL_accept(connection->ssl);
    if (result == 1) {
        metric_add(
            &http_metric_handshakes[SSL_session_reused(connection->ssl) ? HTTP_HANDSHAKE_RESUMED : HTTP_HANDSHAKE_FULL],
            1);
        connection->state = HTTP_PREFACE_STATE;
        connection->deadline_ms = http_now(connection->loop) + connection->loop->server->handshake_ms;
        return;
    }
    int reason = ERR_GET_REASON(ERR_peek_error());
    if (tls_result(connection, result, false) == IO_WAIT)
        return;
    if (reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST) {
        say_goodbye(connection, not_tls, true);
        return;
    }
    metric_add(&http_metric_handshakes[HTTP_HANDSHAKE_FAILED], 1);
    http_connection_close(connection);
}

// Looks at the first bytes: the connection preface, or somebody who speaks another protocol. The session, with its
// 27 KB, is made only for who has shown the whole preface.
static void receive_preface(struct http_connection *connection, const char *data, size_t bytes)
{
    size_t missing = HTTP_PREFACE_BYTES - connection->preface_bytes;
    size_t taken = bytes < missing ? bytes : missing;
    memcpy(connection->preface + connection->preface_bytes, data, taken);
    connection->preface_bytes += taken;
    bool http2 = connection->ssl == NULL || tls_speaks_http2(connection->ssl);
    if (!http2 || memcmp(connection->preface, preface, connection->preface_bytes) != 0) {
        say_goodbye(connection, not_http2, false);
        return;
    }
    if (connection->preface_bytes < HTTP_PREFACE_BYTES)
        return;
    connection->state = HTTP_OPEN_STATE;
    connection->idle_since_ms = http_now(connection->loop);
    if (http_session_open(connection) != 0 ||
        !http_session_receive(connection, connection->preface, HTTP_PREFACE_BYTES) ||
        (bytes > taken && !http_session_receive(connection, data + taken, bytes - taken)))
        http_connection_close(connection);
    else if (connection->loop->draining)
        http_connection_drain(connection);
}

// An error that nghttp2 cannot tell the peer itself.
static void close_with_last_words(struct http_connection *connection)
{
    if (send_session(connection) && connection->unsent == NULL)
        linger(connection);
    else
        http_connection_close(connection);
}

static void receive(struct http_connection *connection, const char *data, size_t bytes)
{
    switch (connection->state) {
    case HTTP_PREFACE_STATE:
        receive_preface(connection, data, bytes);
        break;
    case HTTP_OPEN_STATE:
        if (!http_session_receive(connection, data, bytes))
            close_with_last_words(connection);
        break;
    case HTTP_LINGER_STATE:
        connection->lingered_bytes += bytes;
        if (connection->lingered_bytes > LINGER_BYTES_MAX)
            http_connection_close(connection);
        break;
    case HTTP_HANDSHAKE_STATE:
    case HTTP_CLOSED_STATE:
        break;
    }
}

// Reads once, and on while TLS has something decrypted or half decrypted, for which no event will come. That ends:
// nothing is sent meanwhile, so the peer runs out of streams, window and patience.
static void read_input(struct http_connection *connection)
{
    struct http_loop *loop = connection->loop;
    for (;;) {
        ptrdiff_t bytes = socket_read(connection, loop->input, sizeof loop->input);
        if (bytes == IO_WAIT)
            return;
        if (bytes == IO_END) {
            http_connection_close(connection);
            return;
        }
        receive(connection, loop->input, (size_t)bytes);
        if (connection->state == HTTP_CLOSED_STATE || connection->ssl == NULL || !SSL_has_pending(connection->ssl))
            return;
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct http_connection *connection = poll->data;
    if (connection->state == HTTP_CLOSED_STATE)
        return;
    if (status < 0) {
        http_connection_close(connection);
        return;
    }
    if (connection->state == HTTP_HANDSHAKE_STATE) {
        handshake(connection);
        if (connection->state == HTTP_HANDSHAKE_STATE)
            update_poll(connection);
        if (connection->state != HTTP_PREFACE_STATE)
            return;
        read_input(connection);
    } else if (connection->unsent == NULL && (events & (UV_READABLE | UV_DISCONNECT) || connection->read_wants_write)) {
        read_input(connection);
    } else if ((events & UV_DISCONNECT) && !(events & UV_WRITABLE)) {
        http_connection_close(connection);
        return;
    }
    if (connection->state != HTTP_CLOSED_STATE)
        http_loop_dirty(connection);
}

void http_connection_accept(struct http_loop *loop, int fd, const struct peer_address *peer, bool tls, bool counted)
{
    struct http_connection *connection = calloc(1, sizeof *connection);
    SSL *ssl = NULL;
    if (connection != NULL && tls) {
        pthread_mutex_lock(&loop->server->tls_mutex);
        ssl = SSL_new(loop->server->tls);
        pthread_mutex_unlock(&loop->server->tls_mutex);
    }
    bool ready = connection != NULL && (!tls || (ssl != NULL && SSL_set_fd(ssl, fd) == 1)) &&
                 uv_poll_init_socket(&loop->uv, &connection->poll, fd) == 0;
    if (!ready) {
        ERR_clear_error();
        SSL_free(ssl);
        free(connection);
        close(fd);
        if (counted) {
            struct peer_address household = peer_household(peer);
            http_limit_give(loop->server->per_address, &household);
        }
        return;
    }
    int64_t now_ms = http_now(loop);
    connection->loop = loop;
    connection->fd = fd;
    connection->peer = *peer;
    connection->peer_trusted = peer_networks_contain(&loop->server->trusted, peer);
    connection->counted = counted;
    connection->ssl = ssl;
    connection->state = tls ? HTTP_HANDSHAKE_STATE : HTTP_PREFACE_STATE;
    connection->deadline_ms = now_ms + loop->server->handshake_ms;
    connection->patience = HTTP_PATIENCE;
    connection->patience_ms = now_ms;
    if (connection->peer_trusted)
        connection->patience *= HTTP_PATIENCE_PROXY_FACTOR;
    connection->poll.data = connection;
    connection->next = loop->connections;
    if (loop->connections != NULL)
        loop->connections->previous = connection;
    loop->connections = connection;
    loop->connection_count++;
    atomic_fetch_add_explicit(&loop->server->connections, 1, memory_order_relaxed);
    metric_add(&http_metric_connections, 1);
    update_poll(connection);
}

// How long an answer may wait for its peer to take more of it. Answers go out one after the other, so on a slow line that
// does take something the last one has to wait for those before it.
static int64_t stall_ms(const struct http_connection *connection, int64_t now_ms)
{
    int64_t limit_ms = connection->loop->server->stall_ms;
    bool moving = now_ms - connection->write_progress_ms < limit_ms;
    return moving ? limit_ms * MOVING_STALL_FACTOR : limit_ms;
}

// The rest of the request did not come in time.
static void time_out_request(struct http_exchange *exchange)
{
    if (!exchange->headers_complete) {
        http_session_doom(exchange->connection, HTTP_ERROR_REQUEST_TIME, NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    metric_add(&http_metric_errors[HTTP_ERROR_REQUEST_TIME], 1);
    exchange->refusal = 408;
    http_exchange_refuse(exchange);
}

// The peer leaves no window for the answer.
static void time_out_answer(struct http_exchange *exchange, int64_t now_ms)
{
    metric_add(&http_metric_errors[HTTP_ERROR_STALL_TIME], 1);
    exchange->since_ms = now_ms;
    nghttp2_submit_rst_stream(exchange->connection->session, NGHTTP2_FLAG_NONE, exchange->stream_id, NGHTTP2_CANCEL);
    http_loop_dirty(exchange->connection);
}

// Exchanges that wait for their peer. Streams wait for us, and may do so for ever; so may what the handler has not
// answered yet.
static void tick_exchanges(struct http_connection *connection, int64_t now_ms)
{
    for (struct http_exchange *exchange = connection->oldest; exchange != NULL; exchange = exchange->next) {
        int64_t waited_ms = now_ms - exchange->since_ms;
        if (exchange->sent_early) {
            if (waited_ms >= STOP_SENDING_MS)
                http_exchange_stop_sending(exchange);
        } else if (!exchange->answered) {
            if (!exchange->dispatched && waited_ms >= connection->loop->server->request_ms)
                time_out_request(exchange);
        } else if (exchange->read == NULL && waited_ms >= stall_ms(connection, now_ms)) {
            time_out_answer(exchange, now_ms);
        }
    }
}

static void tick_open(struct http_connection *connection, int64_t now_ms)
{
    const struct http_server *server = connection->loop->server;
    if (connection->unsent != NULL && now_ms - connection->write_progress_ms >= server->stall_ms) {
        http_loop_cut(connection, HTTP_ERROR_STALL_TIME);
        http_connection_close(connection);
        return;
    }
    if (connection->exchange_count > 0)
        tick_exchanges(connection, now_ms);
    else if (now_ms - connection->idle_since_ms >= server->idle_ms)
        http_connection_last(connection);
}

void http_connection_tick(struct http_connection *connection, int64_t now_ms)
{
    switch (connection->state) {
    case HTTP_HANDSHAKE_STATE:
    case HTTP_PREFACE_STATE:
        if (now_ms >= connection->deadline_ms) {
            metric_add(&http_metric_errors[HTTP_ERROR_HANDSHAKE_TIME], 1);
            http_connection_close(connection);
        }
        break;
    case HTTP_OPEN_STATE:
        tick_open(connection, now_ms);
        break;
    case HTTP_LINGER_STATE:
        if (now_ms >= connection->deadline_ms)
            http_connection_close(connection);
        break;
    case HTTP_CLOSED_STATE:
        break;
    }
}

void http_connection_drain(struct http_connection *connection)
{
    if (connection->state != HTTP_OPEN_STATE)
        return;
    nghttp2_submit_shutdown_notice(connection->session);
    for (struct http_exchange *exchange = connection->oldest; exchange != NULL; exchange = exchange->next)
        if (exchange->asleep)
            http_wake(exchange);
    http_loop_dirty(connection);
}

void http_connection_last(struct http_connection *connection)
{
    if (connection->state == HTTP_HANDSHAKE_STATE || connection->state == HTTP_PREFACE_STATE) {
        http_connection_close(connection);
        return;
    }
    if (connection->state != HTTP_OPEN_STATE || connection->closing_sent)
        return;
    connection->closing_sent = true;
    nghttp2_submit_goaway(connection->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(connection->session), NGHTTP2_NO_ERROR, NULL, 0);
    http_loop_dirty(connection);
}
