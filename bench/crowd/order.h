// SPDX-License-Identifier: Apache-2.0
// What a visitor does about the order, beside the stream: gives it, changes it, takes it back, asks for it at the end. Each is
// a request of its own, on the same connection as the visitor's others.
#ifndef BENCH_CROWD_ORDER_H
#define BENCH_CROWD_ORDER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "bench/crowd/hold.h"
#include "bench/crowd/link.h"
#include "bench/crowd/menu.h"
#include "bench/crowd/told.h"
#include "common/backoff.h"
#include "common/buffer.h"

struct visitor;

enum ordering { ORDERING_NEVER, ORDERING_ONCE, ORDERING_CHANGES, ORDERING_TAKES_BACK, ORDERING_IN_TURN };

struct order_plan {
    enum ordering ordering;
    struct hold hold;
    bool alternatives;
    bool again; // once more, if it ends without tickets and the turn still runs
    bool named; // chooses seats by name, the first time
    bool wheelchair;
    uint32_t group; // 0: has an e-mail address of their own; else shares that of the group
};

enum order_step {
    ORDER_RESTS, // the time to do something has not come
    ORDER_PLANS, // the timer says when
    ORDER_ASKS, // a request is under way, or will be sent again
    ORDER_WAITS, // nothing more to ask: the stream tells
    ORDER_SETTLED, // nothing more will come
};

struct order {
    struct visitor *visitor;
    struct order_plan plan;
    enum order_step step;
    struct exchange exchange;
    uv_timer_t timer; // the next thing to do; while a request is under way, its end
    struct backoff backoff;
    struct buffer body;
    struct menu_order put; // the last one sent, so that it is sent again as it was
    const enum told_verb *script; // what is still to be done
    size_t script_count;
    enum told_verb verb; // of the request
    bool unsent; // the verb has not been sent yet, so a PUT has to be made up first
    enum hold_act act; // planned about a hold: it stands in for the script
    bool chooses; // the request is for the seats that are free
    bool chose; // seats by name, once
    bool ever_put, put_refused, did_again, heard_outcome, known;
    struct told_order newest; // when known
    char *action_url; // where the bank asks, as far as it was told; owned
    char *card; // the body with which a card is given; owned
    uint64_t shift; // connections further than the visitor's, after some broke
    int64_t asked_us; // when it was last asked for something
    int64_t card_us; // when a card was given of which nothing was heard since; 0: none was
    int64_t put_us; // when the PUT was sent that was acknowledged last; 0: none was
};

// The plan is set, all else is zero; visitor_init() has been through.
void order_init(struct order *order, struct visitor *visitor);
void order_close(struct order *order); // takes the timer from the loop, which must run once more before order_done()
void order_done(struct order *order);

// The visitor has a stream, for the first time; was let in; heard that the event, or the turn, is at its end.
void order_begin(struct order *order);
void order_let_in(struct order *order);
void order_too_late(struct order *order);

// The stream or an answer told this, and `data` is all of it: keeps the address where the bank asks. Before the next two.
void order_note_action(struct order *order, const struct told_order *told, const json_t *data);

// The stream told this.
void order_heard(struct order *order, const struct told_order *told, int64_t at_us);

bool order_is_asking(const struct order *order);
void order_rest(struct order *order); // forgets what was planned; must not be asking
// The visitor left: the order is asked for until it has an end. At once settled if none was given.
void order_follow_up(struct order *order);
// Nothing more, whatever was under way.
void order_stop(struct order *order);

#endif
