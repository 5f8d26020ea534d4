// SPDX-License-Identifier: Apache-2.0
// Counting and freeing of news.
#include "waiting-room/news.h"

#include <stdio.h>
#include <stdlib.h>

struct served_news *served_news_new(size_t count)
{
    struct served_news *news = calloc(1, sizeof *news + count * sizeof news->events[0]);
    if (news) {
        atomic_init(&news->references, 1);
        news->count = count;
    }
    return news;
}

void served_news_hold(void *news)
{
    atomic_fetch_add_explicit(&((struct served_news *)news)->references, 1, memory_order_relaxed);
}

void served_news_unref(struct served_news *news)
{
    if (news && atomic_fetch_sub_explicit(&news->references, 1, memory_order_acq_rel) == 1)
        free(news);
}

struct left_news *left_news_new(const char *slug, uint64_t number)
{
    struct left_news *news = calloc(1, sizeof *news);
    if (news) {
        atomic_init(&news->references, 1);
        snprintf(news->slug, sizeof news->slug, "%s", slug);
        news->number = number;
    }
    return news;
}

void left_news_hold(void *news)
{
    atomic_fetch_add_explicit(&((struct left_news *)news)->references, 1, memory_order_relaxed);
}

void left_news_unref(struct left_news *news)
{
    if (news && atomic_fetch_sub_explicit(&news->references, 1, memory_order_acq_rel) == 1)
        free(news);
}
