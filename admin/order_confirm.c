// SPDX-License-Identifier: Apache-2.0
#include "admin/order_confirm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/order_confirm_find.h"
#include "admin/tickets.h"
#include "common/buffer.h"
#include "common/lifecycle.h"
#include "common/slug.h"
#include "common/topology.h"

#define TRIES_MAX 5 // of a batch that met another in a deadlock
#define TIERS_MAX 1000
#define ACTOR_BYTES 160
#define LOG_VALUES 7

// The keys, each with the number of its item.
#define KEYS                                                                                                    \
    "JSON_TABLE(?, '$[*]' COLUMNS (n INT UNSIGNED PATH '$[0]', place BIGINT UNSIGNED PATH '$[1]', attempt INT " \
    "UNSIGNED PATH '$[2]')) AS k "
#define OF_BOOKINGS "b ON b.event_id = ? AND b.place = k.place AND b.attempt = k.attempt "
enum { B_N, B_STATE, B_REVISION, B_TIER, B_QUANTITY, B_AMOUNT, B_REFERENCE, B_CHOICE, B_SEATS, B_LAPSED };
enum { O_N, O_STATE, O_REVISION, O_VISITOR, O_CHOICES };

struct batch {
    struct db *db;
    uint64_t event_id;
    char slug[SLUG_BYTES], currency[4], actor[ACTOR_BYTES];
    bool is_stopped;
    uint64_t stopped_us;
    struct order_confirm *items;
    size_t count;
    struct order_confirm *order[ORDER_CONFIRM_MAX]; // the items by place and attempt, which is the order of locking
    size_t booking_row[ORDER_CONFIRM_MAX], order_row[ORDER_CONFIRM_MAX]; // by item; SIZE_MAX: none
    bool has_open[ORDER_CONFIRM_MAX]; // by item: a payment of it is under way
    struct db_rows *tiers; // code
    struct db_rows *bookings, *orders; // B_, O_
};

static int compare_keys(const struct order_confirm *a, const struct order_confirm *b)
{
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    return (a->attempt > b->attempt) - (a->attempt < b->attempt);
}

static int by_key(const void *a, const void *b)
{
    const struct order_confirm *left = *(struct order_confirm *const *)a, *right = *(struct order_confirm *const *)b;
    const int by = compare_keys(left, right);
    return by ? by : (left > right) - (left < right);
}

// Whether an item means what the one before it in the order means.
static bool is_repeated(const struct batch *batch, size_t i)
{
    const struct order_confirm *item = batch->order[i];
    return i > 0 && item->is_found && compare_keys(batch->order[i - 1], item) == 0;
}

static size_t index_of(const struct batch *batch, const struct order_confirm *item)
{
    return (size_t)(item - batch->items);
}

// ---------------------------------------------------------------- locking

static int lock_event(struct batch *batch)
{
    struct db_rows *event CLEANUP(db_rows_cleanup) = NULL;
    const struct db_value id[] = {DB_U(batch->event_id)};
    int r = db_read(batch->db, "SELECT slug, currency, state, stopped_us FROM events WHERE id = ? LOCK IN SHARE MODE",
                    id, 1, 1, &event);
    if (r < 0 || db_rows_count(event) == 0)
        return r < 0 ? r : ERROR_NOT_FOUND;
    snprintf(batch->slug, sizeof(batch->slug), "%s", db_string(event, 0, 0));
    snprintf(batch->currency, sizeof(batch->currency), "%s", db_string(event, 0, 1));
    batch->is_stopped = strcmp(db_string(event, 0, 2), lifecycle_state_name(LIFECYCLE_STOPPED)) == 0;
    batch->stopped_us = db_u64(event, 0, 3);
    return db_read(batch->db, "SELECT code FROM tiers WHERE event_id = ? ORDER BY code FOR UPDATE", id, 1, TIERS_MAX,
                   &batch->tiers);
}

// Each booking once, in the order of places.
static int write_keys(const struct batch *batch, struct buffer *ret)
{
    size_t count = 0;
    buffer_text(ret, "[");
    for (size_t i = 0; i < batch->count; i++) {
        const struct order_confirm *item = batch->order[i];
        if (item->is_found && !is_repeated(batch, i))
            buffer_format(ret, "%s[%zu,%" PRIu64 ",%" PRIu32 "]", count++ ? "," : "", index_of(batch, item),
                          item->place, item->attempt);
    }
    buffer_text(ret, "]");
    return ret->failed ? ERROR_MEMORY : 0;
}

