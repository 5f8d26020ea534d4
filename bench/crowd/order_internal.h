// SPDX-License-Identifier: Apache-2.0
// Between order.c, which decides what a visitor does about the order, and order_request.c, which asks and reads the answers.
#ifndef BENCH_CROWD_ORDER_INTERNAL_H
#define BENCH_CROWD_ORDER_INTERNAL_H

#include "bench/crowd/order.h"

// order_request.c: sends what the script says, or what was not answered once more; ends a request that takes too long.
void order_init_requests(struct order *order);
void order_ask(struct order *order);
void order_cut(struct order *order);

// order.c: what follows from an answer.
bool order_keep(struct order *order, const struct told_order *told); // true: it is news
void order_answered(struct order *order);
void order_look(struct order *order, uint64_t ms); // asks for the order as it is, as soon as nothing else is under way
void order_settle(struct order *order);
void order_after(struct order *order, uint64_t ms); // sets the timer

#endif
