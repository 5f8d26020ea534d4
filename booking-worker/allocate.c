// SPDX-License-Identifier: Apache-2.0
// See allocate.h. What can be had is looked for first, without changing anything, and taken when it is whole.
#include "booking-worker/allocate.h"

#include <assert.h>
#include <string.h>

// ---------------------------------------------------------------- the event

static struct allocate_tier *find_tier(const struct allocate_event *event, const char *code)
{
    for (size_t i = 0; i < event->tier_count; i++)
        if (strcmp(event->tiers[i].code, code) == 0)
            return &event->tiers[i];
    return NULL;
}

// Places are given while orders are booked, and nobody hears that it is over.
static bool is_running(const struct allocate_event *event)
{
    return event->state == LIFECYCLE_OPEN || event->state == LIFECYCLE_PAUSED || event->state == LIFECYCLE_SOLD_OUT;
}

static uint64_t places_left(const struct allocate_tier *tier)
{
    uint64_t taken = (uint64_t)tier->held + tier->sold;
    return taken < tier->capacity ? tier->capacity - taken : 0;
}

// What is free, and what will be when all that is held comes back.
static uint64_t places_at_best(const struct allocate_tier *tier)
{
    return tier->sold < tier->capacity ? tier->capacity - tier->sold : 0;
}

static bool is_broken(const struct allocate_event *event, const struct choice *choice)
{
    const struct allocate_tier *tier = find_tier(event, choice->tier);
    if (!tier)
        return false;
    return tier->is_seated ? choice->quantity > SEATS_IN_ORDER_MAX : choice->seats != NULL;
}

static bool allows(const struct allocate_event *event, const struct allocate_customer *customer,
                   const struct choice *choice)
{
    return (uint64_t)customer->booked + choice->quantity <= event->max_per_customer;
}

// ---------------------------------------------------------------- seats asked for by name

// A wheelchair place or a companion's seat is for as many as need one.
static bool covers_kind(const struct choice *choice, enum seat_kind kind, uint32_t used[static SEAT_BLOCKED + 1])
{
    used[kind]++;
    switch (kind) {
    case SEAT_ORDINARY:
        return true;
    case SEAT_WHEELCHAIR:
        return used[kind] <= choice->wheelchair;
    case SEAT_COMPANION:
        return used[kind] <= choice->companion;
    case SEAT_BLOCKED:
        break;
    }
    return false;
}

// All of them, or the positions of those that are gone. The hall may have changed since it was ordered: a seat that is not there any
// more, or not for this party, is as good as taken.
static bool find_named(const struct allocate_tier *tier, const struct choice *choice, struct allocate_verdict *ret)
{
    uint32_t seats[SEATS_IN_ORDER_MAX], gone[SEATS_IN_ORDER_MAX], used[SEAT_BLOCKED + 1] = {0};
    size_t count = 0, gone_count = 0, at = 0;
    char row[SEAT_ROW_NAME_BYTES];
    uint16_t number;
    while (count < SEATS_IN_ORDER_MAX && choice_next_seat(choice, &at, row, &number)) {
        uint32_t seat = seating_find(tier->seating, row, number);
        bool is_free = seat != SEATING_NO_SEAT && seating_is_free(tier->seating, seat) &&
                       covers_kind(choice, seating_kind(tier->seating, seat), used);
        if (!is_free)
            gone[gone_count++] = (uint32_t)count;
        seats[count++] = seat;
    }
    assert(count == choice->quantity); // choices_read() saw to it
    ret->seat_count = gone_count > 0 ? gone_count : count;
    memcpy(ret->seats, gone_count > 0 ? gone : seats, ret->seat_count * sizeof(seats[0]));
    return gone_count == 0;
}

// ---------------------------------------------------------------- finding and taking

static bool find_best(const struct allocate_tier *tier, const struct choice *choice, struct allocate_verdict *ret)
{
    const struct seating_party party = {
        .count = choice->quantity, .wheelchair = choice->wheelchair, .companion = choice->companion};
    ret->rule = seating_best(tier->seating, &party, ret->seats);
    ret->seat_count = ret->rule == SEATING_NOTHING ? 0 : choice->quantity;
    return ret->rule != SEATING_NOTHING;
}

// Whether the tier can give a choice now; its seats are in *ret then.
static bool find_places(const struct allocate_tier *tier, const struct choice *choice, struct allocate_verdict *ret)
{
    if (places_left(tier) < choice->quantity)
        return false;
    if (!tier->is_seated)
        return true;
    assert(tier->seating);
    return choice->seats ? find_named(tier, choice, ret) : find_best(tier, choice, ret);
}

