// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// The order on the page without its script: who is offered the form, what is repeated of an order, and how each end is told.
#include "tests/unit/rendered_page.h"

// Exactly this outcome is told; "": none.
static void assert_outcome(const char *html, const char *outcome)
{
    static const char *const outcomes[] = {"released",       "paying",      "action_required", "held",
                                           "standby",        "confirmed",   "payment_failed",  "sold_out",
                                           "customer_limit", "tier_closed", "event_closed",    "seats_taken",
                                           "refused",        "failed",      "expired",         "cancelled"};
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        char begin[64];
        snprintf(begin, sizeof begin, "data-outcome=\"%s\"", outcomes[i]);
        const char *tag = strstr(html, begin);
        if (!tag)
            fail_msg("the page lacks: %s", begin);
        const char *hidden = strstr(tag, " hidden>"), *end = strchr(tag, '>');
        bool is_shown = !hidden || hidden > end;
        if (is_shown != (strcmp(outcomes[i], outcome) == 0))
            fail_msg("%s is %s", outcomes[i], is_shown ? "shown" : "hidden");
    }
}

static const char *const an_alternative[] = {"Stalls: 2 × Adult"};

static struct page_order usual_order(enum order_state state)
{
    bool has_places = order_has_places(state);
    return (struct page_order){.state = state,
                               .tickets_text = "2 × Floor",
                               .amount_text = "€90.00",
                               .email = "a@b.example",
                               .reference = has_places ? "K7QM-4WDP" : "",
                               .alternatives = an_alternative,
                               .alternative_count = 1};
}

static struct page_view waiting_view(const struct page_order *order)
{
    struct page_view view = usual_view();
    view.line = PAGE_LINE_WAITING;
    view.ahead = 5;
    view.place = 12;
    view.tiers = three_tiers;
    view.tier_count = 3;
    view.order = order;
    return view;
}

static void who_waits_is_offered_the_form(void **state)
{
    (void)state;
    struct page_view view = waiting_view(NULL);
    char *html = render(&view);
    assert_outcome(html, "");
    assert_has(html, "<noscript><p><a class=\"main\" href=\"/e/gala?choose=1#order\">Choose your tickets</a>");
    assert_has(html, "action=\"/e/gala/order\" hidden>"); // shown by the script, or on its own
    assert_has(html, "content=\"15; url=/e/gala\"");
    free(html);
    view.choosing = true;
    view.form_email = "a@b.example";
    view.other_tiers[0] = "stalls";
    html = render(&view);
    assert_has(html, "id=\"order-form\" method=\"post\" action=\"/e/gala/order\">");
    assert_lacks(html, "http-equiv=\"refresh\""); // not under somebody who fills it in
    assert_has(html, "name=\"tier\" required value=\"floor\" checked>");
    assert_has(html, "name=\"tier\" required value=\"boxes\">");
    assert_has(html,
               "name=\"tickets.floor.full\" data-price=\"full\" inputmode=\"numeric\" min=\"0\" max=\"6\" value=\"2\"");
    assert_has(html, "name=\"tickets.stalls.child\"");
    assert_has(html, "name=\"tickets.boxes.full\"");
    assert_has(html, "name=\"seats.boxes\" maxlength=\"1000\""); // a seated tier's seats can be named
    assert_lacks(html, "name=\"seats.stalls\"");
    assert_has(html, "<option value=\"stalls\" selected>");
    assert_has(html, "id=\"other-2\"");
    assert_lacks(html, "id=\"other-3\""); // three tiers: two other choices
    assert_has(html, "value=\"a@b.example\"");
    free(html);
    view.field = "email";
    view.field_text = "That is none.";
    html = render(&view);
    assert_has(html, "id=\"problem-email\">That is none.</p>");
    assert_has(html, "id=\"problem-name\" hidden>");
    assert_has(html, "value=\"a@b.example\" aria-invalid=\"true\">");
    free(html);
}

