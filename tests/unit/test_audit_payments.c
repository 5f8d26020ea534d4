// links: admin
// SPDX-License-Identifier: Apache-2.0
// Check 6, the pure part: what a booking and its payments, and a row and the provider's intent, may say at the same time.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/audit_intent_rules.h"
#include "admin/audit_payment_rules.h"

#define NOW_US (INT64_C(1800000000) * 1000000)

// ---------------------------------------------------------------- a row and an intent

static struct provider_intent intent_of(enum provider_status status)
{
    struct provider_intent intent = {.id = "pi_1", .status = status, .amount = 9000, .currency = "EUR"};
    if (status == PROVIDER_CAPTURED)
        intent.captured_amount = 9000;
    return intent;
}

static bool agrees(enum payment_state state, const struct provider_intent *intent)
{
    const struct audit_intent_row row = {.has_intent = true, .state = state, .amount = 9000, .currency = "EUR"};
    char why[200] = "";
    const bool is = audit_intent_agrees(&row, intent, why, sizeof(why));
    assert_int_equal(is, *why == '\0');
    return is;
}

// For each state, in the order of enum provider_status: unconfirmed, failed, action_required, processing, authorised, captured, cancelled.
static void test_states(void **state)
{
    (void)state;
    static const char *const may[PAYMENT_STATE_COUNT] = {
        [PAYMENT_CREATED] = "u......",    [PAYMENT_CONFIRMING] = "ufapA.x", [PAYMENT_CHALLENGED] = "ufapA.x",
        [PAYMENT_AUTHORISED] = "....A..", [PAYMENT_CAPTURING] = "...pAc.",  [PAYMENT_CAPTURED] = ".....c.",
        [PAYMENT_DECLINED] = "uf....x",   [PAYMENT_VOIDING] = "ufapAcx",    [PAYMENT_VOIDED] = "uf....x",
        [PAYMENT_REFUNDING] = ".....c.",  [PAYMENT_REFUNDED] = ".......",   [PAYMENT_FAILED] = "ufapAcx",
    };
    for (int s = 0; s < PAYMENT_STATE_COUNT; s++) {
        for (int status = PROVIDER_UNCONFIRMED; status <= PROVIDER_CANCELLED; status++) {
            const struct provider_intent intent = intent_of((enum provider_status)status);
            if (agrees((enum payment_state)s, &intent) != (may[s][status] != '.'))
                fail_msg("%s and %s", payment_state_name((enum payment_state)s),
                         provider_status_name((enum provider_status)status));
        }
    }
}

static void test_a_refund_that_failed(void **state)
{
    (void)state;
    struct audit_intent_row row = {
        .has_intent = true, .has_refund = true, .state = PAYMENT_REFUNDING, .amount = 9000, .currency = "EUR"};
    struct provider_intent intent = intent_of(PROVIDER_CAPTURED);
    char why[200] = "";
    intent.has_failed_refund = true;
    memcpy(intent.refund_code, "unknown", 8);
    intent.captured_amount = 9000;
    assert_false(audit_intent_agrees(&row, &intent, why, sizeof(why)));
    assert_string_equal(why, "is refunding, and the provider says that the refund failed: unknown");
    // Another one is under way, or is to be asked for.
    intent.refunding_amount = 9000;
    assert_true(audit_intent_agrees(&row, &intent, why, sizeof(why)));
    intent.refunding_amount = 0;
    row.has_refund = false;
    assert_true(audit_intent_agrees(&row, &intent, why, sizeof(why)));
    row.state = PAYMENT_FAILED; // an operator knows
    assert_true(audit_intent_agrees(&row, &intent, why, sizeof(why)));
    row.state = PAYMENT_REFUNDED;
    assert_false(audit_intent_agrees(&row, &intent, why, sizeof(why)));
    assert_non_null(strstr(why, "given back 0; a refund failed"));
}

