// SPDX-License-Identifier: Apache-2.0
// admission: lets visitors in at the pace that is dialled, and keeps the events' timetables. Of several, one leads.
// Here the parts are wired and the signals waited for.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admission/courier.h"
#include "admission/keeper.h"
#include "admission/leader.h"
#include "admission/mailbox.h"
#include "admission/meters.h"
#include "admission/releaser.h"
#include "admission/settings.h"
#include "common/log.h"
#include "common/ops.h"
#include "common/program.h"

static struct settings settings;

static const char summary[] = "Lets visitors in at the pace that is dialled. Run two: one leads, the other stands by.";

struct parts {
    struct mailbox *mailbox;
    struct keeper *keeper;
    struct courier *courier;
    struct releaser *releaser;
    struct ops *ops;
};

static bool is_ready(void *context, struct buffer *missing)
{
    const struct parts *parts = context;
    bool mysql = keeper_sees_mysql(parts->keeper);
    bool rabbitmq = courier_is_connected(parts->courier);
    bool releases = releaser_is_connected(parts->releaser);
    if (!mysql)
        buffer_text(missing, "MySQL does not answer\n");
    if (!rabbitmq)
        buffer_text(missing, "RabbitMQ is not connected; changes are noticed within a second\n");
    if (!releases)
        buffer_text(missing, "RabbitMQ takes no orders; lines of events with tiers stand still\n");
    return mysql && rabbitmq && releases;
}

static void name_holder(char holder[static LEADER_HOLDER_BYTES])
{
    char host[65] = "";
    if (settings.holder[0]) {
        snprintf(holder, LEADER_HOLDER_BYTES, "%s", settings.holder);
        return;
    }
    if (gethostname(host, sizeof(host) - 1))
        snprintf(host, sizeof(host), "localhost");
    snprintf(holder, LEADER_HOLDER_BYTES, "%s:%ld", host, (long)getpid());
}

static int start(struct parts *parts)
{
    char holder[LEADER_HOLDER_BYTES];
    name_holder(holder);
    int result = mailbox_new(&parts->mailbox);
    if (!result)
        result = keeper_start(&settings.common, holder, parts->mailbox, &parts->keeper);
    if (!result)
        result = courier_start(&settings.common, parts->mailbox, &parts->courier);
    if (!result)
        result = releaser_start(&settings.common, parts->mailbox, &parts->releaser);
    if (result) {
        log_error("start_failed", LOG_S("class", error_str(result)));
        return result;
    }
    const char *address = settings.common.ops_listen[CONFIG_ADMISSION];
    result = ops_open(address, is_ready, parts, &parts->ops);
    if (result)
        log_error("ops_not_listening", LOG_S("address", address), LOG_S("class", error_str(result)));
    return result;
}

static void stop(struct parts *parts)
{
    ops_close(parts->ops);
    if (parts->mailbox)
        mailbox_stop(parts->mailbox);
    keeper_join(parts->keeper);
    courier_join(parts->courier);
    releaser_join(parts->releaser);
    mailbox_free(parts->mailbox);
}

int main(int argc, char **argv)
{
    const struct config_table table = {
        .keys = settings_keys, .key_count = settings_key_count, .config = &settings, .program = "admission"};
    const char *path = NULL;
    int status = program_start(&table, summary, argc, argv, &path);
    if (status >= 0)
        return status;
    struct parts parts = {0};
    meters_register();
    bool is_started = start(&parts) == 0;
    if (is_started)
        program_serve(&table, path);
    stop(&parts);
    config_done(&table);
    return is_started ? 0 : 1;
}