static void take_places(const struct allocate_event *event, struct allocate_tier *tier, const struct choice *choice,
                        size_t index, struct allocate_verdict *ret)
{
    ret->choice = index;
    if (event->needs_payment && choice->amount > 0) {
        ret->state = ORDER_HELD;
        tier->held += choice->quantity;
    } else {
        ret->state = ORDER_CONFIRMED;
        tier->sold += choice->quantity;
    }
    tier->is_changed = true;
    for (size_t i = 0; i < ret->seat_count; i++) {
        bool was_free = seating_take(tier->seating, ret->seats[i]);
        assert(was_free);
        tier->has_changed_seats = true;
    }
}

static void count_in(struct allocate_customer *customer, uint32_t quantity)
{
    customer->booked += quantity;
    customer->is_changed = true;
}

static void count_out(struct allocate_customer *customer, uint32_t quantity)
{
    customer->booked -= quantity;
    customer->is_changed = true;
}

// ---------------------------------------------------------------- standing by

// Whether what is held may yet make a choice possible.
static bool may_come_back(const struct allocate_tier *tier, const struct choice *choice)
{
    return !choice->seats && tier->held > 0 && places_at_best(tier) >= choice->quantity;
}

// A newcomer also goes behind those who stand by for what is free already.
static bool may_queue(const struct allocate_tier *tier, const struct choice *choice)
{
    return may_come_back(tier, choice) ||
           (!choice->seats && tier->standby > 0 && places_at_best(tier) >= choice->quantity);
}

static struct allocate_verdict stand_by(struct allocate_tier *tier, size_t index)
{
    tier->standby++;
    tier->is_changed = true;
    return (struct allocate_verdict){.state = ORDER_STANDBY, .choice = index};
}

// ---------------------------------------------------------------- newcomers

static struct allocate_verdict refused(enum order_reason reason, size_t index)
{
    return (struct allocate_verdict){.state = ORDER_REFUSED, .reason = reason, .choice = index};
}

static const struct allocate_verdict broken = {.state = ORDER_FAILED, .reason = ORDER_BROKEN};
static const struct allocate_verdict sold_out = {.state = ORDER_SOLD_OUT};

// The answer to one choice; what it is given is taken.
static struct allocate_verdict try_choice(struct allocate_event *event, const struct choice *choice, size_t index,
                                          struct allocate_customer *customer)
{
    struct allocate_tier *tier = find_tier(event, choice->tier);
    struct allocate_verdict found = {0};
    if (!tier)
        return refused(ORDER_TIER_CLOSED, index);
    if (!allows(event, customer, choice))
        return refused(ORDER_CUSTOMER_LIMIT, index);
    if (choice->seats && !find_named(tier, choice, &found)) {
        found.state = ORDER_REFUSED;
        found.reason = ORDER_SEATS_TAKEN;
        found.choice = index;
        return found;
    }
    if (tier->standby > 0 || !find_places(tier, choice, &found))
        return sold_out;
    take_places(event, tier, choice, index, &found);
    count_in(customer, choice->quantity);
    return found;
}

// Stands by for the first choice for which that makes sense; false: for none.
static bool try_standby(struct allocate_event *event, const struct choices *choices, struct allocate_customer *customer,
                        struct allocate_verdict *ret)
{
    for (size_t i = 0; i < choices->count; i++) {
        const struct choice *choice = &choices->items[i];
        struct allocate_tier *tier = find_tier(event, choice->tier);
        if (tier && allows(event, customer, choice) && may_queue(tier, choice)) {
            *ret = stand_by(tier, i);
            count_in(customer, choice->quantity);
            return true;
        }
    }
    return false;
}

struct allocate_verdict allocate_order(struct allocate_event *event, const struct choices *choices,
                                       struct allocate_customer *customer)
{
    if (event->state == LIFECYCLE_CLOSED)
        return refused(ORDER_EVENT_CLOSED, 0);
    if (!is_running(event))
        return (struct allocate_verdict){.state = ORDER_RELEASED};
    if (!choices)
        return broken;
    for (size_t i = 0; i < choices->count; i++)
        if (is_broken(event, &choices->items[i]))
            return broken;
    struct allocate_verdict answer = refused(ORDER_TIER_CLOSED, 0);
    for (size_t i = 0; i < choices->count; i++) {
        struct allocate_verdict verdict = try_choice(event, &choices->items[i], i, customer);
        if (order_has_places(verdict.state))
            return verdict;
        if (answer.reason == ORDER_TIER_CLOSED)
            answer = verdict;
    }
    try_standby(event, choices, customer, &answer);
    return answer;
}

// ---------------------------------------------------------------- those who stand by

// Their customer counts them already, and everybody before them was looked at: what is free is theirs, whoever stands by behind them.
static bool serve_standby(struct allocate_event *event, const struct choices *choices, size_t index,
                          struct allocate_verdict *ret)
{
    const struct choice *choice = &choices->items[index];
    struct allocate_tier *tier = find_tier(event, choice->tier);
    *ret = (struct allocate_verdict){0};
    if (!tier || is_broken(event, choice) || !find_places(tier, choice, ret))
        return false;
    take_places(event, tier, choice, index, ret);
    return true;
}

