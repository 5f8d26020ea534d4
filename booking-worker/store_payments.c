// SPDX-License-Identifier: Apache-2.0
// See store_payments.h. What is due is found by the index of next_attempt_at and locked in that order, so that a payer locks nothing but
// what it takes.
#include "booking-worker/store_payments.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "booking-worker/store_internal.h"
#include "common/buffer.h"

#define SECOND_US INT64_C(1000000)
#define FREEING_VALUES 4

#define PAYMENT_COLUMNS                                                                                                \
    "p.event_id, p.place, p.attempt, p.number, p.state, p.aim, p.payment_method, p.customer_id, p.amount, p.currency," \
    " p.idempotency_key, p.key_no, p.intent, p.tries, p.claim, p.is_dead, p.provider_code, p.refund IS NOT NULL,"      \
    " TIMESTAMPDIFF(SECOND, p.changed_at, UTC_TIMESTAMP(6))"
enum {
    P_EVENT,
    P_PLACE,
    P_ATTEMPT,
    P_NUMBER,
    P_STATE,
    P_AIM,
    P_METHOD,
    P_CUSTOMER,
    P_AMOUNT,
    P_CURRENCY,
    P_KEY,
    P_KEY_NO,
    P_INTENT,
    P_TRIES,
    P_CLAIM,
    P_IS_DEAD,
    P_CODE,
    P_HAS_REFUND,
    P_STATE_SECONDS,
    P_COUNT,
};

static int read_payment(const struct db_rows *rows, size_t row, size_t first, struct store_payment *ret)
{
    struct store_payment payment = {
        .is_there = true,
        .event_id = db_u64(rows, row, first + P_EVENT),
        .place = db_u64(rows, row, first + P_PLACE),
        .attempt = (uint32_t)db_u64(rows, row, first + P_ATTEMPT),
        .number = (uint32_t)db_u64(rows, row, first + P_NUMBER),
        .claim = db_u64(rows, row, first + P_CLAIM),
        .key_no = (uint32_t)db_u64(rows, row, first + P_KEY_NO),
        .hold_left_us = STORE_NO_TIME,
        .facts =
            {
                .has_intent = !db_is_null(rows, row, first + P_INTENT),
                .is_dead = db_u64(rows, row, first + P_IS_DEAD) != 0,
                .has_new_key = db_u64(rows, row, first + P_KEY_NO) > 0,
                .has_refund = db_u64(rows, row, first + P_HAS_REFUND) != 0,
                .state_seconds = db_i64(rows, row, first + P_STATE_SECONDS),
                .tries = (uint32_t)db_u64(rows, row, first + P_TRIES),
                .amount = db_u64(rows, row, first + P_AMOUNT),
            },
    };
    if (payment_state_parse(db_string(rows, row, first + P_STATE), &payment.facts.state) ||
        payment_aim_parse(db_string(rows, row, first + P_AIM), &payment.facts.aim) ||
        store_copy_text(db_string(rows, row, first + P_CURRENCY), sizeof(payment.facts.currency),
                        payment.facts.currency) ||
        store_copy_text(db_string(rows, row, first + P_METHOD), sizeof(payment.payment_method),
                        payment.payment_method) ||
        store_copy_text(db_string(rows, row, first + P_KEY), sizeof(payment.idempotency_key),
                        payment.idempotency_key) ||
        store_copy_optional(db_string(rows, row, first + P_CUSTOMER), sizeof(payment.customer_id),
                            payment.customer_id) ||
        store_copy_optional(db_string(rows, row, first + P_INTENT), sizeof(payment.intent), payment.intent) ||
        store_copy_optional(db_string(rows, row, first + P_CODE), sizeof(payment.provider_code), payment.provider_code))
        return ERROR_BUG;
    *ret = payment;
    return 0;
}

