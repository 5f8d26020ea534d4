// links: booking-worker
// SPDX-License-Identifier: Apache-2.0
// What becomes of a payment, step by step: what each answer means, and what is asked next. Many of them in a row, with everything going wrong:
// test_payment_flow_random.c.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "booking-worker/payment_flow.h"

#define AMOUNT 9000

static struct payment_facts facts_of(enum payment_state state, enum order_state booking)
{
    return (struct payment_facts){
        .state = state,
        .has_intent = state != PAYMENT_CREATED,
        .is_newest = true,
        .amount = AMOUNT,
        .currency = "EUR",
        .has_booking = true,
        .booking = booking,
    };
}

static struct provider_answer answer_of(enum provider_call call, enum provider_status status)
{
    return (struct provider_answer){
        .call = call,
        .result = PROVIDER_DONE,
        .intent = {.id = "pi_1",
                   .status = status,
                   .amount = AMOUNT,
                   .currency = "EUR",
                   .action_url = "https://bank.example/",
                   .captured_amount = status == PROVIDER_CAPTURED ? AMOUNT : 0},
    };
}

static void test_the_usual_way(void **state)
{
    (void)state;
    struct payment_facts facts = facts_of(PAYMENT_CREATED, ORDER_PAYING);
    struct payment_step step = payment_next(&facts);
    assert_true(step.has_call && step.call == PROVIDER_CREATE && step.state == PAYMENT_CREATED);
    struct provider_answer answer = answer_of(PROVIDER_CREATE, PROVIDER_UNCONFIRMED);
    step = payment_after(&facts, &answer);
    assert_true(step.has_call && step.call == PROVIDER_CONFIRM && step.state == PAYMENT_CONFIRMING &&
                step.stores_intent);
    facts = facts_of(PAYMENT_CONFIRMING, ORDER_PAYING);
    answer = answer_of(PROVIDER_CONFIRM, PROVIDER_AUTHORISED);
    step = payment_after(&facts, &answer);
    assert_true(step.effect == PAYMENT_CONFIRMS && step.state == PAYMENT_CAPTURING && step.call == PROVIDER_CAPTURE);
    facts = facts_of(PAYMENT_CAPTURING, ORDER_CONFIRMED);
    answer = answer_of(PROVIDER_CAPTURE, PROVIDER_CAPTURED);
    step = payment_after(&facts, &answer);
    assert_true(step.is_end && step.state == PAYMENT_CAPTURED && step.effect == PAYMENT_NO_EFFECT && !step.dead);
}

// A question that is no page to go to can be put to nobody: what cannot be answered keeps no places. One that became so while the visitor was about to
// answer (who may have gone on with it elsewhere) has the time of the hold, and no longer.
static void test_a_question_without_a_page_is_asked_of_nobody(void **state)
{
    (void)state;
    static const enum payment_state before[] = {PAYMENT_CREATED, PAYMENT_CONFIRMING};
    struct provider_answer answer = answer_of(PROVIDER_ASK, PROVIDER_ACTION_REQUIRED);
    answer.intent.action_url[0] = '\0';
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        struct payment_facts facts = facts_of(before[i], ORDER_PAYING);
        struct payment_step step = payment_after(&facts, &answer);
        assert_true(step.state == PAYMENT_VOIDING && step.has_call && step.call == PROVIDER_CANCEL);
        assert_true(step.effect == PAYMENT_NO_EFFECT && step.stores_intent == !facts.has_intent);
    }
    struct payment_facts facts = facts_of(PAYMENT_VOIDING, ORDER_PAYING);
    struct provider_answer gone = answer_of(PROVIDER_CANCEL, PROVIDER_CANCELLED);
    struct payment_step step = payment_after(&facts, &gone);
    assert_true(step.state == PAYMENT_VOIDED && step.effect == PAYMENT_DECLINES && step.reason == ORDER_CARD_DECLINED);
    static const enum order_state bookings[] = {ORDER_PAYING, ORDER_ACTION_REQUIRED};
    for (size_t i = 0; i < sizeof(bookings) / sizeof(bookings[0]); i++) {
        facts = facts_of(PAYMENT_CHALLENGED, bookings[i]);
        step = payment_after(&facts, &answer);
        assert_true(step.state == PAYMENT_CHALLENGED && !step.has_call && step.tries == 0);
        assert_true(step.effect == PAYMENT_NO_EFFECT && step.wait_seconds == PAYMENT_CHALLENGE_SECONDS);
        facts.aim = PAYMENT_CLOSE; // the hold's end
        step = payment_after(&facts, &answer);
        assert_true(step.state == PAYMENT_VOIDING && step.call == PROVIDER_CANCEL);
    }
}

static void test_whoever_takes_over_asks_first(void **state)
{
    (void)state;
    static const enum payment_state all[] = {PAYMENT_CONFIRMING, PAYMENT_CHALLENGED, PAYMENT_CAPTURING,
                                             PAYMENT_REFUNDING, PAYMENT_DECLINED};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct payment_facts facts = facts_of(all[i], ORDER_PAYING);
        struct payment_step step = payment_next(&facts);
        assert_true(step.has_call && step.call == PROVIDER_ASK && step.state == all[i]);
    }
}

