// SPDX-License-Identifier: Apache-2.0
// Paying: what a visitor pays with, the row of a payment that begins, and what is said to a payment that is no longer wanted. It is written
// with the booking, in the transaction that has its row locked, so that a booking has at most one payment that is open; from there on
// payments are the booking worker's.
#include <stdio.h>
#include <string.h>

#include "common/payment.h"
#include "common/random.h"
#include "waiting-room/store_orders_internal.h"

bool store_takes_cards(const struct line_store *store)
{
    return store->options.config->common.payment_provider == PAYMENT_STRIPE;
}

int store_read_cards(struct line_store *store, uint32_t event_id, const char *numbers, size_t count,
                     struct db_rows **ret)
{
    return db_read(
        store->db,
        "SELECT c.place, c.customer_id, c.payment_method, c.label"
        " FROM JSON_TABLE(?, '$[*]' COLUMNS (number BIGINT UNSIGNED PATH '$')) AS asked"
        " STRAIGHT_JOIN cards c FORCE INDEX (PRIMARY) ON c.event_id = ? AND c.place = asked.number AND c.number ="
        " (SELECT MAX(n.number) FROM cards n FORCE INDEX (PRIMARY)"
        " WHERE n.event_id = c.event_id AND n.place = c.place AND n.state = 'kept')"
        " WHERE c.payment_method IS NOT NULL ORDER BY c.place",
        (struct db_value[]){db_text(numbers), DB_U(event_id)}, 2, count, ret);
}

void store_take_card(struct order_facts *facts, const struct db_rows *cards, size_t row)
{
    const char *label = db_string(cards, row, STORE_CARD_LABEL);
    facts->has_card = true;
    snprintf(facts->card_label, sizeof facts->card_label, "%s", label ? label : "");
}

static int take_payments(struct order_place *place, const struct db_rows *rows, size_t row)
{
    if (db_u64(rows, row, 1) != place->rows.attempt)
        return 0;
    place->rows.payment_count = (uint32_t)db_u64(rows, row, 2);
    place->rows.is_payment_open = db_u64(rows, row, 3) != 0;
    return 0;
}

int store_read_means(struct order_batch *batch, const char *numbers)
{
    if (!store_takes_cards(batch->store))
        return 0;
    int error = store_read_cards(batch->store, batch->event_id, numbers, batch->place_count, &batch->cards);
    for (size_t i = 0; error == 0 && i < db_rows_count(batch->cards); i++) {
        struct order_place *place = store_find_place(batch, db_u64(batch->cards, i, STORE_CARD_PLACE));
        if (!place)
            return ERROR_BUG;
        place->has_card = true;
        place->card_row = i;
        if (place->facts)
            store_take_card(place->facts, batch->cards, i);
    }
    if (error < 0 || !batch->is_paid)
        return error;
    return store_each_place(
        batch,
        "SELECT p.place, p.attempt, SUM(p.payment_method <> ''), MAX(p.open IS NOT NULL)"
        " FROM JSON_TABLE(?, '$[*]' COLUMNS (number BIGINT UNSIGNED PATH '$')) AS asked"
        " STRAIGHT_JOIN payments p FORCE INDEX (PRIMARY) ON p.event_id = ? AND p.place = asked.number"
        " GROUP BY p.place, p.attempt",
        numbers, batch->place_count * ORDER_ATTEMPTS_MAX, take_payments);
}

static int insert_payment(struct order_batch *batch, const struct line_store_request *request,
                          const struct order_place *place)
{
    char key[PAYMENT_KEY_BYTES];
    const struct order_facts *facts = place->facts;
    bool by_card = !request->payment_method;
    random_name(key);
    return db_write(
        batch->store->db,
        "INSERT INTO payments (event_id, place, attempt, number, payment_method, customer_id, amount, currency,"
        " idempotency_key, next_attempt_at, created_at, changed_at)"
        " SELECT ?, ?, ?, COALESCE(MAX(number), 0) + 1, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6),"
        " UTC_TIMESTAMP(6) FROM payments WHERE event_id = ? AND place = ? AND attempt = ?",
        (struct db_value[]){
            DB_U(batch->event_id), DB_U(place->number), DB_U(facts->attempt),
            db_text(by_card ? db_string(batch->cards, place->card_row, STORE_CARD_METHOD) : request->payment_method),
            db_text(by_card ? db_string(batch->cards, place->card_row, STORE_CARD_CUSTOMER) : NULL),
            DB_U(facts->amount), db_text(facts->currency), db_text(key), DB_U(batch->event_id), DB_U(place->number),
            DB_U(facts->attempt)},
        11, NULL);
}

int store_write_payment(struct order_batch *batch, const struct line_store_request *request,
                        const struct order_place *place)
{
    int error = db_write(batch->store->db,
                         "UPDATE bookings SET state = 'paying', reason = NULL, revision = ?,"
                         " changed_at = UTC_TIMESTAMP(6) WHERE event_id = ? AND place = ? AND attempt = ?",
                         (struct db_value[]){DB_U(place->facts->revision), DB_U(batch->event_id), DB_U(place->number),
                                             DB_U(place->facts->attempt)},
                         4, NULL);
    if (error == 0)
        error = insert_payment(batch, request, place);
    // The provider told of money of an earlier payment just now, which opened it again: the next look finds it.
    return error == ERROR_DUPLICATE ? ERROR_TRANSIENT : error;
}

int store_give_payment_back(struct order_batch *batch, uint64_t number, uint32_t attempt, bool *ret_open)
{
    struct db_written written;
    int error = db_write(batch->store->db,
                         "UPDATE payments SET aim = 'give_back', next_attempt_at = UTC_TIMESTAMP(6)"
                         " WHERE event_id = ? AND place = ? AND attempt = ? AND open = 1",
                         (struct db_value[]){DB_U(batch->event_id), DB_U(number), DB_U(attempt)}, 3, &written);
    if (error == 0)
        *ret_open = written.affected > 0;
    return error;
}
