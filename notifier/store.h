// SPDX-License-Identifier: Apache-2.0
// Dead letters in MySQL, and the orders that failed with them.
#ifndef NOTIFIER_STORE_H
#define NOTIFIER_STORE_H

#include <stdbool.h>

#include "common/db.h"
#include "common/error.h"
#include "common/outbox.h"
#include "notifier/letter.h"

struct store_result {
    bool is_new; // it was not recorded before
    bool is_failed; // its order has failed with it
    char slug[SLUG_BYTES]; // of its event; "": unknown
};

// One transaction: records the letter unless it is recorded already; an order that was released by it and has no booking yet gets one in
// state `failed`, and its visitor an outcome in the outbox. Errors are db.h's; then nothing was changed (or, after a lost connection,
// doing it once more does no harm).
int store_record(struct db *db, struct outbox *outbox, const struct letter *letter, struct store_result *ret) MUST_USE;

#endif
