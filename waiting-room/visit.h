// SPDX-License-Identifier: Apache-2.0
// One request about a line, from its token to its answer: who asks, what MySQL says about them, what they may be told. It
// outlives its exchange when the visitor goes away while MySQL works.
#ifndef WAITING_ROOM_VISIT_H
#define WAITING_ROOM_VISIT_H

#include "waiting-room/owner.h"
#include "waiting-room/payment_form.h"
#include "waiting-room/problem.h"
#include "waiting-room/room_loop.h"
#include "waiting-room/visitor.h"

enum visit_identity {
    VISIT_NOBODY, // no token came along
    VISIT_VISITOR, // a token of ours for this event
    VISIT_BAD_TOKEN, // one that does not verify
    VISIT_WRONG_EVENT, // one of another event
};

struct visit {
    struct owner owner; // first
    struct http_exchange *exchange; // NULL: the client is gone
    struct room_loop *loop;
    struct event_view *view;
    enum visit_identity identity;
    bool by_cookie; // the token (good or bad) came in the cookie
    int64_t token_issued_at; // seconds; of a token that verified
    struct visitor *visitor; // NULL: nobody
    int error; // of the last question; as in struct line_store_request
    struct line_store_request request;
    void (*then)(struct visit *visit);
    struct order_facts *order; // of the last answer about it; NULL: none
    uint32_t order_doubts; // the visitor's, when MySQL was asked
    struct order_form form; // what is wanted; freed with the visit
    struct payment_form payment; // with what it is paid
    struct line_store_card *card; // that is to be left; leave_card.c's, freed with the visit. NULL: none
    // Left to the handlers.
    void (*joined)(struct visit *visit);
    bool again, wants_stream;
    const struct problem *problem;
    void *data; // with free_data called on it when the visit ends
    void (*free_data)(void *data);
};

// Reads and verifies the request's token (once per connection while it stays the same). NULL when out of memory.
struct visit *visit_new(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);
// The same, but answered already when it returns NULL.
struct visit *visit_begin(struct http_exchange *exchange, const struct http_request *request, struct event_view *view);
void visit_free(struct visit *visit);
// The loop is gone while somebody else's thread had the visit: just frees.
void visit_drop(struct visit *visit);
// Refuses who has no valid token. False: the visit is over.
bool visit_needs_token(struct visit *visit);

// Each calls `then` with visit->error set, now or later, unless the client has gone: then the visit is freed.
void visit_with_facts(struct visit *visit, void (*then)(struct visit *visit)); // asks MySQL only if it must
void visit_join(struct visit *visit, const char *address, void (*then)(struct visit *visit)); // sets visit->visitor
void visit_leave(struct visit *visit, void (*then)(struct visit *visit));
// The same; if visit->error is 0, visitor->order is what MySQL had since the visit began, or newer.
void visit_with_order(struct visit *visit, void (*then)(struct visit *visit)); // asks MySQL only if it must
void visit_read_order(struct visit *visit, void (*then)(struct visit *visit)); // asks MySQL
// Gives or changes the order that visit->form says; ERROR_CONFLICT: visit->request.order_verdict says why not. On success
// visit->order is the order as this request left it.
void visit_order(struct visit *visit, void (*then)(struct visit *visit));
void visit_take_back(struct visit *visit, void (*then)(struct visit *visit)); // the same for taking it back
void visit_more_time(struct visit *visit, void (*then)(struct visit *visit)); // for more time to pay
void visit_pay(struct visit *visit, void (*then)(struct visit *visit)); // and for paying as visit->payment says

// Asks one of the questions about visit->card.
void visit_ask_card(struct visit *visit, enum line_store_kind kind, void (*then)(struct visit *visit));

// Where the visitor stands. False: MySQL is away and the token alone does not tell.
bool visit_state(const struct visit *visit, struct line_state *ret, int64_t *ret_now_us);

// Signs a token for the visitor and remembers it for the connection. ERROR_NOT_FOUND: there is no key.
int visit_sign(struct visit *visit, char ret[static TOKEN_BYTES_MAX]) MUST_USE;
// Appends a Set-Cookie value with a fresh token when the visitor's cookie is older than an hour; else nothing.
void visit_renew(struct visit *visit, struct buffer *set_cookie);

// Answers with a JSON document and ends the visit. `set_cookie` may be empty.
void visit_respond(struct visit *visit, int status, const struct buffer *text, const struct buffer *set_cookie);
// The same with the document of an order, and a renewed cookie.
void visit_respond_order(struct visit *visit, int status, const struct order_facts *order);
// Answers with what was wrong with a body that order_form_read() or payment_form_read() refused with this error, and ends the visit.
void visit_refuse_form(struct visit *visit, int error, const struct order_form_problems *problems);
// Answers with a problem and ends the visit. A cookie that did not verify is taken away with it.
void visit_refuse(struct visit *visit, const struct problem *problem, struct problem_more more);
// The problem of a failed question or of the token; NULL: there is none.
const struct problem *visit_problem(const struct visit *visit);

void visit_register_metrics(void); // once, before threads start

#endif
