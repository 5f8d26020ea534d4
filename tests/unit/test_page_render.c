// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// The page without its script: which panel is shown, what is said of place and wait, and that nothing a seller or a
// visitor wrote gets out of its place in the HTML.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "waiting-room/page_render.h"

// The real template: the tests run in the root of the tree.
static char *template;
static size_t template_bytes;

static int read_template(void **state)
{
    (void)state;
    FILE *file = fopen("waiting-room/page/page.html", "r");
    if (!file)
        return -1;
    template = malloc(65536);
    template_bytes = fread(template, 1, 65535, file);
    template[template_bytes] = '\0';
    fclose(file);
    return 0;
}

static int free_template(void **state)
{
    (void)state;
    free(template);
    return 0;
}

static const struct page_price two_prices[] = {{"Adult", "€75.00", "adult", 0}, {"Child", "€35.00", "child", 0}};
static const struct page_price one_price[] = {{"full", "€45.00", "full", 2}};
static const struct page_tier two_tiers[] = {
    {"floor", "Floor", "standing", one_price, 1, 2000, 1204, 800, true, NULL},
    {"stalls", "Stalls", "seated", two_prices, 2, 560, 0, 0, false, NULL},
};
static const struct page_tier three_tiers[] = {
    {"floor", "Floor", "standing", one_price, 1, 2000, 1204, 0, true, NULL},
    {"stalls", "Stalls", "standing", two_prices, 2, 560, 10, 0, false, NULL},
    {"boxes", "Boxes", "seated", one_price, 1, 20, 20, 0, false, NULL},
};

static struct page_view usual_view(void)
{
    return (struct page_view){.slug = "gala",
                              .name = "Spring Gala",
                              .venue = "City Hall",
                              .state = "open",
                              .starts_text = "1 May 2031, 19:30 UTC",
                              .tiers = two_tiers,
                              .tier_count = 2,
                              .in_line = 4421,
                              .max_per_order = 6,
                              .max_per_customer = 8,
                              .document_json = "{\"slug\":\"gala\"}"};
}

static char *render(const struct page_view *view)
{
    struct buffer html = BUFFER_INIT;
    page_render(template, template_bytes, view, &html);
    assert_false(html.failed);
    char *text = buffer_take(&html);
    assert_non_null(text);
    return text;
}

// Renders a template of the test's own. The result is compared and freed.
static void assert_renders(const char *text, const struct page_view *view, const char *expected)
{
    struct buffer html = BUFFER_INIT;
    page_render(text, strlen(text), view, &html);
    assert_false(html.failed);
    assert_string_equal(html.data ? html.data : "", expected);
    buffer_done(&html);
}

static void assert_has(const char *html, const char *part)
{
    if (!strstr(html, part))
        fail_msg("the page lacks: %s", part);
}

static void assert_lacks(const char *html, const char *part)
{
    if (strstr(html, part))
        fail_msg("the page must not have: %s", part);
}

// Exactly this panel is shown.
static void assert_panel(const struct page_view *view, const char *panel)
{
    static const char *const panels[] = {"draft", "join", "lobby",   "waiting",  "turn",
                                         "over",  "left", "stopped", "sold_out", "closed"};
    char panel_attribute[64];
    snprintf(panel_attribute, sizeof panel_attribute, "<html lang=\"en\" data-panel=\"%s\" ", panel);
    char *html = render(view);
    assert_has(html, panel_attribute);
    for (size_t i = 0; i < sizeof panels / sizeof panels[0]; i++) {
        char shown[64], hidden[64];
        snprintf(shown, sizeof shown, "data-panel=\"%s\">", panels[i]);
        snprintf(hidden, sizeof hidden, "data-panel=\"%s\" hidden>", panels[i]);
        bool is_it = strcmp(panels[i], panel) == 0;
        const char *section = strstr(html, "<section class=\"panel");
        assert_non_null(section);
        if (is_it)
            assert_has(section, shown);
        else
            assert_has(section, hidden);
    }
    free(html);
}

