// SPDX-License-Identifier: Apache-2.0
#include "admin/order_change.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/tickets.h"
#include "common/lifecycle.h"
#include "common/payment.h"
#include "common/topology.h"

#define TRIES_MAX 5 // of a batch that met another in a deadlock
#define ACTOR_BYTES 160
#define DETAIL_BYTES 64 // of the log
#define TIERS_MAX 1000
#define PAYMENTS_MAX 256 // of one booking: the number is a byte

// The rows, all locked.
struct locked {
    struct db *db;
    uint64_t event_id;
    bool is_closed; // the event
    bool locks_tiers; // and the customer: by what takes or moves places
    uint8_t visitor[OUTCOME_VISITOR_BYTES];
    uint8_t customer[16];
    enum order_state order_state;
    bool has_booking;
    unsigned choice;
    char *tickets; // of the choice that was served; NULL: none
    char *seats; // JSON, as in the booking; NULL: none
    bool has_given; // the booking has, or had, a tier of its own: standby has not
    bool has_money; // a payment of the booking is authorised or captured
    bool has_open; // a payment of the booking may come to be authorised
    bool has_failed; // a payment of the booking could not be captured, and may still be authorised
    struct order_change *change;
};

static int refuse(struct locked *locked, const char *format, ...) PRINTF_LIKE(2, 3);

static int refuse(struct locked *locked, const char *format, ...)
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

// The newest attempt of the place, its customer and its booking, after the event and its tiers. What only ends a booking leaves
// the tiers and the customer alone.
static int lock_order(struct locked *locked)
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

// After the booking, as everywhere.
static int lock_payments(struct locked *locked)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    const struct order_change *change = locked->change;
    int r = db_read(
        locked->db,
        "SELECT state, captured_at FROM payments WHERE event_id = ? AND place = ? AND attempt = ? ORDER BY number FOR "
        "UPDATE",
        (struct db_value[]){DB_U(locked->event_id), DB_U(change->place), DB_U(change->attempt)}, 3, PAYMENTS_MAX,
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

// A row that must be there and have enough; counters that do not agree are for the audit.
static int write_one(struct locked *locked, const char *sql, const struct db_value *values, size_t count)
{
    struct db_written written;
    int r = db_write(locked->db, sql, values, count, &written);
    if (r < 0)
        return r;
    return written.affected == 1
               ? 0
               : refuse(locked, "the counters do not agree with it: see `onsale audit %.64s`", locked->change->slug);
}

// The places stay counted until a booking worker frees them and serves who stands by, in one transaction.
static int leave_to_be_freed(struct locked *locked)
{
    const struct order_change *change = locked->change;
    // What was sold goes back at once, whatever becomes of its money; what a bank may still authorise does not.
    const bool waits = locked->has_open && change->before != ORDER_CONFIRMED;
    return db_write(locked->db,
                    "INSERT INTO freeings (event_id, place, attempt, was, told, ended_at, payment_open) VALUES "
                    "(?, ?, ?, ?, 1, UTC_TIMESTAMP(6), ?)",
                    (struct db_value[]){DB_U(locked->event_id), DB_U(change->place), DB_U(change->attempt),
                                        db_text(order_state_name(change->before)), DB_U(waits)},
                    5, NULL);
}

// Letters of the order, about its booking or about its payments: a redelivered message may have left more than one.
static int mark_retried(struct locked *locked, bool about_payments, const char *actor, uint64_t *ret_count)
{
    struct db_written written;
    int r = db_write(locked->db,
                     "UPDATE dead_letters SET state = 'retried', resolved_at = UTC_TIMESTAMP(6), resolved_by = ? "
                     "WHERE event_id = ? AND place = ? AND attempt = ? AND state IN ('open', 'discarded') AND "
                     "(queue = '" TOPOLOGY_PAYMENTS "') = ?",
                     (struct db_value[]){db_text(actor), DB_U(locked->event_id), DB_U(locked->change->place),
                                         DB_U(locked->change->attempt), DB_U(about_payments)},
                     5, &written);
    if (r == 0)
        *ret_count = written.affected;
    return r;
}

// A capture that failed kept the ticket. Now that it is taken back, what may still be reserved is let go.
static int let_go(struct locked *locked, const char *actor)
{
    const struct order_change *change = locked->change;
    uint64_t letters;
    int r =
        db_write(locked->db,
                 "UPDATE payments SET state = 'voiding', aim = 'give_back', tries = 0, is_dead = 0, claim = claim + "
                 "1, next_attempt_at = UTC_TIMESTAMP(6), changed_at = UTC_TIMESTAMP(6) WHERE event_id = ? AND place "
                 "= ? AND attempt = ? AND state = 'failed' AND captured_at IS NULL",
                 (struct db_value[]){DB_U(locked->event_id), DB_U(change->place), DB_U(change->attempt)}, 3, NULL);
    return r < 0 ? r : mark_retried(locked, true, actor, &letters);
}

// Whatever was taken goes back, whatever state its payment is in: the payer sees to it (docs/payments.md).
static int ask_back(struct locked *locked, const char *actor)
{
    struct order_change *change = locked->change;
    const bool was_sold = change->before == ORDER_CONFIRMED, lets_go = was_sold && locked->has_failed;
    if (!locked->has_money && !locked->has_open && !lets_go)
        return 0;
    if (was_sold && (locked->has_money || lets_go))
        change->refund = "pending";
    change->asks_payer = true;
    int r = db_write(locked->db,
                     "UPDATE payments SET aim = 'give_back', next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = ? AND "
                     "place = ? AND attempt = ? AND state IN ('created', 'confirming', 'challenged', 'authorised', "
                     "'capturing', 'captured')",
                     (struct db_value[]){DB_U(locked->event_id), DB_U(change->place), DB_U(change->attempt)}, 3, NULL);
    return r < 0 || !lets_go ? r : let_go(locked, actor);
}

static int write_booking(struct locked *locked, enum order_state state)
{
    struct order_change *change = locked->change;
    change->after = state;
    change->revision++;
    return write_one(
        locked,
        "UPDATE bookings SET state = ?, reason = NULL, revision = ?, pay_until = NULL, standby_tier = NULL, "
        "standby_quantity = 0, gone = NULL, refund = ?, changed_at = UTC_TIMESTAMP(6) "
        "WHERE event_id = ? AND place = ? AND attempt = ?",
        (struct db_value[]){db_text(order_state_name(state)), DB_U(change->revision), db_text(change->refund),
                            DB_U(locked->event_id), DB_U(change->place), DB_U(change->attempt)},
        6);
}

static int write_log(struct locked *locked, const char *actor, const char *detail)
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

static void add_outcome(const struct locked *locked, struct buffer *text)
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

static int write_outcome(struct locked *locked, struct outbox *outbox)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    outcomes_begin(&text, locked->change->slug, locked->change->currency, NULL, 0);
    add_outcome(locked, &text);
    outcomes_end(&text);
    return outbox_write(outbox, locked->db, TOPOLOGY_OUTCOMES, OUTCOMES_TYPE, &text);
}

