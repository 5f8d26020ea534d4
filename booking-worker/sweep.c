// SPDX-License-Identifier: Apache-2.0
// See sweep.h. One statement says which events may have something to be done, one more for each where something is held; where there is none,
// that is all that a round costs.
#include "booking-worker/sweep.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "booking-worker/booker.h"
#include "booking-worker/meters.h"
#include "booking-worker/sell_out.h"
#include "booking-worker/store.h"
#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/outbox.h"

#define ROUND_MS 250
#define EVENTS_MAX 100 // in one statement
#define RUNS_MAX 20 // transactions for one event in one round
#define CONFIRM_TIMEOUT_MS 3000

struct sweep {
    const struct stop *stop;
    struct payer *payer;
    struct link link;
    struct booker *booker;
    struct outbox *outbox;
    struct message *scratch;
    bool has_unconfirmed;
    int failed; // of this round: what went wrong with an event, if not the connection; the others had their turn all the same
    pthread_t thread;
};

bool sweep_has_mysql(const struct sweep *sweep)
{
    return atomic_load(&sweep->link.has_db);
}

// ---------------------------------------------------------------- RabbitMQ

static void lose_bus(struct sweep *sweep, int error)
{
    link_lose_bus(&sweep->link, error);
    sweep->has_unconfirmed = false;
    outbox_lost_bus(sweep->outbox);
}

static void publish(struct sweep *sweep)
{
    if (link_use_bus(&sweep->link))
        return; // what stands in the outbox is published later, by whoever can
    int result = outbox_publish(sweep->outbox, sweep->link.bus);
    sweep->has_unconfirmed = sweep->has_unconfirmed || outbox_pending(sweep->outbox) > 0;
    if (result)
        lose_bus(sweep, result);
}

// The broker closes a connection that is silent for long.
static void serve_bus(struct sweep *sweep)
{
    struct bus_delivery delivery = {0};
    if (!sweep->link.bus)
        return;
    int result = sweep->has_unconfirmed ? bus_wait_confirms(sweep->link.bus, CONFIRM_TIMEOUT_MS) : 0;
    if (result == 0 && sweep->has_unconfirmed)
        outbox_confirmed(sweep->outbox);
    if (result == 0) {
        sweep->has_unconfirmed = false;
        result = bus_receive(sweep->link.bus, 0, &delivery);
        bus_delivery_done(&delivery);
    }
    if (result && result != ERROR_NOT_FOUND)
        lose_bus(sweep, result);
}

// ---------------------------------------------------------------- one round

// What the tiers' numbers tell: events where something was ended, somebody may be served from standby, the state is not what it should be, or
// something is held. Whether a hold has run out is asked for each of the latter by itself, since each has a clock of its own: a bound that differs
// from event to event would be no range of the index, and the server would read all bookings.
static int find_events(struct db *db, uint64_t after, struct db_rows **ret)
{
    return db_read(
        db,
        "SELECT id, is_due OR is_wrong, now FROM (SELECT id, now, is_due, has_held,"
        " IF(state = 'sold_out', NOT is_all_sold, state <> 'closed' AND is_all_sold) AS is_wrong"
        " FROM (SELECT e.id, e.state,"
        " UTC_TIMESTAMP(6) - INTERVAL e.stopped_us MICROSECOND AS now,"
        " EXISTS (SELECT 1 FROM freeings f WHERE f.event_id = e.id AND f.payment_open = 0)"
        " OR EXISTS (SELECT 1 FROM tiers t WHERE t.event_id = e.id AND t.standby > 0 AND (e.state = 'closed'"
        " OR t.held + t.sold < t.capacity OR t.capacity < t.sold + e.max_per_customer)) AS is_due,"
        " EXISTS (SELECT 1 FROM tiers t WHERE t.event_id = e.id AND t.held > 0) AS has_held,"
        " EXISTS (SELECT 1 FROM tiers t WHERE t.event_id = e.id) AND NOT EXISTS (SELECT 1 FROM tiers t"
        " WHERE t.event_id = e.id AND (t.held > 0 OR t.standby > 0 OR t.sold < t.capacity)) AS is_all_sold"
        " FROM events e WHERE e.id > ? AND e.state IN ('open', 'paused', 'sold_out', 'closed')) AS tiers_say)"
        " AS events_now WHERE is_due OR has_held OR is_wrong ORDER BY id LIMIT 100",
        (struct db_value[]){DB_U(after)}, 1, EVENTS_MAX, ret);
}

static int has_lapsed(struct db *db, uint64_t event_id, int64_t now_us, bool *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db,
                         "SELECT 1 FROM bookings b FORCE INDEX (bookings_pay_until) WHERE b.pay_until <= ?"
                         " AND b.event_id = ? AND " STORE_MAY_LAPSE " LIMIT 1",
                         (struct db_value[]){DB_T(now_us), DB_U(event_id)}, 2, 1, &rows);
    *ret = db_rows_count(rows) > 0;
    return result;
}

