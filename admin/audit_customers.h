// SPDX-License-Identifier: Apache-2.0
// What each customer has: gathered while the audit goes along the bookings, then laid beside the customers' counters and the event's
// limit. In memory, 32 bytes a booking: the database would need a table on disk for it.
#ifndef ADMIN_AUDIT_CUSTOMERS_H
#define ADMIN_AUDIT_CUSTOMERS_H

#include <stddef.h>
#include <stdint.h>

#include "admin/audit.h"
#include "common/customer.h"

#define AUDIT_KEPT_MAX 20000000 // bookings of one event that are looked at

struct audit_kept {
    uint8_t customer[CUSTOMER_BYTES];
    uint32_t quantity;
    int64_t booked_at_us;
};

struct audit_customers {
    struct audit_kept *items;
    size_t count, capacity;
};

// Notes a booking that counts for its customer. ERROR_MEMORY, ERROR_LIMIT.
int audit_customers_add(struct audit_customers *customers, const struct audit_kept *kept) MUST_USE;
// Compares once all are noted, and notes violations of AUDIT_CUSTOMERS. Errors are db.h's.
int audit_customers_check(struct audit_customers *customers, struct audit *audit) MUST_USE;
void audit_customers_done(struct audit_customers *customers);

#endif
