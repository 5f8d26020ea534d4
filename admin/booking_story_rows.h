// SPDX-License-Identifier: Apache-2.0
// The columns of story.orders: an order (O_) and what it was booked as (B_; all NULL: not booked). And what the parts of the story share.
// For whoever reads them and whoever tells them, and for nobody else.
#ifndef ADMIN_BOOKING_STORY_ROWS_H
#define ADMIN_BOOKING_STORY_ROWS_H

#include "admin/booking_story.h"

enum {
    O_ATTEMPT,
    O_STATE,
    O_REASON,
    O_REVISION,
    O_TIER,
    O_QUANTITY,
    O_AMOUNT,
    O_CURRENCY,
    O_CHOICES,
    O_EMAIL,
    O_NAME,
    O_LANG,
    O_PLACED_AT,
    O_CHANGED_AT,
    O_RELEASED_AT,
    O_ENDED_AT,
    O_RELEASE_NO,
    O_PUBLISHED,
    B_STATE,
    B_REASON,
    B_REVISION,
    B_CHOICE,
    B_TIER,
    B_QUANTITY,
    B_AMOUNT,
    B_REFERENCE,
    B_REFUND,
    B_CREATED_AT,
    B_CHANGED_AT,
    B_SEATS,
    B_GONE,
    B_PAY_UNTIL, // by UTC, as long as the event is not stopped again
    B_MORE_TIME,
    B_STANDBY_TIER,
    B_STANDBY_QUANTITY,
    B_AHEAD,
};

// For the parts of the story. A step is good until the next sort.
struct story_step *story_add_step(struct story *story, int64_t at_us, const char *name);
void story_describe(struct story_step *step, const char *format, ...) PRINTF_LIKE(2, 3);
json_t *story_time_json(const struct db_rows *rows, size_t row, size_t column); // null for NULL

#endif