// [[n, event, place, attempt, number, claim], …]
static int write_payment_keys(struct buffer *text, const struct store_payment *payments, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buffer_format(text, "%s[%zu,%" PRIu64 ",%" PRIu64 ",%" PRIu32 ",%" PRIu32 ",%" PRIu64 "]", i ? "," : "[", i,
                      payments[i].event_id, payments[i].place, payments[i].attempt, payments[i].number,
                      payments[i].claim);
    buffer_text(text, count ? "]" : "[]");
    return text->failed ? ERROR_MEMORY : 0;
}

#define PAYMENT_KEYS                                                                                         \
    "JSON_TABLE(?, '$[*]' COLUMNS (n INT UNSIGNED PATH '$[0]', event_id INT UNSIGNED PATH '$[1]',"           \
    " place BIGINT UNSIGNED PATH '$[2]', attempt INT UNSIGNED PATH '$[3]', number INT UNSIGNED PATH '$[4]'," \
    " claim BIGINT UNSIGNED PATH '$[5]')) AS k"

// ---------------------------------------------------------------- what is due

static int read_context_row(const struct db_rows *rows, size_t row, struct store_payment *payment)
{
    enum lifecycle_state state;
    if (store_copy_text(db_string(rows, row, 1), sizeof(payment->slug), payment->slug) ||
        lifecycle_state_parse(db_string(rows, row, 2), &state) ||
        store_copy_optional(db_string(rows, row, 4), sizeof(payment->reference), payment->reference))
        return ERROR_BUG;
    payment->facts.is_stopped = state == LIFECYCLE_STOPPED;
    payment->facts.has_booking = !db_is_null(rows, row, 3);
    if (payment->facts.has_booking && order_state_parse(db_string(rows, row, 3), &payment->facts.booking))
        return ERROR_BUG;
    if (!payment->facts.is_stopped && !db_is_null(rows, row, 5))
        payment->hold_left_us = db_i64(rows, row, 5);
    payment->facts.is_newest = payment->payment_method[0] && db_u64(rows, row, 6) == 0;
    return 0;
}

// The event and the booking of each, as they are now. Nothing of it is locked: it only says which call is worth making.
static int read_context(struct db *db, struct store_payment *payments, size_t count)
{
    struct buffer keys CLEANUP(buffer_done) = BUFFER_INIT;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    if (count == 0)
        return 0;
    int result = write_payment_keys(&keys, payments, count);
    if (result == 0)
        result = db_read(
            db,
            "SELECT k.n, e.slug, e.state, b.state, b.reference,"
            " TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6) - INTERVAL e.stopped_us MICROSECOND, b.pay_until),"
            " (SELECT MAX(m.number > k.number AND m.payment_method <> '') FROM payments m WHERE m.event_id = k.event_id"
            " AND m.place = k.place AND m.attempt = k.attempt) FROM " PAYMENT_KEYS
            " STRAIGHT_JOIN events e ON e.id = k.event_id"
            " LEFT JOIN bookings b ON b.event_id = k.event_id AND b.place = k.place AND b.attempt = k.attempt",
            (struct db_value[]){db_text(keys.data)}, 1, count, &rows);
    for (size_t i = 0; i < db_rows_count(rows) && result == 0; i++) {
        uint64_t n = db_u64(rows, i, 0);
        result = n < count ? read_context_row(rows, i, &payments[n]) : ERROR_BUG;
    }
    return result;
}

int store_lock_due_payments(struct db *db, size_t max, struct store_payment **ret, size_t *ret_count)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db,
                         "SELECT " PAYMENT_COLUMNS ", TIMESTAMPDIFF(SECOND, p.next_attempt_at, UTC_TIMESTAMP(6))"
                         " FROM payments p FORCE INDEX (payments_due)"
                         " WHERE p.next_attempt_at <= UTC_TIMESTAMP(6) ORDER BY p.next_attempt_at LIMIT ?"
                         " FOR UPDATE SKIP LOCKED",
                         (struct db_value[]){DB_U(max)}, 1, max, &rows);
    size_t count = db_rows_count(rows);
    struct store_payment *payments = result ? NULL : calloc(count + 1, sizeof(*payments));
    if (!payments)
        return result ? result : ERROR_MEMORY;
    for (size_t i = 0; i < count && result == 0; i++) {
        result = read_payment(rows, i, 0, &payments[i]);
        payments[i].late_seconds = db_i64(rows, i, P_COUNT);
    }
    if (result == 0)
        result = read_context(db, payments, count);
    if (result) {
        free(payments);
        return result;
    }
    *ret = payments;
    *ret_count = count;
    return 0;
}

