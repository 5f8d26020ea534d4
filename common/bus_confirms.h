// SPDX-License-Identifier: Apache-2.0
// Which publications the broker has not answered yet. Brokers answer one by one, several at once (`multiple`), and out of
// order. Pure.
#ifndef COMMON_BUS_CONFIRMS_H
#define COMMON_BUS_CONFIRMS_H

#include <stdbool.h>
#include <stdint.h>

#define BUS_CONFIRMS_MAX 65536 // publications without an answer; a power of two

struct bus_confirms {
    uint64_t published; // the number of the last publication
    uint64_t answered; // everything up to this number is answered
    bool refused; // one or more were refused since bus_confirms_take_refused()
    uint64_t early[BUS_CONFIRMS_MAX / 64]; // a bit for each number beyond `answered` that was answered out of order
};

uint64_t bus_confirms_published(struct bus_confirms *confirms); // notes one more and returns its number
// Ignores what was answered before or never published.
void bus_confirms_answer(struct bus_confirms *confirms, uint64_t number, bool multiple, bool is_refusal);
bool bus_confirms_is_empty(const struct bus_confirms *confirms);
bool bus_confirms_is_full(const struct bus_confirms *confirms);
bool bus_confirms_take_refused(struct bus_confirms *confirms); // and forgets it

#endif
