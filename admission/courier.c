// SPDX-License-Identifier: Apache-2.0
// See courier.h. A number of the feed's sequence is used up even when its message could not be sent, so that whoever
// missed it sees a gap and asks MySQL.
#define _GNU_SOURCE // ppoll
#include "admission/courier.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "admission/meters.h"
#include "common/backoff.h"
#include "common/bus.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/random.h"
#include "common/topology.h"

#define WAIT_MS 1000 // at least this often heartbeats are serviced
// Steps that come faster than this are told together: waiting rooms send four frames a second, and a line of
// thousands a second would otherwise keep every one of them reading.
#define FEED_GAP_NS INT64_C(4000000)

#define PROVED_NS INT64_C(5000000000) // a connection that lasted this long was a good one

struct courier {
    const struct common_config *config;
    struct mailbox *mailbox;
    pthread_t thread;
    struct bus *bus;
    atomic_bool is_connected;
    struct backoff backoff;
    int64_t connect_at_ns, connected_at_ns;
    bool said_away;
    uint64_t epoch, seq; // of the feed
    int64_t fed_at_ns;
    bool has_more; // lines are waiting for the gap to pass
    struct buffer text;
    struct message message;
};

bool courier_is_connected(const struct courier *courier)
{
    return atomic_load(&courier->is_connected);
}

static int connect_bus(struct courier *courier)
{
    const struct bus_options options = {
        .url = courier->config->amqp_url,
        .tls_ca = courier->config->amqp_tls_ca,
        .name = "admission",
    };
    int result = bus_open(&options, false, &courier->bus);
    if (!result)
        result = topology_declare(courier->bus);
    if (!result)
        result = topology_subscribe(courier->bus, TOPOLOGY_CONTROL);
    return result;
}

static void lose_bus(struct courier *courier, int error)
{
    const char *why = courier->bus ? bus_error_text(courier->bus) : "";
    // A broker whose memory is full accepts connections but no messages, so a connection alone proves nothing.
    if (courier->bus && clock_monotonic_ns() - courier->connected_at_ns > PROVED_NS) {
        backoff_reset(&courier->backoff);
        courier->said_away = false;
    }
    int64_t wait_ms = backoff_next_ms(&courier->backoff, random_u64());
    // Said once, not with every attempt.
    if (!courier->said_away)
        log_warn("rabbitmq_away", LOG_S("error", error_str(error)), LOG_S("text", why));
    courier->said_away = true;
    bus_close(courier->bus);
    courier->bus = NULL;
    atomic_store(&courier->is_connected, false);
    courier->connect_at_ns = clock_monotonic_ns() + wait_ms * 1000000;
}

static void try_to_connect(struct courier *courier)
{
    int result = connect_bus(courier);
    if (result) {
        lose_bus(courier, result);
        return;
    }
    courier->connected_at_ns = clock_monotonic_ns();
    atomic_store(&courier->is_connected, true);
    log_info("rabbitmq_connected", LOG_S("exchange", TOPOLOGY_CONTROL));
}

static int publish(struct courier *courier, const char *exchange, const char *routing_key, const char *correlation_id)
{
    if (!courier->bus)
        return ERROR_TRANSIENT;
    buffer_clear(&courier->text);
    message_write(&courier->message, &courier->text);
    if (courier->text.failed)
        return ERROR_BUG;
    const struct bus_message out = {
        .exchange = exchange,
        .routing_key = routing_key,
        .body = courier->text.data,
        .body_bytes = courier->text.bytes,
        .type = message_type_name(courier->message.type),
        .correlation_id = correlation_id,
    };
    return bus_publish(courier->bus, &out, NULL);
}

// One message that could not be sent is counted and forgotten; the connection it was sent on is given up.
static void send_message(struct courier *courier, const char *exchange, const char *routing_key,
                         const char *correlation_id)
{
    int result = publish(courier, exchange, routing_key, correlation_id);
    metric_add(result ? &meter_messages_failed : &meter_messages, 1);
    if (result && courier->bus)
        lose_bus(courier, result);
}

static void send_served(struct courier *courier)
{
    int64_t now_ns = clock_monotonic_ns();
    courier->has_more = true;
    if (now_ns - courier->fed_at_ns < FEED_GAP_NS)
        return;
    for (;;) {
        struct message *message = &courier->message;
        message->type = MESSAGE_SERVED;
        message->served.event_count = mailbox_take_served(courier->mailbox, message->served.events, MESSAGE_EVENTS_MAX,
                                                          &message->served.epoch, &message->served.full);
        // A full one goes out even when there is no line at all: it says that admission is there.
        if (message->served.event_count == 0 && !message->served.full)
            break;
        if (message->served.epoch != courier->epoch) {
            courier->epoch = message->served.epoch;
            courier->seq = 0;
        }
        message->served.seq = ++courier->seq;
        send_message(courier, TOPOLOGY_FEED, "", NULL);
        courier->fed_at_ns = now_ns;
    }
    courier->has_more = false;
}

