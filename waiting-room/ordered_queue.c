// SPDX-License-Identifier: Apache-2.0
// Gathering by event.
#include "waiting-room/ordered_queue.h"

#include <stdio.h>
#include <string.h>

bool ordered_queue_add(struct ordered_queue *queue, const char *slug, uint64_t number, bool due, int64_t now_ns)
{
    if (queue->count == ORDERED_QUEUE_MAX)
        return false;
    if (queue->count == 0)
        queue->since_ns = now_ns;
    struct ordered_entry *entry = &queue->entries[queue->count++];
    snprintf(entry->slug, sizeof entry->slug, "%s", slug);
    entry->number = number;
    entry->due = due;
    return true;
}

int64_t ordered_queue_wait_ns(const struct ordered_queue *queue, int64_t now_ns)
{
    if (queue->count == 0)
        return -1;
    int64_t left_ns = queue->since_ns + ORDERED_QUEUE_LINGER_NS - now_ns;
    return queue->count >= MESSAGE_NUMBERS_MAX || left_ns < 0 ? 0 : left_ns;
}

bool ordered_queue_take(struct ordered_queue *queue, struct message *ret)
{
    if (queue->count == 0)
        return false;
    ret->type = MESSAGE_ORDERED;
    memcpy(ret->ordered.slug, queue->entries[0].slug, sizeof ret->ordered.slug);
    ret->ordered.due = false;
    ret->ordered.number_count = 0;
    size_t kept = 0;
    for (size_t i = 0; i < queue->count; i++) {
        const struct ordered_entry *entry = &queue->entries[i];
        if (ret->ordered.number_count < MESSAGE_NUMBERS_MAX && strcmp(entry->slug, ret->ordered.slug) == 0) {
            ret->ordered.numbers[ret->ordered.number_count++] = entry->number;
            ret->ordered.due = ret->ordered.due || entry->due;
        } else if (kept++ != i) {
            queue->entries[kept - 1] = *entry;
        }
    }
    queue->count = kept;
    return true;
}
