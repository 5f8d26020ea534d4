// SPDX-License-Identifier: Apache-2.0
// See card_desk.h. A page is asked about ten seconds after it was opened and then again and again, more seldom with time; a visitor who comes
// back, or the provider's word, has it asked about at once.
#include "booking-worker/card_desk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "booking-worker/store_internal.h"
#include "common/log.h"

#define ASKS_MAX 32 // under way at once
#define LEASE_SECONDS 60
#define OFTEN 30 // looks, ten seconds apart
#define OFTEN_SECONDS 10
#define SELDOM_SECONDS 300

struct ask {
    uint64_t event_id, place;
    uint32_t number, tries;
    char session[PROVIDER_ID_BYTES];
    enum { ASK_FREE, ASK_FLYING, ASK_ANSWERED } state;
    struct provider_answer answer;
};

struct card_desk {
    struct ask asks[ASKS_MAX];
};

int card_desk_new(struct card_desk **ret)
{
    *ret = calloc(1, sizeof(**ret));
    return *ret ? 0 : ERROR_MEMORY;
}

void card_desk_free(struct card_desk *desk)
{
    free(desk);
}

static void on_answer(void *context, const struct provider_answer *answer)
{
    struct ask *ask = context;
    ask->answer = *answer;
    ask->state = ASK_ANSWERED;
}

static struct ask *find_free(struct card_desk *desk)
{
    for (size_t i = 0; i < ASKS_MAX; i++)
        if (desk->asks[i].state == ASK_FREE)
            return &desk->asks[i];
    return NULL;
}

static int read_ask(const struct db_rows *rows, size_t row, struct ask *ret)
{
    *ret = (struct ask){
        .event_id = db_u64(rows, row, 0),
        .place = db_u64(rows, row, 1),
        .number = (uint32_t)db_u64(rows, row, 2),
        .tries = (uint32_t)db_u64(rows, row, 3),
    };
    return store_copy_text(db_string(rows, row, 4), sizeof(ret->session), ret->session);
}

static int lease(struct db *db, const struct ask *ask)
{
    return db_write(db,
                    "UPDATE cards SET tries = tries + 1, next_attempt_at = UTC_TIMESTAMP(6) + INTERVAL ? SECOND"
                    " WHERE event_id = ? AND place = ? AND number = ?",
                    (struct db_value[]){DB_U(LEASE_SECONDS), DB_U(ask->event_id), DB_U(ask->place), DB_U(ask->number)},
                    4, NULL);
}

static int take_in_transaction(struct card_desk *desk, struct db *db, size_t room, struct ask **ret_taken,
                               size_t *ret_count)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db,
                         "SELECT event_id, place, number, tries, session FROM cards FORCE INDEX (cards_due)"
                         " WHERE next_attempt_at <= UTC_TIMESTAMP(6) AND state = 'open' AND session IS NOT NULL"
                         " ORDER BY next_attempt_at LIMIT ? FOR UPDATE SKIP LOCKED",
                         (struct db_value[]){DB_U(room)}, 1, room, &rows);
    for (size_t i = 0; i < db_rows_count(rows) && result == 0; i++) {
        struct ask *ask = find_free(desk);
        result = ask ? read_ask(rows, i, ask) : ERROR_BUG;
        if (result)
            break;
        ask->state = ASK_FLYING;
        ret_taken[(*ret_count)++] = ask;
        result = lease(db, ask);
    }
    return result;
}

int card_desk_take(struct card_desk *desk, struct db *db, struct provider *provider, size_t max, size_t *ret_asked)
{
    struct ask *taken[ASKS_MAX];
    size_t room = 0, count = 0;
    for (size_t i = 0; i < ASKS_MAX && room < max; i++)
        room += desk->asks[i].state == ASK_FREE;
    if (room == 0)
        return 0;
    int result = db_begin(db);
    if (result == 0)
        result = take_in_transaction(desk, db, room, taken, &count);
    if (result == 0)
        result = db_commit(db);
    if (result)
        db_rollback(db);
    for (size_t i = 0; i < count; i++) {
        const struct provider_request request = {.call = PROVIDER_CARD_ASK, .session = taken[i]->session};
        if (result || provider_begin(provider, &request, on_answer, taken[i]))
            taken[i]->state = ASK_FREE; // it is due again when its lease is over
        else
            (*ret_asked)++;
    }
    return result;
}

// Nothing definite yet.
static int ask_again(struct db *db, const struct ask *ask)
{
    int64_t seconds = ask->tries < OFTEN ? OFTEN_SECONDS : SELDOM_SECONDS;
    return db_write(db,
                    "UPDATE cards SET next_attempt_at = UTC_TIMESTAMP(6) + INTERVAL ? SECOND"
                    " WHERE event_id = ? AND place = ? AND number = ? AND state = 'open'",
                    (struct db_value[]){DB_I(seconds), DB_U(ask->event_id), DB_U(ask->place), DB_U(ask->number)}, 4,
                    NULL);
}

static int settle_one(struct db *db, const struct ask *ask)
{
    const struct provider_answer *answer = &ask->answer;
    bool is_known = answer->result == PROVIDER_DONE;
    bool is_kept = is_known && answer->card.state == PROVIDER_CARD_KEPT && answer->card.payment_method[0];
    bool is_gone = answer->result == PROVIDER_REFUSED || (is_known && answer->card.state == PROVIDER_CARD_GONE);
    if (!is_kept && !is_gone)
        return ask_again(db, ask);
    int result = db_write(
        db,
        "UPDATE cards SET state = ?, payment_method = ?, customer_id = ?, label = ?,"
        " next_attempt_at = NULL, changed_at = UTC_TIMESTAMP(6)"
        " WHERE event_id = ? AND place = ? AND number = ? AND state = 'open'",
        (struct db_value[]){db_text(is_kept ? "kept" : "gone"), db_text(is_kept ? answer->card.payment_method : NULL),
                            db_text(is_kept && answer->card.customer[0] ? answer->card.customer : NULL),
                            db_text(is_kept && answer->card.label[0] ? answer->card.label : NULL), DB_U(ask->event_id),
                            DB_U(ask->place), DB_U(ask->number)},
        7, NULL);
    if (result == 0)
        log_info(is_kept ? "card_kept" : "card_page_gone", LOG_U("event_id", ask->event_id), LOG_U("place", ask->place),
                 LOG_U("card", ask->number));
    return result;
}

int card_desk_settle(struct card_desk *desk, struct db *db)
{
    int result = 0;
    for (size_t i = 0; i < ASKS_MAX && result == 0; i++) {
        struct ask *ask = &desk->asks[i];
        if (ask->state != ASK_ANSWERED)
            continue;
        result = settle_one(db, ask);
        if (result == 0)
            ask->state = ASK_FREE;
    }
    return result;
}
