// SPDX-License-Identifier: Apache-2.0
// See payment_flow.h. An answer is first made into what the intent is, wherever it came from; then the state says what that means.
#include "booking-worker/payment_flow.h"

#include <string.h>

int64_t payment_wait_seconds(uint32_t tries)
{
    static const int64_t waits[] = {1, 1, 5, 15, 30, 60, 120, 300, 600};
    const uint32_t last = sizeof(waits) / sizeof(waits[0]) - 1;
    return waits[tries < last ? tries : last];
}

int64_t payment_bank_seconds(int64_t waiting_seconds)
{
    const int64_t wait = waiting_seconds / 2;
    if (wait < PAYMENT_BANK_SECONDS_MIN)
        return PAYMENT_BANK_SECONDS_MIN;
    return wait < PAYMENT_BANK_SECONDS_MAX ? wait : PAYMENT_BANK_SECONDS_MAX;
}

// ---------------------------------------------------------------- steps

// The booking's visitor waits for what comes of this payment.
static bool is_waiting(const struct payment_facts *facts)
{
    return facts->is_newest && facts->has_booking &&
           (facts->booking == ORDER_PAYING || facts->booking == ORDER_ACTION_REQUIRED);
}

// Nothing changes but what is said about it.
static struct payment_step stay(const struct payment_facts *facts)
{
    return (struct payment_step){.state = facts->state, .aim = facts->aim, .tries = facts->tries};
}

static struct payment_step go(const struct payment_facts *facts, enum payment_state state, enum provider_call call)
{
    struct payment_step step = stay(facts);
    step.state = state;
    step.has_call = true;
    step.call = call;
    step.tries = state == facts->state ? facts->tries : 0;
    return step;
}

static struct payment_step end(const struct payment_facts *facts, enum payment_state state)
{
    struct payment_step step = stay(facts);
    step.state = state;
    step.is_end = true;
    step.tries = 0;
    return step;
}

static struct payment_step wait_for(const struct payment_facts *facts, int64_t seconds)
{
    struct payment_step step = stay(facts);
    step.wait_seconds = seconds;
    return step;
}

static const char *dead_word(enum payment_state state)
{
    switch (state) {
    case PAYMENT_CAPTURING:
    case PAYMENT_AUTHORISED:
        return PAYMENT_DEAD_CAPTURE;
    case PAYMENT_VOIDING:
        return PAYMENT_DEAD_VOID;
    case PAYMENT_REFUNDING:
    case PAYMENT_REFUNDED:
        return PAYMENT_DEAD_REFUND;
    default:
        return PAYMENT_DEAD_UNKNOWN;
    }
}

// Once that has gone on for long, an operator hears of it, and the visitor that it takes longer.
static void call_operator(const struct payment_facts *facts, struct payment_step *step)
{
    step->dead = dead_word(facts->state);
    if (!is_waiting(facts) || facts->booking != ORDER_PAYING)
        return;
    step->effect = PAYMENT_DELAYS;
    step->reason = ORDER_PAYMENT_UNKNOWN;
}

// No definite answer: it is asked about later.
static struct payment_step try_later(const struct payment_facts *facts)
{
    struct payment_step step = stay(facts);
    step.tries++;
    step.wait_seconds = payment_wait_seconds(step.tries);
    if (step.tries >= PAYMENT_DEAD_TRIES && !facts->is_dead)
        call_operator(facts, &step);
    return step;
}

// It was certainly not done: there is nothing to find out, so it is tried again sooner, or when the provider says.
static struct payment_step repeat_later(const struct payment_facts *facts, int64_t at_least_seconds)
{
    struct payment_step step = stay(facts);
    step.tries++;
    step.wait_seconds = payment_wait_seconds(step.tries);
    if (step.wait_seconds > PAYMENT_BUSY_SECONDS_MAX)
        step.wait_seconds = PAYMENT_BUSY_SECONDS_MAX;
    if (step.wait_seconds < at_least_seconds)
        step.wait_seconds = at_least_seconds;
    if (step.tries >= PAYMENT_DEAD_TRIES_BUSY && !facts->is_dead)
        call_operator(facts, &step);
    return step;
}

