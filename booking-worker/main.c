// SPDX-License-Identifier: Apache-2.0
// booking-worker: books the orders that admission released, in batches, one event at a time. Several share the queues and stand
// in for each other. Here the parts are wired and the signals waited for.
#include "booking-worker/meters.h"
#include "booking-worker/payer.h"
#include "booking-worker/queue.h"
#include "booking-worker/settings.h"
#include "booking-worker/sweep.h"
#include "common/log.h"
#include "common/ops.h"
#include "common/program.h"
#include "common/random.h"
#include "common/stop.h"
#include "common/sweeper.h"
#include "common/topology.h"

#define SUBSCRIBE_STEP_MS 50 // between two queues

static struct settings settings;

static const char summary[] =
    "Books released orders. Run two or more: they share the queues and stand in for each other.";

struct parts {
    struct stop stop;
    struct queue *queues[TOPOLOGY_BOOKING_QUEUES];
    struct sweep *sweep;
    struct payer *payer; // NULL: nothing is paid by card
    struct sweeper *sweeper; // of the outbox
    struct ops *ops;
};

static bool is_ready(void *context, struct buffer *missing)
{
    const struct parts *parts = context;
    bool mysql = sweep_has_mysql(parts->sweep), rabbitmq = true;
    if (parts->payer)
        mysql = mysql && payer_has_mysql(parts->payer);
    for (unsigned i = 0; i < TOPOLOGY_BOOKING_QUEUES; i++) {
        mysql = mysql && queue_has_mysql(parts->queues[i]);
        rabbitmq = rabbitmq && queue_has_rabbitmq(parts->queues[i]);
    }
    if (!mysql)
        buffer_text(missing, "MySQL does not answer or takes no bookings\n");
    if (!rabbitmq)
        buffer_text(missing, "RabbitMQ is not connected\n");
    return mysql && rabbitmq;
}

// Every worker takes the queues in another sequence and slowly, so that those that start together get some each.
static int start_queues(struct parts *parts)
{
    unsigned order[TOPOLOGY_BOOKING_QUEUES] = {0};
    for (unsigned i = 0; i < TOPOLOGY_BOOKING_QUEUES; i++) {
        unsigned other = (unsigned)(random_u64() % (i + 1));
        order[i] = order[other];
        order[other] = i;
    }
    int result = 0;
    for (unsigned i = 0; i < TOPOLOGY_BOOKING_QUEUES && result == 0; i++)
        result = queue_start(&settings, topology_booking_queue(i), (int64_t)order[i] * SUBSCRIBE_STEP_MS, &parts->stop,
                             parts->payer, &parts->queues[i]);
    return result;
}

static int start(struct parts *parts)
{
    const struct sweeper_options sweeping = {
        .config = &settings.common,
        .program = "booking-worker",
    };
    int result = stop_init(&parts->stop);
    if (!result && settings.common.payment_provider == PAYMENT_STRIPE)
        result = payer_start(&settings, &parts->stop, &parts->payer);
    if (!result)
        result = start_queues(parts);
    if (!result)
        result = sweep_start(&settings, &parts->stop, parts->payer, &parts->sweep);
    if (!result)
        result = sweeper_start(&sweeping, &parts->stop, &parts->sweeper);
    if (result) {
        log_error("start_failed", LOG_S("class", error_str(result)));
        return result;
    }
    const char *address = settings.common.ops_listen[CONFIG_BOOKING_WORKER];
    result = ops_open(address, is_ready, parts, &parts->ops);
    if (result)
        log_error("ops_not_listening", LOG_S("address", address), LOG_S("class", error_str(result)));
    return result;
}

static void stop(struct parts *parts)
{
    ops_close(parts->ops);
    if (parts->stop.fd >= 0)
        stop_ask(&parts->stop);
    for (unsigned i = 0; i < TOPOLOGY_BOOKING_QUEUES; i++)
        queue_join(parts->queues[i]);
    sweep_join(parts->sweep);
    payer_join(parts->payer); // the last one: the others ring it
    sweeper_join(parts->sweeper);
    stop_done(&parts->stop);
}

int main(int argc, char **argv)
{
    const struct config_table table = {
        .keys = settings_keys,
        .key_count = settings_key_count,
        .config = &settings,
        .program = "booking-worker",
        .check = settings_check,
    };
    const char *path = NULL;
    int status = program_start(&table, summary, argc, argv, &path);
    if (status >= 0)
        return status;
    struct parts parts = {.stop.fd = -1};
    meters_register();
    bool is_started = start(&parts) == 0;
    if (is_started)
        program_serve(&table, path);
    stop(&parts);
    config_done(&table);
    return is_started ? 0 : 1;
}
