// SPDX-License-Identifier: Apache-2.0
// One transaction of a booking worker, decided by booking-worker/allocate.c: what was ended is freed and what has run out ends, then
// those who stand by are served in the sequence of their places, then newcomers.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "booking-worker/allocate.h"
#include "tests/simulation/actors.h"

#define NAMES_BYTES 32 // of WORLD_NAMED seats: ["A-1","B-4","C-1"]

static const char *const codes[WORLD_TIERS] = {"floor", "stalls"};

struct transaction {
    struct world *world;
    struct allocate_event event;
    struct allocate_tier tiers[WORLD_TIERS];
    struct allocate_customer customers[WORLD_CUSTOMERS];
    struct world_owner taken_before[WORLD_SEATS];
};

// ---------------------------------------------------------------- begin and commit

static const char *row_of(unsigned seat)
{
    return seat < WORLD_SEATS / 2 ? "A" : seat < WORLD_SEATS ? "B" : "C";
}

static uint16_t number_of(unsigned seat)
{
    return (uint16_t)(1 + seat % (WORLD_SEATS / 2));
}

// The hall as it is remembered, read again when it has changed; who sits where is read each time.
static struct seating *read_hall(struct world *world)
{
    struct seating_seat seats[WORLD_SEATS];
    if (!world->seating || world->seating_layout != world->layout) {
        for (unsigned i = 0; i < WORLD_SEATS; i++)
            seats[i] = (struct seating_seat){row_of(i), i >= WORLD_SEATS / 2, number_of(i), world->kinds[i]};
        seating_free(world->seating);
        if (seating_new(seats, WORLD_SEATS, &world->seating))
            abort();
        world->seating_layout = world->layout;
    }
    seating_clear(world->seating);
    for (uint32_t i = 0; i < WORLD_SEATS; i++)
        if (world->taken[i].place > 0)
            WORLD_MUST(world, seating_take(world->seating, i));
    return world->seating;
}

static void begin(struct transaction *transaction, struct world *world)
{
    *transaction = (struct transaction){.world = world};
    transaction->event = (struct allocate_event){.state = world->state,
                                                 .needs_payment = world->needs_payment,
                                                 .max_per_customer = world->max_per_customer,
                                                 .tier_count = WORLD_TIERS,
                                                 .tiers = transaction->tiers};
    for (unsigned i = 0; i < WORLD_TIERS; i++) {
        struct allocate_tier *tier = &transaction->tiers[i];
        snprintf(tier->code, sizeof(tier->code), "%s", codes[i]);
        tier->capacity = world->tiers[i].capacity;
        tier->held = world->tiers[i].held;
        tier->sold = world->tiers[i].sold;
        tier->standby = world->tiers[i].standby;
    }
    transaction->tiers[WORLD_SEATED].is_seated = true;
    transaction->tiers[WORLD_SEATED].seating = read_hall(world);
    for (unsigned i = 0; i < WORLD_CUSTOMERS; i++)
        transaction->customers[i].booked = world->customers_booked[i];
    memcpy(transaction->taken_before, world->taken, sizeof(world->taken));
    world->transactions++;
}

// By the rows alone: everything is sold, and nobody stands by.
static bool is_over(const struct world *world)
{
    struct world_sums sums = world_add_up(world);
    for (unsigned i = 0; i < WORLD_TIERS; i++)
        if (sums.sold[i] < world->tiers[i].capacity || sums.standby[i] > 0)
            return false;
    return true;
}

// Sells the event out, or takes that back, when it is so.
static void follow_stock(struct world *world, const struct allocate_event *event)
{
    WORLD_MUST(world, allocate_is_all_sold(event) == is_over(world));
    if (allocate_is_all_sold(event))
        world_apply(world, LIFECYCLE_DO_SELL_OUT);
    else if (world->state == LIFECYCLE_SOLD_OUT)
        world->done[WORLD_SOLD_AGAIN] += world_apply(world, LIFECYCLE_DO_SELL_AGAIN);
}

// Writes what is said to have changed, and nothing else.
static void commit(struct transaction *transaction)
{
    struct world *world = transaction->world;
    for (unsigned i = 0; i < WORLD_TIERS; i++) {
        const struct allocate_tier *tier = &transaction->tiers[i];
        if (!tier->is_changed)
            continue;
        world->tiers[i].held = tier->held;
        world->tiers[i].sold = tier->sold;
        world->tiers[i].standby = tier->standby;
    }
    for (unsigned i = 0; i < WORLD_CUSTOMERS; i++)
        if (transaction->customers[i].is_changed)
            world->customers_booked[i] = transaction->customers[i].booked;
    const struct allocate_tier *seated = &transaction->tiers[WORLD_SEATED];
    bool differs = memcmp(transaction->taken_before, world->taken, sizeof(world->taken)) != 0;
    WORLD_MUST(world, seated->has_changed_seats || !differs);
    for (uint32_t i = 0; i < WORLD_SEATS; i++)
        WORLD_MUST(world, seating_is_free(seated->seating, i) ==
                              (world->taken[i].place == 0 && world->kinds[i] != SEAT_BLOCKED));
    follow_stock(world, &transaction->event);
}

