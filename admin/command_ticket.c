// SPDX-License-Identifier: Apache-2.0
// onsale ticket check: what the code says that somebody shows at the door, and whether the booking behind it still stands.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/commands.h"
#include "admin/tickets.h"
#include "common/clock.h"
#include "common/order_state.h"
#include "common/ticket.h"

#define BLANKS " \t\r\n"

// The booking behind a ticket, as it is now.
struct found {
    bool is_there;
    enum order_state state;
    char refund[9]; // "": none
    uint32_t quantity;
    char tier_name[256];
};

// Reads one line. False: there is none, or a longer one than a code can be.
static bool read_line(char ret[static TICKET_BYTES_MAX])
{
    if (!fgets(ret, TICKET_BYTES_MAX, stdin))
        return false;
    return strchr(ret, '\n') || strlen(ret) < TICKET_BYTES_MAX - 1;
}

// Scanners and hands leave blanks around it.
static const char *trim(const char *text, size_t *ret_bytes)
{
    text += strspn(text, BLANKS);
    size_t bytes = strlen(text);
    while (bytes > 0 && strchr(BLANKS, text[bytes - 1]))
        bytes--;
    *ret_bytes = bytes;
    return text;
}

// What a reason of ticket_verify() means to who stands at the door.
static const char *words_of(const char *reason)
{
    if (strcmp(reason, "key") == 0)
        return "it was signed with a key that is not one of these";
    if (strcmp(reason, "signature") == 0)
        return "it is forged or damaged: the signature is wrong";
    if (strcmp(reason, "type") == 0 || strcmp(reason, "algorithm") == 0)
        return "it is forged, or the code of something else";
    return "it is no ticket";
}

static int look_up(struct context *context, const struct ticket *ticket, struct found *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(context->db,
                    "SELECT b.state, b.quantity, COALESCE(t.name, b.tier), b.refund FROM bookings b"
                    " JOIN events e ON e.id = b.event_id"
                    " LEFT JOIN tiers t ON t.event_id = b.event_id AND t.code = b.tier"
                    " WHERE b.reference = ? AND e.slug = ? AND b.place = ?",
                    (struct db_value[]){db_text(ticket->reference), db_text(ticket->event), DB_U(ticket->place)}, 3, 1,
                    &rows);
    if (r < 0 || db_rows_count(rows) == 0)
        return r;
    r = order_state_parse(db_string(rows, 0, 0), &ret->state);
    if (r < 0)
        return ERROR_BUG;
    const char *name = db_string(rows, 0, 2), *refund = db_string(rows, 0, 3);
    ret->is_there = true;
    ret->quantity = (uint32_t)db_u64(rows, 0, 1);
    snprintf(ret->tier_name, sizeof(ret->tier_name), "%s", name ? name : "");
    snprintf(ret->refund, sizeof(ret->refund), "%s", refund ? refund : "");
    return 0;
}

// Why nobody comes in with it. NULL: it is good.
static const char *why_not(const struct context *context, const struct ticket *ticket, const struct found *found,
                           char text[static 128])
{
    const char *event = context_option(context, "event");
    if (event && strcmp(event, ticket->event) != 0) {
        snprintf(text, 128, "it is for another event, %s", ticket->event);
        return text;
    }
    if (!found->is_there)
        return "there is no such booking";
    if (found->state == ORDER_CONFIRMED)
        return NULL;
    if (found->state == ORDER_CANCELLED && *found->refund) {
        snprintf(text, 128, "the booking was cancelled, and its money goes back (%s)", found->refund);
        return text;
    }
    snprintf(text, 128, "the booking is %s", order_state_name(found->state));
    return text;
}

static json_t *ticket_json(const struct ticket *ticket, const struct found *found, const char *why)
{
    char issued[CLOCK_TEXT_BYTES];
    return json_pack("{s:b, s:s?, s:s, s:s, s:I, s:s, s:I, s:o, s:s?, s:s}", "valid", !why, "why", why, "event",
                     ticket->event, "reference", ticket->reference, "place", (json_int_t)ticket->place, "tier",
                     ticket->tier, "quantity", (json_int_t)ticket->quantity, "seats",
                     tickets_seats(*ticket->seats ? ticket->seats : NULL), "state",
                     found->is_there ? order_state_name(found->state) : NULL, "issued_at",
                     clock_format(ticket->issued_at * 1000000, issued));
}

static int say_forged(const struct context *context, const char *why)
{
    if (context->json) {
        int status = context_print_json(context, json_pack("{s:b, s:s}", "valid", 0, "why", why));
        return status == EXIT_DONE ? EXIT_FAILED : status;
    }
    return context_fail(context, EXIT_FAILED, "not valid: %s", why);
}

static int say(const struct context *context, const struct ticket *ticket, const struct found *found, const char *why)
{
    if (context->json) {
        int status = context_print_json(context, ticket_json(ticket, found, why));
        return status == EXIT_DONE && why ? EXIT_FAILED : status;
    }
    if (why)
        return context_fail(context, EXIT_FAILED, "not valid: %s (%s, reference %s)", why, ticket->event,
                            ticket->reference);
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT, seats CLEANUP(buffer_done) = BUFFER_INIT;
    tickets_seats_text(*ticket->seats ? ticket->seats : NULL, &seats);
    buffer_format(&text, "valid: %" PRIu32 " × %s", found->quantity, found->tier_name);
    if (seats.bytes > 0)
        buffer_format(&text, ", %s", seats.data);
    buffer_format(&text, ", %s, reference %s, place %" PRIu64 ", confirmed\n", ticket->event, ticket->reference,
                  ticket->place);
    return context_print_text(context, &text);
}

// A slug that is mistyped would turn everybody away.
static int check_event(struct context *context)
{
    const char *event = context_option(context, "event");
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    if (!event)
        return EXIT_DONE;
    int r =
        db_read(context->db, "SELECT 1 FROM events WHERE slug = ?", (struct db_value[]){db_text(event)}, 1, 1, &rows);
    if (r < 0)
        return context_db_failed(context, r, "ticket check");
    return db_rows_count(rows) == 0 ? context_no_event(context, event) : EXIT_DONE;
}

int command_ticket_check(struct context *context)
{
    char line[TICKET_BYTES_MAX] = "", problem[256] = "", why_text[128];
    bool is_whole = true;
    const char *given = context->arguments[0], *reason = "";
    if (strcmp(given, "-") == 0) {
        is_whole = read_line(line);
        given = line;
    }
    struct ticket_keys *keys = NULL;
    int r = ticket_keys_load(context->config->common.tokens_directory, &keys, problem, sizeof(problem));
    if (r < 0)
        return context_fail(context, EXIT_FAILED, "the tickets' keys cannot be read: %s", problem);
    size_t bytes;
    struct ticket ticket;
    const char *code = trim(given, &bytes);
    r = is_whole ? ticket_verify(code, bytes, keys, &ticket, &reason) : ERROR_INVALID;
    ticket_keys_unref(keys);
    if (r < 0)
        return say_forged(context, words_of(reason));
    struct found found = {0};
    int status = context_database(context);
    if (status == EXIT_DONE)
        status = check_event(context);
    if (status != EXIT_DONE)
        return status;
    r = look_up(context, &ticket, &found);
    if (r < 0)
        return context_db_failed(context, r, "ticket check");
    return say(context, &ticket, &found, why_not(context, &ticket, &found, why_text));
}
