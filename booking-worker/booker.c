// SPDX-License-Identifier: Apache-2.0
// See booker.h. Decisions of a run stand in arrays beside the tasks and are forgotten with it, so that a run that was undone
// leaves nothing behind.
#include "booking-worker/booker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "booking-worker/changes.h"
#include "booking-worker/give.h"
#include "booking-worker/halls.h"
#include "booking-worker/meters.h"
#include "booking-worker/returns.h"
#include "booking-worker/store.h"
#include "common/clock.h"
#include "common/dead_letter.h"
#include "common/log.h"
#include "common/order_state.h"
#include "common/topology.h"

#define FRUITLESS_MAX 16 // events
#define FRUITLESS_NS INT64_C(1000000000)

// What becomes of a task in this run.
enum fate {
    FATE_DONE, // nothing to do: it was done before
    FATE_BOOK, // its order gets a booking, in whatever state
    FATE_GIVE_BACK,
};

struct decision {
    enum fate fate;
    const char *condemned; // one of task.h's reasons: it becomes a dead letter as well
    char detail[TASK_DETAIL_BYTES];
};

// An event whose standby was looked through in vain.
struct fruitless {
    uint64_t event_id, digest;
    int64_t at_ns;
};

struct booker {
    struct booker_options options;
    struct halls *halls;
    struct changes *changes; // of this run
    struct store_order *orders;
    struct decision *decisions;
    const struct task **given_back;
    size_t given_back_count;
    // Open addressing: indices + 1 into the tasks, 0 is free. At most half full.
    size_t slot_count;
    uint32_t *task_slots;
    struct fruitless *fruitless;
};

static void *array(size_t count, size_t bytes)
{
    return calloc(count ? count : 1, bytes);
}

int booker_new(const struct booker_options *options, struct booker **ret)
{
    struct booker *booker = calloc(1, sizeof(*booker));
    if (!booker)
        return ERROR_MEMORY;
    booker->options = *options;
    booker->slot_count = 16;
    while (booker->slot_count < 2 * options->batch_max)
        booker->slot_count *= 2;
    booker->orders = array(options->batch_max, sizeof(*booker->orders));
    booker->decisions = array(options->batch_max, sizeof(*booker->decisions));
    booker->given_back = array(options->batch_max, sizeof(struct task *));
    booker->task_slots = array(booker->slot_count, sizeof(*booker->task_slots));
    booker->fruitless = array(FRUITLESS_MAX, sizeof(*booker->fruitless));
    if (!booker->orders || !booker->decisions || !booker->given_back || !booker->task_slots || !booker->fruitless ||
        halls_new(&booker->halls) || changes_new(&booker->changes)) {
        booker_free(booker);
        return ERROR_MEMORY;
    }
    *ret = booker;
    return 0;
}

void booker_free(struct booker *booker)
{
    if (!booker)
        return;
    halls_free(booker->halls);
    changes_free(booker->changes);
    free(booker->orders);
    free(booker->decisions);
    free(booker->given_back);
    free(booker->task_slots);
    free(booker->fruitless);
    free(booker);
}

// ---------------------------------------------------------------- deciding

// Whether the same order stood earlier in this run; notes it otherwise.
static bool was_seen(struct booker *booker, struct task *const *tasks, size_t index)
{
    const struct task *task = tasks[index];
    uint64_t hash = (task->place * UINT64_C(0x9E3779B97F4A7C15)) ^ task->attempt;
    size_t slot = (hash >> 20) & (booker->slot_count - 1);
    for (; booker->task_slots[slot]; slot = (slot + 1) & (booker->slot_count - 1)) {
        const struct task *other = tasks[booker->task_slots[slot] - 1];
        if (other->place == task->place && other->attempt == task->attempt)
            return true;
    }
    booker->task_slots[slot] = (uint32_t)index + 1;
    return false;
}

static void condemn(struct decision *decision, const char *reason, const char *detail)
{
    decision->condemned = reason;
    snprintf(decision->detail, sizeof(decision->detail), "%s", detail);
}

// The row that the task's order becomes, before anything is decided.
static struct store_booking booking_of(const struct task *task, const struct store_order *order)
{
    struct store_booking booking = {
        .place = task->place,
        .attempt = task->attempt,
        .is_there = order->is_retried,
        .was = ORDER_RELEASED,
        .revision = order->revision,
    };
    memcpy(booking.visitor, order->visitor, sizeof(booking.visitor));
    memcpy(booking.customer, order->customer, sizeof(booking.customer));
    memcpy(booking.currency, order->currency, sizeof(booking.currency));
    return booking;
}

