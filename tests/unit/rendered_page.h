// SPDX-License-Identifier: Apache-2.0
// The page as a visitor without the script gets it, from the real template: what the tests of its parts share.
#ifndef TESTS_UNIT_RENDERED_PAGE_H
#define TESTS_UNIT_RENDERED_PAGE_H

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

static inline struct page_view usual_view(void)
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

static inline char *render(const struct page_view *view)
{
    struct buffer html = BUFFER_INIT;
    page_render(template, template_bytes, view, &html);
    assert_false(html.failed);
    char *text = buffer_take(&html);
    assert_non_null(text);
    return text;
}

static inline void assert_has(const char *html, const char *part)
{
    if (!strstr(html, part))
        fail_msg("the page lacks: %s", part);
}

static inline void assert_lacks(const char *html, const char *part)
{
    if (strstr(html, part))
        fail_msg("the page must not have: %s", part);
}

// Exactly this panel is shown.
static inline void assert_panel(const struct page_view *view, const char *panel)
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

#endif
