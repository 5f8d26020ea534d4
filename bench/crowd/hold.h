// SPDX-License-Identifier: Apache-2.0
// What a visitor does about a booking that is held, or stands by: pays (at the desk or by card), gives it back, asks for more time, answers the
// bank, tries another card, or lets the hold run out. Pure.
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

#define HOLD_CARDS_MAX 5 // payments of one booking

// What a visitor has in the purse. Without cards the desk is paid.
struct purse {
    uint8_t count;
    const char *cards[HOLD_CARDS_MAX]; // in the order in which they are tried: the provider's names of payment methods
    bool with_order; // the first is named in the order, and not in the hold
    enum { ANSWERS_YES, ANSWERS_NO, ANSWERS_NEVER } answers; // when the bank asks
};

struct hold {
    enum holding holding; // the visitor's plan
    struct purse purse;
    bool more_time; // asks for it before all else
    uint32_t attempt; // of which the following holds
    bool asked_for_time, gave_back, paid;
    uint8_t given; // cards
    uint32_t given_at; // the revision that was known when the last of them was given
    uint8_t answered; // how many cards had been given when the bank was answered last
};

enum hold_act { HOLD_WAIT, HOLD_ASK_FOR_TIME, HOLD_GIVE_BACK, HOLD_PAY, HOLD_GIVE_CARD, HOLD_ANSWER };

// The next thing to do, which counts as done from now on. Nothing is done twice in one attempt, but that each decline is followed by the next card
// of the purse, and each question of the bank by an answer.
enum hold_act hold_next(struct hold *hold, const struct told_order *newest);

// HOLD_GIVE_CARD: which one.
const char *hold_card(const struct hold *hold);

#endif
