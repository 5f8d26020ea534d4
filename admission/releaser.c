// SPDX-License-Identifier: Apache-2.0
// See releaser.h. The loop goes in rounds: one batch for each event where something is due, all of it published, one wait
// for RabbitMQ's confirms; what is confirmed is noted by the event's next batch, so a batch costs one commit. An event is
// visited until nothing of it is due or unnoted. What was published and not confirmed when the connection broke is
// forgotten here and found again in MySQL, as it would be by another leader.
#define _GNU_SOURCE // ppoll
#include "admission/releaser.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admission/meters.h"
#include "admission/release_batch.h"
#include "admission/release_visits.h"
#include "common/backoff.h"
#include "common/bus.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/message.h"
#include "common/outbox.h"
#include "common/random.h"
#include "common/topology.h"

#define MS_NS INT64_C(1000000)
#define IO_TIMEOUT_SECONDS 5
#define LOCK_WAIT_TIMEOUT_SECONDS 1
// How long the server keeps the locks of a releaser that froze inside a transaction.
#define WAIT_TIMEOUT_SECONDS 3
#define LOOK_NS (500 * MS_NS) // between two looks at all events
#define LONG_TROUBLE_NS (500 * MS_NS)
#define CONFIRM_TIMEOUT_MS 5000
#define UNCONFIRMED_MAX 8192 // orders published in one round before their confirms are waited for
#define TOLD_MAX 512 // messages of the outbox, the same
#define LOCK_WAIT_TIMEOUT 1205 // MySQL's number
#define TRIES_MAX 3 // of a batch that met a deadlock

struct releaser {
    const struct common_config *config;
    struct mailbox *mailbox;
    pthread_t thread;
    struct db *db;
    struct bus *bus;
    atomic_bool is_connected;
    struct outbox *outbox;
    uint64_t epoch; // of the lead it works for; 0: none
    uint64_t fenced_epoch; // it was told that a later leader releases
    struct release_visits visits;
    size_t unconfirmed; // published since the last confirms
    int64_t published_at_ns; // when the first of them was; 0: none
    int64_t look_at_ns, work_at_ns, connect_at_ns;
    int64_t bus_trouble_ns, db_trouble_ns; // since when; MAILBOX_NO_TROUBLE
    struct backoff bus_backoff, db_backoff;
    bool said_bus_away, said_failed;
    struct release_batch batch;
    struct message message;
    struct buffer text;
};

bool releaser_is_connected(const struct releaser *releaser)
{
    return atomic_load(&releaser->is_connected);
}

static void tell_trouble(struct releaser *releaser, bool wakes)
{
    int64_t bus_ns = releaser->bus_trouble_ns, db_ns = releaser->db_trouble_ns;
    mailbox_set_trouble(releaser->mailbox, bus_ns < db_ns ? bus_ns : db_ns, wakes);
}

static void begin_trouble(struct releaser *releaser, int64_t *since_ns)
{
    if (*since_ns == MAILBOX_NO_TROUBLE)
        *since_ns = clock_monotonic_ns();
    tell_trouble(releaser, false);
}

static void end_trouble(struct releaser *releaser, int64_t *since_ns)
{
    // Every round of orders is a trouble of some milliseconds; the keeper need not wake up for that.
    bool was_long = *since_ns != MAILBOX_NO_TROUBLE && clock_monotonic_ns() - *since_ns > LONG_TROUBLE_NS;
    *since_ns = MAILBOX_NO_TROUBLE;
    tell_trouble(releaser, was_long);
}

// ---------------------------------------------------------------- RabbitMQ

