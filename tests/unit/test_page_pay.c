// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// Paying and the ticket on the page without its script: what is offered in which state, that only the web's addresses become links, and the
// code for the door as it is drawn.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "waiting-room/page_receipt.h"
#include "waiting-room/page_render.h"

#define TEMPLATE_BYTES_MAX 131072

struct templates {
    char page[TEMPLATE_BYTES_MAX], receipt[TEMPLATE_BYTES_MAX];
};
static struct templates templates; // the real ones: the tests run in the root of the tree

static int read_template(const char *path, char ret[static TEMPLATE_BYTES_MAX])
{
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    ret[fread(ret, 1, TEMPLATE_BYTES_MAX - 1, file)] = '\0';
    fclose(file);
    return 0;
}

static int read_templates(void **state)
{
    (void)state;
    return read_template("waiting-room/page/page.html", templates.page) ||
           read_template("waiting-room/page/receipt.html", templates.receipt);
}

static const struct page_tier one_tier[] = {
    {.code = "floor", .name = "Floor", .kind = "standing", .capacity = 10, .left = 5}};

static char *render(enum page_payment payment, const struct page_order *order, const struct page_view *more)
{
    struct page_view view = more ? *more : (struct page_view){0};
    view.slug = "gala";
    view.name = "Spring Gala";
    view.state = "open";
    view.tiers = one_tier;
    view.tier_count = 1;
    view.line = PAGE_LINE_WAITING;
    view.ahead = 3;
    view.hold_seconds = 600;
    view.payment = payment;
    view.order = order;
    struct buffer html = BUFFER_INIT;
    page_render(templates.page, strlen(templates.page), &view, &html);
    assert_false(html.failed);
    return buffer_take(&html);
}

static struct page_order usual(enum order_state state)
{
    return (struct page_order){.state = state,
                               .tickets_text = "2 × Floor",
                               .quantity = 2,
                               .amount_text = "€90.00",
                               .tries_left = -1,
                               .pay_until_text = "1 May 2031, 19:30 UTC",
                               .reference = "K7QM-4WDP"};
}

static void assert_has(char *html, const char *text)
{
    if (!strstr(html, text))
        fail_msg("the page lacks: %s", text);
}

static void assert_lacks(char *html, const char *text)
{
    if (strstr(html, text))
        fail_msg("the page has: %s", text);
}

static void a_card_can_be_left_while_waiting(void **state)
{
    (void)state;
    struct page_order order = usual(ORDER_PLACED);
    char *html = render(PAGE_PAYS_CARD, &order, NULL);
    assert_has(html, "data-payment=\"card\"");
    assert_has(html, "id=\"order-card\" aria-labelledby=\"card-title\">");
    assert_has(html, "id=\"order-later\" hidden>");
    assert_has(html, "tickets</span> for you for 10 minutes: come back in that time");
    assert_has(html, "<button type=\"submit\" class=\"plain\">Leave a card</button>");
    assert_has(html, "action=\"/e/gala/card\"");
    assert_has(html, "<p class=\"card-open\" hidden>");
    free(html);
    order.has_card = true;
    order.card_label = "visa 4242";
    html = render(PAGE_PAYS_CARD, &order, NULL);
    assert_has(html, "<h3 id=\"card-title\">Your card: visa 4242</h3>");
    assert_has(html, "id=\"order-later\">You can close this page: we book your order");
    assert_has(html, "id=\"order-later-pay\" hidden>");
    assert_has(html, "<p class=\"card-none\" hidden>");
    assert_has(html, "<button type=\"submit\" class=\"plain\">Use another card</button>");
    free(html);
    order.card_label = "<b>";
    html = render(PAGE_PAYS_CARD, &order, NULL);
    assert_has(html, "Your card: &lt;b&gt;");
    assert_lacks(html, "<b>");
    free(html);
}

static void where_no_card_pays_none_is_asked_for(void **state)
{
    (void)state;
    struct page_order order = usual(ORDER_PLACED);
    for (enum page_payment payment = PAGE_PAYS_DOOR; payment <= PAGE_PAYS_SELLER; payment++) {
        char *html = render(payment, &order, NULL);
        assert_has(html, "aria-labelledby=\"card-title\" hidden>");
        assert_has(html, "id=\"order-later\">");
        assert_has(html, "<div class=\"pay\" id=\"pay\" hidden>");
        assert_has(html, "<div class=\"pays-seller\">");
        free(html);
    }
    order.amount_text = NULL; // nothing is due
    char *html = render(PAGE_PAYS_CARD, &order, NULL);
    assert_has(html, "aria-labelledby=\"card-title\" hidden>");
    assert_has(html, "id=\"order-later\">");
    free(html);
}

