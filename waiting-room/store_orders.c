// SPDX-License-Identifier: Apache-2.0
// Orders: the rows of all places in a batch are locked (event shared, arrivals by number, orders by place), everything is
// decided in memory by order_decide.c, written with few statements, committed, and each request answered for itself. The
// arrival's lock is what keeps two tabs on two waiting rooms apart; an order's lock what keeps a change and its release apart.
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "waiting-room/line_store_internal.h"

#define ATTEMPTS 3 // a deadlock or lock time-out undid everything: the same batch once more

static struct metric given = METRIC_COUNTER("onsale_orders_total", "Orders given or changed.");
static struct metric taken_back =
    METRIC_COUNTER("onsale_orders_taken_back_total", "Orders taken back, also by giving the place up.");
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
    metrics_register(&too_late);
    metrics_register(&batches);
    metrics_register(&duration);
}

// A place that requests of the batch are about.
struct order_place {
    uint64_t number;
    bool exists;
    uint8_t visitor[TOKEN_VISITOR_BYTES];
    struct order_rows rows;
    struct order_facts *facts; // the newest order as it stands after what was decided so far; NULL: none
};

struct batch {
    struct line_store *store;
    uint32_t event_id;
    enum lifecycle_state state;
    uint64_t served, last;
    size_t place_count;
    struct order_place *places; // by number
    struct line_store_request **requests; // by number; for one number as they came
    struct order_decision *decisions;
    size_t count;
};

// ---------------------------------------------------------------- reading

// The columns of an order that facts are made from, then those of its booking.
#define ORDER_COLUMNS \
    "o.place, o.attempt, o.visitor, o.state, o.reason, o.revision, o.tier, o.quantity, o.amount, o.currency, o.choices, o.email, o.name"
// From the numbers to the rows and never the other way: in a small table the server would else begin with the event's orders,
// and lock them all.
#define NEWEST                                                                                                   \
    " FROM JSON_TABLE(?, '$[*]' COLUMNS (number BIGINT UNSIGNED PATH '$')) AS asked"                             \
    " STRAIGHT_JOIN orders o FORCE INDEX (PRIMARY) ON o.event_id = ? AND o.place = asked.number AND o.attempt =" \
    " (SELECT MAX(n.attempt) FROM orders n FORCE INDEX (PRIMARY) WHERE n.event_id = o.event_id AND n.place = o.place)"

enum {
    PLACE,
    ATTEMPT,
    VISITOR,
    STATE,
    REASON,
    REVISION,
    TIER,
    QUANTITY,
    AMOUNT,
    CURRENCY,
    CHOICES,
    EMAIL,
    NAME,
    BOOKING
};

static bool copy_column(char **ret, const struct db_rows *rows, size_t row, size_t column)
{
    const char *text = db_string(rows, row, column);
    *ret = text ? strdup(text) : NULL;
    return !text || *ret;
}

static void copy_code(char *ret, size_t bytes, const struct db_rows *rows, size_t row, size_t column)
{
    const char *text = db_string(rows, row, column);
    size_t length = text ? strnlen(text, bytes - 1) : 0;
    if (text)
        memcpy(ret, text, length);
    ret[length] = '\0';
}

// The booking's word replaces the order's.
static int take_booking(struct order_facts *facts, const struct db_rows *rows, size_t row)
{
    enum { B_STATE = BOOKING, B_REASON, B_REVISION, B_CHOICE, B_TIER, B_QUANTITY, B_AMOUNT, B_REFERENCE, B_REFUND };
    if (db_is_null(rows, row, B_STATE))
        return order_facts_take_choices(facts, db_string(rows, row, CHOICES), 0);
    facts->revision = (uint32_t)db_u64(rows, row, B_REVISION);
    copy_code(facts->reference, sizeof facts->reference, rows, row, B_REFERENCE);
    copy_code(facts->refund, sizeof facts->refund, rows, row, B_REFUND);
    if (order_state_parse(db_string(rows, row, B_STATE), &facts->state) < 0 ||
        order_reason_parse(db_string(rows, row, B_REASON), &facts->reason) < 0)
        return ERROR_BUG;
    bool given_something = !db_is_null(rows, row, B_TIER);
    if (given_something) {
        copy_code(facts->tier, sizeof facts->tier, rows, row, B_TIER);
        facts->quantity = (uint32_t)db_u64(rows, row, B_QUANTITY);
        facts->amount = db_u64(rows, row, B_AMOUNT);
    }
    return order_facts_take_choices(facts, db_string(rows, row, CHOICES),
                                    given_something ? (unsigned)db_u64(rows, row, B_CHOICE) : 0);
}

