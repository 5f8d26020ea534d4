// SPDX-License-Identifier: Apache-2.0
// The command line's configuration: what all programs have, and the MySQL users of the others, whose rights
// `migrate --users` sets.
#ifndef ADMIN_SETTINGS_H
#define ADMIN_SETTINGS_H

#include "common/config.h"

struct program_user {
    char *user; // empty: not configured
    char *password;
};

struct admin_config {
    struct common_config common;
    struct program_user users[CONFIG_ADMIN]; // by enum config_program
};

// The configuration's table, for config_load().
extern const struct config_table settings_table;
extern struct admin_config settings;

// "waiting-room" for CONFIG_WAITING_ROOM, … up to CONFIG_NOTIFIER.
const char *settings_program_name(enum config_program program);

#endif
