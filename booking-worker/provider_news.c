// SPDX-License-Identifier: Apache-2.0
// See provider_news.h. An event is done once what it is about has been found. One about money that no row knows stays new until the provider
// has said whose it is, so that it is not forgotten if this program dies in between; it is looked at every few seconds, behind what is newer.
#include "booking-worker/provider_news.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/payment.h"
#include "common/random.h"

#define NEWS_MAX 200 // in one transaction
#define ASKS_MAX 16 // about payments that nobody knows, at once
#define KEPT_DAYS 90 // news that were worked off
#define CLEARED_MAX 1000 // of older ones, each minute
#define CLEAR_NS (60 * INT64_C(1000000000))
#define REST_SECONDS 5 // for one that nothing has come of yet

struct ask {
    enum { ASK_FREE, ASK_FLYING, ASK_ANSWERED } state;
    char event[PROVIDER_ID_BYTES], intent[PROVIDER_ID_BYTES];
    struct provider_answer answer;
};

struct provider_news {
    struct ask asks[ASKS_MAX];
    int64_t cleared_ns; // when what is old was looked for last
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

static bool is_about_money(const char *type)
{
    return strcmp(type, "payment_intent.amount_capturable_updated") == 0 ||
           strcmp(type, "payment_intent.succeeded") == 0;
}

// What became of a refund. `charge.refunded` is told of every refund when it begins, and answers to our own calls say the same.
static bool is_about_refund(const char *type)
{
    return strcmp(type, "refund.updated") == 0 || strcmp(type, "refund.failed") == 0 ||
           strcmp(type, "charge.refund.updated") == 0;
}

// ---------------------------------------------------------------- what is new

enum { N_ID, N_TYPE, N_OBJECT };

// What they are about, in the sequence of the rows.
#define TOLD                                                                                      \
    "JSON_TABLE(?, '$[*]' COLUMNS (n INT UNSIGNED PATH '$[0]', object VARCHAR(255) CHARACTER SET" \
    " ascii PATH '$[1]', is_money INT PATH '$[2]', is_refund INT PATH '$[3]')) AS k"

static int write_told(const struct db_rows *rows, struct buffer *ret)
{
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        buffer_format(ret, "%s[%zu,", i ? "," : "[", i);
        buffer_json_string(ret, db_string(rows, i, N_OBJECT));
        const char *type = db_string(rows, i, N_TYPE);
        buffer_format(ret, ",%d,%d]", is_about_money(type), is_about_refund(type));
    }
    buffer_text(ret, "]");
    return ret->failed ? ERROR_MEMORY : 0;
}

// Which of them are about a row of ours; and of which somebody is just asking about the refund, who may have asked before the news.
static int find_objects(struct db *db, const char *told, size_t count, bool ret_known[static NEWS_MAX],
                        bool ret_busy[static NEWS_MAX])
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result =
        db_read(db,
                "SELECT k.n, k.is_refund = 1 AND EXISTS (SELECT * FROM payments b WHERE b.intent = k.object"
                " AND b.state IN ('refunding', 'refunded') AND b.is_claimed = 1 AND b.next_attempt_at >"
                " UTC_TIMESTAMP(6)) FROM " TOLD " WHERE EXISTS (SELECT * FROM payments p WHERE p.intent = k.object)"
                " OR EXISTS (SELECT * FROM cards c WHERE c.session = k.object)",
                (struct db_value[]){db_text(told)}, 1, count, &rows);
    for (size_t i = 0; i < db_rows_count(rows) && result == 0; i++) {
        uint64_t n = db_u64(rows, i, 0);
        if (n >= count)
            return ERROR_BUG;
        ret_known[n] = true;
        ret_busy[n] = db_u64(rows, i, 1) != 0;
    }
    return result;
}

// A payment that somebody is just asking about is left alone: there will be an answer. An end is looked at again only for money
// that came, or did not arrive where it was sent.
static int look_at_objects(struct db *db, const char *told)
{
    int result = db_write(db,
                          "UPDATE " TOLD " STRAIGHT_JOIN payments p ON p.intent = k.object"
                          " SET p.next_attempt_at = UTC_TIMESTAMP(6) WHERE p.state = 'challenged'"
                          " OR (p.tries > 0 AND p.next_attempt_at IS NOT NULL)"
                          " OR (p.state = 'refunding' AND p.is_claimed = 0)"
                          " OR (k.is_refund = 1 AND p.state = 'refunded' AND p.is_claimed = 0)"
                          " OR (k.is_money = 1 AND p.state IN ('declined', 'voided'))",
                          (struct db_value[]){db_text(told)}, 1, NULL);
    return result ? result
                  : db_write(db,
                             "UPDATE " TOLD " STRAIGHT_JOIN cards c ON c.session = k.object"
                             " SET c.next_attempt_at = UTC_TIMESTAMP(6) WHERE c.state = 'open'",
                             (struct db_value[]){db_text(told)}, 1, NULL);
}

// Nobody here knows of this payment. It is asked about once the transaction is through; if there is no room, another time.
static void add_ask(struct provider_news *news, const char *event, const char *object, struct ask **ret_asks,
                    size_t *ret_count)
{
    struct ask *ask = find_free(news);
    if (!ask)
        return;
    *ask = (struct ask){.state = ASK_FLYING};
    snprintf(ask->event, sizeof(ask->event), "%s", event);
    snprintf(ask->intent, sizeof(ask->intent), "%s", object);
    ret_asks[(*ret_count)++] = ask;
}

