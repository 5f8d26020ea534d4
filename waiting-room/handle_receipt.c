// SPDX-License-Identifier: Apache-2.0
// GET /e/SLUG/receipt: the ticket to show at the door, signed when it is looked at. GET /.well-known/jwks.json: the keys to check it with.
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/ticket.h"
#include "waiting-room/handle.h"
#include "waiting-room/order_facts.h"
#include "waiting-room/page_build.h"
#include "waiting-room/page_receipt.h"
#include "waiting-room/visit.h"

#define RETRY_AFTER_SECONDS 2

// False: there is no key that signs, or what was booked cannot be said in a ticket.
static bool sign(const struct visit *visit, const struct order_facts *order, char ret[static TICKET_BYTES_MAX])
{
    int64_t now = clock_utc_us() / 1000000;
    const struct snapshot *event = visit->view->event;
    const struct ticket_key *key = ticket_keys_signing(visit->loop->tickets, now);
    struct ticket ticket = {.place = order->place, .quantity = order->quantity, .issued_at = now};
    if (!key)
        return false;
    memcpy(ticket.event, event->slug, sizeof ticket.event);
    memcpy(ticket.reference, order->reference, sizeof ticket.reference);
    memcpy(ticket.tier, order->tier, sizeof ticket.tier);
    ticket_set_seats(&ticket, order->seats);
    int error = ticket_sign(&ticket, key, ret);
    if (error < 0)
        log_error("ticket_not_signed", LOG_S("slug", event->slug), LOG_U("place", order->place),
                  LOG_S("class", error_str(error)));
    return error == 0;
}

static void render(struct visit *visit, const struct order_facts *order)
{
    const struct snapshot *event = visit->view->event;
    const struct page_file *template = &visit->loop->page->files[PAGE_RECEIPT_HTML];
    struct buffer html CLEANUP(buffer_done) = BUFFER_INIT, cookie CLEANUP(buffer_done) = BUFFER_INIT;
    struct page_build build CLEANUP(page_build_done) = {0};
    struct page_view view = {0};
    const struct form nothing = {0};
    char starts[PAGE_TIME_BYTES], starts_at[CLOCK_TEXT_BYTES], code[TICKET_BYTES_MAX];
    page_build(&build, event, order, &nothing, &view);
    struct page_receipt receipt = {
        .slug = event->slug,
        .name = event->name,
        .venue = event->venue,
        .timezone = event->timezone,
        .starts_text = page_time_text(event->starts_at_us, starts),
        .starts_at = event->starts_at_us == SNAPSHOT_NO_TIME ? NULL : clock_format(event->starts_at_us, starts_at),
        .order = &build.order,
        .payment = handle_page_payment(visit->loop->room->config),
        .code = sign(visit, order, code) ? code : NULL,
    };
    page_receipt_render(template->data, template->bytes, &receipt, &html);
    visit_renew(visit, &cookie);
    handle_page_respond(visit, &html, &cookie);
}

// With MySQL away, what was heard last is still true of a booking, for only an operator takes it back; that there is none may have been
// heard long ago.
static void answer(struct visit *visit)
{
    const struct visitor *visitor = visit->visitor;
    bool is_away = visit->error == ERROR_TRANSIENT, is_known = visit->error == 0 || (is_away && visitor->order_known);
    if (is_known && visitor->order && visitor->order->state == ORDER_CONFIRMED) {
        render(visit, visitor->order);
        return;
    }
    handle_page_problem(visit->exchange, is_away ? &PROBLEM_UNAVAILABLE : &PROBLEM_NO_RECEIPT,
                        is_away ? RETRY_AFTER_SECONDS : 0);
    visit_free(visit);
}

void handle_receipt(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct visit *visit = visit_begin(exchange, request, view);
    if (!visit)
        return;
    if (visit->visitor) {
        visit_read_order(visit, answer); // whether it still stands, MySQL knows
        return;
    }
    handle_page_problem(exchange, &PROBLEM_NO_RECEIPT, 0);
    visit_free(visit);
}

void handle_jwks(struct http_exchange *exchange)
{
    const struct room_loop *loop = http_loop_data(http_exchange_loop(exchange));
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    ticket_keys_write_public(loop->tickets, &text);
    struct http_header headers[] = {
        {"content-type", "application/jwk-set+json"},
        {"cache-control", "public, max-age=60"}, // a key is there for ten minutes before it signs
        {"x-content-type-options", "nosniff"},
    };
    http_respond(exchange, 200, headers, 3, text.data, text.bytes);
}
