// SPDX-License-Identifier: Apache-2.0
// Sockets, TLS and nghttp2's session. nghttp2's callbacks only record, call on, and submit; what they leave to be sent goes
// out before the loop sleeps again.
#include "bench/crowd/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 10000
#define SIP_MS 1000
#define SIP_WINDOW_BYTES 512
#define READ_BYTES 16384
#define READS_PER_TURN 8
#define AUTHORITY_BYTES 300

enum link_state { LINK_IDLE, LINK_CONNECTING, LINK_SHAKING_HANDS, LINK_READY };

struct link {
    struct links *links;
    struct link *next; // of all
    struct link *next_dirty; // of those that have something to send
    bool dirty, slow;
    const struct options_room *room;
    char authority[AUTHORITY_BYTES];
    enum link_state state;
    int fd;
    SSL *ssl;
    nghttp2_session *session;
    uv_poll_t *poll;
    uv_timer_t *timer; // while connecting: its end; on a slow link: the next sip
    bool wants_write;
    const uint8_t *out; // what nghttp2 gave and TLS did not take yet
    size_t out_bytes;
    struct exchange *exchanges;
};

struct links {
    uv_loop_t *loop;
    SSL_CTX *tls;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    uv_prepare_t *prepare;
    struct link *all, *dirty;
    uint64_t opened;
    char problem[400];
};

static void close_link(struct link *link, const char *why);

static void mark_dirty(struct link *link)
{
    if (link->dirty)
        return;
    link->dirty = true;
    link->next_dirty = link->links->dirty;
    link->links->dirty = link;
}

// Exchanges

static void take_off(struct exchange *exchange)
{
    struct link *link = exchange->link;
    if (exchange->open) {
        *(exchange->previous ? &exchange->previous->next : &link->exchanges) = exchange->next;
        if (exchange->next)
            exchange->next->previous = exchange->previous;
    }
    exchange->open = false;
    exchange->link = NULL;
    exchange->previous = exchange->next = NULL;
}

static void put_on(struct exchange *exchange, struct link *link)
{
    exchange->link = link;
    exchange->open = true;
    exchange->previous = NULL;
    exchange->next = link->exchanges;
    if (exchange->next)
        exchange->next->previous = exchange;
    link->exchanges = exchange;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_bytes,
                     const uint8_t *value, size_t value_bytes, uint8_t flags, void *data)
{
    (void)flags;
    (void)data;
    struct exchange *exchange = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    char text[16];
    if (!exchange || value_bytes == 0 || value_bytes >= sizeof text)
        return 0;
    memcpy(text, value, value_bytes);
    text[value_bytes] = '\0';
    if (strspn(text, "0123456789") != value_bytes)
        return 0;
    if (name_bytes == 7 && memcmp(name, ":status", 7) == 0)
        exchange->status = (int)strtol(text, NULL, 10);
    else if (name_bytes == 11 && memcmp(name, "retry-after", 11) == 0)
        exchange->retry_after = strtoll(text, NULL, 10);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
    (void)data;
    struct exchange *exchange = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_HEADERS && exchange && exchange->on_head && exchange->status >= 200)
        exchange->on_head(exchange);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes, size_t count,
                   void *data)
{
    (void)flags;
    struct link *link = data;
    struct exchange *exchange = nghttp2_session_get_stream_user_data(session, stream);
    (void)nghttp2_session_consume_connection(session, count);
    if (!link->slow || !exchange)
        (void)nghttp2_session_consume_stream(session, stream, count);
    else
        exchange->unread += count;
    if (exchange && exchange->on_data)
        exchange->on_data(exchange, (const char *)bytes, count);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t code, void *data)
{
    (void)data;
    struct exchange *exchange = nghttp2_session_get_stream_user_data(session, stream);
    if (!exchange)
        return 0;
    take_off(exchange);
    if (code == NGHTTP2_REFUSED_STREAM)
        exchange->on_end(exchange, EXCHANGE_REFUSED);
    else
        exchange->on_end(exchange, code == NGHTTP2_NO_ERROR && exchange->status ? EXCHANGE_COMPLETE : EXCHANGE_LOST);
    return 0;
}

// Sockets and TLS

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

// Takes the connection down and leaves the link as if it had never been used.
static void reset(struct link *link)
{
    if (link->poll)
        uv_close((uv_handle_t *)link->poll, free_handle);
    if (link->timer)
        uv_close((uv_handle_t *)link->timer, free_handle);
    SSL_free(link->ssl);
    nghttp2_session_del(link->session);
    if (link->fd >= 0)
        (void)close(link->fd);
    link->poll = NULL;
    link->timer = NULL;
    link->ssl = NULL;
    link->session = NULL;
    link->fd = -1;
    link->out = NULL;
    link->out_bytes = 0;
    link->wants_write = false;
    link->state = LINK_IDLE;
}

