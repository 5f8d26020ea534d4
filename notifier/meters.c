// SPDX-License-Identifier: Apache-2.0
// See meters.h.
#include "notifier/meters.h"

#include <stddef.h>

#include "common/sweeper.h"

struct metric meter_outcomes =
    METRIC_COUNTER("onsale_outcomes_total", "Outcomes that were passed on to waiting rooms.");
struct metric meter_outcome_messages =
    METRIC_COUNTER("onsale_outcome_messages_total", "Messages with outcomes that were passed on to waiting rooms.");
struct metric meter_relay_duration = METRIC_HISTOGRAM(
    "onsale_relay_batch_duration_seconds", "How long it took to pass a batch of such messages on, until acknowledged.");
struct metric meter_unreadable = METRIC_COUNTER("onsale_outcome_messages_unreadable_total",
                                                "Messages in place of outcomes that became dead letters.");
struct metric meter_dead_letters = METRIC_COUNTER("onsale_dead_letters_total", "Dead letters that were recorded.");
struct metric meter_returned_orders = METRIC_COUNTER(
    "onsale_returned_orders_total", "Orders that failed because RabbitMQ gave up on the message that released them.");
struct metric meter_stock_messages = METRIC_COUNTER("onsale_stock_messages_total", "Messages that told what is left.");
struct metric meter_stock_duration =
    METRIC_HISTOGRAM("onsale_stock_count_duration_seconds", "How long it took to count what is left.");

void meters_register(void)
{
    static struct metric *const all[] = {
        &meter_outcomes,        &meter_outcome_messages, &meter_relay_duration, &meter_unreadable, &meter_dead_letters,
        &meter_returned_orders, &meter_stock_messages,   &meter_stock_duration, &sweeper_swept,
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        metrics_register(all[i]);
}
