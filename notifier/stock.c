// SPDX-License-Identifier: Apache-2.0
// See stock.h. All events are counted with two statements, from an index alone. A slow count is followed by a longer wait, so that
// counting never takes more than a twentieth of the time.
#include "notifier/stock.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/message.h"
#include "common/topology.h"
#include "notifier/meters.h"

#define MS_NS INT64_C(1000000)
#define ALL_NS (1000 * MS_NS) // every live event
#define TOUCHED_NS (250 * MS_NS) // those whose outcomes went by
#define SHARE 20 // of the time
#define CONFIRM_TIMEOUT_MS 3000
#define TOUCHED_MAX 64 // more at once count as all
#define ROWS_MAX 20000 // tiers of all live events

struct touched {
    bool all;
    size_t count;
    char slugs[TOUCHED_MAX][SLUG_BYTES];
};

struct stock {
    const struct stop *stop;
    struct link link;
    pthread_t thread;
    pthread_mutex_t lock; // for `touched`
    struct touched touched;
    int wake_fd; // readable when something was touched
    int64_t next_ns, next_all_ns;
    struct message *message;
};

bool stock_has_mysql(const struct stock *stock)
{
    return atomic_load(&stock->link.has_db);
}

bool stock_has_rabbitmq(const struct stock *stock)
{
    return atomic_load(&stock->link.has_bus);
}

// ---------------------------------------------------------------- what was touched

static bool is_touched(const struct touched *touched, const char *slug)
{
    for (size_t i = 0; i < touched->count; i++)
        if (strcmp(touched->slugs[i], slug) == 0)
            return true;
    return touched->all;
}

void stock_touch(struct stock *stock, const char *slug)
{
    const uint64_t one = 1;
    pthread_mutex_lock(&stock->lock);
    bool is_new = !is_touched(&stock->touched, slug);
    if (is_new && stock->touched.count == TOUCHED_MAX)
        stock->touched.all = true;
    else if (is_new)
        memcpy(stock->touched.slugs[stock->touched.count++], slug, strlen(slug) + 1);
    pthread_mutex_unlock(&stock->lock);
    if (is_new) {
        ssize_t written = write(stock->wake_fd, &one, sizeof(one));
        (void)written; // full is awake, too
    }
}

static void take_touched(struct stock *stock, struct touched *ret)
{
    uint64_t count;
    ssize_t got = read(stock->wake_fd, &count, sizeof(count));
    (void)got; // nothing there is nothing wrong
    pthread_mutex_lock(&stock->lock);
    *ret = stock->touched;
    stock->touched.all = false;
    stock->touched.count = 0;
    pthread_mutex_unlock(&stock->lock);
}

// ---------------------------------------------------------------- counting

// The time comes from the first statement: what is told with a later one is younger than all that was counted here.
static int count(struct db *db, struct db_rows **ret_tiers, struct db_rows **ret_asked)
{
    int result = db_read(db,
                         "SELECT e.id, e.slug, t.code, t.capacity - t.held - t.sold, UTC_TIMESTAMP(6), t.standby"
                         " FROM events e JOIN tiers t ON t.event_id = e.id"
                         " WHERE e.state IN ('lobby', 'open', 'paused', 'stopped', 'sold_out')"
                         " ORDER BY e.id, t.code LIMIT 20000",
                         NULL, 0, ROWS_MAX, ret_tiers);
    if (result || db_rows_count(*ret_tiers) == 0)
        return result;
    return db_read(db,
                   "SELECT o.event_id, o.tier, CAST(SUM(o.quantity) AS UNSIGNED) FROM events e"
                   " STRAIGHT_JOIN orders o FORCE INDEX (orders_due) ON o.event_id = e.id AND o.state = 'placed'"
                   " WHERE e.state IN ('lobby', 'open', 'paused', 'stopped', 'sold_out')"
                   " GROUP BY o.event_id, o.tier ORDER BY o.event_id, o.tier LIMIT 20000",
                   NULL, 0, ROWS_MAX, ret_asked);
}

// Both results have the same order, so one pass over each is enough. *at is where the last look ended.
static uint64_t asked_of(const struct db_rows *asked, uint64_t event_id, const char *code, size_t *at)
{
    for (; *at < db_rows_count(asked); ++*at) {
        uint64_t id = db_u64(asked, *at, 0);
        int order = id < event_id ? -1 : id > event_id ? 1 : strcmp(db_string(asked, *at, 1), code);
        if (order == 0)
            return db_u64(asked, *at, 2);
        if (order > 0)
            break;
    }
    return 0;
}

static int publish(struct stock *stock)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    message_write(stock->message, &text);
    if (text.failed)
        return ERROR_MEMORY;
    const struct bus_message out = {
        .exchange = TOPOLOGY_FEED,
        .routing_key = "",
        .body = text.data,
        .body_bytes = text.bytes,
        .type = message_type_name(MESSAGE_STOCK),
    };
    int result = bus_publish(stock->link.bus, &out, NULL);
    if (result == 0)
        metric_add(&meter_stock_messages, 1);
    return result;
}

