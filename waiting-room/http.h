// SPDX-License-Identifier: Apache-2.0
// The HTTP/2 server (RFC 9113) under the waiting room: loops, connections, requests in, responses out, streams that
// wait for news. It knows nothing of lines and places. Every function that takes an exchange is called on the loop
// thread that owns it.
#ifndef WAITING_ROOM_HTTP_H
#define WAITING_ROOM_HTTP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/buffer.h"
#include "common/error.h"

#define HTTP_HEADER_LIST_BYTES_MAX 32768 // more is answered 431 (RFC 6585); a single value we keep is bounded by it too
#define HTTP_BODY_BYTES_MAX 16384 // more is answered 413; see body_bytes_max
#define HTTP_PATH_BYTES_MAX 1024 // of the path; more is answered 414
#define HTTP_QUERY_BYTES_MAX 8192 // more is answered 414
#define HTTP_ADDRESS_BYTES INET6_ADDRSTRLEN

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_OTHER };

// Header fields that the handlers look at; everything else is counted and dropped.
struct http_request {
    enum http_method method;
    const char *method_name; // as sent
    const char *path; // without the query, percent-decoding not applied (slugs need none)
    const char *query; // after "?", or ""
    const char *authority; // ":authority" or "host"
    // NULL when absent. Several `cookie` fields are joined with "; " (RFC 9113, 8.2.3), several of `forwarded_for`
    // ("x-forwarded-for") with ", "; of the others the first one counts.
    const char *authorization, *cookie, *accept, *content_type, *origin, *sec_fetch_site, *accept_language,
        *forwarded_for, *if_none_match, *stripe_signature;
    const char *body; // NUL-terminated beyond body_bytes
    size_t body_bytes;
    char address[HTTP_ADDRESS_BYTES]; // of the peer, or from X-Forwarded-For when the peer is a trusted proxy
};

struct http_loop; // one thread's event loop and its connections
struct http_exchange; // one request and its response

struct http_handler {
    // A whole request has come. Answer now or later with http_respond() or http_stream(). The request's strings live
    // until the answer is given (or this function returns, if that is later) or `closed` is called.
    void (*request)(struct http_exchange *exchange, const struct http_request *request);
    // The client is gone (or the response was sent completely) and the exchange with it: last call for this exchange,
    // exactly once for each that `request` was called for, and never from within http_respond(), http_stream(),
    // http_wake().
    void (*closed)(struct http_exchange *exchange);
    // How long the body may be of a request to this path (with the query). NULL: HTTP_BODY_BYTES_MAX, whatever the path.
    size_t (*body_bytes_max)(const char *path);
};

// What a handler hangs on an exchange, and on the connection it came by (freed with `free_data`, after the last
// `closed`, when the connection ends).
void http_set_data(struct http_exchange *exchange, void *data);
void *http_data(const struct http_exchange *exchange);
void http_set_connection_data(struct http_exchange *exchange, void *data, void (*free_data)(void *data));
void *http_connection_data(const struct http_exchange *exchange);
struct http_loop *http_exchange_loop(const struct http_exchange *exchange);

struct http_header {
    const char *name; // lower case
    const char *value;
};
#define HTTP_HEADERS_MAX 24

// Answers with a whole body (copied; may be empty). Adds content-length, date and, over TLS, strict-transport-security.
// To HEAD the body is left out. One answer per exchange.
void http_respond(struct http_exchange *exchange, int status, const struct http_header *headers, size_t header_count,
                  const void *body, size_t body_bytes);

// The same with a body that is not copied, because it is long and many get it: it must stay until `release(owner)` is called, exactly
// once and maybe at once, on this loop's thread.
void http_respond_shared(struct http_exchange *exchange, int status, const struct http_header *headers,
                         size_t header_count, const void *body, size_t body_bytes, void (*release)(void *owner),
                         void *owner);

