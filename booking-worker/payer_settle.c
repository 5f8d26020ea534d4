// SPDX-License-Identifier: Apache-2.0
// See payer_settle.h.
#include "booking-worker/payer_settle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "booking-worker/meters.h"
#include "booking-worker/tell.h"
#include "common/buffer.h"
#include "common/clock.h"
#include "common/dead_letter.h"
#include "common/log.h"
#include "common/outcome.h"
#include "common/topology.h"

#define LATENESS_FACTOR 10
#define CHALLENGE_SECONDS_MAX 120

struct settling {
    struct db *db;
    struct outbox *outbox;
    struct payer_call *const *calls;
    size_t count;
    int64_t lease_seconds;
    struct store_event event;
    struct store_payment *keys, *payments; // what was taken, and how it stands
    struct store_paid *paid;
    struct db_rows *rows;
    struct payment_step *steps;
    bool *is_dropped; // somebody else has it now
    struct store_payment_change *changes;
    struct store_booking *bookings;
    struct store_paid_change *booking_changes;
    struct tell_hold *holds; // beside the bookings
    size_t change_count, booking_count;
};

static void settling_done(struct settling *settling)
{
    for (size_t i = 0; settling->paid && i < settling->count; i++)
        free(settling->paid[i].standing.booking.seats);
    store_event_done(&settling->event);
    db_rows_free(settling->rows);
    free(settling->keys);
    free(settling->payments);
    free(settling->paid);
    free(settling->steps);
    free(settling->is_dropped);
    free(settling->changes);
    free(settling->bookings);
    free(settling->booking_changes);
    free(settling->holds);
}

static int settling_init(struct settling *settling)
{
    size_t room = settling->count + 1;
    settling->keys = calloc(room, sizeof(*settling->keys));
    settling->payments = calloc(room, sizeof(*settling->payments));
    settling->paid = calloc(room, sizeof(*settling->paid));
    settling->steps = calloc(room, sizeof(*settling->steps));
    settling->is_dropped = calloc(room, sizeof(*settling->is_dropped));
    settling->changes = calloc(room, sizeof(*settling->changes));
    settling->bookings = calloc(room, sizeof(*settling->bookings));
    settling->booking_changes = calloc(room, sizeof(*settling->booking_changes));
    settling->holds = calloc(room, sizeof(*settling->holds));
    for (size_t i = 0; settling->keys && i < settling->count; i++)
        settling->keys[i] = settling->calls[i]->payment;
    return settling->keys && settling->payments && settling->paid && settling->steps && settling->is_dropped &&
                   settling->changes && settling->bookings && settling->booking_changes && settling->holds
               ? 0
               : ERROR_MEMORY;
}

// ---------------------------------------------------------------- locking

// Only what may sell places needs the tiers, which the bookers want.
static bool may_sell(const struct payer_call *call)
{
    const struct provider_intent *intent = &call->answer.intent;
    enum payment_state state = call->payment.facts.state;
    bool is_known = state == PAYMENT_CAPTURING || state == PAYMENT_REFUNDING || state == PAYMENT_REFUNDED;
    return !is_known && intent->id[0] && (intent->status == PROVIDER_AUTHORISED || intent->status == PROVIDER_CAPTURED);
}

static int lock(struct settling *settling, uint64_t event_id)
{
    bool needs_tiers = false;
    for (size_t i = 0; i < settling->count; i++)
        needs_tiers = needs_tiers || may_sell(settling->calls[i]);
    int result = needs_tiers ? store_lock_event(settling->db, event_id, &settling->event)
                             : store_hold_event(settling->db, event_id, &settling->event);
    return result ? result
                  : store_lock_paid(settling->db, &settling->event, settling->keys, settling->count, settling->paid,
                                    settling->payments, &settling->rows);
}

// ---------------------------------------------------------------- deciding

