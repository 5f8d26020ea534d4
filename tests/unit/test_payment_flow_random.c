// links: booking-worker
// SPDX-License-Identifier: Apache-2.0
// Payments in a small world in which calls get lost before or after they were done, come late, come twice, are
// answered with errors that are repeated for ever, in which payers die, visitors answer their bank or give back, operators cancel and holds run
// out. After every step: nothing that may be somebody's money is given away; at the end: money taken exactly for what is confirmed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "booking-worker/payment_flow.h"

#define AMOUNT 9000
#define SCHEDULES 100000
#define STEPS 60
#define PAYMENTS_MAX 6 // of one booking
#define KEYS_MAX 40
#define LATE_MAX 4

// ---------------------------------------------------------------- a small world

struct bank_answer {
    bool is_there;
    enum provider_result result;
};

struct late_call {
    bool is_there;
    unsigned payment, key_no;
    enum provider_call call;
};

struct world_payment {
    struct payment_facts facts;
    unsigned key_no;
    bool is_due;
    // At the bank.
    bool exists, is_challenged, says_no, asks, fails_at_last;
    enum provider_status status;
    uint64_t captured, refunded;
    struct bank_answer answers[PROVIDER_CALL_COUNT][KEYS_MAX];
};

struct world {
    uint64_t seed;
    enum order_state booking;
    unsigned count; // of payments
    struct world_payment payments[PAYMENTS_MAX];
    struct late_call late[LATE_MAX];
    bool is_freed, waits_for_payment, refund_pending, refund_done;
    bool is_over; // the hold
    bool is_quiet; // nothing goes wrong any more
    unsigned confirmed_count;
};

static uint64_t next_random(struct world *world)
{
    world->seed ^= world->seed << 13;
    world->seed ^= world->seed >> 7;
    world->seed ^= world->seed << 17;
    return world->seed;
}

static unsigned pick(struct world *world, unsigned count)
{
    return (unsigned)((next_random(world) >> 33) % count);
}

static void begin_payment(struct world *world)
{
    struct world_payment *payment = &world->payments[world->count++];
    *payment = (struct world_payment){
        .facts =
            {
                .state = PAYMENT_CREATED,
                .is_newest = true,
                .amount = AMOUNT,
                .currency = "EUR",
                .has_booking = true,
                .booking = ORDER_PAYING,
            },
        .is_due = true,
        .says_no = pick(world, 4) == 0,
        .asks = pick(world, 3) == 0,
    };
    world->booking = ORDER_PAYING;
}

// Does what the call says at the bank, unless its key was used before.
static enum provider_result carry_out(struct world *world, unsigned number, enum provider_call call, unsigned key_no)
{
    struct world_payment *payment = &world->payments[number];
    struct bank_answer *stored = &payment->answers[call][key_no % KEYS_MAX];
    if (call != PROVIDER_ASK && stored->is_there)
        return stored->result;
    enum provider_result result = PROVIDER_DONE;
    bool is_error = !world->is_quiet && pick(world, 8) == 0;
    if (is_error && call != PROVIDER_ASK) {
        *stored = (struct bank_answer){.is_there = true, .result = PROVIDER_UNKNOWN};
        if (pick(world, 2))
            return PROVIDER_UNKNOWN; // nothing was done, and that is what the key will say for ever
    }
    switch (call) {
    case PROVIDER_CREATE:
        if (payment->exists)
            break; // another intent, which nobody will confirm
        payment->exists = true;
        payment->status = PROVIDER_UNCONFIRMED;
        break;
    case PROVIDER_CONFIRM:
        if (payment->status != PROVIDER_UNCONFIRMED)
            result = PROVIDER_REFUSED;
        else if (payment->says_no)
            result = PROVIDER_DECLINED, payment->status = PROVIDER_FAILED;
        else
            payment->status = payment->asks ? PROVIDER_ACTION_REQUIRED : PROVIDER_AUTHORISED;
        break;
    case PROVIDER_CAPTURE:
        if (payment->status == PROVIDER_AUTHORISED)
            payment->status = PROVIDER_CAPTURED, payment->captured = AMOUNT;
        else
            result = PROVIDER_REFUSED;
        break;
    case PROVIDER_CANCEL:
        if (payment->status == PROVIDER_CAPTURED || payment->status == PROVIDER_CANCELLED)
            result = PROVIDER_REFUSED;
        else
            payment->status = PROVIDER_CANCELLED;
        break;
    case PROVIDER_REFUND:
        if (payment->status != PROVIDER_CAPTURED || payment->refunded)
            result = PROVIDER_REFUSED;
        else
            payment->refunded = AMOUNT;
        break;
    default:
        break;
    }
    if (call != PROVIDER_ASK)
        *stored = (struct bank_answer){.is_there = true, .result = is_error ? PROVIDER_UNKNOWN : result};
    return is_error ? PROVIDER_UNKNOWN : result;
}

