// SPDX-License-Identifier: Apache-2.0
// The checks that one statement can make: each gives a row of text for each violation. Those that go along the line row
// by row are in audit_served.c and audit_orders.c.
#include "admin/audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/lifecycle.h"

#define STATEMENT_ROWS_MAX 100000
#define ACTIONS_MAX 1000000

static const struct {
    int n;
    const char *name;
} names[AUDIT_COUNT] = {
    [AUDIT_STOCK] =
        {1, "no seat twice; held and sold never above capacity, and just what the bookings say, for every tier"},
    [AUDIT_CUSTOMERS] = {2, "one open or confirmed booking a place; no customer has more than the event allows"},
    [AUDIT_RELEASES] = {3, "nobody is let in while the event is not open; nothing is released before its place was let "
                           "in, out of order, or booked without"},
    [AUDIT_LINE] = {4, "served never goes back and never passes the last place; each place is given once"},
    [AUDIT_ENDS] = {5, "every order comes to one end, by the table of states"},
    [AUDIT_PAYMENTS] = {6,
                        "a booking is confirmed exactly when its money is authorised or captured, or nothing is due"},
    [AUDIT_PACE] = {7, "since the count began anew, let in is at most pace x elapsed + 1"},
    [AUDIT_LETTERS] = {8, "no dead letter is lost, and its visitor is told"},
};

#define COUNTED "('confirmed', 'held', 'paying', 'action_required', 'declined', 'standby')"
#define HAS_PLACES "('confirmed', 'held', 'paying', 'action_required', 'declined')"

