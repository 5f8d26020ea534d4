// SPDX-License-Identifier: Apache-2.0
// See queue.h. Deliveries wait in a ring of their own, in the broker's sequence, so that the connection can be served (heartbeats, confirms)
// while a batch is tried again. Nothing is ever put back: what is not acknowledged when the connection ends comes again in
// sequence, to this worker or to another.
#include "booking-worker/queue.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "booking-worker/booker.h"
#include "booking-worker/sell_out.h"
#include "booking-worker/store.h"
#include "booking-worker/task.h"
#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/outbox.h"

#define MS_NS INT64_C(1000000)
#define PREFETCH_MIN 1024
#define IDLE_MS 1000 // at least this often heartbeats are serviced
#define TIDY_NS \
    (200 * MS_NS) // after so long without a batch, confirmed rows of the outbox get a transaction of their own
#define CONFIRM_TIMEOUT_MS 3000
#define ATTEMPTS_MAX 5 // to book one message alone
#define REFERENCE_TRIES_MAX 5

struct queue {
    const struct settings *settings;
    const char *name;
    const struct stop *stop;
    struct payer *payer;
    int64_t subscribe_at_ns;
    pthread_t thread;
    struct link link;
    struct booker *booker;
    struct outbox *outbox;
    struct message *scratch;
    bool is_subscribed;
    uint16_t prefetch;
    // The ring: `count` tasks from `first` on.
    struct task *ring;
    size_t ring_size, first, count;
    struct task **batch, **group; // batch_max pointers each
    int64_t worked_ns; // when the last batch was done
    bool has_unconfirmed;
};

bool queue_has_mysql(const struct queue *queue)
{
    return atomic_load(&queue->link.has_db);
}

bool queue_has_rabbitmq(const struct queue *queue)
{
    return atomic_load(&queue->link.has_bus);
}

// ---------------------------------------------------------------- RabbitMQ

static struct task *ring_at(const struct queue *queue, size_t index)
{
    return &queue->ring[(queue->first + index) % queue->ring_size];
}

static void ring_drop(struct queue *queue, size_t count)
{
    for (; count > 0; count--) {
        task_done(ring_at(queue, 0));
        queue->first = (queue->first + 1) % queue->ring_size;
        queue->count--;
    }
}

static void lose_bus(struct queue *queue, int error)
{
    link_lose_bus(&queue->link, error);
    queue->is_subscribed = queue->has_unconfirmed = false;
    ring_drop(queue, queue->count); // the broker gives them out again
    outbox_lost_bus(queue->outbox);
}

static void subscribe(struct queue *queue)
{
    if (queue->is_subscribed || clock_monotonic_ns() < queue->subscribe_at_ns || link_use_bus(&queue->link))
        return;
    int result = bus_consume(queue->link.bus, queue->name, queue->prefetch, false);
    if (result) {
        lose_bus(queue, result);
        return;
    }
    queue->is_subscribed = true;
    log_info("subscribed", LOG_S("queue", queue->name));
}

// Takes everything that has arrived into the ring, waiting up to `timeout_ms` for the first. Serves heartbeats. False when the
// connection was lost, and the ring with it.
static bool receive(struct queue *queue, int timeout_ms)
{
    if (!queue->link.bus)
        return false;
    for (;;) {
        struct bus_delivery delivery = {0};
        int result = bus_receive(queue->link.bus, timeout_ms, &delivery);
        timeout_ms = 0;
        if (result == ERROR_NOT_FOUND)
            return true;
        if (result == ERROR_LIMIT) {
            log_error("message_dropped", LOG_S("queue", queue->name), LOG_S("text", bus_error_text(queue->link.bus)));
            continue;
        }
        if (result == 0 && queue->count == queue->ring_size)
            result = ERROR_BUG; // more than the prefetch
        if (result == 0)
            result = task_read(&delivery, queue->scratch, ring_at(queue, queue->count));
        if (result) {
            bus_delivery_done(&delivery);
            lose_bus(queue, result);
            return false;
        }
        queue->count++;
    }
}

