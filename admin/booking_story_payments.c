// SPDX-License-Identifier: Apache-2.0
#include "admin/booking_story_payments.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/booking_story_rows.h"
#include "admin/currency.h"
#include "common/clock.h"
#include "common/payment.h"

#define PAYMENTS_MAX 1000
#define TOLD_MAX 1000
#define CARDS_MAX 1000
#define STEPS_OF_A_PAYMENT 4 // begun, authorised, captured, and how it stands or ended
#define STEPS_OF_A_CARD 2

enum {
    P_ATTEMPT,
    P_NUMBER,
    P_STATE,
    P_AIM,
    P_AMOUNT,
    P_CURRENCY,
    P_INTENT,
    P_REFUND,
    P_REASON,
    P_PROVIDER_CODE,
    P_TRIES,
    P_NEXT_ATTEMPT_AT,
    P_IS_DEAD,
    P_CREATED_AT,
    P_CHANGED_AT,
    P_AUTHORISED_AT,
    P_CAPTURED_AT,
    P_RETURNED_AT
};
enum { T_ID, T_TYPE, T_RECEIVED_AT, T_DONE_AT, T_VERDICT, T_ATTEMPT, T_NUMBER };
enum { C_NUMBER, C_STATE, C_LABEL, C_CREATED_AT, C_CHANGED_AT };

int story_payments_read(struct db *db, struct story *story)
{
    const struct db_value key[] = {DB_U(story->event_id), DB_U(story->place)};
    int r = db_read(db,
                    "SELECT attempt, number, state, aim, amount, currency, intent, refund, reason, provider_code, "
                    "tries, next_attempt_at, is_dead, created_at, changed_at, authorised_at, captured_at, returned_at "
                    "FROM payments WHERE event_id = ? AND place = ? ORDER BY attempt, number LIMIT 1000",
                    key, 2, PAYMENTS_MAX, &story->payments);
    if (r == 0)
        r = db_read(db,
                    "SELECT t.id, t.type, t.received_at, t.done_at, t.verdict, p.attempt, p.number FROM payments p "
                    "JOIN provider_events t ON t.object = p.intent WHERE p.event_id = ? AND p.place = ? ORDER BY "
                    "t.received_at LIMIT 1000",
                    key, 2, TOLD_MAX, &story->told);
    if (r == 0)
        r = db_read(db,
                    "SELECT number, state, label, created_at, changed_at FROM cards WHERE event_id = ? AND place = ? "
                    "ORDER BY number LIMIT 1000",
                    key, 2, CARDS_MAX, &story->cards);
    return r;
}

size_t story_payments_steps_max(const struct story *story)
{
    return STEPS_OF_A_PAYMENT * db_rows_count(story->payments) + db_rows_count(story->told) +
           STEPS_OF_A_CARD * db_rows_count(story->cards);
}

// ---------------------------------------------------------------- steps