// After the bookings. What the provider may still be charging is not to be paid a second time.
static int lock_payments(struct batch *batch, const char *keys)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(batch->db,
                    "SELECT k.n FROM " KEYS "STRAIGHT_JOIN payments p ON p.event_id = ? AND p.place = k.place AND "
                    "p.attempt = k.attempt WHERE p.open = 1 ORDER BY p.place, p.attempt FOR UPDATE",
                    (struct db_value[]){db_text(keys), DB_U(batch->event_id)}, 2, batch->count, &rows);
    for (size_t i = 0; i < db_rows_count(rows); i++)
        batch->has_open[db_u64(rows, i, 0)] = true;
    return r;
}

static int lock_bookings(struct batch *batch)
{
    struct buffer keys CLEANUP(buffer_done) = BUFFER_INIT;
    int r = write_keys(batch, &keys);
    // Whether a hold has run out is judged by the event's clock, by the server, after the tiers are locked.
    if (r == 0)
        r = db_read(batch->db,
                    "SELECT k.n, b.state, b.revision, b.tier, b.quantity, b.amount, b.reference, b.choice, b.seats, "
                    "b.pay_until <= UTC_TIMESTAMP(6) - INTERVAL ? MICROSECOND FROM " KEYS
                    "STRAIGHT_JOIN bookings " OF_BOOKINGS "FOR UPDATE",
                    (struct db_value[]){DB_U(batch->stopped_us), db_text(keys.data), DB_U(batch->event_id)}, 3,
                    batch->count, &batch->bookings);
    if (r == 0)
        r = lock_payments(batch, keys.data);
    if (r == 0)
        r = db_read(batch->db,
                    "SELECT k.n, o.state, o.revision, o.visitor, o.choices FROM " KEYS
                    "STRAIGHT_JOIN orders o ON o.event_id = ? AND o.place = k.place AND o.attempt = k.attempt",
                    (struct db_value[]){db_text(keys.data), DB_U(batch->event_id)}, 2, batch->count, &batch->orders);
    for (size_t i = 0; r == 0 && i < db_rows_count(batch->bookings); i++)
        batch->booking_row[db_u64(batch->bookings, i, B_N)] = i;
    for (size_t i = 0; r == 0 && i < db_rows_count(batch->orders); i++)
        batch->order_row[db_u64(batch->orders, i, O_N)] = i;
    return r;
}

// ---------------------------------------------------------------- deciding

static void refuse(struct order_confirm *item, const char *format, ...) PRINTF_LIKE(2, 3);

static void refuse(struct order_confirm *item, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(item->why, sizeof(item->why), format, arguments);
    va_end(arguments);
}

static bool may_be_confirmed(enum order_state state)
{
    return (state == ORDER_HELD || state == ORDER_DECLINED) &&
           order_may_become(state, ORDER_PAYING, ORDER_BY_OPERATOR) &&
           order_may_become(ORDER_PAYING, ORDER_CONFIRMED, ORDER_BY_OPERATOR);
}

static void decide_booked(const struct batch *batch, struct order_confirm *item, size_t row)
{
    const char *reference = db_string(batch->bookings, row, B_REFERENCE);
    item->revision = (uint32_t)db_u64(batch->bookings, row, B_REVISION);
    snprintf(item->reference, sizeof(item->reference), "%s", reference ? reference : "");
    item->after = item->before;
    if (item->before == ORDER_CONFIRMED) {
        item->is_confirmed = true;
    } else if (item->before == ORDER_PAYING) {
        refuse(item, "it is being paid");
    } else if (batch->has_open[index_of(batch, item)]) {
        refuse(item, "a payment of it is under way");
    } else if (!may_be_confirmed(item->before)) {
        refuse(item, "the booking is %s", order_state_name(item->before));
    } else if (batch->is_stopped) {
        refuse(item, "the event is stopped: `onsale start %.64s` first", batch->slug);
    } else if (db_u64(batch->bookings, row, B_LAPSED)) {
        refuse(item, "its time has run out");
    } else {
        item->after = ORDER_CONFIRMED;
        item->revision += 2; // paying, confirmed
        item->is_confirmed = true;
    }
}

static int decide(const struct batch *batch, struct order_confirm *item)
{
    const size_t index = index_of(batch, item);
    const size_t booking = batch->booking_row[index], order = batch->order_row[index];
    if (order == SIZE_MAX)
        return ERROR_BUG; // it was found by its order, or by its booking, which has one
    const char *state =
        booking == SIZE_MAX ? db_string(batch->orders, order, O_STATE) : db_string(batch->bookings, booking, B_STATE);
    if (order_state_parse(state, &item->before) < 0)
        return ERROR_BUG;
    if (booking != SIZE_MAX) {
        decide_booked(batch, item, booking);
        return 0;
    }
    item->after = item->before;
    item->revision = (uint32_t)db_u64(batch->orders, order, O_REVISION);
    refuse(item, "there is no booking yet, the order is %s", state);
    return 0;
}

