// SPDX-License-Identifier: Apache-2.0
// See order_change.h. What is locked and written by all changes is in order_locked.h, retrying a payment in payment_retry.h.
#include "admin/order_change.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/order_locked.h"
#include "admin/payment_retry.h"
#include "common/payment.h"
#include "common/topology.h"

#define TRIES_MAX 5 // of a batch that met another in a deadlock

// ---------------------------------------------------------------- cancelling

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
    return r < 0 ? r : locked_mark_retried(locked, true, actor, &letters);
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

// All of a cancellation but its outcome.
static int cancel_locked(struct locked *locked, const char *actor)
{
    const enum order_state before = locked->change->before;
    char detail[LOCKED_DETAIL_BYTES];
    int r = locked_take_payments(locked);
    if (r == 0)
        r = ask_back(locked, actor);
    if (r == 0)
        r = locked_write_booking(locked, ORDER_CANCELLED);
    if (r == 0)
        r = leave_to_be_freed(locked);
    snprintf(detail, sizeof(detail), "was %s", order_state_name(before));
    return r < 0 ? r : locked_write_log(locked, actor, detail);
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

// What a change is about.
struct subject {
    const char *slug;
    uint64_t place;
    uint32_t attempt; // 0: the newest
    uint64_t letter; // instead of all that
};

static int cancel(struct locked *locked, struct outbox *outbox, const struct subject *subject, const char *actor)
{
    int r = find_event(locked->db, subject->slug, &locked->event_id);
    if (r < 0)
        return r;
    locked->change->place = subject->place;
    r = locked_take_order(locked);
    if (r < 0)
        return r;
    const enum order_state before = locked->change->before;
    locked->change->after = before;
    if (subject->attempt && subject->attempt != locked->change->attempt)
        return locked_refuse(locked,
                             "the reference is of attempt %" PRIu32
                             ", and the visitor has ordered again since (attempt %" PRIu32 ")",
                             subject->attempt, locked->change->attempt);
    if (before == ORDER_CANCELLED)
        return 0;
    if (!locked->has_booking)
        return locked_refuse(locked, "there is no booking yet, the order is %s", order_state_name(before));
    if (before == ORDER_PAYING)
        return locked_refuse(locked, "it is being paid");
    if (!order_may_become(before, ORDER_CANCELLED, ORDER_BY_OPERATOR))
        return locked_refuse(locked, "the booking is %s", order_state_name(before));
    r = cancel_locked(locked, actor);
    return r < 0 ? r : locked_write_outcome(locked, outbox);
}

// ---------------------------------------------------------------- booking it again

static int publish_again(struct locked *locked)
{
    return locked_write_one(
        locked,
        "UPDATE orders SET published = 0, release_no = release_no + 1 "
        "WHERE event_id = ? AND place = ? AND attempt = ? AND state = 'released'",
        (struct db_value[]){DB_U(locked->event_id), DB_U(locked->change->place), DB_U(locked->change->attempt)}, 3);
}

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
    snprintf(locked->change->slug, sizeof(locked->change->slug), "%s",
             db_is_null(rows, 0, 4) ? "" : db_string(rows, 0, 4));
    *ret = (struct letter){.id = letter,
                           .attempt = (uint32_t)db_u64(rows, 0, 2),
                           .is_done = strcmp(db_string(rows, 0, 3), "retried") == 0,
                           .is_about_payment = strcmp(db_string(rows, 0, 5), TOPOLOGY_PAYMENTS) == 0};
    if (!locked->event_id || !locked->change->place || !ret->attempt || !*locked->change->slug)
        return locked_refuse(locked, "it belongs to no order, so there is nothing to book");
    return 0;
}

