// SPDX-License-Identifier: Apache-2.0
// See store_means.h.
#include "booking-worker/store_means.h"

#include <stdlib.h>
#include <string.h>

#include "booking-worker/store_internal.h"
#include "common/buffer.h"
#include "common/random.h"

int store_read_means(struct db *db, uint64_t event_id, const struct store_key *keys, size_t count,
                     struct store_means *ret)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    memset(ret, 0, count * sizeof(*ret));
    if (count == 0)
        return 0;
    store_write_keys(&text, keys, count);
    if (text.failed)
        return ERROR_MEMORY;
    int result =
        db_read(db,
                "SELECT k.n, o.payment_method, c.payment_method, c.customer_id, (SELECT COALESCE(MAX(p.number), 0)"
                " FROM payments p WHERE p.event_id = ? AND p.place = k.place AND p.attempt = k.attempt),"
                " EXISTS (SELECT 1 FROM payments p WHERE p.event_id = ? AND p.place = k.place AND p.attempt = k.attempt"
                " AND p.open = 1)"
                " FROM JSON_TABLE(?, '$[*]' COLUMNS (n FOR ORDINALITY, place BIGINT UNSIGNED PATH '$[0]',"
                " attempt INT UNSIGNED PATH '$[1]')) AS k"
                " LEFT JOIN orders o ON o.event_id = ? AND o.place = k.place AND o.attempt = k.attempt"
                " LEFT JOIN cards c ON c.event_id = ? AND c.place = k.place AND c.number ="
                " (SELECT MAX(n.number) FROM cards n WHERE n.event_id = ? AND n.place = k.place"
                " AND n.state = 'kept')",
                (struct db_value[]){DB_U(event_id), DB_U(event_id), db_text(text.data), DB_U(event_id), DB_U(event_id),
                                    DB_U(event_id)},
                6, count, &rows);
    for (size_t i = 0; i < db_rows_count(rows) && result == 0; i++) {
        uint64_t n = db_u64(rows, i, 0);
        bool is_card = db_is_null(rows, i, 1);
        if (n < 1 || n > count)
            return ERROR_BUG;
        struct store_means *means = &ret[n - 1];
        means->number = (uint32_t)db_u64(rows, i, 4) + 1;
        if (db_u64(rows, i, 5) != 0)
            continue; // one is open, as never wanted as it may be: the visitor pays once it has come to its end
        if (store_copy_optional(db_string(rows, i, is_card ? 2 : 1), sizeof(means->payment_method),
                                means->payment_method) ||
            store_copy_optional(is_card ? db_string(rows, i, 3) : NULL, sizeof(means->customer_id), means->customer_id))
            return ERROR_BUG;
    }
    return result;
}

#define NEW_VALUES 9

int store_begin_payments(struct db *db, uint64_t event_id, const struct store_new_payment *payments, size_t count)
{
    struct db_value *values = calloc(count + 1, NEW_VALUES * sizeof(*values));
    char(*keys)[PAYMENT_KEY_BYTES] = calloc(count + 1, sizeof(*keys));
    int result = values && keys ? 0 : ERROR_MEMORY;
    for (size_t i = 0; i < count && result == 0; i++) {
        const struct store_new_payment *payment = &payments[i];
        random_name(keys[i]);
        struct db_value *row = &values[NEW_VALUES * i];
        row[0] = DB_U(event_id);
        row[1] = DB_U(payment->place);
        row[2] = DB_U(payment->attempt);
        row[3] = db_text(payment->means->payment_method);
        row[4] = db_text(payment->means->customer_id[0] ? payment->means->customer_id : NULL);
        row[5] = DB_U(payment->amount);
        row[6] = db_text(payment->currency);
        row[7] = db_text(keys[i]);
        row[8] = DB_U(payment->means->number);
    }
    if (result == 0)
        result = db_write_many(db,
                               "INSERT INTO payments (event_id, place, attempt, payment_method, customer_id, amount,"
                               " currency, idempotency_key, number, next_attempt_at, created_at, changed_at) VALUES ",
                               "(?, ?, ?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))", "",
                               values, NEW_VALUES, count);
    free(values);
    free(keys);
    return result;
}
