// SPDX-License-Identifier: Apache-2.0
// onsale lobby, open, pause, resume, stop, start, close: one action on an event's state each, by the rules in
// common/lifecycle.c. And onsale say, the notice.
#include <inttypes.h>
#include <string.h>

#include "admin/command.h"
#include "admin/commands.h"
#include "admin/notify.h"
#include "common/lifecycle.h"
#include "common/slug.h"
#include "common/utf8.h"

#define REASON_CHARACTERS_MAX 500
#define NOTICE_CHARACTERS_MAX 500

// Text for people: well-formed UTF-8, no control characters but line breaks, at most so many characters.
static int check_text(const struct context *context, const char *what, const char *text, size_t characters_max)
{
    size_t characters = 0, bytes = strlen(text);
    for (size_t at = 0; at < bytes; characters++) {
        size_t step = utf8_character_bytes(text + at, bytes - at);
        if (step == 0)
            return context_fail(context, EXIT_USAGE, "%s is not UTF-8", what);
        unsigned char c = (unsigned char)text[at];
        if ((c < 0x20 && c != '\n') || c == 0x7f)
            return context_fail(context, EXIT_USAGE, "%s holds a control character", what);
        at += step;
    }
    if (characters > characters_max)
        return context_fail(context, EXIT_USAGE, "%s has %zu characters; at most %zu are allowed", what, characters,
                            characters_max);
    return EXIT_DONE;
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

static int say_changed(const struct context *context, const char *slug, const struct lifecycle_change *change)
{
    const char *before = lifecycle_state_name(change->before), *after = lifecycle_state_name(change->after);
    if (context->json)
        return context_print_json(context, json_pack("{s:s, s:s, s:s, s:I}", "event", slug, "old", before, "new", after,
                                                     "version", (json_int_t)change->version));
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    if (change->before == change->after)
        buffer_format(&text, "%s: %s already\n", slug, after);
    else
        buffer_format(&text, "%s: %s → %s\n", slug, before, after);
    return context_print_text(context, &text);
}

int command_lifecycle(struct context *context)
{
    const char *slug = context->arguments[0];
    enum lifecycle_action action;
    if (!action_of(context->command->name, &action))
        return context_fail(context, EXIT_FAILED, "%s: no such action", context->command->name);
    const char *reason = context_option(context, "reason");
    if (action == LIFECYCLE_DO_STOP && (!reason || !*reason))
        return context_fail(context, EXIT_USAGE, "stop: --reason TEXT is needed; it goes into the event's log");
    int status = reason ? check_text(context, "--reason", reason, REASON_CHARACTERS_MAX) : EXIT_DONE;
    if (status == EXIT_DONE)
        status = context_database(context);
    if (status != EXIT_DONE)
        return status;

    char actor[CONTEXT_ACTOR_BYTES];
    struct lifecycle_change change;
    int r = lifecycle_apply(context->db, slug, action, context_actor(actor), reason, &change);
    if (r == ERROR_NOT_FOUND)
        return context_no_event(context, slug);
    if (r == ERROR_CONFLICT)
        return context_fail(context, EXIT_FAILED, "%s: impossible, the event %s is %s", context->command->name, slug,
                            lifecycle_state_name(change.before));
    if (r < 0)
        return context_db_failed(context, r, context->command->name);
    if (change.before != change.after)
        notify_changed(context, slug, change.version);
    return say_changed(context, slug, &change);
}

static int write_notice(struct context *context, uint64_t id, const char *notice)
{
    char actor[CONTEXT_ACTOR_BYTES];
    int r = db_write(
        context->db,
        "UPDATE events SET notice = ?, notice_at = IF(? IS NULL, NULL, UTC_TIMESTAMP(6)), version = version + 1 "
        "WHERE id = ?",
        (struct db_value[]){db_text(notice), db_text(notice), DB_U(id)}, 3, NULL);
    if (r < 0)
        return r;
    return db_write(
        context->db,
        "INSERT INTO event_log (event_id, at, actor, action, detail) VALUES (?, UTC_TIMESTAMP(6), ?, 'say', ?)",
        (struct db_value[]){DB_U(id), db_text(context_actor(actor)), db_text(notice ? notice : "")}, 3, NULL);
}

// In one transaction under the event's lock. *ret_version stays 0 when the notice is that one already.
static int change_notice(struct context *context, const char *slug, const char *notice, uint64_t *ret_version)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_begin(context->db);
    if (r < 0)
        return r;
    r = db_read(context->db, "SELECT id, version, notice FROM events WHERE slug = ? FOR UPDATE",
                (struct db_value[]){db_text(slug)}, 1, 1, &rows);
    if (r == 0 && db_rows_count(rows) == 0)
        r = ERROR_NOT_FOUND;
    const char *old = r == 0 ? db_string(rows, 0, 2) : NULL;
    bool same = r == 0 && (old && notice ? strcmp(old, notice) == 0 : old == notice);
    if (r == 0 && !same)
        r = write_notice(context, db_u64(rows, 0, 0), notice);
    if (r == 0)
        r = db_commit(context->db);
    if (r < 0) {
        if (db_is_connected(context->db))
            db_rollback(context->db);
        return r;
    }
    *ret_version = same ? 0 : db_u64(rows, 0, 1) + 1;
    return 0;
}

int command_say(struct context *context)
{
    const char *slug = context->arguments[0];
    const char *notice = *context->arguments[1] ? context->arguments[1] : NULL;
    int status = notice ? check_text(context, "the notice", notice, NOTICE_CHARACTERS_MAX) : EXIT_DONE;
    if (status == EXIT_DONE)
        status = context_database(context);
    if (status != EXIT_DONE)
        return status;
    uint64_t version = 0;
    int r = change_notice(context, slug, notice, &version);
    if (r == ERROR_NOT_FOUND)
        return context_no_event(context, slug);
    if (r < 0)
        return context_db_failed(context, r, "say");
    if (version)
        notify_changed(context, slug, version);
    if (context->json)
        return context_print_json(
            context, json_pack("{s:s, s:s?, s:b}", "event", slug, "notice", notice, "changed", version != 0));
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    buffer_format(&text, notice ? "%s: the notice is on every page\n" : "%s: there is no notice any more\n", slug);
    return context_print_text(context, &text);
}