// The places of a booking were held and are sold. False: the numbers do not agree with it; that is for the audit.
static bool sell(struct store_event *event, const struct store_booking *booking)
{
    for (size_t i = 0; i < event->numbers.tier_count; i++) {
        struct allocate_tier *tier = &event->numbers.tiers[i];
        if (strcmp(tier->code, booking->tier) != 0 || tier->held < booking->quantity)
            continue;
        tier->held -= booking->quantity;
        tier->sold += booking->quantity;
        tier->is_changed = true;
        return true;
    }
    log_error("counters_disagree", LOG_S("slug", event->slug), LOG_U("place", booking->place),
              LOG_U("attempt", booking->attempt), LOG_S("was", order_state_name(booking->was)),
              LOG_S("tier", booking->tier), LOG_U("quantity", booking->quantity));
    return false;
}

static enum order_state state_of_effect(enum payment_effect effect)
{
    switch (effect) {
    case PAYMENT_CONFIRMS:
        return ORDER_CONFIRMED;
    case PAYMENT_DECLINES:
        return ORDER_DECLINED;
    case PAYMENT_ASKS_VISITOR:
        return ORDER_ACTION_REQUIRED;
    case PAYMENT_EXPIRES:
        return ORDER_EXPIRED;
    case PAYMENT_FAILS:
        return ORDER_FAILED;
    default:
        return ORDER_PAYING;
    }
}

// One change, or two where the way leads through `paying`.
static uint32_t changes_between(enum order_state from, enum order_state to)
{
    return from == to || order_may_become(from, to, ORDER_BY_SYSTEM) ? 1 : 2;
}

static struct store_booking *add_booking(struct settling *settling, size_t i, const char *refund)
{
    struct store_paid *paid = &settling->paid[i];
    size_t at = settling->booking_count++;
    struct store_booking *booking = &settling->bookings[at];
    tell_fill_tickets(&paid->standing);
    *booking = paid->standing.booking; // what it points to stays with the standing
    settling->booking_changes[at] = (struct store_paid_change){.booking = booking, .refund = refund};
    settling->holds[at] = (struct tell_hold){
        .pay_until_us = OUTCOME_NO_TIME,
        .had_more_time = paid->had_more_time,
        .refund = refund,
    };
    return booking;
}

static void change_booking(struct settling *settling, size_t i, const struct payment_step *step)
{
    const struct payer_call *call = settling->calls[i];
    const struct store_paid *paid = &settling->paid[i];
    enum order_state state = state_of_effect(step->effect);
    struct store_booking *booking = add_booking(settling, i, NULL);
    struct store_paid_change *change = &settling->booking_changes[settling->booking_count - 1];
    struct tell_hold *hold = &settling->holds[settling->booking_count - 1];
    booking->revision += changes_between(booking->was, state);
    booking->state = state;
    booking->step = step->effect == PAYMENT_DELAYS ? "the provider does not say" : NULL;
    booking->reason =
        step->effect == PAYMENT_CONFIRMS || step->effect == PAYMENT_EXPIRES || step->effect == PAYMENT_ASKS_VISITOR
            ? ORDER_NO_REASON
            : step->reason;
    change->is_freed = state == ORDER_EXPIRED || state == ORDER_FAILED;
    if (state == ORDER_ACTION_REQUIRED)
        change->action_url = hold->action_url = call->answer.intent.action_url;
    if ((state == ORDER_ACTION_REQUIRED || state == ORDER_DECLINED) && paid->pay_until_us != STORE_NO_TIME)
        hold->pay_until_us = paid->pay_until_us;
}

// Of one whose refund was done it may turn out later that it was not. NULL: nothing changes for whoever waits for the money.
static const char *refund_of(const struct store_paid *paid, const struct payment_step *step)
{
    if (!paid->standing.is_there)
        return NULL;
    // Of several payments the last one is the end of it.
    if (step->effect == PAYMENT_FREES && paid->is_refund_pending && !paid->has_other_under_way)
        return "done";
    return step->effect == PAYMENT_CANNOT_REFUND && (paid->is_refund_pending || paid->is_refund_done) ? "failed" : NULL;
}

