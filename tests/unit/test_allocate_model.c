// links: booking-worker
// SPDX-License-Identifier: Apache-2.0
// Orders, standby and what goes back, in any sequence, beside a plain model: a list of who has what. After each step the numbers of
// tiers, halls and customers must be what the list adds up to, and what was decided must be right by the list alone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "booking-worker/allocate.h"

#define TIERS 3 // two standing ones, and one with seats
#define SEATED 2
#define SEATS 12
#define CUSTOMERS 6
#define BOOKINGS 200
#define SEEDS 2000
#define STEPS 120

static const char *const codes[TIERS] = {"floor", "balcony", "stalls"};

struct booking {
    enum order_state state; // standby, held, confirmed; or ended
    unsigned customer;
    size_t choice;
    struct choices choices;
    char names[CHOICES_MAX][100];
    size_t seat_count;
    uint32_t seats[SEATS_IN_ORDER_MAX];
};

struct model {
    uint64_t random, seed;
    struct allocate_tier tiers[TIERS];
    struct allocate_event event;
    struct allocate_customer customers[CUSTOMERS];
    size_t count; // in the sequence of their places
    struct booking bookings[BOOKINGS];
    unsigned met[ORDER_STATE_COUNT], met_seats_taken, met_moves;
};

static unsigned pick(struct model *model, unsigned below)
{
    uint64_t z = model->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (unsigned)((z ^ (z >> 31)) % below);
}

