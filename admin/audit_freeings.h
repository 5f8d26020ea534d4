// SPDX-License-Identifier: Apache-2.0
// Bookings that were ended and whose places a booking worker has still to free, in the order of places. They count as what they were.
#ifndef ADMIN_AUDIT_FREEINGS_H
#define ADMIN_AUDIT_FREEINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/audit.h"
#include "admin/audit_pages.h"

struct audit_freeings {
    struct audit_pages pages;
};

struct audit_freeing {
    bool waits; // the places of the booking are still to be freed …
    bool waits_for_payment; // … and not before the provider has said that nothing is authorised
    enum order_state was; // what it was
};

void audit_freeings_init(struct audit_freeings *freeings);
// Says whether the places of a booking are still to be freed, and what it was. To be called for every order and booking in the order of
// places and attempts, with the state of the booking (`placed`: there is none). Notes what breaks, and what waits.
int audit_freeings_find(struct audit_freeings *freeings, struct audit *audit, uint64_t place, uint64_t attempt,
                        enum order_state state, struct audit_freeing *ret) MUST_USE;
// After the last one.
int audit_freeings_end(struct audit_freeings *freeings, struct audit *audit) MUST_USE;
void audit_freeings_done(struct audit_freeings *freeings);

#endif
