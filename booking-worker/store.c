// SPDX-License-Identifier: Apache-2.0
// See store.h. Whoever changes tiers, customers or bookings of an event locks all its tiers first. So once they are locked here, plain
// reads of customers and bookings see what will not change, and orders that are released stay as they are by themselves.
#include "booking-worker/store.h"

#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"

static int copy_text(const char *text, size_t bytes, char *ret)
{
    if (!text || strlen(text) >= bytes)
        return ERROR_BUG; // the columns are no longer than that
    memcpy(ret, text, strlen(text) + 1);
    return 0;
}

// ---------------------------------------------------------------- the event and its tiers

static int read_event(struct db *db, struct store_event *event)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result =
        db_read(db, "SELECT slug, state, currency, max_per_customer FROM events WHERE id = ? LOCK IN SHARE MODE",
                (struct db_value[]){DB_U(event->id)}, 1, 1, &rows);
    if (result)
        return result;
    if (db_rows_count(rows) == 0)
        return ERROR_NOT_FOUND;
    if (copy_text(db_string(rows, 0, 0), sizeof(event->slug), event->slug) ||
        copy_text(db_string(rows, 0, 2), sizeof(event->currency), event->currency) ||
        lifecycle_state_parse(db_string(rows, 0, 1), &event->numbers.state))
        return ERROR_BUG;
    event->numbers.max_per_customer = (uint32_t)db_u64(rows, 0, 3);
    return 0;
}

static int lock_tiers(struct db *db, struct store_event *event)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db,
                         "SELECT code, kind, capacity, held, sold FROM tiers WHERE event_id = ?"
                         " ORDER BY code FOR UPDATE",
                         (struct db_value[]){DB_U(event->id)}, 1, STORE_TIERS_MAX, &rows);
    if (result)
        return result;
    size_t count = db_rows_count(rows);
    event->numbers.tiers = calloc(count + 1, sizeof(*event->numbers.tiers));
    if (!event->numbers.tiers)
        return ERROR_MEMORY;
    event->numbers.tier_count = count;
    for (size_t i = 0; i < count; i++) {
        struct allocate_tier *tier = &event->numbers.tiers[i];
        if (copy_text(db_string(rows, i, 0), sizeof(tier->code), tier->code))
            return ERROR_BUG;
        tier->is_seated = strcmp(db_string(rows, i, 1), "seated") == 0;
        tier->capacity = (uint32_t)db_u64(rows, i, 2);
        tier->held = (uint32_t)db_u64(rows, i, 3);
        tier->sold = (uint32_t)db_u64(rows, i, 4);
    }
    return 0;
}

int store_lock_event(struct db *db, uint64_t event_id, struct store_event *ret)
{
    struct store_event event = {.id = event_id};
    int result = read_event(db, &event);
    if (result == 0)
        result = lock_tiers(db, &event);
    if (result)
        store_event_done(&event);
    else
        *ret = event;
    return result;
}

void store_event_done(struct store_event *event)
{
    if (!event)
        return;
    free(event->numbers.tiers);
    *event = (struct store_event){0};
}

int store_write_tiers(struct db *db, const struct store_event *event)
{
    for (size_t i = 0; i < event->numbers.tier_count; i++) {
        const struct allocate_tier *tier = &event->numbers.tiers[i];
        if (!tier->is_changed)
            continue;
        int result = db_write(db, "UPDATE tiers SET sold = ? WHERE event_id = ? AND code = ?",
                              (struct db_value[]){DB_U(tier->sold), DB_U(event->id), db_text(tier->code)}, 3, NULL);
        if (result)
            return result;
    }
    return 0;
}

// ---------------------------------------------------------------- orders

static void copy_bytes(const struct db_rows *rows, size_t row, size_t column, size_t bytes, void *ret)
{
    size_t there = 0;
    const void *data = db_bytes(rows, row, column, &there);
    if (data && there == bytes)
        memcpy(ret, data, bytes);
}

static int read_order(const struct db_rows *rows, size_t row, struct store_order *ret)
{
    enum order_state order_state, booking_state;
    const char *state = db_string(rows, row, 1), *booked_as = db_string(rows, row, 7);
    if (!state)
        return 0; // no such order
    if (order_state_parse(state, &order_state) ||
        copy_text(db_string(rows, row, 5), sizeof(ret->currency), ret->currency))
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
    copy_bytes(rows, row, 3, sizeof(ret->visitor), ret->visitor);
    copy_bytes(rows, row, 4, sizeof(ret->customer), ret->customer);
    ret->choices = db_bytes(rows, row, 6, &ret->choices_bytes);
    ret->customer_booked = (uint32_t)db_u64(rows, row, 9);
    return 0;
}

// [[place,attempt],…], with the release for those who ask for it.
static void write_keys(struct buffer *text, struct task *const *tasks, size_t count)
{
    buffer_text(text, "[");
    for (size_t i = 0; i < count; i++) {
        buffer_text(text, i ? ",[" : "[");
        buffer_number(text, tasks[i]->place);
        buffer_text(text, ",");
        buffer_number(text, tasks[i]->attempt);
        buffer_text(text, "]");
    }
    buffer_text(text, "]");
}

