// SPDX-License-Identifier: Apache-2.0
#include "admin/status_orders.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/topology.h"

#define TIERS_MAX 1000

// ---------------------------------------------------------------- MySQL

// Both from an index alone: states are few, rows may be a million.
#define COUNT_ORDERS "SELECT state, COUNT(*) FROM orders FORCE INDEX (orders_due) WHERE event_id = ? GROUP BY state"
#define COUNT_BOOKINGS \
    "SELECT state, COUNT(*) FROM bookings FORCE INDEX (bookings_state) WHERE event_id = ? GROUP BY state"
// Which are not booked is found from the keys; only theirs rows are read.
#define OLDEST                                                                                                      \
    "SELECT TIMESTAMPDIFF(MICROSECOND, MIN(r.released_at), UTC_TIMESTAMP(6)) FROM (SELECT o.place, o.attempt "      \
    "FROM orders o FORCE INDEX (orders_due) LEFT JOIN bookings b ON b.event_id = o.event_id AND b.place = o.place " \
    "AND b.attempt = o.attempt WHERE o.event_id = ? AND o.state = 'released' AND (b.state IS NULL OR b.state = "    \
    "'released')) AS u JOIN orders r ON r.event_id = ? AND r.place = u.place AND r.attempt = u.attempt"
#define ASKED                                                                                                   \
    "SELECT tier, CAST(SUM(quantity) AS UNSIGNED) FROM orders FORCE INDEX (orders_due) WHERE event_id = ? AND " \
    "state = 'placed' GROUP BY tier"
// What is taken or given back counts since that began: a show may be called off weeks after it was paid.
#define PAYMENT_ENDS "('declined', 'captured', 'voided', 'refunded', 'failed')"
#define PAYMENT_SINCE "IF(state IN ('capturing', 'voiding', 'refunding'), changed_at, created_at)"
// What only its bank has still to do may take days, and is told beside them.
#define WITH_BANK "(state = 'refunding' AND refund IS NOT NULL)"
#define PAYMENTS                                                                                         \
    "SELECT state, COUNT(*), TIMESTAMPDIFF(MICROSECOND, MIN(IF(state IN " PAYMENT_ENDS " OR " WITH_BANK  \
    ", NULL, " PAYMENT_SINCE ")), UTC_TIMESTAMP(6)), CAST(SUM(tries > 0 AND state NOT IN " PAYMENT_ENDS  \
    ") AS UNSIGNED), CAST(SUM(" WITH_BANK ") AS UNSIGNED), TIMESTAMPDIFF(MICROSECOND, MIN(IF(" WITH_BANK \
    ", changed_at, NULL)), UTC_TIMESTAMP(6)) FROM payments WHERE event_id = ? GROUP BY state"
#define OLDEST_PAYMENT                                                                                          \
    "SELECT place FROM payments WHERE event_id = ? AND state = ? AND NOT " WITH_BANK " ORDER BY " PAYMENT_SINCE \
    ", place LIMIT 1"
#define WAITING                                                                                                \
    "SELECT (SELECT COUNT(*) FROM dead_letters WHERE event_id = ? AND state = 'open'), (SELECT COUNT(*) FROM " \
    "dead_letters WHERE event_id IS NULL AND state = 'open'), (SELECT COUNT(*) FROM freeings WHERE event_id = ?)"

static int count_states(struct db *db, const char *sql, uint64_t event_id, uint64_t counts[static ORDER_STATE_COUNT])
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(db, sql, (struct db_value[]){DB_U(event_id)}, 1, ORDER_STATE_COUNT * 4, &rows);
    for (size_t i = 0; r == 0 && i < db_rows_count(rows); i++) {
        enum order_state state;
        if (order_state_parse(db_string(rows, i, 0), &state) == 0) // another one is the audit's to tell
            counts[state] = db_u64(rows, i, 1);
    }
    return r;
}

