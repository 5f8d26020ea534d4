// SPDX-License-Identifier: Apache-2.0
// What the feed (or MySQL in its place) tells the loops: how far the lines are, and who left. Immutable and counted.
#ifndef WAITING_ROOM_NEWS_H
#define WAITING_ROOM_NEWS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "common/message.h"

struct served_news {
    _Atomic unsigned references;
    size_t count;
    struct message_served_event events[];
};

struct left_news {
    _Atomic unsigned references;
    char slug[SLUG_BYTES];
    uint64_t number;
};

struct served_news *served_news_new(size_t count); // with one reference, zeroed; NULL when out of memory
void served_news_hold(void *news);
void served_news_unref(struct served_news *news); // accepts NULL

struct left_news *left_news_new(const char *slug, uint64_t number);
void left_news_hold(void *news);
void left_news_unref(struct left_news *news); // accepts NULL

#endif
