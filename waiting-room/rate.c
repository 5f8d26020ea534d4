// SPDX-License-Identifier: Apache-2.0
// The generic cell rate algorithm: per address just the time at which its allowance will be whole again. The table is
// set-associative, so looking up, inserting and forgetting all touch one set.
#include "waiting-room/rate.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/random.h"

#define SETS 8192
#define WAYS 8
#define SECOND_US 1000000

struct cell {
    uint8_t key[8];
    int64_t whole_at_us; // 0: free
};

struct rate {
    uint64_t seed; // so that nobody can choose addresses that meet in one set
    struct cell cells[SETS][WAYS];
};

int rate_new(struct rate **ret)
{
    struct rate *rate = calloc(1, sizeof *rate);
    if (!rate)
        return ERROR_MEMORY;
    rate->seed = random_u64() | 1;
    *ret = rate;
    return 0;
}

void rate_free(struct rate *rate)
{
    free(rate);
}

static void read_key(const char *address, uint8_t key[static 8])
{
    struct in6_addr v6;
    struct in_addr v4;
    memset(key, 0, 8);
    if (inet_pton(AF_INET, address, &v4) == 1) {
        memcpy(key, "v4\0\0", 4);
        memcpy(key + 4, &v4, 4);
    } else if (inet_pton(AF_INET6, address, &v6) == 1) {
        if (IN6_IS_ADDR_V4MAPPED(&v6)) {
            memcpy(key, "v4\0\0", 4);
            memcpy(key + 4, v6.s6_addr + 12, 4);
        } else {
            memcpy(key, v6.s6_addr, 8);
        }
    }
}

static struct cell *find_cell(struct rate *rate, const uint8_t key[static 8])
{
    uint64_t hash;
    memcpy(&hash, key, sizeof hash);
    hash = (hash ^ rate->seed) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 29;
    hash *= rate->seed;
    struct cell *set = rate->cells[(hash >> 40) % SETS];
    struct cell *oldest = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].whole_at_us && memcmp(set[i].key, key, sizeof set[i].key) == 0)
            return &set[i];
        if (set[i].whole_at_us < oldest->whole_at_us)
            oldest = &set[i];
    }
    memcpy(oldest->key, key, sizeof oldest->key);
    oldest->whole_at_us = 0;
    return oldest;
}

int64_t rate_take(struct rate *rate, const char *address, const struct config_rate *limit, int64_t now_us)
{
    if (limit->count <= 0)
        return 0;
    uint8_t key[8];
    read_key(address, key);
    struct cell *cell = find_cell(rate, key);
    int64_t interval_us = limit->per_seconds * SECOND_US / limit->count;
    int64_t allowance_us = interval_us * limit->count;
    int64_t whole_at_us = (cell->whole_at_us > now_us ? cell->whole_at_us : now_us) + interval_us;
    int64_t over_us = whole_at_us - now_us - allowance_us;
    if (over_us > 0)
        return (over_us + SECOND_US - 1) / SECOND_US;
    cell->whole_at_us = whole_at_us;
    return 0;
}