static struct provider_answer say(struct world *world, unsigned number, enum provider_call call,
                                  enum provider_result result)
{
    const struct world_payment *payment = &world->payments[number];
    struct provider_answer answer = {.call = call, .result = result};
    bool tells = result == PROVIDER_DONE || result == PROVIDER_DECLINED ||
                 (result == PROVIDER_REFUSED && pick(world, 2)); // some refusals say what is, others do not
    if (tells && payment->exists) {
        answer.intent = (struct provider_intent){
            .id = "pi",
            .status = payment->status,
            .amount = AMOUNT,
            .currency = "EUR",
            .captured_amount = payment->captured,
            .refunded_amount = payment->refunded,
            .reason = payment->status == PROVIDER_FAILED ? ORDER_CARD_DECLINED : ORDER_NO_REASON,
        };
        bool is_page = payment->status == PROVIDER_ACTION_REQUIRED && pick(world, 8);
        if (is_page) // else the bank asks, and there is no page for it
            snprintf(answer.intent.action_url, sizeof(answer.intent.action_url), "https://bank.example/");
    }
    answer.is_key_spent = result == PROVIDER_UNKNOWN && call != PROVIDER_ASK;
    return answer;
}

static void change_booking(struct world *world, enum order_state to)
{
    bool is_direct = world->booking == to || order_may_become(world->booking, to, ORDER_BY_SYSTEM);
    bool is_by_paying = order_may_become(world->booking, ORDER_PAYING, ORDER_BY_SYSTEM) &&
                        order_may_become(ORDER_PAYING, to, ORDER_BY_SYSTEM);
    if (!is_direct && !is_by_paying)
        fail_msg("%s cannot become %s", order_state_name(world->booking), order_state_name(to));
    world->booking = to;
}

static void apply(struct world *world, unsigned number, const struct payment_step *step)
{
    struct world_payment *payment = &world->payments[number];
    switch (step->effect) {
    case PAYMENT_CONFIRMS:
        change_booking(world, ORDER_CONFIRMED);
        world->confirmed_count++;
        break;
    case PAYMENT_DECLINES:
        change_booking(world, ORDER_DECLINED);
        break;
    case PAYMENT_ASKS_VISITOR:
        change_booking(world, ORDER_ACTION_REQUIRED);
        break;
    case PAYMENT_EXPIRES:
        change_booking(world, ORDER_EXPIRED);
        world->is_freed = true;
        break;
    case PAYMENT_FAILS:
        change_booking(world, ORDER_FAILED);
        world->is_freed = true;
        break;
    case PAYMENT_FREES:
        if (world->waits_for_payment)
            world->is_freed = true;
        world->waits_for_payment = false;
        if (world->refund_pending)
            world->refund_done = true;
        world->refund_pending = false;
        break;
    case PAYMENT_CANNOT_REFUND:
        fail_msg("every refund of this bank can be done");
        break;
    default:
        break;
    }
    payment->facts.state = step->state;
    payment->facts.aim = step->aim;
    payment->facts.tries = step->tries;
    payment->facts.is_dead = payment->facts.is_dead || step->dead;
    payment->facts.has_intent = payment->facts.has_intent || step->stores_intent;
    payment->key_no += step->takes_new_key;
    payment->is_due = !step->is_end;
}

