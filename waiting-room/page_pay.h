// SPDX-License-Identifier: Apache-2.0
// The page's part about paying with a card: the card that is kept for one's turn, the button in the hold, why a payment was declined,
// where the bank asks. Used by page_order.c alone; page/pay.js keeps the same elements up to date. Pure.
#ifndef WAITING_ROOM_PAGE_PAY_H
#define WAITING_ROOM_PAGE_PAY_H

#include "waiting-room/page_render.h"

// The visitor has to come back and pay in the hold, as no card is kept for the turn.
bool page_pay_is_later(const struct page_view *view);

// Appends what stands for a placeholder. False: it is not one about paying.
bool page_pay_append(struct buffer *html, const struct page_view *view, const char *name);

// Whether the element of {{hide_NAME}} is shown. False: it is not one about paying.
bool page_pay_part(const struct page_view *view, const char *name, bool *ret_shown);

#endif
