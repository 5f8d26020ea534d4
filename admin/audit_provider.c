// SPDX-License-Identifier: Apache-2.0
#include "admin/audit_provider.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/audit_intent_rules.h"
#include "admin/audit_pages.h"
#include "common/provider.h"

#define PAGES_MAX 100000 // ten million intents
#define DOUBTS_MAX 1000 // that are looked at once more
#define LOOKS_MAX 3 // at one of them, while its row moves
#define TRIES_MAX 4 // of one call that was certainly not done, or without an answer
#define RETRY_MS 1000
#define RETRY_MS_MAX 10000
#define PATIENCE_MS 3000
#define BEFORE_SECONDS 86400 // of the first payment: the clocks may differ
#define NUMBERS 256
#define KEY "attempt * 256 + number"

struct row {
    struct audit_intent_row is;
    char *intent; // NULL: not known yet
    uint64_t place, key, claim;
    int64_t changed_us;
    bool is_listed;
};

struct compare {
    struct audit *audit;
    const char *slug;
    struct provider *provider;
    struct row *rows; // by place and key
    size_t count, capacity;
    struct row **by_intent; // those that have one
    size_t by_intent_count;
    struct doubt {
        char intent[PROVIDER_ID_BYTES];
        uint64_t place, key;
        char why[AUDIT_WHY_BYTES]; // at the first look
    } * doubts;
    size_t doubt_count;
    uint64_t more_doubts;
    bool needs_patience; // one of them may be told by the provider just now
    bool has_failed; // a payment that could not be captured or given back: the sums need not agree
    char problem[AUDIT_WHY_BYTES];
};

// ---------------------------------------------------------------- our rows

#define COLUMNS "place, " KEY ", state, amount, currency, intent, claim, changed_at, refund IS NOT NULL"
enum { P_PLACE, P_KEY, P_STATE, P_AMOUNT, P_CURRENCY, P_INTENT, P_CLAIM, P_CHANGED_AT, P_HAS_REFUND };

// ERROR_INVALID: its state is none, which check 6 has told.
static int read_row(const struct db_rows *rows, size_t at, struct row *ret)
{
    const char *intent = db_string(rows, at, P_INTENT);
    struct row row = {.place = db_u64(rows, at, P_PLACE),
                      .key = db_u64(rows, at, P_KEY),
                      .claim = db_u64(rows, at, P_CLAIM),
                      .changed_us = db_time_us(rows, at, P_CHANGED_AT),
                      .is = {.has_intent = intent != NULL,
                             .has_refund = db_u64(rows, at, P_HAS_REFUND) != 0,
                             .amount = db_u64(rows, at, P_AMOUNT)}};
    snprintf(row.is.currency, sizeof(row.is.currency), "%s", db_string(rows, at, P_CURRENCY));
    if (payment_state_parse(db_string(rows, at, P_STATE), &row.is.state) < 0)
        return ERROR_INVALID;
    if (intent && !(row.intent = strdup(intent)))
        return ERROR_MEMORY;
    *ret = row;
    return 0;
}

static int add_row(struct compare *compare, const struct db_rows *rows, size_t at)
{
    if (compare->count == compare->capacity) {
        const size_t capacity = compare->capacity ? 2 * compare->capacity : 1024;
        struct row *grown = realloc(compare->rows, capacity * sizeof(*grown));
        if (!grown)
            return ERROR_MEMORY;
        compare->rows = grown;
        compare->capacity = capacity;
    }
    int r = read_row(rows, at, &compare->rows[compare->count]);
    if (r == 0)
        compare->has_failed = compare->has_failed || compare->rows[compare->count++].is.state == PAYMENT_FAILED;
    return r == ERROR_INVALID ? 0 : r;
}

static int by_intent(const void *a, const void *b)
{
    return strcmp((*(struct row *const *)a)->intent, (*(struct row *const *)b)->intent);
}

static int index_rows(struct compare *compare)
{
    compare->by_intent = calloc(compare->count + 1, sizeof(struct row *));
    if (!compare->by_intent)
        return ERROR_MEMORY;
    for (size_t i = 0; i < compare->count; i++)
        if (compare->rows[i].intent)
            compare->by_intent[compare->by_intent_count++] = &compare->rows[i];
    qsort(compare->by_intent, compare->by_intent_count, sizeof(struct row *), by_intent);
    return 0;
}