static int fail_order(struct booker *booker, const struct store_event *event, const struct task *task,
                      const struct store_order *order, struct decision *decision, enum order_reason reason)
{
    struct store_booking booking = booking_of(task, order);
    const struct allocate_verdict verdict = {.state = ORDER_FAILED, .reason = reason};
    decision->fate = FATE_BOOK;
    return give(booker->changes, event, &booking, NULL, &verdict, CHANGE_BOOKED);
}

static int allocate(struct booker *booker, struct store_event *event, const struct task *task,
                    const struct store_order *order, struct decision *decision)
{
    struct choices choices;
    struct store_booking booking = booking_of(task, order);
    char problem[TASK_DETAIL_BYTES] = "it asks for what cannot be booked";
    int result =
        choices_read(order->choices ? order->choices : "", order->choices_bytes, &choices, problem, sizeof(problem));
    struct allocate_customer *customer = changes_customer(booker->changes, order->customer, order->customer_booked);
    if (!customer)
        return ERROR_MEMORY;
    struct allocate_verdict verdict = allocate_order(&event->numbers, result ? NULL : &choices, customer);
    if (verdict.state == ORDER_RELEASED) {
        decision->fate = FATE_GIVE_BACK;
        booker->given_back[booker->given_back_count++] = task;
        return 0;
    }
    if (verdict.state == ORDER_FAILED)
        condemn(decision, TASK_BROKEN_ORDER, problem);
    assert(order_may_become(ORDER_RELEASED, verdict.state, ORDER_BY_SYSTEM));
    decision->fate = FATE_BOOK;
    return give(booker->changes, event, &booking, result ? NULL : &choices, &verdict, CHANGE_BOOKED);
}

static int decide(struct booker *booker, struct store_event *event, struct task *const *tasks, size_t index)
{
    const struct task *task = tasks[index];
    const struct store_order *order = &booker->orders[index];
    struct decision *decision = &booker->decisions[index];
    *decision = (struct decision){.fate = FATE_DONE};
    if (was_seen(booker, tasks, index))
        return 0;
    if (order->is_booked)
        return 0;
    if (task->condemned)
        condemn(decision, task->condemned, task->detail);
    if (!order->is_there || !order->is_released) {
        if (!task->condemned)
            condemn(decision, TASK_NO_SUCH_ORDER, order->is_there ? "the order was not released" : "there is none");
        return 0;
    }
    if (task->condemned)
        return fail_order(booker, event, task, order, decision,
                          strcmp(task->condemned, TASK_CRASHED) == 0 ? ORDER_CRASHED : ORDER_BROKEN);
    if (booker->options.crash_place == task->place)
        abort(); // a test wants to see what becomes of a message that ends the worker
    return allocate(booker, event, task, order, decision);
}

static int decide_all(struct booker *booker, struct db *db, struct store_event *event, struct task *const *tasks,
                      size_t count)
{
    struct db_rows *rows = NULL;
    int result = store_read_orders(db, event->id, tasks, count, booker->orders, &rows);
    int kept = changes_keep(booker->changes, rows); // they are borrowed until everything is written
    memset(booker->task_slots, 0, booker->slot_count * sizeof(*booker->task_slots));
    for (size_t i = 0; i < count && result == 0 && kept == 0; i++)
        result = decide(booker, event, tasks, i);
    return result ? result : kept;
}

// ---------------------------------------------------------------- standby that cannot be served now

// Numbers say that standby might be served, and it turns out that nobody fits: all are larger than what is left, or need wheelchair
// places. As long as the numbers are the same, it is looked at again once a second and not with every batch.
static uint64_t digest_of(const struct store_event *event)
{
    uint64_t digest = UINT64_C(0xCBF29CE484222325) ^ (uint64_t)event->numbers.state;
    for (size_t i = 0; i < event->numbers.tier_count; i++) {
        const struct allocate_tier *tier = &event->numbers.tiers[i];
        const uint64_t numbers[] = {tier->capacity,
                                    tier->held,
                                    tier->sold,
                                    tier->standby,
                                    event->tiers[i].layout,
                                    event->tiers[i].taken_version};
        for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
            digest = (digest ^ numbers[k]) * UINT64_C(0x100000001B3);
    }
    return digest;
}

static int serve_standby(struct booker *booker, struct db *db, struct store_event *event)
{
    struct fruitless *known = &booker->fruitless[event->id % FRUITLESS_MAX];
    uint64_t digest = digest_of(event);
    bool is_known =
        known->event_id == event->id && known->digest == digest && clock_monotonic_ns() - known->at_ns < FRUITLESS_NS;
    // What this run frees changes the numbers, so the digest of an earlier run is another one then.
    if (is_known || !returns_has_standby_work(event))
        return 0;
    int result = returns_serve(booker->changes, db, event);
    if (result == 0 && digest == digest_of(event))
        *known = (struct fruitless){.event_id = event->id, .digest = digest, .at_ns = clock_monotonic_ns()};
    return result;
}

