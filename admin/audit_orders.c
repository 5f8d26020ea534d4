// SPDX-License-Identifier: Apache-2.0
// The audit's way along the places: each order, the booking that became of it, and the step that let its place in, side by side in
// the order of places and attempts. What the whole of an event's bookings must add up to is in audit.c and audit_customers.c.
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "admin/audit.h"
#include "admin/audit_customers.h"
#include "admin/audit_freeings.h"
#include "admin/audit_pages.h"
#include "admin/audit_payments.h"
#include "admin/audit_seats.h"
#include "admin/booking_story.h"
#include "common/clock.h"

// An order given so shortly before its place was let in may be written while admission already releases later places.
#define GRACE_US INT64_C(1000000)
#define UNREACHABLE UINT32_MAX

enum {
    O_PLACE,
    O_ATTEMPT,
    O_STATE,
    O_REVISION,
    O_TIER,
    O_QUANTITY,
    O_AMOUNT,
    O_CHOICES,
    O_CUSTOMER,
    O_PLACED_AT,
    O_CHANGED_AT,
    O_RELEASED_AT
};
enum {
    B_PLACE,
    B_ATTEMPT,
    B_STATE,
    B_REASON,
    B_REVISION,
    B_CHOICE,
    B_TIER,
    B_QUANTITY,
    B_AMOUNT,
    B_REFERENCE,
    B_CUSTOMER,
    B_CREATED_AT,
    B_CHANGED_AT,
    B_SEATS,
    B_PAY_UNTIL,
    B_STANDBY_TIER,
    B_STANDBY_QUANTITY,
    B_CURRENCY,
    B_REFUND
};

struct walk {
    struct audit *audit;
    struct audit_pages orders, bookings, steps;
    struct audit_customers customers;
    struct audit_freeings freeings;
    struct audit_payments payments;
    struct audit_seats seats;
    uint32_t distance[ORDER_STATE_COUNT]; // changes that lead from released there, at least
    bool has_step; // the step that let the place in
    int64_t step_at_us;
    uint64_t place; // of the rows before: 0: none
    uint64_t attempt;
    enum order_state state; // what its visitor saw in the end
    unsigned kept_count; // bookings of the place that are open or confirmed
    // The last one in the order of places that was released and had been given before its turn.
    uint64_t released_place;
    int64_t released_at_us;
};

// The pair that is looked at; -1: it is not there.
struct pair {
    uint64_t place, attempt;
    const struct db_rows *order, *booking; // NULL: there is none
    size_t o, b; // their rows
    enum order_state order_state, booking_state;
    struct audit_freeing freeing; // who waits to be freed counts as what it was
};

static void measure_distances(struct walk *walk)
{
    for (int i = 0; i < ORDER_STATE_COUNT; i++)
        walk->distance[i] = UNREACHABLE;
    // At most as many rounds as there are states; the first round starts from `released` itself, which only a retry leads back to.
    for (uint32_t round = 1; round <= ORDER_STATE_COUNT; round++) {
        for (int from = 0; from < ORDER_STATE_COUNT; from++) {
            const bool is_here = round == 1 ? from == ORDER_RELEASED : walk->distance[from] == round - 1;
            for (int to = 0; is_here && to < ORDER_STATE_COUNT; to++)
                if (order_may_become((enum order_state)from, (enum order_state)to, ORDER_BY_OPERATOR) &&
                    walk->distance[to] == UNREACHABLE)
                    walk->distance[to] = round;
        }
    }
}

static void break_of(struct walk *walk, enum audit_index check, const struct pair *pair, const char *what)
{
    if (pair->attempt > 1)
        audit_violation(walk->audit, check, "place %" PRIu64 ", attempt %" PRIu64 ": %s", pair->place, pair->attempt,
                        what);
    else
        audit_violation(walk->audit, check, "place %" PRIu64 ": %s", pair->place, what);
}

// ---------------------------------------------------------------- the order

static void check_attempts(struct walk *walk, const struct pair *pair)
{
    const bool same = walk->place == pair->place;
    if (pair->attempt != (same ? walk->attempt + 1 : 1))
        break_of(walk, AUDIT_ENDS, pair, "the attempt before it is missing");
    else if (same && !order_allows_another(walk->state))
        audit_violation(walk->audit, AUDIT_ENDS,
                        "place %" PRIu64 " ordered again (attempt %" PRIu64 "), though the order before is %s",
                        pair->place, pair->attempt, order_state_name(walk->state));
}

