// SPDX-License-Identifier: Apache-2.0
// The ticket of a confirmed booking as a page of its own: what was booked, how it was paid, and the code to show at the door, drawn into the
// page. Pure.
#ifndef WAITING_ROOM_PAGE_RECEIPT_H
#define WAITING_ROOM_PAGE_RECEIPT_H

#include <stddef.h>

#include "common/buffer.h"
#include "common/error.h"
#include "waiting-room/page_render.h"

// Everything is borrowed for the call and is plain text in UTF-8. A string that does not apply is NULL or "".
struct page_receipt {
    const char *slug, *name, *venue, *timezone;
    const char *starts_text; // "1 May 2027, 19:30 UTC"
    const char *starts_at; // the same as RFC 3339
    const struct page_order *order; // confirmed
    enum page_payment payment;
    const char *code; // the signed ticket; NULL: there is no key to sign with
};

// Appends the page to `html`; a failure is html->failed. A code that cannot be drawn is said to be missing.
void page_receipt_render(const char *template, size_t template_bytes, const struct page_receipt *receipt,
                         struct buffer *html);

// Appends the text as a QR code: an SVG of dark squares on white, whatever the page's colours, with its quiet zone. ERROR_INVALID: it is too
// long for one, or there is none.
int page_receipt_draw(const char *code, struct buffer *svg) MUST_USE;

// "K7QM-4WDP" as "K 7 Q M, 4 W D P", for who hears it.
void page_append_spelled(struct buffer *html, const char *reference);

#endif
