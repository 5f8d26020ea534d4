// SPDX-License-Identifier: Apache-2.0
// The outbox: messages that belong to a change are written in its transaction, published after it, and removed once
// RabbitMQ has confirmed them. Whatever dies in between, a sweep publishes what is left; so every message goes out at
// least once, and readers bear doubles. A struct outbox belongs to one thread, as its db and bus do.
#ifndef COMMON_OUTBOX_H
#define COMMON_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/bus.h"
#include "common/db.h"
#include "common/error.h"

#define OUTBOX_PENDING_MAX 1024 // messages between write and removal; more are left to the sweep
#define OUTBOX_SWEEP_AGE_SECONDS 5 // what is older was forgotten by its writer
#define OUTBOX_SWEEP_MAX 100 // messages that one sweep takes

struct outbox;

int outbox_new(struct outbox **ret) MUST_USE; // ERROR_MEMORY
void outbox_free(struct outbox *outbox); // accepts NULL; what was not published stays in MySQL

// Inside the caller's transaction: writes one message for a queue. `body` is copied. Errors are db.h's.
int outbox_write(struct outbox *outbox, struct db *db, const char *queue, const char *type,
                 const struct buffer *body) MUST_USE;
// The transaction was committed: what was written may be published. Or it was not: what was written is forgotten.
void outbox_committed(struct outbox *outbox);
void outbox_rolled_back(struct outbox *outbox);

// Publishes what was committed, persistent, without waiting for confirms. Errors are bus_publish's; what could not be sent stays
// for the next time.
int outbox_publish(struct outbox *outbox, struct bus *bus) MUST_USE;
// After a successful bus_wait_confirms() that followed outbox_publish(): those rows may be removed.
void outbox_confirmed(struct outbox *outbox);
// The connection to RabbitMQ is gone: what was published without a confirm is published again.
void outbox_lost_bus(struct outbox *outbox);
// Removes rows that were confirmed. Best inside the caller's next transaction, where it costs no commit of its own; call
// outbox_committed() or outbox_rolled_back() after it as well. Errors are db.h's.
int outbox_remove(struct outbox *outbox, struct db *db) MUST_USE;
// The same outside any transaction, for when there is no next one; nothing is done where nothing is confirmed.
int outbox_tidy(struct outbox *outbox, struct db *db) MUST_USE;
size_t outbox_pending(const struct outbox *outbox); // committed, not yet removed
size_t outbox_confirmed_count(const struct outbox *outbox); // of them: confirmed, waiting to be removed

// A transaction of its own: takes what is older than OUTBOX_SWEEP_AGE_SECONDS (skipping what another sweeper holds), publishes it,
// waits for the confirms, removes it. *ret_count says how many. Call it now and then, outside a transaction.
int outbox_sweep(struct db *db, struct bus *bus, size_t *ret_count) MUST_USE;

#endif
