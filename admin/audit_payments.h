// SPDX-License-Identifier: Apache-2.0
// The payments of an event, read along the places, beside its bookings: what check 6 looks at in the database.
#ifndef ADMIN_AUDIT_PAYMENTS_H
#define ADMIN_AUDIT_PAYMENTS_H

#include <stdint.h>

#include "admin/audit.h"
#include "admin/audit_pages.h"
#include "admin/audit_payment_rules.h"

struct audit_payments {
    struct audit_pages pages;
    struct audit_payment items[AUDIT_PAYMENTS_MAX]; // of the booking that is looked at
    char currencies[AUDIT_PAYMENTS_MAX][4];
    size_t count;
};

void audit_payments_init(struct audit_payments *payments);
// Gathers the payments of a booking into payments->items. To be called for every order and booking in the order of places and
// attempts; those that belong to none are noted. Errors, here and below, are db.h's.
int audit_payments_find(struct audit_payments *payments, struct audit *audit, uint64_t place,
                        uint64_t attempt) MUST_USE;
// Judges them: fills in the payments, and who confirmed a booking that none of them pays for. `revision` is the booking's,
// `order_revision` that of its order's release.
int audit_payments_check(struct audit_payments *payments, struct audit *audit, struct audit_paid *paid,
                         uint64_t revision, uint64_t order_revision) MUST_USE;
// After the last one.
int audit_payments_end(struct audit_payments *payments, struct audit *audit) MUST_USE;
void audit_payments_done(struct audit_payments *payments);

#endif
