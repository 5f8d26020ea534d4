// SPDX-License-Identifier: Apache-2.0
// The table of states and actions, and the one transaction that carries an action out. Everything that changes an
// event's state by an operator's or the timetable's will goes through lifecycle_apply(), so the rules stand here alone.
#include "common/lifecycle.h"

#include <stddef.h>
#include <string.h>

// How often a transaction that the server gave up (deadlock, lock wait) is tried again before the caller hears of it.
#define ATTEMPTS_MAX 3

static const char *const state_names[LIFECYCLE_STATE_COUNT] = {
    [LIFECYCLE_DRAFT] = "draft",   [LIFECYCLE_LOBBY] = "lobby",     [LIFECYCLE_OPEN] = "open",
    [LIFECYCLE_PAUSED] = "paused", [LIFECYCLE_STOPPED] = "stopped", [LIFECYCLE_SOLD_OUT] = "sold_out",
    [LIFECYCLE_CLOSED] = "closed",
};

static const char *const action_names[LIFECYCLE_ACTION_COUNT] = {
    [LIFECYCLE_DO_LOBBY] = "lobby",   [LIFECYCLE_DO_OPEN] = "open",         [LIFECYCLE_DO_PAUSE] = "pause",
    [LIFECYCLE_DO_RESUME] = "resume", [LIFECYCLE_DO_STOP] = "stop",         [LIFECYCLE_DO_START] = "start",
    [LIFECYCLE_DO_CLOSE] = "close",   [LIFECYCLE_DO_SELL_OUT] = "sell_out", [LIFECYCLE_DO_SELL_AGAIN] = "sell_again",
};

// Where each action leads from each state. Zero would be a state, so every cell is written as its state plus one and an
// empty cell is an impossible action.
//
// - `open` does not end a pause or a stop: who paused or stopped an event must say so with `resume` or `start`, so that
//   a colleague's (or the timetable's) `open` cannot undo an emergency. It does open a sold-out event again, for the
//   operator who found more tickets, and a closed one.
// - `start` of an event that was never stopped, and `resume` of one that runs, find nothing to do.
// - selling again leads back to where selling out came from: a pause is the operators' and stays one.
// - `close` is possible from everywhere: a draft whose sale was called off shall say so to visitors.
#define TO(state) [state] = (state) + 1
#define LEAD(from, to) [from] = (to) + 1
#define BEFORE_STOP (LIFECYCLE_STATE_COUNT + 1)
#define BEFORE_SOLD_OUT (LIFECYCLE_STATE_COUNT + 2)

