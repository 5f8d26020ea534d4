// SPDX-License-Identifier: Apache-2.0
// The table of connections per address: open addressing with linear probing, emptied by moving later entries back. See
// http_limit.h.
#include "waiting-room/http_limit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"

struct entry {
    struct peer_address address;
    int64_t count; // 0: free
};

struct http_limit {
    pthread_mutex_t mutex;
    int64_t per_address_max;
    uint64_t seed; // so that nobody can choose addresses that collide
    size_t mask;
    size_t used;
    struct entry entries[];
};

int http_limit_new(int64_t per_address_max, size_t addresses_max, struct http_limit **ret)
{
    size_t size = 64;
    while (size < addresses_max * 2 && size < (size_t)1 << 24)
        size *= 2;
    struct http_limit *limit = calloc(1, sizeof *limit + size * sizeof limit->entries[0]);
    if (limit == NULL)
        return ERROR_MEMORY;
    limit->mask = size - 1;
    limit->per_address_max = per_address_max;
    limit->seed = random_u64();
    pthread_mutex_init(&limit->mutex, NULL);
    *ret = limit;
    return 0;
}

void http_limit_free(struct http_limit *limit)
{
    if (limit == NULL)
        return;
    pthread_mutex_destroy(&limit->mutex);
    free(limit);
}

static size_t home(const struct http_limit *limit, const struct peer_address *address)
{
    uint64_t halves[2];
    memcpy(halves, address->bytes, sizeof halves);
    uint64_t hash = limit->seed;
    for (int i = 0; i < 2; i++) {
        hash = (hash ^ halves[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    return (size_t)hash & limit->mask;
}

static size_t find(const struct http_limit *limit, const struct peer_address *address)
{
    size_t at = home(limit, address);
    while (limit->entries[at].count > 0 && memcmp(&limit->entries[at].address, address, sizeof *address) != 0)
        at = (at + 1) & limit->mask;
    return at;
}

bool http_limit_take(struct http_limit *limit, const struct peer_address *address)
{
    pthread_mutex_lock(&limit->mutex);
    struct entry *entry = &limit->entries[find(limit, address)];
    bool taken = entry->count < limit->per_address_max;
    // One slot stays free, so that a search for an address that is not there ends.
    if (taken && entry->count == 0) {
        taken = limit->used < limit->mask;
        if (taken) {
            entry->address = *address;
            limit->used++;
        }
    }
    if (taken)
        entry->count++;
    pthread_mutex_unlock(&limit->mutex);
    return taken;
}

// Frees a slot by moving back what was pushed past it, so that searches never cross a hole (Knuth 6.4, algorithm R).
static void empty(struct http_limit *limit, size_t hole)
{
    limit->used--;
    for (size_t at = (hole + 1) & limit->mask; limit->entries[at].count > 0; at = (at + 1) & limit->mask) {
        size_t wanted = home(limit, &limit->entries[at].address);
        if (((at - wanted) & limit->mask) >= ((at - hole) & limit->mask)) {
            limit->entries[hole] = limit->entries[at];
            hole = at;
        }
    }
    limit->entries[hole].count = 0;
}

void http_limit_give(struct http_limit *limit, const struct peer_address *address)
{
    pthread_mutex_lock(&limit->mutex);
    size_t at = find(limit, address);
    if (limit->entries[at].count > 1)
        limit->entries[at].count--;
    else if (limit->entries[at].count == 1)
        empty(limit, at);
    pthread_mutex_unlock(&limit->mutex);
}