static void test_no_answer_is_asked_about_and_becomes_a_dead_letter_once(void **state)
{
    (void)state;
    struct payment_facts facts = facts_of(PAYMENT_CONFIRMING, ORDER_PAYING);
    const struct provider_answer answer = {.call = PROVIDER_CONFIRM, .result = PROVIDER_UNKNOWN};
    unsigned dead = 0;
    int64_t waited = 0;
    for (uint32_t i = 1; i <= 20; i++) {
        struct payment_step step = payment_after(&facts, &answer);
        assert_true(step.state == PAYMENT_CONFIRMING && !step.has_call && !step.is_end && step.tries == i);
        assert_true(step.wait_seconds >= 1 && step.wait_seconds <= 600);
        waited += step.wait_seconds;
        if (step.dead) {
            assert_string_equal(step.dead, PAYMENT_DEAD_UNKNOWN);
            assert_int_equal(step.effect, PAYMENT_DELAYS);
            assert_int_equal(i, PAYMENT_DEAD_TRIES);
            assert_true(waited > 1800 && waited < 7200);
            facts.is_dead = true;
            dead++;
        } else {
            assert_int_equal(step.effect, PAYMENT_NO_EFFECT);
        }
        facts.tries = step.tries;
    }
    assert_int_equal(dead, 1);
}

static void test_a_key_that_is_spent_is_not_used_again(void **state)
{
    (void)state;
    struct payment_facts facts = facts_of(PAYMENT_CONFIRMING, ORDER_PAYING);
    const struct provider_answer answer = {.call = PROVIDER_CONFIRM, .result = PROVIDER_UNKNOWN, .is_key_spent = true};
    assert_true(payment_after(&facts, &answer).takes_new_key);
    const struct provider_answer busy = {.call = PROVIDER_CONFIRM, .result = PROVIDER_BUSY, .retry_after_ms = 7001};
    struct payment_step step = payment_after(&facts, &busy);
    assert_true(!step.takes_new_key && step.wait_seconds == 8);
    // What was certainly not done is not kept waiting for long, and is no operator's before long.
    const struct provider_answer refused = {.call = PROVIDER_CREATE, .result = PROVIDER_BUSY};
    facts = facts_of(PAYMENT_CREATED, ORDER_PAYING);
    for (uint32_t i = 1; i <= PAYMENT_DEAD_TRIES_BUSY; i++) {
        step = payment_after(&facts, &refused);
        assert_true(step.wait_seconds <= PAYMENT_BUSY_SECONDS_MAX && step.tries == i);
        assert_int_equal(step.dead != NULL, i == PAYMENT_DEAD_TRIES_BUSY);
        facts.tries = step.tries;
    }
}

static void test_another_amount_is_given_back(void **state)
{
    (void)state;
    static const struct {
        enum payment_state state;
        enum provider_call call;
        enum provider_status status;
        enum payment_state to;
    } cases[] = {
        {PAYMENT_CREATED, PROVIDER_CREATE, PROVIDER_UNCONFIRMED, PAYMENT_VOIDING},
        {PAYMENT_CONFIRMING, PROVIDER_CONFIRM, PROVIDER_AUTHORISED, PAYMENT_VOIDING},
        {PAYMENT_CONFIRMING, PROVIDER_ASK, PROVIDER_CAPTURED, PAYMENT_REFUNDING},
        {PAYMENT_CHALLENGED, PROVIDER_ASK, PROVIDER_ACTION_REQUIRED, PAYMENT_VOIDING},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (int what = 0; what < 2; what++) {
            struct payment_facts facts = facts_of(cases[i].state, ORDER_PAYING);
            struct provider_answer answer = answer_of(cases[i].call, cases[i].status);
            if (what == 0)
                answer.intent.amount = AMOUNT - 1;
            else
                memcpy(answer.intent.currency, "USD", 4);
            struct payment_step step = payment_after(&facts, &answer);
            assert_int_equal(step.state, cases[i].to);
            assert_int_equal(step.aim, PAYMENT_GIVE_BACK);
            assert_int_equal(step.stores_intent, !facts.has_intent); // or nobody could let it go
            assert_string_equal(step.dead, PAYMENT_DEAD_WRONG);
            assert_int_equal(step.effect, PAYMENT_NO_EFFECT);
        }
    }
    // Once it is let go, the booking fails.
    struct payment_facts facts = facts_of(PAYMENT_VOIDING, ORDER_PAYING);
    facts.aim = PAYMENT_GIVE_BACK;
    struct provider_answer answer = answer_of(PROVIDER_CANCEL, PROVIDER_CANCELLED);
    struct payment_step step = payment_after(&facts, &answer);
    assert_true(step.effect == PAYMENT_FAILS && step.reason == ORDER_PAYMENT_FAILED && step.is_end);
}