static const unsigned char table[LIFECYCLE_ACTION_COUNT][LIFECYCLE_STATE_COUNT] = {
    [LIFECYCLE_DO_LOBBY] = {LEAD(LIFECYCLE_DRAFT, LIFECYCLE_LOBBY), TO(LIFECYCLE_LOBBY)},
    [LIFECYCLE_DO_OPEN] = {LEAD(LIFECYCLE_DRAFT, LIFECYCLE_OPEN), LEAD(LIFECYCLE_LOBBY, LIFECYCLE_OPEN),
                           TO(LIFECYCLE_OPEN), LEAD(LIFECYCLE_SOLD_OUT, LIFECYCLE_OPEN),
                           LEAD(LIFECYCLE_CLOSED, LIFECYCLE_OPEN)},
    [LIFECYCLE_DO_PAUSE] = {LEAD(LIFECYCLE_OPEN, LIFECYCLE_PAUSED), TO(LIFECYCLE_PAUSED)},
    [LIFECYCLE_DO_RESUME] = {TO(LIFECYCLE_OPEN), LEAD(LIFECYCLE_PAUSED, LIFECYCLE_OPEN)},
    [LIFECYCLE_DO_STOP] = {LEAD(LIFECYCLE_LOBBY, LIFECYCLE_STOPPED), LEAD(LIFECYCLE_OPEN, LIFECYCLE_STOPPED),
                           LEAD(LIFECYCLE_PAUSED, LIFECYCLE_STOPPED), TO(LIFECYCLE_STOPPED),
                           LEAD(LIFECYCLE_SOLD_OUT, LIFECYCLE_STOPPED)},
    [LIFECYCLE_DO_START] = {TO(LIFECYCLE_LOBBY), TO(LIFECYCLE_OPEN), TO(LIFECYCLE_PAUSED),
                            TO(LIFECYCLE_SOLD_OUT), [LIFECYCLE_STOPPED] = BEFORE_STOP},
    [LIFECYCLE_DO_CLOSE] = {LEAD(LIFECYCLE_DRAFT, LIFECYCLE_CLOSED), LEAD(LIFECYCLE_LOBBY, LIFECYCLE_CLOSED),
                            LEAD(LIFECYCLE_OPEN, LIFECYCLE_CLOSED), LEAD(LIFECYCLE_PAUSED, LIFECYCLE_CLOSED),
                            LEAD(LIFECYCLE_STOPPED, LIFECYCLE_CLOSED), LEAD(LIFECYCLE_SOLD_OUT, LIFECYCLE_CLOSED),
                            TO(LIFECYCLE_CLOSED)},
    [LIFECYCLE_DO_SELL_OUT] = {LEAD(LIFECYCLE_OPEN, LIFECYCLE_SOLD_OUT), LEAD(LIFECYCLE_PAUSED, LIFECYCLE_SOLD_OUT),
                               TO(LIFECYCLE_SOLD_OUT)},
    [LIFECYCLE_DO_SELL_AGAIN] = {TO(LIFECYCLE_OPEN), TO(LIFECYCLE_PAUSED), [LIFECYCLE_SOLD_OUT] = BEFORE_SOLD_OUT},
};

const char *lifecycle_state_name(enum lifecycle_state state)
{
    return (unsigned)state < LIFECYCLE_STATE_COUNT ? state_names[state] : "unknown";
}

const char *lifecycle_action_name(enum lifecycle_action action)
{
    return (unsigned)action < LIFECYCLE_ACTION_COUNT ? action_names[action] : "unknown";
}

int lifecycle_state_parse(const char *name, enum lifecycle_state *ret)
{
    for (unsigned i = 0; name && i < LIFECYCLE_STATE_COUNT; i++) {
        if (strcmp(name, state_names[i]) == 0) {
            *ret = (enum lifecycle_state)i;
            return 0;
        }
    }
    return ERROR_INVALID;
}

int lifecycle_next(enum lifecycle_state state, enum lifecycle_state before, enum lifecycle_action action,
                   enum lifecycle_state *ret)
{
    if ((unsigned)state >= LIFECYCLE_STATE_COUNT || (unsigned)action >= LIFECYCLE_ACTION_COUNT)
        return ERROR_CONFLICT;
    unsigned cell = table[action][state];
    if (cell == BEFORE_STOP) {
        // Only what `stop` accepts can have been left by it.
        if ((unsigned)before >= LIFECYCLE_STATE_COUNT || before == LIFECYCLE_STOPPED ||
            !table[LIFECYCLE_DO_STOP][before])
            return ERROR_CONFLICT;
        *ret = before;
        return 0;
    }
    if (cell == BEFORE_SOLD_OUT) {
        // An event that sold out before this was noted goes on selling.
        *ret = before == LIFECYCLE_PAUSED ? LIFECYCLE_PAUSED : LIFECYCLE_OPEN;
        return 0;
    }
    if (!cell)
        return ERROR_CONFLICT;
    *ret = (enum lifecycle_state)(cell - 1);
    return 0;
}

// What the locked rows say.
struct locked_event {
    uint64_t id, last, version;
    enum lifecycle_state state;
    enum lifecycle_state before_stop, before_sold_out; // LIFECYCLE_STATE_COUNT: none
};

