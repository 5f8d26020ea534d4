// SPDX-License-Identifier: Apache-2.0
// Orders and what became of them, read from MySQL into what visitors are told; and requests sorted by place, as the rows come.
#include <stdlib.h>
#include <string.h>

#include "common/payment.h"
#include "waiting-room/store_orders_internal.h"

enum { PLACE, ATTEMPT, VISITOR, STATE, REASON, REVISION, CURRENCY, CHOICES, EMAIL, NAME, HAS_METHOD, BOOKING };

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

// The booking's word replaces the order's. What is waited for in standby is one of the order's choices, as what was given is.
static int take_booking(struct order_facts *facts, const struct db_rows *rows, size_t row)
{
    enum {
        B_STATE = BOOKING,
        B_REASON,
        B_REVISION,
        B_CHOICE,
        B_TIER,
        B_QUANTITY,
        B_AMOUNT,
        B_REFERENCE,
        B_REFUND,
        B_SEATS,
        B_GONE,
        B_PAY_UNTIL,
        B_MORE_TIME,
        B_ACTION_URL,
        B_TRIES
    };
    if (db_is_null(rows, row, B_STATE))
        return order_facts_take_choices(facts, db_string(rows, row, CHOICES), 0);
    facts->revision = (uint32_t)db_u64(rows, row, B_REVISION);
    copy_code(facts->reference, sizeof facts->reference, rows, row, B_REFERENCE);
    copy_code(facts->refund, sizeof facts->refund, rows, row, B_REFUND);
    if (order_state_parse(db_string(rows, row, B_STATE), &facts->state) < 0 ||
        order_reason_parse(db_string(rows, row, B_REASON), &facts->reason) < 0)
        return ERROR_BUG;
    if (!copy_column(&facts->seats, rows, row, B_SEATS) || !copy_column(&facts->gone, rows, row, B_GONE) ||
        !copy_column(&facts->action_url, rows, row, B_ACTION_URL))
        return ERROR_MEMORY;
    if (!db_is_null(rows, row, B_PAY_UNTIL))
        facts->pay_until_us = db_time_us(rows, row, B_PAY_UNTIL);
    facts->had_more_time = db_u64(rows, row, B_MORE_TIME) != 0;
    if (!db_is_null(rows, row, B_TRIES))
        facts->tries_left = PAYMENT_TRIES_MAX - (int32_t)db_u64(rows, row, B_TRIES);
    bool is_given = !db_is_null(rows, row, B_TIER), is_choice = is_given || facts->state == ORDER_STANDBY;
    int error = order_facts_take_choices(facts, db_string(rows, row, CHOICES),
                                         is_choice ? (unsigned)db_u64(rows, row, B_CHOICE) : 0);
    if (error == 0 && is_given) {
        copy_code(facts->tier, sizeof facts->tier, rows, row, B_TIER);
        facts->quantity = (uint32_t)db_u64(rows, row, B_QUANTITY);
        facts->amount = db_u64(rows, row, B_AMOUNT);
    }
    return error;
}

int store_order_facts(const struct db_rows *rows, size_t row, bool with_booking, struct order_facts **ret)
{
    struct order_facts *facts = order_facts_new();
    if (!facts)
        return ERROR_MEMORY;
    facts->place = db_u64(rows, row, PLACE);
    facts->attempt = (uint32_t)db_u64(rows, row, ATTEMPT);
    facts->revision = (uint32_t)db_u64(rows, row, REVISION);
    copy_code(facts->currency, sizeof facts->currency, rows, row, CURRENCY);
    facts->has_payment_method = db_u64(rows, row, HAS_METHOD) != 0;
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

// How many stand by before each of those in standby. What was read is nobody else's yet.
static int read_ahead(struct line_store *store, struct line_store_request **requests, size_t count)
{
    static _Thread_local struct line_store_ahead aheads[STORE_BATCH_MAX];
    size_t ahead_count = 0;
    for (size_t i = 0; i < count; i++)
        if (requests[i]->order && requests[i]->order->state == ORDER_STANDBY)
            aheads[ahead_count++] = (struct line_store_ahead){.number = requests[i]->number};
    int error = store_read_ahead(store, requests[0]->event_id, aheads, ahead_count);
    ahead_count = 0;
    for (size_t i = 0; i < count && error == 0; i++)
        if (requests[i]->order && requests[i]->order->state == ORDER_STANDBY)
            requests[i]->order->ahead = aheads[ahead_count++].ahead;
    return error;
}

// Which card each of those with an order has left. What was read is nobody else's yet.
static int read_cards(struct line_store *store, struct line_store_request **requests, size_t count, const char *numbers)
{
    struct db_rows *cards CLEANUP(db_rows_cleanup) = NULL;
    if (!store_takes_cards(store))
        return 0;
    int error = store_read_cards(store, requests[0]->event_id, numbers, count, &cards);
    size_t row = 0, row_count = error == 0 ? db_rows_count(cards) : 0;
    for (size_t i = 0; i < count && error == 0; i++) {
        while (row < row_count && db_u64(cards, row, STORE_CARD_PLACE) < requests[i]->number)
            row++;
        if (row < row_count && requests[i]->order && db_u64(cards, row, STORE_CARD_PLACE) == requests[i]->number)
            store_take_card(requests[i]->order, cards, row);
    }
    return error;
}

int store_read_orders(struct line_store *store, struct line_store_request **requests, size_t count)
{
    struct buffer numbers CLEANUP(buffer_done) = BUFFER_INIT;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    size_t distinct = store_numbers(requests, count, &numbers);
    if (numbers.failed)
        return ERROR_MEMORY;
    int error = db_read(store->db,
                        "SELECT " STORE_ORDER_COLUMNS STORE_BOOKING_COLUMNS STORE_NEWEST_ORDERS STORE_THEIR_BOOKINGS
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
            error = store_order_facts(rows, row, true, &request->order);
    }
    if (error == 0)
        error = read_cards(store, requests, count, numbers.data);
    return error == 0 ? read_ahead(store, requests, count) : error;
}