// ---------------------------------------------------------------- writing

static int write_dead_letter(const struct booker *booker, struct db *db, struct outbox *outbox, const struct task *task,
                             const struct decision *decision)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    struct dead_letter letter = {
        .event_id = task->event_id,
        .place = task->place,
        .attempt = task->attempt,
        .body = task->delivery.body,
        .body_bytes = task->delivery.body_bytes,
    };
    snprintf(letter.queue, sizeof(letter.queue), "%s", booker->options.queue);
    snprintf(letter.reason, sizeof(letter.reason), "%s", decision->condemned);
    snprintf(letter.detail, sizeof(letter.detail), "%s", decision->detail);
    dead_letter_digest(task->delivery.body, task->delivery.body_bytes, letter.digest);
    dead_letter_write(&letter, &text);
    return outbox_write(outbox, db, TOPOLOGY_DEAD, DEAD_LETTER_TYPE, &text);
}

static int write_dead_letters(const struct booker *booker, struct db *db, struct outbox *outbox,
                              struct task *const *tasks, size_t count)
{
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        if (booker->decisions[i].condemned)
            result = write_dead_letter(booker, db, outbox, tasks[i], &booker->decisions[i]);
    return result;
}

static int forget_attempts(struct db *db, struct task *const *tasks, size_t count)
{
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        if (!tasks[i]->is_noted)
            continue;
        uint8_t digest[DEAD_LETTER_DIGEST_BYTES];
        dead_letter_digest(tasks[i]->delivery.body, tasks[i]->delivery.body_bytes, digest);
        result = store_forget_attempts(db, digest);
    }
    return result;
}

// ---------------------------------------------------------------- one run

static bool stands_still(const struct store_event *event)
{
    enum lifecycle_state state = event->numbers.state;
    return state == LIFECYCLE_STOPPED || state == LIFECYCLE_DRAFT || state == LIFECYCLE_LOBBY;
}

static bool has_standby(const struct store_event *event)
{
    for (size_t i = 0; i < event->numbers.tier_count; i++)
        if (event->numbers.tiers[i].standby > 0)
            return true;
    return false;
}

// What came back goes to those who stand by before any newcomer is looked at. As long as there is more of it than one transaction frees,
// nobody is served or told that there is nothing: their places, or what counts against their limit, may be in the rest. A hall is
// needed only where seats are given.
static int run_returns(struct booker *booker, struct db *db, struct store_event *event, bool is_sweep, bool *ret_more)
{
    if (stands_still(event))
        return 0;
    int result = !is_sweep || has_standby(event) ? halls_use(booker->halls, db, event) : 0;
    if (result == 0)
        result = returns_free(booker->changes, db, event, ret_more);
    if (result || *ret_more)
        return result;
    if (is_sweep)
        result = returns_lapse(booker->changes, db, event, ret_more);
    return result ? result : serve_standby(booker, db, event);
}

static int run_event(struct booker *booker, struct db *db, struct outbox *outbox, struct task *const *tasks,
                     size_t count, struct store_event *event, bool *ret_more)
{
    event->numbers.needs_payment = booker->options.needs_payment;
    event->takes_cards = booker->options.takes_cards;
    int result = run_returns(booker, db, event, count == 0, ret_more);
    if (result == 0 && count > 0 && !*ret_more)
        result = decide_all(booker, db, event, tasks, count);
    if (result == 0)
        result = store_give_back(db, event->id, booker->given_back, booker->given_back_count);
    if (result == 0)
        result = changes_write(booker->changes, db, outbox, event);
    if (result == 0 && booker->options.crash_sweep_place &&
        changes_return_of(booker->changes, booker->options.crash_sweep_place))
        abort(); // a test wants to see what becomes of a sweep that ends half-way
    return result;
}

static int run_tasks(struct booker *booker, struct db *db, struct outbox *outbox, struct task *const *tasks,
                     size_t count, struct store_event *event, bool *ret_more)
{
    const char *unknown = NULL;
    int result = 0;
    if (tasks[0]->is_book) {
        result = store_lock_event(db, tasks[0]->event_id, event);
        if (result == 0)
            return run_event(booker, db, outbox, tasks, count, event, ret_more);
        if (result != ERROR_NOT_FOUND)
            return result;
        unknown = "there is no such event";
    }
    for (size_t i = 0; i < count; i++) {
        booker->decisions[i] = (struct decision){.fate = FATE_DONE};
        condemn(&booker->decisions[i], unknown ? TASK_UNKNOWN_EVENT : tasks[i]->condemned,
                unknown ? unknown : tasks[i]->detail);
    }
    return 0;
}