static int read_oldest(struct db *db, uint64_t event_id, struct status_orders *orders)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(db, OLDEST, (struct db_value[]){DB_U(event_id), DB_U(event_id)}, 2, 1, &rows);
    if (r < 0 || db_is_null(rows, 0, 0))
        return r;
    orders->has_oldest = true;
    orders->oldest_unbooked_us = db_i64(rows, 0, 0);
    return 0;
}

static int read_waiting(struct db *db, uint64_t event_id, struct status_orders *orders)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(db, WAITING, (struct db_value[]){DB_U(event_id), DB_U(event_id)}, 2, 1, &rows);
    if (r == 0) {
        orders->letters = db_u64(rows, 0, 0);
        orders->letters_of_nobody = db_u64(rows, 0, 1);
        orders->freeings = db_u64(rows, 0, 2);
    }
    return r;
}

static int read_oldest_payment(struct db *db, uint64_t event_id, const char *state, struct status_orders *orders)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(db, OLDEST_PAYMENT, (struct db_value[]){DB_U(event_id), db_text(state)}, 2, 1, &rows);
    if (r == 0 && db_rows_count(rows))
        orders->oldest_payment_place = db_u64(rows, 0, 0);
    return r;
}

static int read_payments(struct db *db, uint64_t event_id, struct status_orders *orders)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    const char *oldest = NULL; // the state that the oldest is in
    int r = db_read(db, PAYMENTS, (struct db_value[]){DB_U(event_id)}, 1, PAYMENT_STATE_COUNT * 4, &rows);
    for (size_t i = 0; r == 0 && i < db_rows_count(rows); i++) {
        enum payment_state state;
        if (payment_state_parse(db_string(rows, i, 0), &state) == 0)
            orders->payments[state] = db_u64(rows, i, 1);
        orders->unanswered += db_u64(rows, i, 3);
        if (!db_is_null(rows, i, 5)) {
            orders->with_bank = db_u64(rows, i, 4);
            orders->oldest_with_bank_us = db_i64(rows, i, 5);
        }
        if (db_is_null(rows, i, 2) || (oldest && db_i64(rows, i, 2) <= orders->oldest_payment_us))
            continue;
        orders->oldest_payment_us = db_i64(rows, i, 2);
        oldest = db_string(rows, i, 0);
    }
    orders->has_open_payment = oldest;
    return r == 0 && oldest ? read_oldest_payment(db, event_id, oldest, orders) : r;
}

// Those that were released have a booking, but for those on their way (and those whose booking an operator sent back).
static void subtract_booked(struct status_orders *orders)
{
    uint64_t booked = 0;
    for (int state = 0; state < ORDER_STATE_COUNT; state++)
        if (state != ORDER_RELEASED)
            booked += orders->bookings[state];
    uint64_t *released = &orders->orders[ORDER_RELEASED];
    *released = *released > booked ? *released - booked : 0;
}

int status_orders_read(struct db *db, uint64_t event_id, struct status_orders *ret)
{
    struct status_orders orders = {0};
    const int64_t began_ns = clock_monotonic_ns();
    int r = count_states(db, COUNT_ORDERS, event_id, orders.orders);
    if (r == 0)
        r = count_states(db, COUNT_BOOKINGS, event_id, orders.bookings);
    if (r == 0)
        subtract_booked(&orders);
    if (r == 0 && orders.orders[ORDER_RELEASED])
        r = read_oldest(db, event_id, &orders);
    if (r == 0)
        r = read_payments(db, event_id, &orders);
    if (r == 0)
        r = read_waiting(db, event_id, &orders);
    if (r == 0)
        r = db_read(db, ASKED, (struct db_value[]){DB_U(event_id)}, 1, TIERS_MAX, &orders.asked);
    if (r < 0) {
        status_orders_done(&orders);
        return r;
    }
    orders.cost_us = (clock_monotonic_ns() - began_ns) / 1000;
    *ret = orders;
    return 0;
}

void status_orders_done(struct status_orders *orders)
{
    db_rows_free(orders->asked);
    *orders = (struct status_orders){0};
}

