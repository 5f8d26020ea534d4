// SPDX-License-Identifier: Apache-2.0
// What can be ordered, read from the event's public document, and what a visitor makes of it: choices with the amounts that
// are expected, and the JSON to send. Pure: random numbers come from the caller.
#ifndef BENCH_CROWD_MENU_H
#define BENCH_CROWD_MENU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/crowd/told.h"
#include "common/error.h"
#include "common/seat.h"
#include "common/slug.h"

#define MENU_TIERS_MAX TOLD_CHOICES_MAX
#define MENU_PRICES_MAX 8

struct menu_price {
    char code[SLUG_BYTES];
    uint64_t amount;
};

struct menu_tier {
    char code[SLUG_BYTES];
    bool is_seated;
    size_t price_count; // further prices are not ordered
    struct menu_price prices[MENU_PRICES_MAX];
};

struct menu {
    size_t tier_count; // 0: nothing can be ordered
    struct menu_tier tiers[MENU_TIERS_MAX];
    bool has_seats; // in some tier
    bool takes_cards;
    uint64_t max_per_order;
};

// Reads the public document. `wanted` names the tiers to order, separated by commas, at most MENU_TIERS_MAX; NULL: only the
// first of the document. ERROR_INVALID with the reason in `problem`.
int menu_read(const char *text, size_t bytes, const char *wanted, struct menu *ret, char *problem,
              size_t problem_bytes) MUST_USE;

struct menu_order {
    size_t choice_count;
    struct told_choice choices[TOLD_CHOICES_MAX];
    bool has_needs;
    char *body; // what PUT takes; owned
    char *asked; // the same for the record: {"method":"PUT","choices":[…],"needs":{…}}; owned
};

struct menu_wish {
    uint64_t quantity; // tickets; cut to what an order may have
    bool alternatives; // all other tiers too, and any seats of the tier if some were named
    bool wheelchair; // a wheelchair place, and a companion's seat if somebody comes along; if there are seats at all
    size_t seat_count; // seats asked for by name, of tier number seat_tier, instead of the quantity; 0: any
    size_t seat_tier;
    const char (*seats)[SEAT_NAME_BYTES];
    const char *email;
    const char *payment_method; // NULL: not said
    uint64_t random; // decides on tiers, prices, and how it is put
};

// How many seats or places somebody with this wish gets.
uint64_t menu_quantity(const struct menu *menu, const struct menu_wish *wish);

// ERROR_MEMORY. The menu must have a tier.
int menu_choose(const struct menu *menu, const struct menu_wish *wish, struct menu_order *ret) MUST_USE;
void menu_order_done(struct menu_order *order); // accepts NULL and zeroes

#endif
