// links: booking-worker
// SPDX-License-Identifier: Apache-2.0
// Payments in a small world in which calls get lost before or after they were done, come late, come twice, are
// answered with errors that are repeated for ever, in which payers die, visitors answer their bank or give back, operators cancel and holds run
// out, and in which refunds wait for their bank, come to an end, fail, and fail after they were done. After every step: nothing that may be
// somebody's money is given away, and no refund is begun while another one waits; at the end: money taken exactly for what is confirmed.
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
    bool waits; // of a refund: as it was when it was begun, however often that is repeated
    bool is_repeated;
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
    uint64_t captured, refunded, refunding;
    bool has_failed_refund;
    unsigned failures; // of refunds that are still to come
    struct bank_answer answers[PROVIDER_CALL_COUNT][KEYS_MAX];
};

struct world {
    uint64_t seed;
    enum order_state booking;
    unsigned count; // of payments
    struct world_payment payments[PAYMENTS_MAX];
    struct late_call late[LATE_MAX];
    bool is_freed, waits_for_payment, refund_pending, refund_done, refund_failed;
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
        .failures = pick(world, 3),
    };
    world->booking = ORDER_PAYING;
}

// Does what the call says at the bank, unless its key was used before.
static enum provider_result carry_out(struct world *world, unsigned number, enum provider_call call, unsigned key_no)
{
    struct world_payment *payment = &world->payments[number];
    assert_true(key_no < KEYS_MAX);
    struct bank_answer *stored = &payment->answers[call][key_no];
    if (call != PROVIDER_ASK && stored->is_there) {
        stored->is_repeated = true;
        return stored->result;
    }
    enum provider_result result = PROVIDER_DONE;
    bool waits = false;
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
        if (payment->refunding || payment->refunded)
            fail_msg("a second refund is asked for");
        waits = pick(world, 2);
        if (payment->status != PROVIDER_CAPTURED)
            result = PROVIDER_REFUSED;
        else
            *(waits ? &payment->refunding : &payment->refunded) = AMOUNT;
        break;
    default:
        break;
    }
    if (call != PROVIDER_ASK)
        *stored =
            (struct bank_answer){.is_there = true, .result = is_error ? PROVIDER_UNKNOWN : result, .waits = waits};
    return is_error ? PROVIDER_UNKNOWN : result;
}