static int facts_of_row(const struct db_rows *rows, size_t row, bool with_booking, struct order_facts **ret)
{
    struct order_facts *facts = order_facts_new();
    if (!facts)
        return ERROR_MEMORY;
    facts->place = db_u64(rows, row, PLACE);
    facts->attempt = (uint32_t)db_u64(rows, row, ATTEMPT);
    facts->revision = (uint32_t)db_u64(rows, row, REVISION);
    copy_code(facts->tier, sizeof facts->tier, rows, row, TIER);
    facts->quantity = (uint32_t)db_u64(rows, row, QUANTITY);
    facts->amount = db_u64(rows, row, AMOUNT);
    copy_code(facts->currency, sizeof facts->currency, rows, row, CURRENCY);
    int error = 0;
    if (order_state_parse(db_string(rows, row, STATE), &facts->state) < 0 ||
        order_reason_parse(db_string(rows, row, REASON), &facts->reason) < 0)
        error = ERROR_BUG;
    if (!copy_column(&facts->email, rows, row, EMAIL) || !copy_column(&facts->name, rows, row, NAME))
        error = ERROR_MEMORY;
    if (error == 0)
        error = with_booking ? take_booking(facts, rows, row)
                             : order_facts_take_choices(facts, db_string(rows, row, CHOICES), 0);
    if (error < 0)
        order_facts_unref(facts);
    else
        *ret = facts;
    return error;
}

static bool is_visitors(const struct db_rows *rows, size_t row, size_t column,
                        const uint8_t visitor[static TOKEN_VISITOR_BYTES])
{
    size_t bytes = 0;
    const void *data = db_bytes(rows, row, column, &bytes);
    return data && bytes == TOKEN_VISITOR_BYTES && memcmp(data, visitor, bytes) == 0;
}

size_t store_numbers(struct line_store_request **requests, size_t count, struct buffer *ret)
{
    size_t distinct = 0;
    buffer_text(ret, "[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && requests[i]->number == requests[i - 1]->number)
            continue;
        buffer_text(ret, distinct++ ? "," : "");
        buffer_number(ret, requests[i]->number);
    }
    buffer_text(ret, "]");
    return distinct;
}

struct in_order {
    struct line_store_request *request;
    size_t index;
};