static void close_link(struct link *link, const char *why)
{
    struct exchange *orphans = link->exchanges;
    link->exchanges = NULL;
    for (struct exchange *each = orphans; each; each = each->next) {
        each->open = false;
        // nghttp2 calls no on_stream_close for streams that die with their session.
        (void)nghttp2_session_set_stream_user_data(link->session, each->stream, NULL);
    }
    if (orphans)
        (void)snprintf(link->links->problem, sizeof link->links->problem, "%s: %s", link->authority, why);
    reset(link);
    // Each may ask again at once, here too.
    while (orphans) {
        struct exchange *exchange = orphans;
        orphans = exchange->next;
        if (orphans)
            orphans->previous = NULL;
        exchange->next = exchange->previous = NULL;
        exchange->link = NULL;
        exchange->on_end(exchange, EXCHANGE_LOST);
    }
}

static void close_for_tls(struct link *link, const char *what)
{
    char text[160];
    long verified = link->ssl ? SSL_get_verify_result(link->ssl) : X509_V_OK;
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    if (verified != X509_V_OK && link->state == LINK_SHAKING_HANDS)
        reason = X509_verify_cert_error_string(verified);
    (void)snprintf(text, sizeof text, "%s: %s", what, reason ? reason : "the connection was closed");
    ERR_clear_error();
    close_link(link, text);
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void watch(struct link *link, bool write)
{
    if (link->wants_write == write && uv_is_active((uv_handle_t *)link->poll))
        return;
    link->wants_write = write;
    (void)uv_poll_start(link->poll, UV_READABLE | (write ? UV_WRITABLE : 0), on_ready);
}

// Sends what there is. False: the link is closed.
static bool flush(struct link *link)
{
    for (;;) {
        if (link->out_bytes == 0) {
            ssize_t bytes = nghttp2_session_mem_send(link->session, &link->out);
            if (bytes < 0) {
                close_link(link, nghttp2_strerror((int)bytes));
                return false;
            }
            if (bytes == 0)
                break;
            link->out_bytes = (size_t)bytes;
        }
        size_t written = 0;
        ERR_clear_error();
        if (SSL_write_ex(link->ssl, link->out, link->out_bytes, &written) != 1) {
            if (SSL_get_error(link->ssl, 0) == SSL_ERROR_WANT_WRITE) {
                watch(link, true);
                return true;
            }
            close_for_tls(link, "writing");
            return false;
        }
        link->out += written;
        link->out_bytes -= written;
    }
    watch(link, false);
    if (!nghttp2_session_want_read(link->session) && !nghttp2_session_want_write(link->session)) {
        close_link(link, "the other side said goodbye");
        return false;
    }
    return true;
}

static void receive(struct link *link)
{
    uint8_t bytes[READ_BYTES];
    for (int i = 0; i < READS_PER_TURN; i++) {
        size_t count = 0;
        ERR_clear_error();
        if (SSL_read_ex(link->ssl, bytes, sizeof bytes, &count) != 1) {
            if (SSL_get_error(link->ssl, 0) != SSL_ERROR_WANT_READ) {
                close_for_tls(link, "reading");
                return;
            }
            break;
        }
        ssize_t taken = nghttp2_session_mem_recv(link->session, bytes, count);
        if (taken < 0) {
            close_link(link, nghttp2_strerror((int)taken));
            return;
        }
    }
    (void)flush(link);
}

static void on_sip(uv_timer_t *timer)
{
    struct link *link = timer->data;
    for (struct exchange *each = link->exchanges; each; each = each->next)
        if (each->unread > 0) {
            (void)nghttp2_session_consume_stream(link->session, each->stream, each->unread);
            each->unread = 0;
        }
    mark_dirty(link);
}

static void shake_hands(struct link *link)
{
    ERR_clear_error();
    int done = SSL_do_handshake(link->ssl);
    if (done != 1) {
        int error = SSL_get_error(link->ssl, done);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
            watch(link, error == SSL_ERROR_WANT_WRITE);
        else
            close_for_tls(link, "TLS");
        return;
    }
    const unsigned char *name = NULL;
    unsigned name_bytes = 0;
    SSL_get0_alpn_selected(link->ssl, &name, &name_bytes);
    if (name_bytes != 2 || memcmp(name, "h2", 2) != 0) {
        close_link(link, "it does not speak HTTP/2");
        return;
    }
    link->state = LINK_READY;
    link->links->opened++;
    (void)uv_timer_stop(link->timer);
    if (link->slow)
        (void)uv_timer_start(link->timer, on_sip, SIP_MS, SIP_MS);
    receive(link);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct link *link = poll->data;
    if (status < 0) {
        close_link(link, uv_strerror(status));
        return;
    }
    if (link->state == LINK_CONNECTING) {
        int error = 0;
        socklen_t bytes = sizeof error;
        if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0)
            error = errno;
        if (error != 0) {
            close_link(link, strerror(error));
            return;
        }
        link->state = LINK_SHAKING_HANDS;
    }
    if (link->state == LINK_SHAKING_HANDS)
        shake_hands(link);
    else if (!(events & UV_WRITABLE) || flush(link))
        receive(link);
}

