// SPDX-License-Identifier: Apache-2.0
// What can be configured in admission, beside what every program has.
#ifndef ADMISSION_SETTINGS_H
#define ADMISSION_SETTINGS_H

#include "common/config.h"

struct settings {
    struct common_config common; // first, as config.h asks
    char *holder; // this program's name in the leader's row; empty: host and process
};

extern const struct config_key settings_keys[];
extern const size_t settings_key_count;

#endif
