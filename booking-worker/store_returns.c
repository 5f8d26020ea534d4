// SPDX-License-Identifier: Apache-2.0
// See store.h: what comes back and who waits for it. Candidates are looked for without locks, then locked by primary key in place order and
// judged again, so that no statement locks rows that are none of its business.
#include <stdlib.h>
#include <string.h>

#include "booking-worker/store_internal.h"

static int take_keys(const struct db_rows *rows, struct store_key **ret, size_t *ret_count)
{
    size_t count = db_rows_count(rows);
    struct store_key *keys = calloc(count + 1, sizeof(*keys));
    if (!keys)
        return ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        keys[i].place = db_u64(rows, i, 0);
        keys[i].attempt = (uint32_t)db_u64(rows, i, 1);
    }
    *ret = keys;
    *ret_count = count;
    return 0;
}

// ---------------------------------------------------------------- freeings

int store_lock_freeings(struct db *db, uint64_t event_id, size_t max, struct store_key **ret, size_t *ret_count)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    struct store_key *keys = NULL;
    size_t count = 0;
    int result = db_read(db,
                         "SELECT place, attempt, was, told FROM freeings WHERE event_id = ? AND payment_open = 0"
                         " ORDER BY place, attempt LIMIT ? FOR UPDATE SKIP LOCKED",
                         (struct db_value[]){DB_U(event_id), DB_U(max)}, 2, max, &rows);
    if (result == 0)
        result = take_keys(rows, &keys, &count);
    for (size_t i = 0; i < count && result == 0; i++) {
        result = order_state_parse(db_string(rows, i, 2), &keys[i].was) ? ERROR_BUG : 0;
        keys[i].is_told = db_u64(rows, i, 3) != 0;
    }
    if (result) {
        free(keys);
        return result;
    }
    *ret = keys;
    *ret_count = count;
    return 0;
}

int store_delete_freeings(struct db *db, uint64_t event_id, const struct store_key *keys, size_t count)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    if (count == 0)
        return 0;
    store_write_keys(&text, keys, count);
    if (text.failed)
        return ERROR_MEMORY;
    return db_write(db,
                    "DELETE f FROM JSON_TABLE(?, '$[*]' COLUMNS (place BIGINT UNSIGNED PATH '$[0]',"
                    " attempt INT UNSIGNED PATH '$[1]')) AS k STRAIGHT_JOIN freeings f FORCE INDEX (PRIMARY)"
                    " ON f.event_id = ? AND f.place = k.place AND f.attempt = k.attempt",
                    (struct db_value[]){db_text(text.data), DB_U(event_id)}, 2, NULL);
}

// ---------------------------------------------------------------- holds that ran out

int store_lock_lapsed(struct db *db, const struct store_event *event, size_t max, struct store_key **ret,
                      size_t *ret_count)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    struct db_rows *found CLEANUP(db_rows_cleanup) = NULL;
    struct db_rows *locked CLEANUP(db_rows_cleanup) = NULL;
    struct store_key *candidates = NULL;
    size_t count = 0;
    int result =
        db_read(db,
                "SELECT b.place, b.attempt FROM bookings b FORCE INDEX (bookings_pay_until) WHERE b.pay_until <= ?"
                " AND b.event_id = ? AND " STORE_MAY_LAPSE " LIMIT ?",
                (struct db_value[]){DB_T(event->now_us), DB_U(event->id), DB_U(max)}, 3, max, &found);
    if (result == 0)
        result = take_keys(found, &candidates, &count);
    if (result)
        return result;
    store_write_keys(&text, candidates, count);
    free(candidates);
    if (text.failed)
        return ERROR_MEMORY;
    // Whoever has a row now is paying, giving back or asking for more time: next time there is an answer to that.
    if (count > 0)
        result =
            db_read(db,
                    "SELECT b.place, b.attempt FROM JSON_TABLE(?, '$[*]' COLUMNS (place BIGINT UNSIGNED"
                    " PATH '$[0]', attempt INT UNSIGNED PATH '$[1]') ) AS k STRAIGHT_JOIN bookings b"
                    " ON b.event_id = ? AND b.place = k.place AND b.attempt = k.attempt"
                    " WHERE b.pay_until <= ? AND " STORE_MAY_LAPSE " FOR UPDATE SKIP LOCKED",
                    (struct db_value[]){db_text(text.data), DB_U(event->id), DB_T(event->now_us)}, 3, count, &locked);
    return result ? result : take_keys(locked, ret, ret_count);
}