// A booking that ended before, whose money is back or on its way there, or cannot be given back. Of one booking there is one answer in a transaction.
static int free_booking(struct settling *settling, size_t i, const struct payment_step *step)
{
    const struct store_paid *paid = &settling->paid[i];
    const char *refund = refund_of(paid, step);
    int result = 0;
    // What cannot go back will not go anywhere else by itself: its places are free, too.
    if (!paid->has_other_to_return)
        result =
            store_open_freeing(settling->db, settling->event.id, settling->keys[i].place, settling->keys[i].attempt);
    if (refund) {
        struct store_booking *booking = add_booking(settling, i, refund);
        booking->revision++;
        booking->step = step->effect == PAYMENT_FREES ? "refund done" : "refund failed";
    }
    return result;
}

// While many are waited for at their banks, each is asked about more seldom, so that new payments need not wait for these questions: the
// later this one came to its turn, the later it comes again. A visitor who has answered is looked at by the provider's word all the same.
static int64_t challenge_wait(const struct payer_call *call, int64_t seconds)
{
    int64_t wait = seconds + LATENESS_FACTOR * call->payment.late_seconds;
    return wait < CHALLENGE_SECONDS_MAX ? wait : CHALLENGE_SECONDS_MAX;
}

static int64_t wait_of(const struct settling *settling, size_t i, const struct payment_step *step)
{
    int64_t left_us = settling->payments[i].hold_left_us;
    int64_t wait_seconds = step->wait_seconds;
    if (step->state == PAYMENT_CHALLENGED && step->tries == 0)
        wait_seconds = challenge_wait(settling->calls[i], wait_seconds);
    if (step->is_end)
        return -1;
    if (step->has_call)
        return settling->lease_seconds;
    // The bank is asked once more when the hold is over, and not a quarter of a minute later; but a bank that could not say anything then is
    // given its time.
    if (step->state == PAYMENT_CHALLENGED && left_us != STORE_NO_TIME && left_us < wait_seconds * 1000000 &&
        (left_us > 0 || step->tries == 0))
        return left_us > 0 ? left_us / 1000000 + 1 : 0;
    return wait_seconds;
}

static void change_payment(struct settling *settling, size_t i, const struct payment_step *step)
{
    const struct provider_answer *answer = &settling->calls[i]->answer;
    const struct store_payment *payment = &settling->payments[i];
    const char *code = answer->code[0]                                                     ? answer->code
                       : step->state == PAYMENT_FAILED && answer->intent.has_failed_refund ? answer->intent.refund_code
                                                                                           : answer->intent.code;
    const char *refund = answer->call == PROVIDER_REFUND ? answer->refund : answer->intent.refund;
    settling->changes[settling->change_count++] = (struct store_payment_change){
        .place = payment->place,
        .attempt = payment->attempt,
        .number = payment->number,
        .claim = payment->claim,
        .state = step->state,
        .aim = step->aim,
        .tries = step->tries,
        .key_no = payment->key_no + step->takes_new_key,
        .wait_seconds = wait_of(settling, i, step),
        .is_claimed = step->has_call,
        .is_dead = payment->facts.is_dead || step->dead,
        .forgets_intent = step->forgets_intent,
        .is_authorised = step->effect == PAYMENT_CONFIRMS,
        .is_captured = step->state == PAYMENT_CAPTURED || step->state == PAYMENT_REFUNDING,
        .is_returned = step->state == PAYMENT_VOIDED || step->state == PAYMENT_REFUNDED,
        .reason = step->reason,
        .intent = step->stores_intent && answer->intent.id[0] ? answer->intent.id : NULL,
        .refund = step->stores_refund && refund[0] ? refund : NULL,
        .provider_code = code[0] ? code : NULL,
    };
}