static void lose_bus(struct releaser *releaser, int error)
{
    // Said once, not with every attempt.
    if (!releaser->said_bus_away)
        log_warn("release_rabbitmq_away", LOG_S("error", error_str(error)),
                 LOG_S("text", bus_error_text(releaser->bus)));
    releaser->said_bus_away = true;
    bus_close(releaser->bus);
    releaser->bus = NULL;
    atomic_store(&releaser->is_connected, false);
    begin_trouble(releaser, &releaser->bus_trouble_ns);
    outbox_lost_bus(releaser->outbox);
    release_visits_lost_bus(&releaser->visits);
    releaser->unconfirmed = 0;
    releaser->published_at_ns = 0;
    releaser->connect_at_ns = clock_monotonic_ns() + backoff_next_ms(&releaser->bus_backoff, random_u64()) * MS_NS;
}

static void connect_bus(struct releaser *releaser)
{
    const struct bus_options options = {
        .url = releaser->config->amqp_url,
        .tls_ca = releaser->config->amqp_tls_ca,
        .name = "admission releases",
    };
    int result = bus_open(&options, true, &releaser->bus);
    if (!result)
        result = topology_declare_queues(releaser->bus);
    if (result) {
        lose_bus(releaser, result);
        return;
    }
    atomic_store(&releaser->is_connected, true);
    releaser->look_at_ns = INT64_MIN;
    log_info("release_rabbitmq_connected", LOG_S("queue", TOPOLOGY_OUTCOMES));
}

// A connection alone proves nothing: a broker whose memory is full accepts one, but no messages. What it has confirmed does,
// or that there is nothing to be sent.
static void prove_bus(struct releaser *releaser)
{
    releaser->said_bus_away = false;
    backoff_reset(&releaser->bus_backoff);
    end_trouble(releaser, &releaser->bus_trouble_ns);
}

// Heartbeats, and what the broker says of itself.
static void keep_bus(struct releaser *releaser)
{
    if (!releaser->bus && clock_monotonic_ns() >= releaser->connect_at_ns)
        connect_bus(releaser);
    while (releaser->bus) {
        struct bus_delivery delivery = {0};
        int result = bus_receive(releaser->bus, 0, &delivery);
        bus_delivery_done(&delivery);
        if (result == ERROR_NOT_FOUND)
            return;
        if (result && result != ERROR_LIMIT)
            lose_bus(releaser, result);
    }
}

static void wait_confirms(struct releaser *releaser)
{
    if (!releaser->bus || releaser->published_at_ns == 0)
        return;
    int result = bus_wait_confirms(releaser->bus, CONFIRM_TIMEOUT_MS);
    if (result) {
        // Also after a refusal: everything is published again, in order.
        lose_bus(releaser, result);
        return;
    }
    int64_t took_us = (clock_monotonic_ns() - releaser->published_at_ns) / 1000;
    metric_observe_us(&meter_release_confirm, took_us);
    outbox_confirmed(releaser->outbox);
    release_visits_confirmed(&releaser->visits);
    releaser->unconfirmed = 0;
    releaser->published_at_ns = 0;
    prove_bus(releaser);
}

static void note_publishing(struct releaser *releaser)
{
    if (releaser->published_at_ns == 0)
        releaser->published_at_ns = clock_monotonic_ns();
    // From now on RabbitMQ owes an answer; while it is prompt nobody notices.
    begin_trouble(releaser, &releaser->bus_trouble_ns);
}

static int publish_order(struct releaser *releaser, const struct release_event *event, const struct release_row *row)
{
    struct message *message = &releaser->message;
    message->type = MESSAGE_BOOK;
    memcpy(message->book.slug, event->slug, sizeof(message->book.slug));
    message->book.event_id = event->id;
    message->book.place = row->order.place;
    message->book.attempt = row->order.attempt;
    message->book.release = row->release_no;
    buffer_clear(&releaser->text);
    message_write(message, &releaser->text);
    if (releaser->text.failed)
        return ERROR_MEMORY;
    const struct bus_message out = {
        .exchange = "",
        .routing_key = topology_booking_queue_of(event->id),
        .body = releaser->text.data,
        .body_bytes = releaser->text.bytes,
        .type = message_type_name(MESSAGE_BOOK),
        .persistent = true,
    };
    return bus_publish(releaser->bus, &out, NULL);
}

