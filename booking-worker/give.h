// SPDX-License-Identifier: Apache-2.0
// From a verdict to the booking: what was given, with the names of its seats, or what is waited for.
#ifndef BOOKING_WORKER_GIVE_H
#define BOOKING_WORKER_GIVE_H

#include "booking-worker/changes.h"
#include "booking-worker/choices.h"

// Adds the booking (its place, visitor, customer, currency, whether and how it is there; `revision` is raised here) to the changes as the
// verdict on `choices` has it. `choices` may be NULL where nothing is given. Takes over what the booking owns. ERROR_MEMORY.
int give(struct changes *changes, const struct store_event *event, struct store_booking *booking,
         const struct choices *choices, const struct allocate_verdict *verdict, enum change_why why) MUST_USE;

#endif