static int mend_state(struct sweep *sweep, const struct booker_result *found)
{
    bool is_told;
    int told;
    int result = sell_out_or_again(sweep->link.db, sweep->link.bus, sweep->scratch, found, &is_told, &told);
    sweep->has_unconfirmed = sweep->has_unconfirmed || is_told;
    if (told)
        lose_bus(sweep, told);
    return result;
}

// Every transaction is published at once: a visitor waits for each of them.
static int sweep_event(struct sweep *sweep, uint64_t event_id)
{
    struct booker_result done = {.has_more = true};
    for (int i = 0; i < RUNS_MAX && done.has_more && !stop_was_asked(sweep->stop); i++) {
        int result = booker_sweep(sweep->booker, sweep->link.db, sweep->outbox, event_id, &done);
        if (result == ERROR_NOT_FOUND)
            return 0; // it is gone
        if (result)
            return result;
        if (done.has_payments)
            payer_ring(sweep->payer);
        publish(sweep);
        result = mend_state(sweep, &done);
        if (result)
            return result;
    }
    return 0;
}

// Tiers that somebody else has for long, or rows that cannot be: they keep no other event waiting.
static int pass_over(struct sweep *sweep, uint64_t event_id, int error)
{
    if (!db_is_connected(sweep->link.db))
        return error;
    log_debug("event_not_swept", LOG_U("event_id", event_id), LOG_S("error", error_str(error)),
              LOG_S("text", db_error_text(sweep->link.db)));
    sweep->failed = error;
    return 0;
}

static int sweep_page(struct sweep *sweep, uint64_t *after, bool *ret_more)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = find_events(sweep->link.db, *after, &rows);
    *ret_more = db_rows_count(rows) == EVENTS_MAX;
    for (size_t i = 0; i < db_rows_count(rows) && result == 0 && !stop_was_asked(sweep->stop); i++) {
        bool is_due = db_u64(rows, i, 1) != 0;
        *after = db_u64(rows, i, 0);
        if (!is_due)
            result = has_lapsed(sweep->link.db, *after, db_time_us(rows, i, 2), &is_due);
        if (result == 0 && is_due)
            result = sweep_event(sweep, *after);
        if (result)
            result = pass_over(sweep, *after, result);
    }
    return result;
}

static void go_round(struct sweep *sweep)
{
    int64_t began_ns = clock_monotonic_ns();
    uint64_t after = 0;
    bool has_more = true;
    int result = link_use_db(&sweep->link);
    sweep->failed = 0;
    while (result == 0 && has_more && !stop_was_asked(sweep->stop))
        result = sweep_page(sweep, &after, &has_more);
    if (result == 0)
        result = outbox_tidy(sweep->outbox, sweep->link.db); // what no transaction took along
    if (result == 0)
        result = sweep->failed;
    if (result == 0) {
        link_db_works(&sweep->link);
        metric_observe_us(&meter_sweep_duration, (clock_monotonic_ns() - began_ns) / 1000);
    } else if (clock_monotonic_ns() >= sweep->link.db_at_ns) {
        (void)link_db_fails(&sweep->link, "sweeping", result);
    }
    if (outbox_pending(sweep->outbox) > 0)
        publish(sweep);
    serve_bus(sweep);
}

static void *run(void *context)
{
    struct sweep *sweep = context;
    while (!stop_was_asked(sweep->stop)) {
        go_round(sweep);
        stop_wait(sweep->stop, -1, ROUND_MS);
    }
    int result = link_use_db(&sweep->link);
    if (result == 0)
        result = outbox_tidy(sweep->outbox, sweep->link.db);
    if (result) // what is left over goes out a second time, and that is all
        log_debug("outbox_left", LOG_S("class", error_str(result)));
    return NULL;
}

static void sweep_free(struct sweep *sweep)
{
    link_done(&sweep->link);
    booker_free(sweep->booker);
    outbox_free(sweep->outbox);
    free(sweep->scratch);
    free(sweep);
}

int sweep_start(const struct settings *settings, const struct stop *stop, struct payer *payer, struct sweep **ret)
{
    const struct booker_options options = {
        .queue = "",
        .needs_payment = settings->common.payment_provider != PAYMENT_NONE,
        .takes_cards = settings->common.payment_provider == PAYMENT_STRIPE,
        .crash_sweep_place = (uint64_t)settings->test_crash_sweep_place,
    };
    struct sweep *sweep = calloc(1, sizeof(*sweep));
    if (!sweep)
        return ERROR_MEMORY;
    sweep->stop = stop;
    sweep->payer = payer;
    link_init(&sweep->link, &settings->common, "booking-worker", "sweep");
    sweep->scratch = calloc(1, sizeof(*sweep->scratch));
    int result = sweep->scratch ? booker_new(&options, &sweep->booker) : ERROR_MEMORY;
    if (result == 0)
        result = outbox_new(&sweep->outbox);
    if (result == 0 && pthread_create(&sweep->thread, NULL, run, sweep))
        result = ERROR_PERMANENT;
    if (result)
        sweep_free(sweep);
    else
        *ret = sweep;
    return result;
}

void sweep_join(struct sweep *sweep)
{
    if (!sweep)
        return;
    pthread_join(sweep->thread, NULL);
    sweep_free(sweep);
}