// ---------------------------------------------------------------- ends without money

// Nothing comes of it for the visitor who waits.
static void turn_away(const struct payment_facts *facts, struct payment_step *step)
{
    if (facts->aim == PAYMENT_TAKE) {
        step->effect = PAYMENT_DECLINES;
    } else if (facts->aim == PAYMENT_CLOSE) {
        step->effect = PAYMENT_EXPIRES;
    } else {
        step->effect = PAYMENT_FAILS;
        step->reason = ORDER_PAYMENT_FAILED;
    }
}

// Certainly nothing is reserved: what the booking makes of that.
static struct payment_step end_without_money(const struct payment_facts *facts, enum payment_state state,
                                             enum order_reason reason)
{
    struct payment_step step = end(facts, state);
    step.reason = reason;
    if (is_waiting(facts))
        turn_away(facts, &step);
    else
        step.effect = PAYMENT_FREES;
    // Money that nobody wanted any more went back, and no bank has said no.
    if (state != PAYMENT_DECLINED && (step.effect == PAYMENT_FREES || step.effect == PAYMENT_EXPIRES))
        step.reason = ORDER_NO_REASON;
    return step;
}

// What was authorised for this payment cannot be right, or was not wanted: nothing of it is kept.
static struct payment_step give_up(const struct payment_facts *facts, enum provider_status status)
{
    // It had come to an end, and the next one of the booking is open: of two that are, the key allows one.
    if (status != PROVIDER_CAPTURED && facts->has_other_open && !payment_is_open(facts->state))
        return try_later(facts);
    struct payment_step step = status == PROVIDER_CAPTURED ? go(facts, PAYMENT_REFUNDING, PROVIDER_REFUND)
                                                           : go(facts, PAYMENT_VOIDING, PROVIDER_CANCEL);
    step.stores_intent = !facts->has_intent;
    return step;
}

// It was or is being captured for a ticket that has been cancelled meanwhile: whatever cannot be captured is as welcome.
static bool is_unwanted_capture(const struct payment_facts *facts)
{
    return (facts->state == PAYMENT_AUTHORISED || facts->state == PAYMENT_CAPTURING) && facts->aim == PAYMENT_GIVE_BACK;
}

// The ticket is kept, or the money not given back: somebody has to look.
static struct payment_step fail(const struct payment_facts *facts)
{
    struct payment_step step = end(facts, PAYMENT_FAILED);
    step.dead = dead_word(facts->state);
    if (facts->state != PAYMENT_REFUNDING && facts->state != PAYMENT_REFUNDED)
        return step;
    step.takes_new_key = true; // with the old one the provider would name the refund that failed
    step.effect = PAYMENT_CANNOT_REFUND;
    if (is_waiting(facts)) { // what was taken was never the price of a ticket
        step.effect = PAYMENT_FAILS;
        step.reason = ORDER_PAYMENT_FAILED;
    }
    return step;
}

// ---------------------------------------------------------------- money on its way back

static uint64_t sent_back(const struct provider_intent *intent)
{
    return intent->refunded_amount + intent->refunding_amount;
}

// As give_up() for what was captured; what goes back already, by whoever's hand, is not asked for once more.
static struct payment_step send_back(const struct payment_facts *facts, const struct provider_intent *intent)
{
    struct payment_step step = give_up(facts, PROVIDER_CAPTURED);
    if (sent_back(intent) >= intent->captured_amount)
        step.call = PROVIDER_ASK;
    return step;
}

// The provider has taken the refund, and its bank (or the seller's balance) takes its time: days are nothing unusual, and nobody need be called. That no
// ticket comes of this money is certain, so nobody waits for the end of it.
static struct payment_step wait_for_bank(const struct payment_facts *facts)
{
    struct payment_step step = wait_for(facts, payment_bank_seconds(facts->state_seconds));
    step.tries = 0;
    step.stores_refund = true;
    if (is_waiting(facts)) {
        step.reason = ORDER_CARD_DECLINED;
        turn_away(facts, &step);
        if (step.effect == PAYMENT_EXPIRES)
            step.reason = ORDER_NO_REASON;
    } else if (!facts->has_refund) {
        step.effect = PAYMENT_RETURNS;
    }
    return step;
}

