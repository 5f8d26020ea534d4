// SPDX-License-Identifier: Apache-2.0
// See settings.h.
#include "booking-worker/settings.h"

#include <stddef.h>

#define FIELD(member) .offset = offsetof(struct settings, member)

const struct config_key settings_keys[] = {
    {"booking-worker", "batch_max", CONFIG_INT, FIELD(batch_max), .default_text = "1024", .min = 1,
     .max = SETTINGS_BATCH_MAX, .unit = "orders", .help = "How many orders are booked in one transaction at most."},
    {"booking-worker", "batch_ms", CONFIG_INT, FIELD(batch_ms), .default_text = "2", .min = 0, .max = 1000,
     .unit = "milliseconds", .help = "How long after the first order of a batch more are waited for."},
    {"booking-worker", "test_crash_place", CONFIG_INT, FIELD(test_crash_place), .default_text = "0", .min = 0,
     .max = INT64_MAX, .help = "For tests: the worker ends itself right before it books this place; 0: never."},
    {"booking-worker", "test_crash_sweep_place", CONFIG_INT, FIELD(test_crash_sweep_place), .default_text = "0",
     .min = 0, .max = INT64_MAX,
     .help = "For tests: the worker ends itself right before it commits what comes back from this place, or goes to it "
             "from standby; 0: never."},
};
const size_t settings_key_count = sizeof(settings_keys) / sizeof(settings_keys[0]);

int settings_check(const void *config, struct buffer *problems)
{
    const struct settings *settings = config;
    if (settings->common.payment_provider != PAYMENT_STRIPE)
        return 0;
    buffer_text(problems, "[payment] provider: stripe cannot be used yet; none and manual can\n");
    return ERROR_INVALID;
}
