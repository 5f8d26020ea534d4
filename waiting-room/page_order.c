// SPDX-License-Identifier: Apache-2.0
// Outcomes are sections of the template: one is shown, all are filled. The form's fields are named so that it works without
// JavaScript: tier, tickets.TIER.CODE, seats.TIER, wheelchair, companion, alternative.N, email, name, do.
#include "waiting-room/page_order.h"

#include <inttypes.h>
#include <string.h>

#include "waiting-room/page_pay.h"
#include "waiting-room/page_receipt.h"

static bool is_set(const char *text)
{
    return text && *text;
}

static bool is_still(const struct page_view *view)
{
    return view->state && strcmp(view->state, "stopped") == 0;
}

// In its turn an order is handed over within moments, and nobody is told of that alone: so it counts as being booked.
static bool is_due(const struct page_view *view)
{
    return view->line == PAGE_LINE_TURN && view->state && !is_still(view);
}

const char *page_outcome(const struct page_view *view)
{
    const struct page_order *order = view->order;
    if (!order)
        return NULL;
    switch (order->state) {
    case ORDER_PLACED:
        return is_due(view) ? order_state_name(ORDER_RELEASED) : NULL;
    case ORDER_CANCELLED:
        return is_set(order->reference) ? "cancelled" : NULL; // one that never became a booking was taken back
    case ORDER_REFUSED: {
        const char *reason = order_reason_name(order->reason);
        return reason ? reason : "refused";
    }
    case ORDER_HELD:
    case ORDER_DECLINED: // the places are kept all the same
        return order_state_name(ORDER_HELD);
    case ORDER_FAILED:
        return order->reason == ORDER_PAYMENT_FAILED ? order_reason_name(order->reason)
                                                     : order_state_name(order->state);
    default:
        return order_state_name(order->state);
    }
}

bool page_outcome_stands_alone(const struct page_view *view)
{
    return page_outcome(view) && !order_allows_another(view->order->state);
}

bool page_order_is_moving(const struct page_view *view)
{
    const char *outcome = page_outcome(view);
    return outcome && (strcmp(outcome, "released") == 0 || strcmp(outcome, "paying") == 0);
}

// What the section about the order shows.
enum section { SECTION_NONE, SECTION_PLACED, SECTION_FORM };

static bool is_seated(const struct page_tier *tier)
{
    return tier->kind && strcmp(tier->kind, "seated") == 0;
}

static bool is_panel(const char *panel, const char *name)
{
    return strcmp(panel, name) == 0;
}

static bool is_placed(const struct page_view *view)
{
    return view->order && view->order->state == ORDER_PLACED;
}

static enum section section_of(const struct page_view *view, const char *panel)
{
    if (view->order_unknown || (!is_panel(panel, "lobby") && !is_panel(panel, "waiting") && !is_panel(panel, "turn")))
        return SECTION_NONE;
    if (is_placed(view) && !view->choosing)
        return SECTION_PLACED;
    return view->tier_count > 0 ? SECTION_FORM : SECTION_NONE;
}

static bool is_turn_of(const struct page_view *view, const char *panel)
{
    return view->line == PAGE_LINE_TURN && is_panel(panel, "turn");
}

static size_t others_count(const struct page_view *view)
{
    if (view->tier_count < 2)
        return 0;
    return view->tier_count - 1 < PAGE_OTHERS_MAX ? view->tier_count - 1 : PAGE_OTHERS_MAX;
}

static bool has_problem(const struct page_view *view, const char *field)
{
    return view->field && strcmp(view->field, field) == 0;
}

static bool outcome_part(const struct page_view *view, const char *panel, const char *name, bool *ret_shown)
{
    const char *outcome = page_outcome(view);
    if (strcmp(name, "outcome_again") == 0)
        *ret_shown = outcome && section_of(view, panel) == SECTION_FORM;
    else if (strncmp(name, "outcome_", strlen("outcome_")) == 0)
        *ret_shown = outcome && strcmp(outcome, name + strlen("outcome_")) == 0;
    else
        return false;
    return true;
}

