// SPDX-License-Identifier: Apache-2.0
// What the files of the HTTP/2 server share among themselves; nobody else includes this. From the outside in:
// http_server.c has the threads, http_loop.c one thread's turn, http_listen.c what comes in, http_connection.c a socket
// and its deadlines, http_session.c what nghttp2 reports, http_exchange.c the answers.
#ifndef WAITING_ROOM_HTTP_INTERNAL_H
#define WAITING_ROOM_HTTP_INTERNAL_H

#include <assert.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "waiting-room/http.h"
#include "waiting-room/http_limit.h"
#include "waiting-room/http_metrics.h"
#include "waiting-room/peer.h"

// Streams a client may have open on one connection. A browser needs a handful; a proxy opens more connections when it
// runs out. RFC 9113 (6.5.2) recommends at least 100; a hostile client can keep this many unfinished requests.
#define HTTP_STREAMS_MAX 128
// A visitor's body fits into the window as a whole, so that no window update is needed for it.
#define HTTP_STREAM_WINDOW_BYTES 32768
// Of unfinished and unanswered requests together, per connection. An ordinary request has one or two kilobytes.
#define HTTP_COLLECTED_BYTES_MAX ((size_t)1024 * 1024)
// What is not sent at once is kept by the connection, so this is also the most that a connection keeps.
#define HTTP_OUTPUT_BYTES 65536
#define HTTP_INPUT_BYTES 32768
#define HTTP_PREFACE_BYTES 24
#define HTTP_FIELDS_MAX 16
#define HTTP_BACKLOG 4096 // of connections that the kernel has and we have not taken yet
#define HTTP_TICK_MS 250
// What a peer may do that costs us and is of no use to it: see http_session_charge().
#define HTTP_PATIENCE 400
#define HTTP_PATIENCE_PER_SECOND 40
#define HTTP_PATIENCE_PROXY_FACTOR 16 // a trusted proxy carries many visitors on a connection

enum http_state {
    HTTP_HANDSHAKE_STATE, // TLS
    HTTP_PREFACE_STATE, // until the client has said that it speaks HTTP/2
    HTTP_OPEN_STATE,
    HTTP_LINGER_STATE, // everything is said; what still comes is read and dropped until the peer closes too
    HTTP_CLOSED_STATE, // waits for libuv to give its handle back
};

// A request while it is being read. Freed as soon as the answer is given: an event stream that is open for an hour does
// not keep its headers.
struct http_collected {
    struct buffer text; // the fields kept, each NUL-terminated
    struct buffer cookie; // these two may come in several fields
    struct buffer forwarded;
    struct buffer body;
    size_t offsets[HTTP_FIELDS_MAX]; // of a field in `text`, plus one; 0: absent
    size_t bytes; // of all that is counted against HTTP_COLLECTED_BYTES_MAX
    struct http_request request;
};

struct http_exchange {
    struct http_connection *connection;
    struct http_exchange *next, *previous; // of the connection, oldest first
    int32_t stream_id;
    uint32_t header_list_bytes; // as RFC 9113 counts them (6.5.2)
    uint32_t dropped_bytes; // of a body that nobody reads any more
    int refusal; // a status to answer with instead of asking the handler; 0: none
    bool headers_complete;
    bool expects_continue;
    bool dispatched; // the handler knows of it, so it must hear `closed`
    bool dispatching; // the handler is reading the request just now
    bool answered;
    bool sent_early; // the answer is out as a whole, but the request is not here yet
    bool asleep; // nghttp2 was told that there is nothing to send
    bool head;
    int64_t since_ms; // of the last progress: begun, or DATA taken for the answer
    struct http_collected *collected;
    const char *body; // of an answer as a whole
    void (*release_body)(void *owner); // NULL: there is none
    void *body_owner;
    size_t body_bytes, body_offset;
    http_read_fn *read; // of an answer bit by bit
    void *data;
};

struct http_connection {
    struct http_loop *loop;
    struct http_connection *next, *previous; // of the loop
    struct http_connection *next_dirty;
    uv_poll_t poll;
    int fd;
    int poll_events;
    enum http_state state;
    bool dirty;
    bool counted; // against its address
    bool peer_trusted; // a proxy of ours
    bool doomed; // GOAWAY with an error was submitted; nothing more is read
    bool read_wants_write, write_wants_read; // of TLS
    bool closing_sent; // the last GOAWAY
    bool write_closed;
    struct peer_address peer;
    SSL *ssl; // NULL on the cleartext port
    nghttp2_session *session;
    struct http_exchange *oldest, *newest;
    size_t exchange_count;
    size_t unanswered_count;
    size_t collected_bytes;
    int64_t deadline_ms; // in all states but the open one
    int64_t idle_since_ms; // while there is no exchange
    int64_t write_progress_ms; // while there is something unsent
    int64_t patience, patience_ms;
    char *unsent;
    size_t unsent_bytes, unsent_offset;
    size_t lingered_bytes;
    char preface[HTTP_PREFACE_BYTES];
    size_t preface_bytes;
    void *data;
    void (*free_data)(void *data);
};

