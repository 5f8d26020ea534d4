// SPDX-License-Identifier: Apache-2.0
// Counting and freeing of snapshots; who fills them is the store.
#include "waiting-room/snapshot.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct snapshot *snapshot_new(void)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    if (snapshot) {
        atomic_init(&snapshot->references, 1);
        snapshot->starts_at_us = snapshot->lobby_opens_at_us = snapshot->opens_at_us = SNAPSHOT_NO_TIME;
        snapshot->stopped_at_us = snapshot->notice_at_us = snapshot->counted_at_us = SNAPSHOT_NO_TIME;
    }
    return snapshot;
}

static bool copy_text(const char *text, char **ret)
{
    *ret = text ? strdup(text) : NULL;
    return *ret || !text;
}

static bool copy_tier(const struct snapshot_tier *from, struct snapshot_tier *to)
{
    *to = *from;
    to->hall = hall_ref(from->hall);
    to->name = NULL;
    to->price_count = 0;
    to->prices = calloc(from->price_count ? from->price_count : 1, sizeof *to->prices);
    if (!to->prices || !copy_text(from->name, &to->name))
        return false;
    for (size_t i = 0; i < from->price_count; i++) {
        to->prices[i] = from->prices[i];
        to->price_count++;
        if (!copy_text(from->prices[i].name, &to->prices[i].name))
            return false;
    }
    return true;
}

static bool copy_content(const struct snapshot *from, struct snapshot *to)
{
    size_t first = offsetof(struct snapshot, id); // behind the count, which others change meanwhile
    memcpy((char *)to + first, (const char *)from + first, sizeof *to - first);
    to->tiers = NULL;
    to->tier_count = 0;
    bool done = copy_text(from->name, &to->name);
    done = copy_text(from->venue, &to->venue) && done;
    done = copy_text(from->timezone, &to->timezone) && done;
    done = copy_text(from->stop_reason, &to->stop_reason) && done;
    done = copy_text(from->notice, &to->notice) && done;
    to->tiers = calloc(from->tier_count ? from->tier_count : 1, sizeof *to->tiers);
    for (size_t i = 0; done && to->tiers && i < from->tier_count; i++) {
        to->tier_count++;
        done = copy_tier(&from->tiers[i], &to->tiers[i]);
    }
    return done && to->tiers;
}

struct snapshot *snapshot_copy(const struct snapshot *snapshot)
{
    struct snapshot *copy = snapshot_new();
    if (copy && !copy_content(snapshot, copy)) {
        snapshot_unref(copy);
        return NULL;
    }
    return copy;
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
        hall_unref(snapshot->tiers[i].hall);
    }
    free(snapshot->tiers);
    free(snapshot->name);
    free(snapshot->venue);
    free(snapshot->timezone);
    free(snapshot->stop_reason);
    free(snapshot->notice);
    free(snapshot);
}