uint64_t status_orders_asked(const struct status_orders *orders, const char *tier)
{
    for (size_t i = 0; orders->asked && i < db_rows_count(orders->asked); i++)
        if (strcmp(db_string(orders->asked, i, 0), tier) == 0)
            return db_u64(orders->asked, i, 1);
    return 0;
}

// ---------------------------------------------------------------- RabbitMQ

bool status_orders_has_payments(const struct status_orders *orders)
{
    for (int state = 0; state < PAYMENT_STATE_COUNT; state++)
        if (orders->payments[state])
            return true;
    return false;
}

int status_queues_read(struct bus *bus, uint64_t event_id, bool has_payments, struct status_queues *ret)
{
    const char *const names[STATUS_QUEUES_MAX] = {topology_booking_queue_of(event_id), TOPOLOGY_OUTCOMES, TOPOLOGY_DEAD,
                                                  TOPOLOGY_PAYMENTS};
    *ret = (struct status_queues){.count = has_payments ? STATUS_QUEUES_MAX : STATUS_QUEUES_MAX - 1};
    for (size_t i = 0; i < ret->count; i++)
        ret->items[i].name = names[i];
    for (size_t i = 0; i < ret->count; i++) {
        int r = bus_count_queue(bus, names[i], &ret->items[i].messages, &ret->items[i].consumers);
        if (r < 0)
            return r;
        ret->items[i].is_there = true;
    }
    return 0;
}

// ---------------------------------------------------------------- telling

static json_t *counts_json(const uint64_t counts[static ORDER_STATE_COUNT], bool of_orders)
{
    json_t *json = json_object();
    for (int state = 0; state < ORDER_STATE_COUNT; state++) {
        const bool before = state == ORDER_PLACED || state == ORDER_RELEASED;
        const bool is_end = order_is_final((enum order_state)state) &&
                            order_may_become(ORDER_PLACED, (enum order_state)state, ORDER_BY_SYSTEM);
        if (of_orders ? before || is_end : !before)
            json_object_set_new(json, order_state_name((enum order_state)state),
                                json_integer((json_int_t)counts[state]));
    }
    return json;
}

static json_t *payments_json(const uint64_t counts[static PAYMENT_STATE_COUNT])
{
    json_t *json = json_object();
    for (int state = 0; state < PAYMENT_STATE_COUNT; state++)
        json_object_set_new(json, payment_state_name((enum payment_state)state),
                            json_integer((json_int_t)counts[state]));
    return json;
}

static json_t *queues_json(const struct status_queues *queues)
{
    if (!queues)
        return json_null();
    json_t *json = json_array();
    for (size_t i = 0; i < queues->count; i++)
        if (queues->items[i].is_there)
            json_array_append_new(json, json_pack("{s:s, s:I, s:I}", "name", queues->items[i].name, "messages",
                                                  (json_int_t)queues->items[i].messages, "consumers",
                                                  (json_int_t)queues->items[i].consumers));
    return json;
}

void status_orders_json(const struct status_orders *orders, const struct status_queues *queues, json_t *json)
{
    json_object_set_new(json, "orders", counts_json(orders->orders, true));
    json_object_set_new(json, "oldest_unbooked_ms",
                        orders->has_oldest ? json_integer((json_int_t)(orders->oldest_unbooked_us / 1000))
                                           : json_null());
    json_object_set_new(json, "bookings", counts_json(orders->bookings, false));
    json_object_set_new(json, "payments", payments_json(orders->payments));
    json_object_set_new(json, "oldest_payment_ms",
                        orders->has_open_payment ? json_integer((json_int_t)(orders->oldest_payment_us / 1000))
                                                 : json_null());
    json_object_set_new(json, "oldest_payment_place",
                        orders->oldest_payment_place ? json_integer((json_int_t)orders->oldest_payment_place)
                                                     : json_null());
    json_object_set_new(json, "payments_unanswered", json_integer((json_int_t)orders->unanswered));
    json_object_set_new(
        json, "refunds_with_bank",
        json_pack("{s:I, s:o}", "count", (json_int_t)orders->with_bank, "oldest_ms",
                  orders->with_bank ? json_integer((json_int_t)(orders->oldest_with_bank_us / 1000)) : json_null()));
    json_object_set_new(json, "freeings", json_integer((json_int_t)orders->freeings));
    json_object_set_new(json, "dead_letters",
                        json_pack("{s:I, s:I}", "event", (json_int_t)orders->letters, "no_event",
                                  (json_int_t)orders->letters_of_nobody));
    json_object_set_new(json, "queues", queues_json(queues));
}