// The counter first and the event second, as joins do it: so an opening and a join wait for each other and cannot
// deadlock, and the lobby's size is final when it is written.
static int lock_event(struct db *db, const char *slug, struct locked_event *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db, "SELECT id FROM events WHERE slug = ?", (struct db_value[]){db_text(slug)}, 1, 1, &rows);
    if (result)
        return result;
    if (db_rows_count(rows) == 0)
        return ERROR_NOT_FOUND;
    ret->id = db_u64(rows, 0, 0);

    struct db_rows *counter CLEANUP(db_rows_cleanup) = NULL;
    result = db_read(db, "SELECT last FROM line_counters WHERE event_id = ? FOR UPDATE",
                     (struct db_value[]){DB_U(ret->id)}, 1, 1, &counter);
    if (result)
        return result;
    if (db_rows_count(counter) == 0)
        return ERROR_BUG; // Whoever makes an event makes its counter in the same transaction.
    ret->last = db_u64(counter, 0, 0);

    struct db_rows *event CLEANUP(db_rows_cleanup) = NULL;
    result = db_read(
        db, "SELECT state, state_before_stop, version, state_before_sold_out FROM events WHERE id = ? FOR UPDATE",
        (struct db_value[]){DB_U(ret->id)}, 1, 1, &event);
    if (result)
        return result;
    if (db_rows_count(event) == 0)
        return ERROR_NOT_FOUND;
    if (lifecycle_state_parse(db_string(event, 0, 0), &ret->state))
        return ERROR_BUG;
    if (lifecycle_state_parse(db_string(event, 0, 1), &ret->before_stop))
        ret->before_stop = LIFECYCLE_STATE_COUNT; // NULL: not stopped
    ret->version = db_u64(event, 0, 2);
    if (lifecycle_state_parse(db_string(event, 0, 3), &ret->before_sold_out))
        ret->before_sold_out = LIFECYCLE_STATE_COUNT; // NULL: it was never sold out
    return 0;
}

// Both servers assign from left to right, so `stopped_us` is reckoned before `stopped_at` goes. A clock that was set back
// meanwhile must not make it shrink.
static int write_state(struct db *db, const struct locked_event *event, enum lifecycle_action action,
                       enum lifecycle_state after, const char *detail)
{
    if (after == LIFECYCLE_SOLD_OUT && action == LIFECYCLE_DO_SELL_OUT)
        return db_write(db,
                        "UPDATE events SET state = ?, state_before_sold_out = ?, version = version + 1 WHERE id = ?",
                        (struct db_value[]){db_text(lifecycle_state_name(after)),
                                            db_text(lifecycle_state_name(event->state)), DB_U(event->id)},
                        3, NULL);
    if (after == LIFECYCLE_STOPPED)
        return db_write(db,
                        "UPDATE events SET state = ?, state_before_stop = ?, stop_reason = ?, "
                        "stopped_at = UTC_TIMESTAMP(6), version = version + 1 WHERE id = ?",
                        (struct db_value[]){db_text(lifecycle_state_name(after)),
                                            db_text(lifecycle_state_name(event->state)), db_text(detail),
                                            DB_U(event->id)},
                        4, NULL);
    // Closing a stopped event lets the clocks run on as well: holds may finish.
    if (event->state == LIFECYCLE_STOPPED)
        return db_write(db,
                        "UPDATE events SET state = ?, stopped_us = stopped_us + IF(stopped_at IS NULL, 0, "
                        "GREATEST(0, TIMESTAMPDIFF(MICROSECOND, stopped_at, UTC_TIMESTAMP(6)))), stopped_at = NULL, "
                        "state_before_stop = NULL, stop_reason = NULL, version = version + 1 WHERE id = ?",
                        (struct db_value[]){db_text(lifecycle_state_name(after)), DB_U(event->id)}, 2, NULL);
    // The first opening closes the lobby: who has a number by now was in it. From a draft nobody has one.
    if (after == LIFECYCLE_OPEN && action != LIFECYCLE_DO_SELL_AGAIN)
        return db_write(db,
                        "UPDATE events SET state = ?, lobby_size = COALESCE(lobby_size, ?), version = version + 1 "
                        "WHERE id = ?",
                        (struct db_value[]){db_text(lifecycle_state_name(after)), DB_U(event->last), DB_U(event->id)},
                        3, NULL);
    return db_write(db, "UPDATE events SET state = ?, version = version + 1 WHERE id = ?",
                    (struct db_value[]){db_text(lifecycle_state_name(after)), DB_U(event->id)}, 2, NULL);
}

