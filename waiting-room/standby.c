// SPDX-License-Identifier: Apache-2.0
// One question per event and loop. The answer is for those who still stand by when it comes.
#include "waiting-room/standby.h"

#include <stdlib.h>

#include "common/clock.h"
#include "waiting-room/line_store.h"
#include "waiting-room/stream.h"
#include "waiting-room/visitor.h"

#define EVERY_NS INT64_C(1000000000)

struct standby_ask {
    struct line_store_request request; // first
    struct room_loop *loop;
    struct event_view *view;
    struct line_store_ahead aheads[];
};

static void drop_ask(struct line_store_request *request)
{
    free(request);
}

static void take_ahead(struct standby_ask *ask, const struct line_store_ahead *ahead)
{
    struct visitor *visitor = visitor_find(ask->view, ahead->number);
    for (; visitor; visitor = visitor->next) {
        if (visitor->facts.number != ahead->number || !visitor->order || visitor->order->state != ORDER_STANDBY)
            continue;
        if (ahead->ahead < 0) { // served or ended meanwhile; the outcome may be on its way
            stream_ask_visitor(ask->loop, visitor);
            continue;
        }
        visitor_take_ahead(visitor, ahead->ahead);
        stream_tell_visitor(ask->loop, visitor);
    }
}

static void on_answered(struct line_store_request *request)
{
    struct standby_ask *ask = (struct standby_ask *)request;
    ask->view->standby_asking = false;
    ask->view->standby_due |= request->error < 0; // MySQL is away
    for (size_t i = 0; request->error == 0 && i < request->ahead_count; i++)
        take_ahead(ask, &ask->aheads[i]);
    free(ask);
}

static bool is_asked_for(const struct visitor *visitor)
{
    return visitor->streams && visitor->order && visitor->order->state == ORDER_STANDBY;
}

static size_t count_standby(const struct event_view *view)
{
    size_t count = 0;
    for (size_t i = 0; i < view->bucket_count; i++)
        for (const struct visitor *visitor = view->visitors[i]; visitor; visitor = visitor->next)
            count += is_asked_for(visitor);
    return count;
}

void standby_tend(struct room_loop *loop, struct event_view *view)
{
    int64_t now_ns = clock_monotonic_ns();
    if (!view->standby_due || view->standby_asking || now_ns < view->next_standby_ns)
        return;
    view->standby_due = false;
    view->next_standby_ns = now_ns + EVERY_NS;
    size_t count = count_standby(view);
    struct standby_ask *ask = count > 0 ? calloc(1, sizeof *ask + count * sizeof ask->aheads[0]) : NULL;
    if (!ask)
        return;
    ask->loop = loop;
    ask->view = view;
    for (size_t i = 0; i < view->bucket_count; i++)
        for (const struct visitor *visitor = view->visitors[i]; visitor; visitor = visitor->next)
            if (is_asked_for(visitor))
                ask->aheads[ask->request.ahead_count++].number = visitor->facts.number;
    ask->request.kind = LINE_STORE_AHEAD;
    ask->request.loop = loop->http;
    ask->request.answered = on_answered;
    ask->request.dropped = drop_ask;
    ask->request.event_id = view->event->id;
    ask->request.aheads = ask->aheads;
    if (line_store_ask(loop->room->store, &ask->request) < 0)
        free(ask);
    else
        view->standby_asking = true;
}