// ---------------------------------------------------------------- visitors and operators

static void visitor_acts(struct world *world)
{
    struct world_payment *newest = &world->payments[world->count - 1];
    switch (world->booking) {
    case ORDER_ACTION_REQUIRED:
        if (pick(world, 3) == 0) {
            world->booking = ORDER_CANCELLED;
            world->waits_for_payment = true;
            newest->facts.aim = PAYMENT_GIVE_BACK;
            newest->is_due = true;
        } else if (newest->status == PROVIDER_ACTION_REQUIRED) {
            newest->status = pick(world, 3) ? PROVIDER_AUTHORISED : PROVIDER_FAILED;
        }
        break;
    case ORDER_DECLINED:
        if (world->count < PAYMENTS_MAX - 1 && !world->is_over)
            begin_payment(world);
        break;
    case ORDER_CONFIRMED:
        if (pick(world, 2) == 0) { // an operator
            world->booking = ORDER_CANCELLED;
            world->refund_pending = true;
            newest->facts.aim = PAYMENT_GIVE_BACK;
            newest->is_due = true;
        }
        break;
    default:
        break;
    }
}

// ---------------------------------------------------------------- payers

static struct payment_facts look(const struct world *world, unsigned number, bool was_refused)
{
    struct payment_facts facts = world->payments[number].facts;
    facts.booking = world->booking;
    facts.is_newest = number + 1 == world->count;
    for (unsigned i = 0; i < world->count; i++)
        facts.has_other_open |= i != number && payment_is_open(world->payments[i].facts.state);
    facts.was_refused = was_refused;
    facts.has_new_key = world->payments[number].key_no > 0;
    return facts;
}

// One payer takes the payment and goes on with it until it has nothing more to call, or dies.
static void pay(struct world *world, unsigned number)
{
    struct world_payment *payment = &world->payments[number];
    struct payment_facts facts = look(world, number, false);
    struct payment_step step = payment_next(&facts);
    bool was_refused = false;
    if (facts.state == PAYMENT_CHALLENGED && facts.aim == PAYMENT_TAKE && world->is_over)
        step.aim = PAYMENT_CLOSE;
    payment->facts.state = step.state;
    payment->facts.aim = step.aim;
    payment->is_due = !step.is_end;
    for (unsigned i = 0; step.has_call && i < 20; i++) {
        enum provider_call call = step.call;
        unsigned key_no = payment->key_no;
        unsigned luck = world->is_quiet ? 0 : pick(world, 10);
        if (luck == 9)
            return; // it dies before the call
        if (luck == 8) { // the call gets stuck on the way, and may come late
            world->late[pick(world, LATE_MAX)] =
                (struct late_call){.is_there = true, .payment = number, .key_no = key_no, .call = call};
            if (pick(world, 2))
                return;
            facts = look(world, number, was_refused);
            const struct provider_answer lost = {.call = call, .result = PROVIDER_UNKNOWN};
            step = payment_after(&facts, &lost);
        } else {
            enum provider_result result = luck == 7 ? PROVIDER_BUSY : carry_out(world, number, call, key_no);
            if (luck == 6)
                return; // it dies with the answer in its hand
            struct provider_answer answer = say(world, number, call, result);
            if (luck == 5) {
                answer = (struct provider_answer){.call = call, .result = PROVIDER_UNKNOWN}; // the answer gets lost
                result = PROVIDER_UNKNOWN;
            }
            facts = look(world, number, was_refused);
            step = payment_after(&facts, &answer);
            was_refused = result == PROVIDER_REFUSED && step.has_call && step.call == PROVIDER_ASK;
        }
        apply(world, number, &step);
    }
    assert_true(!step.has_call || !world->is_quiet);
}

static bool has_money(const struct world_payment *payment)
{
    return payment->status == PROVIDER_AUTHORISED || payment->captured > payment->refunded;
}

