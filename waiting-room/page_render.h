// SPDX-License-Identifier: Apache-2.0
// The event's page as HTML: a template whose {{placeholders}} are filled from a view. What comes out is whole without
// JavaScript (forms for joining, ordering and leaving, the place, the wait, what became of an order); the scripts then keep
// the same elements up to date.
// Pure: no I/O, no clock, any thread.
#ifndef WAITING_ROOM_PAGE_RENDER_H
#define WAITING_ROOM_PAGE_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/order_state.h"

// What is said of a card that somebody has just left, or not.
#define PAGE_CARD_COMING "We are looking for your card. This page looks again by itself."
#define PAGE_CARD_LATE "Your card has not arrived yet."
#define PAGE_CARD_MISSED "No card was left. You can try again."
#define PAGE_OTHERS_MAX 3 // other choices beside the first

// What the visitor's token says: PAGE_LINE_NONE is somebody without a place.
enum page_line {
    PAGE_LINE_NONE,
    PAGE_LINE_LOBBY,
    PAGE_LINE_WAITING,
    PAGE_LINE_TURN,
    PAGE_LINE_OVER,
    PAGE_LINE_LEFT,
};

// Where what costs something is paid: at the door; or before it is confirmed, to the seller or with a card.
enum page_payment {
    PAGE_PAYS_DOOR,
    PAGE_PAYS_SELLER,
    PAGE_PAYS_CARD,
};

struct page_price {
    const char *name; // "Adult"
    const char *price_text; // "€75.00": see page_price_text()
    const char *code;
    uint32_t count; // tickets in the form, to begin with
};

struct page_tier {
    const char *code;
    const char *name;
    const char *kind; // "standing" or "seated"
    const struct page_price *prices;
    size_t price_count;
    uint64_t capacity;
    uint64_t left;
    uint64_t asked;
    bool chosen; // in the form, to begin with
    const char *seats; // asked for by name in the form, to begin with: "A-12, A-13"
};

struct page_order {
    enum order_state state;
    enum order_reason reason;
    const char *tickets_text; // "2 × Floor"
    uint32_t quantity;
    const char *amount_text; // "€90.00"; NULL: nothing is to be paid
    const char *email;
    const char *reference; // "K7QM-4WDP", of a booking that has places
    const char *seats_text; // "Row A, seats 12 and 13"; NULL: none are named
    const char *gone_text; // the same for seats asked for that others have
    const char *needs_text; // "1 place for a wheelchair"
    const char *pay_until_text; // "1 May 2027, 19:30 UTC"; NULL: the hold cannot run out
    bool may_have_more_time;
    int64_t ahead; // in standby: how many before this one; -1: not known
    const char *refund; // "pending", "done" or "failed"
    int32_t tries_left; // of ORDER_DECLINED; -1: not known
    bool has_card; // one is kept to pay with
    const char *card_label; // "visa 4242"; NULL or "": not known
    const char *action_url; // where the bank asks
    bool other_choice; // booked is not what was wanted first
    const char *const *alternatives; // each as tickets_text
    size_t alternative_count;
};

// Everything is borrowed for the call and is plain text in UTF-8: escaping is done here. A string that does not apply
// is NULL or "".
struct page_view {
    const char *lang; // NULL: "en"
    const char *slug;
    const char *name;
    const char *venue;
    const char *state; // of the event, as in the public document: "draft", "lobby", "open", …
    const char *starts_text; // "1 May 2027, 19:30 UTC"
    const char *opens_text;
    const char *until_text; // the end of the turn, with `line` PAGE_LINE_TURN
    const char *notice;
    const char *problem_text; // why the last form did not do what it should; a whole sentence
    const struct page_tier *tiers;
    size_t tier_count; // 0: the event is a gate only
    uint64_t in_line; // places (or seats in the lobby) given and not let in yet

    enum page_line line;
    uint64_t place; // in the lobby the seat
    uint64_t ahead;
    bool wait_known;
    uint64_t wait_low_seconds;
    uint64_t wait_high_seconds;

    const struct page_order *order; // the visitor's newest; NULL: none
    bool order_unknown; // whether there is one cannot be said now: then nothing is said about it
    bool choosing; // the form was asked for: it is shown, and the page does not renew itself
    uint32_t max_per_order;
    uint32_t max_per_customer; // 0: not known
    const char *field; // "tickets", "alternatives", "email" or "name": what the last form was refused for
    const char *field_text; // why; a whole sentence
    const char *form_email, *form_name; // to begin with
    bool asks_needs; // the event has places for wheelchairs or companions
    uint32_t form_wheelchair, form_companion; // to begin with
    enum page_payment payment;
    const char *card_url; // where the visitor may leave a card now, without a script; NULL: nowhere
    const char *card_note; // what has just become of that; a whole sentence
    bool card_is_coming; // the visitor has just left one, and what became of it is looked at again soon
    uint32_t hold_seconds;
    const char *other_tiers[PAGE_OTHERS_MAX]; // codes, to begin with

    const char *document_json; // the public document, as at /v1/events/SLUG; embedded for the script
    const char *line_json; // the visitor's own state, as at /v1/events/SLUG/line; NULL without a valid token
    const char *order_json; // the order, as at /v1/events/SLUG/order; NULL: none; "false": unknown
};

// Appends the page to `html`; a failure is html->failed. Placeholders that nobody knows come out empty; nothing that
// the view holds is looked through for placeholders.
void page_render(const char *template, size_t template_bytes, const struct page_view *view, struct buffer *html);

// An amount in the currency's minor unit (ISO 4217) as it stands in a price list: "€45.00", "¥4,500", "KWD 12.500".
void page_price_text(uint64_t amount, const char *currency, struct buffer *text);

#endif
