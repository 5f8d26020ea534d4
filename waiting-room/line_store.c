// SPDX-License-Identifier: Apache-2.0
// The store's thread: the queue, the rounds, and what happens when MySQL is away. What a round does to the database is in
// store_joins.c, store_arrivals.c and store_events.c.
#include "waiting-room/line_store.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/random.h"
#include "waiting-room/line_store_internal.h"

#define TICK_NS INT64_C(1000000000)
#define IO_TIMEOUT_SECONDS 3
#define LOCK_WAIT_SECONDS 2
#define SESSION_WAIT_SECONDS 10 // a frozen waiting room must not keep the counter's lock
#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS 2000

static struct metric queue_length = METRIC_GAUGE("onsale_store_queue", "Requests that wait for MySQL.");
static struct metric refused_away =
    METRIC_COUNTER("onsale_store_refused_total", "Requests refused because MySQL was away.");
static struct metric connected = METRIC_GAUGE("onsale_mysql_connected", "Whether there is a connection to MySQL.");

void line_store_register_metrics(void)
{
    metrics_register(&queue_length);
    metrics_register(&refused_away);
    metrics_register(&connected);
    store_register_join_metrics();
    store_register_order_metrics();
    store_register_event_metrics();
    store_register_hall_metrics();
    store_register_seats_metrics();
    store_register_stock_metrics();
    store_register_standby_metrics();
    store_register_card_metrics();
    store_register_told_metrics();
}

// What the answers log is written before the loop sends any of them, so nobody has a place that the log does not know.
static void deliver(struct http_loop *loop, void *argument)
{
    (void)loop;
    struct line_store_request *request = argument;
    log_hold();
    while (request) {
        struct line_store_request *next = request->next;
        request->next = NULL;
        request->answered(request);
        request = next;
    }
    log_release();
}

static void drop_chain(struct line_store_request *request)
{
    while (request) {
        struct line_store_request *next = request->next;
        request->dropped(request);
        request = next;
    }
}

// All answers for one loop travel as one chain, so that a batch wakes each loop once.
static void answer(struct line_store *store, struct line_store_request **requests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!requests[i])
            continue;
        struct http_loop *loop = requests[i]->loop;
        struct line_store_request *first = NULL, **last = &first;
        for (size_t j = i; j < count; j++) {
            if (!requests[j] || requests[j]->loop != loop)
                continue;
            *last = requests[j];
            last = &requests[j]->next;
            requests[j] = NULL;
        }
        *last = NULL;
        if (!loops_post(store->options.loops, loop, deliver, first))
            drop_chain(first);
    }
}

void store_roll_back(struct line_store *store)
{
    if (db_is_connected(store->db) && db_write(store->db, "ROLLBACK", NULL, 0, NULL) < 0)
        log_debug("rollback_failed", LOG_S("error", db_error_text(store->db)));
}

static void note_away(struct line_store *store, int error)
{
    int64_t wait_ms = backoff_next_ms(&store->backoff, random_u64());
    store->next_attempt_ns = clock_monotonic_ns() + wait_ms * 1000000;
    atomic_store(&store->ready, false);
    metric_set(&connected, 0);
    if (!store->away) {
        const struct log_field fields[] = {LOG_U("number", db_errno(store->db)),
                                           LOG_S("text", db_error_text(store->db))};
        // Rights, a missing table: it will not pass by itself.
        log_emit(error == ERROR_TRANSIENT ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, "mysql_away", fields,
                 sizeof fields / sizeof *fields);
    }
    store->away = true;
}

static bool connect_if_due(struct line_store *store)
{
    if (clock_monotonic_ns() < store->next_attempt_ns)
        return false;
    int error = db_ensure(store->db);
    if (error < 0) {
        note_away(store, error);
        return false;
    }
    return true;
}

static void note_back(struct line_store *store)
{
    if (store->away)
        log_info("mysql_back", LOG_U("failures", store->backoff.failures));
    store->away = false;
    backoff_reset(&store->backoff);
    atomic_store(&store->ready, true);
    metric_set(&connected, 1);
}

// The once-a-second part. Any failure makes MySQL count as away until a later tick goes through.
static void tick(struct line_store *store, bool look_at_events, bool read_line)
{
    int64_t now_ns = clock_monotonic_ns();
    bool due = now_ns >= store->next_tick_ns;
    bool was_ready = atomic_load(&store->ready);
    if (!connect_if_due(store))
        return;
    int error = 0;
    if (due || !was_ready)
        error = store_read_clock(store);
    if (error == 0 && (due || look_at_events || !was_ready))
        error = store_read_events(store);
    if (error == 0 && now_ns >= store->next_line_ns && (read_line || !was_ready || atomic_load(&store->fallback))) {
        store->next_line_ns = now_ns + TICK_NS;
        error = store_read_line(store);
    } else if (read_line) {
        line_store_read_line(store); // once a second at most: keep the wish
    }
    if (error == 0 && due)
        error = store_report_presence(store);
    if (error == 0 && due)
        error = store_count_stock(store);
    if (error == 0 && !was_ready)
        store_sweep_presence(store);
    if (due)
        store->next_tick_ns = now_ns + TICK_NS;
    if (error == 0) {
        note_back(store);
        if (!was_ready)
            store_tell_ready(store);
    } else {
        note_away(store, error);
    }
}

