// SPDX-License-Identifier: Apache-2.0
// See meters.h.
#include "admission/meters.h"

#include <stddef.h>

struct metric meter_served = METRIC_COUNTER("onsale_served_total", "Visitors let in by this admission.");
struct metric meter_steps = METRIC_COUNTER("onsale_steps_total", "Transactions that let somebody in.");
struct metric meter_step_duration =
    METRIC_HISTOGRAM("onsale_step_duration_seconds", "How long a transaction took that let somebody in.");
struct metric meter_lateness = METRIC_HISTOGRAM("onsale_step_lateness_seconds",
                                                "How late the first place of a step was by the count of its pace.");
struct metric meter_restarts =
    METRIC_COUNTER("onsale_count_restarts_total", "Times that a count of the pace began anew.");
struct metric meter_leads =
    METRIC_GAUGE("onsale_admission_leads", "1 while this admission leads, 0 while it stands by.");
struct metric meter_epoch =
    METRIC_GAUGE("onsale_admission_epoch", "The epoch of this admission's lead, or of its last one.");
struct metric meter_releases = METRIC_COUNTER("onsale_released_total", "Orders released by this admission.");
struct metric meter_releases_again = METRIC_COUNTER(
    "onsale_released_again_total", "Orders published once more: after a crash, a give-back or an operator's retry.");
struct metric meter_release_batches =
    METRIC_COUNTER("onsale_release_batches_total", "Transactions that released or ended orders.");
struct metric meter_release_batch =
    METRIC_HISTOGRAM("onsale_release_batch_seconds", "How long such a transaction took.");
struct metric meter_release_confirm = METRIC_HISTOGRAM(
    "onsale_release_confirm_seconds", "From publishing a round of orders until RabbitMQ had confirmed all of it.");
struct metric meter_release_oldest = METRIC_GAUGE(
    "onsale_oldest_unreleased_seconds", "For how long the first order in line could have been released and was not.");
struct metric meter_orders_ended =
    METRIC_COUNTER("onsale_orders_ended_total", "Orders ended in bulk because their event was sold out or closed.");
struct metric meter_messages = METRIC_COUNTER("onsale_messages_sent_total", "Messages sent to RabbitMQ.");
struct metric meter_messages_failed =
    METRIC_COUNTER("onsale_messages_failed_total", "Messages that could not be sent to RabbitMQ.");

void meters_register(void)
{
    static struct metric *const all[] = {
        &meter_served,          &meter_steps,           &meter_step_duration,  &meter_lateness,
        &meter_restarts,        &meter_leads,           &meter_epoch,          &meter_messages,
        &meter_messages_failed, &meter_releases,        &meter_releases_again, &meter_release_batches,
        &meter_release_batch,   &meter_release_confirm, &meter_release_oldest, &meter_orders_ended,
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        metrics_register(all[i]);
}