// ---------------------------------------------------------------- the transactions

// What one of them does between BEGIN and COMMIT. `subject` is the place or the letter.
typedef int change_function(struct locked *locked, struct outbox *outbox, const char *slug, uint64_t subject,
                            const char *actor);

// All of a cancellation but its outcome.
static int cancel_locked(struct locked *locked, const char *actor)
{
    const enum order_state before = locked->change->before;
    char detail[DETAIL_BYTES];
    int r = lock_payments(locked);
    if (r == 0)
        r = ask_back(locked, actor);
    if (r == 0)
        r = write_booking(locked, ORDER_CANCELLED);
    if (r == 0)
        r = leave_to_be_freed(locked);
    snprintf(detail, sizeof(detail), "was %s", order_state_name(before));
    return r < 0 ? r : write_log(locked, actor, detail);
}

static int find_event(struct db *db, const char *slug, uint64_t *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(db, "SELECT id FROM events WHERE slug = ?", (struct db_value[]){db_text(slug)}, 1, 1, &rows);
    if (r == 0 && db_rows_count(rows) == 0)
        r = ERROR_NOT_FOUND;
    if (r == 0)
        *ret = db_u64(rows, 0, 0);
    return r;
}

static int cancel(struct locked *locked, struct outbox *outbox, const char *slug, uint64_t place, const char *actor)
{
    int r = find_event(locked->db, slug, &locked->event_id);
    if (r < 0)
        return r;
    locked->change->place = place;
    r = lock_order(locked);
    if (r < 0)
        return r;
    const enum order_state before = locked->change->before;
    locked->change->after = before;
    if (before == ORDER_CANCELLED)
        return 0;
    if (!locked->has_booking)
        return refuse(locked, "there is no booking yet, the order is %s", order_state_name(before));
    if (before == ORDER_PAYING)
        return refuse(locked, "it is being paid");
    if (!order_may_become(before, ORDER_CANCELLED, ORDER_BY_OPERATOR))
        return refuse(locked, "the booking is %s", order_state_name(before));
    r = cancel_locked(locked, actor);
    return r < 0 ? r : write_outcome(locked, outbox);
}

