// SPDX-License-Identifier: Apache-2.0
// Leaving a card, as the interface and the page's form both do it: the store notes it, the desk has a page made, the store keeps the page's
// address; then the visitor may go there.
#ifndef WAITING_ROOM_LEAVE_CARD_H
#define WAITING_ROOM_LEAVE_CARD_H

#include "waiting-room/visit.h"

// Has a page made, for a visit whose visitor is known. Calls `then` now or later, unless the client has gone: then the visit is freed.
void leave_card_begin(struct visit *visit, void (*then)(struct visit *visit));
// Why there is no page, and what to add. NULL: there is one, at leave_card_url().
const struct problem *leave_card_problem(const struct visit *visit, struct problem_more *ret_more);
const char *leave_card_url(const struct visit *visit);

// Looks what became of it, into leave_card_known(); `is_back`: the visitor has come back from the page, and payers should look now. Calls
// `then` as above, with visit->error set.
void leave_card_look(struct visit *visit, bool is_back, void (*then)(struct visit *visit));
const struct line_store_card *leave_card_known(const struct visit *visit);

#endif
