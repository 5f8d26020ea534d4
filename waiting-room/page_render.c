// SPDX-License-Identifier: Apache-2.0
// Fills the page's template. Which panel is shown follows from the event's state and the visitor's line by one rule,
// page_panel(), which the script repeats (panelOf in onsale.js): the two must agree, or the page would jump when the
// script starts.
#include "waiting-room/page_render.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "waiting-room/page_order.h"
#include "waiting-room/page_template.h"

#define REFRESH_SECONDS 15
#define REFRESH_SOON_SECONDS 3 // while an order is being booked

struct page {
    const struct page_view *view;
    const char *panel;
};

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static bool is_state(const struct page_view *view, const char *state)
{
    return view->state != NULL && strcmp(view->state, state) == 0;
}

static const char *page_panel(const struct page_view *view)
{
    bool ended = is_state(view, "closed") || is_state(view, "sold_out");
    if (page_outcome_stands_alone(view) || (ended && page_outcome(view)))
        return "outcome";
    if (view->line == PAGE_LINE_TURN && (!ended || view->tier_count == 0))
        return "turn";
    if (ended)
        return view->state;
    switch (view->line) {
    case PAGE_LINE_OVER:
        return "over";
    case PAGE_LINE_LEFT:
        return "left";
    case PAGE_LINE_LOBBY:
        return "lobby";
    case PAGE_LINE_WAITING:
        return "waiting";
    default:
        return is_state(view, "draft") || is_state(view, "stopped") ? view->state : "join";
    }
}

void page_append_count(struct buffer *html, uint64_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, count);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            buffer_text(html, ",");
        buffer_append(html, &digits[i], 1);
    }
}

// A whole number of units, rounded outwards by the caller: "2 hours", "2 hours 15 minutes", "6 minutes".
static void append_minutes(struct buffer *html, uint64_t minutes)
{
    uint64_t hours = minutes / 60, rest = minutes % 60;
    if (hours > 0)
        buffer_format(html, "%" PRIu64 " hour%s", hours, hours == 1 ? "" : "s");
    if (hours > 0 && rest > 0)
        buffer_text(html, " ");
    if (hours == 0 || rest > 0)
        buffer_format(html, "%" PRIu64 " minute%s", rest, rest == 1 ? "" : "s");
}

#define WAIT_SECONDS_MAX (48 * 3600) // a longer wait is not told as a range
#define DAY_SECONDS (24 * 3600)

// The range is rounded outwards, to minutes and from two hours on to quarters of an hour: rather vague than wrong.
// waitText() in onsale.js says the same words.
static void append_wait(struct buffer *html, const struct page_view *view)
{
    uint64_t low_seconds = view->wait_low_seconds, high_seconds = view->wait_high_seconds;
    bool is_endless = high_seconds >= WAIT_SECONDS_MAX;
    if (!view->wait_known || low_seconds > high_seconds || (is_endless && low_seconds < 3600)) {
        buffer_text(html, "How long it will take cannot be said yet.");
        return;
    }
    if (low_seconds >= DAY_SECONDS) {
        buffer_text(html, "More than a day.");
        return;
    }
    uint64_t low = low_seconds / 60, high = is_endless ? 0 : (high_seconds + 59) / 60;
    if (is_endless || high > 120) {
        if (low >= 120)
            low = low / 15 * 15;
        high = (high + 14) / 15 * 15;
    }
    if (is_endless) {
        buffer_text(html, "More than ");
        append_minutes(html, low);
    } else if (high <= 1) {
        buffer_text(html, "Less than a minute");
    } else if (low == 0) {
        buffer_text(html, "Less than ");
        append_minutes(html, high);
    } else {
        buffer_text(html, "About ");
        if (low < high && high < 60) {
            buffer_format(html, "%" PRIu64 " to ", low); // "4 to 6 minutes"
        } else if (low < high) {
            append_minutes(html, low);
            buffer_text(html, " to ");
        }
        append_minutes(html, high);
    }
    buffer_text(html, ".");
}

static void append_prices(struct buffer *html, const struct page_tier *tier)
{
    // A single price stands beside the tier's name and needs no name of its own: the short form of the event file
    // calls it "full".
    buffer_text(html, tier->price_count == 1 ? "<ul class=\"price-list single\">" : "<ul class=\"price-list\">");
    for (size_t i = 0; i < tier->price_count; i++) {
        buffer_text(html, "<li>");
        if (tier->price_count > 1) {
            buffer_text(html, "<span class=\"price-name\">");
            buffer_html(html, tier->prices[i].name);
            buffer_text(html, "</span> ");
        }
        buffer_text(html, "<span class=\"price\">");
        buffer_html(html, tier->prices[i].price_text);
        buffer_text(html, "</span></li>");
    }
    buffer_text(html, "</ul>");
}

