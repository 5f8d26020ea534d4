// SPDX-License-Identifier: Apache-2.0
// See stop.h. An eventfd that nobody reads stays readable.
#include "common/stop.h"

#include <poll.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

int stop_init(struct stop *stop)
{
    stop->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return stop->fd < 0 ? ERROR_LIMIT : 0;
}

void stop_done(struct stop *stop)
{
    if (stop->fd >= 0)
        close(stop->fd);
    stop->fd = -1;
}

void stop_ask(const struct stop *stop)
{
    const uint64_t one = 1;
    ssize_t written = write(stop->fd, &one, sizeof(one));
    (void)written; // it can only fail where it was asked for so often that the counter is full
}

bool stop_was_asked(const struct stop *stop)
{
    struct pollfd fd = {.fd = stop->fd, .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

void stop_wait(const struct stop *stop, int fd, int64_t milliseconds)
{
    struct pollfd fds[] = {{.fd = stop->fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    int timeout = milliseconds < 0 ? 0 : milliseconds > 60000 ? 60000 : (int)milliseconds;
    poll(fds, fd >= 0 ? 2 : 1, timeout); // a signal ends it early, which does no harm
}