// ---------------------------------------------------------------- standby

static int compare_keys(const void *a, const void *b)
{
    const struct store_key *x = a, *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return (x->attempt > y->attempt) - (x->attempt < y->attempt);
}

static int find_standby(struct db *db, const struct store_event *event, const struct allocate_tier *tier,
                        uint64_t after, size_t max, struct db_rows **ret)
{
    uint64_t taken = (uint64_t)tier->held + tier->sold;
    uint64_t left = taken < tier->capacity ? tier->capacity - taken : 0;
    uint64_t hope = tier->capacity > tier->sold ? tier->capacity - tier->sold : 0;
    if (event->numbers.state == LIFECYCLE_CLOSED || tier->held == 0)
        hope = 0; // all of them have to hear something
    return db_read(
        db,
        "SELECT place, attempt FROM bookings FORCE INDEX (bookings_state) WHERE event_id = ?"
        " AND state = 'standby' AND place > ? AND standby_tier = ?"
        " AND (standby_quantity <= ? OR standby_quantity > ?) ORDER BY place LIMIT ?",
        (struct db_value[]){DB_U(event->id), DB_U(after), db_text(tier->code), DB_U(left), DB_U(hope), DB_U(max)}, 6,
        max, ret);
}

// Candidates of all tiers, in place order, at most `max`: what is cut off is behind the last one.
static int find_all_standby(struct db *db, const struct store_event *event, uint64_t after, size_t max,
                            struct store_key **ret, size_t *ret_count)
{
    struct store_key *all = NULL;
    size_t count = 0;
    int result = 0;
    for (size_t i = 0; i < event->numbers.tier_count && result == 0; i++) {
        struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
        if (!allocate_has_standby_work(&event->numbers, &event->numbers.tiers[i]))
            continue;
        result = find_standby(db, event, &event->numbers.tiers[i], after, max, &rows);
        struct store_key *more = result ? NULL : realloc(all, (count + db_rows_count(rows) + 1) * sizeof(*all));
        if (!more)
            result = result ? result : ERROR_MEMORY;
        else
            all = more;
        for (size_t k = 0; k < db_rows_count(rows) && result == 0; k++)
            all[count++] = (struct store_key){.place = db_u64(rows, k, 0), .attempt = (uint32_t)db_u64(rows, k, 1)};
    }
    if (result) {
        free(all);
        return result;
    }
    if (count > 0)
        qsort(all, count, sizeof(*all), compare_keys);
    *ret = all;
    *ret_count = count < max ? count : max;
    return 0;
}

int store_lock_standby(struct db *db, const struct store_event *event, uint64_t after, size_t max,
                       struct store_key **ret, size_t *ret_count, uint64_t *ret_last)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    struct db_rows *locked CLEANUP(db_rows_cleanup) = NULL;
    struct store_key *candidates = NULL;
    size_t count = 0;
    int result = find_all_standby(db, event, after, max, &candidates, &count);
    if (result)
        return result;
    uint64_t last = candidates && count > 0 && count == max ? candidates[count - 1].place : 0;
    store_write_keys(&text, candidates, count);
    free(candidates);
    if (text.failed)
        return ERROR_MEMORY;
    // Waits for a visitor who is just leaving, so that nobody behind is served past one who then stays after all.
    if (count > 0)
        result = db_read(db,
                         "SELECT b.place, b.attempt FROM JSON_TABLE(?, '$[*]' COLUMNS (n FOR ORDINALITY,"
                         " place BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]')) AS k"
                         " STRAIGHT_JOIN bookings b ON b.event_id = ? AND b.place = k.place AND b.attempt = k.attempt"
                         " WHERE b.state = 'standby' ORDER BY k.n FOR UPDATE",
                         (struct db_value[]){db_text(text.data), DB_U(event->id)}, 2, count, &locked);
    if (result == 0)
        result = take_keys(locked, ret, ret_count);
    if (result == 0)
        *ret_last = last;
    return result;
}