static int decide(struct settling *settling, size_t i)
{
    struct payer_call *call = settling->calls[i];
    struct store_payment *payment = &settling->payments[i];
    settling->is_dropped[i] = !payment->is_there || payment->claim != call->payment.claim;
    if (settling->is_dropped[i])
        return 0;
    payment->facts.was_refused = call->was_refused;
    settling->steps[i] = payment_after(&payment->facts, &call->answer);
    const struct payment_step *step = &settling->steps[i];
    if (step->effect == PAYMENT_CONFIRMS && !sell(&settling->event, &settling->paid[i].standing.booking)) {
        settling->is_dropped[i] = true; // it is asked about again when the lease is over
        return 0;
    }
    change_payment(settling, i, step);
    if (step->effect == PAYMENT_FREES || step->effect == PAYMENT_RETURNS || step->effect == PAYMENT_CANNOT_REFUND)
        return free_booking(settling, i, step);
    if (step->effect != PAYMENT_NO_EFFECT)
        change_booking(settling, i, step);
    return 0;
}

// ---------------------------------------------------------------- writing

static int write_outcomes(struct settling *settling)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    size_t in_message = 0;
    int result = 0;
    for (size_t i = 0; i < settling->booking_count && result == 0; i++) {
        const struct store_booking *booking = &settling->bookings[i];
        if (in_message == 0) {
            buffer_clear(&text);
            outcomes_begin(&text, settling->event.slug, booking->currency, NULL, 0);
        }
        tell_add(&text, booking, &settling->holds[i]);
        in_message++;
        bool is_last = i + 1 == settling->booking_count || in_message == OUTCOMES_MAX ||
                       strcmp(booking->currency, settling->bookings[i + 1].currency) != 0;
        if (!is_last)
            continue;
        outcomes_end(&text);
        result = outbox_write(settling->outbox, settling->db, TOPOLOGY_OUTCOMES, OUTCOMES_TYPE, &text);
        in_message = 0;
    }
    return result;
}

// For whoever has to act: what the provider says, and, where it was refused before it was asked, its word for why.
static void describe_answer(const struct store_payment *payment, const struct provider_answer *answer, char *ret,
                            size_t ret_bytes)
{
    const struct provider_intent *intent = &answer->intent;
    if (answer->result == PROVIDER_DONE && intent->id[0])
        snprintf(ret, ret_bytes,
                 "%s, %" PRIu64 " %s, captured %" PRIu64 ", refunded %" PRIu64 "; asked for: %" PRIu64 " %s%s%s%s%s",
                 provider_status_name(intent->status), intent->amount, intent->currency, intent->captured_amount,
                 intent->refunded_amount, payment->facts.amount, payment->facts.currency,
                 intent->has_failed_refund ? "; the refund failed: " : "",
                 intent->has_failed_refund ? intent->refund_code : "",
                 payment->provider_code[0] ? "; the last error: " : "", payment->provider_code);
    else
        snprintf(ret, ret_bytes, "%s, status %d%s%s%s%s", provider_result_name(answer->result), answer->http_status,
                 answer->code[0] ? ", " : "", answer->code, answer->detail[0] ? ", " : "", answer->detail);
}