static int decide_all(struct batch *batch)
{
    int r = 0;
    for (size_t i = 0; i < batch->count && r == 0; i++) {
        if (!batch->order[i]->is_found)
            refuse(batch->order[i], "nobody ordered at that place, and it is no reference of %.64s", batch->slug);
        else if (!is_repeated(batch, i))
            r = decide(batch, batch->order[i]);
    }
    return r;
}

// ---------------------------------------------------------------- writing

static bool changes(const struct order_confirm *item)
{
    return item->is_confirmed && item->before != item->after;
}

static int write_bookings(struct batch *batch)
{
    struct buffer keys CLEANUP(buffer_done) = BUFFER_INIT;
    size_t count = 0;
    buffer_text(&keys, "[");
    for (size_t i = 0; i < batch->count; i++) {
        const struct order_confirm *item = batch->order[i];
        if (changes(item))
            buffer_format(&keys, "%s[0,%" PRIu64 ",%" PRIu32 "]", count++ ? "," : "", item->place, item->attempt);
    }
    buffer_text(&keys, "]");
    if (keys.failed)
        return ERROR_MEMORY;
    return db_write(batch->db,
                    "UPDATE " KEYS "STRAIGHT_JOIN bookings " OF_BOOKINGS
                    "SET b.state = 'confirmed', b.reason = NULL, b.revision = b.revision + 2, b.pay_until = NULL, "
                    "b.changed_at = UTC_TIMESTAMP(6)",
                    (struct db_value[]){db_text(keys.data), DB_U(batch->event_id)}, 2, NULL);
}

static int write_tiers(struct batch *batch)
{
    for (size_t t = 0; t < db_rows_count(batch->tiers); t++) {
        const char *code = db_string(batch->tiers, t, 0);
        uint64_t quantity = 0;
        for (size_t i = 0; i < batch->count; i++)
            if (changes(&batch->items[i]) &&
                strcmp(db_string(batch->bookings, batch->booking_row[i], B_TIER), code) == 0)
                quantity += db_u64(batch->bookings, batch->booking_row[i], B_QUANTITY);
        if (!quantity)
            continue;
        struct db_written written;
        int r = db_write(
            batch->db,
            "UPDATE tiers SET held = held - ?, sold = sold + ? WHERE event_id = ? AND code = ? AND "
            "held >= ?",
            (struct db_value[]){DB_U(quantity), DB_U(quantity), DB_U(batch->event_id), db_text(code), DB_U(quantity)},
            5, &written);
        if (r < 0)
            return r;
        if (written.affected != 1)
            return ERROR_CONFLICT;
    }
    return 0;
}

static int write_log(struct batch *batch)
{
    struct db_value *values = calloc(batch->count * LOG_VALUES, sizeof(*values));
    size_t count = 0;
    if (!values)
        return ERROR_MEMORY;
    for (size_t i = 0; i < batch->count; i++) {
        const struct order_confirm *item = batch->order[i];
        if (!changes(item))
            continue;
        const struct db_value row[LOG_VALUES] = {
            DB_U(batch->event_id),
            DB_U(item->place),
            DB_U(item->attempt),
            DB_U(item->revision),
            db_text("confirmed"),
            db_text(batch->actor),
            db_text(order_state_name(item->before)),
        };
        memcpy(&values[LOG_VALUES * count++], row, sizeof(row));
    }
    int r = db_write_many(
        batch->db, "INSERT INTO order_log (event_id, place, attempt, revision, state, actor, detail, at) VALUES ",
        "(?, ?, ?, ?, ?, ?, CONCAT('was ', ?), UTC_TIMESTAMP(6))", "", values, LOG_VALUES, count);
    free(values);
    return r;
}

static int add_outcome(const struct batch *batch, const struct order_confirm *item, struct buffer *text)
{
    const size_t index = index_of(batch, item);
    const size_t b = batch->booking_row[index], o = batch->order_row[index];
    size_t bytes;
    const void *visitor = db_bytes(batch->orders, o, O_VISITOR, &bytes);
    char *tickets = tickets_json(db_string(batch->orders, o, O_CHOICES), db_u64(batch->bookings, b, B_CHOICE));
    struct outcome outcome = {.place = item->place,
                              .attempt = item->attempt,
                              .revision = item->revision,
                              .state = item->after,
                              .quantity = (uint32_t)db_u64(batch->bookings, b, B_QUANTITY),
                              .amount = db_u64(batch->bookings, b, B_AMOUNT),
                              .tickets = tickets,
                              .seats = db_string(batch->bookings, b, B_SEATS),
                              .pay_until_us = OUTCOME_NO_TIME};
    const int r = visitor && bytes == sizeof(outcome.visitor) ? 0 : ERROR_BUG;
    if (r == 0) {
        memcpy(outcome.visitor, visitor, bytes);
        memcpy(outcome.reference, item->reference, sizeof(outcome.reference));
        snprintf(outcome.tier, sizeof(outcome.tier), "%s", db_string(batch->bookings, b, B_TIER));
        outcomes_add(text, &outcome);
    }
    free(tickets);
    return r;
}

