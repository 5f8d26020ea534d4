// SPDX-License-Identifier: Apache-2.0
// The thread that pays: takes payments that are due, asks the provider, and writes what the answers mean. Hundreds of calls are under way at once,
// and no transaction is open while one is. Several, in several processes, share the work by the rows' claims; what one of them leaves undone,
// another takes over when its lease is over. Bookings are not kept waiting by it: it shares nothing with the bookers but the tiers' locks, for
// the moment of a commit.
#ifndef BOOKING_WORKER_PAYER_H
#define BOOKING_WORKER_PAYER_H

#include <stdbool.h>

#include "booking-worker/settings.h"
#include "common/error.h"
#include "common/stop.h"

struct payer;

// Starts the thread. `settings` and `stop` must outlive it. ERROR_INVALID, ERROR_PERMANENT (the provider cannot be used as configured, which
// was said in the log; no thread), ERROR_MEMORY.
int payer_start(const struct settings *settings, const struct stop *stop, struct payer **ret) MUST_USE;
// After stop_ask(): gives calls that are under way a moment, leaves the others to who comes next, and frees. Accepts NULL.
void payer_join(struct payer *payer);
// There may be something to do. Any thread; accepts NULL, where nothing is paid by card.
void payer_ring(struct payer *payer);
// Any thread.
bool payer_has_mysql(const struct payer *payer);

#endif