static struct payment_step refunded(const struct payment_facts *facts)
{
    struct payment_step step = end_without_money(facts, PAYMENT_REFUNDED, ORDER_CARD_DECLINED);
    step.stores_refund = true;
    return step;
}

// A refund is asked for where none is under way, and not where one of ours has failed: that would fail again, or go to a card that is closed. After an
// operator's retry none is ours any more.
static struct payment_step on_refunding(const struct payment_facts *facts, const struct provider_intent *intent)
{
    if (intent->refunded_amount >= intent->captured_amount)
        return refunded(facts);
    if (sent_back(intent) >= intent->captured_amount)
        return wait_for_bank(facts);
    if (facts->was_refused || (facts->has_refund && intent->has_failed_refund))
        return fail(facts);
    return go(facts, PAYMENT_REFUNDING, PROVIDER_REFUND);
}

// It was through, and the provider has told of it since: the customer's bank may send a refund back even then.
static struct payment_step on_refunded_since(const struct payment_facts *facts, const struct provider_intent *intent)
{
    if (intent->refunded_amount >= intent->captured_amount)
        return end(facts, PAYMENT_REFUNDED);
    return sent_back(intent) >= intent->captured_amount ? wait_for(facts, payment_bank_seconds(facts->state_seconds))
                                                        : fail(facts);
}

// ---------------------------------------------------------------- what the intent is

static struct payment_step on_unconfirmed(const struct payment_facts *facts)
{
    switch (facts->state) {
    case PAYMENT_CREATED:
    case PAYMENT_CONFIRMING:
        if (facts->aim != PAYMENT_TAKE)
            return give_up(facts, PROVIDER_UNCONFIRMED);
        if (facts->was_refused)
            return end_without_money(facts, PAYMENT_DECLINED, ORDER_PAYMENT_METHOD_INVALID);
        if (facts->is_stopped) {
            // As before it was to be confirmed: the provider need not be asked again and again for as long as that takes.
            struct payment_step step = wait_for(facts, PAYMENT_STOPPED_SECONDS);
            step.state = PAYMENT_CREATED;
            step.stores_intent = !facts->has_intent;
            return step;
        }
        struct payment_step step = go(facts, PAYMENT_CONFIRMING, PROVIDER_CONFIRM);
        step.tries = facts->tries; // nothing has been reached yet
        step.stores_intent = !facts->has_intent;
        return step;
    case PAYMENT_VOIDING:
        return facts->was_refused ? try_later(facts) : go(facts, PAYMENT_VOIDING, PROVIDER_CANCEL);
    case PAYMENT_DECLINED:
    case PAYMENT_VOIDED:
        return end(facts, facts->state);
    default:
        return try_later(facts); // it was further already
    }
}

static struct payment_step on_failed(const struct payment_facts *facts, enum order_reason reason)
{
    switch (facts->state) {
    case PAYMENT_CREATED:
    case PAYMENT_CONFIRMING:
    case PAYMENT_CHALLENGED: {
        struct payment_step step = end_without_money(facts, PAYMENT_DECLINED, reason);
        step.stores_intent = !facts->has_intent;
        return step;
    }
    case PAYMENT_VOIDING:
        // Nothing is reserved, but it could be confirmed once more: it is ended all the same.
        return facts->was_refused ? end_without_money(facts, PAYMENT_VOIDED, reason)
                                  : go(facts, PAYMENT_VOIDING, PROVIDER_CANCEL);
    default:
        if (payment_is_end(facts->state))
            return end(facts, facts->state);
        return is_unwanted_capture(facts) ? give_up(facts, PROVIDER_FAILED) : fail(facts);
    }
}