static int write_outcomes(struct batch *batch, struct outbox *outbox)
{
    for (size_t i = 0; i < batch->count;) {
        struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
        size_t count = 0;
        int r = 0;
        outcomes_begin(&text, batch->slug, batch->currency, NULL, 0);
        for (; i < batch->count && count < OUTCOMES_MAX && r == 0; i++) {
            if (!changes(batch->order[i]))
                continue;
            r = add_outcome(batch, batch->order[i], &text);
            count++;
        }
        outcomes_end(&text);
        if (r == 0 && count)
            r = outbox_write(outbox, batch->db, TOPOLOGY_OUTCOMES, OUTCOMES_TYPE, &text);
        if (r < 0)
            return r;
    }
    return 0;
}

// ---------------------------------------------------------------- the transaction

static void forget(struct batch *batch)
{
    db_rows_free(batch->tiers);
    db_rows_free(batch->bookings);
    db_rows_free(batch->orders);
    batch->tiers = batch->bookings = batch->orders = NULL;
    for (size_t i = 0; i < batch->count; i++) {
        struct order_confirm *item = &batch->items[i];
        char given[ORDER_CONFIRM_GIVEN_BYTES];
        memcpy(given, item->given, sizeof(given));
        *item = (struct order_confirm){0};
        memcpy(item->given, given, sizeof(given));
        batch->order[i] = item;
        batch->booking_row[i] = batch->order_row[i] = SIZE_MAX;
        batch->has_open[i] = false;
    }
}

static int in_transaction(struct batch *batch, struct outbox *outbox)
{
    int r = lock_event(batch);
    if (r == 0)
        r = order_confirm_find(batch->db, batch->event_id, batch->items, batch->count);
    if (r < 0)
        return r;
    qsort(batch->order, batch->count, sizeof(batch->order[0]), by_key);
    r = lock_bookings(batch);
    if (r == 0)
        r = decide_all(batch);
    if (r == 0)
        r = write_bookings(batch);
    if (r == 0)
        r = write_tiers(batch);
    if (r == 0)
        r = write_log(batch);
    return r < 0 ? r : write_outcomes(batch, outbox);
}

// The counters are the audit's to look at: nothing is moved by them as long as they are wrong.
static void refuse_all(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct order_confirm *item = &batch->items[i];
        if (!changes(item))
            continue;
        item->after = item->before;
        item->revision -= 2;
        item->is_confirmed = false;
        refuse(item, "the counters do not agree with it: see `onsale audit %.64s`", batch->slug);
    }
}

// What was given twice, or by its place and by its reference, is as the first one left it.
static void repeat_all(struct batch *batch)
{
    for (size_t i = 1; i < batch->count; i++) {
        struct order_confirm *item = batch->order[i];
        char given[ORDER_CONFIRM_GIVEN_BYTES];
        if (!is_repeated(batch, i))
            continue;
        memcpy(given, item->given, sizeof(given));
        *item = *batch->order[i - 1];
        memcpy(item->given, given, sizeof(given));
        item->before = item->after;
    }
}

int order_confirm(struct db *db, struct outbox *outbox, uint64_t event_id, const char *actor,
                  struct order_confirm *items, size_t count)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    if (!batch)
        return ERROR_MEMORY;
    *batch = (struct batch){.db = db, .event_id = event_id, .items = items, .count = count};
    snprintf(batch->actor, sizeof(batch->actor), "onsale %.120s", actor);
    int r = ERROR_TRANSIENT;
    // A deadlock has undone everything: the same again, as long as there is a connection. A COMMIT without an answer is not tried again;
    // repeating the command changes nothing.
    for (int tries = 0; tries < TRIES_MAX && r == ERROR_TRANSIENT && db_is_connected(db); tries++) {
        forget(batch);
        r = db_begin(db);
        if (r == 0)
            r = in_transaction(batch, outbox);
        if (r == 0)
            r = db_commit(db);
        if (r == 0) {
            outbox_committed(outbox);
        } else {
            if (db_is_connected(db))
                db_rollback(db);
            outbox_rolled_back(outbox);
        }
    }
    if (r == ERROR_CONFLICT) {
        refuse_all(batch);
        r = 0;
    }
    if (r == 0)
        repeat_all(batch);
    db_rows_free(batch->tiers);
    db_rows_free(batch->bookings);
    db_rows_free(batch->orders);
    free(batch);
    return r;
}