static int publish_again(struct locked *locked)
{
    return write_one(
        locked,
        "UPDATE orders SET published = 0, release_no = release_no + 1 "
        "WHERE event_id = ? AND place = ? AND attempt = ? AND state = 'released'",
        (struct db_value[]){DB_U(locked->event_id), DB_U(locked->change->place), DB_U(locked->change->attempt)}, 3);
}

static int resolve_letters(struct locked *locked, bool about_payments, const char *actor)
{
    uint64_t count = 0;
    int r = mark_retried(locked, about_payments, actor, &count);
    return r == 0 && count == 0 ? refuse(locked, "somebody else has just retried it") : r;
}

struct letter {
    uint64_t id;
    uint32_t attempt;
    bool is_done; // there is nothing to do any more
    bool is_about_payment;
};

// Finds the letter's order.
static int find_letter(struct locked *locked, uint64_t letter, struct letter *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(locked->db,
                    "SELECT d.event_id, d.place, d.attempt, d.state, e.slug, d.queue FROM dead_letters d "
                    "LEFT JOIN events e ON e.id = d.event_id WHERE d.id = ?",
                    (struct db_value[]){DB_U(letter)}, 1, 1, &rows);
    if (r < 0 || db_rows_count(rows) == 0)
        return r < 0 ? r : ERROR_NOT_FOUND;
    locked->event_id = db_u64(rows, 0, 0);
    locked->change->place = db_u64(rows, 0, 1);
    copy_text(db_string(rows, 0, 4), locked->change->slug, sizeof(locked->change->slug));
    *ret = (struct letter){.id = letter,
                           .attempt = (uint32_t)db_u64(rows, 0, 2),
                           .is_done = strcmp(db_string(rows, 0, 3), "retried") == 0,
                           .is_about_payment = strcmp(db_string(rows, 0, 5), TOPOLOGY_PAYMENTS) == 0};
    if (!locked->event_id || !locked->change->place || !ret->attempt || !*locked->change->slug)
        return refuse(locked, "it belongs to no order, so there is nothing to book");
    return 0;
}

static int retry_order(struct locked *locked, struct outbox *outbox, const struct letter *letter, const char *actor)
{
    struct order_change *change = locked->change;
    char detail[DETAIL_BYTES];
    locked->locks_tiers = true;
    int r = lock_order(locked);
    if (r == ERROR_NOT_FOUND)
        return refuse(locked, "there is no order of place %" PRIu64, change->place);
    if (r < 0)
        return r;
    change->after = change->before;
    if (letter->is_done)
        return 0;
    if (change->attempt < letter->attempt)
        return refuse(locked, "there is no such attempt; the visitor's newest is %" PRIu32, change->attempt);
    if (change->attempt != letter->attempt)
        return refuse(locked, "the visitor has ordered again since (attempt %" PRIu32 ")", change->attempt);
    if (!locked->has_booking)
        return refuse(locked, "the order has not failed, it is %s", order_state_name(change->before));
    if (change->before != ORDER_FAILED || !order_may_become(change->before, ORDER_RELEASED, ORDER_BY_OPERATOR))
        return refuse(locked, "the booking has not failed, it is %s", order_state_name(change->before));
    snprintf(detail, sizeof(detail), "dead letter %" PRIu64 " retried", letter->id);
    r = write_booking(locked, ORDER_RELEASED);
    if (r == 0)
        r = publish_again(locked);
    if (r == 0)
        r = write_log(locked, actor, detail);
    if (r == 0)
        r = resolve_letters(locked, false, actor);
    return r < 0 ? r : write_outcome(locked, outbox);
}

// ---------------------------------------------------------------- a payment, once more

// The booking of a certain attempt, which need not be the newest.
static int lock_attempt(struct locked *locked, uint32_t attempt)
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
        return refuse(locked, "there is no such order of place %" PRIu64, locked->change->place);
    copy_bytes(order, 0, locked->visitor, sizeof(locked->visitor));
    r = lock_booking(locked, db_string(order, 0, 1));
    if (r == 0 && !locked->has_booking)
        r = refuse(locked, "there is no booking of place %" PRIu64, locked->change->place);
    return r;
}

