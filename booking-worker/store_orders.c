// SPDX-License-Identifier: Apache-2.0
// See store.h: released orders.
#include <string.h>

#include "booking-worker/store_internal.h"

static int read_order(const struct db_rows *rows, size_t row, struct store_order *ret)
{
    enum order_state order_state, booking_state;
    const char *state = db_string(rows, row, 1), *booked_as = db_string(rows, row, 7);
    if (!state)
        return 0; // no such order
    if (order_state_parse(state, &order_state) ||
        store_copy_text(db_string(rows, row, 5), sizeof(ret->currency), ret->currency))
        return ERROR_BUG;
    ret->is_there = true;
    ret->is_released = order_state == ORDER_RELEASED;
    ret->revision = (uint32_t)db_u64(rows, row, 2);
    if (booked_as) {
        if (order_state_parse(booked_as, &booking_state))
            return ERROR_BUG;
        ret->is_retried = booking_state == ORDER_RELEASED;
        ret->is_booked = !ret->is_retried;
        ret->revision = (uint32_t)db_u64(rows, row, 8);
    }
    store_copy_bytes(rows, row, 3, sizeof(ret->visitor), ret->visitor);
    store_copy_bytes(rows, row, 4, sizeof(ret->customer), ret->customer);
    ret->choices = db_bytes(rows, row, 6, &ret->choices_bytes);
    ret->customer_booked = (uint32_t)db_u64(rows, row, 9);
    return 0;
}

// [[place,attempt,release],…]
static void write_keys(struct buffer *text, const struct task *const *tasks, size_t count)
{
    buffer_text(text, "[");
    for (size_t i = 0; i < count; i++) {
        buffer_text(text, i ? ",[" : "[");
        buffer_number(text, tasks[i]->place);
        buffer_text(text, ",");
        buffer_number(text, tasks[i]->attempt);
        buffer_text(text, ",");
        buffer_number(text, tasks[i]->release);
        buffer_text(text, "]");
    }
    buffer_text(text, "]");
}

int store_read_orders(struct db *db, uint64_t event_id, struct task *const *tasks, size_t count,
                      struct store_order *ret, struct db_rows **ret_rows)
{
    struct buffer keys CLEANUP(buffer_done) = BUFFER_INIT;
    write_keys(&keys, (const struct task *const *)tasks, count);
    if (keys.failed)
        return ERROR_MEMORY;
    // Outer joins, so that the keys lead and the rest is looked up by primary key, whatever the statistics say.
    int result = db_read(db,
                         "SELECT k.n, o.state, o.revision, o.visitor, o.customer, o.currency, o.choices, b.state,"
                         " b.revision, c.booked FROM JSON_TABLE(?, '$[*]' COLUMNS (n FOR ORDINALITY,"
                         " place BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]')) AS k"
                         " LEFT JOIN orders o ON o.event_id = ? AND o.place = k.place AND o.attempt = k.attempt"
                         " LEFT JOIN bookings b ON b.event_id = ? AND b.place = k.place AND b.attempt = k.attempt"
                         " LEFT JOIN customers c ON c.event_id = ? AND c.customer = o.customer",
                         (struct db_value[]){db_text(keys.data), DB_U(event_id), DB_U(event_id), DB_U(event_id)}, 4,
                         count, ret_rows);
    if (result)
        return result;
    memset(ret, 0, count * sizeof(*ret));
    for (size_t i = 0; i < db_rows_count(*ret_rows) && result == 0; i++) {
        uint64_t number = db_u64(*ret_rows, i, 0);
        result = number >= 1 && number <= count ? read_order(*ret_rows, i, &ret[number - 1]) : ERROR_BUG;
    }
    return result;
}

int store_give_back(struct db *db, uint64_t event_id, const struct task *const *tasks, size_t count)
{
    struct buffer keys CLEANUP(buffer_done) = BUFFER_INIT;
    if (count == 0)
        return 0;
    write_keys(&keys, tasks, count);
    if (keys.failed)
        return ERROR_MEMORY;
    return db_write(db,
                    "UPDATE JSON_TABLE(?, '$[*]' COLUMNS (place BIGINT UNSIGNED PATH '$[0]',"
                    " attempt INT UNSIGNED PATH '$[1]', release_no INT UNSIGNED PATH '$[2]')) AS k"
                    " STRAIGHT_JOIN orders o ON o.event_id = ? AND o.place = k.place AND o.attempt = k.attempt"
                    " SET o.published = 0, o.release_no = o.release_no + 1"
                    " WHERE o.release_no = k.release_no AND o.state = 'released'",
                    (struct db_value[]){db_text(keys.data), DB_U(event_id)}, 2, NULL);
}