static void test_a_stopped_event_authorises_nothing_new(void **state)
{
    (void)state;
    struct payment_facts facts = facts_of(PAYMENT_CREATED, ORDER_PAYING);
    facts.is_stopped = true;
    assert_false(payment_next(&facts).has_call);
    struct provider_answer answer = answer_of(PROVIDER_CREATE, PROVIDER_UNCONFIRMED);
    struct payment_step step = payment_after(&facts, &answer);
    assert_true(!step.has_call && step.state == PAYMENT_CREATED && step.stores_intent && step.wait_seconds == 1);
    // For as long as that takes, the provider is left alone; then it goes on.
    facts.has_intent = true;
    assert_false(payment_next(&facts).has_call);
    facts.is_stopped = false;
    step = payment_next(&facts);
    assert_true(step.call == PROVIDER_ASK && step.state == PAYMENT_CONFIRMING);
    facts.is_stopped = true;
    facts.aim = PAYMENT_GIVE_BACK;
    assert_true(payment_next(&facts).call == PROVIDER_ASK);
    // It was to be confirmed, and was not: as before.
    facts = facts_of(PAYMENT_CONFIRMING, ORDER_PAYING);
    facts.is_stopped = true;
    answer = answer_of(PROVIDER_ASK, PROVIDER_UNCONFIRMED);
    step = payment_after(&facts, &answer);
    assert_true(!step.has_call && step.state == PAYMENT_CREATED && step.wait_seconds == 1);
    facts = facts_of(PAYMENT_AUTHORISED, ORDER_CONFIRMED);
    facts.is_stopped = true;
    assert_true(payment_next(&facts).call == PROVIDER_CAPTURE);
}

static void test_a_capture_that_fails_keeps_the_ticket(void **state)
{
    (void)state;
    struct payment_facts facts = facts_of(PAYMENT_CAPTURING, ORDER_CONFIRMED);
    struct provider_answer answer = answer_of(PROVIDER_ASK, PROVIDER_CANCELLED);
    struct payment_step step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_FAILED && step.effect == PAYMENT_NO_EFFECT);
    assert_string_equal(step.dead, PAYMENT_DEAD_CAPTURE);
    // Refused, and the intent is as it was: asking for the same again would turn in a circle.
    answer = answer_of(PROVIDER_CAPTURE, PROVIDER_AUTHORISED);
    answer.result = PROVIDER_REFUSED;
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_FAILED && step.is_end);
    facts = facts_of(PAYMENT_REFUNDING, ORDER_CANCELLED);
    facts.was_refused = true;
    answer = answer_of(PROVIDER_ASK, PROVIDER_CAPTURED);
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_FAILED && step.effect == PAYMENT_CANNOT_REFUND);
    assert_string_equal(step.dead, PAYMENT_DEAD_REFUND);
}

// A capture of less is none, and what was captured for a ticket that is cancelled meanwhile goes back.
static void test_what_was_captured(void **state)
{
    (void)state;
    struct payment_facts facts = facts_of(PAYMENT_CAPTURING, ORDER_CONFIRMED);
    struct provider_answer answer = answer_of(PROVIDER_CAPTURE, PROVIDER_CAPTURED);
    answer.intent.captured_amount = AMOUNT - 1;
    struct payment_step step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_FAILED && step.effect == PAYMENT_NO_EFFECT);
    assert_string_equal(step.dead, PAYMENT_DEAD_CAPTURE);
    facts.state = PAYMENT_CAPTURED;
    facts.booking = ORDER_CANCELLED;
    facts.aim = PAYMENT_GIVE_BACK;
    answer = answer_of(PROVIDER_ASK, PROVIDER_CAPTURED);
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDING && step.call == PROVIDER_REFUND);
    // It was neither: the ticket is cancelled, and nothing is reserved any more.
    facts.state = PAYMENT_CAPTURING;
    answer = answer_of(PROVIDER_ASK, PROVIDER_CANCELLED);
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_VOIDED && step.is_end && step.effect == PAYMENT_FREES && !step.dead);
    facts.state = PAYMENT_AUTHORISED;
    step = payment_next(&facts);
    assert_true(step.state == PAYMENT_VOIDING && step.call == PROVIDER_CANCEL);
}

// The hold is over: what the bank has reserved by now is taken, and nothing is begun or asked any more.
static void test_after_the_hold_only_what_is_there_counts(void **state)
{
    (void)state;
    static const enum provider_status unfinished[] = {PROVIDER_UNCONFIRMED, PROVIDER_ACTION_REQUIRED};
    struct payment_facts facts = facts_of(PAYMENT_CHALLENGED, ORDER_ACTION_REQUIRED);
    facts.aim = PAYMENT_CLOSE;
    struct provider_answer answer = answer_of(PROVIDER_ASK, PROVIDER_AUTHORISED);
    struct payment_step step = payment_after(&facts, &answer);
    assert_true(step.effect == PAYMENT_CONFIRMS && step.state == PAYMENT_CAPTURING && step.call == PROVIDER_CAPTURE);
    for (size_t i = 0; i < sizeof(unfinished) / sizeof(unfinished[0]); i++) {
        facts.state = PAYMENT_CONFIRMING;
        answer = answer_of(PROVIDER_ASK, unfinished[i]);
        step = payment_after(&facts, &answer);
        assert_true(step.effect == PAYMENT_NO_EFFECT && step.state == PAYMENT_VOIDING && step.call == PROVIDER_CANCEL);
    }
}

static void test_the_bank_s_question_is_told_once(void **state)
{
    (void)state;
    struct provider_answer answer = answer_of(PROVIDER_ASK, PROVIDER_ACTION_REQUIRED);
    struct payment_facts facts = facts_of(PAYMENT_CONFIRMING, ORDER_PAYING);
    struct payment_step step = payment_after(&facts, &answer);
    assert_true(step.effect == PAYMENT_ASKS_VISITOR && step.state == PAYMENT_CHALLENGED);
    facts = facts_of(PAYMENT_CHALLENGED, ORDER_ACTION_REQUIRED);
    step = payment_after(&facts, &answer);
    assert_true(step.effect == PAYMENT_NO_EFFECT && step.state == PAYMENT_CHALLENGED && step.wait_seconds > 0);
}

