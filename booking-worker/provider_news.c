// SPDX-License-Identifier: Apache-2.0
// See provider_news.h. An event is done once what it is about has been found; one about a payment that no row knows stays new until the
// provider has said whose it is, so that it is not forgotten if this program dies in between; until then it
// is looked at every few seconds, behind what is newer.
#include "booking-worker/provider_news.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "booking-worker/store_internal.h"
#include "common/log.h"
#include "common/random.h"

#define NEWS_MAX 200 // in one transaction
#define ASKS_MAX 16 // about payments that nobody knows, at once
#define REST_SECONDS 5 // for one that nothing has come of yet
#define MONEY_TYPES "('payment_intent.amount_capturable_updated', 'payment_intent.succeeded')"

struct ask {
    enum { ASK_FREE, ASK_FLYING, ASK_ANSWERED } state;
    char event[PROVIDER_ID_BYTES], intent[PROVIDER_ID_BYTES];
    struct provider_answer answer;
};

struct provider_news {
    struct ask asks[ASKS_MAX];
};

int provider_news_new(struct provider_news **ret)
{
    *ret = calloc(1, sizeof(**ret));
    return *ret ? 0 : ERROR_MEMORY;
}

void provider_news_free(struct provider_news *news)
{
    free(news);
}

static void on_answer(void *context, const struct provider_answer *answer)
{
    struct ask *ask = context;
    ask->answer = *answer;
    ask->state = ASK_ANSWERED;
}

static struct ask *find_free(struct provider_news *news)
{
    for (size_t i = 0; i < ASKS_MAX; i++)
        if (news->asks[i].state == ASK_FREE)
            return &news->asks[i];
    return NULL;
}

static int finish(struct db *db, const char *event, const char *verdict)
{
    return db_write(db, "UPDATE provider_events SET done_at = UTC_TIMESTAMP(6), verdict = ? WHERE id = ?",
                    (struct db_value[]){db_text(verdict), db_text(event)}, 2, NULL);
}

// A payment that somebody is just asking about is left alone: there will be an answer. An end is looked at again only for money.
static int look_at_payment(struct db *db, const char *type, const char *object, bool *ret_found)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result =
        db_read(db, "SELECT 1 FROM payments WHERE intent = ?", (struct db_value[]){db_text(object)}, 1, 1, &rows);
    *ret_found = db_rows_count(rows) > 0;
    if (result || !*ret_found)
        return result;
    return db_write(db,
                    "UPDATE payments SET next_attempt_at = UTC_TIMESTAMP(6) WHERE intent = ? AND (state = 'challenged'"
                    " OR (tries > 0 AND next_attempt_at IS NOT NULL)"
                    " OR (state IN ('declined', 'voided') AND ? IN " MONEY_TYPES "))",
                    (struct db_value[]){db_text(object), db_text(type)}, 2, NULL);
}

static int look_at_card(struct db *db, const char *object, bool *ret_found)
{
    struct db_written written = {0};
    int result = db_write(db,
                          "UPDATE cards SET next_attempt_at = IF(state = 'open', UTC_TIMESTAMP(6), next_attempt_at)"
                          " WHERE session = ?",
                          (struct db_value[]){db_text(object)}, 1, &written);
    *ret_found = written.affected > 0;
    return result;
}

static bool is_about_money(const char *type)
{
    return strcmp(type, "payment_intent.amount_capturable_updated") == 0 ||
           strcmp(type, "payment_intent.succeeded") == 0;
}

// Others that are newer go first meanwhile, and other workers do not ask the same.
static int put_off(struct db *db, const char *event)
{
    return db_write(db, "UPDATE provider_events SET next_look_at = UTC_TIMESTAMP(6) + INTERVAL ? SECOND WHERE id = ?",
                    (struct db_value[]){DB_U(REST_SECONDS), db_text(event)}, 2, NULL);
}

// Nobody here knows of this payment. It is asked about once the transaction is through.
static int take_unknown(struct provider_news *news, struct db *db, const char *event, const char *type,
                        const char *object, struct ask **ret_asks, size_t *ret_count)
{
    if (!is_about_money(type))
        return finish(db, event, "unknown");
    struct ask *ask = find_free(news);
    if (ask) {
        *ask = (struct ask){.state = ASK_FLYING};
        snprintf(ask->event, sizeof(ask->event), "%s", event);
        snprintf(ask->intent, sizeof(ask->intent), "%s", object);
        ret_asks[(*ret_count)++] = ask;
    }
    return put_off(db, event);
}

static int take_one(struct provider_news *news, struct db *db, const struct db_rows *rows, size_t row,
                    struct ask **ret_asks, size_t *ret_count)
{
    const char *id = db_string(rows, row, 0), *type = db_string(rows, row, 1), *object = db_string(rows, row, 2);
    bool is_found = false;
    int result = look_at_payment(db, type, object, &is_found);
    if (result == 0 && !is_found)
        result = look_at_card(db, object, &is_found);
    if (result)
        return result;
    return is_found ? finish(db, id, "asked") : take_unknown(news, db, id, type, object, ret_asks, ret_count);
}