int store_claim_payments(struct db *db, struct store_payment *payments, const struct payment_step *steps, size_t count,
                         int64_t lease_seconds)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const struct payment_step *step = &steps[i];
        payments[i].claim += step->has_call;
        buffer_format(&text, "%s[%" PRIu64 ",%" PRIu64 ",%" PRIu32 ",%" PRIu32 ",%" PRIu64 ",\"%s\",\"%s\",%" PRIu32,
                      i ? "," : "[", payments[i].event_id, payments[i].place, payments[i].attempt, payments[i].number,
                      payments[i].claim, payment_state_name(step->state), payment_aim_name(step->aim), step->tries);
        if (step->is_end)
            buffer_text(&text, ",null,0]");
        else
            buffer_format(&text, ",%" PRId64 ",%d]", (step->has_call ? lease_seconds : step->wait_seconds) * SECOND_US,
                          step->has_call);
    }
    buffer_text(&text, "]");
    if (text.failed)
        return ERROR_MEMORY;
    return db_write(db,
                    "UPDATE JSON_TABLE(?, '$[*]' COLUMNS (event_id INT UNSIGNED PATH '$[0]',"
                    " place BIGINT UNSIGNED PATH '$[1]', attempt INT UNSIGNED PATH '$[2]', number INT UNSIGNED PATH"
                    " '$[3]', claim BIGINT UNSIGNED PATH '$[4]', state VARCHAR(16) CHARACTER SET ascii PATH '$[5]',"
                    " aim VARCHAR(16) CHARACTER SET ascii PATH '$[6]', tries INT UNSIGNED PATH '$[7]',"
                    " wait_us BIGINT PATH '$[8]', is_claimed INT PATH '$[9]')) AS k"
                    " STRAIGHT_JOIN payments p ON p.event_id = k.event_id AND p.place = k.place"
                    " AND p.attempt = k.attempt AND p.number = k.number"
                    " SET p.changed_at = IF(p.state <> k.state, UTC_TIMESTAMP(6), p.changed_at), p.state = k.state,"
                    " p.aim = k.aim, p.tries = k.tries, p.claim = k.claim, p.is_claimed = k.is_claimed,"
                    " p.next_attempt_at = UTC_TIMESTAMP(6) + INTERVAL k.wait_us MICROSECOND",
                    (struct db_value[]){db_text(text.data)}, 1, NULL);
}

int store_release_payments(struct db *db, const struct store_payment *payments, size_t count)
{
    struct buffer keys CLEANUP(buffer_done) = BUFFER_INIT;
    if (count == 0)
        return 0;
    int result = write_payment_keys(&keys, payments, count);
    return result ? result
                  : db_write(db,
                             "UPDATE " PAYMENT_KEYS " STRAIGHT_JOIN payments p ON p.event_id = k.event_id"
                             " AND p.place = k.place AND p.attempt = k.attempt AND p.number = k.number"
                             " SET p.next_attempt_at = UTC_TIMESTAMP(6), p.is_claimed = 0 WHERE p.claim = k.claim",
                             (struct db_value[]){db_text(keys.data)}, 1, NULL);
}

