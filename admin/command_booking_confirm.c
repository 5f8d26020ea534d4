// SPDX-License-Identifier: Apache-2.0
// onsale booking confirm: what was paid at a desk or by a transfer, a few places by hand or thousands from a list. Each is judged for
// itself, and what became of it is said.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/command.h"
#include "admin/commands.h"
#include "admin/notify.h"
#include "admin/order_confirm.h"
#include "common/utf8.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf" // some editors begin a file with it

// Where the places come from: the command's words, or standard input.
struct source {
    char **words;
    size_t count, at;
    FILE *file; // NULL: the words
    char *line; // as getline() keeps it
    size_t line_size;
    bool has_begun;
};

struct tally {
    json_t *items;
    size_t confirmed, refused, unknown;
};

// The line without blanks around it and without its comment. What is too long to be a place or a reference is cut, and is then neither.
static void take_given(const char *line, char ret[static ORDER_CONFIRM_GIVEN_BYTES])
{
    static const char blanks[] = " \t\r\n";
    size_t bytes;
    line += strspn(line, blanks);
    bytes = strcspn(line, "#\n");
    while (bytes > 0 && strchr(blanks, line[bytes - 1]))
        bytes--;
    snprintf(ret, ORDER_CONFIRM_GIVEN_BYTES, "%.*s",
             (int)(bytes < ORDER_CONFIRM_GIVEN_BYTES ? bytes : ORDER_CONFIRM_GIVEN_BYTES), line);
    utf8_mend(ret);
}

// NULL: no line is left. A line with zero bytes in it (a list in UTF-16) is no text: it is given back as something that is nobody's, and
// not as the empty line that it would look like, for no line of a list may get lost unsaid.
static const char *next_line(struct source *source)
{
    const ssize_t bytes = getline(&source->line, &source->line_size, source->file);
    const char *line = source->line;
    if (bytes < 0)
        return NULL;
    for (ssize_t i = 0; i < bytes; i++)
        if (!source->line[i])
            source->line[i] = '?';
    if (!source->has_begun && strncmp(line, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
        line += strlen(BYTE_ORDER_MARK);
    source->has_begun = true;
    return line;
}

static bool next_given(struct source *source, char ret[static ORDER_CONFIRM_GIVEN_BYTES])
{
    if (!source->file) {
        if (source->at == source->count)
            return false;
        take_given(source->words[source->at++], ret);
        return true;
    }
    for (const char *line; (line = next_line(source));) {
        take_given(line, ret);
        if (*ret)
            return true;
    }
    return false;
}

static size_t next_batch(struct source *source, struct order_confirm items[static ORDER_CONFIRM_MAX])
{
    size_t count = 0;
    while (count < ORDER_CONFIRM_MAX && next_given(source, items[count].given))
        count++;
    return count;
}

static json_t *item_json(const struct order_confirm *item)
{
    const bool found = item->is_found;
    return json_pack("{s:s, s:b, s:o, s:o, s:s?, s:s?, s:o, s:s?, s:s?}", "given", item->given, "confirmed",
                     (int)item->is_confirmed, "place", found ? json_integer((json_int_t)item->place) : json_null(),
                     "attempt", found ? json_integer(item->attempt) : json_null(), "old",
                     found ? order_state_name(item->before) : NULL, "new", found ? order_state_name(item->after) : NULL,
                     "revision", found ? json_integer(item->revision) : json_null(), "reference",
                     *item->reference ? item->reference : NULL, "why", *item->why ? item->why : NULL);
}

static void item_text(const struct order_confirm *item, struct buffer *text)
{
    if (!item->is_found)
        buffer_format(text, "'%s': not confirmed: %s\n", item->given, item->why);
    else if (!item->is_confirmed)
        buffer_format(text, "place %" PRIu64 "%s%s: not confirmed: %s\n", item->place,
                      *item->reference ? ", reference " : "", item->reference, item->why);
    else
        buffer_format(text, "place %" PRIu64 ": %s, reference %s\n", item->place,
                      item->before == item->after ? "confirmed already" : "confirmed", item->reference);
}

static int tell_batch(const struct context *context, const struct order_confirm *items, size_t count,
                      struct tally *tally)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    for (size_t i = 0; i < count; i++) {
        tally->confirmed += items[i].is_confirmed;
        tally->refused += !items[i].is_confirmed;
        tally->unknown += !items[i].is_found;
        if (context->json)
            json_array_append_new(tally->items, item_json(&items[i]));
        else
            item_text(&items[i], &text);
    }
    return context->json ? EXIT_DONE : context_print_text(context, &text);
}

static int confirm_all(struct context *context, uint64_t event_id, struct source *source, struct tally *tally)
{
    static struct order_confirm items[ORDER_CONFIRM_MAX];
    struct outbox *outbox;
    char actor[CONTEXT_ACTOR_BYTES];
    int status = EXIT_DONE;
    if (outbox_new(&outbox) < 0)
        return context_fail(context, EXIT_FAILED, "out of memory");
    context_actor(actor);
    for (size_t count; status == EXIT_DONE && (count = next_batch(source, items)) > 0;) {
        int r = order_confirm(context->db, outbox, event_id, actor, items, count);
        status = r < 0 ? context_db_failed(context, r, "booking confirm") : tell_batch(context, items, count, tally);
    }
    if (source->file && ferror(source->file))
        status = context_fail(context, EXIT_FAILED, "standard input cannot be read");
    notify_outbox(context, outbox);
    outbox_free(outbox);
    return status;
}

static int find_event(struct context *context, const char *slug, uint64_t *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r =
        db_read(context->db, "SELECT id FROM events WHERE slug = ?", (struct db_value[]){db_text(slug)}, 1, 1, &rows);
    if (r < 0)
        return context_db_failed(context, r, "booking confirm");
    if (db_rows_count(rows) == 0)
        return context_no_event(context, slug);
    *ret = db_u64(rows, 0, 0);
    return EXIT_DONE;
}

static int print_tally(const struct context *context, const struct tally *tally)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    if (context->json)
        return context_print_json(context, json_pack("{s:s, s:I, s:I, s:O}", "event", context->arguments[0],
                                                     "confirmed", (json_int_t)tally->confirmed, "refused",
                                                     (json_int_t)tally->refused, "items", tally->items));
    if (tally->confirmed + tally->refused != 1)
        buffer_format(&text, "%zu confirmed, %zu not\n", tally->confirmed, tally->refused);
    return context_print_text(context, &text);
}

int command_booking_confirm(struct context *context)
{
    const size_t count = context->argument_count - 1;
    const bool reads_input = count == 1 && strcmp(context->arguments[1], "-") == 0;
    struct source source = {.words = context->arguments + 1, .count = count, .file = reads_input ? stdin : NULL};
    uint64_t event_id = 0;
    int status = context_database(context);
    if (status == EXIT_DONE)
        status = find_event(context, context->arguments[0], &event_id);
    if (status != EXIT_DONE)
        return status;
    struct tally tally = {.items = json_array()};
    status = confirm_all(context, event_id, &source, &tally);
    free(source.line);
    // What was confirmed before something failed stands, and is told.
    const int printed = print_tally(context, &tally);
    json_decref(tally.items);
    if (status != EXIT_DONE || printed != EXIT_DONE)
        return status != EXIT_DONE ? status : printed;
    if (tally.refused == 1 && tally.unknown == 1 && tally.confirmed == 0)
        return EXIT_NOT_FOUND;
    return tally.refused ? EXIT_FAILED : EXIT_DONE;
}
