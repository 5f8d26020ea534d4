// SPDX-License-Identifier: Apache-2.0
// The feed's thread: connect, bind, then read MySQL once, then listen; publish who left, who ordered and who pays in between.
#include "waiting-room/feed.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/backoff.h"
#include "common/bus.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/message.h"
#include "common/metrics.h"
#include "common/random.h"
#include "common/topology.h"
#include "waiting-room/ordered_queue.h"

#define SILENCE_NS INT64_C(2000000000) // the leader speaks twice a second
#define WAIT_MS 250
#define LEFT_MAX 10000
#define TAG_BYTES 17
#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS 2000

struct feed {
    struct feed_options options;
    char tag[TAG_BYTES]; // on what we publish to ourselves among others: the loops here know it already
    pthread_t thread;
    int wake; // eventfd: somebody left or ordered, or stop
    _Atomic bool stopping, connected;

    pthread_mutex_t lock; // guards what is to be published
    struct left_news *left[LEFT_MAX];
    size_t left_count;
    struct ordered_queue ordered;
    bool is_bell_due;
    char bell_slug[SLUG_BYTES]; // "": for several, or for nobody knows whom
    uint64_t bell_number;

    // The thread's own.
    struct bus *bus;
    struct backoff backoff;
    struct feed_sequence sequence;
    struct feed_senders senders;
    bool away, was_connected, silent;
    int64_t last_heard_ns;
};

static struct metric connected_gauge =
    METRIC_GAUGE("onsale_feed_connected", "Whether there is a connection to RabbitMQ.");
static struct metric heard = METRIC_COUNTER("onsale_feed_served_total", "Messages about the lines that were news.");
static struct metric old = METRIC_COUNTER("onsale_feed_old_total", "Messages about the lines that came twice or late.");
static struct metric gaps = METRIC_COUNTER("onsale_feed_gaps_total", "Gaps in the feed.");
static struct metric silences =
    METRIC_COUNTER("onsale_feed_silences_total", "Times the feed fell silent for two seconds.");
static struct metric outcomes_heard =
    METRIC_COUNTER("onsale_feed_outcomes_total", "Outcomes of orders that were heard.");
static struct metric outcome_gaps =
    METRIC_COUNTER("onsale_feed_outcome_gaps_total", "Gaps in what notifiers told: everybody was looked up in MySQL.");
static struct metric ordered_forgotten = METRIC_COUNTER(
    "onsale_feed_ordered_forgotten_total", "Orders that others were not told of, for too many were waiting.");
static struct metric malformed = METRIC_COUNTER("onsale_feed_malformed_total", "Messages that could not be read.");

void feed_register_metrics(void)
{
    metrics_register(&connected_gauge);
    metrics_register(&heard);
    metrics_register(&old);
    metrics_register(&gaps);
    metrics_register(&silences);
    metrics_register(&outcomes_heard);
    metrics_register(&outcome_gaps);
    metrics_register(&ordered_forgotten);
    metrics_register(&malformed);
}

static void hold_nothing(void *argument)
{
    (void)argument;
}

static void set_connected(struct feed *feed, bool connected)
{
    atomic_store(&feed->connected, connected);
    metric_set(&connected_gauge, connected);
}

static void lose(struct feed *feed, const char *reason)
{
    if (!feed->away)
        log_warn("feed_away", LOG_S("error", reason));
    feed->away = true;
    bus_close(feed->bus);
    feed->bus = NULL;
    set_connected(feed, false);
    line_store_set_fallback(feed->options.store, true);
}

// Waits for the back-off, or until somebody wants the thread to stop.
static void wait_before_retry(struct feed *feed)
{
    struct pollfd wake = {.fd = feed->wake, .events = POLLIN};
    int64_t until_ns = clock_monotonic_ns() + backoff_next_ms(&feed->backoff, random_u64()) * 1000000;
    for (;;) {
        int64_t left_ms = (until_ns - clock_monotonic_ns()) / 1000000;
        if (left_ms <= 0 || atomic_load(&feed->stopping))
            return;
        uint64_t count;
        if (poll(&wake, 1, (int)left_ms) > 0 && read(feed->wake, &count, sizeof count) < 0)
            return;
    }
}