// Which requests are worked on together.
static enum line_store_kind kind_of_work(const struct line_store_request *request)
{
    switch (request->kind) {
    case LINE_STORE_LET_IN:
        return LINE_STORE_LOOK_UP;
    case LINE_STORE_LEAVE:
    case LINE_STORE_TAKE_BACK:
    case LINE_STORE_MORE_TIME:
    case LINE_STORE_PAY:
        return LINE_STORE_ORDER;
    case LINE_STORE_CARD_OPEN:
    case LINE_STORE_CARD_SPOIL:
    case LINE_STORE_CARD_LOOK:
    case LINE_STORE_CARD_BACK:
        return LINE_STORE_CARD_BEGIN;
    default:
        return request->kind;
    }
}

static void work_on_group(struct line_store *store, struct line_store_request **requests, size_t count)
{
    if (!atomic_load(&store->ready)) {
        for (size_t i = 0; i < count; i++) {
            requests[i]->error = ERROR_TRANSIENT;
            requests[i]->retry_after_seconds = STORE_RETRY_AFTER_SECONDS;
        }
        metric_add(&refused_away, (int64_t)count);
    } else if (requests[0]->kind == LINE_STORE_JOIN) {
        store_join(store, requests, count);
    } else if (requests[0]->kind == LINE_STORE_AHEAD) {
        store_ahead(store, requests, count);
    } else if (requests[0]->kind == LINE_STORE_SEATS) {
        store_seats(store, requests, count);
    } else if (kind_of_work(requests[0]) == LINE_STORE_ORDER) {
        store_orders(store, requests, count);
    } else if (kind_of_work(requests[0]) == LINE_STORE_CARD_BEGIN) {
        store_cards(store, requests, count);
    } else if (requests[0]->kind == LINE_STORE_TOLD) {
        store_told(store, requests, count);
    } else {
        store_look_up(store, requests, count);
    }
    if (!db_is_connected(store->db) && atomic_load(&store->ready))
        note_away(store, ERROR_TRANSIENT);
    answer(store, requests, count);
}

// Takes the batch apart by kind and event, keeping the order of arrival within each.
static void work_on_batch(struct line_store *store, size_t count)
{
    static _Thread_local struct line_store_request *group[STORE_BATCH_MAX];
    for (size_t i = 0; i < count; i++) {
        if (!store->batch[i])
            continue;
        struct line_store_request *head = store->batch[i];
        size_t group_count = 0;
        for (size_t j = i; j < count; j++) {
            struct line_store_request *request = store->batch[j];
            if (!request || request->event_id != head->event_id || kind_of_work(request) != kind_of_work(head))
                continue;
            group[group_count++] = request;
            store->batch[j] = NULL;
        }
        work_on_group(store, group, group_count);
    }
}

struct round {
    size_t count;
    bool stopping, look_at_events, read_line, tell_again;
};

// Waits for something to do, at most until the next tick, and takes it.
static struct round take(struct line_store *store)
{
    int64_t until_ns = store->next_tick_ns;
    struct timespec until = {.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000};
    pthread_mutex_lock(&store->lock);
    while (!store->first && !store->stopping && !store->look_at_events && !store->tell_again)
        if (pthread_cond_timedwait(&store->news, &store->lock, &until) != 0)
            break;
    struct round round = {0, store->stopping, store->look_at_events, store->read_line, store->tell_again};
    store->look_at_events = store->read_line = store->tell_again = false;
    while (store->first && round.count < STORE_BATCH_MAX) {
        struct line_store_request *request = store->first;
        store->first = request->next;
        request->next = NULL;
        store->batch[round.count++] = request;
    }
    if (!store->first)
        store->last = &store->first;
    store->queued -= round.count;
    metric_set(&queue_length, (int64_t)store->queued);
    pthread_mutex_unlock(&store->lock);
    return round;
}

static void *run(void *argument)
{
    struct line_store *store = argument;
    for (;;) {
        struct round round = take(store);
        bool due = clock_monotonic_ns() >= store->next_tick_ns;
        if (due || round.look_at_events || round.read_line || !atomic_load(&store->ready))
            tick(store, round.look_at_events, round.read_line);
        if (round.tell_again)
            store_tell_snapshots(store);
        work_on_batch(store, round.count);
        if (round.stopping && round.count == 0)
            break;
        if (clock_monotonic_ns() >= store->next_tick_ns) // MySQL is away: look again a little later
            store->next_tick_ns = clock_monotonic_ns() + TICK_NS / 10;
    }
    store_forget_presence(store);
    return NULL;
}

static int start_thread(struct line_store *store)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&store->news, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&store->lock, NULL);
    return pthread_create(&store->thread, NULL, run, store) == 0 ? 0 : ERROR_LIMIT;
}