static struct payment_step on_action_required(const struct payment_facts *facts, bool is_page)
{
    if (facts->state == PAYMENT_DECLINED || facts->state == PAYMENT_VOIDED)
        return end(facts, facts->state);
    if (facts->state == PAYMENT_VOIDING)
        return facts->was_refused ? try_later(facts) : go(facts, PAYMENT_VOIDING, PROVIDER_CANCEL);
    if (facts->state != PAYMENT_CREATED && facts->state != PAYMENT_CONFIRMING && facts->state != PAYMENT_CHALLENGED)
        return try_later(facts); // it was further already
    if (facts->aim != PAYMENT_TAKE || !is_waiting(facts))
        return give_up(facts, PROVIDER_ACTION_REQUIRED);
    // What can be put to nobody would keep its places for ever. A visitor who has been asked before may be answering all the same.
    if (!is_page && facts->state != PAYMENT_CHALLENGED)
        return give_up(facts, PROVIDER_ACTION_REQUIRED);
    struct payment_step step = wait_for(facts, PAYMENT_CHALLENGE_SECONDS);
    step.state = PAYMENT_CHALLENGED;
    step.tries = 0;
    step.stores_intent = !facts->has_intent;
    if (is_page && facts->booking == ORDER_PAYING)
        step.effect = PAYMENT_ASKS_VISITOR;
    return step;
}

static struct payment_step on_authorised(const struct payment_facts *facts)
{
    switch (facts->state) {
    case PAYMENT_AUTHORISED:
    case PAYMENT_CAPTURING:
        if (facts->aim == PAYMENT_GIVE_BACK)
            return give_up(facts, PROVIDER_AUTHORISED);
        return facts->was_refused ? fail(facts) : go(facts, PAYMENT_CAPTURING, PROVIDER_CAPTURE);
    case PAYMENT_VOIDING:
        return facts->was_refused ? try_later(facts) : go(facts, PAYMENT_VOIDING, PROVIDER_CANCEL);
    case PAYMENT_CREATED:
    case PAYMENT_CONFIRMING:
    case PAYMENT_CHALLENGED:
        if (facts->aim == PAYMENT_GIVE_BACK || !is_waiting(facts))
            return give_up(facts, PROVIDER_AUTHORISED);
        struct payment_step step = go(facts, PAYMENT_CAPTURING, PROVIDER_CAPTURE);
        step.stores_intent = !facts->has_intent;
        step.effect = PAYMENT_CONFIRMS;
        return step;
    case PAYMENT_CAPTURED:
    case PAYMENT_REFUNDING:
    case PAYMENT_REFUNDED:
        return try_later(facts); // it was further already
    default:
        return give_up(facts, PROVIDER_AUTHORISED);
    }
}

// What was given back in part after the ticket was given is the seller's affair; before, it is not the price any more.
static struct payment_step on_captured(const struct payment_facts *facts, const struct provider_intent *intent)
{
    struct payment_step step;
    bool is_price = intent->captured_amount == facts->amount;
    switch (facts->state) {
    case PAYMENT_AUTHORISED:
    case PAYMENT_CAPTURING:
        if (facts->aim == PAYMENT_GIVE_BACK)
            return send_back(facts, intent);
        return is_price && sent_back(intent) < intent->captured_amount ? end(facts, PAYMENT_CAPTURED) : fail(facts);
    case PAYMENT_CREATED:
    case PAYMENT_CONFIRMING:
    case PAYMENT_CHALLENGED: // somebody has taken it by hand, at the provider's
        if (facts->aim == PAYMENT_GIVE_BACK || !is_waiting(facts) || !is_price || sent_back(intent) > 0)
            return send_back(facts, intent);
        step = end(facts, PAYMENT_CAPTURED);
        step.stores_intent = !facts->has_intent;
        step.effect = PAYMENT_CONFIRMS;
        return step;
    case PAYMENT_REFUNDING:
        return on_refunding(facts, intent);
    case PAYMENT_CAPTURED:
        return facts->aim == PAYMENT_GIVE_BACK ? send_back(facts, intent) : end(facts, PAYMENT_CAPTURED);
    case PAYMENT_REFUNDED:
        return on_refunded_since(facts, intent);
    case PAYMENT_FAILED:
        return end(facts, facts->state);
    default: // it was to be let go, or nothing was to be there
        return send_back(facts, intent);
    }
}

