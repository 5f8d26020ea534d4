// SPDX-License-Identifier: Apache-2.0
// What was chosen in the page's form without JavaScript, as the document that PUT order takes, so that both are judged by one
// rule; and as a query, so that it stands in the form again after a refusal. Fields: tier, tickets.TIER.CODE (or
// tickets.CODE, or quantity), seats.TIER ("A-12, A-13"; nothing: the best that are free), wheelchair, companion (how many such places are
// needed), alternative.1 … alternative.3 (a tier: as many tickets of it), email, name. Pure.
#ifndef WAITING_ROOM_PAGE_CHOICE_H
#define WAITING_ROOM_PAGE_CHOICE_H

#include "common/buffer.h"
#include "waiting-room/form.h"
#include "waiting-room/snapshot.h"

// Appends the body of PUT /v1/events/SLUG/order. What is no number is passed on as it is, to be refused there.
void page_choice_json(const struct form *form, const struct snapshot *event, struct buffer *json);

// Appends "&NAME=VALUE" for what was chosen. E-mail and name are left out: addresses end up in histories and logs.
void page_choice_query(const struct form *form, struct buffer *query);

// Tickets of that price as they stand in a form or query; 0: none, or no number.
uint32_t page_choice_count(const struct form *form, const char *tier, const char *code);

// What stands in the field of a tier's seats; NULL: nothing.
const char *page_choice_seats(const struct form *form, const char *tier);
// How many places of a need ("wheelchair", "companion"); 0: none, or no number.
uint32_t page_choice_need(const struct form *form, const char *need);

#endif
