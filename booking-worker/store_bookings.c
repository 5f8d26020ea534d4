// SPDX-License-Identifier: Apache-2.0
// See store.h: bookings and their customers. New rows go in by the hundred; most have neither seats nor a hold, and carry no columns for them.
#include <stdlib.h>
#include <string.h>

#include "booking-worker/store_internal.h"

#define ACTOR "booking-worker"
#define PLAIN_VALUES 13
#define WHOLE_VALUES 18
#define LOG_VALUES 8

// A hold begins with it, whether it is being paid at once or not.
static bool begins_hold(const struct store_booking *booking)
{
    return booking->state == ORDER_HELD || booking->state == ORDER_PAYING;
}

static bool is_plain(const struct store_booking *booking)
{
    return !booking->seats && !booking->gone && !begins_hold(booking) && booking->state != ORDER_STANDBY;
}

static void plain_values(uint64_t event_id, const struct store_booking *booking, struct db_value *ret)
{
    const struct db_value values[PLAIN_VALUES] = {
        DB_U(event_id),
        DB_U(booking->place),
        DB_U(booking->attempt),
        db_text(order_state_name(booking->state)),
        db_text(order_reason_name(booking->reason)),
        DB_U(booking->revision),
        DB_U(booking->choice),
        db_text(booking->tier[0] ? booking->tier : NULL),
        DB_U(booking->quantity),
        DB_U(booking->amount),
        db_text(booking->currency),
        DB_B(booking->customer, sizeof(booking->customer)),
        db_text(booking->reference[0] ? booking->reference : NULL),
    };
    memcpy(ret, values, sizeof(values));
}

static void whole_values(const struct store_event *event, const struct store_booking *booking, struct db_value *ret)
{
    plain_values(event->id, booking, ret);
    ret[PLAIN_VALUES] = db_text(booking->seats);
    ret[PLAIN_VALUES + 1] = db_text(booking->gone);
    ret[PLAIN_VALUES + 2] = begins_hold(booking) ? DB_T(event->hold_until_us) : DB_N;
    ret[PLAIN_VALUES + 3] = db_text(booking->standby_tier[0] ? booking->standby_tier : NULL);
    ret[PLAIN_VALUES + 4] = DB_U(booking->standby_quantity);
}

static int insert_bookings(struct db *db, const struct store_event *event, const struct store_booking *bookings,
                           size_t count)
{
    struct db_value *plain = calloc(count + 1, PLAIN_VALUES * sizeof(*plain));
    struct db_value *whole = calloc(count + 1, WHOLE_VALUES * sizeof(*whole));
    size_t plain_count = 0, whole_count = 0;
    int result = plain && whole ? 0 : ERROR_MEMORY;
    for (size_t i = 0; i < count && result == 0; i++) {
        if (bookings[i].is_there)
            continue;
        if (is_plain(&bookings[i]))
            plain_values(event->id, &bookings[i], &plain[PLAIN_VALUES * plain_count++]);
        else
            whole_values(event, &bookings[i], &whole[WHOLE_VALUES * whole_count++]);
    }
    if (result == 0)
        result = db_write_many(db,
                               "INSERT INTO bookings (event_id, place, attempt, state, reason, revision, choice, tier,"
                               " quantity, amount, currency, customer, reference, created_at, changed_at) VALUES ",
                               "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))", "", plain,
                               PLAIN_VALUES, plain_count);
    if (result == 0)
        result = db_write_many(db,
                               "INSERT INTO bookings (event_id, place, attempt, state, reason, revision, choice, tier,"
                               " quantity, amount, currency, customer, reference, seats, gone, pay_until, standby_tier,"
                               " standby_quantity, created_at, changed_at) VALUES ",
                               "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6),"
                               " UTC_TIMESTAMP(6))",
                               "", whole, WHOLE_VALUES, whole_count);
    free(plain);
    free(whole);
    return result;
}

static void write_member(struct buffer *text, const char *name, const char *value)
{
    if (!value || !value[0])
        return; // which becomes NULL
    buffer_text(text, name);
    buffer_json_string(text, value);
}

static void write_numbers(struct buffer *text, const struct store_booking *booking)
{
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"{\"place\":", booking->place},
        {",\"attempt\":", booking->attempt},
        {",\"revision\":", booking->revision},
        {",\"choice\":", booking->choice},
        {",\"quantity\":", booking->quantity},
        {",\"amount\":", booking->amount},
        {",\"waits\":", booking->standby_quantity},
    };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        buffer_text(text, numbers[i].name);
        buffer_number(text, numbers[i].value);
    }
}

