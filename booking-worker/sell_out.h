// SPDX-License-Identifier: Apache-2.0
// From what the tiers say to what the event's state says: sold out when the last place is gone for good, on sale again when something
// came back. Whoever committed the change does it at once; the sweep makes up for who died between the two.
#ifndef BOOKING_WORKER_SELL_OUT_H
#define BOOKING_WORKER_SELL_OUT_H

#include "booking-worker/booker.h"
#include "common/bus.h"
#include "common/db.h"
#include "common/error.h"
#include "common/message.h"

// Does what a run has found. `bus` hears of the change (event_changed), so that admission acts at once; NULL: nobody is told, and the versions
// are looked at once a second anyway. `scratch` is for the message. Outside a transaction. ERROR_… of db.h: the sweep will do it.
// *ret_told: something was published. *ret_bus: what the bus said to that.
int sell_out_or_again(struct db *db, struct bus *bus, struct message *scratch, const struct booker_result *found,
                      bool *ret_told, int *ret_bus) MUST_USE;

#endif