// Rows that a payer has are its own, and those that somebody is just writing, too; what is due in a moment is left as it is.
static int hasten(struct db *db, size_t max, size_t *ret_count)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    struct buffer keys CLEANUP(buffer_done) = BUFFER_INIT;
    int result =
        db_read(db,
                "SELECT event_id, place, attempt, number FROM payments FORCE INDEX (payments_due)"
                " WHERE next_attempt_at > UTC_TIMESTAMP(6) + INTERVAL 1 SECOND AND tries > 0 AND is_claimed = 0"
                " ORDER BY next_attempt_at LIMIT ? FOR UPDATE SKIP LOCKED",
                (struct db_value[]){DB_U(max)}, 1, max, &rows);
    size_t count = db_rows_count(rows);
    for (size_t i = 0; i < count && result == 0; i++)
        buffer_format(&keys, "%s[%zu,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]", i ? "," : "[", i,
                      db_u64(rows, i, 0), db_u64(rows, i, 1), db_u64(rows, i, 2), db_u64(rows, i, 3));
    buffer_text(&keys, count ? "]" : "[]");
    if (result == 0 && keys.failed)
        result = ERROR_MEMORY;
    if (result == 0 && count > 0)
        result = db_write(db,
                          "UPDATE " PAYMENT_KEYS " STRAIGHT_JOIN payments p ON p.event_id = k.event_id"
                          " AND p.place = k.place AND p.attempt = k.attempt AND p.number = k.number"
                          " SET p.next_attempt_at = UTC_TIMESTAMP(6)",
                          (struct db_value[]){db_text(keys.data)}, 1, NULL);
    *ret_count = count;
    return result;
}

int store_hasten_payments(struct db *db, size_t max, size_t *ret_count)
{
    int result = db_begin(db);
    if (result == 0)
        result = hasten(db, max, ret_count);
    if (result == 0)
        result = db_commit(db);
    if (result)
        db_rollback(db);
    return result;
}

// ---------------------------------------------------------------- what an answer is about

static int lock_bookings(struct db *db, uint64_t event_id, const char *keys, size_t count, struct store_paid *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db,
                         "SELECT k.n, b.pay_until, b.more_time, b.refund FROM " PAYMENT_KEYS
                         " STRAIGHT_JOIN bookings b ON b.event_id = ? AND b.place = k.place AND b.attempt = k.attempt"
                         " ORDER BY k.place, k.attempt FOR UPDATE",
                         (struct db_value[]){db_text(keys), DB_U(event_id)}, 2, count, &rows);
    for (size_t i = 0; i < db_rows_count(rows) && result == 0; i++) {
        uint64_t n = db_u64(rows, i, 0);
        const char *refund = db_string(rows, i, 3);
        if (n >= count)
            return ERROR_BUG;
        ret[n].pay_until_us = db_is_null(rows, i, 1) ? STORE_NO_TIME : db_time_us(rows, i, 1);
        ret[n].had_more_time = db_u64(rows, i, 2) != 0;
        ret[n].is_refund_pending = refund && strcmp(refund, "pending") == 0;
        ret[n].is_refund_done = refund && strcmp(refund, "done") == 0;
    }
    return result;
}

static int read_bookings(struct db *db, uint64_t event_id, const struct store_payment *payments, size_t count,
                         struct store_paid *ret, struct db_rows **ret_rows)
{
    struct store_key *keys = calloc(count + 1, sizeof(*keys));
    struct store_standing *standings = calloc(count + 1, sizeof(*standings));
    int result = keys && standings ? 0 : ERROR_MEMORY;
    for (size_t i = 0; i < count && result == 0; i++)
        keys[i] = (struct store_key){.place = payments[i].place, .attempt = payments[i].attempt};
    if (result == 0)
        result = store_read_bookings(db, event_id, keys, count, standings, ret_rows);
    for (size_t i = 0; standings && i < count; i++) // what was read before a failure is the caller's to free, too
        ret[i].standing = standings[i];
    free(keys);
    free(standings);
    return result;
}