// What nothing has come of yet rests: others that are newer go first meanwhile, and other workers do not ask the same.
static int write_verdicts(struct provider_news *news, struct db *db, const struct db_rows *rows, const bool *known,
                          const bool *busy, struct ask **ret_asks, size_t *ret_count)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        const char *id = db_string(rows, i, N_ID);
        bool is_nobodys = !known[i] && is_about_money(db_string(rows, i, N_TYPE));
        bool rests = is_nobodys || busy[i];
        if (is_nobodys)
            add_ask(news, id, db_string(rows, i, N_OBJECT), ret_asks, ret_count);
        buffer_text(&text, i ? ",[" : "[[");
        buffer_json_string(&text, id);
        buffer_text(&text, rests ? ",null]" : known[i] ? ",\"asked\"]" : ",\"unknown\"]");
    }
    buffer_text(&text, "]");
    if (text.failed)
        return ERROR_MEMORY;
    return db_write(db,
                    "UPDATE JSON_TABLE(?, '$[*]' COLUMNS (id VARCHAR(255) CHARACTER SET ascii PATH '$[0]',"
                    " verdict VARCHAR(16) CHARACTER SET ascii PATH '$[1]')) AS k"
                    " STRAIGHT_JOIN provider_events e ON e.id = k.id"
                    " SET e.done_at = IF(k.verdict IS NULL, NULL, UTC_TIMESTAMP(6)), e.verdict = k.verdict,"
                    " e.next_look_at = UTC_TIMESTAMP(6) + INTERVAL ? SECOND",
                    (struct db_value[]){db_text(text.data), DB_U(REST_SECONDS)}, 2, NULL);
}

static int take_in_transaction(struct provider_news *news, struct db *db, struct ask **ret_asks, size_t *ret_count)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    struct buffer told CLEANUP(buffer_done) = BUFFER_INIT;
    bool known[NEWS_MAX] = {false}, busy[NEWS_MAX] = {false};
    int result = db_read(db,
                         "SELECT id, type, object FROM provider_events FORCE INDEX (provider_events_waiting)"
                         " WHERE done_at IS NULL AND next_look_at <= UTC_TIMESTAMP(6) ORDER BY next_look_at LIMIT ?"
                         " FOR UPDATE SKIP LOCKED",
                         (struct db_value[]){DB_U(NEWS_MAX)}, 1, NEWS_MAX, &rows);
    if (result || db_rows_count(rows) == 0)
        return result;
    result = write_told(rows, &told);
    if (result == 0)
        result = find_objects(db, told.data, db_rows_count(rows), known, busy);
    if (result == 0)
        result = look_at_objects(db, told.data);
    return result ? result : write_verdicts(news, db, rows, known, busy, ret_asks, ret_count);
}

// What was worked off long ago: the provider sends nothing again after days, and the story of a payment stands in its row.
static int clear_old(struct provider_news *news, struct db *db)
{
    int64_t now_ns = clock_monotonic_ns();
    if (news->cleared_ns && now_ns - news->cleared_ns < CLEAR_NS)
        return 0;
    news->cleared_ns = now_ns;
    return db_write(db,
                    "DELETE FROM provider_events WHERE done_at < UTC_TIMESTAMP(6) - INTERVAL ? DAY ORDER BY done_at"
                    " LIMIT ?",
                    (struct db_value[]){DB_U(KEPT_DAYS), DB_U(CLEARED_MAX)}, 2, NULL);
}

int provider_news_take(struct provider_news *news, struct db *db, struct provider *provider)
{
    struct ask *asks[ASKS_MAX];
    size_t count = 0;
    int result = db_begin(db);
    if (result == 0)
        result = take_in_transaction(news, db, asks, &count);
    if (result == 0)
        result = clear_old(news, db);
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

static int finish(struct db *db, const char *event, const char *verdict)
{
    return db_write(db, "UPDATE provider_events SET done_at = UTC_TIMESTAMP(6), verdict = ? WHERE id = ?",
                    (struct db_value[]){db_text(verdict), db_text(event)}, 2, NULL);
}

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
                    " currency, idempotency_key, intent, next_attempt_at, created_at, changed_at, authorised_at,"
                    " captured_at) SELECT ?, ?, ?, COALESCE(MAX(number), 0) + 1, ?, 'give_back', '', ?, ?, ?, ?,"
                    " UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6),"
                    " IF(?, UTC_TIMESTAMP(6), NULL) FROM payments"
                    " WHERE event_id = ? AND place = ? AND attempt = ?",
                    (struct db_value[]){DB_U(event_id), DB_U(intent->place), DB_U(intent->attempt),
                                        db_text(intent->status == PROVIDER_CAPTURED ? "refunding" : "voiding"),
                                        DB_U(intent->amount), db_text(intent->currency), db_text(key),
                                        db_text(intent->id), DB_U(intent->status == PROVIDER_CAPTURED), DB_U(event_id),
                                        DB_U(intent->place), DB_U(intent->attempt)},
                    12, NULL);
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
