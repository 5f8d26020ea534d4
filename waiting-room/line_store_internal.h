// SPDX-License-Identifier: Apache-2.0
// What the files of the store share. Everything here runs on the store's thread.
#ifndef WAITING_ROOM_LINE_STORE_INTERNAL_H
#define WAITING_ROOM_LINE_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/backoff.h"
#include "common/db.h"
#include "waiting-room/line_store.h"
#include "waiting-room/rate.h"

#define STORE_BATCH_MAX 4096 // requests that are worked on together
#define STORE_EVENTS_MAX 10000
#define STORE_RETRY_AFTER_SECONDS 2 // told to who must come again

struct store_presence {
    uint32_t event_id;
    uint32_t present[LOOPS_MAX]; // by loop
    bool reported; // a row stands in MySQL
    bool wants_stock; // since the last count
};

struct store_seats;

struct line_store {
    struct line_store_options options;
    pthread_t thread;

    pthread_mutex_t lock; // guards the members up to the blank line
    pthread_cond_t news;
    struct line_store_request *first, **last;
    size_t queued;
    bool stopping, look_at_events, read_line, tell_again;
    struct config_rate joins_per_address;
    size_t presence_count, presence_capacity;
    struct store_presence *presence;

    _Atomic bool fallback;
    _Atomic int64_t stock_heard_ns; // when a notifier last told what is left
    _Atomic bool ready;
    _Atomic int64_t clock_offset_us; // MySQL's clock less this machine's

    // The thread's own.
    struct db *db;
    bool away; // said so in the log
    struct backoff backoff;
    int64_t next_attempt_ns, next_tick_ns, next_line_ns, next_stock_ns;
    size_t stock_from; // where the next count of stock goes on
    struct rate *rate;
    struct line_store_request **batch; // STORE_BATCH_MAX
    struct db_value *values; // for one statement of many rows
    size_t snapshot_count;
    struct snapshot **snapshots; // the newest of each event, by id
    struct store_seats *seats; // of events whose plan somebody has looked at
};

#define STORE_VALUES_PER_ROW_MAX 16

// Ends a transaction that failed, if there still is a connection.
void store_roll_back(struct line_store *store);

// Each works on requests of one kind and event and sets their answers.
void store_join(struct line_store *store, struct line_store_request **requests, size_t count);
void store_look_up(struct line_store *store, struct line_store_request **requests, size_t count);
// Orders given, changed and taken back, holds given back and prolonged, and places given up: in one transaction, so that for one place they come in their order.
void store_orders(struct line_store *store, struct line_store_request **requests, size_t count);
// Pages for leaving a card on.
void store_cards(struct line_store *store, struct line_store_request **requests, size_t count);
// What the payment provider told.
void store_told(struct line_store *store, struct line_store_request **requests, size_t count);
// Which seats are taken; kept from one question to the next.
void store_seats(struct line_store *store, struct line_store_request **requests, size_t count);
void store_free_seats(struct store_seats *seats); // all of them
// Reads the newest order of each request's place, and what became of it; sets has_order_answer. Sorted by number. 0 or the class of the
// failure.
int store_read_orders(struct line_store *store, struct line_store_request **requests, size_t count) MUST_USE;
// How many stand by before each of these places: -1 for one that does not stand by. 0 or the class of the failure.
int store_read_ahead(struct line_store *store, uint32_t event_id, struct line_store_ahead *aheads,
                     size_t count) MUST_USE;
void store_ahead(struct line_store *store, struct line_store_request **requests, size_t count);
// The numbers of requests that are sorted by number, each once, as a JSON array.
size_t store_numbers(struct line_store_request **requests, size_t count, struct buffer *ret);
// Whether visitors pay here, by card.
bool store_takes_cards(const struct line_store *store);
// The newest card that was kept of each of these places (a JSON array), sorted by place. 0 or the class of the failure.
int store_read_cards(struct line_store *store, uint32_t event_id, const char *numbers, size_t count,
                     struct db_rows **ret) MUST_USE;
enum { STORE_CARD_PLACE, STORE_CARD_CUSTOMER, STORE_CARD_METHOD, STORE_CARD_LABEL };
// Notes a row of them in what visitors are told.
void store_take_card(struct order_facts *facts, const struct db_rows *cards, size_t row);
// Sets the answer of requests that failed, and says so in the log.
void store_fail(struct line_store *store, struct line_store_request **requests, size_t count, const char *what,
                int error);
void store_sort(struct line_store_request **requests,
                size_t count); // by number; keeps the order of those for one number

// Reads what has changed, and tells the loops. 0 or the class of the failure.
int store_read_events(struct line_store *store) MUST_USE;
// Reads the seats of a tier into a new hall of that layout, with one reference.
int store_read_hall(struct line_store *store, uint32_t event_id, const char *tier, uint64_t layout,
                    struct hall **ret) MUST_USE;
int store_read_line(struct line_store *store) MUST_USE;
int store_read_clock(struct line_store *store) MUST_USE;
int store_report_presence(struct line_store *store) MUST_USE;
int store_count_stock(struct line_store *store) MUST_USE; // when nobody else does
void store_tell_snapshots(struct line_store *store); // all of them, and that these are all
void store_tell_ready(struct line_store *store);
void store_sweep_presence(struct line_store *store);
void store_forget_presence(struct line_store *store); // at the end

void store_register_join_metrics(void);
void store_register_order_metrics(void);
void store_register_event_metrics(void);
void store_register_hall_metrics(void);
void store_register_seats_metrics(void);
void store_register_stock_metrics(void);
void store_register_standby_metrics(void);
void store_register_card_metrics(void);
void store_register_told_metrics(void);

struct store_presence *store_find_presence(struct line_store *store,
                                           uint32_t event_id); // with the lock held; NULL: no memory

#endif