// The provider does not do what it was asked for, and the intent is as before.
static void test_what_is_refused_turns_in_no_circle(void **state)
{
    (void)state;
    struct payment_facts facts = facts_of(PAYMENT_CONFIRMING, ORDER_PAYING);
    facts.was_refused = true;
    struct provider_answer answer = answer_of(PROVIDER_ASK, PROVIDER_UNCONFIRMED);
    struct payment_step step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_DECLINED && step.effect == PAYMENT_DECLINES && step.is_end);
    assert_int_equal(step.reason, ORDER_PAYMENT_METHOD_INVALID);
    // What failed could be confirmed once more: it is over when it is cancelled, or cannot even be that.
    facts = facts_of(PAYMENT_VOIDING, ORDER_PAYING);
    answer = answer_of(PROVIDER_ASK, PROVIDER_FAILED);
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_VOIDING && step.call == PROVIDER_CANCEL && step.effect == PAYMENT_NO_EFFECT);
    facts.was_refused = true;
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_VOIDED && step.is_end && step.effect == PAYMENT_DECLINES);
}

// What the bank reserves although nobody waits for it any more, or another payment of the booking is the newest by now, confirms nothing.
static void test_money_that_is_not_waited_for_confirms_nothing(void **state)
{
    (void)state;
    static const enum payment_state states[] = {PAYMENT_CREATED, PAYMENT_CONFIRMING, PAYMENT_CHALLENGED};
    for (size_t i = 0; i < 2 * sizeof(states) / sizeof(states[0]); i++) {
        struct payment_facts facts = facts_of(states[i / 2], ORDER_PAYING);
        if (i % 2)
            facts.aim = PAYMENT_GIVE_BACK;
        else
            facts.is_newest = false;
        struct provider_answer answer = answer_of(PROVIDER_ASK, PROVIDER_AUTHORISED);
        struct payment_step step = payment_after(&facts, &answer);
        assert_true(step.effect == PAYMENT_NO_EFFECT && step.state == PAYMENT_VOIDING);
        assert_true(step.has_call && step.call == PROVIDER_CANCEL);
        answer = answer_of(PROVIDER_ASK, PROVIDER_CAPTURED);
        step = payment_after(&facts, &answer);
        assert_true(step.effect == PAYMENT_NO_EFFECT && step.state == PAYMENT_REFUNDING);
        assert_true(step.has_call && step.call == PROVIDER_REFUND);
    }
}

static void test_a_refund_of_less_is_none(void **state)
{
    (void)state;
    struct payment_facts facts = facts_of(PAYMENT_REFUNDING, ORDER_CANCELLED);
    struct provider_answer answer = answer_of(PROVIDER_REFUND, PROVIDER_CAPTURED);
    answer.intent.refunded_amount = AMOUNT - 1;
    struct payment_step step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDING && !step.is_end && step.effect == PAYMENT_NO_EFFECT);
    struct provider_answer asked = answer_of(PROVIDER_ASK, PROVIDER_CAPTURED);
    asked.intent.refunded_amount = AMOUNT - 1;
    step = payment_after(&facts, &asked);
    assert_true(step.state == PAYMENT_REFUNDING && step.call == PROVIDER_REFUND && step.effect == PAYMENT_NO_EFFECT);
    answer.intent.refunded_amount = AMOUNT;
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDED && step.is_end && step.effect == PAYMENT_FREES && !step.reason);
}

// The provider's answer about a refund that failed is about that refund: it does not know what was captured.
static void test_a_refund_that_failed_is_none(void **state)
{
    (void)state;
    struct payment_facts facts = facts_of(PAYMENT_REFUNDING, ORDER_CANCELLED);
    struct provider_answer answer = {
        .call = PROVIDER_REFUND,
        .result = PROVIDER_REFUSED,
        .code = "refund_failed",
        .is_key_spent = true,
        .refund = "re_1",
        .intent = {.id = "pi_1", .status = PROVIDER_CAPTURED, .currency = "EUR"},
    };
    struct payment_step step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDING && step.has_call && step.call == PROVIDER_ASK && step.takes_new_key);
    facts.was_refused = true;
    answer = answer_of(PROVIDER_ASK, PROVIDER_CAPTURED);
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_FAILED && step.effect == PAYMENT_CANNOT_REFUND && step.is_end);
    assert_string_equal(step.dead, PAYMENT_DEAD_REFUND);
    answer.intent.refunded_amount = AMOUNT; // another one has done it
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDED && step.effect == PAYMENT_FREES && !step.dead);
}

// A card that was closed meanwhile: days after it was done, the refund comes back to the seller.
static void test_a_refund_that_fails_late_is_an_operators(void **state)
{
    (void)state;
    struct payment_facts facts = facts_of(PAYMENT_REFUNDED, ORDER_CANCELLED);
    facts.aim = PAYMENT_GIVE_BACK;
    struct payment_step step = payment_next(&facts);
    assert_true(step.has_call && step.call == PROVIDER_ASK && step.state == PAYMENT_REFUNDED);
    struct provider_answer answer = answer_of(PROVIDER_ASK, PROVIDER_CAPTURED);
    answer.intent.refunded_amount = AMOUNT; // false alarm
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDED && step.is_end && step.effect == PAYMENT_NO_EFFECT && !step.dead);
    answer.intent.refunded_amount = 0;
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_FAILED && step.is_end && step.effect == PAYMENT_CANNOT_REFUND);
    assert_string_equal(step.dead, PAYMENT_DEAD_REFUND);
    assert_true(step.takes_new_key); // the next refund is another one
    // Nobody knows: it is asked about again, and stays what it was.
    answer.result = PROVIDER_UNKNOWN;
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDED && !step.is_end && step.effect == PAYMENT_NO_EFFECT &&
                step.wait_seconds > 0);
}