static void on_connect_timeout(uv_timer_t *timer)
{
    close_link(timer->data, "connecting took too long");
}

static int open_session(struct link *link)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, link->slow ? SIP_WINDOW_BYTES : 65535},
    };
    if (nghttp2_session_client_new2(&link->session, link->links->callbacks, link, link->links->option) != 0 ||
        nghttp2_submit_settings(link->session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof *settings) != 0)
        return ERROR_MEMORY;
    return 0;
}

static int open_tls(struct link *link)
{
    const char *host = link->room->address.host;
    struct in6_addr address;
    bool is_number = inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
    link->ssl = SSL_new(link->links->tls);
    if (!link->ssl || SSL_set_fd(link->ssl, link->fd) != 1)
        return ERROR_MEMORY;
    SSL_set_connect_state(link->ssl);
    if (is_number)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(link->ssl), host) == 1 ? 0 : ERROR_MEMORY;
    char name[sizeof link->room->address.host]; // OpenSSL's macro takes no constant
    memcpy(name, host, sizeof name);
    if (SSL_ctrl(link->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) != 1 ||
        SSL_set1_host(link->ssl, host) != 1)
        return ERROR_MEMORY;
    return 0;
}

static int open_link(struct link *link)
{
    const int yes = 1;
    link->fd = socket(link->room->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd < 0)
        return ERROR_LIMIT;
    (void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    link->poll = calloc(1, sizeof *link->poll);
    link->timer = calloc(1, sizeof *link->timer);
    if (!link->poll || !link->timer) {
        free(link->poll);
        free(link->timer);
        link->poll = NULL;
        link->timer = NULL;
        return ERROR_MEMORY;
    }
    (void)uv_timer_init(link->links->loop, link->timer);
    link->timer->data = link;
    if (uv_poll_init(link->links->loop, link->poll, link->fd) != 0) {
        free(link->poll);
        link->poll = NULL;
        return ERROR_LIMIT;
    }
    link->poll->data = link;
    if (open_session(link) != 0 || open_tls(link) != 0)
        return ERROR_MEMORY;
    link->state = LINK_CONNECTING;
    // A failure that is known at once is met again, in the loop, where everybody can be told of it.
    (void)connect(link->fd, (const struct sockaddr *)&link->room->socket, link->room->socket_bytes);
    (void)uv_timer_start(link->timer, on_connect_timeout, CONNECT_TIMEOUT_MS, 0);
    watch(link, true);
    return 0;
}

// Asking

static nghttp2_nv header(const char *name, const char *value)
{
    // nghttp2 copies both, and its members are not const only because they are also used for reading.
    union {
        const char *read;
        uint8_t *write;
    } n = {.read = name}, v = {.read = value};
    return (nghttp2_nv){.name = n.write, .value = v.write, .namelen = strlen(name), .valuelen = strlen(value)};
}

// Whoever cancelled is not looked at again: the exchange may long have another request.
static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *bytes, size_t bytes_max, uint32_t *flags,
                         nghttp2_data_source *source, void *data)
{
    (void)source;
    (void)data;
    struct exchange *exchange = nghttp2_session_get_stream_user_data(session, stream);
    if (!exchange)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t part = exchange->body_bytes < bytes_max ? exchange->body_bytes : bytes_max;
    memcpy(bytes, exchange->body, part);
    exchange->body += part;
    exchange->body_bytes -= part;
    if (exchange->body_bytes == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)part;
}

