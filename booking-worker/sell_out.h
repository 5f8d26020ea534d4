// SPDX-License-Identifier: Apache-2.0
// Events that are sold to the last place without their state saying so: a worker died between the two, or a capacity was lowered.
#ifndef BOOKING_WORKER_SELL_OUT_H
#define BOOKING_WORKER_SELL_OUT_H

#include "common/db.h"
#include "common/error.h"

// Sets them to sold_out, at most 100 at once. Outside a transaction. Errors are db.h's.
int sell_out_full_events(struct db *db) MUST_USE;

#endif