static int lock_payments(struct db *db, const struct store_event *event, const char *keys, size_t count,
                         struct store_payment *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db,
                         "SELECT k.n, " PAYMENT_COLUMNS " FROM " PAYMENT_KEYS
                         " STRAIGHT_JOIN payments p ON p.event_id = ? AND p.place = k.place AND p.attempt = k.attempt"
                         " AND p.number = k.number ORDER BY k.place, k.attempt, k.number FOR UPDATE",
                         (struct db_value[]){db_text(keys), DB_U(event->id)}, 2, count, &rows);
    for (size_t i = 0; i < db_rows_count(rows) && result == 0; i++) {
        uint64_t n = db_u64(rows, i, 0);
        result = n < count ? read_payment(rows, i, 1, &ret[n]) : ERROR_BUG;
    }
    return result;
}

// What is on its way: open, or captured and going back. The provider has some of the latter already: of those no ticket can come any more. A row that was made for money of nobody (provider_news.h) has no payment method: no
// booking waits for it, and it makes no other payment an old one.
static int look_at_others(struct db *db, const struct store_event *event, const char *keys, size_t count,
                          struct store_paid *ret_paid, struct store_payment *payments)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result =
        db_read(db,
                "SELECT k.n, MAX(p.number > k.number AND p.payment_method <> ''),"
                " MAX(p.number <> k.number AND p.open IS NOT NULL), MAX(p.number <> k.number AND (p.open IS NOT NULL"
                " OR p.state = 'refunding' OR (p.state = 'captured' AND p.aim = 'give_back'))),"
                " MAX(p.number <> k.number AND (p.open IS NOT NULL OR (p.state = 'refunding' AND p.refund IS NULL)"
                " OR (p.state = 'captured' AND p.aim = 'give_back')))"
                " FROM " PAYMENT_KEYS " STRAIGHT_JOIN payments p ON p.event_id = ?"
                " AND p.place = k.place AND p.attempt = k.attempt GROUP BY k.n",
                (struct db_value[]){db_text(keys), DB_U(event->id)}, 2, count, &rows);
    for (size_t i = 0; i < db_rows_count(rows) && result == 0; i++) {
        uint64_t n = db_u64(rows, i, 0);
        if (n >= count)
            return ERROR_BUG;
        payments[n].facts.is_newest = payments[n].payment_method[0] && db_u64(rows, i, 1) == 0;
        payments[n].facts.has_other_open = db_u64(rows, i, 2) != 0;
        ret_paid[n].has_other_under_way = db_u64(rows, i, 3) != 0;
        ret_paid[n].has_other_to_return = db_u64(rows, i, 4) != 0;
    }
    return result;
}

int store_lock_paid(struct db *db, const struct store_event *event, const struct store_payment *keys, size_t count,
                    struct store_paid *ret_paid, struct store_payment *ret_payments, struct db_rows **ret_rows)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    memset(ret_paid, 0, count * sizeof(*ret_paid));
    memset(ret_payments, 0, count * sizeof(*ret_payments));
    int result = write_payment_keys(&text, keys, count);
    if (result == 0)
        result = lock_bookings(db, event->id, text.data, count, ret_paid);
    if (result == 0)
        result = read_bookings(db, event->id, keys, count, ret_paid, ret_rows);
    if (result == 0)
        result = lock_payments(db, event, text.data, count, ret_payments);
    if (result == 0)
        result = look_at_others(db, event, text.data, count, ret_paid, ret_payments);
    for (size_t i = 0; i < count && result == 0; i++) {
        const struct store_paid *paid = &ret_paid[i];
        struct payment_facts *facts = &ret_payments[i].facts;
        facts->has_booking = paid->standing.is_there;
        facts->booking = paid->standing.booking.was;
        facts->is_stopped = event->numbers.state == LIFECYCLE_STOPPED;
        if (paid->standing.is_there && paid->pay_until_us != STORE_NO_TIME && !facts->is_stopped)
            ret_payments[i].hold_left_us = paid->pay_until_us - event->now_us;
    }
    return result;
}

static void write_optional(struct buffer *text, const char *value)
{
    buffer_text(text, ",");
    if (value && value[0])
        buffer_json_string(text, value);
    else
        buffer_text(text, "null");
}

