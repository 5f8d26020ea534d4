// SPDX-License-Identifier: Apache-2.0
// The audit's way along the line: served_log in the order of places, and beside it the rows of pace_log, each of which
// begins a new stretch of the count, and the turns of the places that each step let in. Each table is read once, in pages,
// so that a line of any length fits and takes time in proportion: a subquery for each place would go through the whole
// log each time.
#include <inttypes.h>
#include <stdbool.h>

#include "admin/audit.h"
#include "admin/audit_pace.h"
#include "admin/audit_pages.h"
#include "common/clock.h"

struct walk {
    struct audit *audit;
    struct audit_pages stretches, turns;
    bool has_stretch;
    struct audit_pace stretch; // the one that counts now
    // The step before.
    bool has_step;
    uint64_t epoch, stopped_us;
    uint64_t served;
    int64_t at_us;
};

enum {
    STRETCH_ID,
    STRETCH_SERVED,
    STRETCH_AT,
    STRETCH_COUNT,
    STRETCH_SECONDS,
};

static void begin_stretch(struct walk *walk)
{
    const struct db_rows *rows = walk->stretches.rows;
    const size_t row = walk->stretches.row;
    struct audit_pace next = {.served = db_u64(rows, row, STRETCH_SERVED),
                              .at_us = db_time_us(rows, row, STRETCH_AT),
                              .rate_count = db_u64(rows, row, STRETCH_COUNT),
                              .rate_seconds = (uint32_t)db_u64(rows, row, STRETCH_SECONDS)};
    char at[CLOCK_TEXT_BYTES];
    if (walk->has_stretch && next.served < walk->stretch.served)
        audit_violation(walk->audit, AUDIT_PACE,
                        "the count that began anew at %s went back from place %" PRIu64 " to %" PRIu64,
                        clock_format(next.at_us, at), walk->stretch.served, next.served);
    if (walk->has_step && next.at_us < walk->at_us)
        audit_violation(walk->audit, AUDIT_PACE, "the count began anew at %s, before place %" PRIu64 " was let in",
                        clock_format(next.at_us, at), walk->served);
    audit_pages_take(&walk->stretches);
    walk->stretch = next;
    walk->has_stretch = true;
}

// A step to `served` belongs to the last stretch that began below it.
static int find_stretch(struct walk *walk, uint64_t served)
{
    for (;;) {
        bool is_there;
        int r = audit_pages_look(walk->audit->db, walk->audit->event_id, &walk->stretches, &is_there);
        if (r < 0 || !is_there || db_u64(walk->stretches.rows, walk->stretches.row, STRETCH_SERVED) >= served)
            return r;
        begin_stretch(walk);
    }
}

// The turns of the places up to `served`, which were let in at `at_us`.
static int check_turns(struct walk *walk, uint64_t served, int64_t at_us)
{
    struct audit_pages *turns = &walk->turns;
    for (;;) {
        bool is_there;
        int r = audit_pages_look(walk->audit->db, walk->audit->event_id, turns, &is_there);
        if (r < 0 || !is_there || db_u64(turns->rows, turns->row, 0) > served)
            return r;
        if (db_time_us(turns->rows, turns->row, 1) < at_us)
            audit_violation(walk->audit, AUDIT_LINE, "place %" PRIu64 " had a turn before it was let in",
                            db_u64(turns->rows, turns->row, 0));
        audit_pages_take(turns);
    }
}

static void check_order(struct walk *walk, uint64_t served, int64_t at_us, uint64_t epoch, uint64_t stopped_us)
{
    struct audit *audit = walk->audit;
    if (served == 0)
        audit_violation(audit, AUDIT_LINE, "there is a step to place 0");
    if (walk->has_step && at_us < walk->at_us)
        audit_violation(audit, AUDIT_LINE, "the step to place %" PRIu64 " was before the one to place %" PRIu64, served,
                        walk->served);
    if (walk->has_step && epoch < walk->epoch)
        audit_violation(audit, AUDIT_LINE,
                        "the step to place %" PRIu64 " has epoch %" PRIu64 ", the one before had %" PRIu64, served,
                        epoch, walk->epoch);
    if (walk->has_step && stopped_us < walk->stopped_us)
        audit_violation(audit, AUDIT_LINE, "at the step to place %" PRIu64 " the event's clock had gone back", served);
}

static void check_pace(struct walk *walk, uint64_t served, int64_t at_us)
{
    char at[CLOCK_TEXT_BYTES], from[CLOCK_TEXT_BYTES];
    clock_format(at_us, at);
    if (!walk->has_stretch) {
        audit_violation(walk->audit, AUDIT_PACE, "the step to place %" PRIu64 " at %s has no count", served, at);
        return;
    }
    const struct audit_pace *stretch = &walk->stretch;
    if (audit_pace_holds(stretch, served, at_us))
        return;
    clock_format(stretch->at_us, from);
    if (stretch->rate_count == 0)
        audit_violation(walk->audit, AUDIT_PACE, "place %" PRIu64 " was let in at %s while the pace was 0", served, at);
    else
        audit_violation(walk->audit, AUDIT_PACE,
                        "%" PRIu64 " were let in from %s to %s, at most %" PRIu64 " by %" PRIu64 " per %" PRIu32 " s",
                        served - stretch->served, from, at, audit_pace_allowed(stretch, at_us), stretch->rate_count,
                        stretch->rate_seconds);
}

static int walk_page(struct walk *walk, const struct db_rows *rows)
{
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        uint64_t served = db_u64(rows, i, 0), epoch = db_u64(rows, i, 2), stopped_us = db_u64(rows, i, 3);
        int64_t at_us = db_time_us(rows, i, 1);
        int r = find_stretch(walk, served);
        if (r < 0)
            return r;
        check_order(walk, served, at_us, epoch, stopped_us);
        check_pace(walk, served, at_us);
        r = check_turns(walk, served, at_us);
        if (r < 0)
            return r;
        walk->has_step = true;
        walk->served = served;
        walk->at_us = at_us;
        walk->epoch = epoch;
        walk->stopped_us = stopped_us;
    }
    return 0;
}

int audit_served_log(struct audit *audit)
{
    struct walk walk = {
        .audit = audit,
        .stretches.sql = "SELECT id, served, at, rate_count, rate_seconds FROM pace_log WHERE event_id = ? AND id > ? "
                         "ORDER BY id LIMIT ?",
        .turns.sql = "SELECT place, began_at FROM turns WHERE event_id = ? AND place > ? ORDER BY place LIMIT ?",
    };
    int r = 0;
    for (bool more = true, first = true; r == 0 && more; first = false) {
        struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
        // The primary key's order; `>=` only for the first page, so that a step to place 0 is seen too.
        r = db_read(audit->db,
                    first ? "SELECT served, at, epoch, stopped_us FROM served_log WHERE event_id = ? AND served >= ? "
                            "ORDER BY served LIMIT ?"
                          : "SELECT served, at, epoch, stopped_us FROM served_log WHERE event_id = ? AND served > ? "
                            "ORDER BY served LIMIT ?",
                    (struct db_value[]){DB_U(audit->event_id), DB_U(walk.served), DB_U(AUDIT_PAGE_ROWS)}, 3,
                    AUDIT_PAGE_ROWS, &rows);
        if (r == 0)
            r = walk_page(&walk, rows);
        more = r == 0 && db_rows_count(rows) == AUDIT_PAGE_ROWS;
    }
    audit_pages_done(&walk.stretches);
    audit_pages_done(&walk.turns);
    return r;
}