static int write_dead_letter(struct settling *settling, size_t i)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT, body CLEANUP(buffer_done) = BUFFER_INIT;
    const struct store_payment *payment = &settling->payments[i];
    const struct payer_call *call = settling->calls[i];
    const struct payment_step *step = &settling->steps[i];
    buffer_format(&body,
                  "{\"payment\":{\"event_id\":%" PRIu64 ",\"place\":%" PRIu64 ",\"attempt\":%" PRIu32
                  ",\"number\":%" PRIu32 ",\"claim\":%" PRIu64 ",\"state\":\"%s\",\"amount\":%" PRIu64
                  ",\"currency\":\"%s\",\"intent\":",
                  payment->event_id, payment->place, payment->attempt, payment->number, payment->claim,
                  payment_state_name(step->state), payment->facts.amount, payment->facts.currency);
    buffer_json_string(&body, payment->intent[0] ? payment->intent : call->answer.intent.id);
    buffer_text(&body, "}}");
    struct dead_letter letter = {
        .event_id = payment->event_id,
        .place = payment->place,
        .attempt = payment->attempt,
        .body = body.data,
        .body_bytes = body.bytes,
    };
    if (body.failed)
        return ERROR_MEMORY;
    snprintf(letter.queue, sizeof(letter.queue), "%s", TOPOLOGY_PAYMENTS);
    snprintf(letter.reason, sizeof(letter.reason), "%s", step->dead);
    char said[400];
    describe_answer(payment, &call->answer, said, sizeof(said));
    snprintf(letter.detail, sizeof(letter.detail), "payment %" PRIu32 ", %s: %s", payment->number,
             provider_call_name(call->answer.call), said);
    dead_letter_digest(body.data, body.bytes, letter.digest);
    dead_letter_write(&letter, &text);
    return outbox_write(settling->outbox, settling->db, TOPOLOGY_DEAD, DEAD_LETTER_TYPE, &text);
}

static int write(struct settling *settling)
{
    int result = store_write_paid(settling->db, &settling->event, settling->booking_changes, settling->booking_count);
    if (result == 0)
        result = store_write_payments(settling->db, settling->event.id, settling->changes, settling->change_count);
    if (result == 0)
        result = store_log_bookings(settling->db, settling->event.id, settling->bookings, settling->booking_count);
    if (result == 0)
        result = write_outcomes(settling);
    for (size_t i = 0; i < settling->count && result == 0; i++)
        if (!settling->is_dropped[i] && settling->steps[i].dead)
            result = write_dead_letter(settling, i);
    return result;
}

// ---------------------------------------------------------------- saying

// Refused for something that the visitor did not choose (an amount below the least, a currency that the account does not take), so everybody is.
static bool is_nobodys_card(const struct provider_answer *answer)
{
    return answer->call == PROVIDER_CREATE && answer->result == PROVIDER_REFUSED && answer->param[0] &&
           strcmp(answer->param, "payment_method") != 0 && strcmp(answer->param, "customer") != 0;
}

// While a visitor thinks about the bank's question it is asked about every few seconds: as often as the answer is the same it is no news.
static bool is_nothing_new(const struct payer_call *call, const struct payment_step *step)
{
    return call->answer.call == PROVIDER_ASK && call->answer.result == PROVIDER_DONE &&
           step->state == call->payment.facts.state && step->tries == 0;
}

static void say(const struct settling *settling, size_t i)
{
    const struct payer_call *call = settling->calls[i];
    const struct payment_step *step = &settling->steps[i];
    const struct store_payment *payment = &call->payment;
    const char *reason = order_reason_name(step->reason);
    struct log_field fields[13] = {
        LOG_S("slug", settling->event.slug),
        LOG_U("place", payment->place),
        LOG_U("attempt", payment->attempt),
        LOG_U("payment", payment->number),
        LOG_S("call", provider_call_name(call->answer.call)),
        LOG_S("result", provider_result_name(call->answer.result)),
        LOG_S("state", payment_state_name(step->state)),
    };
    size_t count = 7;
    if (settling->is_dropped[i]) {
        metric_add(&meter_payments_lost, 1);
        log_info("payment_answer_dropped", fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]);
        return;
    }
    if (call->answer.result != PROVIDER_DONE) {
        fields[count++] = LOG_I("status", call->answer.http_status);
        fields[count++] = LOG_S("code", call->answer.code);
        if (call->answer.param[0])
            fields[count++] = LOG_S("param", call->answer.param);
        fields[count++] = LOG_S("detail", call->answer.detail);
    }
    if (reason)
        fields[count++] = LOG_S("reason", reason);
    if (step->tries > 0)
        fields[count++] = LOG_U("tries", step->tries);
    // Our key, or what we ask for, is not accepted: nothing gets better before somebody acts. Dead letters are said by the notifier once they are recorded.
    enum log_level level = call->answer.result == PROVIDER_DENIED || is_nobodys_card(&call->answer) ? LOG_LEVEL_ERROR
                           : step->dead                                                             ? LOG_LEVEL_WARN
                           : is_nothing_new(call, step)                                             ? LOG_LEVEL_DEBUG
                                                                                                    : LOG_LEVEL_INFO;
    log_emit(level, "payment", fields, count);
    if (step->dead)
        metric_add(&meter_payments_dead, 1);
    if (step->state != payment->facts.state)
        meters_add_payment(step->state);
}

