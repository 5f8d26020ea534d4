// SPDX-License-Identifier: Apache-2.0
// One thread's event loop: what other threads post to it, connections that have something to send, the tick that judges
// deadlines, and the drain. Sending happens once at the end of a turn, so that waking ten thousand streams costs one
// pass.
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "waiting-room/http_internal.h"

#define FLUSH_PASSES_MAX 4

static void run_posts(struct http_loop *loop)
{
    pthread_mutex_lock(&loop->posts_mutex);
    struct http_post *post = loop->posts_first;
    loop->posts_first = loop->posts_last = NULL;
    pthread_mutex_unlock(&loop->posts_mutex);
    while (post != NULL) {
        struct http_post *next = post->next;
        post->fn(loop, post->argument);
        free(post);
        post = next;
    }
}

static void on_async(uv_async_t *async)
{
    run_posts(async->data);
}

void http_loop_post(struct http_loop *loop, void (*fn)(struct http_loop *loop, void *argument), void *argument)
{
    struct http_post *post = malloc(sizeof *post);
    // An answer that is dropped would leave its visitor waiting and its argument unreleased; there is nothing to go on
    // with.
    if (post == NULL)
        abort();
    *post = (struct http_post){.fn = fn, .argument = argument};
    pthread_mutex_lock(&loop->posts_mutex);
    bool first = loop->posts_first == NULL;
    if (first)
        loop->posts_first = post;
    else
        loop->posts_last->next = post;
    loop->posts_last = post;
    // Inside the mutex, so that the loop cannot have taken the post and ended before it is rung.
    if (first)
        uv_async_send(&loop->async);
    pthread_mutex_unlock(&loop->posts_mutex);
}

void http_loop_dirty(struct http_connection *connection)
{
    if (connection->dirty)
        return;
    struct http_loop *loop = connection->loop;
    connection->dirty = true;
    connection->next_dirty = NULL;
    if (loop->dirty_first == NULL)
        loop->dirty_first = connection;
    else
        loop->dirty_last->next_dirty = connection;
    loop->dirty_last = connection;
}

// A connection that was closed meanwhile is still here: its memory is given back only in libuv's closing phase, and
// that takes one out that this list still has.
static void flush_dirty(struct http_loop *loop)
{
    for (int pass = 0; pass < FLUSH_PASSES_MAX && loop->dirty_first != NULL; pass++) {
        struct http_connection *connection = loop->dirty_first;
        loop->dirty_first = loop->dirty_last = NULL;
        while (connection != NULL) {
            struct http_connection *next = connection->next_dirty;
            connection->dirty = false;
            if (connection->state != HTTP_CLOSED_STATE)
                http_connection_flush(connection);
            connection = next;
        }
    }
    // Streams that keep waking each other while they are read must not keep the loop from its sockets.
    if (loop->dirty_first != NULL)
        uv_async_send(&loop->async);
}

void http_loop_clean(struct http_connection *connection)
{
    if (!connection->dirty)
        return;
    struct http_loop *loop = connection->loop;
    struct http_connection *previous = NULL;
    for (struct http_connection *at = loop->dirty_first; at != connection; at = at->next_dirty)
        previous = at;
    if (previous == NULL)
        loop->dirty_first = connection->next_dirty;
    else
        previous->next_dirty = connection->next_dirty;
    if (loop->dirty_last == connection)
        loop->dirty_last = previous;
    connection->dirty = false;
}

static void on_prepare(uv_prepare_t *prepare)
{
    flush_dirty(prepare->data);
}

static void on_check(uv_check_t *check)
{
    flush_dirty(check->data);
}

static void tell_drained(struct http_loop *loop)
{
    if (loop->drained || loop->connections != NULL)
        return;
    loop->drained = true;
    pthread_mutex_lock(&loop->server->drain_mutex);
    loop->server->loops_to_drain--;
    pthread_cond_signal(&loop->server->drain_done);
    pthread_mutex_unlock(&loop->server->drain_mutex);
}

