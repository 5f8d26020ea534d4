// SPDX-License-Identifier: Apache-2.0
// The words are those of page/pay.js.
#include "waiting-room/page_pay.h"

#include <inttypes.h>
#include <string.h>

#define URL_PREFIX "https://"
#define URL_PREFIX_PLAIN "http://"

static bool is_set(const char *text)
{
    return text && *text;
}

// Only the web's own addresses become links.
static bool is_address(const char *url)
{
    return url && (strncmp(url, URL_PREFIX, strlen(URL_PREFIX)) == 0 ||
                   strncmp(url, URL_PREFIX_PLAIN, strlen(URL_PREFIX_PLAIN)) == 0);
}

static bool is_due(const struct page_view *view)
{
    return view->payment == PAGE_PAYS_CARD && view->order && is_set(view->order->amount_text);
}

static bool has_card(const struct page_view *view)
{
    return view->order && view->order->has_card;
}

static bool is_declined(const struct page_view *view)
{
    return view->order && view->order->state == ORDER_DECLINED;
}

// Five payments did not go through: what is kept goes back when its time is up.
static bool is_last(const struct page_view *view)
{
    return is_declined(view) && view->order->tries_left == 0;
}

bool page_pay_is_later(const struct page_view *view)
{
    return is_due(view) && !has_card(view);
}

bool page_pay_part(const struct page_view *view, const char *name, bool *ret_shown)
{
    bool has_action = view->order && view->order->state == ORDER_ACTION_REQUIRED;
    const struct {
        const char *name;
        bool shown;
    } parts[] = {
        {"held_first", !is_declined(view)},
        {"held_again", is_declined(view)},
        {"pays_seller", view->payment != PAGE_PAYS_CARD},
        {"pays_card", view->payment == PAGE_PAYS_CARD},
        {"order_card", is_due(view)},
        {"card_none", !has_card(view)},
        {"card_kept", has_card(view)},
        {"pay_form", has_card(view) && !is_last(view)},
        {"pay_card", !is_last(view)},
        {"tries", is_declined(view) && view->order->tries_left >= 0},
        {"card_open", is_address(view->card_url)},
        {"card_note", is_set(view->card_note)},
        {"payment_unknown", view->order && view->order->reason == ORDER_PAYMENT_UNKNOWN},
        {"action", has_action && is_address(view->order->action_url)},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strcmp(name, parts[i].name) == 0) {
            *ret_shown = parts[i].shown;
            return true;
        }
    }
    return false;
}

static const char *declined_text(enum order_reason reason)
{
    switch (reason) {
    case ORDER_CARD_DECLINED:
        return "Your bank said no to this card, and not why. It can tell you; or take another card.";
    case ORDER_INSUFFICIENT_FUNDS:
        return "Your bank says that there is not enough money for this card.";
    case ORDER_EXPIRED_CARD:
        return "This card has expired. Take another one.";
    case ORDER_AUTHENTICATION_FAILED:
        return "Your bank’s question was not answered, or not as it had to be.";
    case ORDER_PAYMENT_METHOD_INVALID:
        return "This card cannot be charged here. Take another one.";
    default:
        return "Your payment did not go through.";
    }
}

static void append_tries(struct buffer *html, int32_t left)
{
    if (left == 0)
        buffer_text(html, "That was the last try: this order cannot be paid with a card any more.");
    else if (left == 1)
        buffer_text(html, "You can try once more.");
    else
        buffer_format(html, "You can try %" PRId32 " more times.", left);
}

static const char *label_of(const struct page_order *order)
{
    return is_set(order->card_label) ? order->card_label : "a card";
}

// What the buttons say, and the title above the card.
static bool append_act(struct buffer *html, const struct page_view *view, const char *name)
{
    static const struct page_order nothing;
    const struct page_order *order = view->order ? view->order : &nothing;
    static const char again[] = "Start again with a new card page";
    bool kept = has_card(view), is_open = is_address(view->card_url); // a page that is open is the way on
    if (strcmp(name, "pay_now") == 0) {
        buffer_text(html, "Pay ");
        buffer_html(html, is_set(order->amount_text) ? order->amount_text : "");
        buffer_text(html, kept ? " with " : "");
        buffer_html(html, kept ? label_of(order) : "");
    } else if (strcmp(name, "tries") == 0) {
        if (is_declined(view) && order->tries_left >= 0)
            append_tries(html, order->tries_left);
    } else if (strcmp(name, "card_title") == 0) {
        buffer_text(html, kept ? "Your card: " : "Pay with a card at your turn");
        buffer_html(html, kept ? label_of(order) : "");
    } else if (strcmp(name, "pay_card") == 0) {
        buffer_text(html, is_open ? again : kept ? "Use another card" : "Pay by card");
    } else if (strcmp(name, "leave_card") == 0) {
        buffer_text(html, is_open ? again : kept ? "Use another card" : "Leave a card");
    } else if (strcmp(name, "card_button") == 0) {
        buffer_text(html, kept || is_open ? "plain" : "main");
    } else if (strcmp(name, "card_link") == 0) {
        buffer_text(html, kept ? "plain" : "main");
    } else {
        return false;
    }
    return true;
}

bool page_pay_append(struct buffer *html, const struct page_view *view, const char *name)
{
    static const char *const kinds[] = {
        [PAGE_PAYS_DOOR] = "door", [PAGE_PAYS_SELLER] = "seller", [PAGE_PAYS_CARD] = "card"};
    const char *action = view->order ? view->order->action_url : NULL;
    const struct {
        const char *name, *text;
    } texts[] = {
        {"payment", kinds[view->payment]},
        {"declined_why", is_declined(view) ? declined_text(view->order->reason) : ""},
        {"card_note", is_set(view->card_note) ? view->card_note : ""},
        {"card_url", is_address(view->card_url) ? view->card_url : ""},
        {"action_url", is_address(action) ? action : ""},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(name, texts[i].name) == 0) {
            buffer_html(html, texts[i].text);
            return true;
        }
    }
    return append_act(html, view, name);
}
