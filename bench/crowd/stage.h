// SPDX-License-Identifier: Apache-2.0
// What all visitors of a run share: the clock, the record, the checker, what was measured. One thread's.
#ifndef BENCH_CROWD_STAGE_H
#define BENCH_CROWD_STAGE_H

#include <stdint.h>
#include <stdio.h>
#include <uv.h>

#include "bench/crowd/bank.h"
#include "bench/crowd/check.h"
#include "bench/crowd/latency.h"
#include "bench/crowd/link.h"
#include "bench/crowd/menu.h"
#include "bench/crowd/options.h"
#include "bench/crowd/told.h"

struct stage {
    const struct options *options;
    uv_loop_t loop;
    int64_t begun_ns;
    struct check *check;
    FILE *record; // NULL: nobody wants it
    FILE *desk; // where references are written that are paid for; NULL: nobody pays there
    bool by_card; // who pays does so by card
    struct bank bank;
    uint64_t random;
    struct link **links, **slow_links;
    size_t link_count, slow_link_count;
    struct menu menu;
    uint64_t run; // tells this run's e-mail addresses from another's
    struct latency join, first_frame, let_in;
    struct latency order_answer; // from PUT to 202
    struct latency turn_to_outcome; // from being let in, or from PUT in the turn, to the outcome on the stream
    struct latency order_to_outcome; // from PUT to the outcome on the stream, waiting included
    struct latency card_to_outcome; // from giving a card to hearing what the bank says, on the stream
    struct latency end_to_outcome; // of those who were not let in: from the first news that nothing is left
    int64_t news_us; // when something last happened that moves somebody on
    uint64_t answered; // visitors who joined, or never will
    uint64_t done; // visitors for whom nothing more is to come
    uint64_t streams, put_off, lost;
    char path[128]; // /v1/events/SLUG/line
    char order_path[128]; // /v1/events/SLUG/order
    char more_time_path[144]; // /v1/events/SLUG/order/more-time
    char payment_path[128]; // /v1/events/SLUG/payment
    char seats_path[128]; // /v1/events/SLUG/seats
    char problem[200]; // the last answer that should not have come; "" if none
};

int64_t stage_now_us(const struct stage *stage); // since the beginning
uint64_t stage_random(struct stage *stage, uint64_t below);

// Sets the time, gives it to the checker, and writes it to the record with `data` (JSON without line breaks, or NULL).
void stage_told(struct stage *stage, struct told *told, const char *data);

#endif