static int by_number(const void *a, const void *b)
{
    const struct in_order *x = a, *y = b;
    if (x->request->number != y->request->number)
        return x->request->number < y->request->number ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

void store_sort(struct line_store_request **requests, size_t count)
{
    static _Thread_local struct in_order items[STORE_BATCH_MAX];
    for (size_t i = 0; i < count; i++)
        items[i] = (struct in_order){requests[i], i};
    qsort(items, count, sizeof *items, by_number);
    for (size_t i = 0; i < count; i++)
        requests[i] = items[i].request;
}

int store_read_orders(struct line_store *store, struct line_store_request **requests, size_t count)
{
    struct buffer numbers CLEANUP(buffer_done) = BUFFER_INIT;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    size_t distinct = store_numbers(requests, count, &numbers);
    if (numbers.failed)
        return ERROR_MEMORY;
    int error =
        db_read(store->db,
                "SELECT " ORDER_COLUMNS ", b.state, b.reason, b.revision, b.choice, b.tier, b.quantity,"
                " b.amount, b.reference, b.refund" NEWEST
                " LEFT JOIN bookings b ON b.event_id = o.event_id AND b.place = o.place AND b.attempt = o.attempt"
                " ORDER BY o.place",
                (struct db_value[]){db_text(numbers.data), DB_U(requests[0]->event_id)}, 2, distinct, &rows);
    size_t row = 0, row_count = error == 0 ? db_rows_count(rows) : 0;
    for (size_t i = 0; i < count && error == 0; i++) {
        struct line_store_request *request = requests[i];
        while (row < row_count && db_u64(rows, row, PLACE) < request->number)
            row++;
        request->has_order_answer = request->error == 0;
        if (row < row_count && request->has_order_answer && db_u64(rows, row, PLACE) == request->number &&
            is_visitors(rows, row, VISITOR, request->visitor))
            error = facts_of_row(rows, row, true, &request->order);
    }
    return error;
}

// ---------------------------------------------------------------- locking

static struct order_place *find_place(struct batch *batch, uint64_t number)
{
    size_t low = 0, high = batch->place_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (batch->places[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < batch->place_count && batch->places[low].number == number ? &batch->places[low] : NULL;
}

static int lock_event(struct batch *batch)
{
    struct db_rows *event CLEANUP(db_rows_cleanup) = NULL, *line CLEANUP(db_rows_cleanup) = NULL;
    struct db_value id = DB_U(batch->event_id);
    int error =
        db_read(batch->store->db, "SELECT state FROM events WHERE id = ? LOCK IN SHARE MODE", &id, 1, 1, &event);
    if (error == 0)
        error = db_read(batch->store->db,
                        "SELECT s.served, c.last FROM line_served s JOIN line_counters c ON c.event_id = s.event_id"
                        " WHERE s.event_id = ?",
                        &id, 1, 1, &line);
    if (error < 0)
        return error;
    if (db_rows_count(event) == 0)
        return ERROR_NOT_FOUND;
    // Before the first step of the line there is no row: nobody has been let in.
    batch->served = db_rows_count(line) > 0 ? db_u64(line, 0, 0) : 0;
    batch->last = db_rows_count(line) > 0 ? db_u64(line, 0, 1) : 0;
    return lifecycle_state_parse(db_string(event, 0, 0), &batch->state);
}

static int lock_arrivals(struct batch *batch, const char *numbers)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int error = db_read(batch->store->db,
                        "SELECT a.number, a.visitor, a.left_at IS NOT NULL"
                        " FROM JSON_TABLE(?, '$[*]' COLUMNS (number BIGINT UNSIGNED PATH '$')) AS asked"
                        " STRAIGHT_JOIN arrivals a ON a.event_id = ? AND a.number = asked.number FOR UPDATE",
                        (struct db_value[]){db_text(numbers), DB_U(batch->event_id)}, 2, batch->place_count, &rows);
    for (size_t i = 0; error == 0 && i < db_rows_count(rows); i++) {
        struct order_place *place = find_place(batch, db_u64(rows, i, 0));
        size_t bytes = 0;
        const void *visitor = db_bytes(rows, i, 1, &bytes);
        if (!place || !visitor || bytes != sizeof place->visitor)
            return ERROR_BUG;
        place->exists = true;
        memcpy(place->visitor, visitor, bytes);
        place->rows.left = db_i64(rows, i, 2) != 0;
    }
    return error;
}

static int lock_newest_orders(struct batch *batch, const char *numbers)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int error = db_read(batch->store->db, "SELECT " ORDER_COLUMNS NEWEST " FOR UPDATE",
                        (struct db_value[]){db_text(numbers), DB_U(batch->event_id)}, 2, batch->place_count, &rows);
    for (size_t i = 0; error == 0 && i < db_rows_count(rows); i++) {
        struct order_place *place = find_place(batch, db_u64(rows, i, PLACE));
        if (!place)
            return ERROR_BUG;
        error = facts_of_row(rows, i, false, &place->facts);
        if (error < 0)
            return error;
        place->rows.attempt = place->facts->attempt;
        place->rows.revision = place->facts->revision;
        place->rows.order_state = place->facts->state;
    }
    return error;
}

// What became of released orders. Read without a lock: an end stays an end, unless an operator retries it, and that takes
// the arrival's lock, which is ours.
static int read_bookings(struct batch *batch, const char *numbers)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int error = db_read(batch->store->db,
                        "SELECT b.place, b.attempt, b.state"
                        " FROM JSON_TABLE(?, '$[*]' COLUMNS (number BIGINT UNSIGNED PATH '$')) AS asked"
                        " STRAIGHT_JOIN bookings b ON b.event_id = ? AND b.place = asked.number",
                        (struct db_value[]){db_text(numbers), DB_U(batch->event_id)}, 2,
                        batch->place_count * ORDER_ATTEMPTS_MAX, &rows);
    for (size_t i = 0; error == 0 && i < db_rows_count(rows); i++) {
        struct order_place *place = find_place(batch, db_u64(rows, i, 0));
        if (!place || db_u64(rows, i, 1) != place->rows.attempt)
            continue;
        place->rows.booked = true;
        error = order_state_parse(db_string(rows, i, 2), &place->rows.booking_state);
    }
    return error;
}

