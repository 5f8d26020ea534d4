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
struct metric meter_messages = METRIC_COUNTER("onsale_messages_sent_total", "Messages sent to RabbitMQ.");
struct metric meter_messages_failed =
    METRIC_COUNTER("onsale_messages_failed_total", "Messages that could not be sent to RabbitMQ.");

void meters_register(void)
{
    static struct metric *const all[] = {
        &meter_served, &meter_steps, &meter_step_duration, &meter_lateness,        &meter_restarts,
        &meter_leads,  &meter_epoch, &meter_messages,      &meter_messages_failed,
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        metrics_register(all[i]);
}
