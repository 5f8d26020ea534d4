// SPDX-License-Identifier: Apache-2.0
// The waiting room's thread for MySQL. Loops ask through a bounded queue; it gathers what has come while its last
// transaction ran, works on it as one, and answers on the asking loop. Once a second it looks at the events' versions and
// reports who is present. It is the only part that knows SQL.
#ifndef WAITING_ROOM_LINE_STORE_H
#define WAITING_ROOM_LINE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/payment.h"
#include "common/provider_event.h"
#include "common/token.h"
#include "waiting-room/line_state.h"
#include "waiting-room/loops.h"
#include "waiting-room/news.h"
#include "waiting-room/order_decide.h"
#include "waiting-room/order_facts.h"
#include "waiting-room/order_form.h"
#include "waiting-room/room_config.h"
#include "waiting-room/seats_document.h"
#include "waiting-room/snapshot.h"

#define LINE_STORE_REQUESTS_MAX 65536 // waiting in the queue; more are refused

struct line_store;

enum line_store_kind {
    LINE_STORE_JOIN, // a new place
    LINE_STORE_LOOK_UP, // what is known of an arrival whose visitor just turned up
    LINE_STORE_LET_IN, // the same for a visitor who was on a stream when the place was let in
    LINE_STORE_LEAVE, // gives the place up, and an order that was not released with it
    LINE_STORE_ORDER, // gives or changes an order
    LINE_STORE_TAKE_BACK, // takes it back, or what is held for it
    LINE_STORE_MORE_TIME, // asks for more time to pay
    LINE_STORE_PAY, // begins to pay
    LINE_STORE_CARD_BEGIN, // a page to leave a card on is to be made
    LINE_STORE_CARD_OPEN, // it was made
    LINE_STORE_CARD_SPOIL, // it can never be made with that key
    LINE_STORE_CARD_LOOK, // what became of it
    LINE_STORE_CARD_BACK, // the same, and the visitor has just come back from it
    LINE_STORE_TOLD, // the payment provider told something
    LINE_STORE_AHEAD, // how many stand by before some visitors
    LINE_STORE_SEATS, // which seats of the event's halls are taken
};

struct line_store_ahead {
    uint64_t number;
    int64_t ahead; // the answer; -1: this one does not stand by
};

#define LINE_STORE_CARDS_MAX 20 // pages for one place

struct line_store_card {
    bool is_turn_over; // begin: whoever asks could not order any more
    uint32_t number; // begin: the answer; open, spoil: which
    char key[PAYMENT_KEY_BYTES]; // begin: the answer; the provider's idempotency key
    char session[PROVIDER_ID_BYTES]; // open
    char url[PROVIDER_URL_BYTES]; // open; look, back: the answer, while the page is open
    char state[8]; // look, back: the answer, of the newest page: none, open, kept, gone
    bool is_kept; // look, back: there is a card that pays, which is not always of the newest page
    char label[PROVIDER_LABEL_BYTES]; // what its owner knows it by
};

struct line_store_told {
    struct provider_event event;
    const char *body; // as it came
    size_t body_bytes;
};

struct line_store_request {
    enum line_store_kind kind;
    struct http_loop *loop;
    void (*answered)(struct line_store_request *request); // on the loop's thread; the request is the asker's again
    void (*dropped)(struct line_store_request *request); // the loop is gone: just frees; any thread
    uint32_t event_id;
    uint64_t number; // not for joins, where it is the answer
    uint8_t visitor[TOKEN_VISITOR_BYTES]; // who; for joins the random id to write
    char address[HTTP_ADDRESS_BYTES]; // joins: whose allowance it takes
    const struct order_form *form; // orders: what is wanted; the asker's, until the answer
    const char *payment_method; // paying: with what; the asker's, until the answer. NULL: with the card that was left
    struct line_store_card *card; // cards: the asker's, until the answer
    const struct line_store_told *told; // what the provider told: the asker's, until the answer
    struct line_store_ahead *aheads; // ahead: whose; the asker's, filled with the answer
    size_t ahead_count;

    // The answer. 0; ERROR_TRANSIENT: MySQL is away, nobody was told anything, try again; ERROR_NOT_FOUND: no such arrival;
    // ERROR_CONFLICT: nobody can join in this state (orders: order_verdict says why not); ERROR_LIMIT: the address has no allowance
    // left.
    int error;
    enum lifecycle_state state; // joins: the event's
    bool opened;
    int64_t opens_at_us;
    int64_t retry_after_seconds;
    struct line_facts facts;
    enum order_verdict order_verdict; // orders
    bool order_changed; // leaving: an order went with it
    bool is_bell_due; // payers have something to do
    bool has_order_answer; // `order` was read with the answer
    struct order_facts *order; // the visitor's newest, with a reference for the asker; NULL: none
    bool has_line; // the members below were read with the answer
    uint64_t served, last;
    struct seats_document *seats; // seats: with a reference for the asker
    int64_t seats_at_us, seats_looked_ns; // when MySQL had them so: by its clock, and by this machine's monotonic one

    struct line_store_request *next; // the queue's
};

struct line_store_options {
    const struct room_config *config; // must outlive the store
    struct loops *loops;
    const char *room; // this process's name in `presence`
    // How the loops get what was read: posted to every loop with a reference that the function lets go.
    void (*on_snapshot)(struct http_loop *loop, void *snapshot);
    void (*on_served)(struct http_loop *loop, void *served_news);
    void (*on_stock)(struct http_loop *loop, void *stock_news);
    void (*on_ready)(struct http_loop *loop, void *unused); // all events have been read once
};

int line_store_open(const struct line_store_options *options, struct line_store **ret) MUST_USE;
// Answers what is queued, takes the room's presence back and ends the thread. What is asked afterwards is refused.
void line_store_stop(struct line_store *store);
void line_store_free(struct line_store *store); // once stopped, and when all loops have ended; accepts NULL

// Queues a request. ERROR_LIMIT: the queue is full; the request is still the caller's. Any loop's thread.
int line_store_ask(struct line_store *store, struct line_store_request *request) MUST_USE;

// Any thread, cheap:
void line_store_look_at_events(struct line_store *store); // an event changed: look at the versions now
void line_store_read_line(struct line_store *store); // something was missed: read `served` at the next chance
void line_store_set_fallback(struct line_store *store, bool on); // the feed is silent: read `served` once a second
void line_store_tell_again(struct line_store *store); // a loop has started: tell all events once more
void line_store_set_joins_per_address(struct line_store *store, struct config_rate limit);
// How many visitors of an event this loop has on a stream.
void line_store_report_present(struct line_store *store, size_t loop_index, uint32_t event_id, uint32_t present);

// While no notifier tells what is left, the store counts: for events that somebody wants to know it of, which a loop says once a second.
void line_store_note_stock(struct line_store *store); // a notifier told; any thread
bool line_store_counts_stock(const struct line_store *store); // none has for three seconds; any thread
void line_store_want_stock(struct line_store *store, uint32_t event_id);

void line_store_register_metrics(void); // once, before threads start

bool line_store_is_ready(const struct line_store *store); // MySQL is there and the events have been read
// MySQL's clock, as this process last saw it, in UTC microseconds. Any thread.
int64_t line_store_now_us(const struct line_store *store);

#endif