static struct payment_step on_cancelled(const struct payment_facts *facts)
{
    switch (facts->state) {
    case PAYMENT_AUTHORISED:
    case PAYMENT_CAPTURING:
        if (facts->aim == PAYMENT_GIVE_BACK)
            return end_without_money(facts, PAYMENT_VOIDED, ORDER_NO_REASON);
        return fail(facts); // the reservation is gone, the ticket is kept
    case PAYMENT_CAPTURED:
    case PAYMENT_REFUNDED:
    case PAYMENT_FAILED:
    case PAYMENT_DECLINED:
        return end(facts, facts->state);
    default: {
        struct payment_step step = end_without_money(facts, PAYMENT_VOIDED, ORDER_CARD_DECLINED);
        step.stores_intent = !facts->has_intent;
        return step;
    }
    }
}

// Another amount or currency than what was asked for.
static bool is_wrong(const struct payment_facts *facts, const struct provider_intent *intent)
{
    return intent->amount != facts->amount || strcmp(intent->currency, facts->currency) != 0;
}

static struct payment_step on_wrong(const struct payment_facts *facts, const struct provider_intent *intent)
{
    struct payment_step step;
    if (facts->state == PAYMENT_CAPTURED || facts->state == PAYMENT_FAILED ||
        ((facts->state == PAYMENT_CAPTURING || facts->state == PAYMENT_AUTHORISED) && !is_unwanted_capture(facts))) {
        step = fail(facts); // the ticket is given already
    } else if (intent->status == PROVIDER_CANCELLED) {
        step = stay(facts);
        step.aim = PAYMENT_GIVE_BACK;
        struct payment_facts unwanted = *facts;
        unwanted.aim = PAYMENT_GIVE_BACK;
        step = end_without_money(&unwanted, PAYMENT_VOIDED, ORDER_PAYMENT_FAILED);
    } else {
        step = intent->status == PROVIDER_CAPTURED ? send_back(facts, intent) : give_up(facts, intent->status);
    }
    step.aim = PAYMENT_GIVE_BACK;
    step.dead = facts->is_dead ? NULL : PAYMENT_DEAD_WRONG;
    return step;
}

static struct payment_step on_intent(const struct payment_facts *facts, const struct provider_intent *intent)
{
    // What is on its way back goes back as it is, and has gone back as it was.
    if (is_wrong(facts, intent) && facts->state != PAYMENT_VOIDING && facts->state != PAYMENT_REFUNDING &&
        facts->state != PAYMENT_REFUNDED)
        return on_wrong(facts, intent);
    switch (intent->status) {
    case PROVIDER_UNCONFIRMED:
        return on_unconfirmed(facts);
    case PROVIDER_FAILED:
        return on_failed(facts, intent->reason ? intent->reason : ORDER_CARD_DECLINED);
    case PROVIDER_ACTION_REQUIRED:
        return on_action_required(facts, intent->action_url[0] != '\0');
    case PROVIDER_AUTHORISED:
        return on_authorised(facts);
    case PROVIDER_CAPTURED:
        return on_captured(facts, intent);
    case PROVIDER_CANCELLED:
        return on_cancelled(facts);
    default:
        return try_later(facts); // the provider has not decided yet
    }
}

// ---------------------------------------------------------------- answers

static struct payment_step on_declined(const struct payment_facts *facts, const struct provider_answer *answer)
{
    enum order_reason reason = answer->reason ? answer->reason : ORDER_CARD_DECLINED;
    if (facts->state == PAYMENT_CREATED || facts->state == PAYMENT_CONFIRMING || facts->state == PAYMENT_CHALLENGED) {
        struct payment_step step = end_without_money(facts, PAYMENT_DECLINED, reason);
        step.stores_intent = !facts->has_intent && answer->intent.id[0];
        return step;
    }
    if (payment_is_end(facts->state))
        return end(facts, facts->state);
    if (is_unwanted_capture(facts))
        return give_up(facts, PROVIDER_AUTHORISED);
    // A bank that does not let itself be captured, or refunded.
    return facts->state == PAYMENT_VOIDING ? try_later(facts) : fail(facts);
}

// There is no such intent: our id, or the provider's book, is wrong. Before anything was reserved the same key is asked for the id once more.
static struct payment_step on_unknown_intent(const struct payment_facts *facts)
{
    struct payment_step step = try_later(facts);
    if (facts->state == PAYMENT_CONFIRMING && !facts->has_new_key) {
        step.state = PAYMENT_CREATED;
        step.forgets_intent = true;
    }
    return step;
}

