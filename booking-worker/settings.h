// SPDX-License-Identifier: Apache-2.0
// What can be configured in the booking worker, beside what every program has.
#ifndef BOOKING_WORKER_SETTINGS_H
#define BOOKING_WORKER_SETTINGS_H

#include "common/buffer.h"
#include "common/config.h"

#define SETTINGS_BATCH_MAX 2048 // the most that batch_max may be

struct settings {
    struct common_config common; // first, as config.h asks
    int64_t batch_max, batch_ms;
    int64_t test_crash_place, test_crash_sweep_place; // 0: never
};

extern const struct config_key settings_keys[];
extern const size_t settings_key_count;
// For config_table.check: what is described but not there yet is refused before anything starts.
int settings_check(const void *config, struct buffer *problems) MUST_USE;

#endif
