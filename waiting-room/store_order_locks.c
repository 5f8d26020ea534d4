// SPDX-License-Identifier: Apache-2.0
// What a batch of requests locks and reads before anything is decided: the event shared, arrivals by number, orders by place, bookings where
// they are to change. The arrival's lock is what keeps two tabs on two waiting rooms apart; an order's lock what keeps a change and its
// release apart.
#include <string.h>

#include "waiting-room/store_orders_internal.h"

struct order_place *store_find_place(struct order_batch *batch, uint64_t number)
{
    size_t low = 0, high = batch->place_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (batch->places[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < batch->place_count && batch->places[low].number == number ? &batch->places[low] : NULL;
}

static int lock_event(struct order_batch *batch)
{
    struct db_rows *event CLEANUP(db_rows_cleanup) = NULL, *line CLEANUP(db_rows_cleanup) = NULL;
    struct db_value id = DB_U(batch->event_id);
    int error =
        db_read(batch->store->db,
                "SELECT state, stopped_us, stopped_at, hold_seconds FROM events WHERE id = ? LOCK IN SHARE MODE", &id,
                1, 1, &event);
    if (error == 0)
        error = db_read(batch->store->db,
                        "SELECT s.served, c.last FROM line_served s JOIN line_counters c ON c.event_id = s.event_id"
                        " WHERE s.event_id = ?",
                        &id, 1, 1, &line);
    if (error < 0)
        return error;
    if (db_rows_count(event) == 0)
        return ERROR_NOT_FOUND;
    // Before the first step of the line there is no row: nobody has been let in.
    batch->served = db_rows_count(line) > 0 ? db_u64(line, 0, 0) : 0;
    batch->last = db_rows_count(line) > 0 ? db_u64(line, 0, 1) : 0;
    batch->event.stopped_us = db_i64(event, 0, 1);
    batch->event.stopped_at_us = db_is_null(event, 0, 2) ? SNAPSHOT_NO_TIME : db_time_us(event, 0, 2);
    batch->hold_us = db_i64(event, 0, 3) * 1000000;
    return lifecycle_state_parse(db_string(event, 0, 0), &batch->event.state);
}

int store_each_place(struct order_batch *batch, const char *sql, const char *numbers, size_t rows_max,
                     int take(struct order_place *place, const struct db_rows *rows, size_t row))
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int error = db_read(batch->store->db, sql, (struct db_value[]){db_text(numbers), DB_U(batch->event_id)}, 2,
                        rows_max, &rows);
    for (size_t i = 0; error == 0 && i < db_rows_count(rows); i++) {
        struct order_place *place = store_find_place(batch, db_u64(rows, i, 0));
        error = place ? take(place, rows, i) : ERROR_BUG;
    }
    return error;
}

static int take_arrival(struct order_place *place, const struct db_rows *rows, size_t row)
{
    size_t bytes = 0;
    const void *visitor = db_bytes(rows, row, 1, &bytes);
    if (!visitor || bytes != sizeof place->visitor)
        return ERROR_BUG;
    place->exists = true;
    memcpy(place->visitor, visitor, bytes);
    place->rows.left = db_i64(rows, row, 2) != 0;
    return 0;
}

static int take_order(struct order_place *place, const struct db_rows *rows, size_t row)
{
    int error = store_order_facts(rows, row, false, &place->facts);
    if (error < 0)
        return error;
    place->rows.attempt = place->facts->attempt;
    place->rows.revision = place->facts->revision;
    place->rows.order_state = place->facts->state;
    return 0;
}

static int take_booking(struct order_place *place, const struct db_rows *rows, size_t row)
{
    if (db_u64(rows, row, 1) != place->rows.attempt)
        return 0;
    place->rows.booked = true;
    return order_state_parse(db_string(rows, row, 2), &place->rows.booking_state);
}

int store_lock_places(struct order_batch *batch)
{
    struct buffer numbers CLEANUP(buffer_done) = BUFFER_INIT;
    store_numbers(batch->requests, batch->count, &numbers);
    if (numbers.failed)
        return ERROR_MEMORY;
    int error = lock_event(batch);
    if (error == 0)
        error = store_each_place(batch,
                                 "SELECT a.number, a.visitor, a.left_at IS NOT NULL"
                                 " FROM JSON_TABLE(?, '$[*]' COLUMNS (number BIGINT UNSIGNED PATH '$')) AS asked"
                                 " STRAIGHT_JOIN arrivals a ON a.event_id = ? AND a.number = asked.number FOR UPDATE",
                                 numbers.data, batch->place_count, take_arrival);
    if (error == 0)
        error = store_each_place(batch, "SELECT " STORE_ORDER_COLUMNS STORE_NEWEST_ORDERS " FOR UPDATE", numbers.data,
                                 batch->place_count, take_order);
    // What became of released orders. Read without a lock, as far as orders go: an end stays an end, unless an operator retries it,
    // and that takes the arrival's lock, which is ours.
    if (error == 0)
        error = store_each_place(batch,
                                 "SELECT b.place, b.attempt, b.state"
                                 " FROM JSON_TABLE(?, '$[*]' COLUMNS (number BIGINT UNSIGNED PATH '$')) AS asked"
                                 " STRAIGHT_JOIN bookings b ON b.event_id = ? AND b.place = asked.number",
                                 numbers.data, batch->place_count * ORDER_ATTEMPTS_MAX, take_booking);
    if (error == 0)
        error = store_lock_bookings(batch);
    if (error == 0)
        error = store_read_means(batch, numbers.data);
    return error;
}