static void nobody_else_is_offered_the_form(void **state)
{
    (void)state;
    static const struct {
        const char *state;
        enum page_line line;
        bool shown;
    } cases[] = {
        {"open", PAGE_LINE_NONE, false},   {"lobby", PAGE_LINE_LOBBY, true},       {"open", PAGE_LINE_TURN, true},
        {"paused", PAGE_LINE_TURN, true},  {"open", PAGE_LINE_OVER, false},        {"open", PAGE_LINE_LEFT, false},
        {"closed", PAGE_LINE_TURN, false}, {"sold_out", PAGE_LINE_WAITING, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct page_view view = waiting_view(NULL);
        view.state = cases[i].state;
        view.line = cases[i].line;
        char *html = render(&view);
        assert_has(html,
                   cases[i].shown ? "aria-labelledby=\"order-title\">" : "aria-labelledby=\"order-title\" hidden>");
        free(html);
    }
    struct page_view none = waiting_view(NULL);
    none.tier_count = 0;
    char *html = render(&none);
    assert_has(html, "aria-labelledby=\"order-title\" hidden>");
    free(html);
    struct page_view unknown = waiting_view(NULL);
    unknown.order_unknown = true;
    html = render(&unknown);
    assert_has(html, "aria-labelledby=\"order-title\" hidden>");
    free(html);
}

static void a_placed_order_is_repeated(void **state)
{
    (void)state;
    struct page_order order = usual_order(ORDER_PLACED);
    struct page_view view = waiting_view(&order);
    char *html = render(&view);
    assert_outcome(html, "");
    assert_has(html, "<h2 id=\"order-title\">Your order is safe</h2>");
    assert_has(html, "<div id=\"order-placed\">");
    assert_has(html, "<dd class=\"order-tickets\">2 × Floor</dd>");
    assert_has(html, "<dd id=\"order-alternatives\">Stalls: 2 × Adult</dd>");
    assert_has(html, "<dd class=\"order-amount\">€90.00</dd>");
    assert_has(html, "<dd class=\"order-email\">a@b.example</dd>");
    assert_has(html, "id=\"order-later\">You can close this page");
    assert_has(html, "id=\"keep-until\" hidden>"); // nothing has to be done in the turn
    assert_has(html, "<noscript><p hidden>");
    free(html);
    view.choosing = true;
    html = render(&view);
    assert_has(html, "Change your order</h2>");
    assert_has(html, "<div id=\"order-placed\" hidden>");
    assert_has(html, "id=\"order-keep-old\">");
    free(html);
    view.line = PAGE_LINE_TURN; // it is handed over within moments, and nobody tells of that alone
    html = render(&view);
    assert_outcome(html, "released");
    assert_has(html, "aria-labelledby=\"order-title\" hidden>");
    free(html);
    view.state = "stopped";
    view.choosing = false;
    html = render(&view);
    assert_outcome(html, "");
    assert_has(html, "id=\"order-soon\">Your order is booked as soon as the sale goes on.");
    free(html);
}

static void every_end_is_told(void **state)
{
    (void)state;
    static const struct {
        enum order_state state;
        enum order_reason reason;
        const char *outcome, *panel_open, *panel_ended; // in a turn: with the event open, and sold out
    } cases[] = {
        {ORDER_RELEASED, ORDER_NO_REASON, "released", "outcome", "outcome"},
        {ORDER_HELD, ORDER_NO_REASON, "held", "outcome", "outcome"},
        {ORDER_DECLINED, ORDER_NO_REASON, "held", "outcome", "outcome"},
        {ORDER_PAYING, ORDER_NO_REASON, "paying", "outcome", "outcome"},
        {ORDER_ACTION_REQUIRED, ORDER_NO_REASON, "action_required", "outcome", "outcome"},
        {ORDER_STANDBY, ORDER_NO_REASON, "standby", "outcome", "outcome"},
        {ORDER_CONFIRMED, ORDER_NO_REASON, "confirmed", "outcome", "outcome"},
        {ORDER_SOLD_OUT, ORDER_NO_REASON, "sold_out", "turn", "outcome"},
        {ORDER_REFUSED, ORDER_CUSTOMER_LIMIT, "customer_limit", "turn", "outcome"},
        {ORDER_REFUSED, ORDER_TIER_CLOSED, "tier_closed", "turn", "outcome"},
        {ORDER_REFUSED, ORDER_EVENT_CLOSED, "event_closed", "turn", "outcome"},
        {ORDER_REFUSED, ORDER_SEATS_TAKEN, "seats_taken", "turn", "outcome"},
        {ORDER_REFUSED, ORDER_NO_REASON, "refused", "turn", "outcome"},
        {ORDER_EXPIRED, ORDER_NO_REASON, "expired", "turn", "outcome"},
        {ORDER_FAILED, ORDER_BROKEN, "failed", "turn", "outcome"},
        {ORDER_FAILED, ORDER_PAYMENT_FAILED, "payment_failed", "turn", "outcome"},
        {ORDER_CANCELLED, ORDER_NO_REASON, "", "turn", "sold_out"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct page_order order = usual_order(cases[i].state);
        order.reason = cases[i].reason;
        struct page_view view = waiting_view(&order);
        view.line = PAGE_LINE_TURN;
        char *html = render(&view);
        assert_outcome(html, cases[i].outcome);
        assert_panel(&view, cases[i].panel_open);
        bool again = strcmp(cases[i].panel_open, "turn") == 0 && *cases[i].outcome;
        assert_has(html, again ? "id=\"outcome-again\">" : "id=\"outcome-again\" hidden>");
        free(html);
        view.state = "sold_out";
        assert_panel(&view, cases[i].panel_ended);
    }
}

static void a_hold_says_until_when_and_how_to_pay(void **state)
{
    (void)state;
    struct page_order order = usual_order(ORDER_HELD);
    order.seats_text = "Row A, seats 12 and 13";
    order.pay_until_text = "1 May 2031, 19:30 UTC";
    order.may_have_more_time = true;
    struct page_view view = waiting_view(&order);
    view.hold_seconds = 600;
    view.payment = PAGE_PAYS_SELLER;
    char *html = render(&view);
    assert_outcome(html, "held");
    assert_has(html, "<title>Now pay · Spring Gala</title>");
    assert_has(html, "data-payment=\"seller\"");
    assert_has(html,
               "id=\"hold-until\">Pay until <time class=\"pay-until\" id=\"pay-until\">1 May 2031, 19:30 UTC</time>");
    assert_has(html, "<dd class=\"order-seats\">Row A, seats 12 and 13</dd>");
    assert_has(html, "action=\"/e/gala/more-time\">");
    assert_has(html, "You get 10 minutes more, once.");
    assert_has(html, "content=\"15; url=/e/gala\"");
    free(html);
    order.may_have_more_time = false;
    view.hold_seconds = 90;
    html = render(&view);
    assert_has(html, "action=\"/e/gala/more-time\" hidden>");
    assert_has(html, "You get 90 seconds more");
    free(html);
    order.may_have_more_time = true;
    view.state = "stopped"; // the time stands still, so nobody can say until when it runs
    html = render(&view);
    assert_has(html, "id=\"hold-until\" hidden>");
    assert_has(html, "id=\"hold-still\">");
    assert_has(html, "action=\"/e/gala/more-time\" hidden>");
    free(html);
}

static void what_was_paid_is_not_due_at_the_door(void **state)
{
    (void)state;
    struct page_order order = usual_order(ORDER_CONFIRMED);
    struct page_view view = waiting_view(&order);
    char *html = render(&view);
    assert_has(html, "<div class=\"order-paid\" hidden>");
    assert_has(html, "<div class=\"order-due\"><dt>To pay at the door");
    free(html);
    view.payment = PAGE_PAYS_SELLER;
    html = render(&view);
    assert_has(html, "<div class=\"order-paid\"><dt>Paid</dt><dd class=\"order-amount\">€90.00</dd>");
    assert_has(html, "<div class=\"order-due\" hidden>");
    free(html);
}

static void standby_says_who_is_before(void **state)
{
    (void)state;
    static const struct {
        int64_t ahead;
        const char *text;
    } cases[] = {
        {0, "id=\"standby-ahead\">Nobody is before you on standby."},
        {1, "id=\"standby-ahead\">1 order is before yours."},
        {1234, "id=\"standby-ahead\">1,234 orders are before yours."},
        {-1, "id=\"standby-ahead\" hidden>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct page_order order = usual_order(ORDER_STANDBY);
        order.ahead = cases[i].ahead;
        struct page_view view = waiting_view(&order);
        char *html = render(&view);
        assert_outcome(html, "standby");
        assert_has(html, cases[i].text);
        free(html);
    }
}

static void seats_that_others_have_are_named(void **state)
{
    (void)state;
    struct page_order order = usual_order(ORDER_REFUSED);
    order.reason = ORDER_SEATS_TAKEN;
    struct page_view view = waiting_view(&order);
    char *html = render(&view);
    assert_has(html, "<p class=\"lead order-gone-line\" hidden>");
    free(html);
    order.gone_text = "Row A, seat 12";
    html = render(&view);
    assert_has(html,
               "<p class=\"lead order-gone-line\">Somebody else has: <span class=\"order-gone\">Row A, seat 12</span>");
    free(html);
}

static void needs_are_asked_where_there_are_such_places(void **state)
{
    (void)state;
    struct page_view view = waiting_view(NULL);
    view.choosing = true;
    char *html = render(&view);
    assert_has(html, "id=\"order-needs\" hidden>");
    free(html);
    view.asks_needs = true;
    view.form_companion = 2;
    html = render(&view);
    assert_has(html, "id=\"order-needs\" open>");
    assert_has(html,
               "id=\"order-wheelchair\" name=\"wheelchair\" inputmode=\"numeric\" min=\"0\" max=\"6\" value=\"0\"");
    assert_has(html, "id=\"order-companion\" name=\"companion\" inputmode=\"numeric\" min=\"0\" max=\"6\" value=\"2\"");
    free(html);
}

static void a_booking_names_what_counts(void **state)
{
    (void)state;
    struct page_order order = usual_order(ORDER_CONFIRMED);
    order.other_choice = true;
    struct page_view view = waiting_view(&order);
    char *html = render(&view);
    assert_has(html, ">K7QM-4WDP</span><span class=\"heard order-spelled\">K 7 Q M, 4 W D P</span>");
    assert_has(html, "<title>Booked · Spring Gala</title>");
    assert_has(html, "<p class=\"lead other-choice\">");
    assert_has(html, "<div class=\"order-due\">");
    assert_has(html, "<div class=\"order-free\" hidden>");
    assert_has(html, "id=\"keep\" hidden>");
    free(html);
    order.amount_text = NULL;
    order.other_choice = false;
    html = render(&view);
    assert_has(html, "<p class=\"lead other-choice\" hidden>");
    assert_has(html, "<div class=\"order-due\" hidden>");
    assert_has(html, "<div class=\"order-free\">");
    free(html);
    order = usual_order(ORDER_CANCELLED);
    order.reference = "K7QM-4WDP";
    order.refund = "pending";
    html = render(&view);
    assert_outcome(html, "cancelled");
    assert_has(html, "<span id=\"refund\">Your money is being paid back.</span>");
    free(html);
    order = usual_order(ORDER_REFUSED);
    order.reason = ORDER_CUSTOMER_LIMIT;
    html = render(&view);
    assert_has(html, "<span id=\"customer-limit\">at most 8 tickets</span>");
    free(html);
}

static void who_is_being_booked_looks_again_soon(void **state)
{
    (void)state;
    struct page_order order = usual_order(ORDER_RELEASED);
    struct page_view view = waiting_view(&order);
    char *html = render(&view);
    assert_has(html, "content=\"3; url=/e/gala\"");
    free(html);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_is_offered_the_form),
        cmocka_unit_test(nobody_else_is_offered_the_form),
        cmocka_unit_test(a_placed_order_is_repeated),
        cmocka_unit_test(every_end_is_told),
        cmocka_unit_test(a_hold_says_until_when_and_how_to_pay),
        cmocka_unit_test(what_was_paid_is_not_due_at_the_door),
        cmocka_unit_test(standby_says_who_is_before),
        cmocka_unit_test(seats_that_others_have_are_named),
        cmocka_unit_test(needs_are_asked_where_there_are_such_places),
        cmocka_unit_test(a_booking_names_what_counts),
        cmocka_unit_test(who_is_being_booked_looks_again_soon),
    };
    return cmocka_run_group_tests_name("page_order", tests, read_template, free_template);
}