#define MUST(model, condition)                                                                       \
    do {                                                                                             \
        if (!(condition))                                                                            \
            fail_msg("seed %llu: does not hold: %s", (unsigned long long)(model)->seed, #condition); \
    } while (0)

// ---------------------------------------------------------------- by the list alone

static unsigned tier_of(const struct choice *choice)
{
    unsigned tier = 0;
    while (tier < TIERS && strcmp(codes[tier], choice->tier) != 0)
        tier++;
    return tier;
}

static const struct choice *choice_of(const struct booking *booking)
{
    return &booking->choices.items[booking->choice];
}

struct sums {
    uint32_t held[TIERS], sold[TIERS], standby[TIERS], booked[CUSTOMERS];
    unsigned has_seat[SEATS];
};

static struct sums add_up(const struct model *model)
{
    struct sums sums = {0};
    for (size_t i = 0; i < model->count; i++) {
        const struct booking *booking = &model->bookings[i];
        if (!order_is_counted(booking->state))
            continue;
        unsigned tier = tier_of(choice_of(booking));
        uint32_t quantity = choice_of(booking)->quantity;
        sums.booked[booking->customer] += quantity;
        sums.standby[tier] += booking->state == ORDER_STANDBY;
        sums.held[tier] += booking->state == ORDER_HELD ? quantity : 0;
        sums.sold[tier] += booking->state == ORDER_CONFIRMED ? quantity : 0;
        for (size_t s = 0; s < booking->seat_count; s++)
            sums.has_seat[booking->seats[s]]++;
    }
    return sums;
}

static void check(const struct model *model)
{
    struct sums sums = add_up(model);
    for (unsigned i = 0; i < TIERS; i++) {
        const struct allocate_tier *tier = &model->tiers[i];
        MUST(model, tier->held == sums.held[i] && tier->sold == sums.sold[i] && tier->standby == sums.standby[i]);
        MUST(model, tier->held + tier->sold <= tier->capacity);
    }
    for (unsigned i = 0; i < CUSTOMERS; i++) {
        MUST(model, model->customers[i].booked == sums.booked[i]);
        MUST(model, sums.booked[i] <= model->event.max_per_customer);
    }
    for (uint32_t i = 0; i < SEATS; i++) {
        MUST(model, sums.has_seat[i] <= 1);
        if (seating_kind(model->tiers[SEATED].seating, i) == SEAT_BLOCKED)
            MUST(model, sums.has_seat[i] == 0);
        else
            MUST(model, seating_is_free(model->tiers[SEATED].seating, i) == (sums.has_seat[i] == 0));
    }
}

// Whether the list leaves enough for a choice; of a seated tier also enough of each kind, or just the seats named.
static bool fits(const struct model *model, const struct sums *sums, const struct choice *choice)
{
    unsigned tier = tier_of(choice);
    if (tier == TIERS || sums->held[tier] + sums->sold[tier] + choice->quantity > model->tiers[tier].capacity)
        return false;
    if (tier != SEATED)
        return true;
    const struct seating *seating = model->tiers[SEATED].seating;
    uint32_t free_of[SEAT_BLOCKED + 1] = {0};
    for (uint32_t i = 0; i < SEATS; i++)
        free_of[seating_kind(seating, i)] += sums->has_seat[i] == 0;
    if (!choice->seats)
        return free_of[SEAT_WHEELCHAIR] >= choice->wheelchair && free_of[SEAT_COMPANION] >= choice->companion &&
               free_of[SEAT_ORDINARY] >= choice->quantity - choice->wheelchair - choice->companion;
    char row[SEAT_ROW_NAME_BYTES];
    uint16_t number;
    uint32_t wheelchair = 0, companion = 0;
    for (size_t at = 0; choice_next_seat(choice, &at, row, &number);) {
        uint32_t seat = seating_find(seating, row, number);
        if (seat == SEATING_NO_SEAT || sums->has_seat[seat] || seating_kind(seating, seat) == SEAT_BLOCKED)
            return false;
        wheelchair += seating_kind(seating, seat) == SEAT_WHEELCHAIR;
        companion += seating_kind(seating, seat) == SEAT_COMPANION;
    }
    return wheelchair <= choice->wheelchair && companion <= choice->companion;
}

static bool may_come(const struct model *model, const struct sums *sums, const struct choice *choice)
{
    unsigned tier = tier_of(choice);
    return tier < TIERS && !choice->seats && sums->held[tier] > 0 &&
           sums->sold[tier] + choice->quantity <= model->tiers[tier].capacity;
}

static bool allowed(const struct model *model, const struct sums *sums, const struct booking *booking, size_t choice)
{
    return sums->booked[booking->customer] + booking->choices.items[choice].quantity <= model->event.max_per_customer;
}

// ---------------------------------------------------------------- what is ordered

static void add_name(struct model *model, char *names, size_t bytes, struct choice *choice, bool is_last)
{
    // Mostly seats that are there; sometimes one that is not, and never one twice.
    static const char *const rows[] = {"A", "B", "A", "B", "C"};
    char name[SEAT_NAME_BYTES + 2];
    for (;;) {
        snprintf(name, sizeof(name), "\"%s-%u\"", rows[pick(model, 5)], 1 + pick(model, 6));
        if (!strstr(names, name))
            break;
    }
    snprintf(names + strlen(names), bytes - strlen(names), "%s%s%s", names[1] ? "," : "", name, is_last ? "]" : "");
    choice->quantity++;
}

static void choose(struct model *model, struct booking *booking)
{
    static const char *const wanted[] = {"floor", "balcony", "stalls", "stalls", "stalls", "gone"};
    booking->choices.count = 1 + pick(model, 3);
    for (size_t i = 0; i < booking->choices.count; i++) {
        struct choice *choice = &booking->choices.items[i];
        snprintf(choice->tier, sizeof(choice->tier), "%s", wanted[pick(model, pick(model, 8) ? 5 : 6)]);
        choice->amount = pick(model, 4) ? 100 : 0;
        if (pick(model, 4) == 0) {
            choice->wheelchair = pick(model, 2);
            choice->companion = pick(model, 2);
        }
        if (tier_of(choice) == SEATED && pick(model, 3) == 0) {
            snprintf(booking->names[i], sizeof(booking->names[i]), "[");
            for (unsigned seats = 1 + pick(model, 3); seats > 0; seats--)
                add_name(model, booking->names[i], sizeof(booking->names[i]), choice, seats == 1);
            choice->seats = booking->names[i];
            choice->seats_bytes = strlen(booking->names[i]);
        } else {
            choice->quantity = choice->wheelchair + choice->companion + pick(model, 4);
            choice->quantity += choice->quantity == 0;
        }
    }
}

// ---------------------------------------------------------------- steps

static void take_verdict(struct model *model, struct booking *booking, const struct allocate_verdict *verdict)
{
    bool has_places = order_has_places(verdict->state);
    const struct choice *choice = &booking->choices.items[verdict->choice];
    booking->state = verdict->state;
    booking->choice = verdict->choice;
    booking->seat_count = has_places ? verdict->seat_count : 0;
    memcpy(booking->seats, verdict->seats, sizeof(booking->seats));
    model->met[verdict->state]++;
    if (!has_places)
        return;
    MUST(model, (verdict->state == ORDER_HELD) == (model->event.needs_payment && choice->amount > 0));
    MUST(model, verdict->seat_count == (tier_of(choice) == SEATED ? choice->quantity : 0));
    unsigned wheelchair = 0, companion = 0;
    for (size_t i = 0; i < verdict->seat_count; i++) {
        wheelchair += seating_kind(model->tiers[SEATED].seating, verdict->seats[i]) == SEAT_WHEELCHAIR;
        companion += seating_kind(model->tiers[SEATED].seating, verdict->seats[i]) == SEAT_COMPANION;
    }
    MUST(model, wheelchair <= choice->wheelchair && companion <= choice->companion);
}

// What an order must get: the first choice that fits and that nobody stands by for, else the first that may come, else nothing.
static void expect_order(const struct model *model, const struct sums *before, const struct booking *booking,
                         const struct allocate_verdict *verdict)
{
    const struct choices *choices = &booking->choices;
    for (size_t i = 0; i < choices->count; i++) {
        unsigned tier = tier_of(&choices->items[i]);
        if (tier < TIERS && before->standby[tier] == 0 && allowed(model, before, booking, i) &&
            fits(model, before, &choices->items[i])) {
            MUST(model, order_has_places(verdict->state) && verdict->choice == i);
            return;
        }
    }
    for (size_t i = 0; i < choices->count; i++) {
        const struct choice *choice = &choices->items[i];
        unsigned tier = tier_of(choice);
        bool behind_others = tier < TIERS && !choice->seats && before->standby[tier] > 0 &&
                             before->sold[tier] + choice->quantity <= model->tiers[tier].capacity;
        if (allowed(model, before, booking, i) && (behind_others || may_come(model, before, choice))) {
            MUST(model, verdict->state == ORDER_STANDBY && verdict->choice == i);
            return;
        }
    }
    MUST(model, verdict->state == ORDER_SOLD_OUT || verdict->state == ORDER_REFUSED);
}

static void step_order(struct model *model)
{
    if (model->count == BOOKINGS)
        return;
    struct booking *booking = &model->bookings[model->count];
    *booking = (struct booking){.customer = pick(model, CUSTOMERS)};
    choose(model, booking);
    struct sums before = add_up(model);
    struct allocate_verdict verdict =
        allocate_order(&model->event, &booking->choices, &model->customers[booking->customer]);
    expect_order(model, &before, booking, &verdict);
    model->count++;
    take_verdict(model, booking, &verdict);
    if (verdict.reason != ORDER_SEATS_TAKEN)
        return;
    model->met_seats_taken++;
    MUST(model, verdict.seat_count >= 1 && verdict.seat_count <= booking->choices.items[verdict.choice].quantity);
}

static void look_at(struct model *model, struct booking *booking)
{
    struct sums before = add_up(model);
    const struct choice *choice = choice_of(booking);
    size_t waited_for = booking->choice;
    bool could_have = fits(model, &before, choice), may_have = may_come(model, &before, choice);
    struct allocate_verdict verdict =
        allocate_standby(&model->event, &booking->choices, booking->choice, &model->customers[booking->customer]);
    if (could_have)
        MUST(model, order_has_places(verdict.state) && verdict.choice == waited_for);
    else if (may_have)
        MUST(model, verdict.state == ORDER_STANDBY && verdict.choice == waited_for);
    else
        MUST(model, verdict.state == ORDER_SOLD_OUT || verdict.choice != waited_for);
    // Whoever hears that it is over could have nothing, now or later, of what the limit allows.
    before.booked[booking->customer] -= choice->quantity;
    for (size_t i = 0; i < booking->choices.count && verdict.state == ORDER_SOLD_OUT; i++)
        MUST(model, i == waited_for || !allowed(model, &before, booking, i) ||
                        (!fits(model, &before, &booking->choices.items[i]) &&
                         !may_come(model, &before, &booking->choices.items[i])));
    model->met_moves += order_is_counted(verdict.state) && verdict.choice != waited_for;
    take_verdict(model, booking, &verdict);
}

static void step_standby(struct model *model)
{
    for (size_t i = 0; i < model->count; i++)
        if (model->bookings[i].state == ORDER_STANDBY)
            look_at(model, &model->bookings[i]);
    // Nobody who is left could have what they wait for: whoever was served had an earlier place or fitted where they did not.
    struct sums sums = add_up(model);
    for (size_t i = 0; i < model->count; i++)
        if (model->bookings[i].state == ORDER_STANDBY)
            MUST(model, !fits(model, &sums, choice_of(&model->bookings[i])));
}

static void step_end(struct model *model)
{
    if (model->count == 0)
        return;
    struct booking *booking = &model->bookings[pick(model, (unsigned)model->count)];
    const struct choice *choice = choice_of(booking);
    const struct allocate_given given = {booking->state, choice->tier, choice->quantity, booking->seat_count,
                                         booking->seats};
    if (!order_is_counted(booking->state))
        return;
    MUST(model, allocate_free(&model->event, &given, &model->customers[booking->customer]));
    booking->state = ORDER_CANCELLED;
    booking->seat_count = 0;
}

// It is paid for: what whoever confirms does to the numbers.
static void step_confirm(struct model *model)
{
    if (model->count == 0)
        return;
    struct booking *booking = &model->bookings[pick(model, (unsigned)model->count)];
    if (booking->state != ORDER_HELD)
        return;
    unsigned tier = tier_of(choice_of(booking));
    booking->state = ORDER_CONFIRMED;
    model->tiers[tier].held -= choice_of(booking)->quantity;
    model->tiers[tier].sold += choice_of(booking)->quantity;
}

static void close_for(struct model *model, struct booking *booking)
{
    struct allocate_verdict verdict =
        allocate_standby(&model->event, &booking->choices, booking->choice, &model->customers[booking->customer]);
    MUST(model, verdict.state == ORDER_SOLD_OUT);
    take_verdict(model, booking, &verdict);
}

static void run(struct model *model)
{
    for (int i = 0; i < STEPS; i++) {
        unsigned what = pick(model, 100);
        if (what < 50)
            step_order(model);
        else if (what < 70)
            step_end(model);
        else if (what < 80)
            step_confirm(model);
        else if (what < 95)
            step_standby(model);
        else if (what < 97)
            model->tiers[pick(model, SEATED)].capacity += pick(model, 2);
        else
            model->event.needs_payment = pick(model, 2);
        check(model);
    }
    model->event.state = LIFECYCLE_CLOSED;
    for (size_t i = 0; i < model->count; i++)
        if (model->bookings[i].state == ORDER_STANDBY)
            close_for(model, &model->bookings[i]);
    check(model);
}

static void any_sequence(void **state)
{
    (void)state;
    static const struct seating_seat seats[SEATS] = {
        {"A", 0, 1, SEAT_ORDINARY}, {"A", 0, 2, SEAT_ORDINARY},   {"A", 0, 3, SEAT_ORDINARY},
        {"A", 0, 4, SEAT_ORDINARY}, {"A", 0, 5, SEAT_WHEELCHAIR}, {"A", 0, 6, SEAT_COMPANION},
        {"B", 1, 1, SEAT_ORDINARY}, {"B", 1, 2, SEAT_ORDINARY},   {"B", 1, 3, SEAT_BLOCKED},
        {"B", 1, 4, SEAT_ORDINARY}, {"B", 1, 5, SEAT_ORDINARY},   {"B", 1, 6, SEAT_COMPANION},
    };
    static struct model model;
    struct seating *seating = NULL;
    unsigned met[ORDER_STATE_COUNT] = {0}, met_seats_taken = 0, met_moves = 0;
    assert_int_equal(seating_new(seats, SEATS, &seating), 0);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        seating_clear(seating);
        model = (struct model){.random = seed, .seed = seed};
        for (unsigned i = 0; i < TIERS; i++) {
            model.tiers[i] = (struct allocate_tier){.capacity = i == SEATED ? SEATS - 1 : 1 + pick(&model, 10)};
            snprintf(model.tiers[i].code, sizeof(model.tiers[i].code), "%s", codes[i]);
        }
        model.tiers[SEATED].is_seated = true;
        model.tiers[SEATED].seating = seating;
        model.event = (struct allocate_event){.state = LIFECYCLE_OPEN,
                                              .needs_payment = true,
                                              .max_per_customer = 2 + pick(&model, 8),
                                              .tier_count = TIERS,
                                              .tiers = model.tiers};
        run(&model);
        for (unsigned i = 0; i < ORDER_STATE_COUNT; i++)
            met[i] += model.met[i];
        met_seats_taken += model.met_seats_taken;
        met_moves += model.met_moves;
    }
    seating_free(seating);
    // A run that never met what it is for proves nothing.
    static const enum order_state wanted[] = {ORDER_CONFIRMED, ORDER_HELD, ORDER_STANDBY, ORDER_SOLD_OUT,
                                              ORDER_REFUSED};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        assert_true(met[wanted[i]] > SEEDS);
    assert_true(met_seats_taken > SEEDS / 10 && met_moves > SEEDS / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_sequence)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
