// SPDX-License-Identifier: Apache-2.0
// Fills receipt.html.
#include "waiting-room/page_receipt.h"

#include <qrencode.h>
#include <stdbool.h>
#include <string.h>

#include "waiting-room/page_template.h"

#define QUIET_MODULES 4 // around the code, so that scanners find it (ISO 18004)
#define DARK 1 // the bit of a module that libqrencode means by it

static bool is_set(const char *text)
{
    return text && *text;
}

static void free_code(QRcode **code)
{
    QRcode_free(*code);
}

// One run of dark modules in a row is one rectangle of the path.
static void append_row(struct buffer *svg, const unsigned char *row, int width, int y)
{
    for (int x = 0; x < width; x++) {
        int length = 0;
        while (x + length < width && row[x + length] & DARK)
            length++;
        if (length > 0)
            buffer_format(svg, "M%d %dh%dv1h-%dz", x + QUIET_MODULES, y + QUIET_MODULES, length, length);
        x += length;
    }
}

int page_receipt_draw(const char *text, struct buffer *svg)
{
    // The lowest level of correction: a screen and a sheet of paper are clean, and coarse modules are worth more than redundant ones.
    QRcode *code CLEANUP(free_code) = is_set(text) ? QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L) : NULL;
    if (!code)
        return ERROR_INVALID;
    int size = code->width + 2 * QUIET_MODULES;
    buffer_format(
        svg,
        "<svg viewBox=\"0 0 %d %d\" shape-rendering=\"crispEdges\" role=\"img\" "
        "aria-label=\"The code to show at the door\"><path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/><path fill=\"#000\" "
        "d=\"",
        size, size, size, size);
    for (int y = 0; y < code->width; y++)
        append_row(svg, code->data + (ptrdiff_t)y * code->width, code->width, y);
    buffer_text(svg, "\"/></svg>");
    return 0;
}

void page_append_spelled(struct buffer *html, const char *reference)
{
    for (const char *at = reference; at && *at; at++) {
        char letter[2] = {*at, '\0'};
        if (*at == '-') {
            buffer_text(html, ",");
            continue;
        }
        if (at != reference)
            buffer_text(html, " ");
        buffer_html(html, letter);
    }
}

struct filling {
    const struct page_receipt *receipt;
    const char *svg; // NULL: no code
};

static const char *amount_title(const struct page_receipt *receipt)
{
    if (!is_set(receipt->order->amount_text))
        return "To pay";
    switch (receipt->payment) {
    case PAGE_PAYS_CARD:
        return "Paid by card";
    case PAGE_PAYS_SELLER:
        return "Paid to the seller";
    default:
        return "To pay at the door";
    }
}

static bool is_shown(const struct filling *filling, const char *name)
{
    const struct page_receipt *receipt = filling->receipt;
    const struct {
        const char *name;
        bool shown;
    } parts[] = {
        {"venue", is_set(receipt->venue)},
        {"starts", is_set(receipt->starts_text)},
        {"code", filling->svg != NULL},
        {"no_code", filling->svg == NULL},
        {"seats", is_set(receipt->order->seats_text)},
        {"email", is_set(receipt->order->email)},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(name, parts[i].name) == 0)
            return parts[i].shown;
    return true;
}

static void append_text(struct buffer *html, const struct page_receipt *receipt, const char *name)
{
    const struct page_order *order = receipt->order;
    const struct {
        const char *name, *text;
    } texts[] = {
        {"slug", receipt->slug},
        {"name", receipt->name},
        {"venue", receipt->venue},
        {"timezone", receipt->timezone},
        {"starts", receipt->starts_text},
        {"starts_at", receipt->starts_at},
        {"tickets", order->tickets_text},
        {"seats", order->seats_text},
        {"reference", order->reference},
        {"email", order->email},
        {"amount_title", amount_title(receipt)},
        {"amount", is_set(order->amount_text) ? order->amount_text : "Nothing"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(name, texts[i].name) == 0 && texts[i].text)
            buffer_html(html, texts[i].text);
}

static void append(struct buffer *html, const void *context, const char *name)
{
    const struct filling *filling = context;
    if (strncmp(name, "hide_", 5) == 0)
        buffer_text(html, is_shown(filling, name + 5) ? "" : " hidden");
    else if (strcmp(name, "code") == 0)
        buffer_text(html, filling->svg ? filling->svg : "");
    else if (strcmp(name, "spelled") == 0)
        page_append_spelled(html, filling->receipt->order->reference);
    else
        append_text(html, filling->receipt, name);
}

void page_receipt_render(const char *template, size_t template_bytes, const struct page_receipt *receipt,
                         struct buffer *html)
{
    struct buffer svg CLEANUP(buffer_done) = BUFFER_INIT;
    bool drawn = page_receipt_draw(receipt->code, &svg) == 0 && !svg.failed;
    struct filling filling = {.receipt = receipt, .svg = drawn ? svg.data : NULL};
    page_template_fill(template, template_bytes, append, &filling, html);
}