static void write_payment(struct buffer *text, const struct store_payment_change *change)
{
    buffer_format(text,
                  "[%" PRIu64 ",%" PRIu32 ",%" PRIu32 ",%" PRIu64 ",\"%s\",\"%s\",%" PRIu32 ",%" PRIu32 ",%d,%d,%d,%d",
                  change->place, change->attempt, change->number, change->claim, payment_state_name(change->state),
                  payment_aim_name(change->aim), change->tries, change->key_no, change->is_dead, change->is_authorised,
                  change->is_captured, change->is_returned);
    if (change->wait_seconds < 0)
        buffer_text(text, ",null");
    else
        buffer_format(text, ",%" PRId64, change->wait_seconds * SECOND_US);
    write_optional(text, order_reason_name(change->reason));
    write_optional(text, change->intent);
    write_optional(text, change->refund);
    write_optional(text, change->provider_code);
    buffer_format(text, ",%d,%d]", change->forgets_intent, change->is_claimed);
}

int store_write_payments(struct db *db, uint64_t event_id, const struct store_payment_change *changes, size_t count)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    struct db_written written = {0};
    if (count == 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        buffer_text(&text, i ? "," : "[");
        write_payment(&text, &changes[i]);
    }
    buffer_text(&text, "]");
    if (text.failed)
        return ERROR_MEMORY;
    int result = db_write(
        db,
        "UPDATE JSON_TABLE(?, '$[*]' COLUMNS (place BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]',"
        " number INT UNSIGNED PATH '$[2]', claim BIGINT UNSIGNED PATH '$[3]',"
        " state VARCHAR(16) CHARACTER SET ascii PATH '$[4]', aim VARCHAR(16) CHARACTER SET ascii PATH '$[5]',"
        " tries INT UNSIGNED PATH '$[6]', key_no INT UNSIGNED PATH '$[7]', is_dead INT PATH '$[8]',"
        " authorised INT PATH '$[9]', captured INT PATH '$[10]', returned INT PATH '$[11]',"
        " wait_us BIGINT PATH '$[12]', reason VARCHAR(32) CHARACTER SET ascii PATH '$[13]',"
        " intent VARCHAR(255) CHARACTER SET ascii PATH '$[14]', refund VARCHAR(255) CHARACTER SET ascii PATH '$[15]',"
        " code VARCHAR(64) CHARACTER SET ascii PATH '$[16]', forgets INT PATH '$[17]',"
        " is_claimed INT PATH '$[18]')) AS k"
        " STRAIGHT_JOIN payments p ON p.event_id = ? AND p.place = k.place AND p.attempt = k.attempt"
        " AND p.number = k.number"
        " SET p.changed_at = IF(p.state <> k.state, UTC_TIMESTAMP(6), p.changed_at), p.state = k.state, p.aim = k.aim,"
        " p.tries = k.tries, p.key_no = k.key_no, p.is_dead = k.is_dead,"
        " p.authorised_at = IF(k.authorised, COALESCE(p.authorised_at, UTC_TIMESTAMP(6)), p.authorised_at),"
        " p.captured_at = IF(k.captured, COALESCE(p.captured_at, UTC_TIMESTAMP(6)), p.captured_at),"
        " p.returned_at = IF(k.returned, COALESCE(p.returned_at, UTC_TIMESTAMP(6)),"
        " IF(k.state = 'failed', NULL, p.returned_at)),"
        " p.next_attempt_at = UTC_TIMESTAMP(6) + INTERVAL k.wait_us MICROSECOND, p.is_claimed = k.is_claimed,"
        " p.claim = k.claim + 1, p.reason = k.reason,"
        " p.intent = IF(k.forgets, NULL, COALESCE(k.intent, p.intent)), p.refund = COALESCE(k.refund, p.refund),"
        " p.provider_code = COALESCE(k.code, p.provider_code) WHERE p.claim = k.claim",
        (struct db_value[]){db_text(text.data), DB_U(event_id)}, 2, &written);
    return result == 0 && written.affected != count ? ERROR_BUG : result; // they are locked
}

