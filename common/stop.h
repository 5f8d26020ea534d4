// SPDX-License-Identifier: Apache-2.0
// The wish that all threads end, as something that can be waited for beside a socket.
#ifndef COMMON_STOP_H
#define COMMON_STOP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

struct stop {
    int fd; // readable once it was asked for, and from then on
};

int stop_init(struct stop *stop) MUST_USE; // ERROR_LIMIT: no descriptors left
void stop_done(struct stop *stop);
void stop_ask(const struct stop *stop); // any thread
bool stop_was_asked(const struct stop *stop);
// Waits until it is asked for, `fd` (-1: none) can be read, or the time is over.
void stop_wait(const struct stop *stop, int fd, int64_t milliseconds);

#endif
