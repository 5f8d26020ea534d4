// SPDX-License-Identifier: Apache-2.0
// A batch: one transaction for one event that notes what RabbitMQ has, finds what is due, marks it as released and ends
// what the event's state ends. It begins by locking the event's fence and comparing the epoch, and holds the event's row,
// so that it comes wholly before or after another leader's and whatever an operator does.
#ifndef ADMISSION_RELEASE_BATCH_H
#define ADMISSION_RELEASE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admission/release_store.h"
#include "common/db.h"
#include "common/error.h"
#include "common/outbox.h"

// What one batch did. Large; made once and used again.
struct release_batch {
    struct release_event event;
    // To be published now, in this order: first those that had been marked before, then those that were marked here.
    size_t row_count, again_count;
    struct release_row rows[RELEASE_ORDERS_MAX];
    size_t ended_count; // their outcomes are in the outbox
    struct release_row ended[RELEASE_ENDS_MAX];
    bool has_more; // a limit was reached
};

struct release_wish {
    uint64_t event_id;
    uint64_t epoch; // of this program's lead
    const struct release_row *noted; // RabbitMQ has confirmed these
    size_t noted_count;
    bool can_publish; // otherwise nothing is marked: an order that is marked can no longer be changed by its visitor
};

// Makes it. On an error nothing has happened (or, after a lost connection, nobody knows; what was marked is then found
// again). ERROR_CONFLICT: somebody else leads. ERROR_NOT_FOUND: the event is gone. Otherwise errors are db.h's.
int release_batch_make(struct db *db, struct outbox *outbox, const struct release_wish *wish,
                       struct release_batch *ret) MUST_USE;

#endif
