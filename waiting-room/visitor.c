// SPDX-License-Identifier: Apache-2.0
// The view's table of visitors: chained by number, grown by doubling, so that finding who left costs the same however many wait.
#include "waiting-room/visitor.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 16

static size_t bucket_of(const struct event_view *view, uint64_t number)
{
    return (size_t)(number & (view->bucket_count - 1)); // numbers are dense: their low bits spread by themselves
}

static bool grow(struct event_view *view)
{
    size_t old_count = view->bucket_count, count = old_count ? old_count * 2 : BUCKETS_FIRST;
    struct visitor **old = view->visitors, **buckets = calloc(count, sizeof(struct visitor *));
    if (!buckets)
        return old_count > 0; // a full table is slow, not wrong
    view->visitors = buckets;
    view->bucket_count = count;
    for (size_t i = 0; i < old_count; i++) {
        for (struct visitor *visitor = old[i], *next; visitor; visitor = next) {
            next = visitor->next;
            struct visitor **bucket = &buckets[bucket_of(view, visitor->facts.number)];
            visitor->next = *bucket;
            *bucket = visitor;
        }
    }
    free(old);
    return true;
}

struct visitor *visitor_find(const struct event_view *view, uint64_t number)
{
    struct visitor *visitor = view->bucket_count ? view->visitors[bucket_of(view, number)] : NULL;
    while (visitor && visitor->facts.number != number)
        visitor = visitor->next;
    return visitor;
}

struct visitor *visitor_get(struct event_view *view, uint64_t number, const uint8_t id[static TOKEN_VISITOR_BYTES])
{
    for (struct visitor *visitor = visitor_find(view, number); visitor; visitor = visitor->next)
        if (visitor->facts.number == number && memcmp(visitor->id, id, sizeof visitor->id) == 0)
            return visitor_ref(visitor);
    if (view->visitor_count >= view->bucket_count && !grow(view))
        return NULL;
    struct visitor *visitor = calloc(1, sizeof *visitor);
    if (!visitor)
        return NULL;
    visitor->references = 1;
    visitor->view = view;
    visitor->facts.number = number;
    memcpy(visitor->id, id, sizeof visitor->id);
    struct visitor **bucket = &view->visitors[bucket_of(view, number)];
    visitor->next = *bucket;
    *bucket = visitor;
    view->visitor_count++;
    return visitor;
}

struct visitor *visitor_ref(struct visitor *visitor)
{
    visitor->references++;
    return visitor;
}

void visitor_unref(struct visitor *visitor)
{
    if (!visitor || --visitor->references > 0)
        return;
    struct event_view *view = visitor->view;
    struct visitor **link = &view->visitors[bucket_of(view, visitor->facts.number)];
    while (*link != visitor)
        link = &(*link)->next;
    *link = visitor->next;
    view->visitor_count--;
    order_facts_unref(visitor->order);
    for (size_t i = 0; i < visitor->ended_count; i++)
        order_facts_unref(visitor->ended[i]);
    free(visitor);
}

void visitor_take_facts(struct visitor *visitor, const struct line_facts *facts)
{
    bool left = visitor->facts.left;
    visitor->facts = *facts;
    visitor->facts.left = left || facts->left;
    visitor->known = true;
}

// Takes over the reference.
static void keep_ended(struct visitor *visitor, struct order_facts *ended)
{
    if (visitor->ended_count == VISITOR_ENDED_MAX) {
        order_facts_unref(visitor->ended[0]);
        memmove(visitor->ended, visitor->ended + 1, (VISITOR_ENDED_MAX - 1) * sizeof visitor->ended[0]);
        visitor->ended_count--;
    }
    visitor->ended[visitor->ended_count++] = ended;
}

bool visitor_take_order(struct visitor *visitor, struct order_facts *facts)
{
    visitor->order_known = true;
    if (!facts || !order_facts_is_news(visitor->order, facts->attempt, facts->revision))
        return false;
    if (visitor->order && visitor->streams && order_is_final(visitor->order->state))
        keep_ended(visitor, visitor->order);
    else
        order_facts_unref(visitor->order);
    visitor->order = order_facts_ref(facts);
    return true;
}

static void replace_order(struct visitor *visitor, struct order_facts *facts)
{
    order_facts_unref(visitor->order);
    visitor->order = facts;
}

void visitor_doubt_order(struct visitor *visitor)
{
    visitor->order_known = false;
    visitor->order_doubts++;
}

bool visitor_take_order_read(struct visitor *visitor, struct order_facts *facts, uint32_t doubts)
{
    bool is_news = visitor_take_order(visitor, facts);
    if (facts && !is_news && facts->attempt == visitor->order->attempt && facts->revision == visitor->order->revision)
        replace_order(visitor, order_facts_ref(facts));
    visitor->order_known = visitor->order_doubts == doubts;
    return is_news;
}

void visitor_take_ahead(struct visitor *visitor, int64_t ahead)
{
    if (!visitor->order || visitor->order->state != ORDER_STANDBY || visitor->order->ahead == ahead)
        return;
    struct order_facts *behind = order_facts_behind(visitor->order, ahead);
    if (behind) // without memory it is told the next time
        replace_order(visitor, behind);
}

void visitor_take_card(struct visitor *visitor, const char *label)
{
    const struct order_facts *order = visitor->order;
    if (!order || (order->has_card == (label != NULL) && strcmp(order->card_label, label ? label : "") == 0))
        return;
    struct order_facts *with = order_facts_with_card(order, label);
    if (with) // without memory it is told the next time
        replace_order(visitor, with);
}

void visitor_state(const struct visitor *visitor, int64_t now_us, struct line_state *ret)
{
    struct line_event rules;
    event_view_rules(visitor->view, &rules);
    line_state_of(&rules, &visitor->facts, now_us, ret);
}

bool visitor_is_settled(const struct visitor *visitor, int64_t now_us)
{
    struct line_state state;
    if (!visitor->known)
        return false;
    visitor_state(visitor, now_us, &state);
    return !state.turn_unknown;
}