static void append_tiers(struct buffer *html, const struct page_view *view)
{
    for (size_t i = 0; i < view->tier_count; i++) {
        const struct page_tier *tier = &view->tiers[i];
        buffer_text(html, "<li class=\"tier\" data-tier=\"");
        buffer_html(html, tier->code);
        buffer_text(html, tier->left == 0 ? "\" data-left=\"none\"><h3>" : "\"><h3>");
        buffer_html(html, tier->name);
        buffer_text(html, "</h3>");
        append_prices(html, tier);
        buffer_format(html, "<progress max=\"%" PRIu64 "\" value=\"%" PRIu64 "\" aria-hidden=\"true\"></progress>",
                      tier->capacity > 0 ? tier->capacity : 1, tier->left);
        page_append_left(html, tier);
        buffer_text(html, "</li>");
    }
}

// JSON inside a script element: "</script>" and "<!--" must not appear, and JSON lets every "<" be written as an
// escape.
static void append_json(struct buffer *html, const char *json)
{
    for (const char *rest = json != NULL ? json : "null"; *rest != '\0';) {
        size_t plain = strcspn(rest, "<");
        buffer_append(html, rest, plain);
        rest += plain;
        if (*rest == '<') {
            buffer_text(html, "\\u003c");
            rest++;
        }
    }
}

static void append_outcome_title(struct buffer *html, const char *outcome)
{
    static const struct {
        const char *outcome, *title;
    } titles[] = {
        {"held", "Now pay"}, {"paying", "Paying"}, {"action_required", "Your bank asks"}, {"confirmed", "Booked"}};
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (strcmp(outcome, titles[i].outcome) == 0)
            buffer_format(html, "%s · ", titles[i].title);
}

static void append_title(struct buffer *html, const struct page *page)
{
    const struct page_view *view = page->view;
    if (strcmp(page->panel, "waiting") == 0) {
        if (view->ahead > 0) {
            page_append_count(html, view->ahead);
            buffer_text(html, " ahead");
        } else {
            buffer_text(html, "You are next");
        }
        buffer_text(html, " · ");
    } else if (strcmp(page->panel, "turn") == 0) {
        buffer_text(html, view->tier_count > 0 ? "Your turn · " : "You are in · ");
    } else if (strcmp(page->panel, "outcome") == 0) {
        append_outcome_title(html, page_outcome(view));
    }
    buffer_html(html, view->name);
}

static void append_in_line(struct buffer *html, const struct page_view *view)
{
    bool lobby = is_state(view, "lobby");
    if (view->in_line == 0) {
        buffer_text(html, lobby ? "Nobody is in the lobby yet." : "Nobody is waiting now.");
        return;
    }
    page_append_count(html, view->in_line);
    buffer_text(html, view->in_line == 1 ? " person is " : " people are ");
    buffer_text(html, lobby ? "in the lobby now." : "waiting now.");
}

// What stands for a `text` placeholder: values of the view, escaped.
static bool append_value(struct buffer *html, const struct page *page, const char *name)
{
    const struct page_view *view = page->view;
    const struct {
        const char *name, *text;
    } texts[] = {
        {"slug", view->slug},
        {"name", view->name},
        {"venue", view->venue},
        {"starts", view->starts_text},
        {"opens", view->opens_text},
        {"until", view->until_text},
        {"notice", view->notice},
        {"problem", view->problem_text},
        {"panel", page->panel},
        {"lang", is_set(view->lang) ? view->lang : "en"},
        {"ahead_before", view->ahead > 0 ? "Ahead of you" : "You are next"},
        {"next_class", view->ahead > 0 ? "" : "next"},
        {"ahead_class", view->ahead < 100000 ? "" : " long"},
        {"ahead_unit", view->ahead == 1 ? "person" : "people"},
        {"turn_title", view->tier_count > 0 ? "It is your turn" : "You are in"},
        {"gate_class", view->tier_count > 0 ? "" : " gate"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(name, texts[i].name) != 0)
            continue;
        if (texts[i].text != NULL)
            buffer_html(html, texts[i].text);
        return true;
    }
    return false;
}

// Without scripts the page renews itself, but not under somebody who fills in the form.
static void append_refresh(struct buffer *html, const struct page_view *view)
{
    if (view->choosing)
        return;
    buffer_format(html, "<noscript><meta http-equiv=\"refresh\" content=\"%d; url=/e/",
                  page_order_is_moving(view) || view->card_is_coming ? REFRESH_SOON_SECONDS : REFRESH_SECONDS);
    buffer_html(html, view->slug);
    buffer_text(html, view->card_is_coming ? "?card=look\"></noscript>" : "\"></noscript>");
}