// What the batch marked, in its order. What cannot be sent is found again in MySQL.
static void publish_batch(struct releaser *releaser, struct release_visit *visit)
{
    const struct release_batch *batch = &releaser->batch;
    if (batch->row_count == 0 || !releaser->bus)
        return;
    if (release_visit_keep_sent(visit, batch->rows, batch->row_count))
        return;
    note_publishing(releaser);
    for (size_t i = 0; i < batch->row_count; i++) {
        int result = publish_order(releaser, &batch->event, &batch->rows[i]);
        if (result) {
            lose_bus(releaser, result);
            return;
        }
    }
    releaser->unconfirmed += batch->row_count;
}

static void publish_outcomes(struct releaser *releaser)
{
    if (!releaser->bus || outbox_pending(releaser->outbox) == outbox_confirmed_count(releaser->outbox))
        return;
    note_publishing(releaser);
    int result = outbox_publish(releaser->outbox, releaser->bus);
    if (result)
        lose_bus(releaser, result);
}

// ---------------------------------------------------------------- one event

static void tell_batch(const struct release_batch *batch)
{
    const char *slug = batch->event.slug;
    if (batch->again_count > 0)
        log_info("released_again", LOG_S("slug", slug), LOG_U("orders", batch->again_count),
                 LOG_U("first", batch->rows[0].order.place),
                 LOG_U("last", batch->rows[batch->again_count - 1].order.place));
    log_hold();
    for (size_t i = batch->again_count; i < batch->row_count; i++)
        log_info("released", LOG_S("slug", slug), LOG_U("place", batch->rows[i].order.place),
                 LOG_U("attempt", batch->rows[i].order.attempt));
    for (size_t i = 0; i < batch->ended_count; i++)
        log_debug("order_ended", LOG_S("slug", slug), LOG_U("place", batch->ended[i].order.place),
                  LOG_U("attempt", batch->ended[i].order.attempt));
    log_release();
    if (batch->ended_count > 0)
        log_info("orders_ended", LOG_S("slug", slug),
                 LOG_S("state", order_state_name(release_plan(batch->event.state)->end_state)),
                 LOG_U("orders", batch->ended_count), LOG_U("first", batch->ended[0].order.place),
                 LOG_U("last", batch->ended[batch->ended_count - 1].order.place));
}

// A deadlock, a connection that was silent for too long. Who waited for a lock in vain lets other events go first.
static bool is_worth_another_try(struct releaser *releaser, int result)
{
    return result == ERROR_TRANSIENT && db_errno(releaser->db) != LOCK_WAIT_TIMEOUT && !db_ensure(releaser->db);
}

static int make_batch(struct releaser *releaser, struct release_visit *visit)
{
    const struct release_wish wish = {
        .event_id = visit->event_id,
        .epoch = releaser->epoch,
        .noted = visit->sent,
        .noted_count = visit->is_confirmed ? visit->sent_count : 0,
        .can_publish = releaser->bus != NULL,
    };
    int64_t from_ns = clock_monotonic_ns();
    int result, tries = 0;
    do
        result = release_batch_make(releaser->db, releaser->outbox, &wish, &releaser->batch);
    while (++tries < TRIES_MAX && is_worth_another_try(releaser, result));
    if (result)
        return result;
    release_visit_forget_sent(visit);
    metric_add(&meter_releases, (int64_t)(releaser->batch.row_count - releaser->batch.again_count));
    metric_add(&meter_releases_again, (int64_t)releaser->batch.again_count);
    metric_add(&meter_orders_ended, (int64_t)releaser->batch.ended_count);
    if (releaser->batch.row_count + releaser->batch.ended_count > 0) {
        metric_add(&meter_release_batches, 1);
        metric_observe_us(&meter_release_batch, (clock_monotonic_ns() - from_ns) / 1000);
        tell_batch(&releaser->batch);
    }
    return 0;
}

