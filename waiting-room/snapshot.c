// SPDX-License-Identifier: Apache-2.0
// Counting and freeing of snapshots; who fills them is the store.
#include "waiting-room/snapshot.h"

#include <stdlib.h>

struct snapshot *snapshot_new(void)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (snapshot) {
        atomic_init(&snapshot->references, 1);
        snapshot->starts_at_us = snapshot->lobby_opens_at_us = snapshot->opens_at_us = SNAPSHOT_NO_TIME;
        snapshot->stopped_at_us = snapshot->notice_at_us = SNAPSHOT_NO_TIME;
    }
    return snapshot;
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
    if (!snapshot || atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < snapshot->tier_count; i++) {
        for (size_t j = 0; j < snapshot->tiers[i].price_count; j++)
            free(snapshot->tiers[i].prices[j].name);
        free(snapshot->tiers[i].prices);
        free(snapshot->tiers[i].name);
    }
    free(snapshot->tiers);
    free(snapshot->name);
    free(snapshot->venue);
    free(snapshot->timezone);
    free(snapshot->stop_reason);
    free(snapshot->notice);
    free(snapshot);
}