int store_read_orders(struct db *db, uint64_t event_id, struct task *const *tasks, size_t count,
                      struct store_order *ret, struct db_rows **ret_rows)
{
    struct buffer keys CLEANUP(buffer_done) = BUFFER_INIT;
    write_keys(&keys, tasks, count);
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

int store_give_back(struct db *db, uint64_t event_id, const struct store_booking *orders, size_t count)
{
    struct buffer keys CLEANUP(buffer_done) = BUFFER_INIT;
    if (count == 0)
        return 0;
    buffer_text(&keys, "[");
    for (size_t i = 0; i < count; i++) {
        buffer_text(&keys, i ? ",[" : "[");
        buffer_number(&keys, orders[i].task->place);
        buffer_text(&keys, ",");
        buffer_number(&keys, orders[i].task->attempt);
        buffer_text(&keys, ",");
        buffer_number(&keys, orders[i].task->release);
        buffer_text(&keys, "]");
    }
    buffer_text(&keys, "]");
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

// ---------------------------------------------------------------- bookings and customers

#define BOOKING_VALUES 13

static void booking_values(uint64_t event_id, const struct store_booking *booking, struct db_value *ret)
{
    const struct store_order *order = booking->order;
    const struct choice *choice = &order->choice;
    const struct db_value values[BOOKING_VALUES] = {
        DB_U(event_id),
        DB_U(booking->task->place),
        DB_U(booking->task->attempt),
        db_text(order_state_name(order->verdict.state)),
        db_text(order_reason_name(order->verdict.reason)),
        DB_U((uint64_t)order->revision + 1),
        DB_U(order->verdict.choice),
        db_text(choice->tier[0] ? choice->tier : NULL),
        DB_U(choice->quantity),
        DB_U(choice->amount),
        db_text(order->currency),
        DB_B(order->customer, sizeof(order->customer)),
        db_text(order->reference[0] ? order->reference : NULL),
    };
    memcpy(ret, values, sizeof(values));
}

static int rewrite_booking(struct db *db, uint64_t event_id, const struct store_booking *booking)
{
    const struct store_order *order = booking->order;
    const struct choice *choice = &order->choice;
    return db_write(db,
                    "UPDATE bookings SET state = ?, reason = ?, revision = ?, choice = ?, tier = ?, quantity = ?,"
                    " amount = ?, reference = ?, changed_at = UTC_TIMESTAMP(6)"
                    " WHERE event_id = ? AND place = ? AND attempt = ? AND state = 'released'",
                    (struct db_value[]){
                        db_text(order_state_name(order->verdict.state)),
                        db_text(order_reason_name(order->verdict.reason)),
                        DB_U((uint64_t)order->revision + 1),
                        DB_U(order->verdict.choice),
                        db_text(choice->tier[0] ? choice->tier : NULL),
                        DB_U(choice->quantity),
                        DB_U(choice->amount),
                        db_text(order->reference[0] ? order->reference : NULL),
                        DB_U(event_id),
                        DB_U(booking->task->place),
                        DB_U(booking->task->attempt),
                    },
                    11, NULL);
}

int store_write_bookings(struct db *db, uint64_t event_id, const struct store_booking *bookings, size_t count)
{
    struct db_value *values = calloc(count + 1, BOOKING_VALUES * sizeof(*values));
    size_t fresh = 0;
    int result = values ? 0 : ERROR_MEMORY;
    for (size_t i = 0; i < count && result == 0; i++) {
        if (bookings[i].order->is_retried)
            result = rewrite_booking(db, event_id, &bookings[i]);
        else
            booking_values(event_id, &bookings[i], &values[BOOKING_VALUES * fresh++]);
    }
    if (result == 0)
        result = db_write_many(db,
                               "INSERT INTO bookings (event_id, place, attempt, state, reason, revision, choice, tier,"
                               " quantity, amount, currency, customer, reference, created_at, changed_at) VALUES ",
                               "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))", "",
                               values, BOOKING_VALUES, fresh);
    free(values);
    return result;
}

int store_write_customers(struct db *db, uint64_t event_id, const struct store_customer *customers, size_t count)
{
    struct db_value *values = calloc(count + 1, 3 * sizeof(*values));
    size_t changed = 0;
    if (!values)
        return ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (!customers[i].numbers.is_changed)
            continue;
        struct db_value *row = &values[3 * changed++];
        row[0] = DB_U(event_id);
        row[1] = DB_B(customers[i].hash, sizeof(customers[i].hash));
        row[2] = DB_U(customers[i].numbers.booked);
    }
    int result = db_write_many(db, "INSERT INTO customers (event_id, customer, booked) VALUES ", "(?, ?, ?)",
                               "ON DUPLICATE KEY UPDATE booked = VALUES(booked)", values, 3, changed);
    free(values);
    return result;
}

// ---------------------------------------------------------------- suspects

int store_note_attempt(struct db *db, const char *queue, const uint8_t digest[static DEAD_LETTER_DIGEST_BYTES],
                       uint32_t *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_write(db,
                          "INSERT INTO delivery_attempts (digest, queue, attempts, last_at)"
                          " VALUES (?, ?, 1, UTC_TIMESTAMP(6))"
                          " ON DUPLICATE KEY UPDATE attempts = attempts + 1, last_at = VALUES(last_at)",
                          (struct db_value[]){DB_B(digest, DEAD_LETTER_DIGEST_BYTES), db_text(queue)}, 2, NULL);
    if (result == 0)
        result = db_read(db, "SELECT attempts FROM delivery_attempts WHERE digest = ?",
                         (struct db_value[]){DB_B(digest, DEAD_LETTER_DIGEST_BYTES)}, 1, 1, &rows);
    if (result == 0)
        *ret = db_rows_count(rows) ? (uint32_t)db_u64(rows, 0, 0) : 1;
    return result;
}

int store_forget_attempts(struct db *db, const uint8_t digest[static DEAD_LETTER_DIGEST_BYTES])
{
    return db_write(db, "DELETE FROM delivery_attempts WHERE digest = ?",
                    (struct db_value[]){DB_B(digest, DEAD_LETTER_DIGEST_BYTES)}, 1, NULL);
}
