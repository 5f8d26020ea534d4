// SPDX-License-Identifier: Apache-2.0
// notifier: passes outcomes on to the waiting rooms, tells them what is left, records what died. Several stand in for each other. Here
// the parts are wired and the signals waited for.
#include "common/log.h"
#include "common/ops.h"
#include "common/program.h"
#include "common/stop.h"
#include "common/sweeper.h"
#include "notifier/meters.h"
#include "notifier/recorder.h"
#include "notifier/relay.h"
#include "notifier/settings.h"
#include "notifier/stock.h"

static struct settings settings;

static const char summary[] =
    "Tells visitors what became of their orders, and operators what died. Run two or more: they "
    "stand in for each other.";

struct parts {
    struct stop stop;
    struct relay *relay;
    struct recorder *recorder;
    struct stock *stock;
    struct sweeper *sweeper;
    struct ops *ops;
};

static bool is_ready(void *context, struct buffer *missing)
{
    const struct parts *parts = context;
    bool mysql = recorder_has_mysql(parts->recorder) && stock_has_mysql(parts->stock);
    bool rabbitmq =
        relay_has_rabbitmq(parts->relay) && recorder_has_rabbitmq(parts->recorder) && stock_has_rabbitmq(parts->stock);
    if (!mysql)
        buffer_text(missing, "MySQL does not answer\n");
    if (!rabbitmq)
        buffer_text(missing, "RabbitMQ is not connected\n");
    return mysql && rabbitmq;
}

static int start(struct parts *parts)
{
    const struct sweeper_options sweeping = {
        .config = &settings.common,
        .program = "notifier",
    };
    int result = stop_init(&parts->stop);
    if (!result)
        result = stock_start(&settings, &parts->stop, &parts->stock);
    if (!result)
        result = relay_start(&settings, &parts->stop, parts->stock, &parts->relay);
    if (!result)
        result = recorder_start(&settings, &parts->stop, &parts->recorder);
    if (!result)
        result = sweeper_start(&sweeping, &parts->stop, &parts->sweeper);
    if (result) {
        log_error("start_failed", LOG_S("class", error_str(result)));
        return result;
    }
    const char *address = settings.common.ops_listen[CONFIG_NOTIFIER];
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
    relay_join(parts->relay);
    recorder_join(parts->recorder);
    sweeper_join(parts->sweeper);
    stock_join(parts->stock); // last: the relay touches it
    stop_done(&parts->stop);
}

int main(int argc, char **argv)
{
    const struct config_table table = {
        .keys = settings_keys,
        .key_count = settings_key_count,
        .config = &settings,
        .program = "notifier",
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
