// SPDX-License-Identifier: Apache-2.0
// Whether the payment provider works at all. Payments without a definite answer are asked about ever more seldom, up to every ten minutes;
// when the provider was away for all of them and is back, nobody should wait for that. So a call without an answer makes doubt, a cheap
// question that changes nothing clears it or says "away", and while it is away that question is repeated every two seconds: once it is
// answered, everything that waits only because of the outage is due at once. A single payment that is never answered at a provider that
// works changes nothing here. A part of the payer, on its thread; what decides is pure.
#ifndef BOOKING_WORKER_PROVIDER_WATCH_H
#define BOOKING_WORKER_PROVIDER_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/db.h"
#include "common/error.h"
#include "common/provider.h"

#define PROVIDER_WATCH_NS (2 * INT64_C(1000000000)) // between two probes
// Unanswered at once: one every two seconds, for the longest time-out of two minutes.
#define PROVIDER_WATCH_PROBES_MAX 64

struct provider_watch;

struct provider_probe {
    struct provider_watch *watch;
    bool is_flying;
    uint64_t answers; // of the watch, when this one began
};

struct provider_watch {
    bool is_doubted; // a call was not answered, and none has been since
    bool is_away; // nor was a probe
    bool is_back; // after having been away: what waited for that is still to be made due
    uint64_t answers; // so many calls said that it works
    int64_t probe_at_ns; // not before
    struct provider_probe probes[PROVIDER_WATCH_PROBES_MAX];
};

// What a call of somebody else's had for a result.
void provider_watch_hear(struct provider_watch *watch, enum provider_result result, int64_t now_ns);
// A probe that is to be begun now, and counts as begun; NULL: none.
struct provider_probe *provider_watch_probe(struct provider_watch *watch, int64_t now_ns);
// What it had for a result. It is free again.
void provider_watch_hear_probe(struct provider_probe *probe, enum provider_result result, int64_t now_ns);

// Begins a probe when it is time, and makes payments due when the provider is back. Zeroed is a new watch; it must stay where it is until
// provider_close(). *ret_begun grows by the calls that were begun. Errors are db.h's.
int provider_watch_go(struct provider_watch *watch, struct db *db, struct provider *provider,
                      int64_t *ret_begun) MUST_USE;

#endif