static int visit_event(struct releaser *releaser, struct release_visit *visit)
{
    int result = make_batch(releaser, visit);
    visit->is_due = result == 0 && releaser->batch.has_more;
    if (result == ERROR_NOT_FOUND || result == ERROR_INVALID) {
        release_visit_forget_sent(visit); // the event is gone, or nobody can make anything of its row
        return 0;
    }
    if (result) {
        visit->is_due = true;
        return result;
    }
    publish_batch(releaser, visit);
    publish_outcomes(releaser);
    return 0;
}

// ---------------------------------------------------------------- rounds

static void fail_work(struct releaser *releaser, const char *doing, int error)
{
    if (error == ERROR_CONFLICT) {
        log_warn("release_fenced", LOG_U("epoch", releaser->epoch));
        releaser->fenced_epoch = releaser->epoch;
        release_visits_clear(&releaser->visits);
        return;
    }
    // Rights, a missing table, a bug: it will not pass by itself.
    enum log_level level = error == ERROR_TRANSIENT ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR;
    const struct log_field fields[] = {LOG_S("doing", doing), LOG_S("error", error_str(error)),
                                       LOG_U("number", releaser->db ? db_errno(releaser->db) : 0),
                                       LOG_S("text", db_error_text(releaser->db))};
    if (!releaser->said_failed)
        log_emit(level, "release_failed", fields, sizeof(fields) / sizeof(fields[0]));
    releaser->said_failed = true;
    // A lock that somebody holds in one event is no reason to hold all lines.
    if (error != ERROR_TRANSIENT || !releaser->db || !db_is_connected(releaser->db))
        begin_trouble(releaser, &releaser->db_trouble_ns);
    releaser->work_at_ns = clock_monotonic_ns() + backoff_next_ms(&releaser->db_backoff, random_u64()) * MS_NS;
}

static void work_succeeded(struct releaser *releaser)
{
    releaser->said_failed = false;
    backoff_reset(&releaser->db_backoff);
    end_trouble(releaser, &releaser->db_trouble_ns);
}

static int look_at(struct releaser *releaser, const char *slug, int64_t *ret_oldest_us)
{
    struct release_seen *seen = NULL;
    size_t count = 0;
    int64_t oldest_us = 0;
    int result = release_look(releaser->db, slug, &seen, &count);
    for (size_t i = 0; i < count && !result; i++) {
        const struct release_seen *each = &seen[i];
        bool marked = each->has_marked && release_decide(each->state, each->served, &each->marked) != RELEASE_NOTHING;
        bool placed = each->has_placed && release_decide(each->state, each->served, &each->placed) != RELEASE_NOTHING;
        int64_t waiting_us = 0;
        if (!marked && !placed)
            continue;
        release_visits_add(&releaser->visits, each->event_id);
        if (ret_oldest_us)
            result = release_read_waiting(releaser->db, each->event_id,
                                          marked ? each->marked.place : each->placed.place, &waiting_us);
        oldest_us = waiting_us > oldest_us ? waiting_us : oldest_us;
    }
    free(seen);
    if (!result && ret_oldest_us)
        *ret_oldest_us = oldest_us;
    return result;
}

// Twice a second at all events; a look that took long (thousands of events) is followed by a longer wait.
static int look_at_all(struct releaser *releaser)
{
    int64_t from_ns = clock_monotonic_ns();
    int64_t oldest_us = 0;
    int result = look_at(releaser, NULL, &oldest_us);
    if (result)
        return result;
    int64_t now_ns = clock_monotonic_ns();
    int64_t wait_ns = 20 * (now_ns - from_ns);
    releaser->look_at_ns = now_ns + (wait_ns > LOOK_NS ? wait_ns : LOOK_NS);
    metric_set(&meter_release_oldest, oldest_us / 1000000);
    return 0;
}