static void tell(struct world *world, unsigned place, unsigned attempt)
{
    struct world_outcome outcome = world_state(world, place, attempt);
    world_push_outcome(&world->outbox, &outcome);
}

// ---------------------------------------------------------------- what is wanted, what is given

static struct choices choices_of(const struct world_order *order, char names[static WORLD_CHOICES][NAMES_BYTES])
{
    struct choices choices = {.count = order->choice_count};
    for (unsigned i = 0; i < order->choice_count; i++) {
        const struct world_choice *wanted = &order->choices[i];
        struct choice *choice = &choices.items[i];
        snprintf(choice->tier, sizeof(choice->tier), "%s", codes[wanted->tier]);
        choice->quantity = wanted->quantity;
        choice->amount = wanted->amount;
        choice->wheelchair = wanted->wheelchair;
        choice->companion = wanted->companion;
        if (wanted->named_count == 0)
            continue;
        int bytes = snprintf(names[i], NAMES_BYTES, "[");
        for (unsigned n = 0; n < wanted->named_count; n++)
            bytes += snprintf(names[i] + bytes, NAMES_BYTES - (size_t)bytes, "%s\"%s-%u\"", n ? "," : "",
                              row_of(wanted->named[n]), number_of(wanted->named[n]));
        bytes += snprintf(names[i] + bytes, NAMES_BYTES - (size_t)bytes, "]");
        choice->seats = names[i];
        choice->seats_bytes = (size_t)bytes;
    }
    return choices;
}

// Nothing goes past those who stand by: to a newcomer nothing of a tier that has any, and to one of them nothing that would do for an
// earlier place.
static void check_sequence(const struct world *world, unsigned tier, unsigned place, bool stood_by)
{
    struct world_sums sums = world_add_up(world);
    for (unsigned other = 1; other <= world->last; other++) {
        for (unsigned attempt = 1; attempt <= WORLD_ATTEMPTS; attempt++) {
            const struct world_booking *booking = &world->bookings[other][attempt];
            if (!booking->exists || booking->state != ORDER_STANDBY || other == place)
                continue;
            const struct world_choice *choice = world_choice_of(world, other, attempt);
            if (choice->tier != tier)
                continue;
            WORLD_MUST(world, stood_by);
            WORLD_MUST(world, other > place || !world_fits(world, &sums, choice));
        }
    }
}

static void take_seats(struct world *world, unsigned place, unsigned attempt, const struct allocate_verdict *verdict)
{
    for (size_t i = 0; i < verdict->seat_count; i++) {
        struct world_owner *owner = &world->taken[verdict->seats[i]];
        WORLD_MUST(world, owner->place == 0); // the key of the table: no seat twice
        *owner = (struct world_owner){place, attempt};
    }
}

// What a verdict does to the booking's row and its seats.
static void write_booking(struct world *world, unsigned place, unsigned attempt, const struct allocate_verdict *verdict)
{
    const struct world_order *order = &world->orders[place][attempt];
    struct world_booking *booking = &world->bookings[place][attempt];
    uint32_t revision = booking->exists ? booking->revision : order->revision;
    bool stood_by = booking->exists && booking->state == ORDER_STANDBY;
    if (order_has_places(verdict->state)) {
        const struct world_choice *choice = &order->choices[verdict->choice];
        check_sequence(world, choice->tier, place, stood_by);
        WORLD_MUST(world, (verdict->state == ORDER_HELD) == (world->needs_payment && choice->amount > 0));
        take_seats(world, place, attempt, verdict);
        world->done[WORLD_SERVED] += stood_by;
    }
    *booking = (struct world_booking){.exists = true,
                                      .state = verdict->state,
                                      .reason = verdict->reason,
                                      .revision = revision + 1,
                                      .choice = (unsigned)verdict->choice};
    if (verdict->state == ORDER_HELD)
        booking->pay_until_us = world_event_clock_us(world) + world->hold_us;
    tell(world, place, attempt);
}

// ---------------------------------------------------------------- what goes back

static void give_back(struct transaction *transaction, unsigned place, unsigned attempt, enum order_state was)
{
    struct world *world = transaction->world;
    const struct world_choice *choice = world_choice_of(world, place, attempt);
    uint32_t seats[WORLD_SEATS];
    struct allocate_given given = {
        .was = was, .tier = codes[choice->tier], .quantity = choice->quantity, .seats = seats};
    for (uint32_t i = 0; i < WORLD_SEATS; i++)
        if (world->taken[i].place == place && world->taken[i].attempt == attempt) {
            seats[given.seat_count++] = i;
            world->taken[i] = (struct world_owner){0};
        }
    WORLD_MUST(world, allocate_free(&transaction->event, &given, &transaction->customers[world->customer[place]]));
}

static void free_ended(struct transaction *transaction, unsigned limit)
{
    struct world *world = transaction->world;
    for (unsigned place = 1; place <= world->last; place++) {
        for (unsigned attempt = 1; attempt <= WORLD_ATTEMPTS; attempt++) {
            struct world_freeing *freeing = &world->freeings[place][attempt];
            if (!freeing->exists || limit == 0)
                continue;
            limit--;
            give_back(transaction, place, attempt, freeing->was);
            if (!freeing->told)
                tell(world, place, attempt);
            *freeing = (struct world_freeing){0};
            world->done[WORLD_FREED]++;
        }
    }
}

