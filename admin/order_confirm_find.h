// SPDX-License-Identifier: Apache-2.0
// Who is meant by what was given to be confirmed: a place stands for its newest attempt, a reference for the booking that has it.
#ifndef ADMIN_ORDER_CONFIRM_FIND_H
#define ADMIN_ORDER_CONFIRM_FIND_H

#include "admin/order_confirm.h"

// Sets is_found, place and attempt of those items that somebody ordered; leaves the others. db.h's errors.
int order_confirm_find(struct db *db, uint64_t event_id, struct order_confirm *items, size_t count) MUST_USE;

#endif