// Every ? is the event's id.
static const struct {
    enum audit_index check;
    size_t parameters;
    const char *sql;
} statements[] = {
    {AUDIT_STOCK, 1,
     "SELECT CONCAT('tier ', code, ': ', held, ' held and ', sold, ' sold of ', capacity) FROM tiers "
     "WHERE event_id = ? AND held + sold > capacity"},
    {AUDIT_STOCK, 1,
     "SELECT CONCAT('tier ', code, ': its capacity is ', capacity, ', but ', seats, ' of its seats can be sold') FROM ("
     "SELECT t.code, t.capacity, COALESCE(SUM(s.blocked = 0), 0) AS seats FROM tiers t "
     "LEFT JOIN seats s ON s.event_id = t.event_id AND s.tier = t.code WHERE t.event_id = ? AND t.kind = 'seated' "
     "GROUP BY t.code, t.capacity) AS counted WHERE capacity <> seats"},
    {AUDIT_STOCK, 4,
     "SELECT CONCAT('tier ', t.code, ': ', t.held, ' held, ', t.sold, ' sold and ', t.standby, ' in standby, but its "
     "bookings have ', COALESCE(b.held, 0), ', ', COALESCE(b.sold, 0), ' and ', COALESCE(b.standby, 0)) FROM tiers t "
     "LEFT JOIN (SELECT tier, SUM(held) AS held, SUM(sold) AS sold, SUM(standby) AS standby FROM ("
     "SELECT tier, IF(state = 'confirmed', 0, quantity) AS held, IF(state = 'confirmed', quantity, 0) AS sold, "
     "0 AS standby FROM bookings WHERE event_id = ? AND state IN " HAS_PLACES " UNION ALL "
     "SELECT standby_tier, 0, 0, 1 FROM bookings WHERE event_id = ? AND state = 'standby' UNION ALL "
     // A booking that was ended in standby no longer says for which tier: its order's choice does.
     "SELECT IF(f.was = 'standby', CONVERT(JSON_UNQUOTE(JSON_EXTRACT(o.choices, CONCAT('$[', b.choice, '].tier'))) "
     "USING ascii), b.tier), IF(f.was IN ('standby', 'confirmed'), 0, b.quantity), IF(f.was = 'confirmed', b.quantity, "
     "0), f.was = 'standby' FROM freeings f JOIN bookings b ON b.event_id = f.event_id AND b.place = f.place AND "
     "b.attempt = f.attempt JOIN orders o ON o.event_id = f.event_id AND o.place = f.place AND o.attempt = f.attempt "
     "WHERE f.event_id = ? AND b.state IN ('cancelled', 'expired', 'failed') AND f.was IN " COUNTED
     ") AS each_one GROUP BY tier) AS b ON b.tier = t.code WHERE t.event_id = ? AND "
     "(t.sold <> COALESCE(b.sold, 0) OR t.held <> COALESCE(b.held, 0) OR t.standby <> COALESCE(b.standby, 0))"},
    {AUDIT_STOCK, 1,
     "SELECT CONCAT('place ', b.place, ' has places of the tier ', COALESCE(b.tier, 'NULL'), ', which is not there') "
     "FROM bookings b LEFT JOIN tiers t ON t.event_id = b.event_id AND t.code = b.tier "
     "WHERE b.event_id = ? AND b.state IN " HAS_PLACES " AND t.code IS NULL"},
    {AUDIT_ENDS, 1,
     "SELECT CONCAT('place ', o.place, ': the order is not that of the visitor who has the place') FROM orders o "
     "LEFT JOIN arrivals a ON a.event_id = o.event_id AND a.number = o.place "
     "WHERE o.event_id = ? AND (a.visitor IS NULL OR a.visitor <> o.visitor)"},
    {AUDIT_ENDS, 1,
     "SELECT CONCAT('place ', o.place, ' was given up, and its order is still placed') FROM orders o "
     "JOIN arrivals a ON a.event_id = o.event_id AND a.number = o.place "
     "WHERE o.event_id = ? AND o.state = 'placed' AND a.left_at IS NOT NULL"},
    {AUDIT_LETTERS, 1,
     "SELECT CONCAT('dead letter ', d.id, ': the order of place ', d.place, ' was released, and nothing became of it') "
     "FROM dead_letters d JOIN orders o ON o.event_id = d.event_id AND o.place = d.place AND o.attempt = d.attempt "
     "LEFT JOIN bookings b ON b.event_id = d.event_id AND b.place = d.place AND b.attempt = d.attempt "
     "WHERE d.event_id = ? AND d.state = 'open' AND d.reason IN ('broken_order', 'crashed', 'returned') "
     "AND o.state = 'released' AND b.place IS NULL"},
    {AUDIT_LINE, 1,
     "SELECT CONCAT('served is ', s.served, ' and the last place given is ', c.last) FROM line_served s "
     "JOIN line_counters c ON c.event_id = s.event_id WHERE s.event_id = ? AND s.served > c.last"},
    {AUDIT_LINE, 2,
     "SELECT CONCAT('served is ', s.served, ', but its log ends at ', l.top) FROM line_served s "
     "JOIN (SELECT COALESCE(MAX(served), 0) AS top FROM served_log WHERE event_id = ?) AS l "
     "WHERE s.event_id = ? AND s.served <> l.top"},
    {AUDIT_LINE, 1,
     "SELECT CONCAT('a step has the epoch ', MAX(l.epoch), ', but no leader came further than ', MIN(r.epoch)) "
     "FROM served_log l JOIN leaders r ON r.name = 'admission' WHERE l.event_id = ? "
     "HAVING MAX(l.epoch) > MIN(r.epoch)"},
    {AUDIT_LINE, 2,
     "SELECT CONCAT('the last number given is ', c.last, ', but there are ', a.n, ' arrivals, from ', a.low, ' to ', "
     "a.top) FROM line_counters c JOIN (SELECT COUNT(*) AS n, COALESCE(MIN(number), 0) AS low, "
     "COALESCE(MAX(number), 0) AS top FROM arrivals WHERE event_id = ?) AS a "
     "WHERE c.event_id = ? AND (a.n <> c.last OR a.top <> c.last OR a.low <> (c.last > 0))"},
    {AUDIT_LINE, 1,
     "SELECT CONCAT('arrivals ', MIN(number), ' and ', MAX(number), ' are one visitor') FROM arrivals "
     "WHERE event_id = ? GROUP BY visitor HAVING COUNT(*) > 1"},
    {AUDIT_LINE, 1,
     "SELECT CONCAT('the lobby had ', e.lobby_size, ' visitors and the last number given is ', c.last) FROM events e "
     "JOIN line_counters c ON c.event_id = e.id WHERE e.id = ? AND e.lobby_size > c.last"},
    {AUDIT_LINE, 2,
     "SELECT CONCAT('place ', t.place, ' had a turn and served is ', s.served) FROM turns t "
     "JOIN line_served s ON s.event_id = t.event_id "
     "WHERE t.event_id = ? AND s.event_id = ? AND (t.place > s.served OR t.place = 0)"},
};