static struct provider_answer refund_answer(uint64_t refunded, uint64_t refunding)
{
    struct provider_answer answer = answer_of(PROVIDER_REFUND, PROVIDER_CAPTURED);
    memcpy(answer.refund, "re_1", 5);
    answer.intent.refunded_amount = refunded;
    answer.intent.refunding_amount = refunding;
    return answer;
}

// It waits for its bank: nothing is done, nobody is called, and it is looked at again, for as long as it takes.
static void test_a_refund_that_waits_for_its_bank_is_not_done(void **state)
{
    (void)state;
    struct payment_facts facts = facts_of(PAYMENT_REFUNDING, ORDER_CANCELLED);
    facts.aim = PAYMENT_GIVE_BACK;
    struct provider_answer answer = refund_answer(0, AMOUNT);
    struct payment_step step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDING && !step.is_end && !step.has_call && step.stores_refund);
    assert_true(step.effect == PAYMENT_RETURNS && step.wait_seconds == PAYMENT_BANK_SECONDS_MIN);
    facts.has_refund = true;
    int64_t waited = 0, last = 0;
    for (int look = 0; look < 200; look++) {
        facts.state_seconds = waited;
        step = payment_next(&facts);
        assert_true(step.has_call && step.call == PROVIDER_ASK && step.state == PAYMENT_REFUNDING);
        answer = answer_of(PROVIDER_ASK, PROVIDER_CAPTURED);
        answer.intent.refunding_amount = AMOUNT;
        facts.tries = look % 3 ? 0 : PAYMENT_DEAD_TRIES; // between looks at which the provider said nothing
        step = payment_after(&facts, &answer);
        assert_true(step.state == PAYMENT_REFUNDING && !step.has_call && !step.is_end && !step.dead && step.tries == 0);
        assert_int_equal(step.effect, PAYMENT_NO_EFFECT);
        assert_true(step.wait_seconds >= last && step.wait_seconds >= PAYMENT_BANK_SECONDS_MIN &&
                    step.wait_seconds <= PAYMENT_BANK_SECONDS_MAX);
        last = step.wait_seconds;
        waited += last;
    }
    assert_int_equal(last, PAYMENT_BANK_SECONDS_MAX);
    answer.intent.refunding_amount = 0;
    answer.intent.refunded_amount = AMOUNT;
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDED && step.is_end && step.effect == PAYMENT_FREES);
    // A part of it is through, and the rest waits; or the answer to our own was lost.
    facts.has_refund = false;
    answer.intent.refunded_amount = AMOUNT / 3;
    answer.intent.refunding_amount = AMOUNT - AMOUNT / 3;
    answer.intent.has_failed_refund = true; // one of long ago
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDING && !step.has_call && !step.is_end && step.effect == PAYMENT_RETURNS);
}

// That one waits already is no reason to call an operator, whoever began it, and none to begin another.
static void test_no_refund_is_asked_for_while_one_waits(void **state)
{
    (void)state;
    static const enum payment_state states[] = {PAYMENT_CONFIRMING, PAYMENT_CHALLENGED, PAYMENT_CAPTURING,
                                                PAYMENT_CAPTURED,   PAYMENT_VOIDING,    PAYMENT_DECLINED,
                                                PAYMENT_VOIDED};
    struct provider_answer answer = answer_of(PROVIDER_ASK, PROVIDER_CAPTURED);
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        struct payment_facts facts = facts_of(states[i], ORDER_CANCELLED);
        facts.aim = PAYMENT_GIVE_BACK;
        answer.intent.refunding_amount = AMOUNT;
        struct payment_step step = payment_after(&facts, &answer);
        assert_true(step.state == PAYMENT_REFUNDING && step.has_call && step.call == PROVIDER_ASK);
        answer.intent.refunding_amount = AMOUNT - 1;
        step = payment_after(&facts, &answer);
        assert_true(step.state == PAYMENT_REFUNDING && step.has_call && step.call == PROVIDER_REFUND);
    }
    struct payment_facts facts = facts_of(PAYMENT_REFUNDING, ORDER_CANCELLED);
    facts.was_refused = true; // ours was, since there is one
    answer.intent.refunding_amount = AMOUNT;
    struct payment_step step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDING && !step.has_call && !step.dead);
    // It buys nothing either.
    facts = facts_of(PAYMENT_CONFIRMING, ORDER_PAYING);
    answer.intent.refunding_amount = 1;
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDING && step.effect == PAYMENT_NO_EFFECT);
}

