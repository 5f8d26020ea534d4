// SPDX-License-Identifier: Apache-2.0
// What a visitor does about a booking that is held, or stands by: pays, gives it back, asks for more time, or lets the hold run out. Pure.
#ifndef BENCH_CROWD_HOLD_H
#define BENCH_CROWD_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/crowd/told.h"

enum holding {
    HOLDING_PAYS,
    HOLDING_PAYS_LATE, // when the hold has run out
    HOLDING_LAPSES, // never pays
    HOLDING_GIVES_BACK,
};

struct hold {
    enum holding holding; // the visitor's plan
    bool more_time; // asks for it before all else
    uint32_t attempt; // of which the following holds
    bool asked_for_time, gave_back, paid;
};

enum hold_act { HOLD_WAIT, HOLD_ASK_FOR_TIME, HOLD_GIVE_BACK, HOLD_PAY };

// The next thing to do, which counts as done from now on. Nothing is done twice in one attempt.
enum hold_act hold_next(struct hold *hold, const struct told_order *newest);

#endif
