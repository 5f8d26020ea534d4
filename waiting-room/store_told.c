// SPDX-License-Identifier: Apache-2.0
// What the payment provider told of its own accord, stored before it is thanked. Told twice, it is kept once.
#include "common/log.h"
#include "common/metrics.h"
#include "waiting-room/line_store_internal.h"

#define TOLD_VALUES 4

static struct metric stored = METRIC_COUNTER(
    "onsale_provider_events_total", "What the payment provider told, stored (again too, if it told it twice).");

void store_register_told_metrics(void)
{
    metrics_register(&stored);
}

void store_told(struct line_store *store, struct line_store_request **requests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct line_store_told *told = requests[i]->told;
        struct db_value *row = store->values + TOLD_VALUES * i;
        row[0] = db_text(told->event.id);
        row[1] = db_text(told->event.type);
        row[2] = db_text(told->event.object);
        row[3] = DB_B(told->body, told->body_bytes);
    }
    // The values are within the columns' bounds, so IGNORE passes over nothing but an id that is there already.
    int error =
        db_write_many(store->db, "INSERT IGNORE INTO provider_events (id, type, object, body, received_at) VALUES ",
                      "(?, ?, ?, ?, UTC_TIMESTAMP(6))", "", store->values, TOLD_VALUES, count);
    if (error < 0) {
        store_fail(store, requests, count, "told_failed", error);
        return;
    }
    for (size_t i = 0; i < count; i++)
        requests[i]->error = 0;
    metric_add(&stored, (int64_t)count);
}