static void the_hold_offers_to_pay(void **state)
{
    (void)state;
    struct page_order order = usual(ORDER_HELD);
    char *html = render(PAGE_PAYS_CARD, &order, NULL);
    assert_has(html, "<span id=\"held-first\">Kept for you. Now pay.</span><span id=\"held-again\" hidden>");
    assert_has(html, "action=\"/e/gala/pay\" hidden>"); // without a card there is nothing to press
    assert_has(html, "<button type=\"submit\" class=\"main\">Pay by card</button>");
    assert_has(html, "<div class=\"pays-seller\" hidden>");
    free(html);
    order.has_card = true;
    order.card_label = "visa 4242";
    html = render(PAGE_PAYS_CARD, &order, NULL);
    assert_has(html, "action=\"/e/gala/pay\">");
    assert_has(html, "id=\"pay-now\">Pay €90.00 with visa 4242</button>");
    assert_has(html, "<button type=\"submit\" class=\"plain\">Use another card</button>");
    free(html);
}

static void a_decline_says_why(void **state)
{
    (void)state;
    static const struct {
        enum order_reason reason;
        const char *words;
    } cases[] = {
        {ORDER_CARD_DECLINED, "Your bank said no to this card"},
        {ORDER_INSUFFICIENT_FUNDS, "not enough money"},
        {ORDER_EXPIRED_CARD, "This card has expired"},
        {ORDER_AUTHENTICATION_FAILED, "question was not answered"},
        {ORDER_PAYMENT_METHOD_INVALID, "This card cannot be charged here"},
        {ORDER_NO_REASON, "Your payment did not go through."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct page_order order = usual(ORDER_DECLINED);
        order.reason = cases[i].reason;
        char *html = render(PAGE_PAYS_CARD, &order, NULL);
        assert_has(html, "<span id=\"held-first\" hidden>");
        assert_has(html, "id=\"declined-why\">");
        assert_has(html, cases[i].words);
        assert_has(html, "Nothing was charged");
        free(html);
    }
}

static void only_addresses_of_the_web_are_links(void **state)
{
    (void)state;
    struct page_order order = usual(ORDER_ACTION_REQUIRED);
    order.action_url = "https://bank.example/3ds?a=1&b=2";
    char *html = render(PAGE_PAYS_CARD, &order, NULL);
    assert_has(html,
               "<p id=\"action\"><a class=\"main\" id=\"action-link\" href=\"https://bank.example/3ds?a=1&amp;b=2\">");
    assert_has(html, "<title>Your bank asks · Spring Gala</title>");
    free(html);
    order.action_url = "javascript:alert(1)";
    struct page_view view = {.card_url = "data:text/html,x"};
    html = render(PAGE_PAYS_CARD, &order, &view);
    assert_has(html, "<p id=\"action\" hidden>");
    assert_has(html, "<p class=\"card-open\" hidden>");
    assert_lacks(html, "javascript:");
    assert_lacks(html, "data:text");
    free(html);
    view.card_url = "http://127.0.0.1:12111/pay/cs_1";
    html = render(PAGE_PAYS_CARD, &order, &view);
    assert_has(html, "<p class=\"card-open\"><a class=\"main\" href=\"http://127.0.0.1:12111/pay/cs_1\">");
    free(html);
}

// The way on stands out, and stands first; what was pressed to get it looks and reads otherwise.
static void with_a_card_page_open_there_is_one_way_on(void **state)
{
    (void)state;
    struct page_order order = usual(ORDER_HELD);
    struct page_view view = {.card_url = "https://bank.example/pay/cs_1"};
    char *html = render(PAGE_PAYS_CARD, &order, &view);
    assert_has(html, "<a class=\"main\" href=\"https://bank.example/pay/cs_1\">Go on to the card page</a>");
    assert_has(html, "<button type=\"submit\" class=\"plain\">Start again with a new card page</button>");
    assert_lacks(html, "<button type=\"submit\" class=\"main\">Start again"); // neither here nor where a card is left
    assert_lacks(html, ">Pay by card<");
    const char *pay = strstr(html, "id=\"pay\"");
    assert_true(strstr(pay, "Go on to the card page") < strstr(pay, "Start again with a new card page"));
    free(html);
    order.has_card = true;
    order.card_label = "visa 4242";
    html = render(PAGE_PAYS_CARD, &order, &view);
    assert_has(html, "class=\"main\" id=\"pay-now\">Pay €90.00 with visa 4242</button>");
    assert_has(html, "<a class=\"plain\" href=\"https://bank.example/pay/cs_1\">");
    assert_lacks(html, ">Use another card<");
    free(html);
    order.state = ORDER_PLACED;
    order.has_card = false;
    html = render(PAGE_PAYS_CARD, &order, &view);
    assert_has(html, "<a class=\"main\" href=\"https://bank.example/pay/cs_1\">Go on to the card page</a>");
    assert_lacks(html, ">Leave a card<");
    free(html);
}

static void what_is_under_way_is_looked_at_soon(void **state)
{
    (void)state;
    struct page_order order = usual(ORDER_PAYING);
    char *html = render(PAGE_PAYS_CARD, &order, NULL);
    assert_has(html, "content=\"3; url=/e/gala\"");
    assert_has(html, "id=\"payment-unknown\" hidden>");
    free(html);
    order.reason = ORDER_PAYMENT_UNKNOWN;
    html = render(PAGE_PAYS_CARD, &order, NULL);
    assert_has(html, "id=\"payment-unknown\">");
    free(html);
    order = usual(ORDER_HELD);
    struct page_view view = {.card_note = PAGE_CARD_COMING, .card_is_coming = true};
    html = render(PAGE_PAYS_CARD, &order, &view);
    assert_has(html, "content=\"3; url=/e/gala?card=look\"");
    assert_has(html, PAGE_CARD_COMING);
    free(html);
}

static void how_many_tries_are_left(void **state)
{
    (void)state;
    static const struct {
        int32_t left;
        const char *words;
    } cases[] = {
        {4, "id=\"tries\">You can try 4 more times."},
        {1, "id=\"tries\">You can try once more."},
        {0, "id=\"tries\">That was the last try"},
        {-1, "id=\"tries\" hidden>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct page_order order = usual(ORDER_DECLINED);
        order.tries_left = cases[i].left;
        order.has_card = true;
        char *html = render(PAGE_PAYS_CARD, &order, NULL);
        assert_has(html, cases[i].words);
        assert_has(html, cases[i].left == 0 ? "action=\"/e/gala/pay\" hidden>" : "action=\"/e/gala/pay\">");
        free(html);
    }
}

// ---- The ticket

static char *render_receipt(const struct page_receipt *receipt)
{
    struct buffer html = BUFFER_INIT;
    page_receipt_render(templates.receipt, strlen(templates.receipt), receipt, &html);
    assert_false(html.failed);
    return buffer_take(&html);
}

static void the_ticket_says_what_was_booked(void **state)
{
    (void)state;
    struct page_order order = usual(ORDER_CONFIRMED);
    order.seats_text = "Row A, seats 12 and 13";
    order.email = "a&b@c.example";
    struct page_receipt receipt = {
        .slug = "gala", .name = "<Gala>", .order = &order, .payment = PAGE_PAYS_CARD, .code = "a.b.c"};
    char *html = render_receipt(&receipt);
    assert_has(html, "<h1>&lt;Gala&gt;</h1>");
    assert_has(html, "<dt>Paid by card</dt><dd>€90.00</dd>");
    assert_has(html, "Row A, seats 12 and 13");
    assert_has(html, "a&amp;b@c.example");
    assert_has(html, "K 7 Q M, 4 W D P");
    assert_has(html, "<figure class=\"door-code\">");
    assert_has(html, "<p class=\"venue\" hidden>");
    assert_lacks(html, "{{");
    free(html);
    receipt.payment = PAGE_PAYS_SELLER;
    html = render_receipt(&receipt);
    assert_has(html, "<dt>Paid to the seller</dt>");
    free(html);
    receipt.payment = PAGE_PAYS_DOOR;
    receipt.code = NULL;
    html = render_receipt(&receipt);
    assert_has(html, "<dt>To pay at the door</dt><dd>€90.00</dd>");
    assert_has(html, "<figure class=\"door-code\" hidden>");
    assert_has(html, "<p class=\"still\">The code for the door cannot be shown");
    assert_lacks(html, "<svg");
    free(html);
    order.amount_text = NULL;
    html = render_receipt(&receipt);
    assert_has(html, "<dt>To pay</dt><dd>Nothing</dd>");
    free(html);
}

static void the_code_has_its_quiet_zone(void **state)
{
    (void)state;
    struct buffer svg = BUFFER_INIT;
    assert_int_equal(page_receipt_draw("A", &svg), 0); // version 1: 21 modules, and 4 around them
    assert_non_null(strstr(svg.data, "viewBox=\"0 0 29 29\""));
    assert_non_null(strstr(svg.data, "d=\"M4 4h7v1h-7z")); // the upper edge of the first finder
    assert_non_null(strstr(svg.data, "M18 4h7v1h-7z")); // and of the second
    buffer_done(&svg);
    assert_int_equal(page_receipt_draw("", &svg), ERROR_INVALID);
    assert_int_equal(page_receipt_draw(NULL, &svg), ERROR_INVALID);
    char *much = malloc(4001);
    assert_non_null(much);
    memset(much, 'x', 4000);
    much[4000] = '\0';
    assert_int_equal(page_receipt_draw(much, &svg), ERROR_INVALID); // more than any code holds
    free(much);
    assert_int_equal(svg.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_card_can_be_left_while_waiting),
        cmocka_unit_test(where_no_card_pays_none_is_asked_for),
        cmocka_unit_test(the_hold_offers_to_pay),
        cmocka_unit_test(a_decline_says_why),
        cmocka_unit_test(how_many_tries_are_left),
        cmocka_unit_test(only_addresses_of_the_web_are_links),
        cmocka_unit_test(with_a_card_page_open_there_is_one_way_on),
        cmocka_unit_test(what_is_under_way_is_looked_at_soon),
        cmocka_unit_test(the_ticket_says_what_was_booked),
        cmocka_unit_test(the_code_has_its_quiet_zone),
    };
    return cmocka_run_group_tests(tests, read_templates, NULL);
}