bool page_order_part(const struct page_view *view, const char *panel, const char *name, bool *ret_shown)
{
    if (outcome_part(view, panel, name, ret_shown) || page_pay_part(view, name, ret_shown))
        return true;
    const struct page_order *order = view->order;
    enum section section = section_of(view, panel);
    bool costs = order && is_set(order->amount_text);
    bool is_paid = costs && view->payment != PAGE_PAYS_DOOR && order->state == ORDER_CONFIRMED;
    bool later = page_pay_is_later(view);
    const struct {
        const char *name;
        bool shown;
    } parts[] = {
        {"other_choice", order && order->other_choice},
        {"order_due", costs && !is_paid},
        {"order_paid", is_paid},
        {"order_seats", order && is_set(order->seats_text)},
        {"order_gone", order && is_set(order->gone_text)},
        {"order_needs", order && is_set(order->needs_text)},
        {"hold_until", order && is_set(order->pay_until_text) && !is_still(view)},
        {"hold_still", is_still(view)},
        {"more_time", order && order->may_have_more_time && !is_still(view)},
        {"standby_ahead", order && order->state == ORDER_STANDBY && order->ahead >= 0},
        {"needs", view->asks_needs},
        {"order_free", !costs},
        {"order_email", order && is_set(order->email)},
        {"order_others", order && order->alternative_count > 0},
        {"order", section != SECTION_NONE},
        {"order_placed", section == SECTION_PLACED},
        {"order_later", !is_turn_of(view, panel) && !later},
        {"order_later_pay", !is_turn_of(view, panel) && later},
        {"order_soon", is_turn_of(view, panel)},
        {"order_note", order && order->state == ORDER_CANCELLED && !page_outcome(view)},
        {"order_form", section == SECTION_FORM && view->choosing},
        {"order_link", section == SECTION_FORM && !view->choosing},
        {"order_why", !is_turn_of(view, panel)},
        {"order_keep_old", is_placed(view)},
        {"others", others_count(view) > 0},
        {"problem_tickets", has_problem(view, "tickets")},
        {"problem_seats", has_problem(view, "seats")},
        {"problem_needs", has_problem(view, "needs")},
        {"problem_alternatives", has_problem(view, "alternatives")},
        {"problem_email", has_problem(view, "email")},
        {"problem_name", has_problem(view, "name")},
        {"choosing", view->choosing && section == SECTION_FORM},
        {"renewing", !view->choosing || section != SECTION_FORM},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strcmp(name, parts[i].name) == 0) {
            *ret_shown = parts[i].shown;
            return true;
        }
    }
    return false;
}

static void append_alternatives(struct buffer *html, const struct page_order *order)
{
    for (size_t i = 0; order && i < order->alternative_count; i++) {
        if (i > 0)
            buffer_text(html, ", then ");
        buffer_html(html, order->alternatives[i]);
    }
}

static void append_limit(struct buffer *html, uint32_t tickets)
{
    if (tickets == 0)
        buffer_text(html, "no more tickets");
    else
        buffer_format(html, tickets == 1 ? "one ticket" : "at most %" PRIu32 " tickets", tickets);
}

// One price with its number of tickets. The names of fields hold the tier's code, as two tiers may have the same prices.
static void append_step(struct buffer *html, const struct page_view *view, size_t tier, size_t price)
{
    const struct page_tier *of = &view->tiers[tier];
    const struct page_price *at = &of->prices[price];
    buffer_format(html, "<div class=\"step\"><label for=\"n-%zu-%zu\"><span class=\"step-name\">", tier, price);
    buffer_html(html, of->price_count > 1 ? at->name : "Tickets");
    buffer_text(html, "</span> <span class=\"price\">");
    buffer_html(html, at->price_text);
    buffer_format(html,
                  "</span></label><span class=\"stepper\"><input type=\"number\" id=\"n-%zu-%zu\" name=\"tickets.",
                  tier, price);
    buffer_html(html, of->code);
    buffer_text(html, ".");
    buffer_html(html, at->code);
    buffer_text(html, "\" data-price=\"");
    buffer_html(html, at->code);
    buffer_format(html,
                  "\" inputmode=\"numeric\" min=\"0\" max=\"%" PRIu32 "\" value=\"%" PRIu32
                  "\" autocomplete=\"off\"></span></div>",
                  view->max_per_order, at->count);
}

void page_append_left(struct buffer *html, const struct page_tier *tier)
{
    buffer_text(html, "<p class=\"left\">");
    if (tier->left == 0) {
        buffer_text(html, "None free");
    } else {
        page_append_count(html, tier->left);
        buffer_text(html, " left");
    }
    if (tier->asked > 0) {
        buffer_text(html, ", ");
        page_append_count(html, tier->asked);
        buffer_text(html, " asked for in the line");
    }
    buffer_text(html, "</p>");
}

