// SPDX-License-Identifier: Apache-2.0
// What changes between two event files, field by field, for people to read before it happens and for the event's log.
// Pure.
#ifndef ADMIN_EVENT_DIFF_H
#define ADMIN_EVENT_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "admin/event_file.h"

#define EVENT_CHANGES_MAX 5000 // kept; beyond that they are only counted

struct event_change {
    char *field; // "tiers.floor.capacity"
    char *before, *after; // NULL: it was not there, it goes
};

struct event_changes {
    struct event_change *items;
    size_t count, capacity;
    size_t more;
    bool failed; // out of memory
};

// Appends what changes from `before` (NULL: there is no such event yet) to `after`. Check ret->failed. Tiers, prices
// and rows are matched by their codes and names, so that a changed order is one change and not many.
void event_diff(const struct event_file *before, const struct event_file *after, struct event_changes *ret);
void event_changes_done(struct event_changes *changes); // accepts NULL

const struct event_tier *event_file_tier(const struct event_file *file, const char *code); // NULL: there is none
const struct event_price *event_tier_price(const struct event_tier *tier, const char *code); // NULL: there is none
bool event_tier_seats_equal(const struct event_tier *a,
                            const struct event_tier *b); // rows, seats, marks and their order

// What a change does to somebody who has a seat.
enum event_seat_fate {
    EVENT_SEAT_STAYS,
    EVENT_SEAT_GOES, // it is not there any more, or blocked
    EVENT_SEAT_MARKED, // it becomes a wheelchair's or a companion's
};
enum event_seat_fate event_tier_seat_fate(const struct event_tier *before, const struct event_tier *after,
                                          const char *row, const char *number);

#endif
