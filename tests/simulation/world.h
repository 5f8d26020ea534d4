// SPDX-License-Identifier: Apache-2.0
// A whole on-sale in memory, small enough to be tried a hundred thousand times: what stands in MySQL, what is on its way
// in RabbitMQ, what visitors have heard. Time and chance come from a seed. What is decided is decided by the programs' own
// pure modules; this only carries their decisions out, one transaction at a time, and loses, doubles and reorders what may
// be. world_check() holds after every step.
#ifndef TESTS_SIMULATION_WORLD_H
#define TESTS_SIMULATION_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "booking-worker/seating.h"
#include "common/lifecycle.h"
#include "common/order_state.h"

#define WORLD_PLACES 12
#define WORLD_ATTEMPTS 3
#define WORLD_TIERS 2 // one of standing places, and a small hall
#define WORLD_SEATED 1
#define WORLD_SEATS 8 // in two rows
#define WORLD_NO_SEAT WORLD_SEATS // what somebody may ask for by name, and is in no hall
#define WORLD_NAMED 3 // seats asked for by name in one choice
#define WORLD_CUSTOMERS 5
#define WORLD_CHOICES 2
#define WORLD_QUEUE 256 // messages; the tasks of a schedule never come near
#define WORLD_NEWS 64 // news on their way; the oldest are lost when there are more

struct world_choice {
    unsigned tier;
    uint32_t quantity;
    uint64_t amount;
    unsigned named_count, named[WORLD_NAMED]; // 0: any
    uint32_t wheelchair, companion;
};

struct world_order {
    bool exists;
    enum order_state state;
    enum order_reason reason;
    uint32_t revision, release_no;
    bool published;
    unsigned choice_count;
    struct world_choice choices[WORLD_CHOICES];
    bool in_turn; // it was given when the place had been let in already
    uint64_t released_step; // 0: never; else the number of the transaction that released it
    uint32_t acknowledged; // the highest revision that its visitor was told by a 202
};

struct world_booking {
    bool exists;
    enum order_state state;
    enum order_reason reason;
    uint32_t revision;
    unsigned choice;
    int64_t pay_until_us; // by the event's clock; 0: the hold cannot run out
    bool had_more_time;
};

// A booking that was ended, and whose places are not free yet.
struct world_freeing {
    bool exists, told;
    enum order_state was;
};

// Whose a seat is; place 0: nobody's.
struct world_owner {
    unsigned place, attempt;
};

// (place, attempt) and what a message says about it.
struct world_task {
    unsigned place, attempt;
    uint32_t release;
};

struct world_outcome {
    unsigned place, attempt;
    uint32_t revision;
    enum order_state state;
};

struct world_queue {
    size_t count;
    struct world_task tasks[WORLD_QUEUE];
};

struct world_outcomes {
    size_t count;
    struct world_outcome items[WORLD_QUEUE];
};

// What one visitor's page shows.
struct world_page {
    bool has_order, connected;
    unsigned attempt;
    uint32_t revision;
    enum order_state state;
    uint64_t ahead; // shown; never grows
};

// So that the run can show that it met what it is for.
enum world_did {
    WORLD_CONFIRMED,
    WORLD_SOLD_OUT,
    WORLD_REFUSED,
    WORLD_CANCELLED,
    WORLD_REPUBLISHED,
    WORLD_GIVEN_BACK,
    WORLD_DUPLICATE, // a task that had been done already
    WORLD_CRASHED,
    WORLD_TOO_LATE, // a change that lost against the release
    WORLD_ANOTHER_ATTEMPT,
    WORLD_RETRIED,
    WORLD_FENCED, // a leader that was none any more tried to write
    WORLD_HELD,
    WORLD_STANDBY,
    WORLD_SERVED, // somebody who stood by
    WORLD_MOVED, // to another choice, still standing by
    WORLD_OVER, // for somebody who stood by
    WORLD_SEATS_TAKEN, // that were asked for by name
    WORLD_LAPSED,
    WORLD_FREED,
    WORLD_MORE_TIME,
    WORLD_PAID,
    WORLD_SOLD_AGAIN, // a sold-out event went back
    WORLD_DID_COUNT,
};

struct world {
    uint64_t seed, random;
    int64_t now_us;
    uint64_t transactions;
    const char *step; // what was done last, for the report

