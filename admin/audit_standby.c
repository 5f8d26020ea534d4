// SPDX-License-Identifier: Apache-2.0
// Standby, as far as the database alone can tell: once nothing has happened for a while, nobody may stand by who would find what they
// wait for, nor for what cannot come back.
#include "admin/audit.h"

#define STANDBY_ROWS_MAX 100000

// What is still to be freed counts as held. Of a seated tier only the numbers are looked at, for which seats fit whom is not said by them.
#define STANDBY                                                                                                       \
    "SELECT CONCAT('place ', b.place, ' stands by for ', b.standby_quantity, ' of ', t.code, IF(t.kind = 'standing' " \
    "AND b.standby_quantity + t.held + t.sold <= t.capacity, ', and that is left', ', and that cannot come back')) "  \
    "FROM bookings b JOIN tiers t ON t.event_id = b.event_id AND t.code = b.standby_tier WHERE b.event_id = ? AND "   \
    "b.state = 'standby' AND ((t.kind = 'standing' AND b.standby_quantity + t.held + t.sold <= t.capacity) OR "       \
    "t.held = 0 OR b.standby_quantity + t.sold > t.capacity) ORDER BY b.place"

int audit_standby(struct audit *audit)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    if (audit->is_stopped || audit->freeings_waiting || audit->now_us - audit->changed_at_us < AUDIT_SETTLED_US)
        return 0; // a worker may be about to act
    int r = db_read(audit->db, STANDBY, (struct db_value[]){DB_U(audit->event_id)}, 1, STANDBY_ROWS_MAX, &rows);
    for (size_t i = 0; r == 0 && i < db_rows_count(rows); i++)
        audit_violation(audit, AUDIT_ENDS, "%s", db_string(rows, i, 0));
    return r;
}