// ---------------------------------------------------------------- time

static void time_passes(struct world *world)
{
    struct late_call *late = &world->late[pick(world, LATE_MAX)];
    if (late->is_there)
        (void)carry_out(world, late->payment, late->call, late->key_no);
    late->is_there = false;
    if (pick(world, 10) == 0)
        world->is_over = true;
    if (world->is_over && world->booking == ORDER_DECLINED) {
        world->booking = ORDER_EXPIRED;
        world->is_freed = true;
    }
}

static void check(const struct world *world, uint64_t schedule)
{
    unsigned open = 0;
    for (unsigned i = 0; i < world->count; i++) {
        const struct world_payment *payment = &world->payments[i];
        open += payment_is_open(payment->facts.state);
        if (world->is_freed && has_money(payment))
            fail_msg("schedule %lu: places are free while payment %u has money", (unsigned long)schedule, i + 1);
        if (!payment_is_end(payment->facts.state) && !payment->is_due)
            fail_msg("schedule %lu: payment %u is %s and nobody looks at it", (unsigned long)schedule, i + 1,
                     payment_state_name(payment->facts.state));
    }
    if (open > 1)
        fail_msg("schedule %lu: %u payments are open", (unsigned long)schedule, open);
    const struct world_payment *newest = &world->payments[world->count - 1];
    if (world->booking == ORDER_CONFIRMED && !has_money(newest))
        fail_msg("schedule %lu: confirmed without money", (unsigned long)schedule);
    if (world->confirmed_count > 1)
        fail_msg("schedule %lu: confirmed twice", (unsigned long)schedule);
}

static bool is_settled(const struct world *world)
{
    for (unsigned i = 0; i < world->count; i++)
        if (world->payments[i].is_due)
            return false;
    return true;
}

static void run_schedule(uint64_t schedule)
{
    struct world world = {.seed = (schedule + 1) * UINT64_C(0x9E3779B97F4A7C15)};
    begin_payment(&world);
    for (int i = 0; i < STEPS; i++) {
        unsigned what = pick(&world, 4);
        unsigned number = pick(&world, world.count);
        if (what == 0)
            visitor_acts(&world);
        else if (what == 1)
            time_passes(&world);
        else if (world.payments[number].is_due)
            pay(&world, number);
        check(&world, schedule);
    }
    // The last late calls come in, and then all goes well.
    for (int i = 0; i < 40; i++)
        time_passes(&world);
    world.is_quiet = world.is_over = true;
    for (int i = 0; i < 100 && !is_settled(&world); i++) {
        for (unsigned number = 0; number < world.count; number++)
            if (world.payments[number].is_due)
                pay(&world, number);
        check(&world, schedule);
    }
    if (!is_settled(&world))
        fail_msg("schedule %lu: it never ends", (unsigned long)schedule);
    uint64_t taken = 0;
    for (unsigned i = 0; i < world.count; i++) {
        taken += world.payments[i].captured - world.payments[i].refunded;
        if (world.payments[i].status == PROVIDER_AUTHORISED)
            fail_msg("schedule %lu: payment %u stays authorised", (unsigned long)schedule, i + 1);
    }
    if (taken != (world.booking == ORDER_CONFIRMED ? AMOUNT : 0))
        fail_msg("schedule %lu: %lu taken, and the booking is %s", (unsigned long)schedule, (unsigned long)taken,
                 order_state_name(world.booking));
    assert_false(world.refund_pending);
    assert_false(world.waits_for_payment);
    assert_true(order_is_final(world.booking) || world.booking == ORDER_DECLINED);
}

static void test_whatever_goes_wrong_money_and_bookings_agree(void **state)
{
    (void)state;
    const char *only = getenv("SCHEDULE");
    if (only) {
        run_schedule(strtoull(only, NULL, 10));
        return;
    }
    for (uint64_t i = 0; i < SCHEDULES; i++)
        run_schedule(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whatever_goes_wrong_money_and_bookings_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