struct http_post {
    struct http_post *next;
    void (*fn)(struct http_loop *loop, void *argument);
    void *argument;
};

struct http_listener {
    uv_poll_t poll;
    struct http_loop *loop;
    int fd; // -1: none
    bool tls;
    bool paused; // out of descriptors
};

enum { HTTP_TLS, HTTP_CLEARTEXT, HTTP_LISTENERS };

struct http_loop {
    struct http_server *server;
    size_t index;
    uv_loop_t uv;
    pthread_t thread;
    void *data;
    void *(*start)(struct http_loop *loop);
    void (*stop)(struct http_loop *loop, void *data);
    uv_async_t async;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t tick;
    struct http_listener listeners[HTTP_LISTENERS];
    struct http_connection *connections;
    struct http_connection *dirty_first, *dirty_last;
    size_t connection_count; // with those whose handles libuv still has
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *options;
    bool draining, drained, stopping;
    int64_t drain_goaway_ms; // 0: sent
    int64_t drain_deadline_ms;
    int64_t warned_ms; // of the last warning about a connection that was cut
    uint64_t warnings_held;
    time_t date_time;
    char date[32];
    pthread_mutex_t posts_mutex;
    struct http_post *posts_first, *posts_last;
    char input[HTTP_INPUT_BYTES];
    char output[HTTP_OUTPUT_BYTES];
};

struct http_server {
    struct http_handler handler;
    void *context;
    struct peer_networks trusted;
    int64_t connections_max, idle_ms, handshake_ms, request_ms, stall_ms, drain_notice_ms;
    _Atomic int64_t connections;
    struct http_limit *per_address; // NULL: off
    pthread_mutex_t tls_mutex;
    SSL_CTX *tls; // under the mutex; each connection holds its own reference
    char *certificate, *private_key;
    uint16_t ports[HTTP_LISTENERS];
    pthread_mutex_t drain_mutex;
    pthread_cond_t drain_done;
    size_t loops_to_drain; // under the mutex
    bool drained;
    size_t loop_count;
    struct http_loop **loops;
};

static inline int64_t http_now(struct http_loop *loop)
{
    return (int64_t)uv_now(&loop->uv);
}

// http_loop.c
int http_loop_new(struct http_server *server, size_t index, struct http_loop **ret) MUST_USE;
void http_loop_free(struct http_loop *loop); // its thread has ended
void *http_loop_run(void *argument); // the thread
void http_loop_drain(struct http_loop *loop, int64_t deadline_ms); // any thread
void http_loop_end(struct http_loop *loop); // any thread; drained before
void http_loop_dirty(struct http_connection *connection); // to be flushed at the end of the loop's turn
void http_loop_clean(struct http_connection *connection); // takes it out of those
const char *http_loop_date(struct http_loop *loop);
// A connection was cut for what it did. The log gets one line a second at most, with how many were held back.
void http_loop_cut(struct http_connection *connection, enum http_error_kind kind);

// http_listen.c
// Binds a socket that others of this process may share; `port` 0 takes a free one. `first`: refuse a port that somebody
// else listens on.
int http_listen_bind(const char *address, bool first, uint16_t port, int *ret_fd, uint16_t *ret_port, char *problem,
                     size_t problem_bytes) MUST_USE;
int http_listen_start(struct http_loop *loop, struct http_listener *listener) MUST_USE;
void http_listen_resume(struct http_listener *listener); // after a pause for want of descriptors
void http_listen_close(struct http_listener *listener); // takes in first what the kernel has accepted already

// http_connection.c
void http_connection_accept(struct http_loop *loop, int fd, const struct peer_address *peer, bool tls, bool counted);
void http_connection_flush(struct http_connection *connection);
void http_connection_tick(struct http_connection *connection, int64_t now_ms); // deadlines
void http_connection_close(struct http_connection *connection); // at once
void http_connection_drain(struct http_connection *connection); // says that the end is near
void http_connection_last(struct http_connection *connection); // takes no more requests from now on

// http_session.c
int http_session_setup(struct http_loop *loop) MUST_USE; // callbacks and options, shared by the loop's sessions
int http_session_open(struct http_connection *connection) MUST_USE;
// Takes in what came. False: the connection has to be closed; what is still unsent may go out first.
bool http_session_receive(struct http_connection *connection, const char *data, size_t bytes);
// Ends the connection with an error and GOAWAY. May be called from within nghttp2's callbacks.
void http_session_doom(struct http_connection *connection, enum http_error_kind kind, uint32_t code);

// http_exchange.c
struct http_exchange *http_exchange_new(struct http_connection *connection, int32_t stream_id);
void http_exchange_free(struct http_exchange *exchange); // tells the handler
void http_exchange_refuse(struct http_exchange *exchange); // answers with `refusal`
// Tells the peer to stop sending a request that has been answered (RFC 9113, 8.1).
void http_exchange_stop_sending(struct http_exchange *exchange);
void http_exchange_release_request(struct http_exchange *exchange);

#endif