static void test_amounts_to_the_minor_unit(void **state)
{
    (void)state;
    struct provider_intent intent = intent_of(PROVIDER_CAPTURED);
    intent.captured_amount = 8999;
    assert_false(agrees(PAYMENT_CAPTURED, &intent));
    assert_false(agrees(PAYMENT_CAPTURING, &intent));
    intent.captured_amount = 9000;
    intent.refunded_amount = 1;
    assert_false(agrees(PAYMENT_CAPTURED, &intent));
    assert_false(agrees(PAYMENT_REFUNDED, &intent));
    assert_true(agrees(PAYMENT_REFUNDING, &intent));
    intent.refunded_amount = 9000;
    assert_true(agrees(PAYMENT_REFUNDED, &intent));
    // What waits for its bank is no violation where it is waited for, and is not back.
    intent.refunded_amount = 0;
    intent.refunding_amount = 9000;
    assert_true(agrees(PAYMENT_REFUNDING, &intent));
    assert_false(agrees(PAYMENT_REFUNDED, &intent));
    assert_false(agrees(PAYMENT_CAPTURED, &intent));
    assert_false(agrees(PAYMENT_CAPTURING, &intent));
    intent = intent_of(PROVIDER_AUTHORISED);
    intent.amount = 9001;
    assert_false(agrees(PAYMENT_CAPTURING, &intent));
    assert_true(agrees(PAYMENT_VOIDING, &intent)); // it is being given up
    intent = intent_of(PROVIDER_AUTHORISED);
    memcpy(intent.currency, "USD", 4);
    assert_false(agrees(PAYMENT_CAPTURING, &intent));
}

static void test_rows_that_do_not_know_their_intent(void **state)
{
    (void)state;
    char why[200];
    struct audit_intent_row row = {.state = PAYMENT_DECLINED, .amount = 9000, .currency = "EUR"};
    const struct provider_intent unconfirmed = intent_of(PROVIDER_UNCONFIRMED), captured = intent_of(PROVIDER_CAPTURED);
    assert_true(audit_intent_agrees(&row, &unconfirmed, why, sizeof(why)));
    assert_false(audit_intent_agrees(&row, &captured, why, sizeof(why)));
    assert_false(audit_intent_agrees(NULL, &unconfirmed, why, sizeof(why)));
    row.state = PAYMENT_CAPTURED;
    assert_false(audit_intent_agrees(&row, &unconfirmed, why, sizeof(why)));
    assert_true(audit_intent_is_harmless(&unconfirmed));
    assert_false(audit_intent_is_harmless(&captured));
}

// ---------------------------------------------------------------- a booking and its payments

static struct audit new_audit(void)
{
    struct audit audit = {.now_us = NOW_US, .first_payment_us = INT64_MIN};
    audit.checks[AUDIT_PAYMENTS].samples = json_array();
    return audit;
}

// How many rules are broken by one booking with one payment.
static uint64_t broken(enum order_state booking, enum payment_state state, enum payment_aim aim)
{
    struct audit audit = new_audit();
    const struct audit_payment payment = {.number = 1,
                                          .is_known = true,
                                          .state = state,
                                          .aim = aim,
                                          .amount = 9000,
                                          .currency = "EUR",
                                          .has_intent = true,
                                          .is_captured = true,
                                          .is_returned = true,
                                          .next_us = NOW_US};
    const struct audit_paid paid = {.place = 1,
                                    .attempt = 1,
                                    .has_booking = true,
                                    .state = booking,
                                    .has_given = true,
                                    .amount = 9000,
                                    .currency = "EUR",
                                    .payments = &payment,
                                    .count = 1};
    audit_payment_rules(&audit, &paid);
    json_decref(audit.checks[AUDIT_PAYMENTS].samples);
    return audit.checks[AUDIT_PAYMENTS].violation_count;
}

