// SPDX-License-Identifier: Apache-2.0
// Order of the feed: (epoch, seq) only rises.
#include "waiting-room/feed.h"

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