static void send_queues(struct courier *courier)
{
    struct mailbox_change change;
    while (mailbox_take_news(courier->mailbox, &change)) {
        courier->message.type = MESSAGE_EVENT_CHANGED;
        memcpy(courier->message.event_changed.slug, change.slug, sizeof(change.slug));
        courier->message.event_changed.version = change.version;
        send_message(courier, TOPOLOGY_CONTROL, "", NULL);
    }
    while (mailbox_take_answer(courier->mailbox, &change)) {
        courier->message.type = MESSAGE_ACTED;
        memcpy(courier->message.acted.slug, change.slug, sizeof(change.slug));
        courier->message.acted.version = change.version;
        courier->message.acted.epoch = change.epoch;
        send_message(courier, "", change.reply_to, change.correlation_id);
    }
}

static void on_delivery(struct courier *courier, const struct bus_delivery *delivery)
{
    char problem[128];
    if (message_read(delivery->body, delivery->body_bytes, &courier->message, problem, sizeof(problem))) {
        log_warn("message_refused", LOG_S("exchange", delivery->exchange), LOG_S("problem", problem));
        return;
    }
    if (courier->message.type == MESSAGE_ORDERED && courier->message.ordered.due)
        mailbox_hint(courier->mailbox, courier->message.ordered.slug);
    if (courier->message.type != MESSAGE_EVENT_CHANGED)
        return;
    // Orders end with the event, and go on with it.
    mailbox_hint(courier->mailbox, courier->message.event_changed.slug);
    struct mailbox_change change = {.version = courier->message.event_changed.version};
    memcpy(change.slug, courier->message.event_changed.slug, sizeof(change.slug));
    memcpy(change.reply_to, delivery->reply_to, sizeof(change.reply_to));
    memcpy(change.correlation_id, delivery->correlation_id, sizeof(change.correlation_id));
    mailbox_put_change(courier->mailbox, &change);
}

static void receive_all(struct courier *courier)
{
    while (courier->bus) {
        struct bus_delivery delivery = {0};
        int result = bus_receive(courier->bus, 0, &delivery);
        if (result == ERROR_NOT_FOUND)
            return;
        if (result == 0)
            on_delivery(courier, &delivery);
        else if (result != ERROR_LIMIT)
            lose_bus(courier, result);
        bus_delivery_done(&delivery);
    }
}

static void wait_for_something(struct courier *courier)
{
    int64_t now_ns = clock_monotonic_ns();
    int64_t wait_ns = WAIT_MS * INT64_C(1000000);
    if (!courier->bus && courier->connect_at_ns - now_ns < wait_ns)
        wait_ns = courier->connect_at_ns - now_ns;
    if (courier->has_more && courier->fed_at_ns + FEED_GAP_NS - now_ns < wait_ns)
        wait_ns = courier->fed_at_ns + FEED_GAP_NS - now_ns;
    if (wait_ns < 0)
        wait_ns = 0;
    struct pollfd fds[] = {
        {.fd = mailbox_courier_fd(courier->mailbox), .events = POLLIN},
        {.fd = courier->bus ? bus_fd(courier->bus) : -1, .events = POLLIN},
    };
    const struct timespec timeout = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
    ppoll(fds, 2, &timeout, NULL);
}

static void *run(void *context)
{
    struct courier *courier = context;
    while (!mailbox_is_stopping(courier->mailbox)) {
        if (!courier->bus && clock_monotonic_ns() >= courier->connect_at_ns)
            try_to_connect(courier);
        mailbox_clear_courier(courier->mailbox);
        receive_all(courier);
        send_queues(courier);
        send_served(courier);
        wait_for_something(courier);
    }
    bus_close(courier->bus);
    atomic_store(&courier->is_connected, false);
    return NULL;
}

int courier_start(const struct common_config *config, struct mailbox *mailbox, struct courier **ret)
{
    struct courier *courier = calloc(1, sizeof(*courier));
    if (!courier)
        return ERROR_MEMORY;
    courier->config = config;
    courier->mailbox = mailbox;
    courier->backoff = (struct backoff){.first_ms = 100, .most_ms = 1000};
    courier->connect_at_ns = INT64_MIN;
    courier->fed_at_ns = INT64_MIN / 2;
    if (pthread_create(&courier->thread, NULL, run, courier)) {
        free(courier);
        return ERROR_PERMANENT;
    }
    *ret = courier;
    return 0;
}

void courier_join(struct courier *courier)
{
    if (!courier)
        return;
    pthread_join(courier->thread, NULL);
    buffer_done(&courier->text);
    free(courier);
}
