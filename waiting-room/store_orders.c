// SPDX-License-Identifier: Apache-2.0
// Orders: the rows of all places in a batch are locked (store_order_locks.c), everything is decided in memory by order_decide.c, written
// with few statements, committed, and each request answered for itself.
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "waiting-room/store_orders_internal.h"

#define ORDER_VALUES 16
#define ATTEMPTS 3 // a deadlock or lock time-out undid everything: the same batch once more

static struct metric given = METRIC_COUNTER("onsale_orders_total", "Orders given or changed.");
static struct metric taken_back =
    METRIC_COUNTER("onsale_orders_taken_back_total",
                   "Orders taken back, also by giving the place up, and what was held for them given back.");
static struct metric prolonged =
    METRIC_COUNTER("onsale_holds_prolonged_total", "Holds whose visitors asked for more time.");
static struct metric paying = METRIC_COUNTER("onsale_payments_begun_total", "Payments that visitors began.");
static struct metric too_late =
    METRIC_COUNTER("onsale_orders_too_late_total",
                   "Changes of orders that came after the release, or that the event's state did not allow.");
static struct metric batches = METRIC_COUNTER("onsale_order_batches_total", "Transactions that wrote orders.");
static struct metric duration =
    METRIC_HISTOGRAM("onsale_order_batch_seconds", "How long the transaction of a batch of orders took.");

void store_register_order_metrics(void)
{
    metrics_register(&given);
    metrics_register(&taken_back);
    metrics_register(&prolonged);
    metrics_register(&paying);
    metrics_register(&too_late);
    metrics_register(&batches);
    metrics_register(&duration);
}

// ---------------------------------------------------------------- deciding and writing

// False when out of memory.
static bool copy_text(char **ret, const char *text)
{
    *ret = text ? strdup(text) : NULL;
    return *ret || !text;
}

// With a provider that takes no cards a payment method means nothing, and nothing is kept of it.
static const char *method_of(const struct order_batch *batch, const struct order_form *form)
{
    return store_takes_cards(batch->store) ? form->payment_method : NULL;
}

static int facts_of_form(const struct order_batch *batch, const struct order_form *form,
                         const struct order_place *place, const struct order_decision *decision,
                         struct order_facts **ret)
{
    struct order_facts *facts = order_facts_new();
    if (!facts)
        return ERROR_MEMORY;
    facts->place = place->number;
    facts->attempt = decision->attempt;
    facts->revision = decision->revision;
    facts->state = decision->state;
    memcpy(facts->tier, form->tier, sizeof facts->tier);
    facts->quantity = form->quantity;
    facts->amount = form->amount;
    memcpy(facts->currency, form->currency, sizeof facts->currency);
    facts->wheelchair = form->wheelchair;
    facts->companion = form->companion;
    facts->has_payment_method = method_of(batch, form) != NULL;
    if (place->has_card)
        store_take_card(facts, batch->cards, place->card_row);
    if (copy_text(&facts->tickets, form->tickets) && copy_text(&facts->alternatives, form->alternatives) &&
        copy_text(&facts->seats, form->seats) && copy_text(&facts->email, form->email) &&
        copy_text(&facts->name, form->name)) {
        *ret = facts;
        return 0;
    }
    order_facts_unref(facts);
    return ERROR_MEMORY;
}

// What the place's order is after the decision.
static int update_facts(const struct order_batch *batch, struct order_place *place,
                        const struct line_store_request *request, const struct order_decision *decision)
{
    struct order_facts *facts = NULL;
    if (decision->verdict != ORDER_WRITE)
        return 0;
    int error = 0;
    if (request->kind == LINE_STORE_ORDER)
        error = facts_of_form(batch, request->form, place, decision, &facts);
    else if (decision->of_booking)
        facts = store_booking_facts(batch, place, decision);
    else
        facts = order_facts_ended(place->facts, decision->state, decision->revision);
    if (error == 0 && !facts)
        error = ERROR_MEMORY;
    if (error < 0)
        return error;
    order_facts_unref(place->facts);
    place->facts = facts;
    return 0;
}

