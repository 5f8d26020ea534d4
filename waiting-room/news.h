// SPDX-License-Identifier: Apache-2.0
// What the feed (or MySQL in its place) tells the loops: how far the lines are, who left, what became of orders, what is
// left. Immutable once posted, and counted: every loop gets the same one.
#ifndef WAITING_ROOM_NEWS_H
#define WAITING_ROOM_NEWS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/message.h"
#include "common/outcome.h"

struct news {
    _Atomic unsigned references;
    void (*done)(struct news *news); // frees what it owns, not itself; NULL: nothing
};

struct served_news {
    struct news news; // first, here and below
    size_t count;
    struct message_served_event events[];
};

struct left_news {
    struct news news;
    char slug[SLUG_BYTES];
    uint64_t number;
};

struct ordered_news {
    struct news news;
    bool by_loop; // `loop_thread` did it and knows
    pthread_t loop_thread;
    char slug[SLUG_BYTES];
    size_t count;
    uint64_t numbers[];
};

struct outcomes_news {
    struct news news;
    struct outcomes outcomes;
};

struct stock_news {
    struct news news;
    char slug[SLUG_BYTES];
    int64_t at_us; // MySQL's clock when it was counted
    size_t count;
    struct message_stock_tier tiers[];
};

// Each has one reference and is zeroed where nothing is said. NULL when out of memory.
struct served_news *served_news_new(size_t count);
struct left_news *left_news_new(const char *slug, uint64_t number);
struct ordered_news *ordered_news_new(const char *slug, const uint64_t *numbers, size_t count);
struct outcomes_news *outcomes_news_new(struct outcomes *outcomes); // takes the content over; `outcomes` is empty then
struct stock_news *stock_news_new(const char *slug, int64_t at_us, size_t count);

// For any of the above: the address of the whole.
void news_hold(void *news);
void news_unref(void *news); // accepts NULL

#endif
