// SPDX-License-Identifier: Apache-2.0
// What is left and asked for, counted here while no notifier tells it: only for events that somebody looks at, and never
// so often that joins and orders would wait for it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "waiting-room/line_store_internal.h"

#define SILENCE_NS INT64_C(3000000000) // a notifier speaks once a second
#define EVERY_NS INT64_C(1000000000)
#define SHARE 20 // counting takes at most this part of the thread's time
#define TIERS_MAX 1000
#define ROUND_NS INT64_C(50000000) // what is not counted within this is counted in the next round

static struct metric counts =
    METRIC_COUNTER("onsale_stock_counts_total", "Times the stock of an event was counted here, not heard.");

void store_register_stock_metrics(void)
{
    metrics_register(&counts);
}

void line_store_note_stock(struct line_store *store)
{
    atomic_store(&store->stock_heard_ns, clock_monotonic_ns());
}

bool line_store_counts_stock(const struct line_store *store)
{
    return clock_monotonic_ns() - atomic_load(&store->stock_heard_ns) >= SILENCE_NS;
}

void line_store_want_stock(struct line_store *store, uint32_t event_id)
{
    pthread_mutex_lock(&store->lock);
    struct store_presence *presence = store_find_presence(store, event_id);
    if (presence)
        presence->wants_stock = true;
    pthread_mutex_unlock(&store->lock);
}

// The next event that is wanted, from where the last round ended. False: there is none.
static bool take_wanted(struct line_store *store, uint32_t *ret_event_id)
{
    bool found = false;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < store->presence_count && !found; i++) {
        struct store_presence *presence = &store->presence[(store->stock_from + i) % store->presence_count];
        if (!presence->wants_stock)
            continue;
        presence->wants_stock = false;
        *ret_event_id = presence->event_id;
        store->stock_from = (store->stock_from + i + 1) % store->presence_count;
        found = true;
    }
    pthread_mutex_unlock(&store->lock);
    return found;
}

static const char *slug_of(const struct line_store *store, uint32_t event_id)
{
    for (size_t i = 0; i < store->snapshot_count; i++)
        if (store->snapshots[i]->id == event_id)
            return store->snapshots[i]->slug;
    return "";
}

static void add_asked(const struct db_rows *asked, struct message_stock_tier *tier)
{
    for (size_t row = 0; row < db_rows_count(asked); row++)
        if (strcmp(db_string(asked, row, 0), tier->code) == 0)
            tier->asked = db_u64(asked, row, 1);
}

// The time comes from the first statement: whatever is told with a later one is younger than all that is counted here.
static int count_event(struct line_store *store, uint32_t event_id)
{
    struct db_rows *tiers CLEANUP(db_rows_cleanup) = NULL, *asked CLEANUP(db_rows_cleanup) = NULL;
    struct db_value id = DB_U(event_id);
    int error = db_read(store->db,
                        "SELECT code, capacity - held - sold, UTC_TIMESTAMP(6), standby FROM tiers WHERE event_id = ?"
                        " ORDER BY position, code",
                        &id, 1, TIERS_MAX, &tiers);
    if (error == 0)
        error = db_read(store->db,
                        "SELECT tier, CAST(SUM(quantity) AS UNSIGNED) FROM orders FORCE INDEX (orders_due)"
                        " WHERE event_id = ? AND state = 'placed' GROUP BY tier LIMIT 2000",
                        &id, 1, 2 * TIERS_MAX, &asked);
    if (error < 0 || db_rows_count(tiers) == 0)
        return error;
    struct stock_news *news = stock_news_new(slug_of(store, event_id), db_time_us(tiers, 0, 2), db_rows_count(tiers));
    if (!news)
        return ERROR_MEMORY;
    for (size_t row = 0; row < news->count; row++) {
        struct message_stock_tier *tier = &news->tiers[row];
        snprintf(tier->code, sizeof tier->code, "%s", db_string(tiers, row, 0));
        tier->left = db_u64(tiers, row, 1);
        tier->standby = db_u64(tiers, row, 3);
        add_asked(asked, tier);
    }
    metric_add(&counts, 1);
    loops_post_all(store->options.loops, store->options.on_stock, news, news_hold);
    news_unref(news);
    return 0;
}

int store_count_stock(struct line_store *store)
{
    int64_t from_ns = clock_monotonic_ns(), now_ns = from_ns;
    uint32_t event_id;
    int error = 0;
    if (from_ns < store->next_stock_ns || !line_store_counts_stock(store))
        return 0;
    while (error == 0 && now_ns - from_ns < ROUND_NS && take_wanted(store, &event_id)) {
        error = count_event(store, event_id);
        now_ns = clock_monotonic_ns();
    }
    int64_t pause_ns = (now_ns - from_ns) * (SHARE - 1);
    store->next_stock_ns = pause_ns > EVERY_NS ? now_ns + pause_ns : from_ns;
    return error;
}