// Without the script one names seats; with it they are chosen on the plan, which writes them into the same field.
static void append_seats(struct buffer *html, const struct page_tier *tier, size_t index)
{
    buffer_format(
        html,
        "<div class=\"seats\"><p class=\"quiet best\">Seats are chosen for you: the best that are free, next to "
        "each other.</p><p class=\"seat-names\"><label for=\"s-%zu\">Or name your seats <span "
        "class=\"optional\">for example A-12, A-13</span></label> <input type=\"text\" id=\"s-%zu\" "
        "name=\"seats.",
        index, index);
    buffer_html(html, tier->code);
    buffer_text(html, "\" maxlength=\"1000\" autocomplete=\"off\" aria-describedby=\"problem-seats\" value=\"");
    buffer_html(html, is_set(tier->seats) ? tier->seats : "");
    buffer_text(html, "\"></p></div>");
}

static void append_option(struct buffer *html, const struct page_view *view, size_t index)
{
    const struct page_tier *tier = &view->tiers[index];
    buffer_text(html, "<div class=\"option\" data-tier=\"");
    buffer_html(html, tier->code);
    buffer_text(html, tier->left == 0 ? "\" data-left=\"none\">" : "\">");
    buffer_text(html, "<label class=\"option-head\"><input type=\"radio\" name=\"tier\" required value=\"");
    buffer_html(html, tier->code);
    buffer_text(html, tier->chosen || view->tier_count == 1 ? "\" checked" : "\"");
    buffer_text(html, "> <span class=\"option-name\">");
    buffer_html(html, tier->name);
    buffer_text(html, "</span>");
    if (tier->price_count == 1) {
        buffer_text(html, " <span class=\"price\">");
        buffer_html(html, tier->prices[0].price_text);
        buffer_text(html, "</span>");
    }
    buffer_text(html, "</label>");
    page_append_left(html, tier);
    buffer_text(html, "<div class=\"steps\">");
    for (size_t i = 0; i < tier->price_count; i++)
        append_step(html, view, index, i);
    if (is_seated(tier))
        append_seats(html, tier, index);
    buffer_text(html, "</div></div>");
}

static void append_options(struct buffer *html, const struct page_view *view)
{
    for (size_t i = 0; i < view->tier_count; i++)
        append_option(html, view, i);
}

static void append_other(struct buffer *html, const struct page_view *view, size_t number)
{
    static const char *const labels[PAGE_OTHERS_MAX] = {"Second choice", "Third choice", "Fourth choice"};
    const char *chosen = view->other_tiers[number - 1];
    buffer_format(html,
                  "<div class=\"other\" data-other=\"%zu\"><label for=\"other-%zu\">%s</label><select id=\"other-%zu\" "
                  "name=\"alternative.%zu\"><option value=\"\">Nothing else</option>",
                  number, number, labels[number - 1], number, number);
    for (size_t i = 0; i < view->tier_count; i++) {
        const struct page_tier *tier = &view->tiers[i];
        buffer_text(html, "<option value=\"");
        buffer_html(html, tier->code);
        buffer_text(html, is_set(chosen) && strcmp(chosen, tier->code) == 0 ? "\" selected>" : "\">");
        buffer_html(html, tier->name);
        buffer_text(html, "</option>");
    }
    buffer_text(html, "</select><div class=\"steps\"></div></div>");
}

static const char *title_of(const struct page_view *view, const char *panel)
{
    if (section_of(view, panel) == SECTION_PLACED)
        return "Your order is safe";
    return is_placed(view) ? "Change your order" : "Your tickets";
}

static const char *refund_text(const struct page_order *order)
{
    if (!order || !is_set(order->refund))
        return NULL;
    if (strcmp(order->refund, "done") == 0)
        return "Your money was paid back.";
    return strcmp(order->refund, "pending") == 0 ? "Your money is being paid back."
                                                 : "Your money could not be paid back yet; the organiser sees to it.";
}