static struct provider_answer say(struct world *world, unsigned number, enum provider_call call, unsigned key_no,
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
            .refunding_amount = payment->refunding,
            .has_failed_refund = payment->has_failed_refund,
            .reason = payment->status == PROVIDER_FAILED ? ORDER_CARD_DECLINED : ORDER_NO_REASON,
        };
        bool is_page = payment->status == PROVIDER_ACTION_REQUIRED && pick(world, 8);
        if (is_page) // else the bank asks, and there is no page for it
            snprintf(answer.intent.action_url, sizeof(answer.intent.action_url), "https://bank.example/");
    }
    if (call == PROVIDER_REFUND && result == PROVIDER_DONE) { // it is about that refund, and may be an old one
        const bool waits = payment->answers[call][key_no].waits;
        memcpy(answer.refund, "re", 3);
        answer.intent.refunded_amount = waits ? 0 : AMOUNT;
        answer.intent.refunding_amount = waits ? AMOUNT : 0;
        answer.intent.has_failed_refund = false;
        answer.is_replayed = payment->answers[call][key_no].is_repeated;
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

// Another payment of the booking is open or on its way back.
static bool has_other_under_way(const struct world *world, unsigned number)
{
    for (unsigned i = 0; i < world->count; i++) {
        const struct payment_facts *other = &world->payments[i].facts;
        if (i != number && (payment_is_open(other->state) || other->state == PAYMENT_REFUNDING ||
                            (other->state == PAYMENT_CAPTURED && other->aim == PAYMENT_GIVE_BACK)))
            return true;
    }
    return false;
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
    case PAYMENT_RETURNS:
    case PAYMENT_FREES:
        if (world->waits_for_payment)
            world->is_freed = true;
        world->waits_for_payment = false;
        if (step->effect == PAYMENT_RETURNS || !world->refund_pending || has_other_under_way(world, number))
            break;
        world->refund_done = true;
        world->refund_pending = false;
        break;
    case PAYMENT_CANNOT_REFUND:
        if (!payment->has_failed_refund)
            fail_msg("a refund that has not failed");
        if (!step->dead)
            fail_msg("a refund failed, and nobody hears of it");
        world->refund_failed = world->refund_failed || world->refund_pending || world->refund_done;
        world->refund_pending = world->refund_done = world->waits_for_payment = false;
        break;
    default:
        break;
    }
    payment->facts.state = step->state;
    payment->facts.aim = step->aim;
    payment->facts.tries = step->tries;
    payment->facts.is_dead = payment->facts.is_dead || step->dead;
    payment->facts.has_intent = payment->facts.has_intent || step->stores_intent;
    payment->facts.has_refund = payment->facts.has_refund || step->stores_refund;
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

static bool may_be_retried(const struct world_payment *payment)
{
    return payment->facts.state == PAYMENT_FAILED && payment->captured;
}

// An operator has what failed tried again.
static void retry_failed(struct world *world)
{
    for (unsigned i = 0; i < world->count; i++) {
        struct world_payment *payment = &world->payments[i];
        if (!may_be_retried(payment))
            continue;
        payment->facts.state = PAYMENT_REFUNDING;
        payment->facts.has_refund = payment->facts.is_dead = false;
        payment->facts.tries = 0;
        payment->is_due = true;
        world->refund_pending = world->refund_pending || world->refund_failed;
        world->refund_failed = false;
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
    facts.state_seconds = (int64_t)world->payments[number].refunding;
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
            struct provider_answer answer = say(world, number, call, key_no, result);
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
    return payment->status == PROVIDER_AUTHORISED || payment->captured > payment->refunded + payment->refunding;
}

// A ticket may still come of it: what was sent back once, and came back, is no price any more.
static bool may_buy(const struct world_payment *payment)
{
    return has_money(payment) && !payment->has_failed_refund;
}

// ---------------------------------------------------------------- time

// The bank comes to an end with a refund, or sends one back that was done.
static void bank_decides(struct world *world)
{
    struct world_payment *payment = &world->payments[pick(world, world->count)];
    if (!payment->refunding && !payment->refunded)
        return;
    if (payment->failures > 0 && (payment->refunding || pick(world, 4) == 0)) {
        payment->failures--;
        payment->refunding = payment->refunded = 0;
        payment->has_failed_refund = true;
    } else if (payment->refunding) {
        payment->refunding = 0;
        payment->refunded = AMOUNT;
    }
    // What it tells comes once or twice; what is asked about anyway is not told about at times.
    if (payment->facts.state == PAYMENT_REFUNDED)
        payment->is_due = true;
}

static void time_passes(struct world *world)
{
    if (pick(world, 2))
        bank_decides(world);
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
        if (world->is_freed && may_buy(payment))
            fail_msg("schedule %lu: places are free while payment %u has money", (unsigned long)schedule, i + 1);
        if (world->refund_done && payment->facts.state == PAYMENT_REFUNDING)
            fail_msg("schedule %lu: the refund is told to be done, and payment %u waits for its bank",
                     (unsigned long)schedule, i + 1);
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
        if (world->payments[i].is_due || may_be_retried(&world->payments[i]))
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
        else if (pick(&world, 16) == 0)
            retry_failed(&world);
        else if (world.payments[number].is_due)
            pay(&world, number);
        check(&world, schedule);
    }
    // The last late calls come in, and then all goes well.
    for (int i = 0; i < 40; i++)
        time_passes(&world);
    world.is_quiet = world.is_over = true;
    for (int i = 0; i < 200 && !is_settled(&world); i++) {
        for (int k = 0; k < 10; k++)
            bank_decides(&world);
        retry_failed(&world);
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
    assert_false(world.refund_failed);
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
