// SPDX-License-Identifier: Apache-2.0
// See payment_retry.h.
#include "admin/payment_retry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/payment.h"

// Not what is through by now: with its letter retried, nothing would be there any more that says why the booking failed.
// Unwanted by a ticket: what was found at the provider and belongs to nobody, and what another payment paid for.
#define TAKEN_UP                                                                                                  \
    "SELECT p.number, p.state, p.aim, p.captured_at, p.payment_method = '' OR EXISTS (SELECT * FROM payments o "  \
    "WHERE o.event_id = p.event_id AND o.place = p.place AND o.attempt = p.attempt AND o.number <> p.number AND " \
    "o.state IN ('authorised', 'capturing', 'captured') AND o.aim <> 'give_back') FROM payments p WHERE "         \
    "p.event_id = ? AND p.place = ? AND p.attempt = ? AND (p.is_dead = 1 AND p.next_attempt_at IS NOT NULL OR "   \
    "p.state = 'failed') ORDER BY p.number FOR UPDATE"
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
        return locked_refuse(locked,
                             "the provider has something else for this payment than we asked for: put it right there, "
                             "then discard the letter, or cancel the booking first");
    *ret = is_kept ? PAYMENT_CAPTURING : db_is_null(rows, row, T_CAPTURED_AT) ? PAYMENT_VOIDING : PAYMENT_REFUNDING;
    return 0;
}

static int take_up(struct locked *locked)
{
    struct order_change *change = locked->change;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    const struct db_value event = DB_U(locked->event_id), place = DB_U(change->place), attempt = DB_U(change->attempt);
    int r = db_read(locked->db, TAKEN_UP, (struct db_value[]){event, place, attempt}, 3, LOCKED_PAYMENTS_MAX, &rows);
    for (size_t i = 0; r == 0 && i < db_rows_count(rows); i++) {
        change->payment = (uint32_t)db_u64(rows, i, T_NUMBER);
        r = choose_state(locked, rows, i, &change->payment_state);
        // The claim too: what a payer is just being told about it as it was does not count any more. And a refund that failed is history: with it the
        // payer would find again that it did.
        if (r == 0)
            r = locked_write_one(
                locked,
                "UPDATE payments SET refund = IF(state = 'failed', NULL, refund), state = ?, tries = 0, is_dead = 0, "
                "claim = claim + 1, next_attempt_at = UTC_TIMESTAMP(6), changed_at = UTC_TIMESTAMP(6) WHERE event_id = ? AND place = ? AND "
                "attempt = ? AND number = ?",
                (struct db_value[]){db_text(payment_state_name(change->payment_state)), event, place, attempt,
                                    DB_U(change->payment)},
                5);
    }
    if (r == 0 && db_rows_count(rows) == 0)
        return locked_refuse(locked, "nothing is left to be done about its payments");
    change->asks_payer = r == 0;
    return r;
}

int payment_retry(struct locked *locked, struct outbox *outbox, const struct letter *letter, const char *actor)
{
    struct order_change *change = locked->change;
    char detail[LOCKED_DETAIL_BYTES];
    int r = locked_take_attempt(locked, letter->attempt);
    if (r < 0)
        return r;
    change->after = change->before;
    if (letter->is_done)
        return 0;
    r = take_up(locked);
    if (r == 0)
        r = locked_resolve_letters(locked, true, actor);
    if (r < 0 || !change->refund || strcmp(change->refund, "failed") != 0)
        return r;
    // Its visitor was told that the money cannot be given back.
    snprintf(detail, sizeof(detail), "refund tried again, dead letter %" PRIu64, letter->id);
    change->refund = "pending";
    r = locked_write_booking(locked, change->before);
    if (r == 0)
        r = locked_write_log(locked, actor, detail);
    return r < 0 ? r : locked_write_outcome(locked, outbox);
}