static void publish(struct queue *queue)
{
    int result = queue->link.bus ? outbox_publish(queue->outbox, queue->link.bus) : 0;
    queue->has_unconfirmed = queue->link.bus != NULL && outbox_pending(queue->outbox) > 0;
    if (result)
        lose_bus(queue, result);
}

// What was published before the last batch is confirmed by now, as a rule, so this seldom waits.
static void take_confirms(struct queue *queue)
{
    if (!queue->has_unconfirmed || !queue->link.bus)
        return;
    int result = bus_wait_confirms(queue->link.bus, CONFIRM_TIMEOUT_MS);
    queue->has_unconfirmed = false;
    if (result)
        lose_bus(queue, result);
    else
        outbox_confirmed(queue->outbox);
}

// ---------------------------------------------------------------- selling out

// What fails here is made up for by the sweep.
static void sell_out(struct queue *queue, const struct booker_result *found)
{
    bool is_told;
    int told;
    if (sell_out_or_again(queue->link.db, queue->link.bus, queue->scratch, found, &is_told, &told))
        log_debug("state_left_to_the_sweep", LOG_S("slug", found->slug));
    queue->has_unconfirmed = queue->has_unconfirmed || is_told;
    if (told)
        lose_bus(queue, told);
}

// ---------------------------------------------------------------- booking

// Waits before the same is tried again, serving the broker meanwhile. False: it is not to be tried again, because the
// connection that it came from is gone or the program ends.
static bool wait_for_mysql(struct queue *queue, const char *doing, int error)
{
    int64_t until_ns = clock_monotonic_ns() + link_db_fails(&queue->link, doing, error) * MS_NS;
    for (;;) {
        int64_t left_ms = (until_ns - clock_monotonic_ns() + MS_NS - 1) / MS_NS;
        if (left_ms <= 0)
            return queue->link.bus && !stop_was_asked(queue->stop);
        stop_wait(queue->stop, -1, left_ms);
        if (stop_was_asked(queue->stop) || !receive(queue, 0))
            return false;
    }
}

static int run_once(struct queue *queue, struct task *const *tasks, size_t count, struct booker_result *ret)
{
    int result = link_use_db(&queue->link);
    return result ? result : booker_run(queue->booker, queue->link.db, queue->outbox, tasks, count, ret);
}

static bool book(struct queue *queue, struct task *const *tasks, size_t count);

// Something that one of them says cannot be written: each half by itself, down to the one that stands alone.
static bool split(struct queue *queue, struct task *const *tasks, size_t count)
{
    log_warn("batch_split", LOG_S("queue", queue->name), LOG_U("count", count), LOG_U("place", tasks[0]->place),
             LOG_S("text", db_error_text(queue->link.db)));
    return book(queue, tasks, count / 2) && book(queue, tasks + count / 2, count - count / 2);
}

// Books tasks of one event, however long it takes. False: given up, see wait_for_mysql().
static bool book(struct queue *queue, struct task *const *tasks, size_t count)
{
    unsigned duplicates = 0;
    for (;;) {
        struct booker_result done;
        int result = run_once(queue, tasks, count, &done);
        if (result == 0) {
            link_db_works(&queue->link);
            if (done.has_payments)
                payer_ring(queue->payer);
            publish(queue);
            sell_out(queue, &done);
            if (done.has_more)
                continue; // what came back goes first, and all of it
            return true;
        }
        if (result == ERROR_INVALID && count > 1)
            return split(queue, tasks, count);
        if (result == ERROR_INVALID && !tasks[0]->condemned && tasks[0]->is_book) {
            task_condemn(tasks[0], TASK_BROKEN_ORDER, db_error_text(queue->link.db));
            continue;
        }
        if (result == ERROR_DUPLICATE && duplicates++ < REFERENCE_TRIES_MAX)
            continue;
        if (!wait_for_mysql(queue, "booking", result))
            return false;
    }
}

