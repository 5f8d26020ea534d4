// SPDX-License-Identifier: Apache-2.0
// Merging what is heard into a view, and building its shared frames.
#include "waiting-room/event_view.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct frame *frame_new(const struct buffer *text)
{
    struct frame *frame = text->failed ? NULL : malloc(sizeof *frame + text->bytes);
    if (frame) {
        frame->references = 1;
        frame->bytes = text->bytes;
        memcpy(frame->data, text->data, text->bytes);
    }
    return frame;
}

struct frame *frame_ref(struct frame *frame)
{
    frame->references++;
    return frame;
}

void frame_unref(struct frame *frame)
{
    if (frame && --frame->references == 0)
        free(frame);
}

static void forget_frames(struct event_view *view, unsigned bits)
{
    for (unsigned kind = 0; kind < FRAME_KIND_COUNT; kind++) {
        if (bits & FRAME_BIT(kind)) {
            frame_unref(view->frames[kind]);
            view->frames[kind] = NULL;
        }
    }
}

struct event_view *event_view_new(const struct snapshot *event)
{
    struct event_view *view = calloc(1, sizeof *view);
    if (!view)
        return NULL;
    view->event = snapshot_copy(event);
    if (!view->event) {
        free(view);
        return NULL;
    }
    view->stock_at_us = event->counted_at_us;
    view->line = (struct frames_line){event->served, event->last, event->has_wait, event->us_per_place_low,
                                      event->us_per_place_high};
    return view;
}

void event_view_free(struct event_view *view)
{
    if (!view)
        return;
    assert(view->visitor_count == 0 && view->stream_count == 0);
    forget_frames(view, FRAME_BIT(FRAME_KIND_COUNT) - 1);
    snapshot_unref(view->event);
    seats_document_unref(view->seats.document);
    frame_unref(view->seats.text);
    free(view->visitors);
    free(view);
}

static bool same_stock(const struct snapshot *a, const struct snapshot *b)
{
    if (a->tier_count != b->tier_count)
        return false;
    for (size_t i = 0; i < a->tier_count; i++)
        if (strcmp(a->tiers[i].code, b->tiers[i].code) != 0 || a->tiers[i].left != b->tiers[i].left ||
            a->tiers[i].asked != b->tiers[i].asked)
            return false;
    return true;
}

static bool same_notice(const struct snapshot *a, const struct snapshot *b)
{
    if (!a->notice || !b->notice)
        return a->notice == b->notice;
    return a->notice_at_us == b->notice_at_us && strcmp(a->notice, b->notice) == 0;
}

static struct snapshot_tier *find_tier(const struct snapshot *event, const char *code)
{
    for (size_t i = 0; i < event->tier_count; i++)
        if (strcmp(event->tiers[i].code, code) == 0)
            return &event->tiers[i];
    return NULL;
}

// Who reads an event does not count the orders in the line, and may have read what is left before the last news.
static void keep_stock(const struct event_view *view, struct snapshot *event)
{
    bool is_older = event->counted_at_us < view->stock_at_us;
    for (size_t i = 0; i < event->tier_count; i++) {
        struct snapshot_tier *tier = &event->tiers[i];
        const struct snapshot_tier *known = find_tier(view->event, tier->code);
        if (!known)
            continue;
        tier->asked = known->asked;
        if (is_older && tier->capacity == known->capacity)
            tier->left = known->left;
        if (is_older)
            tier->standby = known->standby;
    }
}

unsigned event_view_take_snapshot(struct event_view *view, const struct snapshot *news)
{
    struct snapshot *old = view->event, *event = news->version < old->version ? NULL : snapshot_copy(news);
    if (!event)
        return 0;
    keep_stock(view, event);
    if (event->counted_at_us > view->stock_at_us)
        view->stock_at_us = event->counted_at_us;
    unsigned changed = 0;
    if (old->state != event->state || old->opens_at_us != event->opens_at_us)
        changed |= FRAME_BIT(FRAME_EVENT);
    if (!same_stock(old, event)) {
        view->stock_due = true;
        forget_frames(view, FRAME_BIT(FRAME_STOCK));
    }
    if (!same_notice(old, event))
        changed |= FRAME_BIT(FRAME_NOTICE);
    if (strcmp(old->pace, event->pace) != 0)
        view->served_due = true;
    view->event = event;
    snapshot_unref(old);
    event_view_take_line(view, event->served, event->last);
    forget_frames(view, changed | FRAME_BIT(FRAME_SERVED));
    return changed;
}

