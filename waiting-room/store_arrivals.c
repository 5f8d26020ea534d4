// SPDX-License-Identifier: Apache-2.0
// Arrivals that exist: looking them up in batches, and noting when turns began.
#include <string.h>

#include "common/log.h"
#include "waiting-room/line_store_internal.h"

// The event as the database has it now, with the clock that judges turns.
struct arrivals_event {
    struct line_event rules;
    uint64_t last;
    int64_t now_us;
};

static int read_event(struct line_store *store, uint32_t event_id, struct arrivals_event *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int error = db_read(store->db,
                        "SELECT e.state, e.lobby_size IS NOT NULL, e.turn_seconds, e.absent_seconds, e.stopped_us,"
                        " e.stopped_at, s.served, c.last, UTC_TIMESTAMP(6) FROM events e"
                        " JOIN line_served s ON s.event_id = e.id JOIN line_counters c ON c.event_id = e.id"
                        " WHERE e.id = ?",
                        (struct db_value[]){DB_U(event_id)}, 1, 1, &rows);
    if (error < 0)
        return error;
    if (db_rows_count(rows) == 0)
        return ERROR_NOT_FOUND;
    struct arrivals_event event = {
        .rules = {.opened = db_i64(rows, 0, 1) != 0,
                  .turn_us = db_i64(rows, 0, 2) * 1000000,
                  .absent_us = db_i64(rows, 0, 3) * 1000000,
                  .stopped_us = db_i64(rows, 0, 4),
                  .stopped_at_us = db_is_null(rows, 0, 5) ? SNAPSHOT_NO_TIME : db_time_us(rows, 0, 5),
                  .served = db_u64(rows, 0, 6)},
        .last = db_u64(rows, 0, 7),
        .now_us = db_time_us(rows, 0, 8),
    };
    error = lifecycle_state_parse(db_string(rows, 0, 0), &event.rules.state);
    if (error == 0)
        *ret = event;
    return error;
}

static int read_arrivals(struct line_store *store, uint32_t event_id, struct line_store_request **requests,
                         size_t count, struct db_rows **ret)
{
    struct buffer numbers CLEANUP(buffer_done) = BUFFER_INIT;
    size_t distinct = store_numbers(requests, count, &numbers);
    if (numbers.failed)
        return ERROR_MEMORY;
    return db_read(store->db,
                   "SELECT a.number, a.visitor, a.left_at IS NOT NULL, t.began_at, t.stopped_us"
                   " FROM JSON_TABLE(?, '$[*]' COLUMNS (number BIGINT UNSIGNED PATH '$')) AS asked"
                   " JOIN arrivals a ON a.event_id = ? AND a.number = asked.number"
                   " LEFT JOIN turns t ON t.event_id = a.event_id AND t.place = a.number ORDER BY a.number",
                   (struct db_value[]){db_text(numbers.data), DB_U(event_id)}, 2, distinct, ret);
}

// Some rows of served_log, in the order of places. Numbers are asked for in rising order, so a page read for one of them
// serves those behind it. (A subquery per number in the statement above would walk the log from its beginning each time.)
struct steps {
    struct line_store *store;
    uint32_t event_id;
    struct db_rows *rows;
    size_t row;
};

// When a place was let in: the first step that reached it. ERROR_NOT_FOUND: none has.
static int find_step(struct steps *steps, uint64_t number, int64_t *ret_at_us, int64_t *ret_stopped_us)
{
    while (steps->rows && steps->row < db_rows_count(steps->rows) && db_u64(steps->rows, steps->row, 0) < number)
        steps->row++;
    if (!steps->rows || steps->row == db_rows_count(steps->rows)) {
        db_rows_free(steps->rows);
        steps->rows = NULL;
        steps->row = 0;
        int error = db_read(steps->store->db,
                            "SELECT served, at, stopped_us FROM served_log WHERE event_id = ? AND served >= ?"
                            " ORDER BY served LIMIT 64",
                            (struct db_value[]){DB_U(steps->event_id), DB_U(number)}, 2, 64, &steps->rows);
        if (error < 0)
            return error;
        if (db_rows_count(steps->rows) == 0)
            return ERROR_NOT_FOUND;
    }
    *ret_at_us = db_time_us(steps->rows, steps->row, 1);
    *ret_stopped_us = db_i64(steps->rows, steps->row, 2);
    return 0;
}

