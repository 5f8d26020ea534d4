// SPDX-License-Identifier: Apache-2.0
// One connection to RabbitMQ for one message and, if asked for, its answer on a private queue.
#include "admin/notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/bus.h"
#include "common/clock.h"
#include "common/message.h"
#include "common/random.h"
#include "common/topology.h"

#define RPC_TIMEOUT_MS 2000
#define ANSWERS_MAX 100 // leaders answer once; only old answers could fill the queue

struct notify {
    const struct context *context;
    struct bus *bus;
    char reply_to[BUS_NAME_BYTES]; // "" when no answer is wanted
    char correlation_id[RANDOM_NAME_BYTES];
    bool failed; // a note was written; say nothing more
};

static void fail(struct notify *notify)
{
    if (!notify->failed)
        context_note(notify->context,
                     "the change stands in MySQL, but RabbitMQ is out of reach (%s): the others see it within a second",
                     bus_error_text(notify->bus));
    notify->failed = true;
}

static int prepare_answer(struct notify *notify)
{
    const struct bus_queue queue = {
        .name = "", .exclusive = true, .auto_delete = true, .length_max = ANSWERS_MAX, .drop_head = true};
    random_name(notify->correlation_id);
    int r = bus_declare_queue(notify->bus, &queue, notify->reply_to);
    return r < 0 ? r : bus_consume(notify->bus, notify->reply_to, 0, true);
}

struct notify *notify_open(const struct context *context, bool wants_answer)
{
    const struct bus_options options = {.url = context->config->common.amqp_url,
                                        .tls_ca = context->config->common.amqp_tls_ca,
                                        .name = "onsale",
                                        .rpc_timeout_ms = RPC_TIMEOUT_MS};
    struct bus *bus;
    int r = bus_open(&options, true, &bus);
    if (r < 0) {
        context_note(context, "RabbitMQ is out of reach (%s): the others see the change in MySQL within a second",
                     error_str(r));
        return NULL;
    }
    struct notify *notify = calloc(1, sizeof(*notify));
    if (!notify) {
        bus_close(bus);
        return NULL;
    }
    notify->context = context;
    notify->bus = bus;
    if (topology_declare(bus) < 0 || (wants_answer && prepare_answer(notify) < 0))
        fail(notify);
    return notify;
}

void notify_close(struct notify *notify)
{
    if (!notify)
        return;
    bus_close(notify->bus);
    free(notify);
}

void notify_send(struct notify *notify, const char *slug, uint64_t version)
{
    if (!notify || notify->failed)
        return;
    struct message message = {.type = MESSAGE_EVENT_CHANGED, .event_changed = {.version = version}};
    snprintf(message.event_changed.slug, sizeof(message.event_changed.slug), "%s", slug);
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    message_write(&message, &text);
    const struct bus_message out = {
        .exchange = TOPOLOGY_CONTROL,
        .routing_key = "",
        .body = text.data,
        .body_bytes = text.bytes,
        .type = message_type_name(MESSAGE_EVENT_CHANGED),
        .reply_to = *notify->reply_to ? notify->reply_to : NULL,
        .correlation_id = *notify->reply_to ? notify->correlation_id : NULL,
    };
    if (text.failed || bus_publish(notify->bus, &out, NULL) < 0)
        fail(notify);
    // Only a message that the broker has is safe from our hanging up. Who waits for the answer sees that anyway.
    else if (!*notify->reply_to && bus_wait_confirms(notify->bus, RPC_TIMEOUT_MS) < 0)
        fail(notify);
}

// True when the delivery says that admission has come to this version.
static bool is_answer(const struct notify *notify, const struct bus_delivery *delivery, const char *slug,
                      uint64_t version)
{
    struct message message;
    char problem[64];
    return strcmp(delivery->correlation_id, notify->correlation_id) == 0 &&
           message_read(delivery->body, delivery->body_bytes, &message, problem, sizeof(problem)) == 0 &&
           message.type == MESSAGE_ACTED && strcmp(message.acted.slug, slug) == 0 && message.acted.version >= version;
}

bool notify_wait_acted(struct notify *notify, const char *slug, uint64_t version, int timeout_ms)
{
    if (!notify || notify->failed)
        return false;
    int64_t until_ns = clock_monotonic_ns() + (int64_t)timeout_ms * 1000000;
    for (;;) {
        int64_t left_ms = (until_ns - clock_monotonic_ns()) / 1000000;
        if (left_ms <= 0)
            return false;
        struct bus_delivery delivery = {0};
        int r = bus_receive(notify->bus, (int)left_ms, &delivery);
        bool acted = r == 0 && is_answer(notify, &delivery, slug, version);
        bus_delivery_done(&delivery);
        if (acted)
            return true;
        if (r == ERROR_TRANSIENT || r == ERROR_PERMANENT) {
            fail(notify);
            return false;
        }
    }
}

void notify_changed(const struct context *context, const char *slug, uint64_t version)
{
    struct notify *notify = notify_open(context, false);
    notify_send(notify, slug, version);
    notify_close(notify);
}

void notify_pay(const struct context *context, const char *slug, uint64_t place)
{
    const struct bus_options options = {.url = context->config->common.amqp_url,
                                        .tls_ca = context->config->common.amqp_tls_ca,
                                        .name = "onsale",
                                        .rpc_timeout_ms = RPC_TIMEOUT_MS};
    struct message message = {.type = MESSAGE_PAY, .pay = {.place = place}};
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    struct bus *bus = NULL;
    snprintf(message.pay.slug, sizeof(message.pay.slug), "%s", slug);
    message_write(&message, &text);
    const struct bus_message out = {.exchange = "",
                                    .routing_key = TOPOLOGY_PAYMENTS,
                                    .body = text.data,
                                    .body_bytes = text.bytes,
                                    .type = message_type_name(MESSAGE_PAY)};
    int r = text.failed ? ERROR_MEMORY : bus_open(&options, true, &bus);
    if (r == 0)
        r = topology_declare_queues(bus);
    if (r == 0)
        r = bus_publish(bus, &out, NULL);
    if (r == 0)
        r = bus_wait_confirms(bus, RPC_TIMEOUT_MS);
    if (r < 0)
        context_note(context,
                     "the change stands in MySQL, but RabbitMQ is out of reach (%s): payers see it by themselves",
                     bus_error_text(bus));
    bus_close(bus);
}

void notify_outbox(const struct context *context, struct outbox *outbox)
{
    if (outbox_pending(outbox) == 0)
        return;
    const struct bus_options options = {.url = context->config->common.amqp_url,
                                        .tls_ca = context->config->common.amqp_tls_ca,
                                        .name = "onsale",
                                        .rpc_timeout_ms = RPC_TIMEOUT_MS};
    struct bus *bus = NULL;
    int r = bus_open(&options, true, &bus);
    if (r == 0)
        r = topology_declare_queues(bus);
    if (r == 0)
        r = outbox_publish(outbox, bus);
    if (r == 0)
        r = bus_wait_confirms(bus, RPC_TIMEOUT_MS);
    if (r < 0)
        context_note(context, "the change stands in MySQL, but RabbitMQ is out of reach (%s): visitors hear it later",
                     bus_error_text(bus));
    else
        outbox_confirmed(outbox);
    bus_close(bus);
    // What stays is published once more by a sweep, which changes nothing.
    while (outbox_confirmed_count(outbox) > 0 && outbox_remove(outbox, context->db) == 0)
        outbox_committed(outbox);
}
