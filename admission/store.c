// SPDX-License-Identifier: Apache-2.0
// See store.h. Every `at` is MySQL's clock: deadlines and the audit compare times from one clock only.
#include "admission/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int store_read_versions(struct db *db, struct store_version **ret, size_t *ret_count, int64_t *ret_now_us)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result =
        db_read(db, "SELECT id, version FROM events ORDER BY id DESC LIMIT 10000", NULL, 0, STORE_EVENTS_MAX, &rows);
    if (result)
        return result;
    // Last, so that the caller compares a fresh time with its own clock.
    struct db_rows *clock CLEANUP(db_rows_cleanup) = NULL;
    result = db_read(db, "SELECT UTC_TIMESTAMP(6)", NULL, 0, 1, &clock);
    if (result)
        return result;
    if (db_rows_count(clock) != 1)
        return ERROR_BUG;
    size_t count = db_rows_count(rows);
    struct store_version *versions = calloc(count + 1, sizeof(*versions));
    if (!versions)
        return ERROR_MEMORY;
    for (size_t i = 0; i < count; i++)
        versions[i] = (struct store_version){.id = db_u64(rows, i, 0), .version = db_u64(rows, i, 1)};
    *ret = versions;
    *ret_count = count;
    *ret_now_us = db_time_us(clock, 0, 0);
    return 0;
}

static int64_t time_or_none(const struct db_rows *rows, size_t column)
{
    return db_is_null(rows, 0, column) ? TIMETABLE_NONE : db_time_us(rows, 0, column);
}

// Whether the event was closed or opened after its closing time had come.
static int read_closing_is_done(struct db *db, struct line_event *event)
{
    struct timetable *timetable = &event->timetable;
    timetable->closing_is_done = false;
    if (timetable->closes_at_us == TIMETABLE_NONE)
        return 0;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result =
        db_read(db, "SELECT 1 FROM event_log WHERE event_id = ? AND action IN ('open', 'close') AND at >= ? LIMIT 1",
                (struct db_value[]){DB_U(event->id), DB_T(timetable->closes_at_us)}, 2, 1, &rows);
    if (!result)
        timetable->closing_is_done = db_rows_count(rows) > 0;
    return result;
}

int store_read_event(struct db *db, uint64_t id, struct line_event *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result =
        db_read(db,
                "SELECT slug, version, state, pace, max_active, turn_seconds, stopped_us, lobby_opens_at, opens_at, "
                "closes_at, EXISTS (SELECT 1 FROM tiers t WHERE t.event_id = events.id) FROM events WHERE id = ?",
                (struct db_value[]){DB_U(id)}, 1, 1, &rows);
    if (result)
        return result;
    if (db_rows_count(rows) == 0)
        return ERROR_NOT_FOUND;
    struct line_event event = {
        .id = id,
        .version = db_u64(rows, 0, 1),
        .has_max_active = !db_is_null(rows, 0, 4),
        .max_active = db_u64(rows, 0, 4),
        .turn_seconds = (uint32_t)db_u64(rows, 0, 5),
        .has_tiers = db_u64(rows, 0, 10) != 0,
        .stopped_us = (int64_t)db_u64(rows, 0, 6),
        .timetable = {.lobby_opens_at_us = time_or_none(rows, 7),
                      .opens_at_us = time_or_none(rows, 8),
                      .closes_at_us = time_or_none(rows, 9)},
    };
    snprintf(event.slug, sizeof(event.slug), "%s", db_string(rows, 0, 0));
    if (lifecycle_state_parse(db_string(rows, 0, 2), &event.state) || pace_parse(db_string(rows, 0, 3), &event.pace))
        return ERROR_INVALID;
    result = read_closing_is_done(db, &event);
    if (!result)
        *ret = event;
    return result;
}

int store_read_last(struct db *db, uint64_t id, uint64_t *ret_last)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result =
        db_read(db, "SELECT last FROM line_counters WHERE event_id = ?", (struct db_value[]){DB_U(id)}, 1, 1, &rows);
    if (!result)
        *ret_last = db_rows_count(rows) > 0 ? db_u64(rows, 0, 0) : 0;
    return result;
}

static int read_served(struct db *db, uint64_t id, uint64_t *ret_served)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result =
        db_read(db, "SELECT served FROM line_served WHERE event_id = ?", (struct db_value[]){DB_U(id)}, 1, 1, &rows);
    if (result)
        return result;
    if (db_rows_count(rows) > 0) {
        *ret_served = db_u64(rows, 0, 0);
        return 0;
    }
    *ret_served = 0;
    return db_write(db,
                    "INSERT INTO line_served (event_id) VALUES (?) ON DUPLICATE KEY UPDATE event_id = VALUES(event_id)",
                    (struct db_value[]){DB_U(id)}, 1, NULL);
}

int store_read_head(struct db *db, uint64_t id, uint64_t *ret_served, uint64_t *ret_last, int64_t *ret_let_in_us_ago)
{
    uint64_t served, last;
    // The head first: the last place given is then never behind it.
    int result = read_served(db, id, &served);
    if (!result)
        result = store_read_last(db, id, &last);
    if (result)
        return result;
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    result = db_read(db,
                     "SELECT GREATEST(0, TIMESTAMPDIFF(MICROSECOND, at, UTC_TIMESTAMP(6))) FROM served_log "
                     "WHERE event_id = ? ORDER BY served DESC LIMIT 1",
                     (struct db_value[]){DB_U(id)}, 1, 1, &rows);
    if (result)
        return result;
    *ret_served = served;
    *ret_last = last;
    *ret_let_in_us_ago = db_rows_count(rows) > 0 ? db_i64(rows, 0, 0) : -1;
    return 0;
}

