// SPDX-License-Identifier: Apache-2.0
// See settings.h.
#include "booking-worker/settings.h"

#include <stddef.h>

#include "common/provider.h"

#define FIELD(member) .offset = offsetof(struct settings, member)

const struct config_key settings_keys[] = {
    {"booking-worker", "batch_max", CONFIG_INT, FIELD(batch_max), .default_text = "1024", .min = 1,
     .max = SETTINGS_BATCH_MAX, .unit = "orders", .help = "How many orders are booked in one transaction at most."},
    {"booking-worker", "batch_ms", CONFIG_INT, FIELD(batch_ms), .default_text = "2", .min = 0, .max = 1000,
     .unit = "milliseconds", .help = "How long after the first order of a batch more are waited for."},
    {"booking-worker", "payments_at_once", CONFIG_INT, FIELD(payments_at_once), .default_text = "600", .min = 1,
     .max = SETTINGS_PAYMENTS_MAX, .unit = "payments",
     .help = "How many payments wait for the provider's answer at once, at most. The others wait for their turn."},
    {"booking-worker", "payment_calls_per_second", CONFIG_INT, FIELD(payment_calls_per_second), .default_text = "60",
     .min = 0, .max = 100000, .unit = "calls",
     .help =
         "How many calls a second this worker makes to the provider, over some time; 0: as many as there are. Providers refuse those who ask"
         " too much: Stripe allows 100 a second of an account (25 in a sandbox), 25 of them of one kind, which all workers share; a payment is"
         " one each of three kinds."},
    {"booking-worker", "test_crash_place", CONFIG_INT, FIELD(test_crash_place), .default_text = "0", .min = 0,
     .max = INT64_MAX, .help = "For tests: the worker ends itself right before it books this place; 0: never."},
    {"booking-worker", "test_crash_sweep_place", CONFIG_INT, FIELD(test_crash_sweep_place), .default_text = "0",
     .min = 0, .max = INT64_MAX,
     .help = "For tests: the worker ends itself right before it commits what comes back from this place, or goes to it "
             "from standby; 0: never."},
    {"booking-worker", "test_crash_payment_call", CONFIG_INT, FIELD(test_crash_payment_call), .default_text = "0",
     .min = 0, .max = PROVIDER_CALL_COUNT,
     .help =
         "For tests: the worker ends itself at this call to the provider (1 create, 2 confirm, 3 ask, 4 capture, 5 cancel, 6 refund);"
         " 0: never."},
    {"booking-worker", "test_crash_after", CONFIG_BOOL, FIELD(test_crash_after), .default_text = "false",
     .help = "For tests: and that when the answer has come, before it is written down, not before the call."},
};
const size_t settings_key_count = sizeof(settings_keys) / sizeof(settings_keys[0]);

int settings_check(const void *config, struct buffer *problems)
{
    return provider_check(&((const struct settings *)config)->common, problems);
}