static int read_rows(struct compare *compare)
{
    struct audit_pages pages = {.has_attempt = true,
                                .sql = "SELECT " COLUMNS
                                       " FROM payments FORCE INDEX (PRIMARY) WHERE event_id = ? AND place >= ? AND NOT "
                                       "(place = ? AND " KEY " <= ?) ORDER BY place, attempt, number LIMIT ?"};
    bool is_there = true;
    int r = 0;
    while (r == 0 && is_there) {
        r = audit_pages_look(compare->audit->db, compare->audit->event_id, &pages, &is_there);
        if (r == 0 && is_there) {
            r = add_row(compare, pages.rows, pages.row);
            audit_pages_take(&pages);
        }
    }
    audit_pages_done(&pages);
    return r < 0 ? r : index_rows(compare);
}

static int compare_keys(const void *a, const void *b)
{
    const struct row *left = a, *right = b;
    if (left->place != right->place)
        return left->place < right->place ? -1 : 1;
    return (left->key > right->key) - (left->key < right->key);
}

// By its id; an id that is not known here may belong to a row that is still to be told.
static struct row *find_row(struct compare *compare, const struct provider_intent *intent)
{
    struct row wanted = {.place = intent->place, .key = intent->attempt * UINT64_C(256) + intent->number};
    char id[PROVIDER_ID_BYTES];
    memcpy(id, intent->id, sizeof(id));
    wanted.intent = id;
    struct row *key = &wanted;
    struct row **found = compare->by_intent_count ? bsearch(&key, compare->by_intent, compare->by_intent_count,
                                                            sizeof(struct row *), by_intent)
                                                  : NULL;
    if (found)
        return *found;
    if (!compare->count || intent->number >= NUMBERS)
        return NULL;
    return bsearch(&wanted, compare->rows, compare->count, sizeof(struct row), compare_keys);
}

// ---------------------------------------------------------------- asking

// What is certainly not done, or was not answered, is asked again a few times. False: `problem` says why it cannot be asked.
static bool ask(struct compare *compare, const struct provider_request *request, struct provider_answer *ret)
{
    for (int tries = 1;; tries++) {
        int r = provider_call(compare->provider, request, ret);
        if (r < 0) {
            snprintf(compare->problem, sizeof(compare->problem), "%s", error_str(r));
            return false;
        }
        if (ret->result == PROVIDER_DONE || (ret->result == PROVIDER_REFUSED && request->call == PROVIDER_ASK))
            return true;
        const bool may_try = ret->result == PROVIDER_BUSY || ret->result == PROVIDER_UNKNOWN;
        if (!may_try || tries == TRIES_MAX || (ret->http_status == 0 && tries > 1)) {
            snprintf(compare->problem, sizeof(compare->problem), "the provider's answer is %s%s%.40s%s%.100s",
                     provider_result_name(ret->result), *ret->code ? ", " : "", ret->code, *ret->detail ? ": " : "",
                     ret->detail);
            return false;
        }
        const int64_t wait_ms = ret->retry_after_ms > 0 ? ret->retry_after_ms : RETRY_MS;
        (void)poll(NULL, 0, (int)(wait_ms < RETRY_MS_MAX ? wait_ms : RETRY_MS_MAX));
    }
}

static void doubt(struct compare *compare, const char *intent, uint64_t place, uint64_t key, const char *why)
{
    if (compare->doubt_count == DOUBTS_MAX) {
        compare->more_doubts++;
        return;
    }
    struct doubt *to = &compare->doubts[compare->doubt_count++];
    snprintf(to->intent, sizeof(to->intent), "%s", intent);
    snprintf(to->why, sizeof(to->why), "%s", why);
    to->place = place;
    to->key = key;
}

static bool agrees(const struct row *row, const struct provider_intent *intent, char why[static AUDIT_WHY_BYTES])
{
    if (row && row->intent && strcmp(row->intent, intent->id) != 0) {
        if (audit_intent_is_harmless(intent))
            return true; // an answer to `create` that never came: the next one made another, which is the one that counts
        snprintf(why, AUDIT_WHY_BYTES, "the provider has a second intent of it, %s, %" PRIu64 " %s",
                 provider_status_name(intent->status), intent->amount, intent->currency);
        return false;
    }
    return audit_intent_agrees(row ? &row->is : NULL, intent, why, AUDIT_WHY_BYTES);
}

static void look_at(struct compare *compare, const struct provider_intent *intent)
{
    char why[AUDIT_WHY_BYTES];
    struct row *row = find_row(compare, intent);
    struct audit_money *money = audit_money(compare->audit, intent->currency);
    compare->audit->provider.intents++;
    if (money) {
        money->captured += intent->captured_amount;
        // What was only reserved and let go counts as given back with Stripe.
        money->refunded += intent->captured_amount ? intent->refunded_amount : 0;
    }
    // A row knows better whose it is: what was found at the provider has a number of its own.
    const bool is_its = row && row->intent && strcmp(row->intent, intent->id) == 0;
    if (is_its)
        row->is_listed = true;
    if (!agrees(row, intent, why)) {
        compare->needs_patience = compare->needs_patience || (row && row->is.state == PAYMENT_REFUNDING);
        doubt(compare, intent->id, is_its ? row->place : intent->place,
              is_its ? row->key : intent->attempt * UINT64_C(256) + intent->number, why);
    }
}

