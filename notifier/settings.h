// SPDX-License-Identifier: Apache-2.0
// What can be configured in the notifier, beside what every program has.
#ifndef NOTIFIER_SETTINGS_H
#define NOTIFIER_SETTINGS_H

#include "common/config.h"

struct settings {
    struct common_config common; // first, as config.h asks
    int64_t batch_max;
};

extern const struct config_key settings_keys[];
extern const size_t settings_key_count;

#endif