// ---------------------------------------------------------------- bookings

static int write_bookings(struct db *db, uint64_t event_id, const struct store_paid_change *changes, size_t count)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    struct db_written written = {0};
    for (size_t i = 0; i < count; i++) {
        const struct store_booking *booking = changes[i].booking;
        buffer_format(&text, "%s[%" PRIu64 ",%" PRIu32 ",%" PRIu32 ",\"%s\",\"%s\"", i ? "," : "[", booking->place,
                      booking->attempt, booking->revision, order_state_name(booking->was),
                      order_state_name(booking->state));
        write_optional(&text, order_reason_name(booking->reason));
        write_optional(&text, changes[i].action_url);
        write_optional(&text, changes[i].refund);
        buffer_text(&text, "]");
    }
    buffer_text(&text, "]");
    if (text.failed)
        return ERROR_MEMORY;
    int result = db_write(
        db,
        "UPDATE JSON_TABLE(?, '$[*]' COLUMNS (place BIGINT UNSIGNED PATH '$[0]', attempt INT UNSIGNED PATH '$[1]',"
        " revision INT UNSIGNED PATH '$[2]', was VARCHAR(16) CHARACTER SET ascii PATH '$[3]',"
        " state VARCHAR(16) CHARACTER SET ascii PATH '$[4]', reason VARCHAR(32) CHARACTER SET ascii PATH '$[5]',"
        " url VARCHAR(2000) CHARACTER SET ascii PATH '$[6]', refund VARCHAR(8) CHARACTER SET ascii PATH '$[7]')) AS k"
        " STRAIGHT_JOIN bookings b ON b.event_id = ? AND b.place = k.place AND b.attempt = k.attempt"
        " SET b.pay_until = IF(k.state IN ('paying', 'action_required', 'declined'), b.pay_until, NULL),"
        " b.state = k.state, b.reason = k.reason, b.revision = k.revision, b.action_url = k.url,"
        " b.refund = COALESCE(k.refund, b.refund), b.changed_at = UTC_TIMESTAMP(6) WHERE b.state = k.was",
        (struct db_value[]){db_text(text.data), DB_U(event_id)}, 2, &written);
    return result == 0 && written.affected != count ? ERROR_BUG : result; // they are locked
}

static int write_freeings(struct db *db, uint64_t event_id, const struct store_paid_change *changes, size_t count)
{
    struct db_value *values = calloc(count + 1, FREEING_VALUES * sizeof(*values));
    size_t freed = 0;
    if (!values)
        return ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        if (!changes[i].is_freed)
            continue;
        struct db_value *row = &values[FREEING_VALUES * freed++];
        row[0] = DB_U(event_id);
        row[1] = DB_U(changes[i].booking->place);
        row[2] = DB_U(changes[i].booking->attempt);
        row[3] = db_text(order_state_name(changes[i].booking->was));
    }
    int result =
        db_write_many(db, "INSERT INTO freeings (event_id, place, attempt, was, told, ended_at, payment_open) VALUES ",
                      "(?, ?, ?, ?, 1, UTC_TIMESTAMP(6), 0)", "", values, FREEING_VALUES, freed);
    free(values);
    return result;
}

int store_write_paid(struct db *db, const struct store_event *event, const struct store_paid_change *changes,
                     size_t count)
{
    if (count == 0)
        return 0;
    int result = write_bookings(db, event->id, changes, count);
    if (result == 0)
        result = store_write_tiers(db, event);
    return result ? result : write_freeings(db, event->id, changes, count);
}

int store_open_freeing(struct db *db, uint64_t event_id, uint64_t place, uint32_t attempt)
{
    return db_write(db,
                    "UPDATE freeings SET payment_open = 0 WHERE event_id = ? AND place = ? AND attempt = ?"
                    " AND payment_open = 1",
                    (struct db_value[]){DB_U(event_id), DB_U(place), DB_U(attempt)}, 3, NULL);
}
