// SPDX-License-Identifier: Apache-2.0
// Events: noticing that one changed, reading it into a snapshot, reading where the lines are when the feed cannot tell, and
// reporting who is present.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "waiting-room/line_store_internal.h"

#define TIERS_MAX 1000
#define PRICES_MAX 10000

static void hold_snapshot(void *snapshot)
{
    snapshot_ref(snapshot);
}

static void tell(struct line_store *store, struct snapshot *snapshot)
{
    loops_post_all(store->options.loops, store->options.on_snapshot, snapshot, hold_snapshot);
}

static void hold_nothing(void *argument)
{
    (void)argument;
}

void store_tell_ready(struct line_store *store)
{
    loops_post_all(store->options.loops, store->options.on_ready, NULL, hold_nothing);
}

void store_tell_snapshots(struct line_store *store)
{
    for (size_t i = 0; i < store->snapshot_count; i++)
        tell(store, store->snapshots[i]);
    if (!atomic_load(&store->ready))
        return;
    store_tell_ready(store);
    line_store_read_line(store);
}

static int copy_text(const struct db_rows *rows, size_t row, size_t column, char **ret)
{
    const char *text = db_string(rows, row, column);
    if (!text)
        return 0;
    *ret = strdup(text);
    return *ret ? 0 : ERROR_MEMORY;
}

static int64_t time_or_none(const struct db_rows *rows, size_t row, size_t column)
{
    return db_is_null(rows, row, column) ? SNAPSHOT_NO_TIME : db_time_us(rows, row, column);
}

static int fill_event(const struct db_rows *rows, struct snapshot *event)
{
    event->version = db_u64(rows, 0, 0);
    snprintf(event->slug, sizeof event->slug, "%s", db_string(rows, 0, 1));
    snprintf(event->currency, sizeof event->currency, "%s", db_string(rows, 0, 5));
    snprintf(event->pace, sizeof event->pace, "%s", db_string(rows, 0, 6));
    event->opened = !db_is_null(rows, 0, 8);
    event->starts_at_us = time_or_none(rows, 0, 9);
    event->lobby_opens_at_us = time_or_none(rows, 0, 10);
    event->opens_at_us = time_or_none(rows, 0, 11);
    event->turn_us = db_i64(rows, 0, 12) * 1000000;
    event->absent_us = db_i64(rows, 0, 13) * 1000000;
    event->stopped_us = db_i64(rows, 0, 14);
    event->stopped_at_us = time_or_none(rows, 0, 15);
    event->max_per_order = (uint32_t)db_u64(rows, 0, 17);
    event->notice_at_us = time_or_none(rows, 0, 19);
    event->last = db_u64(rows, 0, 20);
    event->served = db_u64(rows, 0, 21);
    event->has_wait = !db_is_null(rows, 0, 22) && !db_is_null(rows, 0, 23);
    event->us_per_place_low = db_i64(rows, 0, 22);
    event->us_per_place_high = db_i64(rows, 0, 23);
    event->max_per_customer = (uint32_t)db_u64(rows, 0, 24);
    event->hold_seconds = (uint32_t)db_u64(rows, 0, 25);
    int error = copy_text(rows, 0, 2, &event->name);
    error = error ? error : copy_text(rows, 0, 3, &event->venue);
    error = error ? error : copy_text(rows, 0, 4, &event->timezone);
    error = error ? error : copy_text(rows, 0, 16, &event->stop_reason);
    error = error ? error : copy_text(rows, 0, 18, &event->notice);
    return error ? error : lifecycle_state_parse(db_string(rows, 0, 7), &event->state);
}

static int fill_prices(const struct db_rows *rows, struct snapshot_tier *tier)
{
    size_t count = 0;
    for (size_t row = 0; row < db_rows_count(rows); row++)
        count += strcmp(db_string(rows, row, 0), tier->code) == 0;
    tier->prices = calloc(count ? count : 1, sizeof *tier->prices);
    if (!tier->prices)
        return ERROR_MEMORY;
    for (size_t row = 0; row < db_rows_count(rows); row++) {
        if (strcmp(db_string(rows, row, 0), tier->code) != 0)
            continue;
        struct snapshot_price *price = &tier->prices[tier->price_count++];
        snprintf(price->code, sizeof price->code, "%s", db_string(rows, row, 1));
        price->amount = db_u64(rows, row, 3);
        int error = copy_text(rows, row, 2, &price->name);
        if (error < 0)
            return error;
    }
    return 0;
}

static struct snapshot **find_slot(struct line_store *store, uint32_t id)
{
    for (size_t i = 0; i < store->snapshot_count; i++)
        if (store->snapshots[i]->id == id)
            return &store->snapshots[i];
    return NULL;
}

// The hall that the event's last snapshot has, if it is still the same.
static struct hall *known_hall(struct line_store *store, uint32_t event_id, const char *tier, uint64_t layout)
{
    struct snapshot **slot = find_slot(store, event_id);
    for (size_t i = 0; slot && i < (*slot)->tier_count; i++) {
        const struct snapshot_tier *known = &(*slot)->tiers[i];
        if (known->hall && known->hall->layout == layout && strcmp(known->code, tier) == 0)
            return hall_ref(known->hall);
    }
    return NULL;
}