static void order_values(const struct order_batch *batch, const struct line_store_request *request,
                         const struct order_decision *decision, struct db_value *row)
{
    const struct order_form *form = request->form;
    row[0] = DB_U(batch->event_id);
    row[1] = DB_U(request->number);
    row[2] = DB_U(decision->attempt);
    row[3] = DB_B(request->visitor, sizeof request->visitor);
    row[4] = db_text(order_state_name(decision->state));
    row[5] = DB_U(decision->revision);
    row[6] = db_text(form->tier);
    row[7] = DB_U(form->quantity);
    row[8] = DB_U(form->amount);
    row[9] = db_text(form->currency);
    row[10] = db_text(form->choices);
    row[11] = db_text(form->email);
    row[12] = DB_B(form->customer, sizeof form->customer);
    row[13] = db_text(form->name);
    row[14] = db_text(form->lang);
    row[15] = db_text(method_of(batch, form));
}

static int write_orders(struct order_batch *batch, size_t first, size_t after)
{
    size_t count = 0;
    for (size_t i = first; i < after; i++)
        if (batch->requests[i]->kind == LINE_STORE_ORDER && batch->decisions[i].verdict == ORDER_WRITE)
            order_values(batch, batch->requests[i], &batch->decisions[i],
                         batch->store->values + ORDER_VALUES * count++);
    if (count == 0)
        return 0;
    return db_write_many(
        batch->store->db,
        "INSERT INTO orders (event_id, place, attempt, visitor, state, revision, tier, quantity, amount, currency, choices,"
        " email, customer, name, lang, payment_method, placed_at, changed_at) VALUES ",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
        " ON DUPLICATE KEY UPDATE state = VALUES(state), revision = VALUES(revision), tier = VALUES(tier),"
        " quantity = VALUES(quantity), amount = VALUES(amount), currency = VALUES(currency), choices = VALUES(choices),"
        " email = VALUES(email), customer = VALUES(customer), name = VALUES(name), lang = VALUES(lang),"
        " payment_method = VALUES(payment_method),"
        " changed_at = VALUES(changed_at)",
        batch->store->values, ORDER_VALUES, count);
}

static int write_taken_back(struct order_batch *batch, const struct line_store_request *request,
                            const struct order_decision *decision)
{
    return db_write(
        batch->store->db,
        "UPDATE orders SET state = ?, revision = ?, changed_at = UTC_TIMESTAMP(6), ended_at = UTC_TIMESTAMP(6)"
        " WHERE event_id = ? AND place = ? AND attempt = ?",
        (struct db_value[]){db_text(order_state_name(decision->state)), DB_U(decision->revision), DB_U(batch->event_id),
                            DB_U(request->number), DB_U(decision->attempt)},
        5, NULL);
}

static int write_left(struct order_batch *batch, const struct line_store_request *request)
{
    return db_write(batch->store->db,
                    "UPDATE arrivals SET left_at = COALESCE(left_at, UTC_TIMESTAMP(6))"
                    " WHERE event_id = ? AND number = ? AND visitor = ?",
                    (struct db_value[]){DB_U(batch->event_id), DB_U(request->number),
                                        DB_B(request->visitor, sizeof request->visitor)},
                    3, NULL);
}

static const char *detail_of(enum line_store_kind kind)
{
    if (kind == LINE_STORE_LEAVE)
        return "gave the place up";
    if (kind == LINE_STORE_PAY)
        return "began to pay";
    return kind == LINE_STORE_MORE_TIME ? "asked for more time" : NULL;
}

static int write_log(struct order_batch *batch, size_t first, size_t after)
{
    size_t count = 0;
    for (size_t i = first; i < after; i++) {
        const struct order_decision *decision = &batch->decisions[i];
        if (decision->verdict != ORDER_WRITE)
            continue;
        struct db_value *row = batch->store->values + 6 * count++;
        row[0] = DB_U(batch->event_id);
        row[1] = DB_U(batch->requests[i]->number);
        row[2] = DB_U(decision->attempt);
        row[3] = DB_U(decision->revision);
        row[4] = db_text(order_state_name(decision->state));
        row[5] = db_text(detail_of(batch->requests[i]->kind));
    }
    if (count == 0)
        return 0;
    return db_write_many(batch->store->db,
                         "INSERT INTO order_log (event_id, place, attempt, revision, state, at, actor, detail) VALUES ",
                         "(?, ?, ?, ?, ?, UTC_TIMESTAMP(6), 'visitor', ?)", "", batch->store->values, 6, count);
}

