// SPDX-License-Identifier: Apache-2.0
// The order's part of the event's page: what the visitor ordered, what became of it, and the form to order with. Used by
// page_render.c alone; its rules are repeated by order.js, which keeps the same elements up to date. Pure.
#ifndef WAITING_ROOM_PAGE_ORDER_H
#define WAITING_ROOM_PAGE_ORDER_H

#include "waiting-room/page_render.h"

// Which section tells what became of the order ("confirmed", "customer_limit", …). NULL: none, because there is no order, it
// still waits, or its visitor took it back.
const char *page_outcome(const struct page_view *view);

// Whether nothing but the outcome is to be shown: the line no longer matters to this visitor.
bool page_outcome_stands_alone(const struct page_view *view);

// Whether the visitor's next look at the page may show something new within moments.
bool page_order_is_moving(const struct page_view *view);

// Appends what stands for a placeholder. False: it is not one of the order's.
bool page_order_append(struct buffer *html, const struct page_view *view, const char *panel, const char *name);

// Whether the element of {{hide_NAME}} is shown. False: it is not one of the order's.
bool page_order_part(const struct page_view *view, const char *panel, const char *name, bool *ret_shown);

// "1,204 left, 800 asked for in the line", in a paragraph of its own.
void page_append_left(struct buffer *html, const struct page_tier *tier);

// 1284 as "1,284".
void page_append_count(struct buffer *html, uint64_t count);

#endif