// Released orders that were given before their turn go in the order of places.
static void check_turn(struct walk *walk, const struct pair *pair, int64_t released_at_us)
{
    if (db_time_us(pair->order, pair->o, O_PLACED_AT) + GRACE_US >= walk->step_at_us)
        return;
    if (released_at_us < walk->released_at_us)
        audit_violation(walk->audit, AUDIT_RELEASES,
                        "place %" PRIu64 " was released before place %" PRIu64 ", which was ahead", pair->place,
                        walk->released_place);
    walk->released_place = pair->place;
    walk->released_at_us = released_at_us;
}

static void check_release(struct walk *walk, const struct pair *pair)
{
    const bool is_released = pair->order_state == ORDER_RELEASED;
    const bool has_time = !db_is_null(pair->order, pair->o, O_RELEASED_AT);
    if (is_released != has_time) {
        break_of(walk, AUDIT_RELEASES, pair,
                 is_released ? "released, and nobody knows when" : "has a time of release, and is not released");
        return;
    }
    if (!is_released)
        return;
    const int64_t at_us = db_time_us(pair->order, pair->o, O_RELEASED_AT);
    if (!walk->has_step || at_us < walk->step_at_us)
        break_of(walk, AUDIT_RELEASES, pair, "released before the place was let in");
    else
        check_turn(walk, pair, at_us);
}

// What stands in `orders`: the states before a release, and the ends without one.
static bool order_can_be(enum order_state state)
{
    return state == ORDER_PLACED || state == ORDER_RELEASED ||
           (order_is_final(state) && order_may_become(ORDER_PLACED, state, ORDER_BY_SYSTEM));
}

static void check_order(struct walk *walk, struct pair *pair)
{
    check_attempts(walk, pair);
    if (order_state_parse(db_string(pair->order, pair->o, O_STATE), &pair->order_state) < 0 ||
        !order_can_be(pair->order_state)) {
        break_of(walk, AUDIT_ENDS, pair, "the order is in a state that no order has");
        pair->order_state = ORDER_CANCELLED;
        return;
    }
    if (db_u64(pair->order, pair->o, O_REVISION) < (pair->order_state == ORDER_PLACED ? 1 : 2))
        break_of(walk, AUDIT_ENDS, pair, "the order's revision is lower than its state takes");
    check_release(walk, pair);
}

// ---------------------------------------------------------------- the booking