static void say_all(const struct settling *settling)
{
    log_hold();
    for (size_t i = 0; i < settling->count; i++)
        say(settling, i);
    for (size_t i = 0; i < settling->booking_count; i++) {
        const struct store_booking *booking = &settling->bookings[i];
        log_info("payment_settled", LOG_S("slug", settling->event.slug), LOG_U("place", booking->place),
                 LOG_U("attempt", booking->attempt), LOG_S("state", order_state_name(booking->state)),
                 LOG_S("was", order_state_name(booking->was)));
    }
    log_release();
}

// How each goes on. The payment is taken over as it stands now, with what the answer has added to it.
static void hand_back(const struct settling *settling)
{
    for (size_t i = 0; i < settling->count; i++) {
        struct payer_call *call = settling->calls[i];
        if (settling->is_dropped[i]) {
            call->step = (struct payment_step){.is_end = true};
            continue;
        }
        const struct payment_step *step = &settling->steps[i];
        char reference[REFERENCE_BYTES];
        memcpy(reference, call->payment.reference, sizeof(reference));
        call->was_refused = call->answer.result == PROVIDER_REFUSED && step->has_call && step->call == PROVIDER_ASK;
        call->payment = settling->payments[i];
        memcpy(call->payment.reference, reference, sizeof(reference));
        memcpy(call->payment.slug, settling->event.slug, sizeof(call->payment.slug));
        call->payment.facts.state = step->state;
        call->payment.facts.aim = step->aim;
        call->payment.facts.tries = step->tries;
        call->payment.key_no += step->takes_new_key;
        call->payment.claim++; // as it was written
        if (step->stores_intent && call->answer.intent.id[0])
            memcpy(call->payment.intent, call->answer.intent.id, sizeof(call->payment.intent));
        call->step = *step;
    }
}

static int settle_in_transaction(struct settling *settling, uint64_t event_id)
{
    int result = lock(settling, event_id);
    for (size_t i = 0; i < settling->count && result == 0; i++)
        result = decide(settling, i);
    return result ? result : write(settling);
}

int payer_settle(struct db *db, struct outbox *outbox, uint64_t event_id, struct payer_call *const *calls, size_t count,
                 int64_t lease_seconds)
{
    struct settling settling = {
        .db = db,
        .outbox = outbox,
        .calls = calls,
        .count = count,
        .lease_seconds = lease_seconds,
    };
    int64_t began_ns = clock_monotonic_ns();
    int result = settling_init(&settling);
    if (result == 0)
        result = db_begin(db);
    if (result == 0)
        result = settle_in_transaction(&settling, event_id);
    if (result == 0)
        result = db_commit(db);
    if (result) {
        db_rollback(db);
        outbox_rolled_back(outbox);
    } else {
        outbox_committed(outbox);
        metric_observe_us(&meter_payment_settle_duration, (clock_monotonic_ns() - began_ns) / 1000);
        say_all(&settling);
        hand_back(&settling);
    }
    settling_done(&settling);
    return result;
}
