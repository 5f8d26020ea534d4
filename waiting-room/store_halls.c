// SPDX-License-Identifier: Apache-2.0
// Reading the hall of a seated tier. A hall may have 200,000 seats and hardly ever changes, while its event does with every turn of the
// dial: so it is read only when `layout` says that it is another one, and shared by all snapshots until then.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "waiting-room/line_store_internal.h"

#define SEATS_MAX 200000 // as many as an event file may have

static struct metric halls_read = METRIC_COUNTER("onsale_halls_read_total", "Times the seats of a tier were read.");

void store_register_hall_metrics(void)
{
    metrics_register(&halls_read);
}

static size_t count_rows(const struct db_rows *seats)
{
    size_t count = 0;
    for (size_t i = 0; i < db_rows_count(seats); i++)
        count += i == 0 || db_u64(seats, i, 0) != db_u64(seats, i - 1, 0);
    return count;
}

// The seats from `first` on that are in the same row.
static int fill_row(const struct db_rows *seats, size_t first, struct hall_row *row, size_t *ret_end)
{
    size_t end = first + 1;
    while (end < db_rows_count(seats) && db_u64(seats, end, 0) == db_u64(seats, first, 0))
        end++;
    snprintf(row->name, sizeof row->name, "%s", db_string(seats, first, 1));
    row->seats = calloc(end - first, sizeof *row->seats);
    if (!row->seats)
        return ERROR_MEMORY;
    for (size_t i = first; i < end; i++)
        row->seats[row->seat_count++] =
            (struct hall_seat){.number = (uint16_t)db_u64(seats, i, 2), .kind = (uint8_t)db_u64(seats, i, 3)};
    *ret_end = end;
    return 0;
}

static int fill_hall(const struct db_rows *seats, struct hall **ret)
{
    struct hall *hall = hall_new(count_rows(seats));
    int error = hall ? 0 : ERROR_MEMORY;
    size_t next = 0;
    for (size_t i = 0; error == 0 && i < hall->row_count; i++)
        error = fill_row(seats, next, &hall->rows[i], &next);
    for (size_t i = 0; error == 0 && i < db_rows_count(seats); i++) {
        hall->wheelchair_count += db_u64(seats, i, 3) == SEAT_WHEELCHAIR;
        hall->companion_count += db_u64(seats, i, 3) == SEAT_COMPANION;
    }
    if (error < 0) {
        hall_unref(hall);
        return error;
    }
    *ret = hall;
    return 0;
}

// The numbers of the kinds are those of enum seat_kind; a seat that is not on sale is nothing else besides.
int store_read_hall(struct line_store *store, uint32_t event_id, const char *tier, uint64_t layout, struct hall **ret)
{
    struct db_rows *seats CLEANUP(db_rows_cleanup) = NULL;
    int64_t from_ns = clock_monotonic_ns();
    int error = db_read(store->db,
                        "SELECT row_position, row_name, seat_position,"
                        " IF(blocked, 3, IF(companion, 2, IF(wheelchair, 1, 0)))"
                        " FROM seats WHERE event_id = ? AND tier = ? ORDER BY row_position, seat_position LIMIT 200000",
                        (struct db_value[]){DB_U(event_id), db_text(tier)}, 2, SEATS_MAX, &seats);
    if (error == 0)
        error = fill_hall(seats, ret);
    if (error < 0)
        return error;
    (*ret)->layout = layout;
    (*ret)->seat_count = db_rows_count(seats);
    metric_add(&halls_read, 1);
    log_info("hall_read", LOG_U("event_id", event_id), LOG_S("tier", tier), LOG_U("seats", db_rows_count(seats)),
             LOG_U("us", (uint64_t)(clock_monotonic_ns() - from_ns) / 1000));
    return 0;
}
