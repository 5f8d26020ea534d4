// SPDX-License-Identifier: Apache-2.0
// Ordering as the interface and the page's form both do it: what is wanted is read, the visitor's turn is looked at, the
// store decides, and what it said becomes an answer or a problem.
#ifndef WAITING_ROOM_ORDERING_H
#define WAITING_ROOM_ORDERING_H

#include "waiting-room/order_form.h"
#include "waiting-room/visit.h"

// Gives or changes the order that visit->form says, for a visit whose visitor is known. Calls `then` as visit_order() does.
void ordering_begin(struct visit *visit, void (*then)(struct visit *visit));
// Takes it back, or gives back what is held for it.
void ordering_take_back(struct visit *visit, void (*then)(struct visit *visit));
// Asks for more time to pay.
void ordering_more_time(struct visit *visit, void (*then)(struct visit *visit));
// Begins to pay for what is held, as visit->payment says.
void ordering_pay(struct visit *visit, void (*then)(struct visit *visit));

// Why the order was not given, taken back, prolonged or paid, and what to add. NULL: it was; visit->order says what it is.
const struct problem *ordering_problem(const struct visit *visit, struct problem_more *ret_more);
// Says that to a client of the interface: the problem, or the order with `status`.
void ordering_answer(struct visit *visit, int status);

#endif
