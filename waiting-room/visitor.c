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
    free(visitor);
}

void visitor_take_facts(struct visitor *visitor, const struct line_facts *facts)
{
    bool left = visitor->facts.left;
    visitor->facts = *facts;
    visitor->facts.left = left || facts->left;
    visitor->known = true;
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
