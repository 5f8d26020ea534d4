// SPDX-License-Identifier: Apache-2.0
// What visitors do to bookings: they give back what is held for them, or no longer stand by, they ask for more time, and they pay
// (store_payments.c). Only the booking's
// row is written, and a row that asks a booking worker to free the places: tiers, seats and customers are the workers' alone. The
// row's lock decides between a visitor and whoever else ends or confirms the booking at the same moment.
#include "waiting-room/store_orders_internal.h"

#define BOOKING_COLUMN_STATE 11 // the first of STORE_BOOKING_COLUMNS

static size_t wanted_numbers(const struct order_batch *batch, struct buffer *ret)
{
    size_t count = 0;
    buffer_text(ret, "[");
    for (size_t i = 0; i < batch->place_count; i++) {
        if (!batch->places[i].is_booking_wanted)
            continue;
        buffer_text(ret, count++ ? "," : "");
        buffer_number(ret, batch->places[i].number);
    }
    buffer_text(ret, "]");
    return count;
}

static int take_row(struct order_batch *batch, const struct db_rows *rows, size_t row, int64_t now_us)
{
    struct order_place *place = store_find_place(batch, db_u64(rows, row, 0));
    struct order_facts *facts = NULL;
    if (!place)
        return ERROR_BUG;
    int error = store_order_facts(rows, row, true, &facts);
    if (error < 0)
        return error;
    order_facts_unref(place->facts);
    place->facts = facts;
    place->rows.booked = !db_is_null(rows, row, BOOKING_COLUMN_STATE);
    if (!place->rows.booked)
        return 0;
    place->rows.booking_state = facts->state;
    place->rows.booking_revision = facts->revision;
    place->rows.had_more_time = facts->had_more_time;
    place->rows.is_amount_due = facts->amount > 0;
    place->rows.is_lapsed = facts->pay_until_us != OUTCOME_NO_TIME &&
                            order_facts_pay_until_us(facts, line_stopped_us(&batch->event, now_us)) <= now_us;
    return 0;
}

int store_lock_bookings(struct order_batch *batch)
{
    struct buffer numbers CLEANUP(buffer_done) = BUFFER_INIT;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL, *clock CLEANUP(db_rows_cleanup) = NULL;
    size_t count = wanted_numbers(batch, &numbers);
    if (count == 0 || numbers.failed)
        return count == 0 ? 0 : ERROR_MEMORY;
    int error = db_read(batch->store->db,
                        "SELECT " STORE_ORDER_COLUMNS STORE_BOOKING_COLUMNS STORE_NEWEST_ORDERS STORE_THEIR_BOOKINGS
                        " FOR UPDATE",
                        (struct db_value[]){db_text(numbers.data), DB_U(batch->event_id)}, 2, count, &rows);
    if (error == 0) // with the rows locked: however long that took, the time is judged as it is now
        error = db_read(batch->store->db, "SELECT UTC_TIMESTAMP(6)", NULL, 0, 1, &clock);
    for (size_t i = 0; error == 0 && i < db_rows_count(rows); i++)
        error = take_row(batch, rows, i, db_time_us(clock, 0, 0));
    return error;
}

struct order_facts *store_booking_facts(const struct order_batch *batch, const struct order_place *place,
                                        const struct order_decision *decision)
{
    if (decision->state == ORDER_CANCELLED)
        return order_facts_ended(place->facts, decision->state, decision->revision);
    if (decision->state == ORDER_PAYING)
        return order_facts_paying(place->facts, decision->revision);
    return order_facts_prolonged(place->facts, batch->hold_us, decision->revision);
}

// A payment whose question the bank still asks may come through any moment. Its places are free once the payer has the provider's word that
// nothing is authorised.
static int write_given_back(struct order_batch *batch, const struct order_decision *decision,
                            const struct order_facts *facts, enum order_state before)
{
    bool is_payment_open = false;
    int error = db_write(batch->store->db,
                         "UPDATE bookings SET state = ?, revision = ?, pay_until = NULL, standby_tier = NULL,"
                         " standby_quantity = 0, changed_at = UTC_TIMESTAMP(6)"
                         " WHERE event_id = ? AND place = ? AND attempt = ?",
                         (struct db_value[]){db_text(order_state_name(decision->state)), DB_U(decision->revision),
                                             DB_U(batch->event_id), DB_U(facts->place), DB_U(decision->attempt)},
                         5, NULL);
    if (error == 0 && before == ORDER_ACTION_REQUIRED)
        error = store_give_payment_back(batch, facts->place, decision->attempt, &is_payment_open);
    if (error < 0)
        return error;
    return db_write(batch->store->db,
                    "INSERT INTO freeings (event_id, place, attempt, was, told, ended_at, payment_open)"
                    " VALUES (?, ?, ?, ?, 0, UTC_TIMESTAMP(6), ?)",
                    (struct db_value[]){DB_U(batch->event_id), DB_U(facts->place), DB_U(decision->attempt),
                                        db_text(order_state_name(before)), DB_U(is_payment_open)},
                    5, NULL);
}

int store_write_booking(struct order_batch *batch, const struct order_decision *decision,
                        const struct order_facts *facts, enum order_state before)
{
    if (decision->state == ORDER_CANCELLED)
        return write_given_back(batch, decision, facts, before);
    return db_write(batch->store->db,
                    "UPDATE bookings SET revision = ?, pay_until = ?, more_time = 1, changed_at = UTC_TIMESTAMP(6)"
                    " WHERE event_id = ? AND place = ? AND attempt = ?",
                    (struct db_value[]){DB_U(decision->revision), DB_T(facts->pay_until_us), DB_U(batch->event_id),
                                        DB_U(facts->place), DB_U(decision->attempt)},
                    5, NULL);
}