void audit_violation(struct audit *audit, enum audit_index check, const char *format, ...)
{
    struct audit_check *to = &audit->checks[check];
    to->violation_count++;
    if (json_array_size(to->samples) >= AUDIT_SAMPLES_MAX)
        return;
    char text[240];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    json_array_append_new(to->samples, json_string(text));
}

struct audit_money *audit_money(struct audit *audit, const char *currency)
{
    struct audit_provider *to = &audit->provider;
    for (size_t i = 0; i < to->money_count; i++)
        if (strcmp(to->money[i].currency, currency) == 0)
            return &to->money[i];
    if (to->money_count == AUDIT_CURRENCIES_MAX)
        return NULL;
    struct audit_money *money = &to->money[to->money_count++];
    *money = (struct audit_money){0};
    snprintf(money->currency, sizeof(money->currency), "%s", currency);
    return money;
}

static int run_statements(struct audit *audit)
{
    const struct db_value one = DB_U(audit->event_id), id[] = {one, one, one, one};
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
        int r = db_read(audit->db, statements[i].sql, id, statements[i].parameters, STATEMENT_ROWS_MAX, &rows);
        if (r == ERROR_LIMIT) {
            audit_violation(audit, statements[i].check, "more than %d rows break: %.100s ...", STATEMENT_ROWS_MAX,
                            statements[i].sql);
            continue;
        }
        if (r < 0)
            return r;
        for (size_t row = 0; row < db_rows_count(rows); row++)
            audit_violation(audit, statements[i].check, "%s", db_string(rows, row, 0));
    }
    return 0;
}

// Nobody may be let in between two moments (the ends do not count). INT64_MIN and INT64_MAX: since ever, for ever.
static int check_standstill(struct audit *audit, int64_t from_us, int64_t to_us, enum lifecycle_state state)
{
    static const int64_t first_us = 0, last_us = INT64_C(253402300799) * 1000000; // the years 1970 and 9999
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(audit->db,
                    "SELECT COUNT(*), MIN(served), MIN(at) FROM served_log WHERE event_id = ? AND at > ? AND at < ?",
                    (struct db_value[]){DB_U(audit->event_id), DB_T(from_us == INT64_MIN ? first_us : from_us),
                                        DB_T(to_us == INT64_MAX ? last_us : to_us)},
                    3, 1, &rows);
    if (r < 0 || db_u64(rows, 0, 0) == 0)
        return r;
    char at[CLOCK_TEXT_BYTES];
    audit_violation(audit, AUDIT_RELEASES, "%llu steps while the event was %s, the first to place %llu at %s",
                    (unsigned long long)db_u64(rows, 0, 0), lifecycle_state_name(state),
                    (unsigned long long)db_u64(rows, 0, 1), clock_format(db_time_us(rows, 0, 2), at));
    return 0;
}

static bool action_of(const char *name, enum lifecycle_action *ret)
{
    for (int action = 0; action < LIFECYCLE_ACTION_COUNT; action++) {
        if (strcmp(lifecycle_action_name((enum lifecycle_action)action), name) == 0) {
            *ret = (enum lifecycle_action)action;
            return true;
        }
    }
    return false;
}