static int look(struct releaser *releaser)
{
    char hints[MAILBOX_HINTS_MAX][SLUG_BYTES];
    bool all;
    size_t count = mailbox_take_hints(releaser->mailbox, hints, &all);
    if (all || clock_monotonic_ns() >= releaser->look_at_ns)
        return look_at_all(releaser);
    for (size_t i = 0; i < count; i++) {
        int result = look_at(releaser, hints[i], NULL);
        if (result) {
            releaser->look_at_ns = INT64_MIN; // the hints are spent
            return result;
        }
    }
    return 0;
}

// Rows of the outbox that are confirmed usually go with the next batch. There may be none.
static int clear_outbox(struct releaser *releaser)
{
    while (outbox_confirmed_count(releaser->outbox) > 0) {
        int result = db_begin(releaser->db);
        if (!result)
            result = outbox_remove(releaser->outbox, releaser->db);
        if (!result)
            result = db_commit(releaser->db);
        if (result) {
            db_rollback(releaser->db);
            outbox_rolled_back(releaser->outbox);
            return result;
        }
        outbox_committed(releaser->outbox);
    }
    return 0;
}

// One batch for each event that wants one. Endings follow each other without waiting for RabbitMQ; orders wait, so
// that the next batch of their event can note them.
static int make_round(struct releaser *releaser)
{
    bool sent = false;
    int failed = 0;
    publish_outcomes(releaser); // of rounds that had no RabbitMQ
    for (size_t i = 0; i < releaser->visits.count; i++) {
        struct release_visit *visit = releaser->visits.items[i];
        if (visit->is_due || visit->is_confirmed) {
            int result = visit_event(releaser, visit);
            if (result == ERROR_CONFLICT)
                return result;
            failed = failed ? failed : result; // the others must not wait for it
        }
        sent = sent || visit->sent;
        if (releaser->unconfirmed >= UNCONFIRMED_MAX)
            wait_confirms(releaser);
    }
    if (sent || !release_visits_wait(&releaser->visits) || outbox_pending(releaser->outbox) > TOLD_MAX)
        wait_confirms(releaser);
    release_visits_drop_done(&releaser->visits);
    return failed;
}

static int connect_db(struct releaser *releaser)
{
    if (releaser->db)
        return db_ensure(releaser->db);
    const struct db_options options = {
        .config = releaser->config,
        .program = "admission releases",
        .io_timeout_seconds = IO_TIMEOUT_SECONDS,
        .wait_timeout_seconds = WAIT_TIMEOUT_SECONDS,
        .lock_wait_timeout_seconds = LOCK_WAIT_TIMEOUT_SECONDS,
    };
    return db_open(&options, &releaser->db);
}

static void work(struct releaser *releaser)
{
    const char *doing = "connecting";
    int result = connect_db(releaser);
    if (!result) {
        doing = "looking";
        result = look(releaser);
    }
    if (!result) {
        doing = "releasing";
        result = make_round(releaser);
    }
    if (!result && !release_visits_wait(&releaser->visits))
        result = clear_outbox(releaser);
    if (result)
        fail_work(releaser, doing, result);
    else
        work_succeeded(releaser);
    // Nothing is due that was not sent and answered: RabbitMQ owes nothing.
    if (releaser->bus && releaser->published_at_ns == 0 && !release_visits_wait(&releaser->visits))
        prove_bus(releaser);
}

// ---------------------------------------------------------------- the thread

// Whether this program leads. With every change of the lead what was known is forgotten: MySQL says what is due.
static bool follow_lead(struct releaser *releaser)
{
    uint64_t epoch = mailbox_lead(releaser->mailbox);
    if (epoch != releaser->epoch) {
        release_visits_clear(&releaser->visits);
        releaser->epoch = epoch;
        releaser->look_at_ns = releaser->work_at_ns = INT64_MIN;
        metric_set(&meter_release_oldest, 0);
    }
    if (epoch != 0 && epoch != releaser->fenced_epoch)
        return true;
    char hints[MAILBOX_HINTS_MAX][SLUG_BYTES];
    bool all;
    mailbox_take_hints(releaser->mailbox, hints, &all); // the leader's business
    // The server would drop a connection that says nothing for so long.
    db_close(releaser->db);
    releaser->db = NULL;
    work_succeeded(releaser);
    if (releaser->bus)
        prove_bus(releaser);
    return false;
}