// Unwanted by a ticket: what was found at the provider and belongs to nobody, and what another payment paid for.
#define TAKEN_UP                                                                                                  \
    "SELECT p.number, p.state, p.aim, p.captured_at, p.payment_method = '' OR EXISTS (SELECT * FROM payments o "  \
    "WHERE o.event_id = p.event_id AND o.place = p.place AND o.attempt = p.attempt AND o.number <> p.number AND " \
    "o.state IN ('authorised', 'capturing', 'captured') AND o.aim <> 'give_back') FROM payments p WHERE "         \
    "p.event_id = ? AND p.place = ? AND p.attempt = ? AND (p.is_dead = 1 OR p.state = 'failed') ORDER BY "        \
    "p.number FOR UPDATE"
enum { T_NUMBER, T_STATE, T_AIM, T_CAPTURED_AT, T_IS_UNWANTED };

// What could not be captured of a ticket that is kept is captured after all; any other money goes back, as it was taken or before it is.
// *ret: as what the payment goes on.
static int choose_state(struct locked *locked, const struct db_rows *rows, size_t row, enum payment_state *ret)
{
    enum payment_aim aim;
    if (payment_state_parse(db_string(rows, row, T_STATE), ret) < 0 ||
        payment_aim_parse(db_string(rows, row, T_AIM), &aim) < 0)
        return ERROR_BUG;
    if (*ret != PAYMENT_FAILED)
        return 0;
    const bool is_kept = locked->change->before == ORDER_CONFIRMED && !db_u64(rows, row, T_IS_UNWANTED);
    if (is_kept && aim == PAYMENT_GIVE_BACK)
        return refuse(locked, "the provider has something else for this payment than we asked for: put it right there, "
                              "then discard the letter, or cancel the booking first");
    *ret = is_kept ? PAYMENT_CAPTURING : db_is_null(rows, row, T_CAPTURED_AT) ? PAYMENT_VOIDING : PAYMENT_REFUNDING;
    return 0;
}

static int take_up(struct locked *locked)
{
    struct order_change *change = locked->change;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    const struct db_value event = DB_U(locked->event_id), place = DB_U(change->place), attempt = DB_U(change->attempt);
    int r = db_read(locked->db, TAKEN_UP, (struct db_value[]){event, place, attempt}, 3, PAYMENTS_MAX, &rows);
    for (size_t i = 0; r == 0 && i < db_rows_count(rows); i++) {
        change->payment = (uint32_t)db_u64(rows, i, T_NUMBER);
        r = choose_state(locked, rows, i, &change->payment_state);
        // The claim too: what a payer is just being told about it as it was does not count any more.
        if (r == 0)
            r = write_one(locked,
                          "UPDATE payments SET state = ?, tries = 0, is_dead = 0, claim = claim + 1, next_attempt_at = "
                          "UTC_TIMESTAMP(6), changed_at = UTC_TIMESTAMP(6) WHERE event_id = ? AND place = ? AND "
                          "attempt = ? AND number = ?",
                          (struct db_value[]){db_text(payment_state_name(change->payment_state)), event, place, attempt,
                                              DB_U(change->payment)},
                          5);
    }
    if (r == 0 && db_rows_count(rows) == 0)
        return refuse(locked, "nothing is left to be done about its payments");
    change->asks_payer = r == 0;
    return r;
}

static int retry_payment(struct locked *locked, struct outbox *outbox, const struct letter *letter, const char *actor)
{
    struct order_change *change = locked->change;
    char detail[DETAIL_BYTES];
    int r = lock_attempt(locked, letter->attempt);
    if (r < 0)
        return r;
    change->after = change->before;
    if (letter->is_done)
        return 0;
    r = take_up(locked);
    if (r == 0)
        r = resolve_letters(locked, true, actor);
    if (r < 0 || !change->refund || strcmp(change->refund, "failed") != 0)
        return r;
    // Its visitor was told that the money cannot be given back.
    snprintf(detail, sizeof(detail), "refund tried again, dead letter %" PRIu64, letter->id);
    change->refund = "pending";
    r = write_booking(locked, change->before);
    if (r == 0)
        r = write_log(locked, actor, detail);
    return r < 0 ? r : write_outcome(locked, outbox);
}

