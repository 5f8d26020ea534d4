// SPDX-License-Identifier: Apache-2.0
// One visitor: joins, opens the stream, orders, follows it until let in and told what became of the order; or leaves, or drops the
// stream and comes back; and comes again after whatever broke off.
#ifndef BENCH_CROWD_VISITOR_H
#define BENCH_CROWD_VISITOR_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "bench/crowd/link.h"
#include "bench/crowd/order.h"
#include "bench/crowd/sse.h"
#include "bench/crowd/stage.h"
#include "common/backoff.h"
#include "common/buffer.h"

enum visitor_role { VISITOR_STAYS, VISITOR_LEAVES, VISITOR_RECONNECTS, VISITOR_READS_SLOWLY };
enum visitor_step {
    VISITOR_JOINS,
    VISITOR_REJOINS,
    VISITOR_FOLLOWS,
    VISITOR_IS_LEAVING,
    VISITOR_FOLLOWS_UP, // has left, and asks what became of the order
    VISITOR_IS_DONE,
};

struct visitor {
    struct stage *stage;
    uint32_t number; // 1, 2, 3, …
    enum visitor_role role;
    size_t link, slow_link; // which of the stage's
    enum visitor_step step;
    struct exchange exchange;
    uv_timer_t timer; // the next thing to do
    struct backoff backoff;
    struct buffer body;
    struct sse sse;
    char *token;
    uint64_t place, served;
    bool asked, streaming, let_in, over, came_back;
    bool at_end; // heard that the event is at its end
    bool in_frame; // a frame is being taken; what follows from it is decided after
    struct order order;
    int64_t step_us; // when it was last asked for
    int64_t streamed_us; // since when there is a stream
};

// The visitor arrives after so many milliseconds of the loop. The storage is the caller's; role, links and the order's plan are set by now.
void visitor_init(struct visitor *visitor, struct stage *stage, uint32_t number, uint64_t arrives_ms);
void visitor_close(
    struct visitor *visitor); // takes the timer from the loop, which must run once more before visitor_done()
void visitor_done(struct visitor *visitor);

// For the visitor's order: it has come to rest; an answer cannot be right, and the visitor gives up.
void visitor_order_settled(struct visitor *visitor);
void visitor_fail(struct visitor *visitor, const char *during, int status, const char *what);
// How long the answer (429, 503) asks to wait.
int64_t visitor_retry_ms(const struct exchange *exchange);

#endif
