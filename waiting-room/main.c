// SPDX-License-Identifier: Apache-2.0
// The waiting room: wires configuration, signals, the operators' port and the room together.
#include <signal.h>

#include "common/log.h"
#include "common/ops.h"
#include "common/program.h"
#include "waiting-room/room.h"
#include "waiting-room/room_config.h"

int main(int argc, char **argv)
{
    static struct room_config config;
    static struct room room;
    const struct config_table table = {
        .keys = room_config_keys,
        .key_count = room_config_key_count,
        .config = &config,
        .program = "waiting-room",
        .check = room_config_check,
    };
    const char *path = NULL;
    int status = program_start(&table, "gives places in the line and tells visitors how it moves", argc, argv, &path);
    if (status >= 0)
        return status;
    status = room_open(&room, &config, &table, path);
    if (status > 0) {
        config_done(&table);
        return status;
    }
    struct ops *ops = NULL;
    int error = ops_open(config.common.ops_listen[CONFIG_WAITING_ROOM], room_is_ready, &room, &ops);
    if (error < 0)
        log_error("ops_not_listening", LOG_S("address", config.common.ops_listen[CONFIG_WAITING_ROOM]),
                  LOG_S("class", error_str(error)));
    int signal = error < 0 ? SIGTERM : program_wait_signal();
    while (signal == SIGHUP) {
        room_reload(&room);
        signal = program_wait_signal();
    }
    log_info("stopping", LOG_I("signal", signal));
    ops_close(ops);
    room_close(&room);
    config_done(&table);
    log_info("stopped", LOG_I("status", error < 0));
    return error < 0 ? 1 : 0;
}
