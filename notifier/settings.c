// SPDX-License-Identifier: Apache-2.0
// See settings.h.
#include "notifier/settings.h"

#include <stddef.h>

#define FIELD(member) .offset = offsetof(struct settings, member)

const struct config_key settings_keys[] = {
    {"notifier", "batch_max", CONFIG_INT, FIELD(batch_max), .default_text = "256", .min = 1, .max = 4096,
     .unit = "messages", .help = "How many messages with outcomes are passed on before they are acknowledged at most."},
};
const size_t settings_key_count = sizeof(settings_keys) / sizeof(settings_keys[0]);