static int lock_all(struct batch *batch)
{
    struct buffer numbers CLEANUP(buffer_done) = BUFFER_INIT;
    store_numbers(batch->requests, batch->count, &numbers);
    if (numbers.failed)
        return ERROR_MEMORY;
    int error = lock_event(batch);
    if (error == 0)
        error = lock_arrivals(batch, numbers.data);
    if (error == 0)
        error = lock_newest_orders(batch, numbers.data);
    if (error == 0)
        error = read_bookings(batch, numbers.data);
    return error;
}

// ---------------------------------------------------------------- deciding and writing

static int facts_of_form(const struct order_form *form, uint64_t place, const struct order_decision *decision,
                         struct order_facts **ret)
{
    struct order_facts *facts = order_facts_new();
    if (!facts)
        return ERROR_MEMORY;
    facts->place = place;
    facts->attempt = decision->attempt;
    facts->revision = decision->revision;
    facts->state = decision->state;
    memcpy(facts->tier, form->tier, sizeof facts->tier);
    facts->quantity = form->quantity;
    facts->amount = form->amount;
    memcpy(facts->currency, form->currency, sizeof facts->currency);
    facts->tickets = strdup(form->tickets);
    facts->alternatives = form->alternatives ? strdup(form->alternatives) : NULL;
    facts->email = strdup(form->email);
    facts->name = form->name ? strdup(form->name) : NULL;
    if (!facts->tickets || !facts->email || (form->alternatives && !facts->alternatives) ||
        (form->name && !facts->name)) {
        order_facts_unref(facts);
        return ERROR_MEMORY;
    }
    *ret = facts;
    return 0;
}

// What the place's order is after the decision.
static int update_facts(struct order_place *place, const struct line_store_request *request,
                        const struct order_decision *decision)
{
    struct order_facts *facts = NULL;
    if (decision->verdict != ORDER_WRITE)
        return 0;
    int error = 0;
    if (request->kind == LINE_STORE_ORDER)
        error = facts_of_form(request->form, place->number, decision, &facts);
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

static void order_values(const struct batch *batch, const struct line_store_request *request,
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
}

static int write_orders(struct batch *batch, size_t first, size_t after)
{
    size_t count = 0;
    for (size_t i = first; i < after; i++)
        if (batch->requests[i]->kind == LINE_STORE_ORDER && batch->decisions[i].verdict == ORDER_WRITE)
            order_values(batch, batch->requests[i], &batch->decisions[i], batch->store->values + 15 * count++);
    if (count == 0)
        return 0;
    return db_write_many(
        batch->store->db,
        "INSERT INTO orders (event_id, place, attempt, visitor, state, revision, tier, quantity, amount, currency, choices,"
        " email, customer, name, lang, placed_at, changed_at) VALUES ",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
        " ON DUPLICATE KEY UPDATE state = VALUES(state), revision = VALUES(revision), tier = VALUES(tier),"
        " quantity = VALUES(quantity), amount = VALUES(amount), currency = VALUES(currency), choices = VALUES(choices),"
        " email = VALUES(email), customer = VALUES(customer), name = VALUES(name), lang = VALUES(lang),"
        " changed_at = VALUES(changed_at)",
        batch->store->values, 15, count);
}

static int write_taken_back(struct batch *batch, const struct line_store_request *request,
                            const struct order_decision *decision)
{
    if (decision->verdict != ORDER_WRITE)
        return 0;
    return db_write(
        batch->store->db,
        "UPDATE orders SET state = ?, revision = ?, changed_at = UTC_TIMESTAMP(6), ended_at = UTC_TIMESTAMP(6)"
        " WHERE event_id = ? AND place = ? AND attempt = ?",
        (struct db_value[]){db_text(order_state_name(decision->state)), DB_U(decision->revision), DB_U(batch->event_id),
                            DB_U(request->number), DB_U(decision->attempt)},
        5, NULL);
}

static int write_left(struct batch *batch, const struct line_store_request *request)
{
    return db_write(batch->store->db,
                    "UPDATE arrivals SET left_at = COALESCE(left_at, UTC_TIMESTAMP(6))"
                    " WHERE event_id = ? AND number = ? AND visitor = ?",
                    (struct db_value[]){DB_U(batch->event_id), DB_U(request->number),
                                        DB_B(request->visitor, sizeof request->visitor)},
                    3, NULL);
}

static int write_log(struct batch *batch, size_t first, size_t after)
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
        row[5] = db_text(batch->requests[i]->kind == LINE_STORE_LEAVE ? "gave the place up" : NULL);
    }
    if (count == 0)
        return 0;
    return db_write_many(batch->store->db,
                         "INSERT INTO order_log (event_id, place, attempt, revision, state, at, actor, detail) VALUES ",
                         "(?, ?, ?, ?, ?, UTC_TIMESTAMP(6), 'visitor', ?)", "", batch->store->values, 6, count);
}