    // MySQL.
    enum lifecycle_state state, before_stop, before_sold_out;
    int64_t stopped_us, stopped_at_us; // for how long the event's clock stood still, and since when it does
    uint64_t event_version;
    char pace[16];
    struct {
        uint32_t capacity, held, sold, standby;
    } tiers[WORLD_TIERS];
    enum seat_kind kinds[WORLD_SEATS];
    uint64_t layout; // raised when the hall changes
    struct world_owner taken[WORLD_SEATS];
    bool needs_payment;
    int64_t hold_us;
    uint32_t max_per_customer, customers_booked[WORLD_CUSTOMERS];
    unsigned last, served;
    uint64_t epoch, fence;
    bool left[WORLD_PLACES + 1];
    unsigned customer[WORLD_PLACES + 1];
    struct world_order orders[WORLD_PLACES + 1][WORLD_ATTEMPTS + 1];
    struct world_booking bookings[WORLD_PLACES + 1][WORLD_ATTEMPTS + 1];
    struct world_freeing freeings[WORLD_PLACES + 1][WORLD_ATTEMPTS + 1];
    struct world_outcomes outbox; // written and not published and removed yet
    // The last row of pace_log, and what came after it.
    int64_t pace_from_us;
    uint64_t pace_count, pace_seconds, pace_let_in;

    // RabbitMQ.
    struct world_queue bookings_queue; // not yet given to a worker
    bool two_consume; // two workers were made active on one queue, by force
    struct world_outcomes outcomes_queue, feed;
    bool missed; // something was lost on the feed
    unsigned newest_published; // the highest place whose order, given before the turn, was published for the first time
    bool published_once[WORLD_PLACES + 1][WORLD_ATTEMPTS + 1];

    // What the workers remember of the hall.
    struct seating *seating;
    uint64_t seating_layout;

    // Visitors.
    struct world_page pages[WORLD_PLACES + 1];

    // As it was before the step, for what may only change in some ways.
    unsigned served_before;
    struct world_order orders_before[WORLD_PLACES + 1][WORLD_ATTEMPTS + 1];
    struct world_booking bookings_before[WORLD_PLACES + 1][WORLD_ATTEMPTS + 1];
    bool by_operator; // the step was an operator's act

    uint64_t done[WORLD_DID_COUNT]; // how often things happened, over the schedule
};

void world_init(struct world *world, uint64_t seed);
void world_done(struct world *world);
uint64_t world_random(struct world *world);
unsigned world_pick(struct world *world, unsigned below); // 0 … below - 1
bool world_chance(struct world *world, unsigned of_hundred);

// The newest attempt of a place; 0: none.
unsigned world_attempt(const struct world *world, unsigned place);
// What a visitor would be told from MySQL: the booking if there is one, else the order.
struct world_outcome world_state(const struct world *world, unsigned place, unsigned attempt);
void world_push_outcome(struct world_outcomes *list, const struct world_outcome *outcome);
void world_remove_outcome(struct world_outcomes *list, size_t index);
void world_push_task(struct world_queue *queue, struct world_task task);
// Admission sends a task. The first time, orders given before the turn come in place order.
void world_publish_task(struct world *world, struct world_task task);
// What a page does with an outcome: nothing, if it is no news.
void world_hear(struct world *world, const struct world_outcome *outcome);
// A page connects, or connects again: everything there is to know, from MySQL.
void world_connect(struct world *world, unsigned place);

// Now by the event's clock, which stands still while the event is stopped.
int64_t world_event_clock_us(const struct world *world);
bool world_is_lapsed(const struct world *world, const struct world_booking *booking);
// The state changes, and with it the event's clock. False: nothing changed.
bool world_apply(struct world *world, enum lifecycle_action action);
// A booking ends outside a worker: cancelled, with a freeing, in one transaction.
void world_cancel(struct world *world, unsigned place, unsigned attempt, bool told);

// What bookings and freeings add up to, and whether a choice would fit beside that: by the rows alone, not by the counters.
struct world_sums {
    uint32_t held[WORLD_TIERS], sold[WORLD_TIERS], standby[WORLD_TIERS], booked[WORLD_CUSTOMERS];
    unsigned seats[WORLD_PLACES + 1][WORLD_ATTEMPTS + 1]; // how many seats each has
};
struct world_sums world_add_up(const struct world *world);
bool world_fits(const struct world *world, const struct world_sums *sums, const struct world_choice *choice);
// The state that a booking is counted in: its own, or the one that it had before it was ended and while it is not freed.
enum order_state world_counted_state(const struct world *world, unsigned place, unsigned attempt);
const struct world_choice *world_choice_of(const struct world *world, unsigned place, unsigned attempt);

void world_begin_step(struct world *world, const char *step);
// Aborts with the seed and the step when something that must always hold does not.
void world_check(struct world *world);
// The same for what must hold once everything has come to rest.
void world_check_end(const struct world *world);

#define WORLD_MUST(world, condition)                           \
    do {                                                       \
        if (!(condition))                                      \
            world_fail(world, #condition, __FILE__, __LINE__); \
    } while (0)
void world_fail(const struct world *world, const char *condition, const char *file, int line) __attribute__((noreturn));

#endif
