// SPDX-License-Identifier: Apache-2.0
// The sandbox bank's ledger, as far as it is about one event: what became of each payment. Pure.
#ifndef BENCH_CROWD_LEDGER_H
#define BENCH_CROWD_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define LEDGER_BYTES_MAX ((size_t)64 << 20)
#define LEDGER_ID_BYTES 65 // what is longer is cut

enum ledger_state {
    LEDGER_NOTHING, // nothing is reserved or taken
    LEDGER_AUTHORISED, // reserved, or may still be: neither taken nor let go
    LEDGER_CAPTURED, // taken, or a part of it
    LEDGER_RETURNED, // taken, and all of it given back
};

struct ledger_intent {
    char id[LEDGER_ID_BYTES];
    uint64_t place; // 0: not said whose it is
    uint32_t attempt;
    enum ledger_state state;
    uint64_t
        amount; // AUTHORISED: what is reserved; CAPTURED: what was taken and not given back; RETURNED: what was taken
    char currency[4]; // in capitals
};

struct ledger {
    size_t count;
    struct ledger_intent *items; // owned
};

// Takes of the bank's answer to GET /_sandbox/ledger the intents that belong to the event. ERROR_INVALID with the reason in `problem`, ERROR_MEMORY.
int ledger_read(const char *text, size_t bytes, const char *event, struct ledger *ret, char *problem,
                size_t problem_bytes) MUST_USE;
void ledger_done(struct ledger *ledger); // accepts NULL and zeroes

// Sums in the minor unit.
struct ledger_sums {
    size_t captured_count, returned_count, open_count;
    uint64_t captured, returned, open;
};
struct ledger_sums ledger_sum(const struct ledger *ledger);

#endif
