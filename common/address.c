// SPDX-License-Identifier: Apache-2.0
// Splitting addresses, and listening on them.
#include "common/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Whether `host` looks like a DNS name or an IPv4 address. The resolver says whether it is one.
static bool is_name(const char *host)
{
    for (const char *at = host; *at; at++)
        if (!(*at >= 'a' && *at <= 'z') && !(*at >= 'A' && *at <= 'Z') && !(*at >= '0' && *at <= '9') && *at != '.' &&
            *at != '-' && *at != '_')
            return false;
    return *host != '\0' && *host != '-';
}

static bool is_port(const char *port)
{
    size_t digits = strspn(port, "0123456789");
    return digits >= 1 && digits <= 5 && port[digits] == '\0' && strtol(port, NULL, 10) <= 65535;
}

int address_split(const char *text, struct address *ret)
{
    struct address address;
    bool bracketed = text[0] == '[';
    const char *host = bracketed ? text + 1 : text;
    const char *host_end = strchr(host, bracketed ? ']' : ':');
    if (!host_end || (bracketed && host_end[1] != ':'))
        return ERROR_INVALID;
    const char *port = host_end + (bracketed ? 2 : 1);
    size_t host_bytes = (size_t)(host_end - host);
    if (host_bytes >= sizeof address.host || !is_port(port))
        return ERROR_INVALID;
    memcpy(address.host, host, host_bytes);
    address.host[host_bytes] = '\0';
    memcpy(address.port, port, strlen(port) + 1);
    struct in6_addr v6;
    if (bracketed ? inet_pton(AF_INET6, address.host, &v6) != 1 : !is_name(address.host))
        return ERROR_INVALID;
    *ret = address;
    return 0;
}

// Opens, binds and listens on one resolved address. -1 with errno on failure.
static int listen_on(const struct addrinfo *info, int backlog)
{
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, info->ai_protocol);
    if (fd < 0)
        return -1;
    const int yes = 1;
    // Without it a program that is started again finds its port taken by its own old connections in TIME_WAIT.
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, backlog) == 0)
        return fd;
    int error = errno;
    (void)close(fd);
    errno = error;
    return -1;
}

static uint16_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_storage storage;
    } name = {0};
    socklen_t bytes = sizeof name;
    if (getsockname(fd, &name.any, &bytes) < 0)
        return 0;
    return ntohs(name.any.sa_family == AF_INET6 ? name.v6.sin6_port : name.v4.sin_port);
}

int address_listen(const char *text, int backlog, int *ret_fd, uint16_t *ret_port)
{
    struct address address;
    if (address_split(text, &address) != 0)
        return ERROR_INVALID;
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
    };
    struct addrinfo *found = NULL;
    int error = getaddrinfo(address.host, address.port, &hints, &found);
    if (error != 0) {
        errno = error == EAI_SYSTEM ? errno : 0;
        return ERROR_PERMANENT;
    }
    int fd = -1;
    for (const struct addrinfo *info = found; info && fd < 0; info = info->ai_next)
        fd = listen_on(info, backlog);
    error = errno;
    freeaddrinfo(found);
    errno = error;
    if (fd < 0)
        return ERROR_PERMANENT;
    *ret_fd = fd;
    *ret_port = port_of(fd);
    return 0;
}