// The table of docs/payments.md: which states of the payment each state of the booking bears while the money is wanted. In the order of enum
// payment_state: created, confirming, challenged, authorised, capturing, captured, declined, voiding, voided, refunding, refunded, failed.
static void test_bookings_and_their_payments(void **state)
{
    (void)state;
    static const struct {
        enum order_state booking;
        const char *wanted, *given_back;
    } table[] = {
        {ORDER_HELD, "......dvvrrf", "...acCdvvrrf"},      {ORDER_DECLINED, "......dvvrrf", "...acCdvvrrf"},
        {ORDER_PAYING, "cC.....v.r..", "cC.acC.v.r.."},    {ORDER_ACTION_REQUIRED, ".Cc....v.r..", ".Ccac..v.r.."},
        {ORDER_CONFIRMED, "...acC.....f", "...........f"}, {ORDER_EXPIRED, "......dvvrrf", "...acCdvvrrf"},
        {ORDER_FAILED, "......dvvrrf", "...acCdvvrrf"},    {ORDER_CANCELLED, "......dvvrrf", "cCcacCdvvrrf"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (int s = 0; s < PAYMENT_STATE_COUNT; s++) {
            const enum payment_state payment = (enum payment_state)s;
            if ((broken(table[i].booking, payment, PAYMENT_TAKE) == 0) != (table[i].wanted[s] != '.'))
                fail_msg("%s and a payment that is %s", order_state_name(table[i].booking),
                         payment_state_name(payment));
            // Money that is captured is no open payment: who is paying has none then.
            if (table[i].booking != ORDER_PAYING && table[i].booking != ORDER_ACTION_REQUIRED &&
                (broken(table[i].booking, payment, PAYMENT_GIVE_BACK) == 0) != (table[i].given_back[s] != '.'))
                fail_msg("%s and a payment that is %s and given back", order_state_name(table[i].booking),
                         payment_state_name(payment));
        }
    }
}

static void test_whose_money_did_not_go_through_the_provider(void **state)
{
    (void)state;
    struct audit_paid paid = {.place = 1,
                              .attempt = 1,
                              .has_booking = true,
                              .state = ORDER_CONFIRMED,
                              .has_given = true,
                              .amount = 9000,
                              .currency = "EUR",
                              .confirmed_us = NOW_US};
    static const struct {
        enum audit_confirmed_by by;
        bool takes_money;
        int64_t first_payment_us;
        uint64_t broken;
    } table[] = {
        {AUDIT_BY_PAYER, true, NOW_US, 1},          {AUDIT_BY_PAYER, false, AUDIT_NO_TIME, 1},
        {AUDIT_BY_OPERATOR, true, NOW_US, 0},       {AUDIT_BY_OPERATOR, true, NOW_US - 1, 0},
        {AUDIT_BY_BOOKING, false, NOW_US - 1, 0},   {AUDIT_BY_BOOKING, true, NOW_US, 0},
        {AUDIT_BY_BOOKING, true, AUDIT_NO_TIME, 0}, {AUDIT_BY_BOOKING, true, NOW_US - 1, 1},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct audit audit = new_audit();
        audit.options.takes_money = table[i].takes_money;
        audit.first_payment_us = table[i].first_payment_us;
        paid.by = table[i].by;
        audit_payment_rules(&audit, &paid);
        assert_int_equal(audit.checks[AUDIT_PAYMENTS].violation_count, table[i].broken);
        json_decref(audit.checks[AUDIT_PAYMENTS].samples);
    }
    paid.amount = 0; // nothing is due
    struct audit audit = new_audit();
    paid.by = AUDIT_BY_PAYER;
    audit_payment_rules(&audit, &paid);
    assert_int_equal(audit.checks[AUDIT_PAYMENTS].violation_count, 0);
    json_decref(audit.checks[AUDIT_PAYMENTS].samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_amounts_to_the_minor_unit),
        cmocka_unit_test(test_a_refund_that_failed),
        cmocka_unit_test(test_rows_that_do_not_know_their_intent),
        cmocka_unit_test(test_bookings_and_their_payments),
        cmocka_unit_test(test_whose_money_did_not_go_through_the_provider),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