static void end_standby(struct allocate_event *event, const struct choice *choice, struct allocate_customer *customer)
{
    struct allocate_tier *tier = find_tier(event, choice->tier);
    if (tier) {
        tier->standby--;
        tier->is_changed = true;
    }
    count_out(customer, choice->quantity);
}

// Its choice cannot be had any more: another one, now or later, if there is one. It is out of standby when this is called; its own
// choice is in the list as well, and cannot be had here either.
static struct allocate_verdict try_others(struct allocate_event *event, const struct choices *choices,
                                          struct allocate_customer *customer)
{
    struct allocate_verdict found;
    for (size_t i = 0; i < choices->count; i++) {
        const struct choice *choice = &choices->items[i];
        if (allows(event, customer, choice) && serve_standby(event, choices, i, &found)) {
            count_in(customer, choice->quantity);
            return found;
        }
    }
    for (size_t i = 0; i < choices->count; i++) {
        const struct choice *choice = &choices->items[i];
        struct allocate_tier *tier = find_tier(event, choice->tier);
        if (tier && allows(event, customer, choice) && may_come_back(tier, choice)) {
            count_in(customer, choice->quantity);
            return stand_by(tier, i);
        }
    }
    return sold_out;
}

struct allocate_verdict allocate_standby(struct allocate_event *event, const struct choices *choices, size_t choice,
                                         struct allocate_customer *customer)
{
    const struct allocate_verdict stays = {.state = ORDER_STANDBY, .choice = choice};
    if (!choices || choice >= choices->count || customer->booked < choices->items[choice].quantity)
        return broken;
    const struct choice *waits_for = &choices->items[choice];
    struct allocate_tier *tier = find_tier(event, waits_for->tier);
    if (tier && tier->standby == 0)
        return broken;
    if (event->state == LIFECYCLE_CLOSED) {
        end_standby(event, waits_for, customer);
        return sold_out;
    }
    if (!is_running(event))
        return stays;
    struct allocate_verdict found;
    if (tier && serve_standby(event, choices, choice, &found)) {
        tier->standby--;
        return found;
    }
    if (tier && may_come_back(tier, waits_for))
        return stays;
    end_standby(event, waits_for, customer);
    return try_others(event, choices, customer);
}

// ---------------------------------------------------------------- giving back

static bool seats_are_taken(const struct allocate_tier *tier, const struct allocate_given *given)
{
    if (given->seat_count > (tier->is_seated ? given->quantity : 0))
        return false;
    for (size_t i = 0; i < given->seat_count; i++) {
        if (given->seats[i] >= seating_count(tier->seating) || seating_is_free(tier->seating, given->seats[i]))
            return false;
        for (size_t other = 0; other < i; other++)
            if (given->seats[other] == given->seats[i])
                return false;
    }
    return true;
}

static void give_back_seats(struct allocate_tier *tier, const struct allocate_given *given)
{
    for (size_t i = 0; i < given->seat_count; i++)
        if (seating_give_back(tier->seating, given->seats[i]))
            tier->has_changed_seats = true;
}

bool allocate_free(struct allocate_event *event, const struct allocate_given *given, struct allocate_customer *customer)
{
    struct allocate_tier *tier = find_tier(event, given->tier);
    if (!tier || !order_is_counted(given->was) || customer->booked < given->quantity || !seats_are_taken(tier, given))
        return false;
    // Of standby the bookings are counted, of the others the places.
    bool stands_by = given->was == ORDER_STANDBY;
    uint32_t *number = stands_by ? &tier->standby : given->was == ORDER_CONFIRMED ? &tier->sold : &tier->held;
    uint32_t less = stands_by ? 1 : given->quantity;
    if (*number < less || (stands_by && given->seat_count > 0))
        return false;
    *number -= less;
    tier->is_changed = true;
    count_out(customer, given->quantity);
    give_back_seats(tier, given);
    return true;
}

// ---------------------------------------------------------------- questions

bool allocate_is_all_sold(const struct allocate_event *event)
{
    for (size_t i = 0; i < event->tier_count; i++) {
        const struct allocate_tier *tier = &event->tiers[i];
        if (tier->held > 0 || tier->standby > 0 || tier->sold < tier->capacity)
            return false;
    }
    return event->tier_count > 0;
}

bool allocate_has_standby_work(const struct allocate_event *event, const struct allocate_tier *tier)
{
    if (tier->standby == 0)
        return false;
    if (event->state == LIFECYCLE_CLOSED)
        return true;
    return is_running(event) && (places_left(tier) > 0 || places_at_best(tier) < event->max_per_customer);
}