static void write_booking(struct buffer *text, const struct store_booking *booking)
{
    write_numbers(text, booking);
    write_member(text, ",\"was\":", order_state_name(booking->was));
    write_member(text, ",\"state\":", order_state_name(booking->state));
    write_member(text, ",\"reason\":", order_reason_name(booking->reason));
    write_member(text, ",\"tier\":", booking->tier);
    write_member(text, ",\"reference\":", booking->reference);
    write_member(text, ",\"seats\":", booking->seats);
    write_member(text, ",\"gone\":", booking->gone);
    write_member(text, ",\"waits_for\":", booking->standby_tier);
    buffer_text(text, "}");
}

// One statement for all of them. Their rows are locked, or nobody else may change them, so all must be found.
static int update_bookings(struct db *db, const struct store_event *event, const struct store_booking *bookings,
                           size_t count)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    struct db_written written = {0};
    size_t there = 0;
    buffer_text(&text, "[");
    for (size_t i = 0; i < count; i++) {
        if (!bookings[i].is_there)
            continue;
        if (there++)
            buffer_text(&text, ",");
        write_booking(&text, &bookings[i]);
    }
    buffer_text(&text, "]");
    if (there == 0)
        return 0;
    if (text.failed)
        return ERROR_MEMORY;
    int result =
        db_write(db,
                 "UPDATE JSON_TABLE(?, '$[*]' COLUMNS (place BIGINT UNSIGNED PATH '$.place',"
                 " attempt INT UNSIGNED PATH '$.attempt', revision BIGINT UNSIGNED PATH '$.revision',"
                 " choice INT UNSIGNED PATH '$.choice', quantity BIGINT UNSIGNED PATH '$.quantity',"
                 " amount BIGINT UNSIGNED PATH '$.amount', waits BIGINT UNSIGNED PATH '$.waits',"
                 " was VARCHAR(16) CHARACTER SET ascii PATH '$.was',"
                 " state VARCHAR(16) CHARACTER SET ascii PATH '$.state',"
                 " reason VARCHAR(32) CHARACTER SET ascii PATH '$.reason',"
                 " tier VARCHAR(64) CHARACTER SET ascii PATH '$.tier',"
                 " reference VARCHAR(9) CHARACTER SET ascii PATH '$.reference',"
                 " seats VARCHAR(4000) CHARACTER SET ascii PATH '$.seats',"
                 " gone VARCHAR(4000) CHARACTER SET ascii PATH '$.gone',"
                 " waits_for VARCHAR(64) CHARACTER SET ascii PATH '$.waits_for')) AS k"
                 " STRAIGHT_JOIN bookings b ON b.event_id = ? AND b.place = k.place AND b.attempt = k.attempt"
                 " SET b.state = k.state, b.reason = k.reason, b.revision = k.revision, b.choice = k.choice,"
                 " b.tier = k.tier, b.quantity = k.quantity, b.amount = k.amount, b.reference = k.reference,"
                 " b.seats = k.seats, b.gone = k.gone, b.pay_until = IF(k.state IN ('held', 'paying'), ?, NULL),"
                 " b.more_time = IF(k.state IN ('held', 'paying'), 0, b.more_time),"
                 " b.standby_tier = k.waits_for, b.standby_quantity = k.waits, b.changed_at = UTC_TIMESTAMP(6)"
                 " WHERE b.state = k.was",
                 (struct db_value[]){db_text(text.data), DB_U(event->id), DB_T(event->hold_until_us)}, 3, &written);
    return result == 0 && written.affected != there ? ERROR_TRANSIENT : result;
}

int store_write_bookings(struct db *db, const struct store_event *event, const struct store_booking *bookings,
                         size_t count)
{
    int result = update_bookings(db, event, bookings, count);
    return result ? result : insert_bookings(db, event, bookings, count);
}

int store_log_bookings(struct db *db, uint64_t event_id, const struct store_booking *bookings, size_t count)
{
    struct db_value *values = calloc(count + 1, LOG_VALUES * sizeof(*values));
    size_t there = 0;
    if (!values)
        return ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct store_booking *booking = &bookings[i];
        if (!booking->is_there)
            continue;
        struct db_value *row = &values[LOG_VALUES * there++];
        row[0] = DB_U(event_id);
        row[1] = DB_U(booking->place);
        row[2] = DB_U(booking->attempt);
        row[3] = DB_U(booking->revision);
        row[4] = db_text(order_state_name(booking->state));
        row[5] = db_text(ACTOR);
        row[6] = db_text(booking->step);
        row[7] = db_text(order_state_name(booking->was));
    }
    int result = db_write_many(db,
                               "INSERT INTO order_log (event_id, place, attempt, revision, state, at, actor, detail)"
                               " VALUES ",
                               "(?, ?, ?, ?, ?, UTC_TIMESTAMP(6), ?, COALESCE(?, CONCAT('was ', ?)))", "", values,
                               LOG_VALUES, there);
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
