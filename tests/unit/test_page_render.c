// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// The page without its script: which panel is shown, what is said of place and wait, and that nothing a seller or a
// visitor wrote gets out of its place in the HTML.
#include "tests/unit/rendered_page.h"

// Renders a template of the test's own. The result is compared and freed.
static void assert_renders(const char *text, const struct page_view *view, const char *expected)
{
    struct buffer html = BUFFER_INIT;
    page_render(text, strlen(text), view, &html);
    assert_false(html.failed);
    assert_string_equal(html.data ? html.data : "", expected);
    buffer_done(&html);
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
        cmocka_unit_test(prices_in_the_currency_s_own_unit),
    };
    return cmocka_run_group_tests_name("page_render", tests, read_template, free_template);
}
