// SPDX-License-Identifier: Apache-2.0
// The part of a visitor's story that is about money: payments, what the provider told about them, cards that were left.
#ifndef ADMIN_BOOKING_STORY_PAYMENTS_H
#define ADMIN_BOOKING_STORY_PAYMENTS_H

#include <jansson.h>
#include <stddef.h>

#include "admin/booking_story.h"

// Reads story->payments, ->told and ->cards. db.h's errors.
int story_payments_read(struct db *db, struct story *story) MUST_USE;
// At most so many steps come of them.
size_t story_payments_steps_max(const struct story *story);
void story_payments_add(struct story *story);

json_t *story_payments_json(const struct story *story, uint32_t attempt); // of one attempt
json_t *story_cards_json(const struct story *story);
// Lines on how the payments of an attempt stand; nothing where there are none.
void story_payments_text(const struct story *story, uint32_t attempt, struct buffer *text);

#endif
