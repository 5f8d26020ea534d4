// SPDX-License-Identifier: Apache-2.0
// See relay.h. A batch is acknowledged once RabbitMQ has confirmed all that was made of it. When the connection goes in between, the
// batch comes again and is passed on again; readers bear doubles, and a number that never arrived shows them that they missed something.
#include "notifier/relay.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/dead_letter.h"
#include "common/json.h"
#include "common/link.h"
#include "common/log.h"
#include "common/outcome.h"
#include "common/random.h"
#include "common/topology.h"
#include "common/utf8.h"
#include "notifier/meters.h"

#define IDLE_MS 1000 // at least this often heartbeats are serviced
#define CONFIRM_TIMEOUT_MS 3000
#define BODY_BYTES_MAX (1024 * 1024) // the bus gives no more

struct relay {
    const struct stop *stop;
    struct stock *stock;
    struct link link;
    pthread_t thread;
    uint16_t batch_max;
    bool is_subscribed;
    char sender[OUTCOME_SENDER_BYTES];
    uint64_t seq;
};

bool relay_has_rabbitmq(const struct relay *relay)
{
    return atomic_load(&relay->link.has_bus);
}

static void lose_bus(struct relay *relay, int error)
{
    link_lose_bus(&relay->link, error);
    relay->is_subscribed = false;
}

static void subscribe(struct relay *relay)
{
    if (relay->is_subscribed || link_use_bus(&relay->link))
        return;
    // Twice, so that the next batch is here when one is done.
    int result = bus_consume(relay->link.bus, TOPOLOGY_OUTCOMES, (uint16_t)(2 * relay->batch_max), false);
    if (result) {
        lose_bus(relay, result);
        return;
    }
    relay->is_subscribed = true;
    log_info("subscribed", LOG_S("queue", TOPOLOGY_OUTCOMES));
}

// ---------------------------------------------------------------- one message

static int pass_on(struct relay *relay, const struct outcomes *outcomes)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    outcomes_begin(&text, outcomes->slug, outcomes->currency, relay->sender, relay->seq + 1);
    for (size_t i = 0; i < outcomes->count; i++)
        outcomes_add(&text, &outcomes->items[i]);
    outcomes_end(&text);
    if (text.failed)
        return ERROR_MEMORY;
    const struct bus_message message = {
        .exchange = TOPOLOGY_FEED,
        .routing_key = "",
        .body = text.data,
        .body_bytes = text.bytes,
        .type = OUTCOMES_TYPE,
    };
    // Counted before it is sent: what was lost on the way must leave a gap.
    relay->seq++;
    int result = bus_publish(relay->link.bus, &message, NULL);
    if (result)
        return result;
    metric_add(&meter_outcome_messages, 1);
    metric_add(&meter_outcomes, (int64_t)outcomes->count);
    log_hold();
    for (size_t i = 0; i < outcomes->count; i++)
        log_debug("outcome", LOG_S("slug", outcomes->slug), LOG_U("place", outcomes->items[i].place),
                  LOG_U("attempt", outcomes->items[i].attempt), LOG_U("revision", outcomes->items[i].revision),
                  LOG_S("state", order_state_name(outcomes->items[i].state)));
    log_release();
    return 0;
}

// It goes the way of all dead letters, so that one thread alone records them.
static int condemn(struct relay *relay, const struct bus_delivery *delivery, const char *problem)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    json_t *object CLEANUP(json_cleanup) = NULL;
    struct dead_letter letter = {
        .queue = TOPOLOGY_OUTCOMES, .body = delivery->body, .body_bytes = delivery->body_bytes};
    bool is_json = json_read_object(delivery->body, delivery->body_bytes, BODY_BYTES_MAX, NULL, 0, &object) == 0;
    snprintf(letter.reason, sizeof(letter.reason), "%s", is_json ? "version" : "not_json");
    snprintf(letter.detail, sizeof(letter.detail), "%s", problem);
    utf8_mend(letter.detail); // it may quote what was sent
    dead_letter_digest(delivery->body, delivery->body_bytes, letter.digest);
    dead_letter_write(&letter, &text);
    if (text.failed)
        return ERROR_MEMORY;
    const struct bus_message message = {
        .exchange = "",
        .routing_key = TOPOLOGY_DEAD,
        .body = text.data,
        .body_bytes = text.bytes,
        .type = DEAD_LETTER_TYPE,
        .persistent = true,
    };
    int result = bus_publish(relay->link.bus, &message, NULL);
    if (result)
        return result;
    metric_add(&meter_unreadable, 1);
    log_warn("unreadable", LOG_S("queue", TOPOLOGY_OUTCOMES), LOG_S("reason", letter.reason),
             LOG_S("problem", letter.detail));
    return 0;
}