static struct story_step *add(struct story *story, size_t row, size_t time, const char *name)
{
    struct story_step *step = story_add_step(story, db_time_us(story->payments, row, time), name);
    step->attempt = (uint32_t)db_u64(story->payments, row, P_ATTEMPT);
    return step;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

// The provider has taken the refund, and only its bank has still to do something.
static bool is_with_bank(const struct db_rows *rows, size_t row)
{
    return strcmp(or_empty(db_string(rows, row, P_STATE)), payment_state_name(PAYMENT_REFUNDING)) == 0 &&
           !db_is_null(rows, row, P_REFUND);
}

// What is told of a payment that is not at its end: since when, and when somebody looks again.
static void describe_under_way(const struct db_rows *rows, size_t row, struct story_step *step)
{
    char next[CLOCK_TEXT_BYTES] = "never";
    if (!db_is_null(rows, row, P_NEXT_ATTEMPT_AT))
        clock_format(db_time_us(rows, row, P_NEXT_ATTEMPT_AT), next);
    story_describe(step, "payment %" PRIu64 "%s%s%s, %" PRIu64 " looks without an answer, the next at %s",
                   db_u64(rows, row, P_NUMBER), is_with_bank(rows, row) ? ", the refund is with the bank" : "",
                   strcmp(or_empty(db_string(rows, row, P_AIM)), payment_aim_name(PAYMENT_GIVE_BACK)) == 0
                       ? ", is given back"
                       : "",
                   db_u64(rows, row, P_IS_DEAD) ? ", in the dead letters" : "", db_u64(rows, row, P_TRIES), next);
}

static bool is_declined_or_failed(const struct db_rows *rows, size_t row)
{
    enum payment_state state;
    return payment_state_parse(db_string(rows, row, P_STATE), &state) == 0 &&
           (state == PAYMENT_DECLINED || state == PAYMENT_FAILED);
}

// Why it was declined or failed, in our word; NULL: it was not, or there is none.
static const char *reason_of(const struct db_rows *rows, size_t row)
{
    return is_declined_or_failed(rows, row) ? db_string(rows, row, P_REASON) : NULL;
}

static void describe_end(const struct db_rows *rows, size_t row, struct story_step *step)
{
    const char *reason = reason_of(rows, row),
               *code = is_declined_or_failed(rows, row) ? db_string(rows, row, P_PROVIDER_CODE) : NULL,
               *refund = db_string(rows, row, P_REFUND);
    story_describe(step, "payment %" PRIu64 "%s%s%s%s%s%s%s", db_u64(rows, row, P_NUMBER), reason ? ": " : "",
                   or_empty(reason), code ? " (" : "", or_empty(code), code ? ")" : "", refund ? ", " : "",
                   or_empty(refund));
}

static const char *state_step(enum payment_state state)
{
    switch (state) {
    case PAYMENT_DECLINED:
        return "payment declined";
    case PAYMENT_VOIDED:
        return "payment voided";
    case PAYMENT_REFUNDED:
        return "payment refunded";
    case PAYMENT_FAILED:
        return "payment failed";
    default:
        return payment_state_name(state);
    }
}

static void add_payment(struct story *story, size_t row)
{
    const struct db_rows *rows = story->payments;
    char money[CURRENCY_AMOUNT_BYTES];
    enum payment_state state;
    struct story_step *step = add(story, row, P_CREATED_AT, "payment begun");
    story_describe(step, "payment %" PRIu64 ", %s%s%s", db_u64(rows, row, P_NUMBER),
                   currency_format(db_u64(rows, row, P_AMOUNT), db_string(rows, row, P_CURRENCY), money),
                   db_is_null(rows, row, P_INTENT) ? "" : ", ", or_empty(db_string(rows, row, P_INTENT)));
    if (!db_is_null(rows, row, P_AUTHORISED_AT))
        story_describe(add(story, row, P_AUTHORISED_AT, "authorised"), "payment %" PRIu64, db_u64(rows, row, P_NUMBER));
    if (!db_is_null(rows, row, P_CAPTURED_AT))
        story_describe(add(story, row, P_CAPTURED_AT, "captured"), "payment %" PRIu64, db_u64(rows, row, P_NUMBER));
    if (payment_state_parse(db_string(rows, row, P_STATE), &state) < 0 || state == PAYMENT_CREATED)
        return;
    if (payment_is_end(state) && state != PAYMENT_CAPTURED) {
        const bool has_time = state != PAYMENT_FAILED && !db_is_null(rows, row, P_RETURNED_AT);
        describe_end(rows, row, add(story, row, has_time ? P_RETURNED_AT : P_CHANGED_AT, state_step(state)));
    } else if (state != PAYMENT_CAPTURED || !db_is_null(rows, row, P_NEXT_ATTEMPT_AT)) {
        step = add(story, row, P_CHANGED_AT, state == PAYMENT_CAPTURED ? "to be given back" : state_step(state));
        describe_under_way(rows, row, step);
    }
}

static void add_told(struct story *story, size_t row)
{
    const struct db_rows *rows = story->told;
    struct story_step *step = story_add_step(story, db_time_us(rows, row, T_RECEIVED_AT), "provider told");
    step->attempt = (uint32_t)db_u64(rows, row, T_ATTEMPT);
    story_describe(step, "payment %" PRIu64 ": %s, %s%s%s", db_u64(rows, row, T_NUMBER), db_string(rows, row, T_TYPE),
                   db_string(rows, row, T_ID), db_is_null(rows, row, T_DONE_AT) ? ", not looked at yet" : ", ",
                   or_empty(db_string(rows, row, T_VERDICT)));
}

static void add_card(struct story *story, size_t row)
{
    const struct db_rows *rows = story->cards;
    const char *state = db_string(rows, row, C_STATE);
    const bool is_kept = strcmp(state, "kept") == 0;
    struct story_step *step = story_add_step(story, db_time_us(rows, row, C_CREATED_AT), "card page");
    story_describe(step, "card %" PRIu64, db_u64(rows, row, C_NUMBER));
    if (!is_kept && strcmp(state, "gone") != 0)
        return;
    step = story_add_step(story, db_time_us(rows, row, C_CHANGED_AT), is_kept ? "card left" : "card page over");
    story_describe(step, "card %" PRIu64 "%s%s", db_u64(rows, row, C_NUMBER),
                   db_is_null(rows, row, C_LABEL) ? "" : ": ", or_empty(db_string(rows, row, C_LABEL)));
}

void story_payments_add(struct story *story)
{
    for (size_t i = 0; i < db_rows_count(story->cards); i++)
        add_card(story, i);
    for (size_t i = 0; i < db_rows_count(story->payments); i++)
        add_payment(story, i);
    for (size_t i = 0; i < db_rows_count(story->told); i++)
        add_told(story, i);
}

// ---------------------------------------------------------------- telling

static json_t *told_json(const struct db_rows *rows, size_t row)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:s?}", "id", db_string(rows, row, T_ID), "type",
                     db_string(rows, row, T_TYPE), "received_at", story_time_json(rows, row, T_RECEIVED_AT), "done_at",
                     story_time_json(rows, row, T_DONE_AT), "verdict", db_string(rows, row, T_VERDICT));
}

