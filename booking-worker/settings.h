// SPDX-License-Identifier: Apache-2.0
// What can be configured in the booking worker, beside what every program has.
#ifndef BOOKING_WORKER_SETTINGS_H
#define BOOKING_WORKER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/config.h"

#define SETTINGS_BATCH_MAX 2048 // the most that batch_max may be
// The most that payments_at_once may be: what PROVIDER_IN_FLIGHT_MAX leaves beside cards and news that are asked about.
#define SETTINGS_PAYMENTS_MAX 900

struct settings {
    struct common_config common; // first, as config.h asks
    int64_t batch_max, batch_ms;
    int64_t payments_at_once, payment_calls_per_second;
    int64_t test_crash_place, test_crash_sweep_place; // 0: never
    int64_t test_crash_payment_call; // enum provider_call + 1; 0: never
    bool test_crash_after;
};

extern const struct config_key settings_keys[];
extern const size_t settings_key_count;
// For config_table.check: what stripe needs beside its name.
int settings_check(const void *config, struct buffer *problems) MUST_USE;

#endif
