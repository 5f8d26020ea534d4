// SPDX-License-Identifier: Apache-2.0
// Counting and freeing of news.
#include "waiting-room/news.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *news_new(size_t bytes)
{
    struct news *news = calloc(1, bytes);
    if (news)
        atomic_init(&news->references, 1);
    return news;
}

void news_hold(void *news)
{
    atomic_fetch_add_explicit(&((struct news *)news)->references, 1, memory_order_relaxed);
}

void news_unref(void *argument)
{
    struct news *news = argument;
    if (!news || atomic_fetch_sub_explicit(&news->references, 1, memory_order_acq_rel) != 1)
        return;
    if (news->done)
        news->done(news);
    free(news);
}

struct served_news *served_news_new(size_t count)
{
    struct served_news *news = news_new(sizeof *news + count * sizeof news->events[0]);
    if (news)
        news->count = count;
    return news;
}

struct left_news *left_news_new(const char *slug, uint64_t number)
{
    struct left_news *news = news_new(sizeof *news);
    if (news) {
        snprintf(news->slug, sizeof news->slug, "%s", slug);
        news->number = number;
    }
    return news;
}

struct ordered_news *ordered_news_new(const char *slug, const uint64_t *numbers, size_t count)
{
    struct ordered_news *news = news_new(sizeof *news + count * sizeof news->numbers[0]);
    if (news) {
        snprintf(news->slug, sizeof news->slug, "%s", slug);
        memcpy(news->numbers, numbers, count * sizeof news->numbers[0]);
        news->count = count;
    }
    return news;
}

static void outcomes_news_done(struct news *news)
{
    outcomes_done(&((struct outcomes_news *)news)->outcomes);
}

struct outcomes_news *outcomes_news_new(struct outcomes *outcomes)
{
    struct outcomes_news *news = news_new(sizeof *news);
    if (news) {
        news->news.done = outcomes_news_done;
        news->outcomes = *outcomes;
        *outcomes = (struct outcomes){0};
    }
    return news;
}

struct stock_news *stock_news_new(const char *slug, int64_t at_us, size_t count)
{
    struct stock_news *news = news_new(sizeof *news + count * sizeof news->tiers[0]);
    if (news) {
        snprintf(news->slug, sizeof news->slug, "%s", slug);
        news->at_us = at_us;
        news->count = count;
    }
    return news;
}
