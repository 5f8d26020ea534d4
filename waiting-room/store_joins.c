// SPDX-License-Identifier: Apache-2.0
// Joining: k numbers with one UPDATE, k arrivals, one commit, k answers. The event's state is read after the counter's row is
// locked; opening, stopping and closing lock the same row, so a join is wholly before or wholly after them.
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "waiting-room/line_store_internal.h"

#define ATTEMPTS 3 // a deadlock or lock time-out undid everything: the same batch once more

static struct metric joins = METRIC_COUNTER("onsale_joins_total", "Places given.");
static struct metric refused =
    METRIC_COUNTER("onsale_joins_refused_total", "Joins refused: by state, by address, or for want of MySQL.");
static struct metric batches = METRIC_COUNTER("onsale_join_batches_total", "Transactions that gave places.");
static struct metric duration =
    METRIC_HISTOGRAM("onsale_join_batch_seconds", "How long the transaction of a batch of joins took.");

void store_register_join_metrics(void)
{
    metrics_register(&joins);
    metrics_register(&refused);
    metrics_register(&batches);
    metrics_register(&duration);
}

// What the transaction found out about the event.
struct join_event {
    enum lifecycle_state state;
    bool opened;
    int64_t opens_at_us;
};

static bool may_join(enum lifecycle_state state)
{
    return state == LIFECYCLE_LOBBY || state == LIFECYCLE_OPEN || state == LIFECYCLE_PAUSED;
}

static int read_event(struct line_store *store, uint32_t event_id, struct join_event *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int error = db_read(store->db, "SELECT state, lobby_size IS NOT NULL, opens_at FROM events WHERE id = ?",
                        (struct db_value[]){DB_U(event_id)}, 1, 1, &rows);
    if (error < 0)
        return error;
    if (db_rows_count(rows) == 0)
        return ERROR_NOT_FOUND;
    struct join_event event = {.opened = db_i64(rows, 0, 1) != 0,
                               .opens_at_us = db_is_null(rows, 0, 2) ? SNAPSHOT_NO_TIME : db_time_us(rows, 0, 2)};
    error = lifecycle_state_parse(db_string(rows, 0, 0), &event.state);
    if (error < 0)
        return error;
    *ret = event;
    return 0;
}

static int write_arrivals(struct line_store *store, struct line_store_request **requests, size_t count, uint64_t first)
{
    for (size_t i = 0; i < count; i++) {
        struct db_value *row = store->values + i * 3;
        row[0] = DB_U(requests[i]->event_id);
        row[1] = DB_U(first + i);
        row[2] = DB_B(requests[i]->visitor, sizeof requests[i]->visitor);
    }
    return db_write_many(store->db, "INSERT INTO arrivals (event_id, number, visitor, joined_at) VALUES ",
                         "(?, ?, ?, UTC_TIMESTAMP(6))", "", store->values, 3, count);
}

// One attempt at the transaction. *ret_first is the first number only if everything was committed.
static int give_numbers(struct line_store *store, struct line_store_request **requests, size_t count,
                        struct join_event *ret_event, uint64_t *ret_first)
{
    uint32_t event_id = requests[0]->event_id;
    struct db_written written;
    int error = db_write(store->db, "START TRANSACTION", NULL, 0, NULL);
    if (error < 0)
        return error;
    error = db_write(store->db, "UPDATE line_counters SET last = LAST_INSERT_ID(last + ?) WHERE event_id = ?",
                     (struct db_value[]){DB_U(count), DB_U(event_id)}, 2, &written);
    if (error == 0 && written.affected == 0)
        error = ERROR_NOT_FOUND;
    if (error == 0)
        error = read_event(store, event_id, ret_event);
    if (error == 0 && !may_join(ret_event->state))
        error = ERROR_CONFLICT;
    if (error == 0)
        error = write_arrivals(store, requests, count, written.insert_id - count + 1);
    if (error == 0)
        error = db_write(store->db, "COMMIT", NULL, 0, NULL);
    if (error < 0) {
        store_roll_back(store);
        return error;
    }
    *ret_first = written.insert_id - count + 1;
    return 0;
}

// Takes each join from its address's allowance; those that have none left are answered, the others stand first.
static size_t apply_allowance(struct line_store *store, struct line_store_request **requests, size_t count)
{
    pthread_mutex_lock(&store->lock);
    struct config_rate limit = store->joins_per_address;
    pthread_mutex_unlock(&store->lock);
    int64_t now_us = clock_monotonic_ns() / 1000;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct line_store_request *request = requests[i];
        int64_t wait_seconds = rate_take(store->rate, request->address, &limit, now_us);
        if (wait_seconds > 0) {
            request->error = ERROR_LIMIT;
            request->retry_after_seconds = wait_seconds;
            continue;
        }
        requests[i] = requests[kept];
        requests[kept++] = request;
    }
    return kept;
}

static void set_answers(struct line_store_request **requests, size_t count, int error, const struct join_event *event,
                        uint64_t first)
{
    for (size_t i = 0; i < count; i++) {
        struct line_store_request *request = requests[i];
        request->error = error == 0 || error == ERROR_CONFLICT ? error : ERROR_TRANSIENT;
        request->state = event->state;
        request->opened = event->opened;
        request->opens_at_us = event->opens_at_us;
        request->retry_after_seconds = STORE_RETRY_AFTER_SECONDS;
        request->number = first + i;
        request->facts = (struct line_facts){.number = first + i};
    }
}

void store_join(struct line_store *store, struct line_store_request **requests, size_t count)
{
    size_t kept = apply_allowance(store, requests, count);
    metric_add(&refused, (int64_t)(count - kept));
    if (kept == 0)
        return;
    struct join_event event = {.opens_at_us = SNAPSHOT_NO_TIME};
    uint64_t first = 0;
    int64_t began_ns = clock_monotonic_ns();
    // After a lost connection the outcome of the COMMIT is unknown: those numbers were told to nobody and stay unused, and
    // their visitors are asked to come again.
    int error = ERROR_TRANSIENT;
    for (int attempt = 0; attempt < ATTEMPTS && error == ERROR_TRANSIENT && db_is_connected(store->db); attempt++)
        error = give_numbers(store, requests, kept, &event, &first);
    set_answers(requests, kept, error, &event, first);
    if (error == 0) {
        metric_add(&joins, (int64_t)kept);
        metric_add(&batches, 1);
        metric_observe_us(&duration, (clock_monotonic_ns() - began_ns) / 1000);
    } else {
        metric_add(&refused, (int64_t)kept);
        if (error != ERROR_CONFLICT)
            log_warn("joins_failed", LOG_U("event_id", requests[0]->event_id), LOG_U("count", kept),
                     LOG_S("class", error_str(error)), LOG_S("error", db_error_text(store->db)));
    }
}
