// SPDX-License-Identifier: Apache-2.0
// See settings.h. There is little to set: pace, events and times are operators' business and stand in MySQL.
#include "admission/settings.h"

#include <stddef.h>

const struct config_key settings_keys[] = {
    {"admission", "holder", CONFIG_STRING, offsetof(struct settings, holder), .default_text = "",
     .help = "The name by which this admission leads, as `onsale status` shows it; empty: HOST:PID."},
};
const size_t settings_key_count = sizeof(settings_keys) / sizeof(settings_keys[0]);
