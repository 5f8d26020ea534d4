// SPDX-License-Identifier: Apache-2.0
// Who has which seat: the seats that are taken, laid beside the bookings in the order of places. That no seat is taken twice is the
// table's key; here is checked that each belongs to somebody who has places, and that each of those has just their seats.
#ifndef ADMIN_AUDIT_SEATS_H
#define ADMIN_AUDIT_SEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/audit.h"

struct audit_seats {
    struct db_rows *taken; // by place and attempt
    struct db_rows *tiers; // those that are seated: code
    size_t at; // the next one that is taken
};

// What a booking says of itself. Texts are borrowed, and may be NULL.
struct audit_seated {
    uint64_t place, attempt;
    bool has_places; // or will until a worker has freed them
    const char *tier;
    uint64_t quantity;
    const char *seats; // JSON
    const char *choices; // of its order, and which of them it was given
    uint64_t choice;
};

int audit_seats_read(struct audit *audit, struct audit_seats *ret) MUST_USE;
// To be called for every booking in the order of places and attempts, and at the end with NULL.
void audit_seats_check(struct audit_seats *seats, struct audit *audit, const struct audit_seated *booking);
void audit_seats_done(struct audit_seats *seats);

#endif