static int run_in_transaction(struct booker *booker, struct db *db, struct outbox *outbox, struct task *const *tasks,
                              size_t count, struct store_event *event, bool *ret_more)
{
    int result = 0;
    if (count > 0) {
        result = run_tasks(booker, db, outbox, tasks, count, event, ret_more);
        count = *ret_more ? 0 : count; // they have to wait, and nothing is said of them
    } else {
        result = store_lock_event(db, event->id, event);
        if (result == 0)
            result = run_event(booker, db, outbox, NULL, 0, event, ret_more);
    }
    if (result == 0)
        result = write_dead_letters(booker, db, outbox, tasks, count);
    if (result == 0)
        result = forget_attempts(db, tasks, count);
    return result ? result : outbox_remove(outbox, db);
}

static void log_task(const struct booker *booker, const struct store_event *event, const struct task *task,
                     const struct decision *decision)
{
    if (decision->condemned) {
        metric_add(&meter_condemned, 1);
        // The notifier says it at level error, once it is recorded and somebody can act.
        log_warn("condemned", LOG_S("slug", event->slug), LOG_U("place", task->place), LOG_U("attempt", task->attempt),
                 LOG_S("queue", booker->options.queue), LOG_S("reason", decision->condemned),
                 LOG_S("detail", decision->detail));
    }
    if (decision->fate == FATE_GIVE_BACK) {
        metric_add(&meter_given_back, 1);
        log_info("given_back", LOG_S("slug", event->slug), LOG_U("place", task->place), LOG_U("attempt", task->attempt),
                 LOG_S("event_state", lifecycle_state_name(event->numbers.state)));
    } else if (decision->fate == FATE_DONE && !decision->condemned) {
        metric_add(&meter_duplicates, 1);
        log_debug("duplicate", LOG_S("slug", event->slug), LOG_U("place", task->place),
                  LOG_U("attempt", task->attempt));
    }
}

static void say(const struct booker *booker, const struct store_event *event, struct task *const *tasks, size_t count,
                int64_t began_ns)
{
    if (count > 0) {
        metric_add(&meter_batches, 1);
        metric_add(&meter_messages, (int64_t)count);
        metric_observe_us(&meter_batch_duration, (clock_monotonic_ns() - began_ns) / 1000);
    }
    log_hold();
    changes_say(booker->changes, event);
    for (size_t i = 0; i < count; i++)
        log_task(booker, event, tasks[i], &booker->decisions[i]);
    log_release();
}

static int run(struct booker *booker, struct db *db, struct outbox *outbox, struct task *const *tasks, size_t count,
               struct store_event *event, struct booker_result *ret)
{
    int64_t began_ns = clock_monotonic_ns();
    bool has_more = false;
    booker->given_back_count = 0;
    changes_clear(booker->changes);
    uint64_t event_id = count > 0 ? tasks[0]->event_id : event->id;
    int result = db_begin(db);
    if (result == 0)
        result = run_in_transaction(booker, db, outbox, tasks, count, event, &has_more);
    if (result == 0)
        result = db_commit(db);
    if (result) {
        db_rollback(db);
        outbox_rolled_back(outbox);
        halls_rolled_back(booker->halls, event_id);
        metric_add(&meter_repeats, 1);
        return result;
    }
    outbox_committed(outbox);
    halls_committed(booker->halls, event);
    say(booker, event, tasks, has_more ? 0 : count, began_ns);
    enum lifecycle_state state = event->numbers.state;
    bool is_all_sold = allocate_is_all_sold(&event->numbers);
    *ret = (struct booker_result){
        .is_sold_out = (state == LIFECYCLE_OPEN || state == LIFECYCLE_PAUSED) && is_all_sold,
        .is_on_sale_again = state == LIFECYCLE_SOLD_OUT && !is_all_sold,
        .has_payments = changes_begun_count(booker->changes) > 0,
        .has_more = has_more,
    };
    memcpy(ret->slug, event->slug, sizeof(ret->slug));
    return 0;
}

int booker_run(struct booker *booker, struct db *db, struct outbox *outbox, struct task *const *tasks, size_t count,
               struct booker_result *ret)
{
    struct store_event event CLEANUP(store_event_done) = {0};
    assert(count > 0 && count <= booker->options.batch_max);
    return run(booker, db, outbox, tasks, count, &event, ret);
}

int booker_sweep(struct booker *booker, struct db *db, struct outbox *outbox, uint64_t event_id,
                 struct booker_result *ret)
{
    struct store_event event CLEANUP(store_event_done) = {.id = event_id};
    return run(booker, db, outbox, NULL, 0, &event, ret);
}
