// SPDX-License-Identifier: Apache-2.0
// The command line's configuration table.
#include "admin/settings.h"

#define USER_KEYS(program_section, index)                                                                   \
    {                                                                                                       \
        .section = (program_section),                                                                       \
        .name = "mysql_user",                                                                               \
        .type = CONFIG_STRING,                                                                              \
        .offset = offsetof(struct admin_config, users[index].user),                                         \
        .default_text = "",                                                                                 \
        .help = "the program's own MySQL user, made by `onsale migrate --users`",                           \
    },                                                                                                      \
    {                                                                                                       \
        .section = (program_section), .name = "mysql_password", .type = CONFIG_STRING,                      \
        .offset = offsetof(struct admin_config, users[index].password), .default_text = "", .secret = true, \
        .help = "that user's password",                                                                     \
    }

static const struct config_key keys[] = {
    USER_KEYS("waiting-room", CONFIG_WAITING_ROOM),
    USER_KEYS("admission", CONFIG_ADMISSION),
    USER_KEYS("booking-worker", CONFIG_BOOKING_WORKER),
    USER_KEYS("notifier", CONFIG_NOTIFIER),
};

struct admin_config settings;

const struct config_table settings_table = {
    .keys = keys,
    .key_count = sizeof(keys) / sizeof(keys[0]),
    .config = &settings,
    .program = "onsale",
};

const char *settings_program_name(enum config_program program)
{
    static const char *const names[] = {"waiting-room", "admission", "booking-worker", "notifier"};
    return names[program];
}
