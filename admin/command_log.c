// SPDX-License-Identifier: Apache-2.0
// onsale log: what was done to an event, when the count of the pace began anew and why, and how many were let in per
// minute, in the order of time.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/commands.h"
#include "common/buffer.h"
#include "common/clock.h"

#define ENTRIES_MAX 50000 // of each kind; the newest
#define MINUTE_US INT64_C(60000000)

// What is merged. A line that runs empty restarts its count with nearly every visitor: those rows are the audit's, not
// an operator's.
enum kind { KIND_ACTION, KIND_COUNT, KIND_LET_IN, KIND_COUNT_OF };
static const char *const queries[KIND_COUNT_OF] = {
    [KIND_ACTION] = "SELECT at, actor, action, detail FROM event_log WHERE event_id = ? ORDER BY id DESC LIMIT ?",
    [KIND_COUNT] =
        "SELECT at, pace, served, epoch, reason FROM pace_log WHERE event_id = ? AND reason NOT IN ('empty', 'full') "
        "ORDER BY id DESC LIMIT ?",
    // One minute more than is shown, to subtract from.
    [KIND_LET_IN] =
        "SELECT FLOOR(TIMESTAMPDIFF(SECOND, '1970-01-01 00:00:00', at) / 60) AS minute, MAX(served) FROM served_log "
        "WHERE event_id = ? GROUP BY minute ORDER BY minute DESC LIMIT ?",
};

struct merge {
    struct db_rows *rows[KIND_COUNT_OF]; // newest first
    size_t left[KIND_COUNT_OF]; // rows not shown yet; the next one is left - 1
};

static int64_t at_of(const struct merge *merge, enum kind kind)
{
    size_t row = merge->left[kind] - 1;
    return kind == KIND_LET_IN ? db_i64(merge->rows[kind], row, 0) * MINUTE_US : db_time_us(merge->rows[kind], row, 0);
}

// The kind of the oldest entry that is left; KIND_COUNT_OF at the end.
static enum kind oldest(const struct merge *merge)
{
    enum kind best = KIND_COUNT_OF;
    for (enum kind kind = 0; kind < KIND_COUNT_OF; kind++) {
        if (merge->left[kind] && (best == KIND_COUNT_OF || at_of(merge, kind) < at_of(merge, best)))
            best = kind;
    }
    return best;
}

static uint64_t let_in(const struct merge *merge, size_t row)
{
    const struct db_rows *rows = merge->rows[KIND_LET_IN];
    bool is_first = row + 1 == db_rows_count(rows);
    return db_u64(rows, row, 1) - (is_first ? 0 : db_u64(rows, row + 1, 1));
}

static json_t *entry_json(const struct merge *merge, enum kind kind, const char *at)
{
    const struct db_rows *rows = merge->rows[kind];
    size_t row = merge->left[kind] - 1;
    switch (kind) {
    case KIND_ACTION:
        return json_pack("{s:s, s:s, s:s, s:s, s:s?}", "at", at, "kind", "action", "actor", db_string(rows, row, 1),
                         "action", db_string(rows, row, 2), "detail", db_string(rows, row, 3));
    case KIND_COUNT:
        return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "at", at, "kind", "count", "pace", db_string(rows, row, 1),
                         "served", (json_int_t)db_u64(rows, row, 2), "epoch", (json_int_t)db_u64(rows, row, 3),
                         "reason", db_string(rows, row, 4));
    case KIND_LET_IN:
        return json_pack("{s:s, s:s, s:I, s:I}", "at", at, "kind", "let_in", "let_in", (json_int_t)let_in(merge, row),
                         "served", (json_int_t)db_u64(rows, row, 1));
    case KIND_COUNT_OF:
        break;
    }
    return NULL;
}

static void entry_text(const struct merge *merge, enum kind kind, const char *at, struct buffer *text)
{
    const struct db_rows *rows = merge->rows[kind];
    size_t row = merge->left[kind] - 1;
    buffer_format(text, "%-24s  ", at);
    if (kind == KIND_ACTION) {
        const char *detail = db_string(rows, row, 3);
        buffer_format(text, "%-8s %s%s", db_string(rows, row, 2), db_string(rows, row, 1),
                      detail && *detail ? ": " : "");
        for (; detail && *detail; detail++) // a notice may have lines; an entry is one
            buffer_append(text, (unsigned char)*detail < 0x20 ? " " : detail, 1);
        buffer_text(text, "\n");
    } else if (kind == KIND_COUNT) {
        buffer_format(text, "count    at %s from place %" PRIu64 " (%s, epoch %" PRIu64 ")\n", db_string(rows, row, 1),
                      db_u64(rows, row, 2), db_string(rows, row, 4), db_u64(rows, row, 3));
    } else {
        buffer_format(text, "let in   %" PRIu64 " in this minute, up to place %" PRIu64 "\n", let_in(merge, row),
                      db_u64(rows, row, 1));
    }
}

static int print(const struct context *context, struct merge *merge)
{
    int status = EXIT_DONE;
    for (enum kind kind = oldest(merge); status == EXIT_DONE && kind != KIND_COUNT_OF; kind = oldest(merge)) {
        char at[CLOCK_TEXT_BYTES];
        clock_format(at_of(merge, kind), at);
        if (context->json) {
            status = context_print_json(context, entry_json(merge, kind, at));
        } else {
            struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
            entry_text(merge, kind, at, &text);
            status = context_print_text(context, &text);
        }
        merge->left[kind]--;
    }
    return status;
}

static int read_all(struct context *context, const char *slug, struct merge *merge)
{
    struct db_rows *event CLEANUP(db_rows_cleanup) = NULL;
    int r =
        db_read(context->db, "SELECT id FROM events WHERE slug = ?", (struct db_value[]){db_text(slug)}, 1, 1, &event);
    if (r == 0 && db_rows_count(event) == 0)
        return context_no_event(context, slug);
    bool cut = false;
    for (enum kind kind = 0; r == 0 && kind < KIND_COUNT_OF; kind++) {
        r = db_read(context->db, queries[kind], (struct db_value[]){DB_U(db_u64(event, 0, 0)), DB_U(ENTRIES_MAX + 1)},
                    2, ENTRIES_MAX + 1, &merge->rows[kind]);
        if (r < 0)
            break;
        merge->left[kind] = db_rows_count(merge->rows[kind]);
        if (merge->left[kind] > ENTRIES_MAX) {
            merge->left[kind] = ENTRIES_MAX;
            cut = true;
        }
    }
    if (r < 0)
        return context_db_failed(context, r, "log");
    if (cut)
        context_note(context, "only the newest %d entries of each kind are shown", ENTRIES_MAX);
    return EXIT_DONE;
}

int command_log(struct context *context)
{
    int status = context_database(context);
    if (status != EXIT_DONE)
        return status;
    struct merge merge = {0};
    status = read_all(context, context->arguments[0], &merge);
    if (status == EXIT_DONE)
        status = print(context, &merge);
    for (enum kind kind = 0; kind < KIND_COUNT_OF; kind++)
        db_rows_free(merge.rows[kind]);
    return status;
}
