// SPDX-License-Identifier: Apache-2.0
// What was paid elsewhere: held bookings become confirmed, many in one transaction. It takes the locks in the order that all programs
// keep (event, tiers by code, bookings by place, payments), goes through the table of states (held, paying, confirmed: two revisions), moves
// the tiers' places from held to sold, logs who did it and writes the outcomes to the outbox. Nothing is freed by it.
#ifndef ADMIN_ORDER_CONFIRM_H
#define ADMIN_ORDER_CONFIRM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/db.h"
#include "common/error.h"
#include "common/order_state.h"
#include "common/outbox.h"
#include "common/outcome.h"

#define ORDER_CONFIRM_MAX 500 // in one transaction
#define ORDER_CONFIRM_GIVEN_BYTES 48
#define ORDER_CONFIRM_WHY_BYTES 160

struct order_confirm {
    char given[ORDER_CONFIRM_GIVEN_BYTES]; // by the caller: a place, or a reference as it was heard
    // What became of it:
    bool is_found; // somebody ordered at that place, or the event has that reference
    bool is_confirmed; // now; before it was too when `before` is confirmed
    uint64_t place;
    uint32_t attempt, revision;
    enum order_state before, after; // of what is not booked yet: released, or the order's end
    char reference[OUTCOME_REFERENCE_BYTES]; // "": none
    char why[ORDER_CONFIRM_WHY_BYTES]; // "": it is confirmed; else a clause for people
};

// Confirms those of `items` (1 to ORDER_CONFIRM_MAX) that can be, each judged for itself, and commits. ERROR_NOT_FOUND: no such event;
// else db.h's, and then nothing is confirmed. What is to be told is committed in the outbox.
int order_confirm(struct db *db, struct outbox *outbox, uint64_t event_id, const char *actor,
                  struct order_confirm *items, size_t count) MUST_USE;

#endif
