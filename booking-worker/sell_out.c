// SPDX-License-Identifier: Apache-2.0
// See sell_out.h. The usual way is booker.c's: the batch that takes the last place.
#include "booking-worker/sell_out.h"

#include "common/lifecycle.h"
#include "common/log.h"

#define EVENTS_MAX 100

// Admission sees the new version within a second, so nobody needs to knock.
int sell_out_full_events(struct db *db)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db,
                         "SELECT e.slug FROM events e WHERE e.state IN ('open', 'paused')"
                         " AND EXISTS (SELECT 1 FROM tiers t WHERE t.event_id = e.id)"
                         " AND NOT EXISTS (SELECT 1 FROM tiers t WHERE t.event_id = e.id"
                         " AND (t.held > 0 OR t.sold < t.capacity)) LIMIT 100",
                         NULL, 0, EVENTS_MAX, &rows);
    for (size_t i = 0; i < db_rows_count(rows) && result == 0; i++) {
        struct lifecycle_change change;
        result = lifecycle_apply(db, db_string(rows, i, 0), LIFECYCLE_DO_SELL_OUT, "booking-worker", NULL, &change);
        if (result == 0 && change.before != change.after)
            log_info("sold_out", LOG_S("slug", db_string(rows, i, 0)), LOG_U("version", change.version));
        if (result == ERROR_CONFLICT || result == ERROR_NOT_FOUND)
            result = 0;
    }
    return result;
}
