// SPDX-License-Identifier: Apache-2.0
// A ring of bits behind the highest number up to which all is answered.
#include "common/bus_confirms.h"

static uint64_t *word_of(struct bus_confirms *confirms, uint64_t number)
{
    return &confirms->early[number % BUS_CONFIRMS_MAX / 64];
}

static uint64_t bit_of(uint64_t number)
{
    return UINT64_C(1) << (number % 64);
}

uint64_t bus_confirms_published(struct bus_confirms *confirms)
{
    return ++confirms->published;
}

void bus_confirms_answer(struct bus_confirms *confirms, uint64_t number, bool multiple, bool is_refusal)
{
    if (number > confirms->published || number <= confirms->answered)
        return;
    confirms->refused = confirms->refused || is_refusal;
    *word_of(confirms, number) |= bit_of(number);
    while (confirms->answered < confirms->published) {
        uint64_t next = confirms->answered + 1;
        bool is_answered = (multiple && next <= number) || (*word_of(confirms, next) & bit_of(next)) != 0;
        if (!is_answered)
            return;
        *word_of(confirms, next) &= ~bit_of(next); // the place in the ring is used again
        confirms->answered = next;
    }
}

bool bus_confirms_is_empty(const struct bus_confirms *confirms)
{
    return confirms->answered == confirms->published;
}

bool bus_confirms_is_full(const struct bus_confirms *confirms)
{
    return confirms->published - confirms->answered >= BUS_CONFIRMS_MAX;
}

bool bus_confirms_take_refused(struct bus_confirms *confirms)
{
    bool refused = confirms->refused;
    confirms->refused = false;
    return refused;
}
