// SPDX-License-Identifier: Apache-2.0
// See step.h. The order inside the transaction is what makes the audit's arithmetic hold: first the row in pace_log
// with MySQL's time, then the monotonic time from which the new count runs, then what that count allows.
#include "admission/step.h"

#include <stdlib.h>

#include "admission/meters.h"
#include "admission/store.h"
#include "common/clock.h"
#include "common/log.h"

void step_done(struct step *step)
{
    free(step->moved);
    *step = (struct step){0};
}

// Notes every line that wants something. Most of the time there is none or one.
static int collect(struct step *step, struct lines *lines, int64_t now_ns)
{
    step->moved_count = 0;
    if (step->capacity < lines->count) {
        struct step_move *moved = realloc(step->moved, lines->count * sizeof(*moved));
        if (!moved)
            return ERROR_MEMORY;
        step->moved = moved;
        step->capacity = lines->count;
    }
    for (size_t i = 0; i < lines->count; i++) {
        struct lines_entry *entry = lines->entries[i];
        if (!entry->is_stale && entry->has_head && line_look(&entry->line, now_ns))
            step->moved[step->moved_count++] = (struct step_move){.entry = entry};
    }
    return 0;
}

static int move_line(struct step_move *move, uint64_t epoch, struct db *db)
{
    struct line *line = &move->entry->line;
    int result = store_hold_event(db, &line->event);
    if (result == ERROR_CONFLICT) {
        move->entry->is_stale = true;
        return 0;
    }
    if (!result && line->restart != LINE_RUNS) {
        move->restart = line->restart;
        result = store_log_restart(db, line, epoch);
        if (!result)
            line_restart_count(line, clock_monotonic_ns());
    }
    if (result)
        return result;
    move->at_ns = clock_monotonic_ns();
    move->places = line_let_in(line, move->at_ns);
    move->late_ns = count_lateness_ns(&line->count, move->at_ns);
    return move->places > 0 ? store_let_in(db, line, move->places, epoch) : 0;
}

static int transact(struct step *step, struct leader *leader, struct db *db)
{
    int result = leader_hold(leader, db);
    for (size_t i = 0; i < step->moved_count && !result; i++)
        result = move_line(&step->moved[i], leader->epoch, db);
    return result ? result : db_commit(db);
}

static void note_told(struct lines_entry *entry)
{
    entry->has_forecast = line_forecast(&entry->line, &entry->forecast_low_us, &entry->forecast_high_us);
}

// It is durable now.
static void conclude(struct step_move *move)
{
    struct line *line = &move->entry->line;
    if (move->restart != LINE_RUNS) {
        char pace[PACE_TEXT_BYTES];
        // A line that runs empty between any two visitors starts its count anew with each of them.
        bool is_usual = move->restart == LINE_RESTART_EMPTY || move->restart == LINE_RESTART_FULL;
        const struct log_field fields[] = {
            LOG_S("slug", line->event.slug),
            LOG_S("reason", line_restart_name(move->restart)),
            LOG_U("served", line->served),
            LOG_S("pace", pace_format(&line->event.pace, pace)),
        };
        log_emit(is_usual ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "count_restarted", fields,
                 sizeof(fields) / sizeof(fields[0]));
        metric_add(&meter_restarts, 1);
    }
    if (move->places == 0)
        return;
    note_told(move->entry);
    line_moved(line, move->places, move->at_ns);
    metric_add(&meter_served, (int64_t)move->places);
    if (move->restart == LINE_RUNS)
        metric_observe_us(&meter_lateness, move->late_ns / 1000);
    log_debug("let_in", LOG_S("slug", line->event.slug), LOG_U("served", line->served), LOG_U("places", move->places),
              LOG_I("late_us", move->late_ns / 1000));
}

static void drop_unmoved(struct step *step)
{
    size_t kept = 0;
    for (size_t i = 0; i < step->moved_count; i++)
        if (step->moved[i].places > 0)
            step->moved[kept++] = step->moved[i];
    step->moved_count = kept;
}

int step_make(struct step *step, struct lines *lines, struct leader *leader, struct db *db)
{
    int64_t from_ns = clock_monotonic_ns();
    int result = collect(step, lines, from_ns);
    if (result || step->moved_count == 0)
        return result;
    result = db_begin(db);
    if (!result)
        result = transact(step, leader, db);
    if (result) {
        db_rollback(db);
        step->moved_count = 0;
        return result;
    }
    for (size_t i = 0; i < step->moved_count; i++)
        conclude(&step->moved[i]);
    drop_unmoved(step);
    if (step->moved_count > 0) {
        metric_add(&meter_steps, 1);
        metric_observe_us(&meter_step_duration, (clock_monotonic_ns() - from_ns) / 1000);
    }
    return 0;
}

// A twentieth more or less is not worth a write; a line that stands still now, or moves again, is.
static bool has_changed(const struct lines_entry *entry)
{
    int64_t low_us = 0, high_us = 0;
    bool known = line_forecast(&entry->line, &low_us, &high_us);
    if (known != entry->has_forecast)
        return true;
    return known && (labs(low_us - entry->forecast_low_us) > entry->forecast_low_us / 20 ||
                     labs(high_us - entry->forecast_high_us) > entry->forecast_high_us / 20);
}

static int write_forecasts(struct lines *lines, struct db *db)
{
    for (size_t i = 0; i < lines->count; i++) {
        struct lines_entry *entry = lines->entries[i];
        if (!entry->has_head || !has_changed(entry))
            continue;
        int result = store_forecast(db, &entry->line);
        if (result)
            return result;
        note_told(entry);
    }
    return 0;
}

int step_keep_forecasts(struct lines *lines, struct leader *leader, struct db *db)
{
    int result = db_begin(db);
    if (result)
        return result;
    result = leader_hold(leader, db);
    if (!result)
        result = write_forecasts(lines, db);
    if (!result)
        result = db_commit(db);
    if (result)
        db_rollback(db);
    return result;
}
