// SPDX-License-Identifier: Apache-2.0
// The halls that a thread remembers, so that it need not read thousands of seats for each batch. What is remembered is right as long as
// tiers.layout and tiers.taken_version are what they were; both are read with the locked tiers.
#ifndef BOOKING_WORKER_HALLS_H
#define BOOKING_WORKER_HALLS_H

#include "booking-worker/store.h"

#define HALLS_EVENTS_MAX 16 // those used last

struct halls;

int halls_new(struct halls **ret) MUST_USE; // ERROR_MEMORY
void halls_free(struct halls *halls); // accepts NULL

// Gives each seated tier of the locked event its hall as it stands, read anew where it changed. Inside the transaction. The halls are borrowed
// until the next call. Errors are db.h's; ERROR_PERMANENT also when a tier's rows are no hall.
int halls_use(struct halls *halls, struct db *db, struct store_event *event) MUST_USE;
// The transaction was committed: what it changed in the halls is how they stand now.
void halls_committed(struct halls *halls, const struct store_event *event);
// Or it was not: they are forgotten.
void halls_rolled_back(struct halls *halls, uint64_t event_id);

#endif