static bool append_text(struct buffer *html, const struct page_view *view, const char *panel, const char *name)
{
    static const struct page_order nothing;
    const struct page_order *order = view->order ? view->order : &nothing;
    const struct {
        const char *name, *text;
    } texts[] = {
        {"order_tickets", order->tickets_text},
        {"order_noun", order->quantity == 1 ? "ticket" : "tickets"},
        {"order_amount", is_set(order->amount_text) ? order->amount_text : "Nothing"},
        {"order_seats", order->seats_text},
        {"order_gone", order->gone_text},
        {"order_needs", order->needs_text},
        {"pay_until", order->pay_until_text},
        {"order_email", order->email},
        {"order_reference", order->reference},
        {"refund", refund_text(view->order)},
        {"order_title", title_of(view, panel)},
        {"order_note", "You have taken your order back. Nothing will be booked."},
        {"order_send", is_placed(view) ? "Change my order" : "Order"},
        {"form_email", view->form_email},
        {"form_name", view->form_name},
        {"problem_tickets", has_problem(view, "tickets") ? view->field_text : NULL},
        {"problem_seats", has_problem(view, "seats") ? view->field_text : NULL},
        {"problem_needs", has_problem(view, "needs") ? view->field_text : NULL},
        {"problem_alternatives", has_problem(view, "alternatives") ? view->field_text : NULL},
        {"problem_email", has_problem(view, "email") ? view->field_text : NULL},
        {"problem_name", has_problem(view, "name") ? view->field_text : NULL},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(name, texts[i].name) != 0)
            continue;
        if (texts[i].text)
            buffer_html(html, texts[i].text);
        return true;
    }
    return false;
}

static void append_ahead(struct buffer *html, const struct page_order *order)
{
    if (!order || order->ahead <= 0) {
        buffer_text(html, "Nobody is before you on standby.");
        return;
    }
    page_append_count(html, (uint64_t)order->ahead);
    buffer_text(html, order->ahead == 1 ? " order is before yours." : " orders are before yours.");
}

// "10 minutes", "90 seconds": as long as a hold lasts, and once more.
static void append_hold(struct buffer *html, uint32_t seconds)
{
    bool is_minutes = seconds % 60 == 0;
    uint32_t count = is_minutes ? seconds / 60 : seconds;
    buffer_format(html, "%" PRIu32 " %s%s", count, is_minutes ? "minute" : "second", count == 1 ? "" : "s");
}

static void append_need(struct buffer *html, const char *id, const char *label, uint32_t count, uint32_t most)
{
    buffer_format(
        html,
        "<div class=\"step\"><label for=\"order-%s\">%s</label><span class=\"stepper\"><input type=\"number\" "
        "id=\"order-%s\" name=\"%s\" inputmode=\"numeric\" min=\"0\" max=\"%" PRIu32 "\" value=\"%" PRIu32
        "\" autocomplete=\"off\" aria-describedby=\"problem-needs\"></span></div>",
        id, label, id, id, most, count);
}

static bool append_hold_part(struct buffer *html, const struct page_view *view, const char *name)
{
    if (strcmp(name, "standby_ahead") == 0) {
        append_ahead(html, view->order);
    } else if (strcmp(name, "hold_length") == 0) {
        append_hold(html, view->hold_seconds);
    } else if (strcmp(name, "needs") == 0) {
        append_need(html, "wheelchair", "For a wheelchair", view->form_wheelchair, view->max_per_order);
        append_need(html, "companion", "For who comes with them", view->form_companion, view->max_per_order);
    } else if (strcmp(name, "open_needs") == 0) {
        if (view->form_wheelchair > 0 || view->form_companion > 0 || has_problem(view, "needs"))
            buffer_text(html, " open");
    } else {
        return false;
    }
    return true;
}

bool page_order_append(struct buffer *html, const struct page_view *view, const char *panel, const char *name)
{
    if (append_text(html, view, panel, name) || append_hold_part(html, view, name) || page_pay_append(html, view, name))
        return true;
    if (strcmp(name, "order_spelled") == 0) {
        page_append_spelled(html, view->order ? view->order->reference : NULL);
    } else if (strcmp(name, "order_alternatives") == 0) {
        append_alternatives(html, view->order);
    } else if (strcmp(name, "customer_limit") == 0) {
        append_limit(html, view->max_per_customer);
    } else if (strcmp(name, "max_per_order") == 0) {
        page_append_count(html, view->max_per_order);
    } else if (strcmp(name, "options") == 0) {
        append_options(html, view);
    } else if (strcmp(name, "others") == 0) {
        for (size_t i = 1; i <= others_count(view); i++)
            append_other(html, view, i);
    } else if (strcmp(name, "open_others") == 0) {
        if (is_set(view->other_tiers[0]) || has_problem(view, "alternatives"))
            buffer_text(html, " open");
    } else if (strcmp(name, "invalid_email") == 0 || strcmp(name, "invalid_name") == 0) {
        if (has_problem(view, name + strlen("invalid_")))
            buffer_text(html, " aria-invalid=\"true\"");
    } else {
        return false;
    }
    return true;
}