// `layout` was read before the seats: if they change in between, the event's next version shows another one.
static int fill_hall(struct line_store *store, uint32_t event_id, uint64_t layout, struct snapshot_tier *tier)
{
    if (!tier->seated)
        return 0;
    tier->hall = known_hall(store, event_id, tier->code, layout);
    return tier->hall ? 0 : store_read_hall(store, event_id, tier->code, layout, &tier->hall);
}

static int fill_tier(struct line_store *store, const struct db_rows *tiers, size_t row, const struct db_rows *prices,
                     struct snapshot *event)
{
    struct snapshot_tier *tier = &event->tiers[event->tier_count++];
    snprintf(tier->code, sizeof tier->code, "%s", db_string(tiers, row, 0));
    tier->capacity = db_u64(tiers, row, 2);
    tier->left = db_u64(tiers, row, 3);
    tier->seated = strcmp(db_string(tiers, row, 4), "seated") == 0;
    tier->standby = db_u64(tiers, row, 6);
    event->counted_at_us = db_time_us(tiers, row, 5);
    int error = copy_text(tiers, row, 1, &tier->name);
    if (error == 0)
        error = fill_prices(prices, tier);
    return error ? error : fill_hall(store, event->id, db_u64(tiers, row, 7), tier);
}

static int fill_tiers(struct line_store *store, struct snapshot *event)
{
    struct db_rows *tiers CLEANUP(db_rows_cleanup) = NULL, *prices CLEANUP(db_rows_cleanup) = NULL;
    int error = db_read(store->db,
                        "SELECT code, name, capacity, capacity - held - sold, kind, UTC_TIMESTAMP(6), standby, layout"
                        " FROM tiers WHERE event_id = ? ORDER BY position, code",
                        (struct db_value[]){DB_U(event->id)}, 1, TIERS_MAX, &tiers);
    if (error == 0)
        error = db_read(store->db,
                        "SELECT tier, code, name, amount FROM tier_prices WHERE event_id = ? ORDER BY position, code",
                        (struct db_value[]){DB_U(event->id)}, 1, PRICES_MAX, &prices);
    if (error < 0)
        return error;
    size_t count = db_rows_count(tiers);
    event->tiers = calloc(count ? count : 1, sizeof *event->tiers);
    if (!event->tiers)
        return ERROR_MEMORY;
    for (size_t row = 0; row < count && error == 0; row++)
        error = fill_tier(store, tiers, row, prices, event);
    return error;
}

// Reads one event. Its row comes first: when somebody changes it meanwhile, the version shows it at the next look.
static int read_snapshot(struct line_store *store, uint32_t id, struct snapshot **ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int error =
        db_read(store->db,
                "SELECT e.version, e.slug, e.name, e.venue, e.timezone, e.currency, e.pace, e.state, e.lobby_size,"
                " e.starts_at, e.lobby_opens_at, e.opens_at, e.turn_seconds, e.absent_seconds, e.stopped_us,"
                " e.stopped_at, e.stop_reason, e.max_per_order, e.notice, e.notice_at, COALESCE(c.last, 0),"
                " COALESCE(s.served, 0), s.us_per_place_low, s.us_per_place_high, e.max_per_customer, e.hold_seconds"
                " FROM events e"
                " LEFT JOIN line_counters c ON c.event_id = e.id LEFT JOIN line_served s ON s.event_id = e.id"
                " WHERE e.id = ?",
                (struct db_value[]){DB_U(id)}, 1, 1, &rows);
    if (error < 0)
        return error;
    if (db_rows_count(rows) == 0)
        return ERROR_NOT_FOUND;
    struct snapshot *event = snapshot_new();
    if (!event)
        return ERROR_MEMORY;
    event->id = id;
    error = fill_event(rows, event);
    if (error == 0)
        error = fill_tiers(store, event);
    if (error < 0) {
        snapshot_unref(event);
        return error;
    }
    *ret = event;
    return 0;
}

static int take_over(struct line_store *store, struct snapshot *event)
{
    struct snapshot **slot = find_slot(store, event->id);
    if (!slot) {
        struct snapshot **bigger = realloc(store->snapshots, (store->snapshot_count + 1) * sizeof(struct snapshot *));
        if (!bigger)
            return ERROR_MEMORY;
        store->snapshots = bigger;
        slot = &store->snapshots[store->snapshot_count++];
        *slot = NULL;
    }
    snapshot_unref(*slot);
    *slot = event;
    log_info("event_read", LOG_S("slug", event->slug), LOG_U("version", event->version),
             LOG_S("state", lifecycle_state_name(event->state)));
    tell(store, event);
    return 0;
}

