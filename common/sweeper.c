// SPDX-License-Identifier: Apache-2.0
// See sweeper.h. Whether the servers are there is said by other threads; this one waits for the next round.
#include "common/sweeper.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/link.h"
#include "common/log.h"
#include "common/outbox.h"

#define ROUND_MS 2000
#define ROUNDS_MAX 100 // of OUTBOX_SWEEP_MAX messages, without a pause

struct metric sweeper_swept =
    METRIC_COUNTER("onsale_outbox_swept_total", "Messages of the outbox that whoever wrote them had not sent.");

struct sweeper {
    const struct stop *stop;
    int (*mend)(struct db *db);
    struct link link;
    pthread_t thread;
};

static int sweep_outbox(struct sweeper *sweeper)
{
    size_t count = OUTBOX_SWEEP_MAX;
    for (int i = 0; i < ROUNDS_MAX && count == OUTBOX_SWEEP_MAX && !stop_was_asked(sweeper->stop); i++) {
        int result = outbox_sweep(sweeper->link.db, sweeper->link.bus, &count);
        if (result)
            return result;
        metric_add(&sweeper_swept, (int64_t)count);
        if (count > 0)
            log_info("swept", LOG_U("count", count));
    }
    return 0;
}

static void sweep(struct sweeper *sweeper)
{
    int result = link_use_db(&sweeper->link);
    if (result == 0 && sweeper->mend)
        result = sweeper->mend(sweeper->link.db);
    if (result) {
        (void)link_db_fails(&sweeper->link, "sweeping", result);
        return;
    }
    link_db_works(&sweeper->link);
    if (link_use_bus(&sweeper->link))
        return;
    result = sweep_outbox(sweeper);
    // Which of the two it was shows on the next round; the broker's connection is cheap to make anew.
    if (result)
        link_lose_bus(&sweeper->link, result);
}

// The broker closes a connection that is silent for long, so it is served more often than swept for.
static void serve_bus(struct sweeper *sweeper)
{
    struct bus_delivery delivery = {0};
    if (!sweeper->link.bus)
        return;
    int result = bus_receive(sweeper->link.bus, 0, &delivery);
    bus_delivery_done(&delivery);
    if (result && result != ERROR_NOT_FOUND)
        link_lose_bus(&sweeper->link, result);
}

static void *run(void *context)
{
    struct sweeper *sweeper = context;
    while (!stop_was_asked(sweeper->stop)) {
        sweep(sweeper);
        stop_wait(sweeper->stop, -1, ROUND_MS / 2);
        serve_bus(sweeper);
        stop_wait(sweeper->stop, -1, ROUND_MS / 2);
        serve_bus(sweeper);
    }
    return NULL;
}

int sweeper_start(const struct sweeper_options *options, const struct stop *stop, struct sweeper **ret)
{
    struct sweeper *sweeper = calloc(1, sizeof(*sweeper));
    if (!sweeper)
        return ERROR_MEMORY;
    sweeper->stop = stop;
    sweeper->mend = options->mend;
    link_init(&sweeper->link, options->config, options->program, "sweeper");
    if (pthread_create(&sweeper->thread, NULL, run, sweeper)) {
        free(sweeper);
        return ERROR_PERMANENT;
    }
    *ret = sweeper;
    return 0;
}

void sweeper_join(struct sweeper *sweeper)
{
    if (!sweeper)
        return;
    pthread_join(sweeper->thread, NULL);
    link_done(&sweeper->link);
    free(sweeper);
}
