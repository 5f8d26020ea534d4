// SPDX-License-Identifier: Apache-2.0
// Order of the feed: (epoch, seq) of the lines only rises; so does every notifier's own count of outcomes.
#include "waiting-room/feed.h"

#include <stdio.h>
#include <string.h>

enum feed_verdict feed_sequence_take(struct feed_sequence *sequence, uint64_t epoch, uint64_t seq)
{
    bool same_epoch = sequence->heard && epoch == sequence->epoch;
    if (sequence->heard && (epoch < sequence->epoch || (same_epoch && seq <= sequence->seq)))
        return FEED_OLD;
    // A new leader counts from 1. What came before the very first message was read from MySQL after binding.
    bool expected = !sequence->heard || seq == (same_epoch ? sequence->seq + 1 : 1);
    *sequence = (struct feed_sequence){.heard = true, .epoch = epoch, .seq = seq};
    return expected ? FEED_NEXT : FEED_GAP;
}

// The sender's entry: its own, an unused one, or that of whoever has been silent for longest.
static struct feed_sender *find_sender(struct feed_senders *senders, const char *name)
{
    struct feed_sender *oldest = &senders->items[0];
    for (size_t i = 0; i < senders->count; i++) {
        if (strcmp(senders->items[i].name, name) == 0)
            return &senders->items[i];
        if (senders->items[i].heard < oldest->heard)
            oldest = &senders->items[i];
    }
    if (senders->count < FEED_SENDERS_MAX)
        oldest = &senders->items[senders->count++];
    *oldest = (struct feed_sender){0};
    snprintf(oldest->name, sizeof oldest->name, "%s", name);
    return oldest;
}

enum feed_verdict feed_senders_take(struct feed_senders *senders, const char *name, uint64_t seq)
{
    struct feed_sender *sender = find_sender(senders, name);
    sender->heard = ++senders->heard;
    if (seq <= sender->seq)
        return FEED_OLD;
    // Whoever is new to us counts from 1: what came before was missed.
    bool expected = seq == sender->seq + 1;
    sender->seq = seq;
    return expected ? FEED_NEXT : FEED_GAP;
}
