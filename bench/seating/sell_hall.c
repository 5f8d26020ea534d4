// SPDX-License-Identifier: Apache-2.0
// How long it takes to find seats, and how well parties sit: sells whole halls to random parties until nobody fits any more, and prints
// a line for each. Nothing else is measured: no MySQL, no messages. Whether a party that was split could have sat together is looked up
// seat by seat, not in what the seating remembers.
#include <stdio.h>
#include <stdlib.h>

#include "booking-worker/seating.h"
#include "common/clock.h"

#define BATCH 500
#define RUNS 5
#define SEAT_COUNT_MAX 200000

struct sale {
    const char *hall; // as printed
    uint32_t rows;
    uint32_t left, right; // seats on either side of the aisle
    const char *parties;
    uint32_t smallest, largest, step;
    bool is_checkered; // every second seat is taken before
};

static const struct sale sales[] = {
    {"400 x (24 + 26)", 400, 24, 26, "2, 4", 2, 4, 2, false},
    {"400 x (25 + 25)", 400, 25, 25, "2, 4", 2, 4, 2, false},
    {"400 x (24 + 26)", 400, 24, 26, "1 to 6", 1, 6, 1, false},
    {"400 x (25 + 25)", 400, 25, 25, "1 to 6", 1, 6, 1, false},
    {"400 x (25 + 25), every second taken", 400, 25, 25, "6", 6, 6, 1, true},
    {"4000 x (25 + 25)", 4000, 25, 25, "1 to 6", 1, 6, 1, false},
    {"20 x (500 + 500)", 20, 500, 500, "1 to 6", 1, 6, 1, false},
};

struct figures {
    uint32_t orders;
    uint32_t by_rule[SEATING_APART + 1];
    uint32_t split_needlessly; // though a run would have held them
    uint32_t singles_at_first_split; // free seats without a free neighbour
    uint32_t unsold;
    int64_t total_ns, slowest_ns;
    int64_t batch_ns, slowest_batch_ns; // of BATCH orders
};

// Numbers that are the same in every run (xorshift64).
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static struct seating *build(const struct sale *sale)
{
    static struct seating_seat seats[SEAT_COUNT_MAX];
    static char names[SEAT_COUNT_MAX / 2][12];
    uint32_t count = 0;
    for (uint32_t row = 0; row < sale->rows; row++) {
        snprintf(names[row], sizeof names[row], "%u", row + 1);
        for (uint32_t i = 0; i < sale->left + sale->right; i++)
            seats[count++] = (struct seating_seat){
                .row = names[row],
                .row_position = row,
                .number = (uint16_t)(1 + i + (i < sale->left ? 0 : 2)),
                .kind = SEAT_ORDINARY,
            };
    }
    struct seating *hall;
    if (seating_new(seats, count, &hall) != 0) {
        fprintf(stderr, "the hall %s was refused\n", sale->hall);
        exit(1);
    }
    for (uint32_t i = 0; sale->is_checkered && i < count; i += 2)
        (void)seating_take(hall, i);
    return hall;
}

// The run that ends with `seat`, counted seat by seat.
static uint32_t run_until(const struct seating *hall, uint32_t seat, uint32_t before)
{
    if (!seating_is_free(hall, seat))
        return 0;
    bool goes_on = before > 0 && seating_row(hall, seat) == seating_row(hall, seat - 1) &&
                   seating_number(hall, seat) == seating_number(hall, seat - 1) + 1;
    return goes_on ? before + 1 : 1;
}

// The longest run, and how many are single seats.
static uint32_t look_over(const struct seating *hall, uint32_t *ret_singles)
{
    uint32_t longest = 0, run = 0, singles = 0;
    for (uint32_t seat = 0; seat < seating_count(hall); seat++) {
        uint32_t before = run;
        run = run_until(hall, seat, before);
        singles += before == 1 && run != 2;
        longest = run > longest ? run : longest;
    }
    *ret_singles = singles + (run == 1);
    return longest;
}

