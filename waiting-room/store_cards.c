// SPDX-License-Identifier: Apache-2.0
// Cards that visitors leave on the provider's page: the row is there before the provider hears of it, and has the page's address before the
// visitor has it. What became of the page is found out by a booking worker. No money moves here, so whether somebody may leave a card is
// judged by what is read; only the card's number needs a lock, the arrival's.
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/metrics.h"
#include "common/random.h"
#include "waiting-room/line_store_internal.h"

#define ATTEMPTS 3 // a deadlock or lock time-out undid everything: the same once more

static struct metric pages = METRIC_COUNTER("onsale_card_pages_total",
                                            "Pages for leaving a card on, made by the provider and given to visitors.");

void store_register_card_metrics(void)
{
    metrics_register(&pages);
}

static int lock_arrival(struct line_store *store, const struct line_store_request *request, struct order_rows *rows)
{
    struct db_rows *arrival CLEANUP(db_rows_cleanup) = NULL;
    int error = db_read(store->db,
                        "SELECT left_at IS NOT NULL FROM arrivals WHERE event_id = ? AND number = ? AND visitor = ?"
                        " FOR UPDATE",
                        (struct db_value[]){DB_U(request->event_id), DB_U(request->number),
                                            DB_B(request->visitor, sizeof request->visitor)},
                        3, 1, &arrival);
    rows->arrived = db_rows_count(arrival) > 0;
    rows->left = rows->arrived && db_u64(arrival, 0, 0) != 0;
    return error;
}

// The newest order and what became of it, as far as it matters.
static int read_order(struct line_store *store, const struct line_store_request *request, struct order_rows *rows)
{
    struct db_rows *order CLEANUP(db_rows_cleanup) = NULL;
    int error =
        db_read(store->db,
                "SELECT o.attempt, o.state, b.state FROM orders o LEFT JOIN bookings b ON b.event_id = o.event_id"
                " AND b.place = o.place AND b.attempt = o.attempt"
                " WHERE o.event_id = ? AND o.place = ? ORDER BY o.attempt DESC LIMIT 1",
                (struct db_value[]){DB_U(request->event_id), DB_U(request->number)}, 2, 1, &order);
    if (error < 0 || db_rows_count(order) == 0)
        return error;
    rows->attempt = (uint32_t)db_u64(order, 0, 0);
    rows->booked = !db_is_null(order, 0, 2);
    error = order_state_parse(db_string(order, 0, 1), &rows->order_state);
    if (error == 0 && rows->booked)
        error = order_state_parse(db_string(order, 0, 2), &rows->booking_state);
    return error;
}

static int judge(struct line_store *store, struct line_store_request *request)
{
    struct db_rows *event CLEANUP(db_rows_cleanup) = NULL;
    struct order_rows rows = {0};
    int error = lock_arrival(store, request, &rows);
    if (error == 0)
        error = db_read(store->db, "SELECT state FROM events WHERE id = ?",
                        (struct db_value[]){DB_U(request->event_id)}, 1, 1, &event);
    if (error == 0)
        error = lifecycle_state_parse(db_string(event, 0, 0), &request->state);
    if (error == 0)
        error = read_order(store, request, &rows);
    request->order_verdict = order_decide_card(request->state, &rows, request->card->is_turn_over);
    return error;
}

// A page that was asked for and never came is asked for again: with the same key, so that the provider makes it once.
static int find_asked(struct line_store *store, const struct line_store_request *request, struct line_store_card *card,
                      bool *ret_found)
{
    struct db_rows *newest CLEANUP(db_rows_cleanup) = NULL;
    int error = db_read(store->db,
                        "SELECT number, state = 'asked', idempotency_key FROM cards WHERE event_id = ? AND place = ?"
                        " ORDER BY number DESC LIMIT 1",
                        (struct db_value[]){DB_U(request->event_id), DB_U(request->number)}, 2, 1, &newest);
    *ret_found = db_rows_count(newest) > 0 && db_u64(newest, 0, 1) != 0;
    card->number = db_rows_count(newest) > 0 ? (uint32_t)db_u64(newest, 0, 0) : 0;
    if (*ret_found)
        snprintf(card->key, sizeof card->key, "%s", db_string(newest, 0, 2));
    return error;
}

static int begin(struct line_store *store, struct line_store_request *request)
{
    bool found = false;
    struct line_store_card *card = request->card;
    int error = judge(store, request);
    if (error == 0 && request->order_verdict == ORDER_WRITE)
        error = find_asked(store, request, card, &found);
    if (error < 0 || found || request->order_verdict != ORDER_WRITE)
        return error;
    if (card->number >= LINE_STORE_CARDS_MAX) {
        request->order_verdict = ORDER_TOO_OFTEN;
        return 0;
    }
    card->number++;
    random_name(card->key);
    return db_write(store->db,
                    "INSERT INTO cards (event_id, place, number, visitor, idempotency_key, created_at, changed_at)"
                    " VALUES (?, ?, ?, ?, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
                    (struct db_value[]){DB_U(request->event_id), DB_U(request->number), DB_U(card->number),
                                        DB_B(request->visitor, sizeof request->visitor), db_text(card->key)},
                    5, NULL);
}

// Who asked twice at once has the same page twice; the second changes nothing.
static int open_page(struct line_store *store, const struct line_store_request *request)
{
    const struct line_store_card *card = request->card;
    struct db_written written;
    int error = db_write(store->db,
                         "UPDATE cards SET state = 'open', session = ?, url = ?, changed_at = UTC_TIMESTAMP(6),"
                         " next_attempt_at = UTC_TIMESTAMP(6) + INTERVAL 10 SECOND"
                         " WHERE event_id = ? AND place = ? AND number = ? AND state = 'asked'",
                         (struct db_value[]){db_text(card->session), db_text(card->url), DB_U(request->event_id),
                                             DB_U(request->number), DB_U(card->number)},
                         5, &written);
    if (error == 0)
        metric_add(&pages, (int64_t)written.affected);
    return error;
}