// ---------------------------------------------------------------- how they stand

static char *copy_of(const char *text)
{
    return text ? strdup(text) : NULL;
}

static int read_standing(const struct db_rows *rows, size_t row, struct store_standing *ret)
{
    struct store_booking *booking = &ret->booking;
    const char *seats = db_string(rows, row, 12);
    if (db_is_null(rows, row, 3))
        return 0; // there is no such booking
    booking->place = db_u64(rows, row, 1);
    booking->attempt = (uint32_t)db_u64(rows, row, 2);
    if (order_state_parse(db_string(rows, row, 3), &booking->was) ||
        order_reason_parse(db_string(rows, row, 4), &booking->reason) ||
        store_copy_optional(db_string(rows, row, 7), sizeof(booking->tier), booking->tier) ||
        store_copy_text(db_string(rows, row, 10), sizeof(booking->currency), booking->currency) ||
        store_copy_optional(db_string(rows, row, 11), sizeof(booking->reference), booking->reference) ||
        store_copy_optional(db_string(rows, row, 14), sizeof(booking->standby_tier), booking->standby_tier))
        return ERROR_BUG;
    booking->is_there = ret->is_there = true;
    booking->state = booking->was;
    booking->revision = (uint32_t)db_u64(rows, row, 5);
    booking->choice = (uint32_t)db_u64(rows, row, 6);
    booking->quantity = (uint32_t)db_u64(rows, row, 8);
    booking->amount = db_u64(rows, row, 9);
    booking->standby_quantity = (uint32_t)db_u64(rows, row, 15);
    store_copy_bytes(rows, row, 13, sizeof(booking->customer), booking->customer);
    store_copy_bytes(rows, row, 16, sizeof(booking->visitor), booking->visitor);
    ret->choices = db_bytes(rows, row, 17, &ret->choices_bytes);
    ret->customer_booked = (uint32_t)db_u64(rows, row, 18);
    booking->seats = copy_of(seats);
    return seats && !booking->seats ? ERROR_MEMORY : 0;
}

int store_read_bookings(struct db *db, uint64_t event_id, const struct store_key *keys, size_t count,
                        struct store_standing *ret, struct db_rows **ret_rows)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    memset(ret, 0, count * sizeof(*ret));
    store_write_keys(&text, keys, count);
    if (text.failed)
        return ERROR_MEMORY;
    int result = db_read(db,
                         "SELECT k.n, b.place, b.attempt, b.state, b.reason, b.revision, b.choice, b.tier, b.quantity,"
                         " b.amount, b.currency, b.reference, b.seats, b.customer, b.standby_tier, b.standby_quantity,"
                         " o.visitor, o.choices, c.booked FROM JSON_TABLE(?, '$[*]' COLUMNS (n FOR ORDINALITY,"
                         " place BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]')) AS k"
                         " LEFT JOIN bookings b ON b.event_id = ? AND b.place = k.place AND b.attempt = k.attempt"
                         " LEFT JOIN orders o ON o.event_id = ? AND o.place = k.place AND o.attempt = k.attempt"
                         " LEFT JOIN customers c ON c.event_id = ? AND c.customer = b.customer",
                         (struct db_value[]){db_text(text.data), DB_U(event_id), DB_U(event_id), DB_U(event_id)}, 4,
                         count, ret_rows);
    for (size_t i = 0; i < db_rows_count(*ret_rows) && result == 0; i++) {
        uint64_t number = db_u64(*ret_rows, i, 0);
        result = number >= 1 && number <= count ? read_standing(*ret_rows, i, &ret[number - 1]) : ERROR_BUG;
    }
    return result;
}