static void test_a_refund_that_fails_later_is_an_operator_s(void **state)
{
    (void)state;
    static const enum payment_state states[] = {PAYMENT_REFUNDING, PAYMENT_REFUNDED};
    for (size_t i = 0; i < 2; i++) {
        struct payment_facts facts = facts_of(states[i], ORDER_CANCELLED);
        facts.aim = PAYMENT_GIVE_BACK;
        facts.has_refund = facts.is_dead = true;
        assert_int_equal(payment_next(&facts).call, PROVIDER_ASK);
        struct provider_answer answer = answer_of(PROVIDER_ASK, PROVIDER_CAPTURED);
        answer.intent.has_failed_refund = true;
        struct payment_step step = payment_after(&facts, &answer);
        assert_true(step.state == PAYMENT_FAILED && step.is_end && step.effect == PAYMENT_CANNOT_REFUND);
        assert_string_equal(step.dead, PAYMENT_DEAD_REFUND);
        assert_true(step.takes_new_key); // or the provider would repeat its answer about the one that failed
        // Somebody has done it by hand meanwhile.
        answer.intent.refunded_amount = AMOUNT;
        step = payment_after(&facts, &answer);
        assert_true(step.state == PAYMENT_REFUNDED && step.is_end && !step.dead);
    }
    // An operator has it tried again: what failed before does not count any more.
    struct payment_facts facts = facts_of(PAYMENT_REFUNDING, ORDER_CANCELLED);
    struct provider_answer answer = answer_of(PROVIDER_ASK, PROVIDER_CAPTURED);
    answer.intent.has_failed_refund = true;
    struct payment_step step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDING && step.call == PROVIDER_REFUND && !step.takes_new_key);
    // What the provider repeats under the key was so when it was said first.
    answer = refund_answer(AMOUNT, 0);
    answer.is_replayed = true;
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDING && step.has_call && step.call == PROVIDER_ASK && step.stores_refund);
    // The provider has nothing to say about one that was done: it is asked again, and nothing else.
    facts.state = PAYMENT_REFUNDED;
    const struct provider_answer lost = {.call = PROVIDER_ASK, .result = PROVIDER_UNKNOWN};
    step = payment_after(&facts, &lost);
    assert_true(step.state == PAYMENT_REFUNDED && !step.is_end && step.wait_seconds > 0 && !step.has_call);
    answer = answer_of(PROVIDER_ASK, PROVIDER_CAPTURED);
    answer.intent.refunding_amount = AMOUNT; // it waits once more
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDED && !step.is_end && step.wait_seconds > 0 && !step.has_call);
}

// Money that was taken by mistake, of a visitor who still waits for a ticket: that none comes of it is certain before the bank has done its part.
static void test_nobody_waits_for_the_bank_to_be_turned_away(void **state)
{
    (void)state;
    static const struct {
        enum payment_aim aim;
        enum payment_effect effect;
        enum order_reason reason;
    } cases[] = {{PAYMENT_TAKE, PAYMENT_DECLINES, ORDER_CARD_DECLINED},
                 {PAYMENT_CLOSE, PAYMENT_EXPIRES, ORDER_NO_REASON},
                 {PAYMENT_GIVE_BACK, PAYMENT_FAILS, ORDER_PAYMENT_FAILED}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct payment_facts facts = facts_of(PAYMENT_REFUNDING, ORDER_PAYING);
        facts.aim = cases[i].aim;
        struct provider_answer answer = refund_answer(0, AMOUNT);
        struct payment_step step = payment_after(&facts, &answer);
        assert_true(step.state == PAYMENT_REFUNDING && !step.is_end && step.effect == cases[i].effect);
        assert_int_equal(step.reason, cases[i].reason);
    }
}

// Money that was taken at the provider's, and not as it was asked for, goes back while the visitor still waits for a ticket.
static void test_a_booking_whose_money_went_back_is_not_forgotten(void **state)
{
    (void)state;
    static const struct {
        enum payment_aim aim;
        enum payment_effect effect;
    } cases[] = {
        {PAYMENT_TAKE, PAYMENT_DECLINES}, {PAYMENT_CLOSE, PAYMENT_EXPIRES}, {PAYMENT_GIVE_BACK, PAYMENT_FAILS}};
    struct payment_facts facts = facts_of(PAYMENT_CONFIRMING, ORDER_PAYING);
    struct provider_answer answer = answer_of(PROVIDER_ASK, PROVIDER_CAPTURED);
    answer.intent.captured_amount = AMOUNT / 2;
    struct payment_step step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDING && step.call == PROVIDER_REFUND);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        facts = facts_of(PAYMENT_REFUNDING, ORDER_PAYING);
        facts.aim = cases[i].aim;
        answer = answer_of(PROVIDER_REFUND, PROVIDER_CAPTURED);
        answer.intent.refunded_amount = AMOUNT;
        step = payment_after(&facts, &answer);
        assert_true(step.state == PAYMENT_REFUNDED && step.is_end);
        assert_int_equal(step.effect, cases[i].effect);
        assert_true(cases[i].effect != PAYMENT_EXPIRES || !step.reason); // no bank has said no
        answer = answer_of(PROVIDER_ASK, PROVIDER_CAPTURED);
        answer.intent.refunded_amount = AMOUNT;
        step = payment_after(&facts, &answer);
        assert_int_equal(step.effect, cases[i].effect);
        // It cannot go back: no ticket comes of it all the same, and an operator is called.
        facts.was_refused = true;
        answer.intent.refunded_amount = 0;
        step = payment_after(&facts, &answer);
        assert_true(step.state == PAYMENT_FAILED && step.effect == PAYMENT_FAILS &&
                    step.reason == ORDER_PAYMENT_FAILED);
        assert_string_equal(step.dead, PAYMENT_DEAD_REFUND);
    }
}