static void end_lapsed(struct transaction *transaction, unsigned limit)
{
    struct world *world = transaction->world;
    for (unsigned place = 1; place <= world->last; place++) {
        for (unsigned attempt = 1; attempt <= WORLD_ATTEMPTS; attempt++) {
            struct world_booking *booking = &world->bookings[place][attempt];
            if (!booking->exists || !order_may_lapse(booking->state) || !world_is_lapsed(world, booking) || limit == 0)
                continue;
            limit--;
            give_back(transaction, place, attempt, booking->state);
            booking->state = ORDER_EXPIRED;
            booking->pay_until_us = 0;
            booking->revision++;
            world->done[WORLD_LAPSED]++;
            tell(world, place, attempt);
        }
    }
}

// ---------------------------------------------------------------- those who stand by

static void look_at(struct transaction *transaction, unsigned place, unsigned attempt)
{
    struct world *world = transaction->world;
    unsigned waited_for = world->bookings[place][attempt].choice;
    char names[WORLD_CHOICES][NAMES_BYTES];
    struct choices choices = choices_of(&world->orders[place][attempt], names);
    struct allocate_verdict verdict =
        allocate_standby(&transaction->event, &choices, waited_for, &transaction->customers[world->customer[place]]);
    WORLD_MUST(world, verdict.state != ORDER_FAILED);
    if (verdict.state == ORDER_STANDBY && verdict.choice == waited_for)
        return;
    world->done[WORLD_MOVED] += verdict.state == ORDER_STANDBY;
    world->done[WORLD_OVER] += verdict.state == ORDER_SOLD_OUT;
    write_booking(world, place, attempt, &verdict);
}

static void serve_standby(struct transaction *transaction, unsigned limit)
{
    const struct world *world = transaction->world;
    for (unsigned place = 1; place <= world->last; place++) {
        for (unsigned attempt = 1; attempt <= WORLD_ATTEMPTS; attempt++) {
            const struct world_booking *booking = &world->bookings[place][attempt];
            if (!booking->exists || booking->state != ORDER_STANDBY || limit == 0)
                continue;
            limit--;
            look_at(transaction, place, attempt);
        }
    }
}

// ---------------------------------------------------------------- newcomers

static void put_back(struct world *world, struct world_task task)
{
    struct world_order *order = &world->orders[task.place][task.attempt];
    if (order->release_no != task.release)
        return; // given back or retried already
    order->published = false;
    order->release_no++;
    world->done[WORLD_GIVEN_BACK]++;
}

static void book(struct transaction *transaction, struct world_task task)
{
    static const enum world_did did[ORDER_STATE_COUNT] = {[ORDER_CONFIRMED] = WORLD_CONFIRMED,
                                                          [ORDER_SOLD_OUT] = WORLD_SOLD_OUT,
                                                          [ORDER_REFUSED] = WORLD_REFUSED,
                                                          [ORDER_HELD] = WORLD_HELD,
                                                          [ORDER_STANDBY] = WORLD_STANDBY};
    struct world *world = transaction->world;
    const struct world_order *order = &world->orders[task.place][task.attempt];
    const struct world_booking *booking = &world->bookings[task.place][task.attempt];
    WORLD_MUST(world, order->exists && order->state == ORDER_RELEASED);
    if (booking->exists && booking->state != ORDER_RELEASED) {
        world->done[WORLD_DUPLICATE]++;
        return;
    }
    char names[WORLD_CHOICES][NAMES_BYTES];
    struct choices choices = choices_of(order, names);
    // Now and then a message is condemned, whatever is wrong with it.
    bool is_condemned = world_chance(world, 3);
    struct allocate_verdict verdict = allocate_order(&transaction->event, is_condemned ? NULL : &choices,
                                                     &transaction->customers[world->customer[task.place]]);
    if (verdict.state == ORDER_RELEASED) {
        put_back(world, task);
        return;
    }
    WORLD_MUST(world, verdict.state != ORDER_FAILED || is_condemned);
    write_booking(world, task.place, task.attempt, &verdict);
    world->done[WORLD_SEATS_TAKEN] += verdict.reason == ORDER_SEATS_TAKEN;
    if (verdict.state != ORDER_FAILED)
        world->done[did[verdict.state]]++;
}

void booking_run(struct world *world, const struct world_task *tasks, size_t count)
{
    struct transaction transaction;
    begin(&transaction, world);
    if (world->state != LIFECYCLE_STOPPED) { // else nothing ends, and nobody is served
        free_ended(&transaction, 1 + world_pick(world, 6));
        if (count == 0)
            end_lapsed(&transaction, 1 + world_pick(world, 4));
        serve_standby(&transaction, 1 + world_pick(world, 8));
    }
    for (size_t i = 0; i < count; i++)
        book(&transaction, tasks[i]);
    commit(&transaction);
}