void event_view_take_line(struct event_view *view, uint64_t served, uint64_t last)
{
    if (last > view->line.last)
        view->line.last = last;
    if (served <= view->line.served)
        return;
    view->line.served = served;
    view->served_due = true;
    forget_frames(view, FRAME_BIT(FRAME_SERVED));
}

void event_view_take_served(struct event_view *view, const struct message_served_event *news)
{
    struct frames_line *line = &view->line;
    if (news->served < line->served)
        return;
    event_view_take_line(view, news->served, news->last);
    if (line->has_wait == news->has_wait && (!line->has_wait || (line->us_per_place_low == news->us_per_place_low &&
                                                                 line->us_per_place_high == news->us_per_place_high)))
        return;
    line->has_wait = news->has_wait;
    line->us_per_place_low = news->us_per_place_low;
    line->us_per_place_high = news->us_per_place_high;
    view->served_due = true;
    forget_frames(view, FRAME_BIT(FRAME_SERVED));
}

void event_view_take_stock(struct event_view *view, const struct stock_news *news)
{
    if (news->at_us <= view->stock_at_us)
        return;
    view->stock_at_us = news->at_us;
    for (size_t i = 0; i < news->count; i++) {
        struct snapshot_tier *tier = find_tier(view->event, news->tiers[i].code);
        if (!tier)
            continue;
        view->standby_due |= news->tiers[i].standby > 0 || tier->standby > 0;
        tier->standby = news->tiers[i].standby;
        if (tier->left == news->tiers[i].left && tier->asked == news->tiers[i].asked)
            continue;
        tier->left = news->tiers[i].left;
        tier->asked = news->tiers[i].asked;
        view->stock_due = true;
    }
    if (view->stock_due)
        forget_frames(view, FRAME_BIT(FRAME_STOCK));
}

static struct frame *build_frame(struct event_view *view, enum frame_kind kind)
{
    static const char *const names[] = {
        [FRAME_EVENT] = "event", [FRAME_STOCK] = "stock", [FRAME_NOTICE] = "notice", [FRAME_SERVED] = "served"};
    struct buffer json CLEANUP(buffer_done) = BUFFER_INIT, text CLEANUP(buffer_done) = BUFFER_INIT;
    if (kind == FRAME_EVENT)
        frames_event(&json, view->event);
    else if (kind == FRAME_STOCK)
        frames_stock(&json, view->event);
    else if (kind == FRAME_NOTICE)
        frames_notice(&json, view->event);
    else
        frames_served(&json, view->event, &view->line);
    if (json.failed)
        return NULL;
    frames_sse(&text, names[kind], ++view->frame_id, json.data);
    return frame_new(&text);
}

struct frame *event_view_frame(struct event_view *view, enum frame_kind kind)
{
    if (!view->frames[kind])
        view->frames[kind] = build_frame(view, kind);
    return view->frames[kind] ? frame_ref(view->frames[kind]) : NULL;
}

void event_view_rules(const struct event_view *view, struct line_event *ret)
{
    const struct snapshot *event = view->event;
    *ret = (struct line_event){
        .state = event->state,
        .opened = event->opened,
        .turn_us = event->turn_us,
        .absent_us = event->absent_us,
        .stopped_us = event->stopped_us,
        .stopped_at_us = event->stopped_at_us,
        .served = view->line.served,
        .has_wait = view->line.has_wait,
        .us_per_place_low = view->line.us_per_place_low,
        .us_per_place_high = view->line.us_per_place_high,
    };
}

int64_t event_view_stopped_us(const struct event_view *view, int64_t now_us)
{
    struct line_event rules;
    event_view_rules(view, &rules);
    return line_stopped_us(&rules, now_us);
}