static bool list(struct compare *compare, int64_t since)
{
    char after[PROVIDER_ID_BYTES] = "";
    struct provider_answer answer;
    for (size_t page = 0; page < PAGES_MAX; page++) {
        const struct provider_request request = {
            .call = PROVIDER_LIST, .created_since = since, .after = *after ? after : NULL};
        if (!ask(compare, &request, &answer))
            return false;
        for (size_t i = 0; i < answer.intent_count; i++)
            if (strcmp(answer.intents[i].slug, compare->slug) == 0)
                look_at(compare, &answer.intents[i]);
        if (!answer.has_more || answer.intent_count == 0)
            return true;
        memcpy(after, answer.intents[answer.intent_count - 1].id, sizeof(after));
    }
    snprintf(compare->problem, sizeof(compare->problem), "its list is longer than %d pages", PAGES_MAX);
    return false;
}

static void look_for_the_rest(struct compare *compare)
{
    for (size_t i = 0; i < compare->count; i++) {
        const struct row *row = &compare->rows[i];
        if (row->is_listed || (!row->intent && !audit_intent_must_be_there(row->is.state)))
            continue;
        if (row->intent)
            doubt(compare, row->intent, row->place, row->key, "the provider does not list it");
    }
}

// ---------------------------------------------------------------- once more

// By its id, as whatever it goes; else the one that it says it is for.
static int read_again(struct compare *compare, const struct doubt *doubt, struct row *ret, bool *ret_is_there)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    const struct db_value event = DB_U(compare->audit->event_id);
    *ret_is_there = false;
    int r = db_read(compare->audit->db, "SELECT " COLUMNS " FROM payments WHERE intent = ? AND event_id = ?",
                    (struct db_value[]){db_text(doubt->intent), event}, 2, 1, &rows);
    if (r == 0 && db_rows_count(rows) == 0) {
        db_rows_free(rows);
        rows = NULL;
        r = db_read(
            compare->audit->db,
            "SELECT " COLUMNS " FROM payments WHERE event_id = ? AND place = ? AND attempt = ? AND number = ?",
            (struct db_value[]){event, DB_U(doubt->place), DB_U(doubt->key / NUMBERS), DB_U(doubt->key % NUMBERS)}, 4,
            1, &rows);
    }
    if (r < 0 || db_rows_count(rows) == 0)
        return r;
    r = read_row(rows, 0, ret);
    *ret_is_there = r == 0;
    return r == ERROR_INVALID ? 0 : r;
}

static bool is_as_before(const struct row *a, bool has_a, const struct row *b, bool has_b)
{
    return has_a == has_b && (!has_a || (a->key == b->key && a->claim == b->claim && a->changed_us == b->changed_us &&
                                         a->is.state == b->is.state && a->is.has_intent == b->is.has_intent));
}

// Asks between two looks at the row: only where those are alike the answer can be held against it. *ret_moved: it was not.
static int look_again(struct compare *compare, const struct doubt *doubt, bool *ret_moved,
                      char why[static AUDIT_WHY_BYTES], bool *ret_agrees)
{
    struct provider_answer answer;
    struct row before = {0}, after = {0};
    bool was_there = false, is_there = false;
    int r = read_again(compare, doubt, &before, &was_there);
    const struct provider_request request = {.call = PROVIDER_ASK, .intent = doubt->intent};
    if (r == 0 && !ask(compare, &request, &answer))
        r = ERROR_NOT_FOUND;
    if (r == 0)
        r = read_again(compare, doubt, &after, &is_there);
    if (r == 0) {
        *ret_moved = !is_as_before(&before, was_there, &after, is_there);
        if (answer.result == PROVIDER_REFUSED) {
            *ret_agrees = false;
            snprintf(why, AUDIT_WHY_BYTES, "the provider knows of no such payment");
        } else {
            *ret_agrees = agrees(is_there ? &after : NULL, &answer.intent, why);
        }
    }
    free(before.intent);
    free(after.intent);
    return r;
}

static void break_of(struct compare *compare, const struct doubt *doubt, const char *why)
{
    const uint64_t attempt = doubt->key / NUMBERS;
    char text[32] = "";
    if (attempt > 1)
        snprintf(text, sizeof(text), ", attempt %" PRIu64, attempt);
    audit_violation(compare->audit, AUDIT_PAYMENTS, "place %" PRIu64 "%s: payment %" PRIu64 " (%.40s): %s",
                    doubt->place, text, doubt->key % NUMBERS, doubt->intent, why);
}