static struct order_decision decide(const struct order_batch *batch, const struct line_store_request *request,
                                    const struct order_place *place)
{
    const struct order_rows *rows = &place->rows;
    switch (request->kind) {
    case LINE_STORE_ORDER:
        return order_decide_put(batch->event.state, rows);
    case LINE_STORE_LEAVE:
        return order_decide_leave(rows);
    case LINE_STORE_MORE_TIME:
        return order_decide_more_time(rows);
    case LINE_STORE_PAY:
        return order_decide_pay(batch->event.state, rows, request->payment_method || place->has_card);
    default:
        return order_decide_take_back(rows);
    }
}

// Decides for one request and sets its answer. New and changed orders are written by the wave, all at once.
static int work_on_request(struct order_batch *batch, struct line_store_request *request,
                           struct order_decision *decision)
{
    struct order_place *place = store_find_place(batch, request->number);
    place->rows.arrived = place->exists && memcmp(place->visitor, request->visitor, sizeof place->visitor) == 0;
    *decision = decide(batch, request, place);
    enum order_state before = place->rows.booking_state;
    request->is_bell_due =
        decision->verdict == ORDER_WRITE &&
        (request->kind == LINE_STORE_PAY || (request->kind == LINE_STORE_TAKE_BACK && before == ORDER_ACTION_REQUIRED));
    order_rows_after(&place->rows, decision);
    place->rows.left |= request->kind == LINE_STORE_LEAVE && place->rows.arrived;
    int error = update_facts(batch, place, request, decision);
    order_facts_unref(request->order); // an attempt before was rolled back
    request->order = place->rows.arrived ? order_facts_ref(place->facts) : NULL;
    if (error < 0 || request->kind == LINE_STORE_ORDER || decision->verdict != ORDER_WRITE)
        return error;
    if (request->kind == LINE_STORE_PAY)
        return store_write_payment(batch, request, place);
    return decision->of_booking ? store_write_booking(batch, decision, place->facts, before)
                                : write_taken_back(batch, request, decision);
}

// Decides for requests first … after - 1, which are for different places, and writes what came of it.
static int work_on_wave(struct order_batch *batch, size_t first, size_t after)
{
    int error = 0;
    for (size_t i = first; i < after && error == 0; i++)
        error = work_on_request(batch, batch->requests[i], &batch->decisions[i]);
    if (error == 0)
        error = write_orders(batch, first, after);
    for (size_t i = first; i < after && error == 0; i++)
        if (batch->requests[i]->kind == LINE_STORE_LEAVE)
            error = write_left(batch, batch->requests[i]);
    return error == 0 ? write_log(batch, first, after) : error;
}

// Requests stand by number, those for one place behind each other. A wave takes the first of each, the next wave the second, …
static int work_in_waves(struct order_batch *batch)
{
    static _Thread_local struct line_store_request *left[STORE_BATCH_MAX];
    size_t done = 0;
    while (done < batch->count) {
        size_t after = done, left_count = 0;
        for (size_t i = done; i < batch->count; i++) {
            struct line_store_request *request = batch->requests[i];
            if (after > done && batch->requests[after - 1]->number == request->number)
                left[left_count++] = request;
            else
                batch->requests[after++] = request;
        }
        memcpy(batch->requests + after, left, left_count * sizeof(struct line_store_request *));
        int error = work_on_wave(batch, done, after);
        if (error < 0)
            return error;
        done = after;
    }
    return 0;
}

static void begin_places(struct order_batch *batch)
{
    batch->place_count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct line_store_request *request = batch->requests[i];
        if (i == 0 || batch->requests[i - 1]->number != request->number)
            batch->places[batch->place_count++] = (struct order_place){.number = request->number};
        batch->places[batch->place_count - 1].is_booking_wanted |= request->kind == LINE_STORE_TAKE_BACK ||
                                                                   request->kind == LINE_STORE_MORE_TIME ||
                                                                   request->kind == LINE_STORE_PAY;
        batch->is_paid |= request->kind == LINE_STORE_PAY;
    }
}