static void connect_once(struct feed *feed)
{
    const struct common_config *config = &feed->options.config->common;
    struct bus_options options = {.url = config->amqp_url, .tls_ca = config->amqp_tls_ca, .name = feed->options.room};
    int error = bus_open(&options, false, &feed->bus);
    if (error < 0) {
        feed->bus = NULL;
        lose(feed, error_str(error));
        return;
    }
    error = topology_declare(feed->bus);
    if (error == 0)
        error = topology_subscribe(feed->bus, TOPOLOGY_FEED);
    if (error == 0)
        error = topology_subscribe(feed->bus, TOPOLOGY_CONTROL);
    if (error < 0) {
        lose(feed, bus_error_text(feed->bus));
        return;
    }
    log_info("feed_connected", LOG_U("failures", feed->backoff.failures));
    backoff_reset(&feed->backoff);
    feed->away = false;
    feed->silent = false;
    feed->last_heard_ns = clock_monotonic_ns();
    set_connected(feed, true);
    // Bound first, read second: whatever happens from here on is heard.
    line_store_read_line(feed->options.store);
    line_store_look_at_events(feed->options.store);
    if (feed->was_connected)
        loops_post_all(feed->options.loops, feed->options.on_back, NULL, hold_nothing);
    feed->was_connected = true;
}

// Posts to every loop and lets go of the reference; NULL (out of memory) is told to nobody.
static void tell(struct feed *feed, void (*fn)(struct http_loop *loop, void *argument), void *news)
{
    if (news)
        loops_post_all(feed->options.loops, fn, news, news_hold);
    news_unref(news);
}

static void hear_served(struct feed *feed, const struct message *message)
{
    enum feed_verdict verdict = feed_sequence_take(&feed->sequence, message->served.epoch, message->served.seq);
    if (verdict == FEED_OLD) {
        metric_add(&old, 1);
        return;
    }
    feed->last_heard_ns = clock_monotonic_ns();
    feed->silent = false;
    line_store_set_fallback(feed->options.store, false);
    metric_add(&heard, 1);
    if (verdict == FEED_GAP) {
        metric_add(&gaps, 1);
        log_warn("feed_gap", LOG_U("epoch", message->served.epoch), LOG_U("seq", message->served.seq));
        line_store_read_line(feed->options.store);
    }
    struct served_news *news = served_news_new(message->served.event_count);
    if (!news)
        return;
    memcpy(news->events, message->served.events, news->count * sizeof news->events[0]);
    tell(feed, feed->options.on_served, news);
}

static void note_malformed(const struct bus_delivery *delivery, const char *problem)
{
    metric_add(&malformed, 1);
    log_warn("message_malformed", LOG_S("exchange", delivery->exchange), LOG_S("problem", problem));
}

// What was missed is asked for first, so that nobody takes an answer from before for the newest.
static void hear_outcomes(struct feed *feed, const struct bus_delivery *delivery)
{
    struct outcomes outcomes = {0};
    char problem[128] = "";
    if (outcomes_read(delivery->body, delivery->body_bytes, &outcomes, problem, sizeof problem) < 0) {
        note_malformed(delivery, problem);
        return;
    }
    metric_add(&outcomes_heard, (int64_t)outcomes.count);
    if (outcomes.sender[0] && feed_senders_take(&feed->senders, outcomes.sender, outcomes.seq) == FEED_GAP) {
        metric_add(&outcome_gaps, 1);
        log_warn("outcomes_gap", LOG_S("sender", outcomes.sender), LOG_U("seq", outcomes.seq));
        loops_post_all(feed->options.loops, feed->options.on_outcomes_missed, NULL, hold_nothing);
    }
    tell(feed, feed->options.on_outcomes, outcomes_news_new(&outcomes));
    outcomes_done(&outcomes);
}

static void hear_stock(struct feed *feed, const struct message *message)
{
    line_store_note_stock(feed->options.store);
    struct stock_news *news = stock_news_new(message->stock.slug, message->stock.at_us, message->stock.tier_count);
    if (news)
        memcpy(news->tiers, message->stock.tiers, news->count * sizeof news->tiers[0]);
    tell(feed, feed->options.on_stock, news);
}

static void hear_ordered(struct feed *feed, const struct message *message)
{
    tell(feed, feed->options.on_ordered,
         ordered_news_new(message->ordered.slug, message->ordered.numbers, message->ordered.number_count));
}

static void hear(struct feed *feed, const struct bus_delivery *delivery)
{
    static _Thread_local struct message message; // too large for comfort on the stack
    char problem[128] = "";
    if (strcmp(delivery->type, OUTCOMES_TYPE) == 0) {
        hear_outcomes(feed, delivery);
        return;
    }
    if (message_read(delivery->body, delivery->body_bytes, &message, problem, sizeof problem) < 0) {
        note_malformed(delivery, problem);
        return;
    }
    if (message.type == MESSAGE_SERVED) {
        hear_served(feed, &message);
    } else if (message.type == MESSAGE_EVENT_CHANGED) {
        line_store_look_at_events(feed->options.store);
    } else if (message.type == MESSAGE_LEFT) {
        tell(feed, feed->options.on_left, left_news_new(message.left.slug, message.left.number));
    } else if (message.type == MESSAGE_ORDERED) {
        if (strcmp(delivery->correlation_id, feed->tag) != 0)
            hear_ordered(feed, &message);
    } else if (message.type == MESSAGE_STOCK) {
        hear_stock(feed, &message);
    }
}