// The highest place whose turn has ended. A turn ends when the event's clock, which stands still while it is stopped,
// has gone on by turn_seconds; so of the rows that are old enough by the wall, the newest that is old enough by the
// event's clock.
static int read_ended(struct db *db, const struct line_event *event, uint64_t *ret_ended)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result =
        db_read(db,
                "SELECT served FROM served_log WHERE event_id = ? AND at <= UTC_TIMESTAMP(6) - INTERVAL ? SECOND "
                "AND TIMESTAMPDIFF(MICROSECOND, at, UTC_TIMESTAMP(6)) >= ? - CAST(stopped_us AS SIGNED) "
                "ORDER BY at DESC, served DESC LIMIT 1",
                (struct db_value[]){DB_U(event->id), DB_U(event->turn_seconds),
                                    DB_I((int64_t)event->turn_seconds * 1000000 + event->stopped_us)},
                3, 1, &rows);
    if (!result)
        *ret_ended = db_rows_count(rows) > 0 ? db_u64(rows, 0, 0) : 0;
    return result;
}

// Of those inside: who gave the place up, and who has what they came for (at most one booking of a place is confirmed, and
// nothing follows it). Both are read from an index; nobody is counted in both.
static int read_done(struct db *db, uint64_t event_id, uint64_t ended, uint64_t served, uint64_t *ret_done)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(
        db,
        "SELECT (SELECT COUNT(*) FROM arrivals WHERE event_id = ? AND number > ? AND number <= ? AND left_at IS NOT NULL)"
        " + (SELECT COUNT(*) FROM bookings b JOIN arrivals a ON a.event_id = b.event_id AND a.number = b.place WHERE"
        " b.event_id = ? AND b.state = 'confirmed' AND b.place > ? AND b.place <= ? AND a.left_at IS NULL)",
        (struct db_value[]){DB_U(event_id), DB_U(ended), DB_U(served), DB_U(event_id), DB_U(ended), DB_U(served)}, 6, 1,
        &rows);
    if (!result)
        *ret_done = db_u64(rows, 0, 0);
    return result;
}

int store_read_active(struct db *db, const struct line_event *event, uint64_t served, uint64_t *ret_active)
{
    uint64_t ended, done;
    int result = read_ended(db, event, &ended);
    if (!result)
        result = read_done(db, event->id, ended, served, &done);
    if (result)
        return result;
    uint64_t inside = served > ended ? served - ended : 0;
    *ret_active = inside > done ? inside - done : 0;
    return 0;
}

int store_hold_event(struct db *db, const struct line_event *event)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db, "SELECT version FROM events WHERE id = ? LOCK IN SHARE MODE",
                         (struct db_value[]){DB_U(event->id)}, 1, 1, &rows);
    if (result)
        return result;
    return db_rows_count(rows) == 1 && db_u64(rows, 0, 0) == event->version ? 0 : ERROR_CONFLICT;
}

int store_log_restart(struct db *db, const struct line *line, uint64_t epoch)
{
    char pace[PACE_TEXT_BYTES];
    uint64_t rate_count;
    uint32_t rate_seconds;
    line_rate(&line->event.pace, &rate_count, &rate_seconds);
    return db_write(db,
                    "INSERT INTO pace_log (event_id, at, served, epoch, pace, rate_count, rate_seconds, reason) "
                    "VALUES (?, UTC_TIMESTAMP(6), ?, ?, ?, ?, ?, ?)",
                    (struct db_value[]){DB_U(line->event.id), DB_U(line->served), DB_U(epoch),
                                        db_text(pace_format(&line->event.pace, pace)), DB_U(rate_count),
                                        DB_U(rate_seconds), db_text(line_restart_name(line->restart))},
                    7, NULL);
}

static void forecast_values(const struct line *line, struct db_value ret[static 2])
{
    int64_t low_us, high_us;
    bool known = line_forecast(line, &low_us, &high_us);
    ret[0] = known ? DB_I(low_us) : DB_N;
    ret[1] = known ? DB_I(high_us) : DB_N;
}

int store_let_in(struct db *db, const struct line *line, uint64_t places, uint64_t epoch)
{
    struct db_value forecast[2];
    forecast_values(line, forecast);
    uint64_t served = line->served + places;
    struct db_written written;
    int result = db_write(db,
                          "UPDATE line_served SET served = ?, epoch = ?, us_per_place_low = ?, us_per_place_high = ? "
                          "WHERE event_id = ? AND served = ?",
                          (struct db_value[]){DB_U(served), DB_U(epoch), forecast[0], forecast[1], DB_U(line->event.id),
                                              DB_U(line->served)},
                          6, &written);
    if (result)
        return result;
    if (written.affected != 1)
        return ERROR_CONFLICT;
    return db_write(
        db, "INSERT INTO served_log (event_id, served, at, epoch, stopped_us) VALUES (?, ?, UTC_TIMESTAMP(6), ?, ?)",
        (struct db_value[]){DB_U(line->event.id), DB_U(served), DB_U(epoch), DB_I(line->event.stopped_us)}, 4, NULL);
}

int store_forecast(struct db *db, const struct line *line)
{
    struct db_value values[3];
    forecast_values(line, values);
    values[2] = DB_U(line->event.id);
    return db_write(db, "UPDATE line_served SET us_per_place_low = ?, us_per_place_high = ? WHERE event_id = ?", values,
                    3, NULL);
}
