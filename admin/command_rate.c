// SPDX-License-Identifier: Apache-2.0
// onsale rate: shows or dials the pace. MySQL first, then a knock at admission, whose answer says how long it took to
// act.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/commands.h"
#include "admin/event_reader.h"
#include "admin/notify.h"
#include "common/clock.h"
#include "common/pace.h"

#define ANSWER_TIMEOUT_MS 2000

struct dialled {
    char old[PACE_TEXT_BYTES];
    uint64_t version;
};

static int write_pace(struct db *db, uint64_t id, const char *old, const char *pace)
{
    char actor[CONTEXT_ACTOR_BYTES], detail[2 * PACE_TEXT_BYTES + 8];
    snprintf(detail, sizeof(detail), "%s → %s", old, pace);
    int r = db_write(db, "UPDATE events SET pace = ?, version = version + 1 WHERE id = ?",
                     (struct db_value[]){db_text(pace), DB_U(id)}, 2, NULL);
    if (r < 0)
        return r;
    return db_write(
        db, "INSERT INTO event_log (event_id, at, actor, action, detail) VALUES (?, UTC_TIMESTAMP(6), ?, 'pace', ?)",
        (struct db_value[]){DB_U(id), db_text(context_actor(actor)), db_text(detail)}, 3, NULL);
}

static int dial_in_transaction(struct db *db, const char *slug, const char *pace, struct dialled *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(db, "SELECT id, version, pace FROM events WHERE slug = ? FOR UPDATE",
                    (struct db_value[]){db_text(slug)}, 1, 1, &rows);
    if (r < 0)
        return r;
    if (db_rows_count(rows) == 0)
        return ERROR_NOT_FOUND;
    const char *old = db_string(rows, 0, 2);
    bool same = strcmp(old, pace) == 0;
    r = same ? 0 : write_pace(db, db_u64(rows, 0, 0), old, pace);
    if (r < 0 || (r = db_commit(db)) < 0)
        return r;
    snprintf(ret->old, sizeof(ret->old), "%s", old);
    ret->version = db_u64(rows, 0, 1) + !same;
    return 0;
}

static int dial(struct context *context, const char *slug, const char *pace, struct dialled *ret)
{
    int r = db_begin(context->db);
    if (r == 0)
        r = dial_in_transaction(context->db, slug, pace, ret);
    if (r < 0 && db_is_connected(context->db))
        db_rollback(context->db);
    if (r == ERROR_NOT_FOUND)
        return context_no_event(context, slug);
    return r < 0 ? context_db_failed(context, r, "rate") : EXIT_DONE;
}

static int report(const struct context *context, const char *slug, const struct dialled *dialled, const char *pace,
                  int64_t acted_us)
{
    double acted_ms = (double)acted_us / 1000;
    if (context->json)
        return context_print_json(context,
                                  json_pack("{s:s, s:s, s:s, s:o, s:s}", "event", slug, "old", dialled->old, "new",
                                            pace, "acted_ms", acted_us < 0 ? json_null() : json_real(acted_ms),
                                            "admission", acted_us < 0 ? "away" : "acted"));
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    buffer_format(&text, "%s: %s → %s", slug, dialled->old, pace);
    if (acted_us < 0)
        buffer_text(&text, "; admission is away, it will act on it once it is back\n");
    else
        buffer_format(&text, "; admission acted on it after %.1f ms\n", acted_ms);
    return context_print_text(context, &text);
}

static int show(struct context *context, const char *slug)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r =
        db_read(context->db, "SELECT pace FROM events WHERE slug = ?", (struct db_value[]){db_text(slug)}, 1, 1, &rows);
    if (r < 0)
        return context_db_failed(context, r, "rate");
    if (db_rows_count(rows) == 0)
        return context_no_event(context, slug);
    if (context->json)
        return context_print_json(context, json_pack("{s:s, s:s}", "event", slug, "pace", db_string(rows, 0, 0)));
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    buffer_format(&text, "%s: %s\n", slug, db_string(rows, 0, 0));
    return context_print_text(context, &text);
}

int command_rate(struct context *context)
{
    const char *slug = context->arguments[0];
    char pace[PACE_TEXT_BYTES] = "";
    if (context->argument_count == 2) {
        struct pace parsed;
        if (pace_parse(context->arguments[1], &parsed) < 0)
            return context_fail(context, EXIT_USAGE, "'%.40s' is no pace: " PACE_ALLOWED, context->arguments[1]);
        pace_format(&parsed, pace);
    }
    int status = context_database(context);
    if (status != EXIT_DONE)
        return status;
    if (!*pace)
        return show(context, slug);

    struct notify *notify = notify_open(context, true);
    struct dialled dialled = {0};
    int64_t acted_us = -1;
    status = dial(context, slug, pace, &dialled);
    if (status == EXIT_DONE) {
        int64_t from_ns = clock_monotonic_ns();
        notify_send(notify, slug, dialled.version);
        if (notify_wait_acted(notify, slug, dialled.version, ANSWER_TIMEOUT_MS))
            acted_us = (clock_monotonic_ns() - from_ns) / 1000;
        status = report(context, slug, &dialled, pace, acted_us);
    }
    notify_close(notify);
    return status;
}