// Answers with a body that comes bit by bit. `read` fills at most `size` bytes and returns how many; 0 means nothing
// now: the stream sleeps until http_wake(); HTTP_STREAM_END ends it. It is asked only when the client has room for
// more, so it should give the newest there is; it may wake others, but waking its own exchange from within does
// nothing. `size` is sometimes small (the client's window, down to 1): what does not fit is given piece by piece.
#define HTTP_STREAM_END (-1)
typedef ptrdiff_t http_read_fn(struct http_exchange *exchange, char *data, size_t size);
void http_stream(struct http_exchange *exchange, int status, const struct http_header *headers, size_t header_count,
                 http_read_fn *read);
void http_wake(struct http_exchange *exchange); // cheap when it is awake already
// After a burst of http_wake() the loop sends by itself at the end of its turn; nothing to flush.

struct http_server_options {
    const char *listen; // TLS; "" for none
    const char *listen_cleartext; // HTTP/2 with prior knowledge; "" for none
    const char *certificate, *private_key; // PEM
    const char *trusted_proxies; // addresses and networks (CIDR), separated by commas or blanks
    int64_t threads;
    int64_t connections_max; // per process
    int64_t connections_per_address_max; // 0: off
    int64_t idle_seconds; // a connection without a stream is closed after this long
    int64_t handshake_seconds; // TLS, and then the connection preface; 0: 10
    int64_t request_seconds; // a request's headers and body; 0: 15
    int64_t stall_seconds; // a peer that takes nothing of what waits for it; 0: 30
    int64_t drain_notice_ms; // how long requests are still taken after a drain has begun; 0: 250
    struct http_handler handler;
    void *context; // http_loop_context()
};

struct http_server;
// Binds and starts the loop threads. `loop_start` runs on each loop's thread before its first connection, `loop_stop`
// after the last; what loop_start returns is http_loop_data(). `loop_stop` closes the handles that were opened on the
// loop. *ret is set before the first loop runs, and NULL on failure.
// ERROR_INVALID: options, certificate; ERROR_PERMANENT: cannot bind. `problem` says why.
int http_server_open(const struct http_server_options *options, void *(*loop_start)(struct http_loop *loop),
                     void (*loop_stop)(struct http_loop *loop, void *data), struct http_server **ret, char *problem,
                     size_t problem_bytes) MUST_USE;
// The port that is listened on (TLS or cleartext), for port 0 in the options. 0: not listening there.
uint16_t http_server_port(const struct http_server *server, bool tls);
// Reads certificate and key again; connections that stand keep theirs. On a problem the old ones stay.
int http_server_reload(struct http_server *server, char *problem, size_t problem_bytes) MUST_USE;
// Stops accepting, says GOAWAY to all, wakes the sleeping streams (http_loop_draining() is true then: their read
// functions return HTTP_STREAM_END), waits for what is being answered and closes what is left after deadline_ms. The
// loops go on, so that other threads may http_loop_post() until they have been stopped. To be followed by
// http_server_close().
void http_server_drain(struct http_server *server, int64_t deadline_ms);
// Drains, unless that was done already, then ends the threads and frees. No other thread may call http_loop_post() any
// more: a program in which others post drains first, stops those, and then closes.
void http_server_close(struct http_server *server, int64_t deadline_ms);
bool http_loop_draining(const struct http_loop *loop);

uv_loop_t *http_loop_uv(struct http_loop *loop);
void *http_loop_data(const struct http_loop *loop);
void *http_loop_context(const struct http_loop *loop);
size_t http_loop_index(const struct http_loop *loop);
// Runs fn(loop, argument) on the loop's thread soon. Any thread. The argument must be released by fn. Calls are kept in
// order and are bounded only by what the callers bound.
void http_loop_post(struct http_loop *loop, void (*fn)(struct http_loop *loop, void *argument), void *argument);
size_t http_server_loop_count(const struct http_server *server);
struct http_loop *http_server_loop(struct http_server *server, size_t index);

#endif
