// SPDX-License-Identifier: Apache-2.0
// One choice of an order: a tier, and what is wanted of it, by price, by number or by the seats' names. Read from the body of PUT order,
// judged against what is on sale, priced, and written as orders.choices has it. Part of order_form.c. Pure.
#ifndef WAITING_ROOM_ORDER_CHOICE_H
#define WAITING_ROOM_ORDER_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/json.h"
#include "waiting-room/order_form.h"

struct order_reading {
    const struct snapshot *event;
    struct order_form_problems *problems;
    uint64_t wheelchair, companion; // what the order needs in each of its seated tiers
};

struct order_choice {
    const struct snapshot_tier *tier; // NULL: there is none of that name
    uint64_t quantity, amount;
    struct buffer tickets; // the JSON object
    struct buffer seats; // the JSON array of the seats asked for by name; empty: any
};

// Notes a problem, beyond ORDER_FORM_PROBLEMS_MAX nothing.
void order_note(struct order_reading *reading, const char *prefix, const char *field, const char *detail);
void order_note_most(struct order_reading *reading, const char *prefix, const char *field, uint64_t most,
                     const char *what);

// Whether a member is there and not null.
bool order_is_given(const json_t *object, const char *key);

// Reads the choice that `object` is and notes what is wrong with it; `prefix` stands before the names of its fields. *ret is zeroed
// before and freed with order_choice_done().
void order_choice_read(struct order_reading *reading, const char *prefix, const json_t *object,
                       struct order_choice *ret);
void order_choice_write(const struct order_reading *reading, const struct order_choice *choice, struct buffer *text);
void order_choice_done(struct order_choice *choice);

#endif