static bool same_text(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

// Whether what was given, or is waited for, is what the order's choice says. Who stands by owes nothing yet.
static bool is_the_choice(const struct pair *pair)
{
    const bool stands_by = pair->booking_state == ORDER_STANDBY;
    const char *tier = db_string(pair->booking, pair->b, stands_by ? B_STANDBY_TIER : B_TIER);
    const uint64_t choice = db_u64(pair->booking, pair->b, B_CHOICE),
                   quantity = db_u64(pair->booking, pair->b, stands_by ? B_STANDBY_QUANTITY : B_QUANTITY),
                   amount = db_u64(pair->booking, pair->b, B_AMOUNT);
    if (choice == 0)
        return same_text(tier, db_string(pair->order, pair->o, O_TIER)) &&
               quantity == db_u64(pair->order, pair->o, O_QUANTITY) &&
               (stands_by || amount == db_u64(pair->order, pair->o, O_AMOUNT));
    json_t *choices = json_loads(db_string(pair->order, pair->o, O_CHOICES), 0, NULL);
    const json_t *wanted = json_array_get(choices, choice);
    const bool is = same_text(tier, json_string_value(json_object_get(wanted, "tier"))) &&
                    (json_int_t)quantity == json_integer_value(json_object_get(wanted, "quantity")) &&
                    (stands_by || (json_int_t)amount == json_integer_value(json_object_get(wanted, "amount")));
    json_decref(choices);
    return is;
}

static bool same_customer(const struct pair *pair)
{
    size_t a_bytes, b_bytes;
    const void *a = db_bytes(pair->order, pair->o, O_CUSTOMER, &a_bytes),
               *b = db_bytes(pair->booking, pair->b, B_CUSTOMER, &b_bytes);
    return a && b && a_bytes == b_bytes && memcmp(a, b, a_bytes) == 0;
}

static void check_given(struct walk *walk, const struct pair *pair)
{
    const enum order_state state = pair->booking_state;
    if (order_has_places(state) && db_is_null(pair->booking, pair->b, B_REFERENCE))
        break_of(walk, AUDIT_ENDS, pair, "has places without a reference");
    if (order_is_counted(state) && !is_the_choice(pair))
        break_of(walk, AUDIT_ENDS, pair, "what was booked is none of the order's choices");
    if ((state == ORDER_REFUSED || state == ORDER_FAILED) && db_is_null(pair->booking, pair->b, B_REASON))
        break_of(walk, AUDIT_ENDS, pair, "refused or failed without a reason");
}

static void check_came_about(struct walk *walk, const struct pair *pair)
{
    const uint64_t order = db_u64(pair->order, pair->o, O_REVISION),
                   booking = db_u64(pair->booking, pair->b, B_REVISION);
    const uint32_t steps = walk->distance[pair->booking_state];
    if (steps == UNREACHABLE || booking < order + steps)
        audit_violation(walk->audit, AUDIT_ENDS,
                        "place %" PRIu64 ": a booking of revision %" PRIu64
                        " cannot be %s after an order of revision %" PRIu64,
                        pair->place, booking, order_state_name(pair->booking_state), order);
}

// The bank had asked, and what has become of that is being found out: the payer then ends the booking.
static bool is_being_closed(const struct walk *walk)
{
    for (size_t i = 0; i < walk->payments.count; i++)
        if (!walk->payments.items[i].is_foundling && walk->payments.items[i].aim != PAYMENT_TAKE &&
            audit_payment_is_under_way(&walk->payments.items[i]))
            return true;
    return false;
}

// Who has run out of time does not keep what others stand by for. Who pays does.
static void check_hold(struct walk *walk, const struct pair *pair)
{
    const struct audit *audit = walk->audit;
    const int64_t pay_until_us = db_time_us(pair->booking, pair->b, B_PAY_UNTIL);
    if (!order_may_lapse(pair->booking_state))
        return;
    if (db_is_null(pair->booking, pair->b, B_PAY_UNTIL))
        break_of(walk, AUDIT_ENDS, pair, "is held for ever");
    else if (!audit->is_stopped && audit->now_us - audit->stopped_us - pay_until_us > AUDIT_OVERDUE_US &&
             !is_being_closed(walk))
        break_of(walk, AUDIT_ENDS, pair, "the hold has run out, and the booking has not ended");
}

static void check_seats(struct walk *walk, const struct pair *pair)
{
    const enum order_state counts_as = pair->freeing.waits ? pair->freeing.was : pair->booking_state;
    const struct audit_seated booking = {
        .place = pair->place,
        .attempt = pair->attempt,
        .has_places = order_has_places(counts_as),
        .tier = db_string(pair->booking, pair->b, B_TIER),
        .quantity = db_u64(pair->booking, pair->b, B_QUANTITY),
        .seats = db_string(pair->booking, pair->b, B_SEATS),
        .choices = pair->order ? db_string(pair->order, pair->o, O_CHOICES) : NULL,
        .choice = db_u64(pair->booking, pair->b, B_CHOICE),
    };
    audit_seats_check(&walk->seats, walk->audit, &booking);
}

static void check_booking(struct walk *walk, struct pair *pair)
{
    if (order_state_parse(db_string(pair->booking, pair->b, B_STATE), &pair->booking_state) < 0) {
        break_of(walk, AUDIT_ENDS, pair, "the booking is in a state that does not exist");
        pair->booking_state = ORDER_FAILED;
        return;
    }
    if (!order_is_final(pair->booking_state) || pair->booking_state == ORDER_CONFIRMED) {
        if (++walk->kept_count == 2)
            audit_violation(walk->audit, AUDIT_CUSTOMERS,
                            "place %" PRIu64 " has more than one booking that is open or confirmed", pair->place);
    }
    if (!pair->order) {
        break_of(walk, AUDIT_RELEASES, pair, "booked without an order");
        return;
    }
    if (pair->order_state != ORDER_RELEASED)
        break_of(walk, AUDIT_RELEASES, pair, "booked, and the order was not released");
    else if (db_time_us(pair->booking, pair->b, B_CREATED_AT) < db_time_us(pair->order, pair->o, O_RELEASED_AT))
        break_of(walk, AUDIT_RELEASES, pair, "booked before the order was released");
    if (!same_customer(pair))
        break_of(walk, AUDIT_CUSTOMERS, pair, "the booking counts for another customer than the order's");
    check_came_about(walk, pair);
    check_given(walk, pair);
    check_hold(walk, pair);
}

// ---------------------------------------------------------------- what is still on its way

static int64_t later(int64_t a_us, int64_t b_us)
{
    return a_us > b_us ? a_us : b_us;
}

// Once an event is over, what was placed ends in bulk, what was released is answered, and standby ends. Holds may take their time.
static void check_open(struct walk *walk, const struct pair *pair, enum order_state state)
{
    struct audit *audit = walk->audit;
    if (order_is_final(state))
        return;
    audit->open[state]++;
    int64_t since_us = later(audit->over_since_us, later(db_time_us(pair->order, pair->o, O_CHANGED_AT),
                                                         db_time_us(pair->order, pair->o, O_RELEASED_AT)));
    if (pair->booking)
        since_us = later(since_us, db_time_us(pair->booking, pair->b, B_CHANGED_AT));
    const bool has_an_end = state == ORDER_PLACED || state == ORDER_RELEASED || state == ORDER_STANDBY;
    const bool overdue = audit->is_over && has_an_end && audit->now_us - since_us > AUDIT_OVERDUE_US;
    if (audit->options.settled || overdue)
        audit_violation(audit, AUDIT_ENDS, "place %" PRIu64 ": the order is still %s", pair->place,
                        order_state_name(state));
}

// Brings the steps to the one that let the place in.
static int find_step(struct walk *walk, uint64_t place)
{
    for (;;) {
        int r = audit_pages_look(walk->audit->db, walk->audit->event_id, &walk->steps, &walk->has_step);
        if (r < 0 || !walk->has_step)
            return r;
        if (db_u64(walk->steps.rows, walk->steps.row, 0) >= place) {
            walk->step_at_us = db_time_us(walk->steps.rows, walk->steps.row, 1);
            return 0;
        }
        audit_pages_take(&walk->steps);
    }
}

// What a booking stood by for when it was ended: its order's choice tells.
static uint64_t waited_for(const struct pair *pair)
{
    json_t *choices = pair->order ? json_loads(db_string(pair->order, pair->o, O_CHOICES), 0, NULL) : NULL;
    const json_t *choice = json_array_get(choices, db_u64(pair->booking, pair->b, B_CHOICE));
    const json_int_t quantity = json_integer_value(json_object_get(choice, "quantity"));
    json_decref(choices);
    return quantity > 0 ? (uint64_t)quantity : 0;
}

// What the booking takes of its customer's limit.
static int count_tickets(struct walk *walk, const struct pair *pair)
{
    const enum order_state counts_as = pair->freeing.waits ? pair->freeing.was : pair->booking_state;
    uint64_t quantity = db_u64(pair->booking, pair->b, B_QUANTITY);
    if (!order_is_counted(counts_as))
        return 0;
    if (counts_as == ORDER_STANDBY)
        quantity = pair->freeing.waits ? waited_for(pair) : db_u64(pair->booking, pair->b, B_STANDBY_QUANTITY);
    struct audit_kept kept = {.quantity = (uint32_t)quantity,
                              .booked_at_us = db_time_us(pair->booking, pair->b, B_CREATED_AT)};
    size_t bytes;
    const void *customer = db_bytes(pair->booking, pair->b, B_CUSTOMER, &bytes);
    if (bytes != sizeof(kept.customer))
        return ERROR_BUG;
    memcpy(kept.customer, customer, bytes);
    return audit_customers_add(&walk->customers, &kept);
}

static int check_payments(struct walk *walk, const struct pair *pair)
{
    const struct db_rows *booking = pair->booking;
    struct audit_paid paid = {.place = pair->place,
                              .attempt = pair->attempt,
                              .has_booking = booking != NULL,
                              .state = pair->booking_state,
                              .waits_to_be_freed = pair->freeing.waits,
                              .waits_for_payment = pair->freeing.waits_for_payment,
                              .was = pair->freeing.was};
    if (booking) {
        paid.has_given = !db_is_null(booking, pair->b, B_TIER);
        paid.amount = db_u64(booking, pair->b, B_AMOUNT);
        paid.currency = db_string(booking, pair->b, B_CURRENCY);
        paid.refund = db_string(booking, pair->b, B_REFUND);
        paid.confirmed_us = db_time_us(booking, pair->b, B_CHANGED_AT);
    }
    return audit_payments_check(&walk->payments, walk->audit, &paid, booking ? db_u64(booking, pair->b, B_REVISION) : 0,
                                pair->order ? db_u64(pair->order, pair->o, O_REVISION) : 0);
}

static int check_pair(struct walk *walk, struct pair *pair)
{
    int r = 0;
    if (pair->place != walk->place) {
        walk->kept_count = 0;
        r = find_step(walk, pair->place);
    }
    if (r == 0)
        r = audit_payments_find(&walk->payments, walk->audit, pair->place, pair->attempt);
    if (r < 0)
        return r;
    if (pair->order)
        check_order(walk, pair);
    if (pair->booking)
        check_booking(walk, pair);
    r = audit_freeings_find(&walk->freeings, walk->audit, pair->place, pair->attempt,
                            pair->booking ? pair->booking_state : ORDER_PLACED, &pair->freeing);
    if (r == 0)
        r = check_payments(walk, pair);
    if (r == 0 && pair->booking) {
        check_seats(walk, pair);
        walk->audit->changed_at_us =
            later(walk->audit->changed_at_us, db_time_us(pair->booking, pair->b, B_CHANGED_AT));
        r = count_tickets(walk, pair);
    }
    if (r < 0)
        return r;
    walk->state = pair->booking ? pair->booking_state : pair->order_state;
    if (pair->order)
        check_open(walk, pair, walk->state);
    walk->place = pair->place;
    walk->attempt = pair->attempt;
    return 0;
}

static int compare(const struct audit_pages *orders, const struct audit_pages *bookings)
{
    for (size_t column = 0; column < 2; column++) {
        const uint64_t a = db_u64(orders->rows, orders->row, column), b = db_u64(bookings->rows, bookings->row, column);
        if (a != b)
            return a < b ? -1 : 1;
    }
    return 0;
}

static int walk_pairs(struct walk *walk)
{
    struct audit *audit = walk->audit;
    for (;;) {
        bool has_order = false, has_booking = false;
        int r = audit_pages_look(audit->db, audit->event_id, &walk->orders, &has_order);
        if (r == 0)
            r = audit_pages_look(audit->db, audit->event_id, &walk->bookings, &has_booking);
        if (r < 0 || (!has_order && !has_booking))
            return r;
        const int side = !has_order ? 1 : !has_booking ? -1 : compare(&walk->orders, &walk->bookings);
        const struct audit_pages *first = side <= 0 ? &walk->orders : &walk->bookings;
        struct pair pair = {.place = db_u64(first->rows, first->row, 0),
                            .attempt = db_u64(first->rows, first->row, 1),
                            .order = side <= 0 ? walk->orders.rows : NULL,
                            .booking = side >= 0 ? walk->bookings.rows : NULL,
                            .o = walk->orders.row,
                            .b = walk->bookings.row};
        r = check_pair(walk, &pair);
        if (r < 0)
            return r;
        if (side <= 0)
            audit_pages_take(&walk->orders);
        if (side >= 0)
            audit_pages_take(&walk->bookings);
    }
}

int audit_orders(struct audit *audit)
{
    struct walk walk = {
        .audit = audit,
        .orders = {.has_attempt = true,
                   .sql =
                       "SELECT place, attempt, state, revision, tier, quantity, amount, choices, customer, placed_at, "
                       "changed_at, released_at FROM orders FORCE INDEX (PRIMARY) WHERE event_id = ? AND place >= ? "
                       "AND NOT (place = ? AND attempt <= ?) ORDER BY place, attempt LIMIT ?"},
        .bookings =
            {.has_attempt = true,
             .sql =
                 "SELECT place, attempt, state, reason, revision, choice, tier, quantity, amount, reference, "
                 "customer, created_at, changed_at, seats, pay_until, standby_tier, standby_quantity, currency, refund FROM bookings FORCE INDEX (PRIMARY) WHERE event_id = ? "
                 "AND place >= ? AND NOT (place = ? AND attempt <= ?) ORDER BY place, attempt LIMIT ?"},
        .steps.sql = "SELECT served, at FROM served_log WHERE event_id = ? AND served > ? ORDER BY served LIMIT ?",
    };
    measure_distances(&walk);
    audit_freeings_init(&walk.freeings);
    audit_payments_init(&walk.payments);
    int r = audit_seats_read(audit, &walk.seats);
    if (r == 0)
        r = walk_pairs(&walk);
    if (r == 0)
        r = audit_freeings_end(&walk.freeings, audit);
    if (r == 0)
        r = audit_payments_end(&walk.payments, audit);
    if (r == 0)
        audit_seats_check(&walk.seats, audit, NULL);
    if (r == 0)
        r = audit_customers_check(&walk.customers, audit);
    audit_customers_done(&walk.customers);
    audit_freeings_done(&walk.freeings);
    audit_payments_done(&walk.payments);
    audit_seats_done(&walk.seats);
    audit_pages_done(&walk.orders);
    audit_pages_done(&walk.bookings);
    audit_pages_done(&walk.steps);
    return r;
}
