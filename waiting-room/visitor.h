// SPDX-License-Identifier: Apache-2.0
// A visitor as one loop remembers them while a connection, a request or a stream of theirs is there: who they are and what
// is known about their arrival and their order. Shared by all connections of the visitor on that loop, so that news reach all of them.
#ifndef WAITING_ROOM_VISITOR_H
#define WAITING_ROOM_VISITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/token.h"
#include "waiting-room/event_view.h"
#include "waiting-room/order_facts.h"

#define VISITOR_ENDED_MAX 4

struct visitor {
    unsigned references;
    bool known; // `facts` were read from MySQL
    bool order_known; // `order` was read from MySQL, and no news since were missed
    uint32_t
        order_doubts; // how often news said that what is known of the order is not all; see visitor_take_order_read()
    bool asking; // a look-up for the visitor's streams is on its way
    uint8_t id[TOKEN_VISITOR_BYTES];
    struct line_facts facts;
    struct order_facts *order; // the newest known; NULL: none
    // Ends that news replaced while streams were there: no stream may skip them. Oldest first; beyond the maximum the oldest goes.
    struct order_facts *ended[VISITOR_ENDED_MAX];
    size_t ended_count;
    int64_t ask_again_ns; // not before this time
    struct event_view *view;
    struct stream *streams;
    struct visitor *next; // in the view's bucket
};

// The visitor with that number and id, with a reference for the caller; new ones are not `known`. NULL when out of memory.
struct visitor *visitor_get(struct event_view *view, uint64_t number, const uint8_t id[static TOKEN_VISITOR_BYTES]);
struct visitor *visitor_ref(struct visitor *visitor);
void visitor_unref(struct visitor *visitor); // accepts NULL

// The first visitor in the view with that number, or NULL. Others that claim the number stand behind it, by `next`.
struct visitor *visitor_find(const struct event_view *view, uint64_t number);

// Takes over what MySQL said of the arrival. Who has left stays away, also when the answer is older than that news.
void visitor_take_facts(struct visitor *visitor, const struct line_facts *facts);

// Takes over what is known of the visitor's order, with a reference of its own (NULL: there is none): the higher (attempt, revision)
// stays. From then on order_known. Returns whether it is news.
bool visitor_take_order(struct visitor *visitor, struct order_facts *facts);

// What is known of the order is not all there is: order_known is false until MySQL was asked after this moment.
void visitor_doubt_order(struct visitor *visitor);

// The same as visitor_take_order() for the answer to a question to MySQL, asked when order_doubts was `doubts`. Doubted since
// then, the order is still not known: the answer may be older than the news that raised the doubt. Of the same (attempt, revision) MySQL knows
// more than an outcome tells, so its word replaces what is known; that is not news.
bool visitor_take_order_read(struct visitor *visitor, struct order_facts *facts, uint32_t doubts);

// So many stand by before the visitor now. Changes nothing if the visitor does not stand by.
void visitor_take_ahead(struct visitor *visitor, int64_t ahead);

// The card that MySQL had for the visitor just now (`label` NULL: none), if an order is known.
void visitor_take_card(struct visitor *visitor, const char *label);

// Where the visitor stands at `now_us`.
void visitor_state(const struct visitor *visitor, int64_t now_us, struct line_state *ret);

// Whether everything is known that answering needs of the line; false also when the place was let in and nobody has looked since.
// A stream and the page need `order_known` besides.
bool visitor_is_settled(const struct visitor *visitor, int64_t now_us);

#endif