// Takes over the reference. What does not fit is not told: whoever looks anew learns it from MySQL.
static void keep_left(struct feed *feed, struct left_news *news)
{
    pthread_mutex_lock(&feed->lock);
    bool fits = feed->left_count < LEFT_MAX;
    if (fits)
        feed->left[feed->left_count++] = news;
    pthread_mutex_unlock(&feed->lock);
    if (!fits)
        news_unref(news);
}

static struct left_news *take_left(struct feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    struct left_news *news = feed->left_count ? feed->left[--feed->left_count] : NULL;
    pthread_mutex_unlock(&feed->lock);
    return news;
}

// What cannot be published now (a broker with an alarm takes nothing, and goes on giving) is kept for the next turn; that a
// connection is lost shows in receiving.
static void publish_left(struct feed *feed)
{
    struct left_news *news;
    int error = 0;
    while (error == 0 && (news = take_left(feed))) {
        struct buffer body CLEANUP(buffer_done) = BUFFER_INIT;
        struct message message = {.type = MESSAGE_LEFT};
        memcpy(message.left.slug, news->slug, sizeof message.left.slug);
        message.left.number = news->number;
        message_write(&message, &body);
        if (!body.failed)
            error = bus_publish(feed->bus,
                                &(struct bus_message){.exchange = TOPOLOGY_FEED,
                                                      .routing_key = "",
                                                      .body = body.data,
                                                      .body_bytes = body.bytes,
                                                      .type = message_type_name(MESSAGE_LEFT)},
                                NULL);
        if (error < 0)
            keep_left(feed, news);
        else
            news_unref(news);
    }
}

// Returns whether the thread should look: what comes while others gather goes out with them.
static bool keep_ordered(struct feed *feed, const char *slug, uint64_t number, bool due)
{
    pthread_mutex_lock(&feed->lock);
    bool fits = ordered_queue_add(&feed->ordered, slug, number, due, clock_monotonic_ns());
    size_t count = feed->ordered.count;
    pthread_mutex_unlock(&feed->lock);
    if (!fits)
        metric_add(&ordered_forgotten, 1);
    return fits && (count == 1 || count == MESSAGE_NUMBERS_MAX);
}

static bool take_ordered(struct feed *feed, struct message *ret, int64_t *ret_wait_ns)
{
    pthread_mutex_lock(&feed->lock);
    *ret_wait_ns = ordered_queue_wait_ns(&feed->ordered, clock_monotonic_ns());
    bool taken = *ret_wait_ns == 0 && ordered_queue_take(&feed->ordered, ret);
    pthread_mutex_unlock(&feed->lock);
    return taken;
}

static int send_ordered(struct feed *feed, const struct message *message)
{
    struct buffer body CLEANUP(buffer_done) = BUFFER_INIT;
    message_write(message, &body);
    if (body.failed)
        return 0;
    return bus_publish(feed->bus,
                       &(struct bus_message){.exchange = TOPOLOGY_CONTROL,
                                             .routing_key = "",
                                             .body = body.data,
                                             .body_bytes = body.bytes,
                                             .type = message_type_name(MESSAGE_ORDERED),
                                             .correlation_id = feed->tag},
                       NULL);
}

// Publishes what has gathered. Returns how many nanoseconds the rest may go on gathering; -1: there is none.
static int64_t publish_ordered(struct feed *feed)
{
    static _Thread_local struct message message;
    int64_t wait_ns;
    while (take_ordered(feed, &message, &wait_ns)) {
        if (send_ordered(feed, &message) == 0)
            continue;
        for (size_t i = 0; i < message.ordered.number_count; i++)
            keep_ordered(feed, message.ordered.slug, message.ordered.numbers[i], message.ordered.due);
        return -1; // with the next turn
    }
    return wait_ns;
}

static bool take_bell(struct feed *feed, struct message *ret)
{
    pthread_mutex_lock(&feed->lock);
    bool is_due = feed->is_bell_due;
    feed->is_bell_due = false;
    memcpy(ret->pay.slug, feed->bell_slug, sizeof ret->pay.slug);
    ret->pay.place = feed->bell_number;
    pthread_mutex_unlock(&feed->lock);
    return is_due;
}

// Returns whether it did not ring yet.
static bool keep_bell(struct feed *feed, const char *slug, uint64_t number)
{
    pthread_mutex_lock(&feed->lock);
    bool is_first = !feed->is_bell_due;
    feed->is_bell_due = true;
    snprintf(feed->bell_slug, sizeof feed->bell_slug, "%s", is_first ? slug : "");
    feed->bell_number = is_first ? number : 0;
    pthread_mutex_unlock(&feed->lock);
    return is_first;
}

