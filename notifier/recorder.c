// SPDX-License-Identifier: Apache-2.0
// See recorder.h. One message at a time: dead letters are rare, and each is a transaction of its own so that one cannot spoil another.
#include "notifier/recorder.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/outbox.h"
#include "common/topology.h"
#include "notifier/letter.h"
#include "notifier/meters.h"
#include "notifier/store.h"

#define MS_NS INT64_C(1000000)
#define PREFETCH 16
#define IDLE_MS 1000 // at least this often heartbeats are serviced and MySQL is looked after
#define CONFIRM_TIMEOUT_MS 3000

struct recorder {
    const struct stop *stop;
    struct link link;
    pthread_t thread;
    struct outbox *outbox;
    struct message *scratch;
    bool is_subscribed;
    // The ring: `count` deliveries from `first` on.
    struct bus_delivery ring[PREFETCH];
    size_t first, count;
};

bool recorder_has_mysql(const struct recorder *recorder)
{
    return atomic_load(&recorder->link.has_db);
}

bool recorder_has_rabbitmq(const struct recorder *recorder)
{
    return atomic_load(&recorder->link.has_bus);
}

// ---------------------------------------------------------------- RabbitMQ

static void drop_first(struct recorder *recorder)
{
    bus_delivery_done(&recorder->ring[recorder->first]);
    recorder->first = (recorder->first + 1) % PREFETCH;
    recorder->count--;
}

static void drop_all(struct recorder *recorder)
{
    while (recorder->count > 0)
        drop_first(recorder);
}

static void lose_bus(struct recorder *recorder, int error)
{
    link_lose_bus(&recorder->link, error);
    outbox_lost_bus(recorder->outbox);
    recorder->is_subscribed = false;
    drop_all(recorder); // they come again
}

static void subscribe(struct recorder *recorder)
{
    if (recorder->is_subscribed || link_use_bus(&recorder->link))
        return;
    int result = bus_consume(recorder->link.bus, TOPOLOGY_DEAD, PREFETCH, false);
    if (result) {
        lose_bus(recorder, result);
        return;
    }
    recorder->is_subscribed = true;
    log_info("subscribed", LOG_S("queue", TOPOLOGY_DEAD));
}

// Takes what has arrived into the ring, and serves heartbeats. False when there is no connection (any more).
static bool receive(struct recorder *recorder)
{
    while (recorder->link.bus) {
        struct bus_delivery delivery = {0};
        int result = bus_receive(recorder->link.bus, 0, &delivery);
        if (result == ERROR_NOT_FOUND)
            return true;
        if (result == ERROR_LIMIT) {
            log_error("message_dropped", LOG_S("queue", TOPOLOGY_DEAD),
                      LOG_S("text", bus_error_text(recorder->link.bus)));
            continue;
        }
        if (result == 0 && recorder->count == PREFETCH)
            result = ERROR_BUG; // more than the prefetch
        if (result) {
            bus_delivery_done(&delivery);
            lose_bus(recorder, result);
            return false;
        }
        recorder->ring[(recorder->first + recorder->count++) % PREFETCH] = delivery;
    }
    return false;
}

static void publish(struct recorder *recorder)
{
    if (!recorder->link.bus || outbox_pending(recorder->outbox) == 0)
        return;
    int result = outbox_publish(recorder->outbox, recorder->link.bus);
    if (result == 0)
        result = bus_wait_confirms(recorder->link.bus, CONFIRM_TIMEOUT_MS);
    if (result)
        lose_bus(recorder, result);
    else
        outbox_confirmed(recorder->outbox);
}

// ---------------------------------------------------------------- MySQL

// Waits before the same is tried again, serving the broker meanwhile. False: given up, the message comes again.
static bool wait_for_mysql(struct recorder *recorder, int error)
{
    int64_t until_ns = clock_monotonic_ns() + link_db_fails(&recorder->link, "recording a dead letter", error) * MS_NS;
    for (;;) {
        int64_t left_ms = (until_ns - clock_monotonic_ns() + MS_NS - 1) / MS_NS;
        if (left_ms <= 0)
            return !stop_was_asked(recorder->stop);
        stop_wait(recorder->stop, -1, left_ms);
        if (stop_was_asked(recorder->stop) || !receive(recorder))
            return false;
    }
}