// Decides for requests first … after - 1, which are for different places, and writes what came of it.
static int work_on_wave(struct batch *batch, size_t first, size_t after)
{
    int error = 0;
    for (size_t i = first; i < after && error == 0; i++) {
        struct line_store_request *request = batch->requests[i];
        struct order_place *place = find_place(batch, request->number);
        place->rows.arrived = place->exists && memcmp(place->visitor, request->visitor, sizeof place->visitor) == 0;
        batch->decisions[i] = request->kind == LINE_STORE_ORDER ? order_decide_put(batch->state, &place->rows)
                                                                : order_decide_take_back(&place->rows);
        order_rows_after(&place->rows, &batch->decisions[i]);
        place->rows.left |= request->kind == LINE_STORE_LEAVE && place->rows.arrived;
        error = update_facts(place, request, &batch->decisions[i]);
        order_facts_unref(request->order); // an attempt before was rolled back
        request->order = place->rows.arrived ? order_facts_ref(place->facts) : NULL;
    }
    if (error == 0)
        error = write_orders(batch, first, after);
    for (size_t i = first; i < after && error == 0; i++) {
        if (batch->requests[i]->kind == LINE_STORE_ORDER)
            continue;
        error = write_taken_back(batch, batch->requests[i], &batch->decisions[i]);
        if (error == 0 && batch->requests[i]->kind == LINE_STORE_LEAVE)
            error = write_left(batch, batch->requests[i]);
    }
    return error == 0 ? write_log(batch, first, after) : error;
}

// Requests stand by number, those for one place behind each other. A wave takes the first of each, the next wave the second, …
static int work_in_waves(struct batch *batch)
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

static void begin_places(struct batch *batch)
{
    batch->place_count = 0;
    for (size_t i = 0; i < batch->count; i++)
        if (i == 0 || batch->requests[i]->number != batch->requests[i - 1]->number)
            batch->places[batch->place_count++] = (struct order_place){.number = batch->requests[i]->number};
}

static void end_places(struct batch *batch)
{
    for (size_t i = 0; i < batch->place_count; i++)
        order_facts_unref(batch->places[i].facts);
    batch->place_count = 0;
}

static int try_once(struct batch *batch)
{
    store_sort(batch->requests, batch->count);
    begin_places(batch);
    int error = db_write(batch->store->db, "START TRANSACTION", NULL, 0, NULL);
    if (error == 0)
        error = lock_all(batch);
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

static void set_answers(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct line_store_request *request = batch->requests[i];
        bool wrote = batch->decisions[i].verdict == ORDER_WRITE;
        request->order_verdict = batch->decisions[i].verdict;
        request->error = error_of(request, request->order_verdict);
        request->state = batch->state;
        request->retry_after_seconds = STORE_RETRY_AFTER_SECONDS;
        request->order_changed = wrote;
        request->has_line = true;
        request->served = batch->served;
        request->last = batch->last;
        // A booking was looked at for its state alone: what is known of it is asked for anew.
        request->has_order_answer = request->order && request->order->state != ORDER_RELEASED && request->error == 0;
        if (request->kind == LINE_STORE_LEAVE)
            request->facts = (struct line_facts){.number = request->number, .left = true};
        if (request->error == ERROR_CONFLICT)
            metric_add(&too_late, 1);
        else if (wrote)
            metric_add(request->kind == LINE_STORE_ORDER ? &given : &taken_back, 1);
    }
}

void store_orders(struct line_store *store, struct line_store_request **requests, size_t count)
{
    static _Thread_local struct order_place places[STORE_BATCH_MAX];
    static _Thread_local struct order_decision decisions[STORE_BATCH_MAX];
    struct batch batch = {.store = store,
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