// Goes through the event's states as its log tells them; a step of the line needs the state `open`. Steps and changes
// of the state exclude each other by the event's row lock, so the times can be compared to the microsecond.
static int check_opened(struct audit *audit)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(audit->db, "SELECT at, action FROM event_log WHERE event_id = ? ORDER BY id",
                    (struct db_value[]){DB_U(audit->event_id)}, 1, ACTIONS_MAX, &rows);
    if (r < 0)
        return r;
    enum lifecycle_state state = LIFECYCLE_DRAFT, before_stop = LIFECYCLE_DRAFT, before_sold_out = LIFECYCLE_OPEN, next;
    int64_t since_us = INT64_MIN;
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        enum lifecycle_action action;
        int64_t at_us = db_time_us(rows, i, 0);
        audit->changed_at_us = at_us;
        if (!action_of(db_string(rows, i, 1), &action) ||
            lifecycle_next(state, action == LIFECYCLE_DO_SELL_AGAIN ? before_sold_out : before_stop, action, &next) < 0)
            continue;
        if (state != LIFECYCLE_OPEN && (r = check_standstill(audit, since_us, at_us, state)) < 0)
            return r;
        if (next == LIFECYCLE_STOPPED && state != LIFECYCLE_STOPPED)
            before_stop = state;
        if (next == LIFECYCLE_SOLD_OUT && action == LIFECYCLE_DO_SELL_OUT && state != LIFECYCLE_SOLD_OUT)
            before_sold_out = state;
        state = next;
        since_us = at_us;
    }
    audit->over_since_us = since_us;
    return state == LIFECYCLE_OPEN ? 0 : check_standstill(audit, since_us, INT64_MAX, state);
}

static int find_event(struct audit *audit, const char *slug)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r =
        db_read(audit->db,
                "SELECT id, state IN ('closed', 'sold_out'), UTC_TIMESTAMP(6), state = 'stopped', stopped_us, (SELECT "
                "MIN(created_at) FROM payments WHERE event_id = events.id) FROM events WHERE slug = ?",
                (struct db_value[]){db_text(slug)}, 1, 1, &rows);
    if (r < 0 || db_rows_count(rows) == 0)
        return r < 0 ? r : ERROR_NOT_FOUND;
    audit->event_id = db_u64(rows, 0, 0);
    audit->is_over = db_u64(rows, 0, 1) != 0;
    audit->now_us = db_time_us(rows, 0, 2);
    audit->is_stopped = db_u64(rows, 0, 3) != 0;
    audit->stopped_us = db_i64(rows, 0, 4);
    audit->first_payment_us = db_is_null(rows, 0, 5) ? INT64_MIN : db_time_us(rows, 0, 5);
    return 0;
}

int audit_run(struct audit *audit, struct db *db, const char *slug, const struct audit_options *options)
{
    *audit = (struct audit){.db = db, .options = *options};
    for (int i = 0; i < AUDIT_COUNT; i++)
        audit->checks[i] = (struct audit_check){.n = names[i].n, .name = names[i].name, .samples = json_array()};
    // One snapshot for everything, so that a line that moves meanwhile does not look broken.
    int r = db_exec(db, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
    if (r == 0)
        r = db_exec(db, "START TRANSACTION WITH CONSISTENT SNAPSHOT");
    if (r == 0)
        r = find_event(audit, slug);
    if (r == 0)
        r = run_statements(audit);
    if (r == 0)
        r = check_opened(audit);
    if (r == 0)
        r = audit_served_log(audit);
    if (r == 0)
        r = audit_orders(audit);
    if (r == 0)
        r = audit_standby(audit);
    if (r == 0)
        r = audit_letters(audit);
    if (db_is_connected(db))
        db_rollback(db);
    return r;
}

void audit_done(struct audit *audit)
{
    for (int i = 0; i < AUDIT_COUNT; i++) {
        json_decref(audit->checks[i].samples);
        audit->checks[i].samples = NULL;
    }
}