// A message that came back time and again is noted before it is tried, so that one that ends the worker is found.
static bool note(struct queue *queue, struct task *task)
{
    uint8_t digest[DEAD_LETTER_DIGEST_BYTES];
    uint32_t attempts = 0;
    dead_letter_digest(task->delivery.body, task->delivery.body_bytes, digest);
    for (;;) {
        int result = link_use_db(&queue->link);
        if (result == 0)
            result = store_note_attempt(queue->link.db, queue->name, digest, &attempts);
        if (result == 0)
            break;
        if (!wait_for_mysql(queue, "noting an attempt", result))
            return false;
    }
    link_db_works(&queue->link);
    task->is_noted = true;
    if (attempts > ATTEMPTS_MAX && !task->condemned)
        task_condemn(task, TASK_CRASHED, "the worker ended time and again while it booked this");
    return true;
}

// How many tasks from the ring's beginning make the next batch: suspects go alone.
static size_t batch_size(const struct queue *queue)
{
    size_t most = (size_t)queue->settings->batch_max, size = 0;
    while (size < queue->count && size < most && ring_at(queue, size)->delivery.delivery_count < TASK_SUSPECT_COUNT)
        size++;
    return size ? size : 1;
}

static bool is_alike(const struct task *a, const struct task *b)
{
    return a->is_book == b->is_book && a->event_id == b->event_id;
}

// Event by event, each one's tasks in their sequence.
static bool book_batch(struct queue *queue, size_t size)
{
    for (size_t i = 0; i < size; i++)
        queue->batch[i] = ring_at(queue, i);
    for (size_t i = 0; i < size; i++) {
        size_t count = 0;
        struct task *leading = queue->batch[i];
        for (size_t k = i; leading && k < size; k++) {
            if (!queue->batch[k] || !is_alike(leading, queue->batch[k]))
                continue;
            queue->group[count++] = queue->batch[k];
            queue->batch[k] = NULL;
        }
        if (count > 0 && !book(queue, queue->group, count))
            return false;
    }
    return true;
}

static void acknowledge(struct queue *queue, size_t size)
{
    if (!queue->link.bus)
        return;
    int result = bus_ack(queue->link.bus, ring_at(queue, size - 1)->delivery.tag, true);
    if (result)
        lose_bus(queue, result);
    else
        ring_drop(queue, size);
}

static void work(struct queue *queue)
{
    size_t size = batch_size(queue);
    bool is_suspect = ring_at(queue, 0)->delivery.delivery_count >= TASK_SUSPECT_COUNT;
    take_confirms(queue);
    // Losing the connection on the way empties the ring.
    if (queue->link.bus && (!is_suspect || note(queue, ring_at(queue, 0))) && book_batch(queue, size))
        acknowledge(queue, size);
    queue->worked_ns = clock_monotonic_ns();
}

// ---------------------------------------------------------------- the thread

// Takes what comes within batch_ms of the first, so that many share a transaction when they come one by one.
static void gather(struct queue *queue)
{
    int64_t until_ns = clock_monotonic_ns() + queue->settings->batch_ms * MS_NS;
    while (queue->link.bus && queue->count < (size_t)queue->settings->batch_max) {
        int64_t left_ns = until_ns - clock_monotonic_ns();
        if (left_ns <= 0 || !receive(queue, (int)((left_ns + MS_NS - 1) / MS_NS)))
            return;
    }
}