static void free_store(struct line_store *store)
{
    for (size_t i = 0; i < store->snapshot_count; i++)
        snapshot_unref(store->snapshots[i]);
    free(store->snapshots);
    store_free_seats(store->seats);
    free(store->presence);
    free(store->batch);
    free(store->values);
    rate_free(store->rate);
    db_close(store->db);
    free(store);
}

int line_store_open(const struct line_store_options *options, struct line_store **ret)
{
    struct line_store *store = calloc(1, sizeof *store);
    if (!store)
        return ERROR_MEMORY;
    store->options = *options;
    store->joins_per_address = options->config->joins_per_address;
    store->last = &store->first;
    store->backoff = (struct backoff){.first_ms = RETRY_FIRST_MS, .most_ms = RETRY_MOST_MS};
    store->batch = calloc(STORE_BATCH_MAX, sizeof(struct line_store_request *));
    store->values = calloc(STORE_BATCH_MAX * STORE_VALUES_PER_ROW_MAX, sizeof *store->values);
    int error = store->batch && store->values ? rate_new(&store->rate) : ERROR_MEMORY;
    if (error == 0) {
        error = db_open(&(struct db_options){.config = &options->config->common,
                                             .program = "waiting-room",
                                             .io_timeout_seconds = IO_TIMEOUT_SECONDS,
                                             .wait_timeout_seconds = SESSION_WAIT_SECONDS,
                                             .lock_wait_timeout_seconds = LOCK_WAIT_SECONDS},
                        &store->db);
        if (error == ERROR_TRANSIENT)
            error = 0; // the thread goes on trying
    }
    if (error == 0)
        error = start_thread(store);
    if (error < 0) {
        free_store(store);
        return error;
    }
    *ret = store;
    return 0;
}

void line_store_stop(struct line_store *store)
{
    pthread_mutex_lock(&store->lock);
    store->stopping = true;
    pthread_cond_signal(&store->news);
    pthread_mutex_unlock(&store->lock);
    pthread_join(store->thread, NULL);
}

void line_store_free(struct line_store *store)
{
    if (!store)
        return;
    pthread_cond_destroy(&store->news);
    pthread_mutex_destroy(&store->lock);
    free_store(store);
}

int line_store_ask(struct line_store *store, struct line_store_request *request)
{
    int error = 0;
    request->next = NULL;
    pthread_mutex_lock(&store->lock);
    if (store->queued >= LINE_STORE_REQUESTS_MAX || store->stopping) {
        error = ERROR_LIMIT;
    } else {
        bool was_empty = !store->first;
        *store->last = request;
        store->last = &request->next;
        store->queued++;
        if (was_empty)
            pthread_cond_signal(&store->news);
    }
    pthread_mutex_unlock(&store->lock);
    return error;
}

static void raise_flag(struct line_store *store, bool *flag)
{
    pthread_mutex_lock(&store->lock);
    *flag = true;
    pthread_cond_signal(&store->news);
    pthread_mutex_unlock(&store->lock);
}

void line_store_look_at_events(struct line_store *store)
{
    raise_flag(store, &store->look_at_events);
}

void line_store_read_line(struct line_store *store)
{
    raise_flag(store, &store->read_line);
}

void line_store_tell_again(struct line_store *store)
{
    raise_flag(store, &store->tell_again);
}

void line_store_set_fallback(struct line_store *store, bool on)
{
    atomic_store(&store->fallback, on);
}

void line_store_set_joins_per_address(struct line_store *store, struct config_rate limit)
{
    pthread_mutex_lock(&store->lock);
    store->joins_per_address = limit;
    pthread_mutex_unlock(&store->lock);
}

struct store_presence *store_find_presence(struct line_store *store, uint32_t event_id)
{
    for (size_t i = 0; i < store->presence_count; i++)
        if (store->presence[i].event_id == event_id)
            return &store->presence[i];
    if (store->presence_count == store->presence_capacity) {
        size_t capacity = store->presence_capacity ? store->presence_capacity * 2 : 4;
        struct store_presence *bigger = realloc(store->presence, capacity * sizeof *bigger);
        if (!bigger)
            return NULL;
        store->presence = bigger;
        store->presence_capacity = capacity;
    }
    struct store_presence *presence = &store->presence[store->presence_count++];
    *presence = (struct store_presence){.event_id = event_id};
    return presence;
}

void line_store_report_present(struct line_store *store, size_t loop_index, uint32_t event_id, uint32_t present)
{
    pthread_mutex_lock(&store->lock);
    struct store_presence *presence = store_find_presence(store, event_id);
    if (presence && loop_index < LOOPS_MAX)
        presence->present[loop_index] = present;
    pthread_mutex_unlock(&store->lock);
}

bool line_store_is_ready(const struct line_store *store)
{
    return atomic_load(&store->ready);
}

int64_t line_store_now_us(const struct line_store *store)
{
    return clock_utc_us() + atomic_load_explicit(&store->clock_offset_us, memory_order_relaxed);
}
