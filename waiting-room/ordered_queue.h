// SPDX-License-Identifier: Apache-2.0
// Orders that were given, changed or taken back here and that others have not been told of: gathered, so that thousands in
// a second travel in a few messages. Bounded; what does not fit is forgotten, for admission looks in MySQL anyway.
#ifndef WAITING_ROOM_ORDERED_QUEUE_H
#define WAITING_ROOM_ORDERED_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/message.h"

#define ORDERED_QUEUE_MAX 10000
#define ORDERED_QUEUE_LINGER_NS INT64_C(5000000)

struct ordered_entry {
    char slug[SLUG_BYTES];
    bool due;
    uint64_t number;
};

// Zeroed it is empty. Belongs to whoever holds its owner's lock.
struct ordered_queue {
    size_t count;
    int64_t since_ns; // when the first came; while count > 0
    struct ordered_entry entries[ORDERED_QUEUE_MAX];
};

// Returns whether it fits.
bool ordered_queue_add(struct ordered_queue *queue, const char *slug, uint64_t number, bool due, int64_t now_ns);

// How long it is best left to gather more: 0 when it is full enough for a message or old enough; -1 when it is empty.
int64_t ordered_queue_wait_ns(const struct ordered_queue *queue, int64_t now_ns);

// Takes the oldest entry and those of the same event as one message, as many as it carries. False: there is nothing.
bool ordered_queue_take(struct ordered_queue *queue, struct message *ret);

#endif
