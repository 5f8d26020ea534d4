// SPDX-License-Identifier: Apache-2.0
// The ways of counting a booking that are compared: each takes one place of a row of `stock` and inserts a row into `booked`, in one
// transaction that is durable when it returns. Nothing of the product runs here, only its client of MySQL.
#ifndef BENCH_LOCKING_WAY_H
#define BENCH_LOCKING_WAY_H

#include <stddef.h>
#include <stdint.h>

#include "common/db.h"
#include "common/error.h"

#define WAY_BATCH 500 // bookings in a transaction, for the way that has many

struct way {
    const char *name;
    // One transaction. `row` is the row of `stock`, `place` the first of `bookings` numbers that nobody else uses. ERROR_CONFLICT: somebody
    // else was faster, try again; ERROR_TRANSIENT: a deadlock or a lock time-out undid it. The transaction is rolled back then.
    int (*book)(struct db *db, uint64_t row, uint64_t place);
    uint64_t bookings; // committed by one such transaction
    const char *about; // one line for --help
};

extern const struct way ways[];
extern const size_t way_count;

const struct way *way_find(const char *name); // NULL: there is none

#endif