static void wait_for_something(struct releaser *releaser, bool leads)
{
    int64_t now_ns = clock_monotonic_ns();
    int64_t until_ns = now_ns + 1000 * MS_NS; // heartbeats
    if (!releaser->bus && releaser->connect_at_ns < until_ns)
        until_ns = releaser->connect_at_ns;
    int64_t work_ns = release_visits_wait(&releaser->visits) ? INT64_MIN : releaser->look_at_ns;
    work_ns = work_ns < releaser->work_at_ns ? releaser->work_at_ns : work_ns;
    // Without RabbitMQ what is due stays due; it is looked at with the others.
    if (!releaser->bus && work_ns < releaser->look_at_ns)
        work_ns = releaser->look_at_ns;
    if (leads && work_ns < until_ns)
        until_ns = work_ns;
    int64_t wait_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct pollfd fds[] = {
        {.fd = mailbox_releaser_fd(releaser->mailbox), .events = POLLIN},
        {.fd = releaser->bus ? bus_fd(releaser->bus) : -1, .events = POLLIN},
    };
    const struct timespec timeout = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
    ppoll(fds, 2, &timeout, NULL);
}

// What RabbitMQ has and MySQL does not know yet would be published once more by the next leader; that costs nobody
// anything, but need not be.
static void note_last(struct releaser *releaser)
{
    for (size_t i = 0; i < releaser->visits.count && releaser->db; i++)
        if (releaser->visits.items[i]->is_confirmed && make_batch(releaser, releaser->visits.items[i]))
            return;
}

static void *run(void *context)
{
    struct releaser *releaser = context;
    while (!mailbox_is_stopping(releaser->mailbox)) {
        mailbox_clear_releaser(releaser->mailbox);
        keep_bus(releaser);
        bool leads = follow_lead(releaser);
        if (leads && clock_monotonic_ns() >= releaser->work_at_ns)
            work(releaser);
        wait_for_something(releaser, leads);
    }
    bus_close(releaser->bus);
    releaser->bus = NULL;
    note_last(releaser);
    release_visits_clear(&releaser->visits);
    db_close(releaser->db);
    atomic_store(&releaser->is_connected, false);
    return NULL;
}

int releaser_start(const struct common_config *config, struct mailbox *mailbox, struct releaser **ret)
{
    struct releaser *releaser = calloc(1, sizeof(*releaser));
    if (!releaser)
        return ERROR_MEMORY;
    releaser->config = config;
    releaser->mailbox = mailbox;
    releaser->bus_backoff = (struct backoff){.first_ms = 100, .most_ms = 1000};
    releaser->db_backoff = (struct backoff){.first_ms = 20, .most_ms = 500};
    releaser->connect_at_ns = releaser->look_at_ns = releaser->work_at_ns = INT64_MIN;
    releaser->db_trouble_ns = MAILBOX_NO_TROUBLE;
    releaser->bus_trouble_ns = MAILBOX_NO_TROUBLE;
    begin_trouble(releaser, &releaser->bus_trouble_ns);
    int result = outbox_new(&releaser->outbox);
    if (!result && pthread_create(&releaser->thread, NULL, run, releaser))
        result = ERROR_PERMANENT;
    if (result) {
        outbox_free(releaser->outbox);
        free(releaser);
        return result;
    }
    *ret = releaser;
    return 0;
}

void releaser_join(struct releaser *releaser)
{
    if (!releaser)
        return;
    pthread_join(releaser->thread, NULL);
    outbox_free(releaser->outbox);
    buffer_done(&releaser->text);
    free(releaser);
}
