// SPDX-License-Identifier: Apache-2.0
// GET /v1/events/SLUG/seats: the halls and which seats are taken, the same for everybody. A loop asks the store when what it has is a
// second old, once for all who ask meanwhile. With MySQL away the last one is told with its age, and no longer than it is of any use.
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "waiting-room/accept.h"
#include "waiting-room/handle.h"
#include "waiting-room/owner.h"

#define SECOND_NS INT64_C(1000000000)
#define ASK_EVERY_NS INT64_C(250000000) // when the store answers with something older, because reading takes it long
#define OLD_NS (10 * SECOND_NS) // what is older is not told any more
#define RETRY_AFTER_SECONDS 2

// Somebody who waits for the store's answer.
struct seats_asker {
    struct owner owner; // first
    struct http_exchange *exchange;
    struct event_view *view;
    const char *if_none_match; // NULL: none
    struct seats_asker *next;
};

// A question to the store, of one loop.
struct question {
    struct line_store_request request; // first
    struct event_view *view;
};

static void release_text(void *owner)
{
    frame_unref(owner);
}

static void respond(struct http_exchange *exchange, const struct seats_board *board, const char *if_none_match)
{
    int64_t age_ns = clock_monotonic_ns() - board->looked_ns;
    char age[24];
    if (!board->text || age_ns > OLD_NS) {
        problem_respond(exchange, &PROBLEM_UNAVAILABLE,
                        &(struct problem_more){.retry_after_seconds = RETRY_AFTER_SECONDS});
        return;
    }
    snprintf(age, sizeof age, "%d", (int)(age_ns / SECOND_NS));
    const struct http_header headers[] = {{"content-type", "application/json"},
                                          {"cache-control", "public, max-age=1"},
                                          {"etag", board->document->etag},
                                          {"x-content-type-options", "nosniff"},
                                          {"age", age}};
    bool has_it = seats_document_is_known(board->document, if_none_match);
    struct frame *text = frame_ref(board->text);
    http_respond_shared(exchange, has_it ? 304 : 200, headers, age_ns < SECOND_NS ? 4 : 5, text->data, text->bytes,
                        release_text, text);
}

static void answer_all(struct event_view *view)
{
    while (view->seats.askers) {
        struct seats_asker *asker = view->seats.askers;
        view->seats.askers = asker->next;
        http_set_data(asker->exchange, NULL);
        respond(asker->exchange, &view->seats, asker->if_none_match);
        free(asker);
    }
}

// Written once: a slow client with many streams, and many of them, must not hold a copy each.
static void take_text(struct event_view *view, int64_t at_us)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    seats_document_write(&text, view->event->slug, view->seats.document, at_us);
    frame_unref(view->seats.text);
    view->seats.text = frame_new(&text);
}

static void on_answered(struct line_store_request *request)
{
    struct question *question = (struct question *)request;
    struct event_view *view = question->view;
    struct seats_board *board = &view->seats;
    board->asking = false;
    board->answered_ns = clock_monotonic_ns();
    if (request->error == 0) {
        seats_document_unref(board->document);
        board->document = request->seats;
        board->looked_ns = request->seats_looked_ns;
        take_text(view, request->seats_at_us);
    }
    free(question);
    answer_all(view);
}

static void on_dropped(struct line_store_request *request)
{
    seats_document_unref(request->seats);
    free(request);
}

static void on_closed(struct owner *owner)
{
    struct seats_asker *asker = (struct seats_asker *)owner, **at = &asker->view->seats.askers;
    while (*at != asker)
        at = &(*at)->next;
    *at = asker->next;
    free(asker);
}

// False: it cannot be asked now.
static bool ask_store(const struct room_loop *loop, struct event_view *view)
{
    struct question *question = calloc(1, sizeof *question);
    if (!question)
        return false;
    question->view = view;
    question->request = (struct line_store_request){.kind = LINE_STORE_SEATS,
                                                    .loop = loop->http,
                                                    .answered = on_answered,
                                                    .dropped = on_dropped,
                                                    .event_id = view->event->id};
    view->seats.asking = line_store_ask(loop->room->store, &question->request) == 0;
    if (!view->seats.asking)
        free(question);
    return view->seats.asking;
}

static bool is_fresh(const struct seats_board *board)
{
    int64_t now_ns = clock_monotonic_ns();
    return board->document && (now_ns - board->looked_ns < SECOND_NS || now_ns - board->answered_ns < ASK_EVERY_NS);
}

static void wait_for_store(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    struct seats_asker *asker = calloc(1, sizeof *asker);
    if (!asker) {
        problem_respond(exchange, &PROBLEM_UNAVAILABLE,
                        &(struct problem_more){.retry_after_seconds = RETRY_AFTER_SECONDS});
        return;
    }
    *asker = (struct seats_asker){.owner = {.closed = on_closed},
                                  .exchange = exchange,
                                  .view = view,
                                  .if_none_match = request->if_none_match,
                                  .next = view->seats.askers};
    view->seats.askers = asker;
    http_set_data(exchange, asker);
}

void handle_seats(struct http_exchange *exchange, const struct http_request *request, struct event_view *view)
{
    const struct room_loop *loop = http_loop_data(http_exchange_loop(exchange));
    if (accept_choose(request->accept) != ACCEPT_JSON) {
        problem_respond(exchange, &PROBLEM_NOT_ACCEPTABLE, NULL);
        return;
    }
    room_loop_note_read(view);
    if (!is_fresh(&view->seats) && (view->seats.asking || ask_store(loop, view))) {
        wait_for_store(exchange, request, view);
        return;
    }
    respond(exchange, &view->seats, request->if_none_match);
}