int link_ask(struct link *link, const struct request *request, struct exchange *exchange)
{
    if (link->state == LINK_IDLE) {
        int error = open_link(link);
        if (error != 0) {
            (void)snprintf(link->links->problem, sizeof link->links->problem, "%s: %s", link->authority,
                           error == ERROR_LIMIT ? strerror(errno) : "out of memory");
            reset(link);
            return ERROR_MEMORY;
        }
    }
    char bearer[2048];
    nghttp2_nv headers[8] = {
        header(":method", request->method), header(":scheme", "https"),        header(":authority", link->authority),
        header(":path", request->path),     header("accept", request->accept), header("user-agent", "onsale-crowd"),
    };
    size_t count = 6;
    if (request->token) {
        (void)snprintf(bearer, sizeof bearer, "Bearer %s", request->token);
        headers[count] = header("authorization", bearer);
        headers[count++].flags = NGHTTP2_NV_FLAG_NO_INDEX;
    }
    const nghttp2_data_provider provider = {.read_callback = read_body};
    if (request->body)
        headers[count++] = header("content-type", "application/json");
    int32_t stream =
        nghttp2_submit_request(link->session, NULL, headers, count, request->body ? &provider : NULL, exchange);
    if (stream < 0)
        return ERROR_MEMORY;
    exchange->stream = stream;
    exchange->body = request->body;
    exchange->body_bytes = request->body ? strlen(request->body) : 0;
    exchange->status = 0;
    exchange->retry_after = -1;
    exchange->unread = 0;
    put_on(exchange, link);
    mark_dirty(link);
    return 0;
}

void exchange_cancel(struct exchange *exchange)
{
    struct link *link = exchange->link;
    if (!link)
        return;
    if (exchange->open) {
        (void)nghttp2_session_set_stream_user_data(link->session, exchange->stream, NULL);
        (void)nghttp2_submit_rst_stream(link->session, NGHTTP2_FLAG_NONE, exchange->stream, NGHTTP2_CANCEL);
        mark_dirty(link);
    }
    take_off(exchange);
}

// All of them

static void on_prepare(uv_prepare_t *prepare)
{
    struct links *links = prepare->data;
    while (links->dirty) {
        struct link *link = links->dirty;
        links->dirty = link->next_dirty;
        link->dirty = false;
        if (link->state == LINK_READY)
            (void)flush(link);
    }
}

struct links *links_new(uv_loop_t *loop, SSL_CTX *tls)
{
    struct links *links = calloc(1, sizeof *links);
    if (!links)
        return NULL;
    links->loop = loop;
    links->tls = tls;
    links->prepare = calloc(1, sizeof *links->prepare);
    if (!links->prepare || nghttp2_session_callbacks_new(&links->callbacks) != 0 ||
        nghttp2_option_new(&links->option) != 0) {
        free(links->prepare);
        nghttp2_session_callbacks_del(links->callbacks);
        free(links);
        return NULL;
    }
    nghttp2_session_callbacks_set_on_header_callback(links->callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(links->callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(links->callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(links->callbacks, on_stream_close);
    // A slow reader acknowledges late; nghttp2 would do it at once.
    nghttp2_option_set_no_auto_window_update(links->option, 1);
    (void)uv_prepare_init(loop, links->prepare);
    links->prepare->data = links;
    (void)uv_prepare_start(links->prepare, on_prepare);
    return links;
}

void links_done(struct links *links)
{
    if (!links)
        return;
    for (struct link *link = links->all; link; link = link->next) {
        while (link->exchanges)
            exchange_cancel(link->exchanges);
        if (link->state == LINK_READY) {
            (void)nghttp2_session_terminate_session(link->session, NGHTTP2_NO_ERROR);
            if (!flush(link))
                continue;
        }
        reset(link);
    }
    uv_close((uv_handle_t *)links->prepare, free_handle);
}

void links_free(struct links *links)
{
    if (!links)
        return;
    while (links->all) {
        struct link *link = links->all;
        links->all = link->next;
        free(link);
    }
    nghttp2_session_callbacks_del(links->callbacks);
    nghttp2_option_del(links->option);
    free(links);
}

uint64_t links_opened(const struct links *links)
{
    return links->opened;
}

const char *links_problem(const struct links *links)
{
    return links->problem;
}

struct link *link_new(struct links *links, const struct options_room *room, bool slow)
{
    struct link *link = calloc(1, sizeof *link);
    if (!link)
        return NULL;
    link->links = links;
    link->room = room;
    link->slow = slow;
    link->fd = -1;
    bool is_v6 = strchr(room->address.host, ':') != NULL;
    (void)snprintf(link->authority, sizeof link->authority, is_v6 ? "[%s]:%s" : "%s:%s", room->address.host,
                   room->address.port);
    link->next = links->all;
    links->all = link;
    return link;
}