// What was asked for can never be done. Where that does not say what the intent is, it is asked, at once.
static struct payment_step on_refused(const struct payment_facts *facts, const struct provider_answer *answer)
{
    struct payment_facts refused = *facts;
    refused.was_refused = true;
    // A refund that failed tells of itself alone, not of what was captured.
    if (answer->intent.id[0] && answer->call != PROVIDER_REFUND)
        return on_intent(&refused, &answer->intent);
    if (answer->call == PROVIDER_REFUND) {
        struct payment_step step = go(facts, facts->state, PROVIDER_ASK);
        step.stores_refund = answer->refund[0] != '\0';
        return step;
    }
    if (answer->call == PROVIDER_CREATE)
        return end_without_money(facts, PAYMENT_DECLINED, ORDER_PAYMENT_METHOD_INVALID);
    return answer->call == PROVIDER_ASK ? on_unknown_intent(facts) : go(facts, facts->state, PROVIDER_ASK);
}

// A refund of less than the whole is none: what is back altogether is asked about, and for the rest there is another key.
static struct payment_step on_refunded(const struct payment_facts *facts, const struct provider_answer *answer)
{
    struct payment_step step;
    if (sent_back(&answer->intent) < facts->amount) {
        step = try_later(facts);
        step.takes_new_key = true;
    } else if (answer->is_replayed) { // so it was then; it may have failed since
        step = go(facts, PAYMENT_REFUNDING, PROVIDER_ASK);
    } else {
        return answer->intent.refunding_amount > 0 ? wait_for_bank(facts) : refunded(facts);
    }
    step.stores_refund = true;
    return step;
}

struct payment_step payment_after(const struct payment_facts *facts, const struct provider_answer *answer)
{
    struct payment_step step;
    switch (answer->result) {
    case PROVIDER_DONE:
        step = answer->call == PROVIDER_REFUND ? on_refunded(facts, answer) : on_intent(facts, &answer->intent);
        break;
    case PROVIDER_DECLINED:
        step = on_declined(facts, answer);
        break;
    case PROVIDER_REFUSED:
        step = on_refused(facts, answer);
        break;
    case PROVIDER_BUSY:
    case PROVIDER_DENIED:
        step = repeat_later(facts, (answer->retry_after_ms + 999) / 1000);
        break;
    default:
        step = try_later(facts);
        break;
    }
    // A confirm that was refused is not asked for again; and the first key has to name the intent, should its id be wrong.
    if (answer->is_key_spent && !(answer->result == PROVIDER_REFUSED && answer->call == PROVIDER_CONFIRM))
        step.takes_new_key = true;
    return step;
}

struct payment_step payment_next(const struct payment_facts *facts)
{
    switch (facts->state) {
    case PAYMENT_CREATED:
        if (facts->is_stopped && facts->aim == PAYMENT_TAKE)
            return wait_for(facts, PAYMENT_STOPPED_SECONDS);
        if (facts->has_intent)
            return go(facts, PAYMENT_CONFIRMING, PROVIDER_ASK);
        return go(facts, PAYMENT_CREATED, PROVIDER_CREATE);
    case PAYMENT_AUTHORISED:
        return facts->aim == PAYMENT_GIVE_BACK ? go(facts, PAYMENT_VOIDING, PROVIDER_CANCEL)
                                               : go(facts, PAYMENT_CAPTURING, PROVIDER_CAPTURE);
    case PAYMENT_VOIDING:
        return go(facts, PAYMENT_VOIDING, PROVIDER_CANCEL);
    case PAYMENT_CAPTURED:
        return facts->aim == PAYMENT_GIVE_BACK ? go(facts, PAYMENT_REFUNDING, PROVIDER_REFUND)
                                               : end(facts, PAYMENT_CAPTURED);
    case PAYMENT_FAILED:
        return end(facts, facts->state);
    default: // whether the call before was done is not known, the visitor may have answered the bank, or the provider has told something
        return go(facts, facts->state, PROVIDER_ASK);
    }
}
