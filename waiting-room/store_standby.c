// SPDX-License-Identifier: Apache-2.0
// How many stand by before somebody: the bookings in standby for the same tier with lower places. Counted by MySQL for all who ask at once,
// for there is no number that each could subtract from: people are served out of their order when their party fits where a larger one
// does not, and may join before others.
#include "common/metrics.h"
#include "waiting-room/line_store_internal.h"

static struct metric asked =
    METRIC_COUNTER("onsale_standby_asked_total", "Times MySQL was asked how many stand by before visitors.");

void store_register_standby_metrics(void)
{
    metrics_register(&asked);
}

int store_read_ahead(struct line_store *store, uint32_t event_id, struct line_store_ahead *aheads, size_t count)
{
    struct buffer numbers CLEANUP(buffer_done) = BUFFER_INIT;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    if (count == 0)
        return 0;
    buffer_text(&numbers, "[");
    for (size_t i = 0; i < count; i++) {
        buffer_text(&numbers, i ? "," : "");
        buffer_number(&numbers, aheads[i].number);
    }
    buffer_text(&numbers, "]");
    if (numbers.failed)
        return ERROR_MEMORY;
    // By position: each finds its own without a search.
    int error =
        db_read(store->db,
                "SELECT asked.position, ranked.ahead FROM JSON_TABLE(?, '$[*]' COLUMNS (position FOR ORDINALITY,"
                " number BIGINT UNSIGNED PATH '$')) AS asked"
                " JOIN (SELECT place, ROW_NUMBER() OVER (PARTITION BY standby_tier ORDER BY place) - 1 AS ahead"
                " FROM bookings FORCE INDEX (bookings_state) WHERE event_id = ? AND state = 'standby') AS ranked"
                " ON ranked.place = asked.number",
                (struct db_value[]){db_text(numbers.data), DB_U(event_id)}, 2, count, &rows);
    if (error < 0)
        return error;
    metric_add(&asked, 1);
    for (size_t i = 0; i < count; i++)
        aheads[i].ahead = -1;
    for (size_t row = 0; row < db_rows_count(rows); row++) {
        uint64_t position = db_u64(rows, row, 0);
        if (position < 1 || position > count)
            return ERROR_BUG;
        aheads[position - 1].ahead = db_i64(rows, row, 1);
    }
    return 0;
}

void store_ahead(struct line_store *store, struct line_store_request **requests, size_t count)
{
    int error = 0;
    for (size_t i = 0; i < count && error == 0; i++) {
        error = store_read_ahead(store, requests[i]->event_id, requests[i]->aheads, requests[i]->ahead_count);
        requests[i]->error = error;
    }
    if (error < 0)
        store_fail(store, requests, count, "ahead_failed", error);
}
