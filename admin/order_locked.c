// SPDX-License-Identifier: Apache-2.0
// See order_locked.h.
#include "admin/order_locked.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/tickets.h"
#include "common/lifecycle.h"
#include "common/payment.h"
#include "common/topology.h"

#define ACTOR_BYTES 160
#define TIERS_MAX 1000

void locked_done(struct locked *locked)
{
    free(locked->tickets);
    free(locked->seats);
}

int locked_refuse(struct locked *locked, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(locked->change->why, sizeof(locked->change->why), format, arguments);
    va_end(arguments);
    return ERROR_CONFLICT;
}

static void copy_text(const char *text, char *ret, size_t ret_bytes)
{
    snprintf(ret, ret_bytes, "%s", text ? text : "");
}

static void copy_bytes(const struct db_rows *rows, size_t column, uint8_t *ret, size_t ret_bytes)
{
    size_t bytes;
    const void *data = db_bytes(rows, 0, column, &bytes);
    if (data && bytes == ret_bytes)
        memcpy(ret, data, bytes);
}

// ---------------------------------------------------------------- locking

static int lock_event(struct locked *locked)
{
    struct db_rows *event CLEANUP(db_rows_cleanup) = NULL;
    struct db_rows *tiers CLEANUP(db_rows_cleanup) = NULL;
    const struct db_value id[] = {DB_U(locked->event_id)};
    int r = db_read(locked->db, "SELECT slug, currency, state FROM events WHERE id = ? LOCK IN SHARE MODE", id, 1, 1,
                    &event);
    if (r < 0 || db_rows_count(event) == 0)
        return r < 0 ? r : ERROR_NOT_FOUND;
    copy_text(db_string(event, 0, 0), locked->change->slug, sizeof(locked->change->slug));
    copy_text(db_string(event, 0, 1), locked->change->currency, sizeof(locked->change->currency));
    locked->is_closed = strcmp(db_string(event, 0, 2), lifecycle_state_name(LIFECYCLE_CLOSED)) == 0;
    if (!locked->locks_tiers)
        return 0;
    return db_read(locked->db, "SELECT code FROM tiers WHERE event_id = ? ORDER BY code FOR UPDATE", id, 1, TIERS_MAX,
                   &tiers);
}

// The word itself, which outlives its row.
static const char *refund_word(const char *text)
{
    static const char *const words[] = {"pending", "done", "failed"};
    for (size_t i = 0; text && i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(text, words[i]) == 0)
            return words[i];
    return NULL;
}

static int lock_booking(struct locked *locked, const char *choices)
{
    struct order_change *change = locked->change;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r =
        db_read(locked->db,
                "SELECT state, revision, choice, COALESCE(tier, standby_tier), IF(tier IS NULL, standby_quantity, "
                "quantity), amount, reference, seats, tier IS NOT NULL, refund FROM bookings "
                "WHERE event_id = ? AND place = ? AND attempt = ? FOR UPDATE",
                (struct db_value[]){DB_U(locked->event_id), DB_U(change->place), DB_U(change->attempt)}, 3, 1, &rows);
    if (r < 0 || db_rows_count(rows) == 0)
        return r;
    locked->has_booking = true;
    change->revision = (uint32_t)db_u64(rows, 0, 1);
    locked->choice = (unsigned)db_u64(rows, 0, 2);
    copy_text(db_string(rows, 0, 3), change->tier, sizeof(change->tier));
    change->quantity = (uint32_t)db_u64(rows, 0, 4);
    change->amount = db_u64(rows, 0, 5);
    copy_text(db_string(rows, 0, 6), change->reference, sizeof(change->reference));
    locked->has_given = db_u64(rows, 0, 8) != 0;
    change->refund = refund_word(db_string(rows, 0, 9));
    if (locked->has_given) {
        const char *seats = db_string(rows, 0, 7);
        locked->tickets = tickets_json(choices, locked->choice);
        locked->seats = seats ? strdup(seats) : NULL;
        if (seats && !locked->seats)
            return ERROR_MEMORY;
    }
    return order_state_parse(db_string(rows, 0, 0), &change->before) < 0 ? ERROR_BUG : 0;
}

