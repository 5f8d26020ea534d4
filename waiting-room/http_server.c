// SPDX-License-Identifier: Apache-2.0
// The server as a whole: options, sockets, threads, the certificate, the end.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "waiting-room/http_internal.h"
#include "waiting-room/tls.h"

#define THREADS_MAX 256
// The hard end of a drain comes from the loops themselves; this is for a loop that hangs in a handler.
#define DRAIN_GRACE_MS 2000
// From the notice that no more requests are wanted to the last GOAWAY: longer than most round trips, so that requests
// already on their way are still served (RFC 9113, 6.8).
#define DRAIN_NOTICE_MS 250

static int64_t milliseconds(int64_t seconds, int64_t otherwise)
{
    return (seconds > 0 ? seconds : otherwise) * 1000;
}

static int set_options(struct http_server *server, const struct http_server_options *options, char *problem,
                       size_t problem_bytes)
{
    if (options->threads < 1 || options->threads > THREADS_MAX || options->connections_max < 1 ||
        options->handler.request == NULL || options->handler.closed == NULL) {
        snprintf(problem, problem_bytes, "threads (1 to %d), connections_max and a handler are needed", THREADS_MAX);
        return ERROR_INVALID;
    }
    server->handler = options->handler;
    server->context = options->context;
    server->connections_max = options->connections_max;
    server->idle_ms = milliseconds(options->idle_seconds, 60);
    server->handshake_ms = milliseconds(options->handshake_seconds, 10);
    server->request_ms = milliseconds(options->request_seconds, 15);
    server->stall_ms = milliseconds(options->stall_seconds, 30);
    server->drain_notice_ms = options->drain_notice_ms > 0 ? options->drain_notice_ms : DRAIN_NOTICE_MS;
    int error = peer_networks_parse(options->trusted_proxies, &server->trusted);
    if (error != 0) {
        snprintf(problem, problem_bytes, "trusted_proxies: %s",
                 error == ERROR_LIMIT ? "too many" : "not a list of addresses and networks (10.0.0.0/8, ::1)");
        return error;
    }
    if (options->connections_per_address_max > 0)
        return http_limit_new(options->connections_per_address_max, (size_t)options->connections_max,
                              &server->per_address);
    return 0;
}

static int set_tls(struct http_server *server, const struct http_server_options *options, char *problem,
                   size_t problem_bytes)
{
    if (options->listen == NULL || options->listen[0] == '\0')
        return 0;
    server->certificate = strdup(options->certificate == NULL ? "" : options->certificate);
    server->private_key = strdup(options->private_key == NULL ? "" : options->private_key);
    if (server->certificate == NULL || server->private_key == NULL)
        return ERROR_MEMORY;
    return tls_context_new(server->certificate, server->private_key, &server->tls, problem, problem_bytes);
}

// Binds all, then listens on all: a port that is taken is found out before the first visitor was let in.
static int set_listeners(struct http_server *server, const struct http_server_options *options, char *problem,
                         size_t problem_bytes)
{
    const char *const addresses[HTTP_LISTENERS] = {
        [HTTP_TLS] = options->listen, [HTTP_CLEARTEXT] = options->listen_cleartext};
    for (size_t kind = 0; kind < HTTP_LISTENERS; kind++) {
        if (addresses[kind] == NULL || addresses[kind][0] == '\0')
            continue;
        for (size_t i = 0; i < server->loop_count; i++) {
            int error =
                http_listen_bind(addresses[kind], i == 0, server->ports[kind], &server->loops[i]->listeners[kind].fd,
                                 &server->ports[kind], problem, problem_bytes);
            if (error != 0)
                return error;
        }
    }
    for (size_t i = 0; i < server->loop_count; i++)
        for (size_t kind = 0; kind < HTTP_LISTENERS; kind++) {
            int fd = server->loops[i]->listeners[kind].fd;
            if (fd >= 0 && listen(fd, HTTP_BACKLOG) != 0) {
                snprintf(problem, problem_bytes, "%s: %s", addresses[kind], strerror(errno));
                return ERROR_PERMANENT;
            }
        }
    return 0;
}

static int set_loops(struct http_server *server, size_t count, void *(*loop_start)(struct http_loop *loop),
                     void (*loop_stop)(struct http_loop *loop, void *data))
{
    server->loops = calloc(count, sizeof(struct http_loop *));
    if (server->loops == NULL)
        return ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        int error = http_loop_new(server, i, &server->loops[i]);
        server->loop_count += server->loops[i] != NULL;
        if (error != 0)
            return error;
        assert(server->loops[i] != NULL);
        server->loops[i]->start = loop_start;
        server->loops[i]->stop = loop_stop;
    }
    return 0;
}