// Nothing to book: confirmed rows of the outbox go, and MySQL is asked whether it is there.
static void tidy(struct queue *queue)
{
    if (clock_monotonic_ns() - queue->worked_ns < TIDY_NS)
        return;
    publish(queue);
    take_confirms(queue);
    int result = link_use_db(&queue->link);
    if (result == 0)
        result = outbox_tidy(queue->outbox, queue->link.db);
    if (result == 0)
        link_db_works(&queue->link);
    else if (clock_monotonic_ns() >= queue->link.db_at_ns)
        (void)link_db_fails(&queue->link, "looking whether it is there", result);
}

static int64_t idle_ms(const struct queue *queue)
{
    int64_t now_ns = clock_monotonic_ns();
    if (!queue->is_subscribed && queue->subscribe_at_ns > now_ns)
        return (queue->subscribe_at_ns - now_ns + MS_NS - 1) / MS_NS;
    return link_wait_ms(&queue->link, outbox_pending(queue->outbox) > 0 ? TIDY_NS / MS_NS : IDLE_MS);
}

static void *run(void *context)
{
    struct queue *queue = context;
    while (!stop_was_asked(queue->stop)) {
        subscribe(queue);
        (void)receive(queue, 0);
        if (queue->count > 0) {
            gather(queue);
            if (queue->count > 0)
                work(queue);
            continue;
        }
        tidy(queue);
        stop_wait(queue->stop, queue->link.bus ? bus_fd(queue->link.bus) : -1, idle_ms(queue));
    }
    queue->worked_ns = INT64_MIN / 2;
    tidy(queue);
    return NULL;
}

static int prepare(struct queue *queue)
{
    size_t batch_max = (size_t)queue->settings->batch_max;
    queue->prefetch = (uint16_t)(2 * batch_max > PREFETCH_MIN ? 2 * batch_max : PREFETCH_MIN);
    queue->ring_size = queue->prefetch;
    queue->ring = calloc(queue->ring_size, sizeof(*queue->ring));
    queue->batch = calloc(batch_max, sizeof(struct task *));
    queue->group = calloc(batch_max, sizeof(struct task *));
    queue->scratch = calloc(1, sizeof(*queue->scratch));
    if (!queue->ring || !queue->batch || !queue->group || !queue->scratch)
        return ERROR_MEMORY;
    const struct booker_options options = {
        .queue = queue->name,
        .batch_max = batch_max,
        .needs_payment = queue->settings->common.payment_provider != PAYMENT_NONE,
        .takes_cards = queue->settings->common.payment_provider == PAYMENT_STRIPE,
        .crash_place = (uint64_t)queue->settings->test_crash_place,
        .crash_sweep_place = (uint64_t)queue->settings->test_crash_sweep_place,
    };
    int result = booker_new(&options, &queue->booker);
    return result ? result : outbox_new(&queue->outbox);
}

static void queue_free(struct queue *queue)
{
    ring_drop(queue, queue->ring ? queue->count : 0);
    link_done(&queue->link);
    booker_free(queue->booker);
    outbox_free(queue->outbox);
    free(queue->ring);
    free(queue->batch);
    free(queue->group);
    free(queue->scratch);
    free(queue);
}

int queue_start(const struct settings *settings, const char *name, int64_t delay_ms, const struct stop *stop,
                struct payer *payer, struct queue **ret)
{
    struct queue *queue = calloc(1, sizeof(*queue));
    if (!queue)
        return ERROR_MEMORY;
    queue->settings = settings;
    queue->name = name;
    queue->stop = stop;
    queue->payer = payer;
    queue->subscribe_at_ns = clock_monotonic_ns() + delay_ms * MS_NS;
    queue->worked_ns = INT64_MIN / 2;
    link_init(&queue->link, &settings->common, "booking-worker", name);
    int result = prepare(queue);
    if (result == 0 && pthread_create(&queue->thread, NULL, run, queue))
        result = ERROR_PERMANENT;
    if (result)
        queue_free(queue);
    else
        *ret = queue;
    return result;
}

void queue_join(struct queue *queue)
{
    if (!queue)
        return;
    pthread_join(queue->thread, NULL);
    queue_free(queue);
}
