// SPDX-License-Identifier: Apache-2.0
// The thread that looks after the time: a few times a second it lets holds go that have run out, frees what was ended where no orders
// come, serves standby, and mends the state of events that sold out or have something again. Several, in several processes, do not disturb
// each other: what is to be done is found in the tables, and done under their locks.
#ifndef BOOKING_WORKER_SWEEP_H
#define BOOKING_WORKER_SWEEP_H

#include <stdbool.h>

#include "booking-worker/payer.h"
#include "booking-worker/settings.h"
#include "common/error.h"
#include "common/stop.h"

struct sweep;

// One round every quarter of a second until `stop` is asked for. `payer` is rung when payments were begun; NULL: none. ERROR_MEMORY, ERROR_PERMANENT (no thread).
int sweep_start(const struct settings *settings, const struct stop *stop, struct payer *payer,
                struct sweep **ret) MUST_USE;
void sweep_join(struct sweep *sweep); // after stop_ask(). Accepts NULL
// Any thread.
bool sweep_has_mysql(const struct sweep *sweep);

#endif
