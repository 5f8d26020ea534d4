// SPDX-License-Identifier: Apache-2.0
// Joining as the API and the page's form both do it: the same place for who has one, a new one for who may.
#ifndef WAITING_ROOM_JOINING_H
#define WAITING_ROOM_JOINING_H

#include "waiting-room/visit.h"

// Calls `then` when it is clear what the answer is: joining_problem() tells. visit->again asks for a new place after an end.
void joining_begin(struct visit *visit, const char *address, void (*then)(struct visit *visit));

// What stands in the way, with what to add to it; NULL: visit->visitor has a place.
const struct problem *joining_problem(const struct visit *visit, struct problem_more *ret_more);
bool joining_is_new(const struct visit *visit); // the place was given just now

#endif
