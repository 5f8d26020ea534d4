// SPDX-License-Identifier: Apache-2.0
// The metrics of the booking worker, for Prometheus. Updated where the thing happens.
#ifndef BOOKING_WORKER_METERS_H
#define BOOKING_WORKER_METERS_H

#include <stdint.h>

#include "common/metrics.h"
#include "common/order_state.h"
#include "common/payment.h"
#include "common/provider.h"

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

extern struct metric meter_payments_in_flight; // calls to the provider
extern struct metric meter_provider_away; // 1 while it does not answer
extern struct metric meter_payment_duration; // of one call
extern struct metric meter_payments_lost; // answers that came too late: somebody else has the payment
extern struct metric meter_payments_dead; // dead letters
extern struct metric meter_payment_settle_duration; // of one transaction

void meters_register(void); // once, before threads start
void meters_add_booking(enum order_state state);
void meters_add_answer(enum provider_result result);
void meters_add_payment(enum payment_state state); // that a payment has come to

#endif
