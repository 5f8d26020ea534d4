// SPDX-License-Identifier: Apache-2.0
// See booker.h. Decisions of a run stand in arrays beside the tasks and are forgotten with it, so that a run that was undone
// leaves nothing behind.
#include "booking-worker/booker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "booking-worker/meters.h"
#include "booking-worker/store.h"
#include "common/clock.h"
#include "common/dead_letter.h"
#include "common/log.h"
#include "common/order_state.h"
#include "common/outcome.h"
#include "common/random.h"
#include "common/topology.h"

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

struct booker {
    const char *queue;
    size_t batch_max;
    uint64_t crash_place;
    struct store_order *orders;
    struct decision *decisions;
    struct store_customer *customers;
    size_t customer_count;
    struct store_booking *bookings; // of this run, in the tasks' sequence
    size_t booking_count;
    struct store_booking *given_back;
    size_t given_back_count;
    // Open addressing: indices + 1 into tasks and customers, 0 is free. At most half full.
    size_t slot_count;
    uint32_t *task_slots, *customer_slots;
};

static void *array(size_t count, size_t bytes)
{
    return calloc(count ? count : 1, bytes);
}

int booker_new(const char *queue, size_t batch_max, uint64_t crash_place, struct booker **ret)
{
    struct booker *booker = calloc(1, sizeof(*booker));
    if (!booker)
        return ERROR_MEMORY;
    booker->queue = queue;
    booker->batch_max = batch_max;
    booker->crash_place = crash_place;
    booker->slot_count = 16;
    while (booker->slot_count < 2 * batch_max)
        booker->slot_count *= 2;
    booker->orders = array(batch_max, sizeof(*booker->orders));
    booker->decisions = array(batch_max, sizeof(*booker->decisions));
    booker->customers = array(batch_max, sizeof(*booker->customers));
    booker->bookings = array(batch_max, sizeof(*booker->bookings));
    booker->given_back = array(batch_max, sizeof(*booker->given_back));
    booker->task_slots = array(booker->slot_count, sizeof(*booker->task_slots));
    booker->customer_slots = array(booker->slot_count, sizeof(*booker->customer_slots));
    if (!booker->orders || !booker->decisions || !booker->customers || !booker->bookings || !booker->given_back ||
        !booker->task_slots || !booker->customer_slots) {
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
    free(booker->orders);
    free(booker->decisions);
    free(booker->customers);
    free(booker->bookings);
    free(booker->given_back);
    free(booker->task_slots);
    free(booker->customer_slots);
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

static struct store_customer *find_customer(struct booker *booker, const struct store_order *order)
{
    uint64_t hash;
    memcpy(&hash, order->customer, sizeof(hash)); // of SHA-256: as good as any
    size_t slot = hash & (booker->slot_count - 1);
    for (; booker->customer_slots[slot]; slot = (slot + 1) & (booker->slot_count - 1)) {
        struct store_customer *customer = &booker->customers[booker->customer_slots[slot] - 1];
        if (memcmp(customer->hash, order->customer, sizeof(customer->hash)) == 0)
            return customer;
    }
    struct store_customer *customer = &booker->customers[booker->customer_count++];
    *customer = (struct store_customer){.numbers.booked = order->customer_booked};
    memcpy(customer->hash, order->customer, sizeof(customer->hash));
    booker->customer_slots[slot] = (uint32_t)booker->customer_count;
    return customer;
}

static void condemn(struct decision *decision, const char *reason, const char *detail)
{
    decision->condemned = reason;
    snprintf(decision->detail, sizeof(decision->detail), "%s", detail);
}

static void fail_order(struct store_order *order, enum order_reason reason)
{
    order->verdict = (struct allocate_verdict){.state = ORDER_FAILED, .reason = reason};
}

static void allocate(struct booker *booker, struct store_event *event, struct store_order *order,
                     struct decision *decision)
{
    struct choices choices;
    char problem[TASK_DETAIL_BYTES] = "seats cannot be booked yet";
    int result =
        choices_read(order->choices ? order->choices : "", order->choices_bytes, &choices, problem, sizeof(problem));
    struct store_customer *customer = find_customer(booker, order);
    order->verdict = allocate_order(&event->numbers, result ? NULL : &choices, &customer->numbers);
    if (order->verdict.state == ORDER_CONFIRMED)
        order->choice = choices.items[order->verdict.choice];
    if (order->verdict.state == ORDER_FAILED)
        condemn(decision, TASK_BROKEN_ORDER, problem);
    decision->fate = order->verdict.state == ORDER_RELEASED ? FATE_GIVE_BACK : FATE_BOOK;
    assert(decision->fate == FATE_GIVE_BACK || order_may_become(ORDER_RELEASED, order->verdict.state, ORDER_BY_SYSTEM));
}

static void decide(struct booker *booker, struct store_event *event, struct task *const *tasks, size_t index)
{
    const struct task *task = tasks[index];
    struct store_order *order = &booker->orders[index];
    struct decision *decision = &booker->decisions[index];
    *decision = (struct decision){.fate = FATE_DONE};
    if (was_seen(booker, tasks, index))
        return;
    if (order->is_booked)
        return;
    if (task->condemned)
        condemn(decision, task->condemned, task->detail);
    if (!order->is_there || !order->is_released) {
        if (!task->condemned)
            condemn(decision, TASK_NO_SUCH_ORDER, order->is_there ? "the order was not released" : "there is none");
        return;
    }
    if (task->condemned) {
        decision->fate = FATE_BOOK;
        fail_order(order, strcmp(task->condemned, TASK_CRASHED) == 0 ? ORDER_CRASHED : ORDER_BROKEN);
        return;
    }
    if (booker->crash_place == task->place)
        abort(); // a test wants to see what becomes of a message that ends the worker
    allocate(booker, event, order, decision);
}

static void decide_all(struct booker *booker, struct store_event *event, struct task *const *tasks, size_t count)
{
    memset(booker->task_slots, 0, booker->slot_count * sizeof(*booker->task_slots));
    memset(booker->customer_slots, 0, booker->slot_count * sizeof(*booker->customer_slots));
    booker->customer_count = booker->booking_count = booker->given_back_count = 0;
    for (size_t i = 0; i < count; i++) {
        decide(booker, event, tasks, i);
        const struct store_booking booking = {.task = tasks[i], .order = &booker->orders[i]};
        if (booker->decisions[i].fate == FATE_BOOK)
            booker->bookings[booker->booking_count++] = booking;
        else if (booker->decisions[i].fate == FATE_GIVE_BACK)
            booker->given_back[booker->given_back_count++] = booking;
    }
}

// One call for the whole batch: each is a system call.
static int give_references(struct booker *booker, size_t count)
{
    uint8_t *bytes = malloc(REFERENCE_RANDOM_BYTES * (count + 1));
    if (!bytes)
        return ERROR_MEMORY;
    random_bytes(bytes, REFERENCE_RANDOM_BYTES * count);
    for (size_t i = 0; i < count; i++)
        if (booker->decisions[i].fate == FATE_BOOK && booker->orders[i].verdict.state == ORDER_CONFIRMED)
            reference_format(bytes + REFERENCE_RANDOM_BYTES * i, booker->orders[i].reference);
    free(bytes);
    return 0;
}

// ---------------------------------------------------------------- writing

static void add_outcome(struct buffer *text, const struct store_booking *booking)
{
    const struct store_order *order = booking->order;
    char tickets[CHOICES_TICKETS_BYTES_MAX + 1];
    struct outcome outcome = {
        .place = booking->task->place,
        .attempt = booking->task->attempt,
        .revision = order->revision + 1,
        .state = order->verdict.state,
        .reason = order->verdict.reason,
        .quantity = order->choice.quantity,
        .amount = order->choice.amount,
    };
    memcpy(outcome.visitor, order->visitor, sizeof(outcome.visitor));
    memcpy(outcome.reference, order->reference, sizeof(outcome.reference));
    memcpy(outcome.tier, order->choice.tier, sizeof(outcome.tier));
    if (order->choice.tickets) {
        memcpy(tickets, order->choice.tickets, order->choice.tickets_bytes);
        tickets[order->choice.tickets_bytes] = '\0';
        outcome.tickets = tickets;
    }
    outcomes_add(text, &outcome);
}

// In messages of OUTCOMES_MAX; an order of another currency than the one before begins a new one.
static int write_outcomes(const struct booker *booker, struct db *db, struct outbox *outbox,
                          const struct store_event *event)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    int result = 0;
    size_t in_message = 0;
    for (size_t i = 0; i < booker->booking_count && result == 0; i++) {
        const struct store_booking *booking = &booker->bookings[i];
        if (in_message++ == 0) {
            buffer_clear(&text);
            outcomes_begin(&text, event->slug, booking->order->currency, NULL, 0);
        }
        add_outcome(&text, booking);
        bool is_last = i + 1 == booker->booking_count || in_message == OUTCOMES_MAX ||
                       strcmp(booking->order->currency, booking[1].order->currency) != 0;
        if (!is_last)
            continue;
        outcomes_end(&text);
        result = outbox_write(outbox, db, TOPOLOGY_OUTCOMES, OUTCOMES_TYPE, &text);
        in_message = 0;
    }
    return result;
}

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
    snprintf(letter.queue, sizeof(letter.queue), "%s", booker->queue);
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

static int write_event(struct booker *booker, struct db *db, struct outbox *outbox, const struct store_event *event,
                       size_t count)
{
    int result = give_references(booker, count);
    if (result == 0)
        result = store_give_back(db, event->id, booker->given_back, booker->given_back_count);
    if (result == 0)
        result = store_write_customers(db, event->id, booker->customers, booker->customer_count);
    if (result == 0)
        result = store_write_bookings(db, event->id, booker->bookings, booker->booking_count);
    if (result == 0)
        result = store_write_tiers(db, event);
    return result ? result : write_outcomes(booker, db, outbox, event);
}

static int run_event(struct booker *booker, struct db *db, struct outbox *outbox, struct task *const *tasks,
                     size_t count, struct store_event *event)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = store_lock_event(db, tasks[0]->event_id, event);
    if (result == ERROR_NOT_FOUND) {
        for (size_t i = 0; i < count; i++) {
            booker->decisions[i] = (struct decision){.fate = FATE_DONE};
            condemn(&booker->decisions[i], TASK_UNKNOWN_EVENT, "there is no such event");
        }
        return 0;
    }
    if (result == 0)
        result = store_read_orders(db, event->id, tasks, count, booker->orders, &rows);
    if (result)
        return result;
    decide_all(booker, event, tasks, count);
    return write_event(booker, db, outbox, event, count);
}