static int retry_order(struct locked *locked, struct outbox *outbox, const struct letter *letter, const char *actor)
{
    struct order_change *change = locked->change;
    char detail[LOCKED_DETAIL_BYTES];
    locked->locks_tiers = true;
    int r = locked_take_order(locked);
    if (r == ERROR_NOT_FOUND)
        return locked_refuse(locked, "there is no order of place %" PRIu64, change->place);
    if (r < 0)
        return r;
    change->after = change->before;
    if (letter->is_done)
        return 0;
    if (change->attempt < letter->attempt)
        return locked_refuse(locked, "there is no such attempt; the visitor's newest is %" PRIu32, change->attempt);
    if (change->attempt != letter->attempt)
        return locked_refuse(locked, "the visitor has ordered again since (attempt %" PRIu32 ")", change->attempt);
    if (!locked->has_booking)
        return locked_refuse(locked, "the order has not failed, it is %s", order_state_name(change->before));
    if (change->before != ORDER_FAILED || !order_may_become(change->before, ORDER_RELEASED, ORDER_BY_OPERATOR))
        return locked_refuse(locked, "the booking has not failed, it is %s", order_state_name(change->before));
    snprintf(detail, sizeof(detail), "dead letter %" PRIu64 " retried", letter->id);
    r = locked_write_booking(locked, ORDER_RELEASED);
    if (r == 0)
        r = publish_again(locked);
    if (r == 0)
        r = locked_write_log(locked, actor, detail);
    if (r == 0)
        r = locked_resolve_letters(locked, false, actor);
    return r < 0 ? r : locked_write_outcome(locked, outbox);
}

static int retry(struct locked *locked, struct outbox *outbox, const struct subject *subject, const char *actor)
{
    struct letter letter;
    int r = find_letter(locked, subject->letter, &letter);
    if (r < 0)
        return r;
    return letter.is_about_payment ? payment_retry(locked, outbox, &letter, actor)
                                   : retry_order(locked, outbox, &letter, actor);
}

// ---------------------------------------------------------------- the transactions

// What one of them does between BEGIN and COMMIT.
typedef int change_function(struct locked *locked, struct outbox *outbox, const struct subject *subject,
                            const char *actor);

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

static int once(struct db *db, struct outbox *outbox, change_function *function, const struct subject *subject,
                const char *actor, struct order_change *ret)
{
    struct locked locked = {.db = db, .change = ret};
    *ret = (struct order_change){0};
    int r = db_begin(db);
    if (r < 0)
        return r;
    r = finish(db, outbox, function(&locked, outbox, subject, actor));
    locked_done(&locked);
    return r;
}

// A deadlock has undone everything: the same again, as long as there is a connection. A COMMIT without an answer is not tried
// again, the operator is; repeating the command changes nothing.
static int change(struct db *db, struct outbox *outbox, change_function *function, const struct subject *subject,
                  const char *actor, struct order_change *ret)
{
    int r = ERROR_TRANSIENT;
    for (int tries = 0; tries < TRIES_MAX && r == ERROR_TRANSIENT && db_is_connected(db); tries++)
        r = once(db, outbox, function, subject, actor, ret);
    return r;
}

int order_change_cancel(struct db *db, struct outbox *outbox, const char *slug, uint64_t place, uint32_t attempt,
                        const char *actor, struct order_change *ret)
{
    return change(db, outbox, cancel, &(struct subject){.slug = slug, .place = place, .attempt = attempt}, actor, ret);
}

// ---------------------------------------------------------------- many

static int cancel_one_of_many(struct db *db, uint64_t event_id, uint64_t place, const char *actor, struct buffer *text,
                              struct order_change *ret)
{
    struct locked locked = {.db = db, .event_id = event_id, .change = ret};
    *ret = (struct order_change){.place = place};
    int r = locked_take_order(&locked);
    ret->after = ret->before;
    if (r == 0 && !locked.is_closed) {
        r = locked_refuse(&locked, "the event is not closed");
    } else if (r == 0 && locked.has_booking && order_may_become(ret->before, ORDER_CANCELLED, ORDER_BY_OPERATOR)) {
        r = cancel_locked(&locked, actor);
        if (text->bytes == 0)
            outcomes_begin(text, ret->slug, ret->currency, NULL, 0);
        locked_add_outcome(&locked, text);
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
    return change(db, outbox, retry, &(struct subject){.letter = letter}, actor, ret);
}