// "12 confirmed, 3 sold_out"; "none".
static void write_counts(const uint64_t counts[static ORDER_STATE_COUNT], bool of_orders, struct buffer *text)
{
    bool first = true;
    for (int state = 0; state < ORDER_STATE_COUNT; state++) {
        const bool is_released = of_orders && state == ORDER_RELEASED;
        if (counts[state] == 0 || (!of_orders && state == ORDER_RELEASED))
            continue;
        buffer_format(text, "%s%" PRIu64 " %s%s", first ? "" : ", ", counts[state],
                      order_state_name((enum order_state)state), is_released ? " and not booked yet" : "");
        first = false;
    }
    buffer_text(text, first ? "none" : "");
}

// Nothing where nobody has ever paid.
static void write_payments(const struct status_orders *orders, struct buffer *text)
{
    bool first = true;
    for (int state = 0; state < PAYMENT_STATE_COUNT; state++) {
        if (orders->payments[state] == 0)
            continue;
        buffer_format(text, "%s%" PRIu64 " %s", first ? "payments      " : ", ", orders->payments[state],
                      payment_state_name((enum payment_state)state));
        first = false;
    }
    if (orders->has_open_payment)
        buffer_format(text, "; the oldest under way for %.1f s", (double)orders->oldest_payment_us / 1e6);
    if (orders->oldest_payment_place)
        buffer_format(text, ", at place %" PRIu64, orders->oldest_payment_place);
    if (orders->unanswered)
        buffer_format(text, "; %" PRIu64 " wait%s for the provider to answer", orders->unanswered,
                      orders->unanswered == 1 ? "s" : "");
    if (orders->with_bank)
        buffer_format(text, "; %" PRIu64 " %s with the bank, the oldest for %.1f h", orders->with_bank,
                      orders->with_bank == 1 ? "refund is" : "refunds are",
                      (double)orders->oldest_with_bank_us / 3600e6);
    buffer_text(text, first ? "" : "\n");
}

void status_orders_text(const struct status_orders *orders, const struct status_queues *queues, struct buffer *text)
{
    buffer_text(text, "orders        ");
    write_counts(orders->orders, true, text);
    if (orders->has_oldest)
        buffer_format(text, ", the oldest for %.1f s", (double)orders->oldest_unbooked_us / 1e6);
    buffer_text(text, "\nbookings      ");
    write_counts(orders->bookings, false, text);
    if (orders->freeings)
        buffer_format(text, "; the places of %" PRIu64 " cancelled are not free yet", orders->freeings);
    buffer_text(text, "\n");
    write_payments(orders, text);
    buffer_format(text, "dead letters  %" PRIu64 " open", orders->letters);
    if (orders->letters_of_nobody)
        buffer_format(text, ", and %" PRIu64 " of no event", orders->letters_of_nobody);
    buffer_text(text, "\n");
    for (size_t i = 0; queues && i < queues->count; i++) {
        if (queues->items[i].is_there)
            buffer_format(text, "%-14s%s: %" PRIu32 " waiting, %" PRIu32 " consumer%s\n", i ? "" : "queues",
                          queues->items[i].name, queues->items[i].messages, queues->items[i].consumers,
                          queues->items[i].consumers == 1 ? "" : "s");
        else
            buffer_format(text, "%-14s%s: not there yet\n", i ? "" : "queues", queues->items[i].name);
    }
}