static int run_in_transaction(struct booker *booker, struct db *db, struct outbox *outbox, struct task *const *tasks,
                              size_t count, struct store_event *event)
{
    int result = 0;
    booker->booking_count = booker->given_back_count = 0;
    if (tasks[0]->is_book)
        result = run_event(booker, db, outbox, tasks, count, event);
    else
        for (size_t i = 0; i < count; i++) {
            booker->decisions[i] = (struct decision){.fate = FATE_DONE};
            condemn(&booker->decisions[i], tasks[i]->condemned, tasks[i]->detail);
        }
    if (result == 0)
        result = write_dead_letters(booker, db, outbox, tasks, count);
    if (result == 0)
        result = forget_attempts(db, tasks, count);
    return result ? result : outbox_remove(outbox, db);
}

static void log_decision(const struct booker *booker, const struct store_event *event, const struct task *task,
                         size_t index)
{
    const struct decision *decision = &booker->decisions[index];
    const struct store_order *order = &booker->orders[index];
    if (decision->condemned) {
        metric_add(&meter_condemned, 1);
        // The notifier says it at level error, once it is recorded and somebody can act.
        log_warn("condemned", LOG_S("slug", event->slug), LOG_U("place", task->place), LOG_U("attempt", task->attempt),
                 LOG_S("queue", booker->queue), LOG_S("reason", decision->condemned),
                 LOG_S("detail", decision->detail));
    }
    if (decision->fate == FATE_BOOK) {
        const char *reason = order_reason_name(order->verdict.reason);
        meters_add_booking(order->verdict.state);
        if (reason)
            log_info("booked", LOG_S("slug", event->slug), LOG_U("place", task->place), LOG_U("attempt", task->attempt),
                     LOG_S("state", order_state_name(order->verdict.state)), LOG_S("reason", reason));
        else
            log_info("booked", LOG_S("slug", event->slug), LOG_U("place", task->place), LOG_U("attempt", task->attempt),
                     LOG_S("state", order_state_name(order->verdict.state)), LOG_S("tier", order->choice.tier),
                     LOG_U("quantity", order->choice.quantity));
    } else if (decision->fate == FATE_GIVE_BACK) {
        metric_add(&meter_given_back, 1);
        log_info("given_back", LOG_S("slug", event->slug), LOG_U("place", task->place), LOG_U("attempt", task->attempt),
                 LOG_S("event_state", lifecycle_state_name(event->numbers.state)));
    } else if (!decision->condemned) {
        metric_add(&meter_duplicates, 1);
        log_debug("duplicate", LOG_S("slug", event->slug), LOG_U("place", task->place),
                  LOG_U("attempt", task->attempt));
    }
}

