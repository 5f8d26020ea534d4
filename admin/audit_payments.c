// SPDX-License-Identifier: Apache-2.0
#include "admin/audit_payments.h"

#include <inttypes.h>
#include <string.h>

// The key of a page's rows has two numbers; attempt and number of a payment make up one.
#define NUMBERS 256
#define KEY "attempt * 256 + number"
enum {
    P_PLACE,
    P_KEY,
    P_STATE,
    P_AIM,
    P_AMOUNT,
    P_CURRENCY,
    P_HAS_INTENT,
    P_IS_CAPTURED,
    P_IS_RETURNED,
    P_NEXT_ATTEMPT_AT,
    P_IS_FOUNDLING,
    P_HAS_REFUND
};

void audit_payments_init(struct audit_payments *payments)
{
    *payments = (struct audit_payments){
        .pages = {
            .has_attempt = true,
            .sql =
                "SELECT place, " KEY
                ", state, aim, amount, currency, intent IS NOT NULL, captured_at IS NOT NULL, returned_at IS "
                "NOT NULL, next_attempt_at, payment_method = '', refund IS NOT NULL FROM payments FORCE INDEX (PRIMARY) "
                "WHERE event_id = ? AND place >= ? AND NOT (place = ? AND " KEY
                " <= ?) ORDER BY place, attempt, number LIMIT ?"}};
}

void audit_payments_done(struct audit_payments *payments)
{
    audit_pages_done(&payments->pages);
}

static void take_row(struct audit_payments *payments)
{
    struct audit_pages *pages = &payments->pages;
    const struct db_rows *rows = pages->rows;
    const size_t row = pages->row;
    if (payments->count < AUDIT_PAYMENTS_MAX) {
        struct audit_payment *item = &payments->items[payments->count];
        char *currency = payments->currencies[payments->count++];
        snprintf(currency, sizeof(payments->currencies[0]), "%s", db_string(rows, row, P_CURRENCY));
        *item = (struct audit_payment){
            .number = (uint32_t)(db_u64(rows, row, P_KEY) % NUMBERS),
            .amount = db_u64(rows, row, P_AMOUNT),
            .currency = currency,
            .is_foundling = db_u64(rows, row, P_IS_FOUNDLING) != 0,
            .has_refund = db_u64(rows, row, P_HAS_REFUND) != 0,
            .has_intent = db_u64(rows, row, P_HAS_INTENT) != 0,
            .is_captured = db_u64(rows, row, P_IS_CAPTURED) != 0,
            .is_returned = db_u64(rows, row, P_IS_RETURNED) != 0,
            .next_us =
                db_is_null(rows, row, P_NEXT_ATTEMPT_AT) ? AUDIT_NO_TIME : db_time_us(rows, row, P_NEXT_ATTEMPT_AT),
        };
        item->is_known = payment_state_parse(db_string(rows, row, P_STATE), &item->state) == 0 &&
                         payment_aim_parse(db_string(rows, row, P_AIM), &item->aim) == 0;
    }
    audit_pages_take(pages);
}

int audit_payments_find(struct audit_payments *payments, struct audit *audit, uint64_t place, uint64_t attempt)
{
    struct audit_pages *pages = &payments->pages;
    payments->count = 0;
    for (;;) {
        bool is_there;
        int r = audit_pages_look(audit->db, audit->event_id, pages, &is_there);
        if (r < 0 || !is_there)
            return r;
        const uint64_t row_place = db_u64(pages->rows, pages->row, P_PLACE),
                       row_attempt = db_u64(pages->rows, pages->row, P_KEY) / NUMBERS;
        if (row_place > place || (row_place == place && row_attempt > attempt))
            return 0;
        if (row_place == place && row_attempt == attempt) {
            take_row(payments);
        } else {
            const struct audit_paid nobody = {
                .place = row_place, .attempt = row_attempt, .payments = payments->items, .count = 1};
            take_row(payments);
            audit_payment_rules(audit, &nobody);
            payments->count = 0;
        }
    }
}

int audit_payments_end(struct audit_payments *payments, struct audit *audit)
{
    return audit_payments_find(payments, audit, UINT64_MAX, UINT64_MAX);
}

// What the log says about a confirmation. Booked and confirmed at once is not logged where there was no booking before.
static int find_who_confirmed(struct audit *audit, struct audit_paid *paid, uint64_t revision, uint64_t order_revision)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(audit->db,
                    "SELECT actor LIKE 'onsale %', COALESCE(detail IN ('was released', 'was standby'), 0) FROM "
                    "order_log WHERE event_id = ? AND place = ? AND attempt = ? AND state = 'confirmed' ORDER BY id "
                    "DESC LIMIT 1",
                    (struct db_value[]){DB_U(audit->event_id), DB_U(paid->place), DB_U(paid->attempt)}, 3, 1, &rows);
    if (r < 0)
        return r;
    paid->by = AUDIT_BY_PAYER;
    if (db_rows_count(rows) == 0 ? revision == order_revision + 1 : db_u64(rows, 0, 1) != 0)
        paid->by = AUDIT_BY_BOOKING;
    else if (db_rows_count(rows) && db_u64(rows, 0, 0))
        paid->by = AUDIT_BY_OPERATOR;
    return 0;
}

int audit_payments_check(struct audit_payments *payments, struct audit *audit, struct audit_paid *paid,
                         uint64_t revision, uint64_t order_revision)
{
    paid->payments = payments->items;
    paid->count = payments->count;
    int r = 0;
    if (paid->has_booking && paid->state == ORDER_CONFIRMED && paid->amount &&
        !audit_payments_are_there(paid->payments, paid->count))
        r = find_who_confirmed(audit, paid, revision, order_revision);
    if (r == 0)
        audit_payment_rules(audit, paid);
    return r;
}