static void stop_threads(struct http_server *server, size_t count)
{
    for (size_t i = 0; i < count; i++)
        http_loop_end(server->loops[i]);
    for (size_t i = 0; i < count; i++)
        pthread_join(server->loops[i]->thread, NULL);
}

// Signals are for the main thread. With SIGPIPE blocked too, writing to a peer that is gone is an error and no more.
static int start_threads(struct http_server *server, char *problem, size_t problem_bytes)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    size_t started = 0;
    while (started < server->loop_count &&
           pthread_create(&server->loops[started]->thread, NULL, http_loop_run, server->loops[started]) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started == server->loop_count)
        return 0;
    snprintf(problem, problem_bytes, "cannot start a thread");
    stop_threads(server, started);
    return ERROR_TRANSIENT;
}

static void free_server(struct http_server *server)
{
    for (size_t i = 0; i < server->loop_count; i++)
        http_loop_free(server->loops[i]);
    free(server->loops);
    http_limit_free(server->per_address);
    SSL_CTX_free(server->tls);
    free(server->certificate);
    free(server->private_key);
    pthread_mutex_destroy(&server->tls_mutex);
    pthread_mutex_destroy(&server->drain_mutex);
    pthread_cond_destroy(&server->drain_done);
    free(server);
}

int http_server_open(const struct http_server_options *options, void *(*loop_start)(struct http_loop *loop),
                     void (*loop_stop)(struct http_loop *loop, void *data), struct http_server **ret, char *problem,
                     size_t problem_bytes)
{
    http_metrics_init();
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        snprintf(problem, problem_bytes, "out of memory");
        return ERROR_MEMORY;
    }
    snprintf(problem, problem_bytes, "out of memory"); // what is not said below
    pthread_mutex_init(&server->tls_mutex, NULL);
    pthread_mutex_init(&server->drain_mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&server->drain_done, &monotonic);
    pthread_condattr_destroy(&monotonic);

    int error = set_options(server, options, problem, problem_bytes);
    if (error == 0)
        error = set_tls(server, options, problem, problem_bytes);
    if (error == 0)
        error = set_loops(server, (size_t)options->threads, loop_start, loop_stop);
    if (error == 0)
        error = set_listeners(server, options, problem, problem_bytes);
    *ret = server; // the loops may look there as soon as they run
    if (error == 0)
        error = start_threads(server, problem, problem_bytes);
    if (error == 0)
        return 0;
    *ret = NULL;
    free_server(server);
    return error;
}

uint16_t http_server_port(const struct http_server *server, bool tls)
{
    return server->ports[tls ? HTTP_TLS : HTTP_CLEARTEXT];
}

int http_server_reload(struct http_server *server, char *problem, size_t problem_bytes)
{
    if (server->certificate == NULL)
        return 0;
    SSL_CTX *fresh;
    int error = tls_context_new(server->certificate, server->private_key, &fresh, problem, problem_bytes);
    if (error != 0)
        return error;
    pthread_mutex_lock(&server->tls_mutex);
    SSL_CTX *old = server->tls;
    server->tls = fresh;
    pthread_mutex_unlock(&server->tls_mutex);
    SSL_CTX_free(old);
    return 0;
}

void http_server_drain(struct http_server *server, int64_t deadline_ms)
{
    if (server->drained)
        return;
    server->drained = true;
    pthread_mutex_lock(&server->drain_mutex);
    server->loops_to_drain = server->loop_count;
    pthread_mutex_unlock(&server->drain_mutex);
    for (size_t i = 0; i < server->loop_count; i++)
        http_loop_drain(server->loops[i], deadline_ms);

    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    int64_t wait_ms = (deadline_ms < 0 ? 0 : deadline_ms) + DRAIN_GRACE_MS;
    end.tv_sec += (time_t)(wait_ms / 1000);
    end.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&server->drain_mutex);
    int waited = 0;
    while (server->loops_to_drain > 0 && waited == 0)
        waited = pthread_cond_timedwait(&server->drain_done, &server->drain_mutex, &end);
    if (server->loops_to_drain > 0)
        log_warn("http_drain_late", LOG_U("loops", server->loops_to_drain));
    pthread_mutex_unlock(&server->drain_mutex);
}

void http_server_close(struct http_server *server, int64_t deadline_ms)
{
    if (server == NULL)
        return;
    http_server_drain(server, deadline_ms);
    stop_threads(server, server->loop_count);
    free_server(server);
}

size_t http_server_loop_count(const struct http_server *server)
{
    return server->loop_count;
}

struct http_loop *http_server_loop(struct http_server *server, size_t index)
{
    assert(index < server->loop_count);
    return server->loops[index];
}