static int retry(struct locked *locked, struct outbox *outbox, const char *slug, uint64_t id, const char *actor)
{
    (void)slug;
    struct letter letter;
    int r = find_letter(locked, id, &letter);
    if (r < 0)
        return r;
    return letter.is_about_payment ? retry_payment(locked, outbox, &letter, actor)
                                   : retry_order(locked, outbox, &letter, actor);
}

// Commits what went well, and undoes anything else.
static int finish(struct db *db, struct outbox *outbox, int r)
{
    if (r == 0)
        r = db_commit(db);
    if (r == 0) {
        outbox_committed(outbox);
    } else {
        if (db_is_connected(db))
            db_rollback(db);
        outbox_rolled_back(outbox);
    }
    return r;
}

static void locked_done(struct locked *locked)
{
    free(locked->tickets);
    free(locked->seats);
}

static int once(struct db *db, struct outbox *outbox, change_function *function, const char *slug, uint64_t subject,
                const char *actor, struct order_change *ret)
{
    struct locked locked = {.db = db, .change = ret};
    *ret = (struct order_change){0};
    int r = db_begin(db);
    if (r < 0)
        return r;
    r = finish(db, outbox, function(&locked, outbox, slug, subject, actor));
    locked_done(&locked);
    return r;
}

// A deadlock has undone everything: the same again, as long as there is a connection. A COMMIT without an answer is not tried
// again, the operator is; repeating the command changes nothing.
static int change(struct db *db, struct outbox *outbox, change_function *function, const char *slug, uint64_t subject,
                  const char *actor, struct order_change *ret)
{
    int r = ERROR_TRANSIENT;
    for (int tries = 0; tries < TRIES_MAX && r == ERROR_TRANSIENT && db_is_connected(db); tries++)
        r = once(db, outbox, function, slug, subject, actor, ret);
    return r;
}

int order_change_cancel(struct db *db, struct outbox *outbox, const char *slug, uint64_t place, const char *actor,
                        struct order_change *ret)
{
    return change(db, outbox, cancel, slug, place, actor, ret);
}

// ---------------------------------------------------------------- many

static int cancel_one_of_many(struct db *db, uint64_t event_id, uint64_t place, const char *actor, struct buffer *text,
                              struct order_change *ret)
{
    struct locked locked = {.db = db, .event_id = event_id, .change = ret};
    *ret = (struct order_change){.place = place};
    int r = lock_order(&locked);
    ret->after = ret->before;
    if (r == 0 && !locked.is_closed) {
        r = refuse(&locked, "the event is not closed");
    } else if (r == 0 && locked.has_booking && order_may_become(ret->before, ORDER_CANCELLED, ORDER_BY_OPERATOR)) {
        r = cancel_locked(&locked, actor);
        if (text->bytes == 0)
            outcomes_begin(text, ret->slug, ret->currency, NULL, 0);
        add_outcome(&locked, text);
    }
    locked_done(&locked);
    return r;
}

// Place after place, so that the locks are taken in ascending order.
static int cancel_each(struct db *db, struct outbox *outbox, const char *slug, const uint64_t *places, size_t count,
                       const char *actor, struct order_change *ret)
{
    uint64_t event_id = 0;
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    int r = find_event(db, slug, &event_id);
    for (size_t i = 0; i < count && r == 0; i++) {
        r = cancel_one_of_many(db, event_id, places[i], actor, &text, &ret[i]);
        if (r == ERROR_CONFLICT && i)
            memcpy(ret[0].why, ret[i].why, sizeof(ret[0].why));
    }
    if (r < 0 || !text.bytes)
        return r;
    outcomes_end(&text);
    return outbox_write(outbox, db, TOPOLOGY_OUTCOMES, OUTCOMES_TYPE, &text);
}

int order_change_cancel_many(struct db *db, struct outbox *outbox, const char *slug, const uint64_t *places,
                             size_t count, const char *actor, struct order_change *ret)
{
    int r = ERROR_TRANSIENT;
    for (int tries = 0; tries < TRIES_MAX && r == ERROR_TRANSIENT && db_is_connected(db); tries++) {
        r = db_begin(db);
        if (r == 0)
            r = finish(db, outbox, cancel_each(db, outbox, slug, places, count, actor, ret));
    }
    return r;
}

int order_change_retry(struct db *db, struct outbox *outbox, uint64_t letter, const char *actor,
                       struct order_change *ret)
{
    return change(db, outbox, retry, NULL, letter, actor, ret);
}