static int record_once(struct recorder *recorder, const struct letter *letter, struct store_result *ret)
{
    int result = link_use_db(&recorder->link);
    return result ? result : store_record(recorder->link.db, recorder->outbox, letter, ret);
}

// However long it takes. False: given up, see wait_for_mysql().
static bool record(struct recorder *recorder, struct letter *letter, struct store_result *ret)
{
    bool is_reduced = false;
    for (;;) {
        int result = record_once(recorder, letter, ret);
        if (result == 0) {
            link_db_works(&recorder->link);
            return true;
        }
        if (result == ERROR_INVALID && !is_reduced) {
            letter_reduce(letter, db_error_text(recorder->link.db));
            is_reduced = true;
            continue;
        }
        if (!wait_for_mysql(recorder, result))
            return false;
    }
}

// ---------------------------------------------------------------- a message

static void log_letter(const struct letter *letter, const struct store_result *done)
{
    const struct dead_letter *dead = &letter->dead;
    if (done->is_failed) {
        metric_add(&meter_returned_orders, 1);
        log_warn("order_failed", LOG_S("slug", done->slug), LOG_U("place", dead->place),
                 LOG_U("attempt", dead->attempt), LOG_S("reason", "crashed"));
    }
    if (!done->is_new)
        return;
    metric_add(&meter_dead_letters, 1);
    log_error("dead_letter", LOG_S("slug", done->slug), LOG_U("place", dead->place), LOG_U("attempt", dead->attempt),
              LOG_S("queue", dead->queue), LOG_S("reason", dead->reason), LOG_S("detail", dead->detail));
}

static void work(struct recorder *recorder)
{
    struct letter letter = {0};
    struct store_result done = {0};
    int result = letter_read(&recorder->ring[recorder->first], recorder->scratch, &letter);
    if (result) {
        lose_bus(recorder, result);
        return;
    }
    bool is_recorded = record(recorder, &letter, &done);
    if (is_recorded)
        log_letter(&letter, &done);
    letter_done(&letter);
    if (!is_recorded)
        return; // unacknowledged, it goes to the next
    result = bus_ack(recorder->link.bus, recorder->ring[recorder->first].tag, false);
    if (result)
        lose_bus(recorder, result);
    else
        drop_first(recorder);
    publish(recorder);
}

// Nothing to record: what was published leaves the outbox, and MySQL is asked whether it is there.
static void tidy(struct recorder *recorder)
{
    int64_t now_ns = clock_monotonic_ns();
    publish(recorder);
    int result = link_use_db(&recorder->link);
    if (result == 0)
        result = outbox_tidy(recorder->outbox, recorder->link.db);
    if (result == 0)
        link_db_works(&recorder->link);
    else if (now_ns >= recorder->link.db_at_ns)
        (void)link_db_fails(&recorder->link, "looking whether it is there", result);
}

static void *run(void *context)
{
    struct recorder *recorder = context;
    while (!stop_was_asked(recorder->stop)) {
        subscribe(recorder);
        (void)receive(recorder);
        if (recorder->count > 0) {
            work(recorder);
            continue;
        }
        tidy(recorder);
        stop_wait(recorder->stop, recorder->link.bus ? bus_fd(recorder->link.bus) : -1,
                  link_wait_ms(&recorder->link, IDLE_MS));
    }
    tidy(recorder);
    return NULL;
}

static void recorder_free(struct recorder *recorder)
{
    drop_all(recorder);
    link_done(&recorder->link);
    outbox_free(recorder->outbox);
    free(recorder->scratch);
    free(recorder);
}

int recorder_start(const struct settings *settings, const struct stop *stop, struct recorder **ret)
{
    struct recorder *recorder = calloc(1, sizeof(*recorder));
    if (!recorder)
        return ERROR_MEMORY;
    recorder->stop = stop;
    link_init(&recorder->link, &settings->common, "notifier", "recorder");
    recorder->scratch = calloc(1, sizeof(*recorder->scratch));
    int result = recorder->scratch ? outbox_new(&recorder->outbox) : ERROR_MEMORY;
    if (result == 0 && pthread_create(&recorder->thread, NULL, run, recorder))
        result = ERROR_PERMANENT;
    if (result)
        recorder_free(recorder);
    else
        *ret = recorder;
    return result;
}

void recorder_join(struct recorder *recorder)
{
    if (!recorder)
        return;
    pthread_join(recorder->thread, NULL);
    recorder_free(recorder);
}