int store_read_events(struct line_store *store)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int error = db_read(store->db, "SELECT id, version FROM events ORDER BY id DESC LIMIT 10000", NULL, 0,
                        STORE_EVENTS_MAX, &rows);
    for (size_t row = 0; error == 0 && row < db_rows_count(rows); row++) {
        uint32_t id = (uint32_t)db_u64(rows, row, 0);
        struct snapshot **slot = find_slot(store, id), *event = NULL;
        if (slot && (*slot)->version >= db_u64(rows, row, 1))
            continue;
        error = read_snapshot(store, id, &event);
        if (error == 0) {
            error = take_over(store, event);
            if (error < 0)
                snapshot_unref(event);
        }
    }
    return error;
}

static struct metric line_reads =
    METRIC_COUNTER("onsale_line_reads_total", "Times the line was read from MySQL, not heard.");

int store_read_line(struct line_store *store)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int error = db_read(store->db,
                        "SELECT e.slug, s.served, c.last, e.pace, s.us_per_place_low, s.us_per_place_high FROM events e"
                        " JOIN line_served s ON s.event_id = e.id JOIN line_counters c ON c.event_id = e.id"
                        " WHERE e.state <> 'draft' ORDER BY e.id DESC LIMIT 10000",
                        NULL, 0, STORE_EVENTS_MAX, &rows);
    if (error < 0)
        return error;
    size_t count = db_rows_count(rows);
    struct served_news *news = served_news_new(count);
    if (!news)
        return ERROR_MEMORY;
    for (size_t row = 0; row < count; row++) {
        struct message_served_event *event = &news->events[row];
        snprintf(event->slug, sizeof event->slug, "%s", db_string(rows, row, 0));
        event->served = db_u64(rows, row, 1);
        event->last = db_u64(rows, row, 2);
        snprintf(event->pace, sizeof event->pace, "%s", db_string(rows, row, 3));
        event->has_wait = !db_is_null(rows, row, 4) && !db_is_null(rows, row, 5);
        event->us_per_place_low = db_i64(rows, row, 4);
        event->us_per_place_high = db_i64(rows, row, 5);
    }
    metric_add(&line_reads, 1);
    loops_post_all(store->options.loops, store->options.on_served, news, news_hold);
    news_unref(news);
    return 0;
}

int store_read_clock(struct line_store *store)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int64_t before_us = clock_utc_us();
    int error = db_read(store->db, "SELECT UTC_TIMESTAMP(6)", NULL, 0, 1, &rows);
    if (error < 0)
        return error;
    int64_t middle_us = before_us + (clock_utc_us() - before_us) / 2;
    atomic_store(&store->clock_offset_us, db_time_us(rows, 0, 0) - middle_us);
    return 0;
}

struct present {
    uint32_t event_id;
    uint32_t present;
};

// Takes the sums that have to be written: an event whose last visitor left is written once more, with zero.
static size_t take_presence(struct line_store *store, struct present **ret)
{
    pthread_mutex_lock(&store->lock);
    struct present *list = calloc(store->presence_count ? store->presence_count : 1, sizeof *list);
    size_t count = 0;
    for (size_t i = 0; list && i < store->presence_count; i++) {
        struct store_presence *presence = &store->presence[i];
        uint32_t sum = 0;
        for (size_t j = 0; j < LOOPS_MAX; j++)
            sum += presence->present[j];
        if (sum > 0 || presence->reported)
            list[count++] = (struct present){presence->event_id, sum};
        presence->reported = sum > 0;
    }
    pthread_mutex_unlock(&store->lock);
    *ret = list;
    return count;
}

int store_report_presence(struct line_store *store)
{
    struct present *list;
    size_t count = take_presence(store, &list);
    int error = 0;
    for (size_t i = 0; i < count && error == 0; i++)
        error = db_write(
            store->db,
            "INSERT INTO presence (room, event_id, present, reported_at) VALUES (?, ?, ?, UTC_TIMESTAMP(6))"
            " ON DUPLICATE KEY UPDATE present = VALUES(present), reported_at = VALUES(reported_at)",
            (struct db_value[]){db_text(store->options.room), DB_U(list[i].event_id), DB_U(list[i].present)}, 3, NULL);
    free(list);
    return error;
}

// Waiting rooms that were killed leave their rows behind; nobody believes them after a few seconds.
void store_sweep_presence(struct line_store *store)
{
    if (db_write(store->db, "DELETE FROM presence WHERE reported_at < UTC_TIMESTAMP(6) - INTERVAL 1 DAY", NULL, 0,
                 NULL) < 0)
        log_warn("presence_not_swept", LOG_S("error", db_error_text(store->db)));
}

void store_forget_presence(struct line_store *store)
{
    if (db_is_connected(store->db) && db_write(store->db, "DELETE FROM presence WHERE room = ?",
                                               (struct db_value[]){db_text(store->options.room)}, 1, NULL) < 0)
        log_warn("presence_not_cleared", LOG_S("error", db_error_text(store->db)));
}

void store_register_event_metrics(void)
{
    metrics_register(&line_reads);
}