static void append_built(struct buffer *html, const struct page *page, const char *name)
{
    const struct page_view *view = page->view;
    if (strcmp(name, "title") == 0) {
        append_title(html, page);
    } else if (strcmp(name, "tiers") == 0) {
        append_tiers(html, view);
    } else if (strcmp(name, "wait") == 0) {
        append_wait(html, view);
    } else if (strcmp(name, "place") == 0) {
        page_append_count(html, view->place);
    } else if (strcmp(name, "ahead") == 0) {
        page_append_count(html, view->ahead);
    } else if (strcmp(name, "in_line") == 0) {
        append_in_line(html, view);
    } else if (strcmp(name, "refresh") == 0) {
        append_refresh(html, view);
    } else if (strcmp(name, "document_json") == 0) {
        append_json(html, view->document_json);
    } else if (strcmp(name, "line_json") == 0) {
        append_json(html, view->line_json);
    } else if (strcmp(name, "order_json") == 0) {
        append_json(html, view->order_json);
    } else {
        page_order_append(html, view, page->panel, name);
    }
}

// Whether the element of a placeholder {{hide_NAME}} is shown. Names that are no part below are panels.
static bool is_shown(const struct page *page, const char *name)
{
    const struct page_view *view = page->view;
    bool has_place =
        strcmp(page->panel, "waiting") == 0 || strcmp(page->panel, "lobby") == 0 || strcmp(page->panel, "turn") == 0;
    bool is_still = is_state(view, "paused") || is_state(view, "stopped");
    const struct {
        const char *name;
        bool shown;
    } parts[] = {
        {"venue", is_set(view->venue)},
        {"starts", is_set(view->starts_text)},
        {"opens", is_set(view->opens_text)},
        {"opens_unknown", !is_set(view->opens_text)},
        {"until", is_set(view->until_text) && !is_state(view, "stopped")},
        {"notice", is_set(view->notice)},
        {"problem", is_set(view->problem_text)},
        {"tiers", view->tier_count > 0},
        {"ahead", view->ahead > 0},
        {"wait", view->ahead > 0 && !is_still},
        {"keep", has_place},
        {"keep_until", view->line != PAGE_LINE_TURN && (!view->order || view->order->state != ORDER_PLACED)},
        {"still_paused", is_state(view, "paused") && view->line == PAGE_LINE_WAITING},
        {"still_stopped", is_state(view, "stopped") && (has_place || page_order_is_moving(view))},
        {"turn_still", is_state(view, "stopped")},
        {"join_lobby", is_state(view, "lobby")},
        {"join_line", !is_state(view, "lobby")},
        {"again", !is_state(view, "stopped")},
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strcmp(name, parts[i].name) == 0)
            return parts[i].shown;
    }
    bool shown;
    if (page_order_part(view, page->panel, name, &shown))
        return shown;
    return strcmp(name, page->panel) == 0;
}

static void append_placeholder(struct buffer *html, const struct page *page, const char *name)
{
    if (strncmp(name, "hide_", 5) == 0) {
        if (!is_shown(page, name + 5))
            buffer_text(html, " hidden");
    } else if (!append_value(html, page, name)) {
        append_built(html, page, name);
    }
}

static void append(struct buffer *html, const void *context, const char *name)
{
    append_placeholder(html, context, name);
}

void page_render(const char *template, size_t template_bytes, const struct page_view *view, struct buffer *html)
{
    struct page page = {.view = view, .panel = page_panel(view)};
    page_template_fill(template, template_bytes, append, &page, html);
}

// Currencies whose minor unit is not a hundredth (ISO 4217), and signs that everybody reads the same way.
static unsigned minor_digits(const char *currency)
{
    static const char none[] = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
    static const char three[] = "BHD IQD JOD KWD LYD OMR TND";
    static const char four[] = "CLF UYW";
    if (strstr(none, currency) != NULL)
        return 0;
    if (strstr(three, currency) != NULL)
        return 3;
    return strstr(four, currency) != NULL ? 4 : 2;
}

static const char *currency_sign(const char *currency)
{
    static const struct {
        const char *code, *sign;
    } signs[] = {{"EUR", "€"}, {"GBP", "£"}, {"USD", "$"}, {"JPY", "¥"}};
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        if (strcmp(currency, signs[i].code) == 0)
            return signs[i].sign;
    }
    return NULL;
}

void page_price_text(uint64_t amount, const char *currency, struct buffer *text)
{
    const char *sign = currency_sign(currency);
    unsigned digits = strlen(currency) == 3 ? minor_digits(currency) : 2;
    uint64_t unit = 1;
    for (unsigned i = 0; i < digits; i++)
        unit *= 10;
    buffer_text(text, sign != NULL ? sign : currency);
    if (sign == NULL)
        buffer_text(text, " ");
    page_append_count(text, amount / unit);
    if (digits > 0)
        buffer_format(text, ".%0*" PRIu64, (int)digits, amount % unit);
}