static void tick_drain(struct http_loop *loop, int64_t now_ms)
{
    bool last = loop->drain_goaway_ms != 0 && now_ms >= loop->drain_goaway_ms;
    bool over = now_ms >= loop->drain_deadline_ms;
    if (last)
        loop->drain_goaway_ms = 0;
    for (struct http_connection *connection = loop->connections, *next; connection != NULL; connection = next) {
        next = connection->next;
        if (over)
            http_connection_close(connection);
        else if (last)
            http_connection_last(connection);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct http_loop *loop = timer->data;
    int64_t now_ms = http_now(loop);
    for (size_t i = 0; i < HTTP_LISTENERS; i++)
        http_listen_resume(&loop->listeners[i]);
    for (struct http_connection *connection = loop->connections, *next; connection != NULL; connection = next) {
        next = connection->next;
        http_connection_tick(connection, now_ms);
    }
    if (loop->draining) {
        tick_drain(loop, now_ms);
        tell_drained(loop);
    }
}

static void drain(struct http_loop *loop, void *argument)
{
    int64_t *deadline_ms = argument;
    int64_t now_ms = http_now(loop);
    for (size_t i = 0; i < HTTP_LISTENERS; i++)
        http_listen_close(&loop->listeners[i]);
    loop->draining = true;
    int64_t notice_ms = loop->server->drain_notice_ms;
    loop->drain_goaway_ms = now_ms + (*deadline_ms / 2 < notice_ms ? *deadline_ms / 2 : notice_ms);
    loop->drain_deadline_ms = now_ms + *deadline_ms;
    free(deadline_ms);
    for (struct http_connection *connection = loop->connections, *next; connection != NULL; connection = next) {
        next = connection->next;
        http_connection_drain(connection);
    }
    // A shorter tick: whoever waits for the drain waits for the last connection, not for a quarter of a second.
    uv_timer_start(&loop->tick, on_tick, 10, 25);
}

void http_loop_drain(struct http_loop *loop, int64_t deadline_ms)
{
    int64_t *argument = malloc(sizeof *argument);
    if (argument == NULL)
        abort();
    *argument = deadline_ms < 0 ? 0 : deadline_ms;
    http_loop_post(loop, drain, argument);
}

static void end(struct http_loop *loop, void *argument)
{
    (void)argument;
    loop->stopping = true;
    uv_stop(&loop->uv);
}

void http_loop_end(struct http_loop *loop)
{
    http_loop_post(loop, end, NULL);
}

void *http_loop_run(void *argument)
{
    struct http_loop *loop = argument;
    loop->thread = pthread_self();
    if (loop->start != NULL)
        loop->data = loop->start(loop);
    for (size_t i = 0; i < HTTP_LISTENERS; i++)
        if (loop->listeners[i].fd >= 0 && http_listen_start(loop, &loop->listeners[i]) != 0)
            log_error("http_listen_failed", LOG_U("loop", loop->index));
    while (!loop->stopping)
        uv_run(&loop->uv, UV_RUN_DEFAULT);
    run_posts(loop);
    for (size_t i = 0; i < HTTP_LISTENERS; i++)
        http_listen_close(&loop->listeners[i]);
    while (loop->connections != NULL)
        http_connection_close(loop->connections);

    if (loop->stop != NULL)
        loop->stop(loop, loop->data);
    uv_close((uv_handle_t *)&loop->async, NULL);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->tick, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    return NULL;
}

int http_loop_new(struct http_server *server, size_t index, struct http_loop **ret)
{
    struct http_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return ERROR_MEMORY;
    loop->server = server;
    loop->index = index;
    for (size_t i = 0; i < HTTP_LISTENERS; i++)
        loop->listeners[i] = (struct http_listener){.loop = loop, .fd = -1, .tls = i == HTTP_TLS};
    if (uv_loop_init(&loop->uv) != 0) {
        free(loop);
        return ERROR_TRANSIENT;
    }
    pthread_mutex_init(&loop->posts_mutex, NULL);
    uv_async_init(&loop->uv, &loop->async, on_async);
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_check_init(&loop->uv, &loop->check);
    uv_timer_init(&loop->uv, &loop->tick);
    loop->async.data = loop->prepare.data = loop->check.data = loop->tick.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_check_start(&loop->check, on_check);
    uv_timer_start(&loop->tick, on_tick, HTTP_TICK_MS, HTTP_TICK_MS);
    *ret = loop;
    return http_session_setup(loop);
}

void http_loop_free(struct http_loop *loop)
{
    if (loop == NULL)
        return;
    // Zero unless the thread was never started.
    if (uv_loop_close(&loop->uv) != 0) {
        for (size_t i = 0; i < HTTP_LISTENERS; i++)
            http_listen_close(&loop->listeners[i]);
        uv_close((uv_handle_t *)&loop->async, NULL);
        uv_close((uv_handle_t *)&loop->prepare, NULL);
        uv_close((uv_handle_t *)&loop->check, NULL);
        uv_close((uv_handle_t *)&loop->tick, NULL);
        uv_run(&loop->uv, UV_RUN_DEFAULT);
        int left = uv_loop_close(&loop->uv);
        assert(left == 0);
        (void)left;
    }
    nghttp2_session_callbacks_del(loop->callbacks);
    nghttp2_option_del(loop->options);
    pthread_mutex_destroy(&loop->posts_mutex);
    free(loop);
}

const char *http_loop_date(struct http_loop *loop)
{
    time_t now = time(NULL);
    if (now != loop->date_time) {
        struct tm parts;
        gmtime_r(&now, &parts);
        strftime(loop->date, sizeof loop->date, "%a, %d %b %Y %H:%M:%S GMT", &parts); // IMF-fixdate (RFC 9110, 5.6.7)
        loop->date_time = now;
    }
    return loop->date;
}

void http_loop_cut(struct http_connection *connection, enum http_error_kind kind)
{
    struct http_loop *loop = connection->loop;
    metric_add(&http_metric_errors[kind], 1);
    int64_t now_ms = http_now(loop);
    if (loop->warned_ms != 0 && now_ms - loop->warned_ms < 1000) {
        loop->warnings_held++;
        return;
    }
    char address[PEER_TEXT_BYTES];
    log_warn("http_connection_cut", LOG_S("reason", http_error_kind_str(kind)),
             LOG_S("address", peer_format(&connection->peer, address)), LOG_U("others", loop->warnings_held));
    loop->warned_ms = now_ms;
    loop->warnings_held = 0;
}

bool http_loop_draining(const struct http_loop *loop)
{
    return loop->draining;
}

uv_loop_t *http_loop_uv(struct http_loop *loop)
{
    return &loop->uv;
}

void *http_loop_data(const struct http_loop *loop)
{
    return loop->data;
}

void *http_loop_context(const struct http_loop *loop)
{
    return loop->server->context;
}

size_t http_loop_index(const struct http_loop *loop)
{
    return loop->index;
}