static void every_state_has_its_panel(void **state)
{
    (void)state;
    static const struct {
        const char *state;
        enum page_line line;
        const char *panel;
    } cases[] = {
        {"draft", PAGE_LINE_NONE, "draft"},
        {"lobby", PAGE_LINE_NONE, "join"},
        {"open", PAGE_LINE_NONE, "join"},
        {"paused", PAGE_LINE_NONE, "join"},
        {"stopped", PAGE_LINE_NONE, "stopped"},
        {"sold_out", PAGE_LINE_NONE, "sold_out"},
        {"closed", PAGE_LINE_NONE, "closed"},
        {"lobby", PAGE_LINE_LOBBY, "lobby"},
        {"stopped", PAGE_LINE_LOBBY, "lobby"},
        {"open", PAGE_LINE_WAITING, "waiting"},
        {"paused", PAGE_LINE_WAITING, "waiting"},
        {"stopped", PAGE_LINE_WAITING, "waiting"},
        {"sold_out", PAGE_LINE_WAITING, "sold_out"},
        {"closed", PAGE_LINE_WAITING, "closed"},
        {"open", PAGE_LINE_TURN, "turn"},
        {"stopped", PAGE_LINE_TURN, "turn"},
        {"sold_out", PAGE_LINE_TURN, "sold_out"},
        {"closed", PAGE_LINE_TURN, "closed"},
        {"open", PAGE_LINE_OVER, "over"},
        {"open", PAGE_LINE_LEFT, "left"},
        {"closed", PAGE_LINE_LEFT, "closed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct page_view view = usual_view();
        view.state = cases[i].state;
        view.line = cases[i].line;
        view.place = 12;
        assert_panel(&view, cases[i].panel);
    }
}

static void a_gate_keeps_its_turn_when_closed(void **state)
{
    (void)state;
    struct page_view view = usual_view();
    view.tier_count = 0;
    view.line = PAGE_LINE_TURN;
    view.state = "closed";
    assert_panel(&view, "turn");
    view.state = "open";
    char *html = render(&view);
    assert_has(html, "<h2>You are in</h2>");
    assert_has(html, "<title>You are in · Spring Gala</title>");
    assert_has(html, "aria-labelledby=\"prices-title\" hidden>");
    free(html);
}

static void a_visitor_without_a_place_can_join(void **state)
{
    (void)state;
    struct page_view view = usual_view();
    char *html = render(&view);
    assert_has(html, "action=\"/e/gala/join\"");
    assert_has(html, "4,421 people are waiting now.");
    assert_has(html, "<title>Spring Gala</title>");
    assert_has(html, "id=\"keep\" hidden>");
    assert_has(html, "<noscript><meta http-equiv=\"refresh\" content=\"15; url=/e/gala\"></noscript>");
    assert_has(html, "id=\"line-document\">null</script>");
    free(html);
    view.state = "lobby";
    view.in_line = 1;
    html = render(&view);
    assert_has(html, "1 person is in the lobby now.");
    free(html);
}

static void a_waiting_visitor_sees_the_place_and_can_leave(void **state)
{
    (void)state;
    struct page_view view = usual_view();
    view.line = PAGE_LINE_WAITING;
    view.place = 1234567;
    view.ahead = 1284;
    view.wait_known = true;
    view.wait_low_seconds = 250;
    view.wait_high_seconds = 330;
    view.line_json = "{\"line\":\"waiting\"}";
    char *html = render(&view);
    assert_has(html, "<span id=\"ahead\">1,284</span> <span class=\"ahead-unit\" id=\"ahead-unit\">people</span>");
    assert_has(html, "<dd class=\"place\">1,234,567</dd>");
    assert_has(html, "About 4 to 6 minutes.");
    assert_has(html, "<title>1,284 ahead · Spring Gala</title>");
    assert_has(html, "action=\"/e/gala/leave\"");
    assert_has(html, "id=\"keep\">");
    assert_has(html, "id=\"line-document\">{\"line\":\"waiting\"}</script>");
    free(html);
    view.ahead = 0;
    html = render(&view);
    assert_has(html, "<title>You are next · Spring Gala</title>");
    assert_has(html, "id=\"wait\" hidden>");
    free(html);
}

static void a_line_that_stands_still_says_so(void **state)
{
    (void)state;
    struct page_view view = usual_view();
    view.line = PAGE_LINE_WAITING;
    view.ahead = 3;
    char *html = render(&view);
    assert_has(html, "id=\"still-paused\" role=\"status\" hidden>");
    assert_has(html, "id=\"still-stopped\" role=\"status\" hidden>");
    free(html);
    view.state = "paused";
    html = render(&view);
    assert_has(html, "id=\"still-paused\" role=\"status\">");
    assert_has(html, "id=\"wait\" hidden>");
    free(html);
    view.state = "stopped";
    html = render(&view);
    assert_has(html, "id=\"still-stopped\" role=\"status\">");
    free(html);
}

static void a_turn_says_until_when(void **state)
{
    (void)state;
    struct page_view view = usual_view();
    view.line = PAGE_LINE_TURN;
    view.until_text = "19:40 UTC";
    char *html = render(&view);
    assert_has(html, "Your turn runs until <time id=\"until\">19:40 UTC</time>.");
    assert_has(html, "id=\"turn-until\">");
    assert_has(html, "id=\"turn-still\" hidden>");
    free(html);
    view.state = "stopped"; // its clock stands still: any time that is shown would be wrong
    html = render(&view);
    assert_has(html, "id=\"turn-until\" hidden>");
    assert_has(html, "id=\"turn-still\">");
    free(html);
}

static void tiers_have_prices_and_what_is_left(void **state)
{
    (void)state;
    struct page_view view = usual_view();
    char *html = render(&view);
    assert_has(
        html,
        "data-tier=\"floor\"><h3>Floor</h3><ul class=\"price-list single\"><li><span class=\"price\">€45.00</span>");
    assert_lacks(html, ">full<");
    assert_has(html, "<progress max=\"2000\" value=\"1204\"");
    assert_has(html, "1,204 left");
    assert_has(html, "data-tier=\"stalls\" data-left=\"none\">");
    assert_has(html, "<span class=\"price-name\">Child</span> <span class=\"price\">€35.00</span>");
    assert_has(html, "None free");
    free(html);
}

static void what_does_not_apply_is_hidden(void **state)
{
    (void)state;
    struct page_view view = {.slug = "gala", .name = "Gala", .state = "draft", .document_json = "{}"};
    char *html = render(&view);
    assert_has(html, "<p class=\"venue\" hidden>");
    assert_has(html, "<p class=\"when\" hidden>");
    assert_has(html, "id=\"draft-opens\" hidden>");
    assert_has(html, "id=\"draft-unknown\">");
    assert_has(html, "aria-labelledby=\"notice-title\" hidden>");
    assert_has(html, "role=\"alert\" hidden>");
    assert_has(html, "<html lang=\"en\"");
    assert_lacks(html, "{{");
    free(html);
    view.opens_text = "1 April 2031, 10:00 UTC";
    view.notice = "Doors at six.";
    view.problem_text = "That did not work.";
    view.lang = "de";
    html = render(&view);
    assert_has(html, "The line opens <time class=\"opens\">1 April 2031, 10:00 UTC</time>.");
    assert_has(html, "id=\"draft-unknown\" hidden>");
    assert_has(html, "Doors at six.");
    assert_has(html, "role=\"alert\">That did not work.</p>");
    assert_has(html, "<html lang=\"de\"");
    free(html);
}

static void text_cannot_become_markup(void **state)
{
    (void)state;
    static const char evil[] = "<script>alert('1')</script>\"&{{slug}}";
    static const char escaped_start[] = "&lt;script&gt;alert(";
    struct page_price price = {evil, evil, evil, 1};
    struct page_price prices[] = {price, price};
    struct page_tier tiers[] = {{evil, evil, evil, prices, 2, 5, 5, 0, false, evil},
                                {evil, evil, "standing", prices, 2, 5, 5, 5, true, evil},
                                {evil, evil, "standing", prices, 1, 5, 5, 5, true, evil}};
    const char *const alternatives[] = {evil, evil};
    struct page_order order = {.state = ORDER_PLACED,
                               .tickets_text = evil,
                               .amount_text = evil,
                               .email = evil,
                               .reference = evil,
                               .refund = evil,
                               .alternatives = alternatives,
                               .alternative_count = 2};
    struct page_view view = {.lang = evil,
                             .slug = "gala",
                             .name = evil,
                             .venue = evil,
                             .state = evil,
                             .starts_text = evil,
                             .opens_text = evil,
                             .until_text = evil,
                             .notice = evil,
                             .problem_text = evil,
                             .tiers = tiers,
                             .tier_count = 3,
                             .line = PAGE_LINE_TURN,
                             .order = &order,
                             .choosing = true,
                             .max_per_order = 6,
                             .field = "email",
                             .field_text = evil,
                             .form_email = evil,
                             .form_name = evil,
                             .other_tiers = {evil},
                             .document_json = "{}"};
    char *html = render(&view);
    assert_has(html, escaped_start);
    assert_lacks(html, "<script>");
    assert_lacks(html, "\"&{");
    assert_has(html, "{{slug}}"); // what the view holds is no template
    free(html);
}

static void json_cannot_end_its_script(void **state)
{
    (void)state;
    struct page_view view = usual_view();
    view.document_json = "{\"name\":\"</script><!--<script>\"}";
    view.line_json = "<";
    view.order_json = "</script>";
    assert_renders("{{document_json}} {{line_json}} {{order_json}}", &view,
                   "{\"name\":\"\\u003c/script>\\u003c!--\\u003cscript>\"} \\u003c \\u003c/script>");
}

static void broken_templates_do_no_harm(void **state)
{
    (void)state;
    struct page_view view = usual_view();
    assert_renders("", &view, "");
    assert_renders("{{", &view, "{{");
    assert_renders("a}}b{{name", &view, "a}}b{{name");
    assert_renders("a{{}}b{{nobody}}c{{hide_nobody}}d", &view, "abc hiddend");
    assert_renders("{{a_name_that_is_far_too_long_to_be_the_name_of_anything}}x", &view, "x");
    assert_renders("{{name}}{{name}}", &view, "Spring GalaSpring Gala");
}

static void a_full_buffer_is_a_failure(void **state)
{
    (void)state;
    struct page_view view = usual_view();
    struct buffer html = {.bytes_max = 1000};
    page_render(template, template_bytes, &view, &html);
    assert_true(html.failed);
    buffer_done(&html);
}

// The same cases as in tests/browser/test_page.py: script and page say the same.
static void the_wait_in_words(void **state)
{
    (void)state;
    static const struct {
        uint64_t low, high;
        const char *text;
    } cases[] = {
        {0, 0, "Less than a minute."},
        {20, 60, "Less than a minute."},
        {20, 61, "Less than 2 minutes."},
        {60, 60, "Less than a minute."},
        {60, 110, "About 1 to 2 minutes."},
        {240, 240, "About 4 minutes."},
        {250, 330, "About 4 to 6 minutes."},
        {3000, 3540, "About 50 to 59 minutes."},
        {3000, 3600, "About 50 minutes to 1 hour."},
        {3660, 4000, "About 1 hour 1 minute to 1 hour 7 minutes."},
        {7000, 7300, "About 1 hour 56 minutes to 2 hours 15 minutes."},
        {8000, 10000, "About 2 hours to 3 hours."},
        {86399, 172799, "About 23 hours 45 minutes to 48 hours."},
        {86400, 90000, "More than a day."},
        {7500, 172800, "More than 2 hours."},
        {3599, 172800, "How long it will take cannot be said yet."},
        {UINT64_MAX, UINT64_MAX, "More than a day."},
        {61, 60, "How long it will take cannot be said yet."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct page_view view = usual_view();
        view.wait_known = true;
        view.wait_low_seconds = cases[i].low;
        view.wait_high_seconds = cases[i].high;
        assert_renders("{{wait}}", &view, cases[i].text);
        view.wait_known = false;
        assert_renders("{{wait}}", &view, "How long it will take cannot be said yet.");
    }
}

static void prices_in_the_currency_s_own_unit(void **state)
{
    (void)state;
    static const struct {
        uint64_t amount;
        const char *currency, *text;
    } cases[] = {
        {4500, "EUR", "€45.00"},    {5, "EUR", "€0.05"},
        {0, "GBP", "£0.00"},        {1000000000, "USD", "$10,000,000.00"},
        {4500, "JPY", "¥4,500"},    {12500, "KWD", "KWD 12.500"},
        {4500, "CHF", "CHF 45.00"}, {12345, "UYW", "UYW 1.2345"},
        {4500, "", " 45.00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer text = BUFFER_INIT;
        page_price_text(cases[i].amount, cases[i].currency, &text);
        assert_string_equal(text.data, cases[i].text);
        buffer_done(&text);
    }
}

// ---- The order ----

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
        cmocka_unit_test(every_state_has_its_panel),
        cmocka_unit_test(a_gate_keeps_its_turn_when_closed),
        cmocka_unit_test(a_visitor_without_a_place_can_join),
        cmocka_unit_test(a_waiting_visitor_sees_the_place_and_can_leave),
        cmocka_unit_test(a_line_that_stands_still_says_so),
        cmocka_unit_test(a_turn_says_until_when),
        cmocka_unit_test(tiers_have_prices_and_what_is_left),
        cmocka_unit_test(what_does_not_apply_is_hidden),
        cmocka_unit_test(text_cannot_become_markup),
        cmocka_unit_test(json_cannot_end_its_script),
        cmocka_unit_test(broken_templates_do_no_harm),
        cmocka_unit_test(a_full_buffer_is_a_failure),
        cmocka_unit_test(the_wait_in_words),
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
        cmocka_unit_test(prices_in_the_currency_s_own_unit),
    };
    return cmocka_run_group_tests_name("page_render", tests, read_template, free_template);
}