// What has come to an end stays there, whatever a provider says that has lost count. Meanwhile the visitor may have begun to pay with another
// card.
static void test_an_end_is_an_end(void **state)
{
    (void)state;
    static const struct {
        enum payment_state state;
        enum provider_call call;
        enum provider_result result;
        enum provider_status status;
    } cases[] = {
        {PAYMENT_DECLINED, PROVIDER_ASK, PROVIDER_DECLINED, PROVIDER_FAILED},
        {PAYMENT_DECLINED, PROVIDER_ASK, PROVIDER_DONE, PROVIDER_FAILED},
        {PAYMENT_DECLINED, PROVIDER_CREATE, PROVIDER_REFUSED, PROVIDER_UNCONFIRMED},
        {PAYMENT_CAPTURED, PROVIDER_CAPTURE, PROVIDER_DONE, PROVIDER_CAPTURED},
        {PAYMENT_VOIDED, PROVIDER_CANCEL, PROVIDER_DONE, PROVIDER_CANCELLED},
        {PAYMENT_FAILED, PROVIDER_CAPTURE, PROVIDER_DECLINED, PROVIDER_FAILED},
        {PAYMENT_FAILED, PROVIDER_ASK, PROVIDER_DONE, PROVIDER_FAILED},
        {PAYMENT_FAILED, PROVIDER_ASK, PROVIDER_DONE, PROVIDER_CANCELLED},
    };
    static const enum order_state bookings[] = {ORDER_DECLINED, ORDER_PAYING, ORDER_CONFIRMED};
    for (size_t i = 0; i < 3 * sizeof(cases) / sizeof(cases[0]); i++) {
        struct payment_facts facts = facts_of(cases[i / 3].state, bookings[i % 3]);
        facts.is_newest = bookings[i % 3] != ORDER_PAYING;
        struct provider_answer answer = answer_of(cases[i / 3].call, cases[i / 3].status);
        answer.result = cases[i / 3].result;
        if (answer.result == PROVIDER_REFUSED)
            answer.intent.id[0] = '\0';
        struct payment_step step = payment_after(&facts, &answer);
        assert_int_equal(step.state, facts.state);
        assert_true(step.is_end && !step.has_call && !step.dead);
        assert_true(step.effect == PAYMENT_NO_EFFECT || step.effect == PAYMENT_FREES);
    }
}

// An operator has cancelled while it was being captured: whatever the bank says to the capture, the money is let go, and nobody has to be called.
static void test_what_cannot_be_captured_and_is_not_wanted_is_let_go(void **state)
{
    (void)state;
    static const struct {
        enum provider_call call;
        enum provider_result result;
        enum provider_status status;
        uint64_t amount;
    } cases[] = {
        {PROVIDER_CAPTURE, PROVIDER_DECLINED, PROVIDER_AUTHORISED, AMOUNT},
        {PROVIDER_ASK, PROVIDER_DONE, PROVIDER_FAILED, AMOUNT},
        {PROVIDER_ASK, PROVIDER_DONE, PROVIDER_AUTHORISED, AMOUNT - 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct payment_facts facts = facts_of(PAYMENT_CAPTURING, ORDER_CANCELLED);
        facts.aim = PAYMENT_GIVE_BACK;
        struct provider_answer answer = answer_of(cases[i].call, cases[i].status);
        answer.result = cases[i].result;
        answer.intent.amount = cases[i].amount;
        struct payment_step step = payment_after(&facts, &answer);
        assert_int_equal(step.state, PAYMENT_VOIDING);
        assert_true(step.has_call && step.call == PROVIDER_CANCEL);
        assert_true(!step.dead || cases[i].amount != AMOUNT);
    }
    struct payment_facts facts = facts_of(PAYMENT_CAPTURING, ORDER_CANCELLED);
    facts.aim = PAYMENT_GIVE_BACK;
    struct provider_answer answer = answer_of(PROVIDER_ASK, PROVIDER_CANCELLED);
    answer.intent.amount = AMOUNT - 1;
    struct payment_step step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_VOIDED && step.is_end && step.effect == PAYMENT_FREES);
    answer = answer_of(PROVIDER_ASK, PROVIDER_CAPTURED);
    answer.intent.amount = AMOUNT - 1;
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_REFUNDING && step.call == PROVIDER_REFUND);
}

// It was taken and given back again: by hand at the provider's, or by a payer whose writing an older backup has forgotten.
static void test_money_that_went_back_buys_nothing(void **state)
{
    (void)state;
    static const enum payment_state states[] = {PAYMENT_CREATED, PAYMENT_CONFIRMING, PAYMENT_CHALLENGED};
    struct provider_answer answer = answer_of(PROVIDER_ASK, PROVIDER_CAPTURED);
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        struct payment_facts facts = facts_of(states[i], ORDER_PAYING);
        answer.intent.refunded_amount = AMOUNT;
        struct payment_step step = payment_after(&facts, &answer);
        assert_true(step.effect == PAYMENT_NO_EFFECT && step.state == PAYMENT_REFUNDING);
        answer.intent.refunded_amount = 1; // not the price any more
        step = payment_after(&facts, &answer);
        assert_true(step.effect == PAYMENT_NO_EFFECT && step.state == PAYMENT_REFUNDING);
    }
    // The ticket is given already: somebody has to look. What was given back in part is the seller's affair.
    struct payment_facts facts = facts_of(PAYMENT_CAPTURING, ORDER_CONFIRMED);
    answer.intent.refunded_amount = AMOUNT;
    struct payment_step step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_FAILED && step.effect == PAYMENT_NO_EFFECT);
    assert_string_equal(step.dead, PAYMENT_DEAD_CAPTURE);
    answer.intent.refunded_amount = AMOUNT - 1;
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_CAPTURED && step.is_end && !step.dead);
}