int locked_take_order(struct locked *locked)
{
    struct order_change *change = locked->change;
    const struct db_value key[] = {DB_U(locked->event_id), DB_U(change->place)};
    struct db_rows *arrival CLEANUP(db_rows_cleanup) = NULL;
    struct db_rows *order CLEANUP(db_rows_cleanup) = NULL;
    struct db_rows *customer CLEANUP(db_rows_cleanup) = NULL;
    int r = lock_event(locked);
    if (r == 0)
        r = db_read(locked->db, "SELECT number FROM arrivals WHERE event_id = ? AND number = ? FOR UPDATE", key, 2, 1,
                    &arrival);
    if (r == 0)
        r = db_read(locked->db,
                    "SELECT attempt, state, revision, visitor, customer, choices FROM orders "
                    "WHERE event_id = ? AND place = ? ORDER BY attempt DESC LIMIT 1 FOR UPDATE",
                    key, 2, 1, &order);
    if (r < 0 || db_rows_count(order) == 0)
        return r < 0 ? r : ERROR_NOT_FOUND;
    change->attempt = (uint32_t)db_u64(order, 0, 0);
    change->revision = (uint32_t)db_u64(order, 0, 2);
    copy_bytes(order, 3, locked->visitor, sizeof(locked->visitor));
    copy_bytes(order, 4, locked->customer, sizeof(locked->customer));
    if (order_state_parse(db_string(order, 0, 1), &locked->order_state) < 0)
        return ERROR_BUG;
    change->before = locked->order_state;
    if (locked->locks_tiers)
        r = db_read(locked->db, "SELECT booked FROM customers WHERE event_id = ? AND customer = ? FOR UPDATE",
                    (struct db_value[]){DB_U(locked->event_id), DB_B(locked->customer, sizeof(locked->customer))}, 2, 1,
                    &customer);
    return r < 0 ? r : lock_booking(locked, db_string(order, 0, 5));
}

int locked_take_attempt(struct locked *locked, uint32_t attempt)
{
    struct db_rows *order CLEANUP(db_rows_cleanup) = NULL;
    locked->change->attempt = attempt;
    int r = lock_event(locked);
    if (r == 0)
        r = db_read(locked->db, "SELECT visitor, choices FROM orders WHERE event_id = ? AND place = ? AND attempt = ?",
                    (struct db_value[]){DB_U(locked->event_id), DB_U(locked->change->place), DB_U(attempt)}, 3, 1,
                    &order);
    if (r < 0)
        return r;
    if (db_rows_count(order) == 0)
        return locked_refuse(locked, "there is no such order of place %" PRIu64, locked->change->place);
    copy_bytes(order, 0, locked->visitor, sizeof(locked->visitor));
    r = lock_booking(locked, db_string(order, 0, 1));
    if (r == 0 && !locked->has_booking)
        r = locked_refuse(locked, "there is no booking of place %" PRIu64, locked->change->place);
    return r;
}

int locked_take_payments(struct locked *locked)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    const struct order_change *change = locked->change;
    int r = db_read(
        locked->db,
        "SELECT state, captured_at FROM payments WHERE event_id = ? AND place = ? AND attempt = ? ORDER BY number FOR "
        "UPDATE",
        (struct db_value[]){DB_U(locked->event_id), DB_U(change->place), DB_U(change->attempt)}, 3, LOCKED_PAYMENTS_MAX,
        &rows);
    for (size_t i = 0; r == 0 && i < db_rows_count(rows); i++) {
        enum payment_state state;
        if (payment_state_parse(db_string(rows, i, 0), &state) < 0)
            return ERROR_BUG;
        locked->has_money = locked->has_money || payment_has_money(state);
        locked->has_open = locked->has_open || payment_is_open(state);
        locked->has_failed = locked->has_failed || (state == PAYMENT_FAILED && db_is_null(rows, i, 1));
    }
    return r;
}

// ---------------------------------------------------------------- writing

int locked_write_one(struct locked *locked, const char *sql, const struct db_value *values, size_t count)
{
    struct db_written written;
    int r = db_write(locked->db, sql, values, count, &written);
    if (r < 0)
        return r;
    return written.affected == 1 ? 0
                                 : locked_refuse(locked, "the counters do not agree with it: see `onsale audit %.64s`",
                                                 locked->change->slug);
}