// Fills one answer from its row. *ret_began says whether a turn has to be noted; then `turn` has its began_at and
// stopped_us.
static int judge(const struct arrivals_event *event, const struct db_rows *rows, size_t row, struct steps *steps,
                 struct line_store_request *request, bool *ret_began)
{
    size_t bytes = 0;
    *ret_began = false;
    const void *visitor = db_bytes(rows, row, 1, &bytes);
    if (!visitor || bytes != sizeof request->visitor || memcmp(visitor, request->visitor, bytes) != 0)
        return 0; // somebody else's number: the answer stays "not found"
    request->error = 0;
    request->facts.left = db_i64(rows, row, 2) != 0;
    if (!db_is_null(rows, row, 3)) {
        request->facts.turn = LINE_TURN_BEGAN;
        request->facts.turn_began_us = db_time_us(rows, row, 3);
        request->facts.turn_stopped_us = db_i64(rows, row, 4);
        return 0;
    }
    bool in_line = event->rules.opened && !request->facts.left && event->rules.state != LIFECYCLE_CLOSED &&
                   event->rules.state != LIFECYCLE_SOLD_OUT;
    if (!in_line || request->number > event->rules.served)
        return 0;
    int64_t let_in_us, let_in_stopped_us;
    int error = find_step(steps, request->number, &let_in_us, &let_in_stopped_us);
    if (error < 0)
        return error == ERROR_NOT_FOUND ? 0 : error; // a log with a hole is the audit's to find, not this visitor's
    if (request->kind == LINE_STORE_LET_IN) {
        request->facts.turn_began_us = let_in_us;
        request->facts.turn_stopped_us = let_in_stopped_us;
    } else if (line_may_come_back(&event->rules, let_in_us, let_in_stopped_us, event->now_us)) {
        request->facts.turn_began_us = event->now_us;
        request->facts.turn_stopped_us = line_stopped_us(&event->rules, event->now_us);
    } else {
        request->facts.turn = LINE_TURN_MISSED;
        return 0;
    }
    request->facts.turn = LINE_TURN_BEGAN;
    *ret_began = true;
    return 0;
}

static int note_turns(struct line_store *store, uint32_t event_id, struct line_store_request **began, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct db_value *row = store->values + i * 5;
        row[0] = DB_U(event_id);
        row[1] = DB_U(began[i]->number);
        row[2] = DB_T(began[i]->facts.turn_began_us);
        row[3] = DB_I(began[i]->facts.turn_stopped_us);
        row[4] = DB_U(began[i]->kind == LINE_STORE_LOOK_UP);
    }
    // A row that is there already was written by another waiting room a moment ago, and wins.
    return db_write_many(store->db,
                         "INSERT IGNORE INTO turns (event_id, place, began_at, stopped_us, came_back) VALUES ",
                         "(?, ?, ?, ?, ?)", "", store->values, 5, count);
}

// One pass over the batch. *ret_began counts turns that were noted just now.
static int look_up_once(struct line_store *store, struct line_store_request **requests, size_t count, size_t *ret_began)
{
    static _Thread_local struct line_store_request *began[STORE_BATCH_MAX];
    uint32_t event_id = requests[0]->event_id;
    struct arrivals_event event;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    // `served` first: whoever it has let in then finds the step in served_log.
    int error = read_event(store, event_id, &event);
    if (error == 0)
        error = read_arrivals(store, event_id, requests, count, &rows);
    if (error < 0)
        return error;
    struct steps steps = {.store = store, .event_id = event_id};
    size_t row = 0, row_count = db_rows_count(rows), began_count = 0;
    for (size_t i = 0; i < count && error == 0; i++) {
        struct line_store_request *request = requests[i];
        request->error = ERROR_NOT_FOUND;
        request->facts = (struct line_facts){.number = request->number};
        request->has_line = true;
        request->served = event.rules.served;
        request->last = event.last;
        while (row < row_count && db_u64(rows, row, 0) < request->number)
            row++;
        bool began_now = false;
        if (row < row_count && db_u64(rows, row, 0) == request->number)
            error = judge(&event, rows, row, &steps, request, &began_now);
        if (began_now)
            began[began_count++] = request;
    }
    db_rows_free(steps.rows);
    if (error == 0 && began_count > 0)
        error = note_turns(store, event_id, began, began_count);
    *ret_began = began_count;
    return error;
}

void store_look_up(struct line_store *store, struct line_store_request **requests, size_t count)
{
    size_t began = 0;
    store_sort(requests, count);
    int error = look_up_once(store, requests, count, &began);
    if (error == 0 && began > 0) // what stands in the table counts, whoever wrote it
        error = look_up_once(store, requests, count, &began);
    if (error == 0)
        error = store_read_orders(store, requests, count);
    if (error < 0)
        store_fail(store, requests, count, "arrivals_failed", error);
}
