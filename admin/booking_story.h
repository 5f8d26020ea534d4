// SPDX-License-Identifier: Apache-2.0
// One visitor's way, from joining to what became of the order, put together from all tables that know a part of it.
#ifndef ADMIN_BOOKING_STORY_H
#define ADMIN_BOOKING_STORY_H

#include <jansson.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/db.h"
#include "common/error.h"

#define STORY_DETAIL_BYTES 320

struct story_step {
    int64_t at_us;
    const char *name; // "joined", "let in", "released", …
    uint32_t attempt, revision; // 0: none
    const char *actor; // NULL: none
    char detail[STORY_DETAIL_BYTES]; // "": none
};

struct story {
    uint64_t event_id, place;
    const char *slug;
    struct db_rows *arrival, *served, *turn, *orders, *log, *letters;
    struct db_rows *payments, *told, *cards; // booking_story_payments.h
    struct story_step *steps; // by time
    size_t step_count;
};

// Reads it. ERROR_NOT_FOUND: nobody has that place; else db.h's. The slug is borrowed. Freed with story_done() either way.
int story_read(struct db *db, uint64_t event_id, const char *slug, uint64_t place, struct story *ret) MUST_USE;
void story_done(struct story *story);

json_t *story_json(const struct story *story); // NULL: out of memory
void story_text(const struct story *story, struct buffer *text);

#endif
