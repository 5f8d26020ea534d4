// SPDX-License-Identifier: Apache-2.0
// Books: takes tasks of one event, locks, frees what came back, serves standby, decides on the tasks in memory, writes, commits once. What
// the visitors must learn and what was condemned is written to the outbox in the same transaction. A booker belongs to one thread.
#ifndef BOOKING_WORKER_BOOKER_H
#define BOOKING_WORKER_BOOKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "booking-worker/task.h"
#include "common/db.h"
#include "common/error.h"
#include "common/outbox.h"
#include "common/slug.h"

struct booker;

struct booker_options {
    const char *queue; // where the tasks come from (constant text); of a booker without tasks: for the log
    size_t batch_max; // tasks in one run; 0: it only sweeps
    bool needs_payment; // what costs something is held until it is paid
    bool takes_cards; // and paid at once where its visitor has said what with
    uint64_t crash_place, crash_sweep_place; // for tests, see settings; 0: never
};

struct booker_result {
    char slug[SLUG_BYTES]; // of the event; "": there is none
    bool is_sold_out; // it has nothing left now, and its state does not say so yet
    bool is_on_sale_again; // its state says that it is sold out, and it is not
    bool has_payments; // payments were begun: the payer has something to do
    bool has_more; // of what came back: another run is due, with the same tasks, about which nothing was decided yet
};

int booker_new(const struct booker_options *options, struct booker **ret) MUST_USE;
void booker_free(struct booker *booker); // accepts NULL

// One transaction for up to batch_max tasks, in their sequence: all of one event, or all unreadable. Done twice it changes nothing more.
// On failure nothing has happened (or, when the answer to COMMIT was lost, everything has, and the next try finds it done):
// ERROR_TRANSIENT, ERROR_PERMANENT (rights, a missing table), ERROR_DUPLICATE (a reference or a seat was taken: try again), ERROR_INVALID
// (something that one of the tasks says cannot be written: with fewer tasks it shows which).
// Rows of the outbox that RabbitMQ has confirmed are removed along the way.
int booker_run(struct booker *booker, struct db *db, struct outbox *outbox, struct task *const *tasks, size_t count,
               struct booker_result *ret) MUST_USE;

// The same without tasks: also lets holds go that have run out. An event that stands still is left alone. Errors as above.
int booker_sweep(struct booker *booker, struct db *db, struct outbox *outbox, uint64_t event_id,
                 struct booker_result *ret) MUST_USE;

#endif