static void end_places(struct order_batch *batch)
{
    for (size_t i = 0; i < batch->place_count; i++)
        order_facts_unref(batch->places[i].facts);
    batch->place_count = 0;
    db_rows_free(batch->cards);
    batch->cards = NULL;
}

static int try_once(struct order_batch *batch)
{
    store_sort(batch->requests, batch->count);
    begin_places(batch);
    int error = db_write(batch->store->db, "START TRANSACTION", NULL, 0, NULL);
    if (error == 0)
        error = store_lock_places(batch);
    if (error == 0)
        error = work_in_waves(batch);
    if (error == 0)
        error = db_write(batch->store->db, "COMMIT", NULL, 0, NULL);
    if (error < 0)
        store_roll_back(batch->store);
    end_places(batch);
    return error;
}

// ---------------------------------------------------------------- answering

void store_fail(struct line_store *store, struct line_store_request **requests, size_t count, const char *what,
                int error)
{
    for (size_t i = 0; i < count; i++) {
        requests[i]->error = ERROR_TRANSIENT;
        requests[i]->retry_after_seconds = STORE_RETRY_AFTER_SECONDS;
        requests[i]->has_line = requests[i]->has_order_answer = false;
        order_facts_unref(requests[i]->order);
        requests[i]->order = NULL;
    }
    log_warn(what, LOG_U("event_id", requests[0]->event_id), LOG_U("count", count), LOG_S("class", error_str(error)),
             LOG_S("error", db_error_text(store->db)));
}

static int error_of(const struct line_store_request *request, enum order_verdict verdict)
{
    if (request->kind == LINE_STORE_LEAVE || verdict == ORDER_WRITE || verdict == ORDER_UNCHANGED)
        return 0;
    return verdict == ORDER_NO_ARRIVAL ? ERROR_NOT_FOUND : ERROR_CONFLICT;
}

static struct metric *metric_of(enum line_store_kind kind)
{
    if (kind == LINE_STORE_ORDER)
        return &given;
    if (kind == LINE_STORE_PAY)
        return &paying;
    return kind == LINE_STORE_MORE_TIME ? &prolonged : &taken_back;
}

static void set_answers(struct order_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct line_store_request *request = batch->requests[i];
        bool wrote = batch->decisions[i].verdict == ORDER_WRITE;
        request->order_verdict = batch->decisions[i].verdict;
        request->error = error_of(request, request->order_verdict);
        request->state = batch->event.state;
        request->retry_after_seconds = STORE_RETRY_AFTER_SECONDS;
        request->order_changed = wrote;
        request->has_line = true;
        request->served = batch->served;
        request->last = batch->last;
        // A booking that was not locked was looked at for its state alone: what is known of it is asked for anew.
        request->has_order_answer = request->order && request->order->state != ORDER_RELEASED && request->error == 0;
        if (request->kind == LINE_STORE_LEAVE)
            request->facts = (struct line_facts){.number = request->number, .left = true};
        if (request->error == ERROR_CONFLICT)
            metric_add(&too_late, 1);
        else if (wrote)
            metric_add(metric_of(request->kind), 1);
    }
}

void store_orders(struct line_store *store, struct line_store_request **requests, size_t count)
{
    static _Thread_local struct order_place places[STORE_BATCH_MAX];
    static _Thread_local struct order_decision decisions[STORE_BATCH_MAX];
    struct order_batch batch = {.store = store,
                                .event_id = requests[0]->event_id,
                                .places = places,
                                .requests = requests,
                                .decisions = decisions,
                                .count = count};
    int64_t began_ns = clock_monotonic_ns();
    // After a lost connection nobody knows what became of the COMMIT; a visitor who asks again then changes an order that is
    // there, or finds it taken back.
    int error = ERROR_TRANSIENT;
    for (int attempt = 0; attempt < ATTEMPTS && error == ERROR_TRANSIENT && db_is_connected(store->db); attempt++)
        error = try_once(&batch);
    if (error < 0) {
        store_fail(store, requests, count, "orders_failed", error);
        return;
    }
    set_answers(&batch);
    metric_add(&batches, 1);
    metric_observe_us(&duration, (clock_monotonic_ns() - began_ns) / 1000);
}
