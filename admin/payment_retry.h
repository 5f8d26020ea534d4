// SPDX-License-Identifier: Apache-2.0
// Has payments that went to the dead letters taken up again: what nobody knows is asked about at once, what could not be captured or given
// back is tried once more. Nobody is asked here: rows are made due, and the payer of a booking worker goes on.
#ifndef ADMIN_PAYMENT_RETRY_H
#define ADMIN_PAYMENT_RETRY_H

#include "admin/order_locked.h"
#include "common/error.h"
#include "common/outbox.h"

// Inside the caller's transaction; locks what it needs. ERROR_CONFLICT: locked->change->why; else as order_locked.h's.
int payment_retry(struct locked *locked, struct outbox *outbox, const struct letter *letter,
                  const char *actor) MUST_USE;

#endif
