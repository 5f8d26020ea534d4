// SPDX-License-Identifier: Apache-2.0
// The waiting room's thread for RabbitMQ: hears how far the lines are, who left, what became of orders, what is left and which
// events changed, tells others who left or ordered here, and rings the payers' bell. Away, it tries again with a back-off while the store reads MySQL instead.
#ifndef WAITING_ROOM_FEED_H
#define WAITING_ROOM_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "common/outcome.h"
#include "waiting-room/line_store.h"
#include "waiting-room/loops.h"
#include "waiting-room/room_config.h"

// Which `served` messages are news. Pure.
struct feed_sequence {
    bool heard; // anything at all
    uint64_t epoch, seq;
};
enum feed_verdict {
    FEED_OLD, // heard already, or from a leader that was replaced: ignore it
    FEED_NEXT, // the one that was expected
    FEED_GAP, // news, but something before it was missed
};
enum feed_verdict feed_sequence_take(struct feed_sequence *sequence, uint64_t epoch, uint64_t seq);

#define FEED_SENDERS_MAX 16

// Which `outcomes` messages were missed: each sender counts its own from 1. Zeroed, nobody was heard. Pure.
struct feed_senders {
    size_t count;
    uint64_t heard; // messages so far
    struct feed_sender {
        char name[OUTCOME_SENDER_BYTES];
        uint64_t seq;
        uint64_t heard; // at which of all messages it was heard last: who was silent for longest is forgotten first
    } items[FEED_SENDERS_MAX];
};
enum feed_verdict feed_senders_take(struct feed_senders *senders, const char *name, uint64_t seq);

struct feed_options {
    const struct room_config *config; // must outlive the feed
    const char *room;
    struct loops *loops;
    struct line_store *store;
    void (*on_served)(struct http_loop *loop, void *served_news);
    void (*on_left)(struct http_loop *loop, void *left_news);
    void (*on_ordered)(struct http_loop *loop, void *ordered_news);
    void (*on_outcomes)(struct http_loop *loop, void *outcomes_news);
    void (*on_outcomes_missed)(struct http_loop *loop, void *unused); // some did not come
    void (*on_stock)(struct http_loop *loop, void *stock_news);
    void (*on_back)(struct http_loop *loop, void *unused); // the binding was lost for a while
};

struct feed;
int feed_open(const struct feed_options *options, struct feed **ret) MUST_USE;
void feed_stop(struct feed *feed); // ends the thread; what is published afterwards is forgotten
void feed_free(struct feed *feed); // once stopped, and when all loops have ended; accepts NULL

// Tells the other waiting rooms that somebody left, with RabbitMQ away once it is back. Never blocks; with 10,000 waiting it
// is forgotten. Any thread.
void feed_publish_left(struct feed *feed, const char *slug, uint64_t number);

// Tells the other waiting rooms and admission of a committed order; `due`: its visitor is in their turn. Several travel together
// after a few milliseconds. Never blocks; with 10,000 waiting it is forgotten. Any thread.
void feed_publish_ordered(struct feed *feed, const char *slug, uint64_t number, bool due);

// Rings the payers' bell: something was committed that they have to do for that place; slug "", number 0: for nobody knows whom. What rings together
// rings once. Never blocks; with RabbitMQ away it rings when that is back, and meanwhile payers look by themselves. Any thread.
void feed_ring(struct feed *feed, const char *slug, uint64_t number);

bool feed_is_connected(const struct feed *feed); // any thread

void feed_register_metrics(void); // once, before threads start

#endif