static int tell(struct stock *stock, const struct db_rows *tiers, const struct db_rows *asked,
                const struct touched *wanted)
{
    size_t at = 0, rows = db_rows_count(tiers);
    int result = 0;
    for (size_t i = 0; i < rows && result == 0; i++) {
        const char *slug = db_string(tiers, i, 1), *code = db_string(tiers, i, 2);
        uint64_t event_id = db_u64(tiers, i, 0);
        if (i == 0 || db_u64(tiers, i - 1, 0) != event_id) {
            stock->message->type = MESSAGE_STOCK;
            memcpy(stock->message->stock.slug, slug, strlen(slug) + 1);
            stock->message->stock.at_us = db_time_us(tiers, i, 4);
            stock->message->stock.tier_count = 0;
        }
        if (stock->message->stock.tier_count < MESSAGE_TIERS_MAX) {
            struct message_stock_tier *tier = &stock->message->stock.tiers[stock->message->stock.tier_count++];
            memcpy(tier->code, code, strlen(code) + 1);
            tier->left = db_u64(tiers, i, 3);
            tier->standby = db_u64(tiers, i, 5);
            tier->asked = asked_of(asked, event_id, code, &at);
        }
        if ((i + 1 == rows || db_u64(tiers, i + 1, 0) != event_id) && is_touched(wanted, slug))
            result = publish(stock);
    }
    return result ? result : bus_wait_confirms(stock->link.bus, CONFIRM_TIMEOUT_MS);
}

static void run_round(struct stock *stock, const struct touched *wanted)
{
    struct db_rows *tiers CLEANUP(db_rows_cleanup) = NULL, *asked CLEANUP(db_rows_cleanup) = NULL;
    int64_t begun_ns = clock_monotonic_ns();
    int result = link_use_db(&stock->link);
    if (result == 0)
        result = count(stock->link.db, &tiers, &asked);
    if (result == 0) {
        link_db_works(&stock->link);
    } else if (begun_ns >= stock->link.db_at_ns) {
        (void)link_db_fails(&stock->link, "counting the stock", result);
    }
    int64_t now_ns = clock_monotonic_ns(), after_ns = now_ns + (now_ns - begun_ns) * (SHARE - 1);
    stock->next_ns = after_ns > begun_ns + TOUCHED_NS ? after_ns : begun_ns + TOUCHED_NS;
    if (result)
        return;
    metric_observe_us(&meter_stock_duration, (now_ns - begun_ns) / 1000);
    if (!stock->link.bus)
        return;
    result = tell(stock, tiers, asked, wanted);
    if (result)
        link_lose_bus(&stock->link, result);
}

// ---------------------------------------------------------------- the thread

// The broker closes a connection that is silent for long.
static void serve_bus(struct stock *stock)
{
    struct bus_delivery delivery = {0};
    if (link_use_bus(&stock->link))
        return;
    int result = bus_receive(stock->link.bus, 0, &delivery);
    bus_delivery_done(&delivery);
    if (result && result != ERROR_NOT_FOUND)
        link_lose_bus(&stock->link, result);
}

static bool is_awake(const struct stock *stock)
{
    struct pollfd fd = {.fd = stock->wake_fd, .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

static void *run(void *context)
{
    struct stock *stock = context;
    static struct touched wanted; // one thread, and too large for a stack
    while (!stop_was_asked(stock->stop)) {
        serve_bus(stock);
        int64_t now_ns = clock_monotonic_ns();
        bool is_all = now_ns >= stock->next_all_ns;
        if (now_ns < stock->next_ns) {
            int64_t wait_ms = (stock->next_ns - now_ns + MS_NS - 1) / MS_NS;
            stop_wait(stock->stop, -1, wait_ms < 1000 ? wait_ms : 1000);
        } else if (is_all || is_awake(stock)) {
            take_touched(stock, &wanted);
            wanted.all = wanted.all || is_all;
            if (is_all)
                stock->next_all_ns = now_ns + ALL_NS;
            run_round(stock, &wanted);
        } else {
            stop_wait(stock->stop, stock->wake_fd, (stock->next_all_ns - now_ns + MS_NS - 1) / MS_NS);
        }
    }
    return NULL;
}

static void stock_free(struct stock *stock)
{
    link_done(&stock->link);
    if (stock->wake_fd >= 0)
        close(stock->wake_fd);
    pthread_mutex_destroy(&stock->lock);
    free(stock->message);
    free(stock);
}

int stock_start(const struct settings *settings, const struct stop *stop, struct stock **ret)
{
    struct stock *stock = calloc(1, sizeof(*stock));
    if (!stock)
        return ERROR_MEMORY;
    stock->stop = stop;
    stock->next_ns = stock->next_all_ns = INT64_MIN;
    pthread_mutex_init(&stock->lock, NULL);
    link_init(&stock->link, &settings->common, "notifier", "stock");
    stock->message = calloc(1, sizeof(*stock->message));
    stock->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int result = !stock->message ? ERROR_MEMORY : stock->wake_fd < 0 ? ERROR_LIMIT : 0;
    if (result == 0 && pthread_create(&stock->thread, NULL, run, stock))
        result = ERROR_PERMANENT;
    if (result)
        stock_free(stock);
    else
        *ret = stock;
    return result;
}

void stock_join(struct stock *stock)
{
    if (!stock)
        return;
    pthread_join(stock->thread, NULL);
    stock_free(stock);
}