// What is found at the provider and given back takes long; the visitor pays with something else meanwhile, and hears nothing of it.
static void test_only_the_payment_that_is_waited_for_takes_longer(void **state)
{
    (void)state;
    struct payment_facts facts = facts_of(PAYMENT_REFUNDING, ORDER_PAYING);
    const struct provider_answer answer = {.call = PROVIDER_ASK, .result = PROVIDER_UNKNOWN};
    facts.tries = PAYMENT_DEAD_TRIES - 1;
    facts.is_newest = false;
    struct payment_step step = payment_after(&facts, &answer);
    assert_string_equal(step.dead, PAYMENT_DEAD_REFUND);
    assert_int_equal(step.effect, PAYMENT_NO_EFFECT);
    facts.is_newest = true;
    assert_int_equal(payment_after(&facts, &answer).effect, PAYMENT_DELAYS);
}

// The provider tells of money of a payment that had ended, while the visitor pays with another card.
static void test_an_end_is_opened_again_only_when_nothing_else_is_open(void **state)
{
    (void)state;
    static const enum payment_state ends[] = {PAYMENT_DECLINED, PAYMENT_VOIDED};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct payment_facts facts = facts_of(ends[i], ORDER_PAYING);
        facts.is_newest = false;
        facts.has_other_open = true;
        struct provider_answer answer = answer_of(PROVIDER_ASK, PROVIDER_AUTHORISED);
        struct payment_step step = payment_after(&facts, &answer);
        assert_true(step.state == ends[i] && !step.has_call && !step.is_end && step.wait_seconds == 1);
        facts.has_other_open = false;
        step = payment_after(&facts, &answer);
        assert_true(step.state == PAYMENT_VOIDING && step.call == PROVIDER_CANCEL);
        facts.has_other_open = true;
        answer = answer_of(PROVIDER_ASK, PROVIDER_CAPTURED); // what goes back is not open
        step = payment_after(&facts, &answer);
        assert_true(step.state == PAYMENT_REFUNDING && step.call == PROVIDER_REFUND);
    }
}

static void test_an_intent_that_the_provider_does_not_know_is_named_again(void **state)
{
    (void)state;
    struct payment_facts facts = facts_of(PAYMENT_CONFIRMING, ORDER_PAYING);
    const struct provider_answer answer = {.call = PROVIDER_ASK, .result = PROVIDER_REFUSED};
    struct payment_step step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_CREATED && step.forgets_intent && !step.has_call && step.tries == 1);
    facts.has_new_key = true; // another key would name another intent
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_CONFIRMING && !step.forgets_intent && step.tries == 1);
    facts.has_new_key = false;
    facts.state = PAYMENT_CAPTURING; // that something was reserved is known
    step = payment_after(&facts, &answer);
    assert_true(step.state == PAYMENT_CAPTURING && !step.forgets_intent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_usual_way),
        cmocka_unit_test(test_a_question_without_a_page_is_asked_of_nobody),
        cmocka_unit_test(test_whoever_takes_over_asks_first),
        cmocka_unit_test(test_no_answer_is_asked_about_and_becomes_a_dead_letter_once),
        cmocka_unit_test(test_a_key_that_is_spent_is_not_used_again),
        cmocka_unit_test(test_another_amount_is_given_back),
        cmocka_unit_test(test_a_stopped_event_authorises_nothing_new),
        cmocka_unit_test(test_a_capture_that_fails_keeps_the_ticket),
        cmocka_unit_test(test_what_was_captured),
        cmocka_unit_test(test_after_the_hold_only_what_is_there_counts),
        cmocka_unit_test(test_the_bank_s_question_is_told_once),
        cmocka_unit_test(test_what_is_refused_turns_in_no_circle),
        cmocka_unit_test(test_money_that_is_not_waited_for_confirms_nothing),
        cmocka_unit_test(test_a_refund_of_less_is_none),
        cmocka_unit_test(test_a_refund_that_failed_is_none),
        cmocka_unit_test(test_a_refund_that_fails_late_is_an_operators),
        cmocka_unit_test(test_a_refund_that_waits_for_its_bank_is_not_done),
        cmocka_unit_test(test_no_refund_is_asked_for_while_one_waits),
        cmocka_unit_test(test_a_refund_that_fails_later_is_an_operator_s),
        cmocka_unit_test(test_nobody_waits_for_the_bank_to_be_turned_away),
        cmocka_unit_test(test_a_booking_whose_money_went_back_is_not_forgotten),
        cmocka_unit_test(test_an_end_is_an_end),
        cmocka_unit_test(test_what_cannot_be_captured_and_is_not_wanted_is_let_go),
        cmocka_unit_test(test_money_that_went_back_buys_nothing),
        cmocka_unit_test(test_only_the_payment_that_is_waited_for_takes_longer),
        cmocka_unit_test(test_an_end_is_opened_again_only_when_nothing_else_is_open),
        cmocka_unit_test(test_an_intent_that_the_provider_does_not_know_is_named_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