static int handle(struct relay *relay, const struct bus_delivery *delivery)
{
    struct outcomes outcomes = {0};
    char problem[128] = "";
    int result = outcomes_read(delivery->body, delivery->body_bytes, &outcomes, problem, sizeof(problem));
    if (result == ERROR_INVALID)
        return condemn(relay, delivery, problem);
    if (result)
        return result;
    result = pass_on(relay, &outcomes);
    if (result == 0)
        stock_touch(relay->stock, outcomes.slug);
    outcomes_done(&outcomes);
    return result;
}

// ---------------------------------------------------------------- a batch

// Handles what has arrived, at most a batch. *ret_tag is the last one's.
static int take(struct relay *relay, unsigned *ret_count, uint64_t *ret_tag)
{
    unsigned count = 0;
    while (count < relay->batch_max) {
        struct bus_delivery delivery = {0};
        int result = bus_receive(relay->link.bus, 0, &delivery);
        if (result == ERROR_NOT_FOUND)
            break;
        if (result == ERROR_LIMIT) {
            log_error("message_dropped", LOG_S("queue", TOPOLOGY_OUTCOMES),
                      LOG_S("text", bus_error_text(relay->link.bus)));
            continue;
        }
        if (result == 0)
            result = handle(relay, &delivery);
        if (result == 0)
            *ret_tag = delivery.tag;
        bus_delivery_done(&delivery);
        if (result)
            return result;
        count++;
    }
    *ret_count = count;
    return 0;
}

static bool work(struct relay *relay)
{
    unsigned count = 0;
    uint64_t tag = 0;
    int64_t begun_ns = clock_monotonic_ns();
    int result = take(relay, &count, &tag);
    if (result == 0 && count > 0)
        result = bus_wait_confirms(relay->link.bus, CONFIRM_TIMEOUT_MS);
    if (result == 0 && count > 0)
        result = bus_ack(relay->link.bus, tag, true);
    if (result) {
        lose_bus(relay, result);
        return false;
    }
    if (count > 0)
        metric_observe_us(&meter_relay_duration, (clock_monotonic_ns() - begun_ns) / 1000);
    return count > 0;
}

static void *run(void *context)
{
    struct relay *relay = context;
    while (!stop_was_asked(relay->stop)) {
        subscribe(relay);
        if (relay->link.bus && work(relay))
            continue;
        stop_wait(relay->stop, relay->link.bus ? bus_fd(relay->link.bus) : -1, link_wait_ms(&relay->link, IDLE_MS));
    }
    return NULL;
}

int relay_start(const struct settings *settings, const struct stop *stop, struct stock *stock, struct relay **ret)
{
    struct relay *relay = calloc(1, sizeof(*relay));
    if (!relay)
        return ERROR_MEMORY;
    relay->stop = stop;
    relay->stock = stock;
    relay->batch_max = (uint16_t)settings->batch_max;
    random_name(relay->sender);
    link_init(&relay->link, &settings->common, "notifier", "relay");
    if (pthread_create(&relay->thread, NULL, run, relay)) {
        free(relay);
        return ERROR_PERMANENT;
    }
    *ret = relay;
    return 0;
}

void relay_join(struct relay *relay)
{
    if (!relay)
        return;
    pthread_join(relay->thread, NULL);
    link_done(&relay->link);
    free(relay);
}