static void publish_bell(struct feed *feed)
{
    struct buffer body CLEANUP(buffer_done) = BUFFER_INIT;
    static _Thread_local struct message message = {.type = MESSAGE_PAY};
    if (!take_bell(feed, &message))
        return;
    message_write(&message, &body);
    if (body.failed)
        return;
    int error = bus_publish(feed->bus,
                            &(struct bus_message){.exchange = "",
                                                  .routing_key = TOPOLOGY_PAYMENTS,
                                                  .body = body.data,
                                                  .body_bytes = body.bytes,
                                                  .type = message_type_name(MESSAGE_PAY)},
                            NULL);
    if (error < 0) // with the next turn
        keep_bell(feed, message.pay.slug, message.pay.place);
}

static int wait_ms(int64_t ordered_wait_ns)
{
    int64_t ms = ordered_wait_ns < 0 ? WAIT_MS : ordered_wait_ns / 1000000 + 1;
    return (int)(ms < WAIT_MS ? ms : WAIT_MS);
}

static void check_silence(struct feed *feed)
{
    if (feed->silent || clock_monotonic_ns() - feed->last_heard_ns < SILENCE_NS)
        return;
    feed->silent = true;
    metric_add(&silences, 1);
    log_warn("feed_silent", LOG_I("seconds", SILENCE_NS / 1000000000));
    line_store_set_fallback(feed->options.store, true);
}

static void listen_once(struct feed *feed)
{
    struct bus_delivery delivery;
    publish_left(feed);
    publish_bell(feed);
    int64_t ordered_wait_ns = publish_ordered(feed);
    int error = bus_receive(feed->bus, 0, &delivery);
    if (error == 0) {
        hear(feed, &delivery);
        bus_delivery_done(&delivery);
    } else if (error == ERROR_NOT_FOUND) {
        uint64_t count;
        struct pollfd ready[] = {{.fd = bus_fd(feed->bus), .events = POLLIN}, {.fd = feed->wake, .events = POLLIN}};
        if (poll(ready, 2, wait_ms(ordered_wait_ns)) > 0 && (ready[1].revents & POLLIN) &&
            read(feed->wake, &count, sizeof count) < 0)
            log_debug("wake_failed", LOG_I("fd", feed->wake));
    } else if (error == ERROR_LIMIT) {
        metric_add(&malformed, 1);
    } else {
        lose(feed, bus_error_text(feed->bus));
    }
    check_silence(feed);
}

static void *run(void *argument)
{
    struct feed *feed = argument;
    while (!atomic_load(&feed->stopping)) {
        if (feed->bus) {
            listen_once(feed);
        } else {
            connect_once(feed);
            if (!feed->bus)
                wait_before_retry(feed);
        }
    }
    bus_close(feed->bus);
    feed->bus = NULL;
    set_connected(feed, false);
    return NULL;
}

int feed_open(const struct feed_options *options, struct feed **ret)
{
    struct feed *feed = calloc(1, sizeof *feed);
    if (!feed)
        return ERROR_MEMORY;
    feed->options = *options;
    snprintf(feed->tag, sizeof feed->tag, "%016" PRIx64, random_u64());
    feed->backoff = (struct backoff){.first_ms = RETRY_FIRST_MS, .most_ms = RETRY_MOST_MS};
    feed->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&feed->lock, NULL);
    line_store_set_fallback(options->store, true); // until the first message
    if (feed->wake < 0 || pthread_create(&feed->thread, NULL, run, feed) != 0) {
        if (feed->wake >= 0)
            close(feed->wake);
        free(feed);
        return ERROR_LIMIT;
    }
    *ret = feed;
    return 0;
}

static void wake(struct feed *feed)
{
    uint64_t one = 1;
    if (write(feed->wake, &one, sizeof one) < 0)
        log_debug("wake_failed", LOG_I("fd", feed->wake)); // the counter is full: the thread is awake anyway
}

void feed_stop(struct feed *feed)
{
    atomic_store(&feed->stopping, true);
    wake(feed);
    pthread_join(feed->thread, NULL);
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    struct left_news *news;
    while ((news = take_left(feed)))
        news_unref(news);
    close(feed->wake);
    pthread_mutex_destroy(&feed->lock);
    free(feed);
}

void feed_publish_left(struct feed *feed, const char *slug, uint64_t number)
{
    struct left_news *news = left_news_new(slug, number);
    if (!news)
        return;
    keep_left(feed, news);
    wake(feed);
}

void feed_publish_ordered(struct feed *feed, const char *slug, uint64_t number, bool due)
{
    if (keep_ordered(feed, slug, number, due))
        wake(feed);
}

void feed_ring(struct feed *feed, const char *slug, uint64_t number)
{
    if (keep_bell(feed, slug, number))
        wake(feed);
}

bool feed_is_connected(const struct feed *feed)
{
    return atomic_load(&feed->connected);
}
