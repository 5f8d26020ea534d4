// SPDX-License-Identifier: Apache-2.0
// The metrics of the notifier, for Prometheus. Updated where the thing happens.
#ifndef NOTIFIER_METERS_H
#define NOTIFIER_METERS_H

#include "common/metrics.h"

extern struct metric meter_outcomes; // passed on
extern struct metric meter_outcome_messages; // that carried them
extern struct metric meter_relay_duration; // of a batch, until it was acknowledged
extern struct metric meter_unreadable; // messages that could not be passed on
extern struct metric meter_dead_letters; // recorded
extern struct metric meter_returned_orders; // failed because RabbitMQ gave up on their messages
extern struct metric meter_stock_messages;
extern struct metric meter_stock_duration; // of counting

void meters_register(void); // once, before threads start

#endif