// Takes seats for one party. False: there are none.
static bool sell(struct seating *hall, uint32_t count, struct figures *figures)
{
    const struct seating_party party = {.count = count};
    uint32_t seats[SEATS_IN_ORDER_MAX];
    int64_t before = clock_monotonic_ns();
    enum seating_rule rule = seating_best(hall, &party, seats);
    int64_t found = clock_monotonic_ns() - before;
    if (rule == SEATING_NOTHING)
        return false;
    if (rule > SEATING_STRANDING) {
        uint32_t singles;
        figures->split_needlessly += look_over(hall, &singles) >= count;
        if (figures->by_rule[SEATING_TWO_ROWS] + figures->by_rule[SEATING_FEW_GROUPS] == 0)
            figures->singles_at_first_split = singles;
    }
    before = clock_monotonic_ns();
    for (uint32_t i = 0; i < count; i++)
        (void)seating_take(hall, seats[i]);
    int64_t ns = found + clock_monotonic_ns() - before;
    figures->by_rule[rule]++;
    figures->total_ns += ns;
    figures->batch_ns += ns;
    if (ns > figures->slowest_ns)
        figures->slowest_ns = ns;
    if (++figures->orders % BATCH == 0) {
        if (figures->batch_ns > figures->slowest_batch_ns)
            figures->slowest_batch_ns = figures->batch_ns;
        figures->batch_ns = 0;
    }
    return true;
}

static struct figures run(const struct sale *sale, uint64_t seed)
{
    struct figures figures = {0};
    struct seating *hall = build(sale);
    uint32_t sizes = (sale->largest - sale->smallest) / sale->step + 1;
    // The smallest party ends the sale: when it finds nothing, nobody does.
    for (bool goes_on = true; goes_on;) {
        uint32_t count = sale->smallest + sale->step * (uint32_t)((next_random(&seed) >> 20) % sizes);
        goes_on = sell(hall, count, &figures) || count > sale->smallest;
    }
    for (uint32_t seat = 0; seat < seating_count(hall); seat++)
        figures.unsold += seating_is_free(hall, seat);
    seating_free(hall);
    return figures;
}

static int compare_totals(const void *one, const void *other)
{
    const struct figures *a = one, *b = other;
    return (a->total_ns > b->total_ns) - (a->total_ns < b->total_ns);
}

int main(void)
{
    uint32_t split_needlessly = 0;
    printf("%-36s %-7s %7s %9s %10s %9s %9s %6s %8s %7s %7s %7s\n", "rows x seats", "parties", "orders", "us/order",
           "slowest us", "500, ms", "stranding", "2 rows", "more", "needless", "singles", "unsold");
    for (size_t i = 0; i < sizeof sales / sizeof sales[0]; i++) {
        struct figures runs[RUNS];
        for (uint64_t seed = 0; seed < RUNS; seed++) {
            runs[seed] = run(&sales[i], (seed + 1) * UINT64_C(0x9e3779b97f4a7c15));
            split_needlessly += runs[seed].split_needlessly;
        }
        qsort(runs, RUNS, sizeof runs[0], compare_totals);
        const struct figures *middle = &runs[RUNS / 2];
        printf("%-36s %-7s %7u %9.2f %10.1f %9.2f %9u %6u %8u %7u %7u %7u\n", sales[i].hall, sales[i].parties,
               middle->orders, (double)middle->total_ns / 1000 / middle->orders, (double)middle->slowest_ns / 1000,
               (double)middle->slowest_batch_ns / 1e6, middle->by_rule[SEATING_STRANDING],
               middle->by_rule[SEATING_TWO_ROWS], middle->by_rule[SEATING_FEW_GROUPS], middle->split_needlessly,
               middle->singles_at_first_split, middle->unsold);
    }
    printf(
        "Medians of %d runs by total time. 500, ms: the slowest 500 orders in a row. stranding: parties beside whom one seat was left alone.\n"
        "2 rows, more: parties that were split. needless: of these, though a run would have held them. singles: free seats without\n"
        "a free neighbour when the first party was split.\n",
        RUNS);
    return split_needlessly == 0 ? 0 : 1;
}