static int take_in_transaction(struct provider_news *news, struct db *db, struct ask **ret_asks, size_t *ret_count)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db,
                         "SELECT id, type, object FROM provider_events FORCE INDEX (provider_events_waiting)"
                         " WHERE done_at IS NULL AND next_look_at <= UTC_TIMESTAMP(6) ORDER BY next_look_at LIMIT ?"
                         " FOR UPDATE SKIP LOCKED",
                         (struct db_value[]){DB_U(NEWS_MAX)}, 1, NEWS_MAX, &rows);
    for (size_t i = 0; i < db_rows_count(rows) && result == 0; i++)
        result = take_one(news, db, rows, i, ret_asks, ret_count);
    return result;
}

int provider_news_take(struct provider_news *news, struct db *db, struct provider *provider)
{
    struct ask *asks[ASKS_MAX];
    size_t count = 0;
    int result = db_begin(db);
    if (result == 0)
        result = take_in_transaction(news, db, asks, &count);
    if (result == 0)
        result = db_commit(db);
    if (result)
        db_rollback(db);
    for (size_t i = 0; i < count; i++) {
        const struct provider_request request = {.call = PROVIDER_ASK, .intent = asks[i]->intent};
        if (result || provider_begin(provider, &request, on_answer, asks[i]))
            asks[i]->state = ASK_FREE;
    }
    return result;
}

// ---------------------------------------------------------------- payments that nobody knows

static int find_event(struct db *db, const char *slug, uint64_t *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db, "SELECT id FROM events WHERE slug = ?", (struct db_value[]){db_text(slug)}, 1, 1, &rows);
    *ret = db_rows_count(rows) ? db_u64(rows, 0, 0) : 0;
    return result;
}

// Whether a payment's row waits for just this intent: the answer that named it got lost, and the same key will name it again.
static int is_expected(struct db *db, uint64_t event_id, const struct provider_intent *intent, bool *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result =
        db_read(db,
                "SELECT 1 FROM payments WHERE event_id = ? AND place = ? AND attempt = ? AND number = ?"
                " AND intent IS NULL AND state = 'created'",
                (struct db_value[]){DB_U(event_id), DB_U(intent->place), DB_U(intent->attempt), DB_U(intent->number)},
                4, 1, &rows);
    *ret = db_rows_count(rows) > 0;
    return result;
}

// ERROR_DUPLICATE: another payment of that booking is open. Once it has come to its end there is room for this one.
static int adopt(struct db *db, uint64_t event_id, const struct provider_intent *intent)
{
    char key[PAYMENT_KEY_BYTES];
    random_name(key);
    return db_write(db,
                    "INSERT INTO payments (event_id, place, attempt, number, state, aim, payment_method, amount,"
                    " currency, idempotency_key, intent, next_attempt_at, created_at, changed_at, authorised_at)"
                    " SELECT ?, ?, ?, COALESCE(MAX(number), 0) + 1, ?, 'give_back', '', ?, ?, ?, ?,"
                    " UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM payments"
                    " WHERE event_id = ? AND place = ? AND attempt = ?",
                    (struct db_value[]){DB_U(event_id), DB_U(intent->place), DB_U(intent->attempt),
                                        db_text(intent->status == PROVIDER_CAPTURED ? "refunding" : "voiding"),
                                        DB_U(intent->amount), db_text(intent->currency), db_text(key),
                                        db_text(intent->id), DB_U(event_id), DB_U(intent->place),
                                        DB_U(intent->attempt)},
                    11, NULL);
}

static int settle_known(struct db *db, const struct ask *ask)
{
    const struct provider_intent *intent = &ask->answer.intent;
    bool has_money = intent->status == PROVIDER_AUTHORISED ||
                     (intent->status == PROVIDER_CAPTURED && intent->refunded_amount < intent->captured_amount);
    uint64_t event_id = 0;
    bool expected = false;
    int result = intent->slug[0] ? find_event(db, intent->slug, &event_id) : 0;
    if (result)
        return result;
    if (event_id == 0)
        return finish(db, ask->event, "foreign");
    if (!has_money)
        return finish(db, ask->event, "unknown");
    result = is_expected(db, event_id, intent, &expected);
    if (result == 0 && !expected)
        result = adopt(db, event_id, intent);
    if (result == ERROR_DUPLICATE)
        return 0; // it comes again
    if (result)
        return result;
    if (!expected)
        log_warn("payment_of_nobody", LOG_S("slug", intent->slug), LOG_U("place", intent->place),
                 LOG_U("attempt", intent->attempt), LOG_S("intent", intent->id),
                 LOG_S("status", provider_status_name(intent->status)));
    return finish(db, ask->event, "asked");
}

static int settle_one(struct db *db, const struct ask *ask)
{
    if (ask->answer.result == PROVIDER_DONE)
        return settle_known(db, ask);
    // The provider does not know it either: a message that somebody made up could not be signed, but another account's secret may be ours.
    return ask->answer.result == PROVIDER_REFUSED ? finish(db, ask->event, "foreign") : 0;
}

int provider_news_settle(struct provider_news *news, struct db *db)
{
    int result = 0;
    for (size_t i = 0; i < ASKS_MAX && result == 0; i++) {
        struct ask *ask = &news->asks[i];
        if (ask->state != ASK_ANSWERED)
            continue;
        result = settle_one(db, ask);
        if (result == ERROR_INVALID) { // no row can say it; the others need not wait for that
            log_error("payment_of_nobody", LOG_S("slug", ask->answer.intent.slug), LOG_S("intent", ask->intent),
                      LOG_S("text", db_error_text(db)));
            result = finish(db, ask->event, "foreign");
        }
        if (result == 0)
            ask->state = ASK_FREE;
    }
    return result;
}
