// SPDX-License-Identifier: Apache-2.0
// What comes back to an event, and who it goes to first: bookings that were ended, holds that ran out, standby. Inside the transaction
// that holds the event's tiers; what becomes of it goes into the changes. Errors are db.h's.
#ifndef BOOKING_WORKER_RETURNS_H
#define BOOKING_WORKER_RETURNS_H

#include <stdbool.h>

#include "booking-worker/changes.h"

#define RETURNS_FREEINGS_MAX 1000 // in one transaction
#define RETURNS_LAPSED_MAX 500
#define RETURNS_STANDBY_PAGE 500
#define RETURNS_STANDBY_PAGES_MAX 20

// Frees what visitors and operators ended; tells those who do not know. *ret_more: there may be more than one transaction takes.
int returns_free(struct changes *changes, struct db *db, struct store_event *event, bool *ret_more) MUST_USE;

// Lets the holds go that have run out by the event's clock.
int returns_lapse(struct changes *changes, struct db *db, struct store_event *event, bool *ret_more) MUST_USE;

// Serves standby in place order, passing over who does not fit, and tells those for whom it is over. The halls must be there.
int returns_serve(struct changes *changes, struct db *db, struct store_event *event) MUST_USE;
// Whether there is anything for it to do, as far as the numbers tell.
bool returns_has_standby_work(const struct store_event *event);

#endif