// ERROR_NOT_FOUND: the provider cannot be asked any more; else db.h's.
static int settle_doubts(struct compare *compare)
{
    char why[AUDIT_WHY_BYTES];
    if (compare->needs_patience) // a refund fails at its bank, not by a step of ours: the payer has to hear of it first
        (void)poll(NULL, 0, PATIENCE_MS);
    int r = db_ensure(compare->audit->db); // the list may have taken long
    for (size_t i = 0; i < compare->doubt_count && r == 0; i++) {
        const struct doubt *doubt = &compare->doubts[i];
        bool moved = true, fine = false;
        for (int look = 0; look < LOOKS_MAX && moved && r == 0; look++)
            r = look_again(compare, doubt, &moved, why, &fine);
        // What moves all the time is under way, and at its end another audit sees it.
        if (r == 0 && !fine && !moved)
            break_of(compare, doubt, why);
    }
    if (compare->more_doubts)
        audit_violation(compare->audit, AUDIT_PAYMENTS,
                        "%" PRIu64 " more payments do not agree with the provider, and were not looked at once more",
                        compare->more_doubts);
    return r;
}

// ---------------------------------------------------------------- the sums

// The last word: all that the provider has taken and not given back is what the confirmed bookings cost. Only where nothing is on its way.
static void check_sums(struct compare *compare)
{
    struct audit *audit = compare->audit;
    uint64_t under_way = compare->doubt_count + audit->payments_waiting + compare->has_failed;
    for (size_t i = 0; i < compare->count; i++)
        under_way += !payment_is_end(compare->rows[i].is.state);
    for (size_t i = 0; i < audit->provider.money_count && !under_way; i++) {
        const struct audit_money *money = &audit->provider.money[i];
        uint64_t captured = 0;
        for (size_t k = 0; k < compare->count; k++)
            if (compare->rows[k].is.state == PAYMENT_CAPTURED &&
                strcmp(compare->rows[k].is.currency, money->currency) == 0)
                captured += compare->rows[k].is.amount;
        // Other rows than those of the snapshot: bookings were paid or given back meanwhile.
        if (captured == money->booked && money->captured - money->refunded != money->booked)
            audit_violation(audit, AUDIT_PAYMENTS,
                            "the provider has taken %" PRIu64 " and given back %" PRIu64
                            " %s, and what was paid for costs %" PRIu64,
                            money->captured, money->refunded, money->currency, money->booked);
    }
}

// ---------------------------------------------------------------- from begin to end

static int find_since(struct audit *audit, int64_t *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int64_t first_us = audit->first_payment_us;
    int r = 0;
    if (first_us == INT64_MIN) {
        r = db_read(audit->db, "SELECT COALESCE(MIN(at), UTC_TIMESTAMP(6)) FROM event_log WHERE event_id = ?",
                    (struct db_value[]){DB_U(audit->event_id)}, 1, 1, &rows);
        first_us = r == 0 ? db_time_us(rows, 0, 0) : 0;
    }
    *ret = first_us / 1000000 - BEFORE_SECONDS;
    if (*ret < 0)
        *ret = 0;
    return r;
}

static int compare_all(struct compare *compare)
{
    struct audit *audit = compare->audit;
    int64_t since = 0;
    int r = find_since(audit, &since);
    if (r == 0)
        r = read_rows(compare);
    if (r < 0)
        return r;
    if (!list(compare, since))
        return ERROR_NOT_FOUND;
    look_for_the_rest(compare);
    r = settle_doubts(compare);
    if (r == 0)
        check_sums(compare);
    return r;
}

static void compare_done(struct compare *compare)
{
    provider_close(compare->provider);
    for (size_t i = 0; i < compare->count; i++)
        free(compare->rows[i].intent);
    free(compare->rows);
    free(compare->by_intent);
    free(compare->doubts);
}

int audit_provider(struct audit *audit, const char *slug, const struct common_config *config)
{
    struct compare compare = {.audit = audit, .slug = slug};
    compare.doubts = calloc(DOUBTS_MAX, sizeof(*compare.doubts));
    int r = compare.doubts ? 0 : ERROR_MEMORY;
    if (r == 0 && provider_open(config, &compare.provider, compare.problem, sizeof(compare.problem)) < 0)
        r = ERROR_NOT_FOUND;
    if (r == 0)
        r = compare_all(&compare);
    if (r == ERROR_NOT_FOUND) {
        snprintf(audit->provider.why, sizeof(audit->provider.why), "%s", compare.problem);
        audit_violation(audit, AUDIT_PAYMENTS, "could not be compared with the provider: %s", compare.problem);
        r = 0;
    } else if (r == 0) {
        audit->provider.is_compared = true;
    }
    compare_done(&compare);
    return r;
}