static int spoil(struct line_store *store, const struct line_store_request *request)
{
    return db_write(store->db,
                    "UPDATE cards SET state = 'gone', changed_at = UTC_TIMESTAMP(6)"
                    " WHERE event_id = ? AND place = ? AND number = ? AND state = 'asked'",
                    (struct db_value[]){DB_U(request->event_id), DB_U(request->number), DB_U(request->card->number)}, 3,
                    NULL);
}

static void copy_text(char *ret, size_t bytes, const char *text)
{
    snprintf(ret, bytes, "%s", text ? text : "");
}

static int look(struct line_store *store, struct line_store_request *request)
{
    struct line_store_card *card = request->card;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int error =
        db_read(store->db,
                "SELECT state, url, label, payment_method IS NOT NULL FROM cards WHERE event_id = ? AND place = ?"
                " AND visitor = ? AND state <> 'asked' ORDER BY number DESC",
                (struct db_value[]){DB_U(request->event_id), DB_U(request->number),
                                    DB_B(request->visitor, sizeof request->visitor)},
                3, LINE_STORE_CARDS_MAX, &rows);
    if (error < 0)
        return error;
    copy_text(card->state, sizeof card->state, db_rows_count(rows) > 0 ? db_string(rows, 0, 0) : "none");
    card->url[0] = card->label[0] = '\0';
    if (strcmp(card->state, "open") == 0)
        copy_text(card->url, sizeof card->url, db_string(rows, 0, 1));
    card->is_kept = false;
    for (size_t i = 0; i < db_rows_count(rows) && !card->is_kept; i++) {
        card->is_kept = strcmp(db_string(rows, i, 0), "kept") == 0 && db_u64(rows, i, 3) != 0;
        if (card->is_kept)
            copy_text(card->label, sizeof card->label, db_string(rows, i, 2));
    }
    return 0;
}

// The provider knows already whether there is a card; the payers need not wait for their next look. Once a second and for the newest page
// alone: however often a visitor says so, the provider is asked about little more often.
static int look_now(struct line_store *store, struct line_store_request *request)
{
    struct db_rows *open CLEANUP(db_rows_cleanup) = NULL;
    struct db_written written;
    int error = db_read(store->db,
                        "SELECT number FROM cards WHERE event_id = ? AND place = ? AND visitor = ? AND state = 'open'"
                        " ORDER BY number DESC LIMIT 1",
                        (struct db_value[]){DB_U(request->event_id), DB_U(request->number),
                                            DB_B(request->visitor, sizeof request->visitor)},
                        3, 1, &open);
    if (error < 0 || db_rows_count(open) == 0)
        return error;
    error = db_write(store->db,
                     "UPDATE cards SET next_attempt_at = UTC_TIMESTAMP(6), changed_at = UTC_TIMESTAMP(6)"
                     " WHERE event_id = ? AND place = ? AND number = ? AND state = 'open'"
                     " AND next_attempt_at > UTC_TIMESTAMP(6) AND changed_at < UTC_TIMESTAMP(6) - INTERVAL 1 SECOND",
                     (struct db_value[]){DB_U(request->event_id), DB_U(request->number), DB_U(db_u64(open, 0, 0))}, 3,
                     &written);
    if (error == 0)
        request->is_bell_due = written.affected > 0;
    return error;
}

static int come_back(struct line_store *store, struct line_store_request *request)
{
    int error = look_now(store, request);
    return error == 0 ? look(store, request) : error;
}

static int work_on_request(struct line_store *store, struct line_store_request *request)
{
    request->order_verdict = ORDER_WRITE;
    request->is_bell_due = false;
    switch (request->kind) {
    case LINE_STORE_CARD_BEGIN:
        return begin(store, request);
    case LINE_STORE_CARD_OPEN:
        return open_page(store, request);
    case LINE_STORE_CARD_SPOIL:
        return spoil(store, request);
    case LINE_STORE_CARD_BACK:
        return come_back(store, request);
    default:
        return look(store, request);
    }
}

static int try_once(struct line_store *store, struct line_store_request **requests, size_t count)
{
    int error = db_write(store->db, "START TRANSACTION", NULL, 0, NULL);
    for (size_t i = 0; i < count && error == 0; i++)
        error = work_on_request(store, requests[i]);
    if (error == 0)
        error = db_write(store->db, "COMMIT", NULL, 0, NULL);
    if (error < 0)
        store_roll_back(store);
    return error;
}

void store_cards(struct line_store *store, struct line_store_request **requests, size_t count)
{
    store_sort(requests, count);
    int error = ERROR_TRANSIENT;
    for (int attempt = 0; attempt < ATTEMPTS && error == ERROR_TRANSIENT && db_is_connected(store->db); attempt++)
        error = try_once(store, requests, count);
    if (error < 0) {
        store_fail(store, requests, count, "cards_failed", error);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        enum order_verdict verdict = requests[i]->order_verdict;
        requests[i]->error = verdict == ORDER_WRITE        ? 0
                             : verdict == ORDER_NO_ARRIVAL ? ERROR_NOT_FOUND
                                                           : ERROR_CONFLICT;
        requests[i]->retry_after_seconds = STORE_RETRY_AFTER_SECONDS;
    }
}
