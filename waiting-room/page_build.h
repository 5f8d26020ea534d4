// SPDX-License-Identifier: Apache-2.0
// Puts what the waiting room knows of an event and of a visitor's order into the shape that the page is rendered from. Pure.
#ifndef WAITING_ROOM_PAGE_BUILD_H
#define WAITING_ROOM_PAGE_BUILD_H

#include "waiting-room/form.h"
#include "waiting-room/order_facts.h"
#include "waiting-room/page_render.h"
#include "waiting-room/snapshot.h"

// The memory behind a view's tiers and order.
struct page_build {
    struct page_tier *tiers;
    struct page_price *prices;
    struct page_order order;
    const char **alternatives;
    char **texts;
    size_t text_count, text_capacity;
};

// Fills tiers, limits, order and the form's beginning into `ret`, which borrows from `build`, the event, the order and the query.
// `order` NULL: there is none. The form begins with what the query holds (page_choice_query()), else with the order, if there is one
// that may be changed. Out of memory it fills less. Freed with page_build_done().
void page_build(struct page_build *build, const struct snapshot *event, const struct order_facts *order,
                const struct form *query, struct page_view *ret);
void page_build_done(struct page_build *build);

// "1 May 2027, 19:30 UTC". NULL for SNAPSHOT_NO_TIME.
#define PAGE_TIME_BYTES 64
const char *page_time_text(int64_t at_us, char text[static PAGE_TIME_BYTES]);
// The same with how far off it is, "… UTC (in 9 minutes)": whoever has to keep it need not know how UTC differs from their clock. Rounded down,
// so that nobody is promised more time than there is. What has passed stands alone.
const char *page_deadline_text(int64_t at_us, int64_t now_us, char text[static PAGE_TIME_BYTES]);

#endif