int locked_write_booking(struct locked *locked, enum order_state state)
{
    struct order_change *change = locked->change;
    change->after = state;
    change->revision++;
    return locked_write_one(
        locked,
        "UPDATE bookings SET state = ?, reason = NULL, revision = ?, pay_until = NULL, standby_tier = NULL, "
        "standby_quantity = 0, gone = NULL, refund = ?, changed_at = UTC_TIMESTAMP(6) "
        "WHERE event_id = ? AND place = ? AND attempt = ?",
        (struct db_value[]){db_text(order_state_name(state)), DB_U(change->revision), db_text(change->refund),
                            DB_U(locked->event_id), DB_U(change->place), DB_U(change->attempt)},
        6);
}

int locked_write_log(struct locked *locked, const char *actor, const char *detail)
{
    const struct order_change *change = locked->change;
    char who[ACTOR_BYTES];
    snprintf(who, sizeof(who), "onsale %.120s", actor);
    return db_write(locked->db,
                    "INSERT INTO order_log (event_id, place, attempt, revision, state, at, actor, detail) "
                    "VALUES (?, ?, ?, ?, ?, UTC_TIMESTAMP(6), ?, ?)",
                    (struct db_value[]){DB_U(locked->event_id), DB_U(change->place), DB_U(change->attempt),
                                        DB_U(change->revision), db_text(order_state_name(change->after)), db_text(who),
                                        db_text(detail)},
                    7, NULL);
}

void locked_add_outcome(const struct locked *locked, struct buffer *text)
{
    const struct order_change *change = locked->change;
    struct outcome outcome = {.place = change->place,
                              .attempt = change->attempt,
                              .revision = change->revision,
                              .state = change->after,
                              .tickets = locked->tickets,
                              .seats = locked->seats,
                              .pay_until_us = OUTCOME_NO_TIME};
    memcpy(outcome.visitor, locked->visitor, sizeof(outcome.visitor));
    memcpy(outcome.reference, change->reference, sizeof(outcome.reference));
    copy_text(change->refund, outcome.refund, sizeof(outcome.refund));
    if (locked->has_given) {
        outcome.quantity = change->quantity;
        outcome.amount = change->amount;
        memcpy(outcome.tier, change->tier, sizeof(outcome.tier));
    }
    outcomes_add(text, &outcome);
}

int locked_write_outcome(struct locked *locked, struct outbox *outbox)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    outcomes_begin(&text, locked->change->slug, locked->change->currency, NULL, 0);
    locked_add_outcome(locked, &text);
    outcomes_end(&text);
    return outbox_write(outbox, locked->db, TOPOLOGY_OUTCOMES, OUTCOMES_TYPE, &text);
}

// ---------------------------------------------------------------- letters

// The payment that a letter is about; NULL: it is about none.
#define NUMBER                                                                                           \
    "CAST(JSON_EXTRACT(IF(JSON_VALID(CONVERT(body USING utf8mb4)), CONVERT(body USING utf8mb4), '{}'), " \
    "'$.payment.number') AS UNSIGNED)"

int locked_mark_retried(struct locked *locked, bool about_payments, const char *actor, uint64_t *ret_count)
{
    struct db_written written;
    int r =
        db_write(locked->db,
                 "UPDATE dead_letters SET state = 'retried', resolved_at = UTC_TIMESTAMP(6), resolved_by = ? "
                 "WHERE event_id = ? AND place = ? AND attempt = ? AND state IN ('open', 'discarded') AND "
                 "(queue = '" TOPOLOGY_PAYMENTS "') = ? AND NOT EXISTS (SELECT * FROM payments p WHERE p.event_id = "
                 "dead_letters.event_id AND p.place = dead_letters.place AND p.attempt = dead_letters.attempt AND "
                 "p.number = " NUMBER " AND p.state = 'failed')",
                 (struct db_value[]){db_text(actor), DB_U(locked->event_id), DB_U(locked->change->place),
                                     DB_U(locked->change->attempt), DB_U(about_payments)},
                 5, &written);
    if (r == 0)
        *ret_count = written.affected;
    return r;
}

int locked_resolve_letters(struct locked *locked, bool about_payments, const char *actor)
{
    uint64_t count = 0;
    int r = locked_mark_retried(locked, about_payments, actor, &count);
    return r == 0 && count == 0 ? locked_refuse(locked, "somebody else has just retried it") : r;
}