static void say(const struct booker *booker, const struct store_event *event, struct task *const *tasks, size_t count,
                int64_t began_ns)
{
    metric_add(&meter_batches, 1);
    metric_add(&meter_messages, (int64_t)count);
    metric_observe_us(&meter_batch_duration, (clock_monotonic_ns() - began_ns) / 1000);
    log_hold();
    for (size_t i = 0; i < count; i++)
        log_decision(booker, event, tasks[i], i);
    log_release();
}

int booker_run(struct booker *booker, struct db *db, struct outbox *outbox, struct task *const *tasks, size_t count,
               struct booker_result *ret)
{
    struct store_event event CLEANUP(store_event_done) = {0};
    int64_t began_ns = clock_monotonic_ns();
    assert(count > 0 && count <= booker->batch_max);
    int result = db_begin(db);
    if (result == 0)
        result = run_in_transaction(booker, db, outbox, tasks, count, &event);
    if (result == 0)
        result = db_commit(db);
    if (result) {
        db_rollback(db);
        outbox_rolled_back(outbox);
        metric_add(&meter_repeats, 1);
        return result;
    }
    outbox_committed(outbox);
    say(booker, &event, tasks, count, began_ns);
    *ret = (struct booker_result){0};
    memcpy(ret->slug, event.slug, sizeof(ret->slug));
    ret->is_sold_out = (event.numbers.state == LIFECYCLE_OPEN || event.numbers.state == LIFECYCLE_PAUSED) &&
                       allocate_is_all_sold(&event.numbers);
    return 0;
}
