// SPDX-License-Identifier: Apache-2.0
// The metrics of admission, for Prometheus. Updated where the thing happens.
#ifndef ADMISSION_METERS_H
#define ADMISSION_METERS_H

#include "common/metrics.h"

extern struct metric meter_served; // visitors let in by this program
extern struct metric meter_steps; // transactions that let somebody in
extern struct metric meter_step_duration; // of such a transaction
extern struct metric meter_lateness; // of the first one let in by a step, behind the clock
extern struct metric meter_restarts; // of a count
extern struct metric meter_leads; // 1: this program leads
extern struct metric meter_epoch; // of its lead, or of the last one it had
extern struct metric meter_releases; // orders marked and handed over for the first time
extern struct metric meter_releases_again; // handed over once more: after a crash, a give-back, a retry
extern struct metric meter_release_batches;
extern struct metric meter_release_batch; // the transaction of one
extern struct metric meter_release_confirm; // from publishing to RabbitMQ's confirms
extern struct metric meter_release_oldest; // seconds that the first order in line could have been released
extern struct metric meter_orders_ended; // in bulk
extern struct metric meter_messages; // sent
extern struct metric meter_messages_failed; // that could not be sent

void meters_register(void); // once, before threads start

#endif