// Places that an operator has taken from their buyers come back in a moment.
static int read_has_freeings(struct db *db, uint64_t event_id, bool *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db, "SELECT 1 FROM freeings WHERE event_id = ? LIMIT 1", (struct db_value[]){DB_U(event_id)},
                         1, 1, &rows);
    *ret = db_rows_count(rows) > 0;
    return result;
}

// Whether every tier is sold to its last place, nobody is in standby for what others hold, and nothing is about to come back. Tiers are
// locked after the event, as bookings lock them. An event without tiers is a gate: there is nothing to sell.
static int read_all_sold(struct db *db, uint64_t event_id, bool *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result =
        db_read(db, "SELECT capacity, held, sold, standby FROM tiers WHERE event_id = ? ORDER BY code FOR UPDATE",
                (struct db_value[]){DB_U(event_id)}, 1, 1000, &rows);
    if (result)
        return result;
    bool all_sold = db_rows_count(rows) > 0;
    for (size_t i = 0; i < db_rows_count(rows); i++)
        all_sold =
            all_sold && db_u64(rows, i, 1) == 0 && db_u64(rows, i, 2) >= db_u64(rows, i, 0) && db_u64(rows, i, 3) == 0;
    bool comes_back = false;
    if (all_sold)
        result = read_has_freeings(db, event_id, &comes_back);
    *ret = all_sold && !comes_back;
    return result;
}

// ERROR_CONFLICT when what a booking worker says is not so.
static int check_stock(struct db *db, uint64_t event_id, enum lifecycle_action action)
{
    bool all_sold = false;
    int result = read_all_sold(db, event_id, &all_sold);
    return result == 0 && all_sold != (action == LIFECYCLE_DO_SELL_OUT) ? ERROR_CONFLICT : result;
}

static int apply_in_transaction(struct db *db, const char *slug, enum lifecycle_action action, const char *actor,
                                const char *detail, struct lifecycle_change *ret)
{
    struct locked_event event = {0};
    int result = lock_event(db, slug, &event);
    if (result)
        return result;
    struct lifecycle_change change = {.before = event.state, .after = event.state, .version = event.version};
    result = lifecycle_next(event.state, action == LIFECYCLE_DO_SELL_AGAIN ? event.before_sold_out : event.before_stop,
                            action, &change.after);
    if (result || change.after == change.before) {
        *ret = change;
        return result;
    }
    if (action == LIFECYCLE_DO_SELL_OUT || action == LIFECYCLE_DO_SELL_AGAIN)
        result = check_stock(db, event.id, action);
    if (result) {
        *ret = (struct lifecycle_change){event.state, event.state, event.version};
        return result;
    }
    result = write_state(db, &event, action, change.after, detail);
    if (result)
        return result;
    result = db_write(
        db, "INSERT INTO event_log (event_id, at, actor, action, detail) VALUES (?, UTC_TIMESTAMP(6), ?, ?, ?)",
        (struct db_value[]){DB_U(event.id), db_text(actor), db_text(lifecycle_action_name(action)), db_text(detail)}, 4,
        NULL);
    if (result)
        return result;
    change.version++;
    *ret = change;
    return 0;
}

int lifecycle_apply(struct db *db, const char *slug, enum lifecycle_action action, const char *actor,
                    const char *detail, struct lifecycle_change *ret)
{
    int result = ERROR_TRANSIENT;
    for (int attempt = 0; attempt < ATTEMPTS_MAX && result == ERROR_TRANSIENT; attempt++) {
        result = db_begin(db);
        if (result)
            return result;
        struct lifecycle_change change;
        result = apply_in_transaction(db, slug, action, actor, detail, &change);
        if (result == 0 || result == ERROR_CONFLICT) {
            int end = 0;
            if (result == 0)
                end = db_commit(db);
            else
                db_rollback(db);
            if (end)
                result = end;
            else
                *ret = change;
        } else {
            db_rollback(db);
        }
        // A commit whose answer was lost may have happened; trying again then finds nothing to do, which is the truth.
        if (!db_is_connected(db))
            break;
    }
    return result;
}
