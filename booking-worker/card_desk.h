// SPDX-License-Identifier: Apache-2.0
// Finds out what became of hosted card pages: whether the visitor has left a card there. A part of the payer, on its thread.
#ifndef BOOKING_WORKER_CARD_DESK_H
#define BOOKING_WORKER_CARD_DESK_H

#include "common/db.h"
#include "common/error.h"
#include "common/provider.h"

struct card_desk;

int card_desk_new(struct card_desk **ret) MUST_USE; // ERROR_MEMORY
void card_desk_free(struct card_desk *desk); // after provider_close(); accepts NULL

// Takes pages that are due, at most `max`, in a transaction of its own, and asks about them; *ret_asked grows by how many. Errors are db.h's.
int card_desk_take(struct card_desk *desk, struct db *db, struct provider *provider, size_t max,
                   size_t *ret_asked) MUST_USE;
// Writes what was answered. Errors are db.h's; what was not written is kept for the next time.
int card_desk_settle(struct card_desk *desk, struct db *db) MUST_USE;

#endif
