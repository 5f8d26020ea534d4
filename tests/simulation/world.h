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

#include "common/lifecycle.h"
#include "common/order_state.h"

#define WORLD_PLACES 12
#define WORLD_ATTEMPTS 3
#define WORLD_TIERS 2
#define WORLD_CUSTOMERS 5
#define WORLD_CHOICES 2
#define WORLD_QUEUE 256 // messages; the tasks of a schedule never come near
#define WORLD_NEWS 64 // news on their way; the oldest are lost when there are more

struct world_choice {
    unsigned tier;
    uint32_t quantity;
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

struct world {
    uint64_t seed, random;
    int64_t now_us;
    uint64_t transactions;
    const char *step; // what was done last, for the report

    // MySQL.
    enum lifecycle_state state, before_stop;
    uint64_t event_version;
    char pace[16];
    struct {
        uint32_t capacity, held, sold;
    } tiers[WORLD_TIERS];
    uint32_t max_per_customer, customers_booked[WORLD_CUSTOMERS];
    unsigned last, served;
    uint64_t epoch, fence;
    bool left[WORLD_PLACES + 1];
    unsigned customer[WORLD_PLACES + 1];
    struct world_order orders[WORLD_PLACES + 1][WORLD_ATTEMPTS + 1];
    struct world_booking bookings[WORLD_PLACES + 1][WORLD_ATTEMPTS + 1];
    struct world_outcomes outbox; // written and not published and removed yet
    // The last row of pace_log, and what came after it.
    int64_t pace_from_us;
    uint64_t pace_count, pace_seconds, pace_let_in;

    // RabbitMQ.
    struct world_queue bookings_queue; // not yet given to a worker
    struct world_outcomes outcomes_queue, feed;
    bool missed; // something was lost on the feed
    unsigned newest_published; // the highest place whose order, given before the turn, was published for the first time
    bool published_once[WORLD_PLACES + 1][WORLD_ATTEMPTS + 1];

    // Visitors.
    struct world_page pages[WORLD_PLACES + 1];

    // As it was before the step, for what may only change in some ways.
    unsigned served_before;
    struct world_order orders_before[WORLD_PLACES + 1][WORLD_ATTEMPTS + 1];
    struct world_booking bookings_before[WORLD_PLACES + 1][WORLD_ATTEMPTS + 1];
    bool by_operator; // the step was an operator's act

    uint64_t done[16]; // how often things happened, over the schedule: see enum world_did
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
    WORLD_DID_COUNT,
};

void world_init(struct world *world, uint64_t seed);
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
