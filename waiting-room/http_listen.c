// SPDX-License-Identifier: Apache-2.0
// What comes in: each loop has a listening socket of its own for each port (SO_REUSEPORT), so that the kernel spreads
// connections over the loops and no lock is shared.
#define _GNU_SOURCE // accept4()
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/address.h"
#include "common/log.h"
#include "waiting-room/http_internal.h"

// Of one turn, so that a flood of newcomers does not starve those who are there.
#define ACCEPT_BATCH 64
#define UNSENT_LOW_BYTES 32768

static int socket_bind(const struct addrinfo *where, uint16_t port, bool share, int *ret_fd)
{
    int fd = socket(where->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1, off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (share)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    struct sockaddr_storage address = {0};
    memcpy(&address, where->ai_addr, where->ai_addrlen);
    if (where->ai_family == AF_INET6) {
        // "[::]" means everybody, also where net.ipv6.bindv6only says otherwise.
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        ((struct sockaddr_in6 *)&address)->sin6_port = htons(port);
    } else {
        ((struct sockaddr_in *)&address)->sin_port = htons(port);
    }
    if (bind(fd, (const struct sockaddr *)&address, where->ai_addrlen) != 0) {
        int problem = errno;
        close(fd);
        errno = problem;
        return -1;
    }
    *ret_fd = fd;
    return 0;
}

// With SO_REUSEPORT another process of the same user could listen on the port already, and each would get half of the
// visitors. A socket that does not share finds that out.
static int refuse_shared(const struct addrinfo *where, uint16_t port)
{
    int probe;
    if (socket_bind(where, port, false, &probe) != 0)
        return -1;
    close(probe);
    return 0;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in6 address = {0}; // IPv4's has the port in the same place
    socklen_t bytes = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &bytes) != 0)
        return 0;
    return ntohs(address.sin6_port);
}

int http_listen_bind(const char *address, bool first, uint16_t port, int *ret_fd, uint16_t *ret_port, char *problem,
                     size_t problem_bytes)
{
    struct address split;
    int error = address_split(address, &split);
    if (error != 0) {
        snprintf(problem, problem_bytes, "%s: not an address to listen on (HOST:PORT or [V6]:PORT)", address);
        return error;
    }
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int resolved = getaddrinfo(split.host, split.port, &hints, &found);
    if (resolved != 0) {
        snprintf(problem, problem_bytes, "%s: %s", address, gai_strerror(resolved));
        return ERROR_PERMANENT;
    }
    if (first)
        port = (uint16_t)strtoul(split.port, NULL, 10);
    int fd = -1;
    bool bound = (!first || port == 0 || refuse_shared(found, port) == 0) && socket_bind(found, port, true, &fd) == 0;
    if (!bound) {
        snprintf(problem, problem_bytes, "%s: %s", address, strerror(errno));
        error = ERROR_PERMANENT;
    } else {
        *ret_fd = fd;
        *ret_port = port_of(fd);
    }
    freeaddrinfo(found);
    return error;
}

// Whether there is room for one more. What is refused is closed at once: in the kernel's queue it would wait in vain.
static bool admit(struct http_loop *loop, const struct peer_address *peer, bool *ret_counted)
{
    struct http_server *server = loop->server;
    if (atomic_load_explicit(&server->connections, memory_order_relaxed) >= server->connections_max) {
        metric_add(&http_metric_refused[HTTP_REFUSED_CONNECTIONS], 1);
        return false;
    }
    *ret_counted = false;
    // A proxy's connections carry everybody.
    if (server->per_address == NULL || peer_networks_contain(&server->trusted, peer))
        return true;
    struct peer_address household = peer_household(peer);
    if (!http_limit_take(server->per_address, &household)) {
        metric_add(&http_metric_refused[HTTP_REFUSED_ADDRESS], 1);
        return false;
    }
    *ret_counted = true;
    return true;
}

static void prepare_socket(int fd, int64_t stall_ms)
{
    int on = 1, low = UNSENT_LOW_BYTES;
    unsigned timeout_ms = (unsigned)stall_ms * 2;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    // What has not been sent yet can still be replaced by newer news, in the kernel it cannot: keep little there.
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &low, sizeof low);
    // A phone that vanished never closes; without this its connection would stay for a quarter of an hour.
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

// Takes one connection from the kernel. False: there is none left, or it has to wait.
static bool accept_one(struct http_listener *listener)
{
    struct http_loop *loop = listener->loop;
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    int fd = accept4(listener->fd, (struct sockaddr *)&address, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == ECONNABORTED || errno == EINTR || errno == EPROTO)
            return true;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            // The socket stays readable, so the loop would spin; the tick tries again.
            metric_add(&http_metric_refused[HTTP_REFUSED_DESCRIPTORS], 1);
            listener->paused = true;
            if (!uv_is_closing((uv_handle_t *)&listener->poll))
                uv_poll_stop(&listener->poll);
        }
        return false;
    }
    struct peer_address peer;
    bool counted;
    if (peer_from_socket((const struct sockaddr *)&address, &peer) != 0 || !admit(loop, &peer, &counted)) {
        close(fd);
        return true;
    }
    prepare_socket(fd, loop->server->stall_ms);
    http_connection_accept(loop, fd, &peer, listener->tls, counted);
    return true;
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
    (void)events;
    if (status < 0)
        return;
    for (int i = 0; i < ACCEPT_BATCH && accept_one(poll->data); i++) {
    }
}

int http_listen_start(struct http_loop *loop, struct http_listener *listener)
{
    if (uv_poll_init_socket(&loop->uv, &listener->poll, listener->fd) != 0) {
        close(listener->fd);
        listener->fd = -1;
        return ERROR_TRANSIENT;
    }
    listener->poll.data = listener;
    return uv_poll_start(&listener->poll, UV_READABLE, on_listener) == 0 ? 0 : ERROR_TRANSIENT;
}

void http_listen_resume(struct http_listener *listener)
{
    if (listener->fd < 0 || !listener->paused)
        return;
    listener->paused = false;
    uv_poll_start(&listener->poll, UV_READABLE, on_listener);
}

void http_listen_close(struct http_listener *listener)
{
    if (listener->fd < 0)
        return;
    if (listener->poll.data != NULL) {
        // The kernel resets what waits in the queue of a socket that is closed; these people came before we closed.
        for (int i = 0; i < HTTP_BACKLOG && accept_one(listener); i++) {
        }
        uv_close((uv_handle_t *)&listener->poll, NULL);
    }
    close(listener->fd);
    listener->fd = -1;
}