static json_t *payment_json(const struct story *story, size_t row)
{
    const struct db_rows *rows = story->payments, *told = story->told;
    json_t *events = json_array();
    for (size_t i = 0; i < db_rows_count(told); i++)
        if (db_u64(told, i, T_ATTEMPT) == db_u64(rows, row, P_ATTEMPT) &&
            db_u64(told, i, T_NUMBER) == db_u64(rows, row, P_NUMBER))
            json_array_append_new(events, told_json(told, i));
    return json_pack("{s:I, s:s, s:s, s:I, s:s, s:s?, s:s?, s:s?, s:s?, s:I, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "number", (json_int_t)db_u64(rows, row, P_NUMBER), "state", db_string(rows, row, P_STATE), "aim",
                     db_string(rows, row, P_AIM), "amount", (json_int_t)db_u64(rows, row, P_AMOUNT), "currency",
                     db_string(rows, row, P_CURRENCY), "intent", db_string(rows, row, P_INTENT), "refund",
                     db_string(rows, row, P_REFUND), "reason", db_string(rows, row, P_REASON), "provider_code",
                     db_string(rows, row, P_PROVIDER_CODE), "tries", (json_int_t)db_u64(rows, row, P_TRIES), "is_dead",
                     (int)db_u64(rows, row, P_IS_DEAD), "next_attempt_at",
                     story_time_json(rows, row, P_NEXT_ATTEMPT_AT), "created_at",
                     story_time_json(rows, row, P_CREATED_AT), "changed_at", story_time_json(rows, row, P_CHANGED_AT),
                     "authorised_at", story_time_json(rows, row, P_AUTHORISED_AT), "captured_at",
                     story_time_json(rows, row, P_CAPTURED_AT), "returned_at",
                     story_time_json(rows, row, P_RETURNED_AT), "told", events);
}

json_t *story_payments_json(const struct story *story, uint32_t attempt)
{
    json_t *items = json_array();
    for (size_t i = 0; i < db_rows_count(story->payments); i++)
        if (db_u64(story->payments, i, P_ATTEMPT) == attempt)
            json_array_append_new(items, payment_json(story, i));
    return items;
}

json_t *story_cards_json(const struct story *story)
{
    json_t *items = json_array();
    const struct db_rows *rows = story->cards;
    for (size_t i = 0; i < db_rows_count(rows); i++)
        json_array_append_new(items,
                              json_pack("{s:I, s:s, s:s?, s:o, s:o}", "number", (json_int_t)db_u64(rows, i, C_NUMBER),
                                        "state", db_string(rows, i, C_STATE), "label", db_string(rows, i, C_LABEL),
                                        "created_at", story_time_json(rows, i, C_CREATED_AT), "changed_at",
                                        story_time_json(rows, i, C_CHANGED_AT)));
    return items;
}

void story_payments_text(const struct story *story, uint32_t attempt, struct buffer *text)
{
    const struct db_rows *rows = story->payments;
    char money[CURRENCY_AMOUNT_BYTES];
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        if (db_u64(rows, i, P_ATTEMPT) != attempt)
            continue;
        buffer_format(text, "payment %" PRIu64 ": %s%s, %s", db_u64(rows, i, P_NUMBER), db_string(rows, i, P_STATE),
                      strcmp(db_string(rows, i, P_AIM), payment_aim_name(PAYMENT_GIVE_BACK)) == 0 ? " (give back)" : "",
                      currency_format(db_u64(rows, i, P_AMOUNT), db_string(rows, i, P_CURRENCY), money));
        if (reason_of(rows, i))
            buffer_format(text, ", %s", reason_of(rows, i));
        if (!db_is_null(rows, i, P_INTENT))
            buffer_format(text, ", %s", db_string(rows, i, P_INTENT));
        if (!db_is_null(rows, i, P_REFUND))
            buffer_format(text, ", refund %s%s", db_string(rows, i, P_REFUND),
                          is_with_bank(rows, i) ? " is with the bank" : "");
        buffer_text(text, "\n");
    }
}
