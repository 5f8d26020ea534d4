// SPDX-License-Identifier: Apache-2.0
// The metrics of the booking worker, for Prometheus. Updated where the thing happens.
#ifndef BOOKING_WORKER_METERS_H
#define BOOKING_WORKER_METERS_H

#include <stdint.h>

#include "common/metrics.h"
#include "common/order_state.h"

extern struct metric meter_messages; // dealt with and acknowledged
extern struct metric meter_batches; // transactions that were committed
extern struct metric meter_batch_duration; // of one
extern struct metric meter_repeats; // transactions that were undone and done again
extern struct metric meter_duplicates; // messages whose order was booked already
extern struct metric meter_condemned;
extern struct metric meter_given_back; // orders of events that stand still
extern struct metric meter_freed; // bookings that were ended, whose places are free now
extern struct metric meter_lapsed; // holds that ran out
extern struct metric meter_served; // bookings in standby that were given places
extern struct metric meter_sweep_duration; // of one round over all events

void meters_register(void); // once, before threads start
void meters_add_booking(enum order_state state);

#endif
