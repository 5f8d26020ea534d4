// links: booking-worker
// SPDX-License-Identifier: Apache-2.0
// The seats of parties against every possible placement, in thousands of small random halls; large parties, where what is remembered
// of the rows ends; and that memory against halls made anew.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "booking-worker/seating_internal.h"

#define SEATS_MAX 400

// Numbers that are the same in every run (xorshift64).
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint32_t below(uint64_t *state, uint32_t bound)
{
    return (uint32_t)((next_random(state) >> 20) % bound);
}

// ---------------------------------------------------------------- against every placement

// How good a placement is, worked out from the seats alone: the rule that allows it, then what that rule prefers. Smaller is better,
// from the left. For the first three rules no two placements are alike.
struct worth {
    uint32_t values[10];
};

// A hall as the seats came, without anything remembered.
struct plain {
    const struct seating *hall;
    bool has_needs;
    bool is_given[SEATS_MAX];
};

static bool is_ordinary(const struct plain *plain, uint32_t seat, bool after)
{
    return seating_kind(plain->hall, seat) == SEAT_ORDINARY && seating_is_free(plain->hall, seat) &&
           !(after && plain->is_given[seat]);
}

static uint32_t row_of(const struct plain *plain, uint32_t seat)
{
    return plain->hall->seats[seat].row;
}

static bool are_neighbours(const struct plain *plain, uint32_t left, uint32_t right)
{
    return row_of(plain, left) == row_of(plain, right) &&
           seating_number(plain->hall, left) + 1 == seating_number(plain->hall, right);
}

static uint32_t run_length(const struct plain *plain, uint32_t seat, bool after)
{
    uint32_t first = seat, last = seat;
    while (first > 0 && are_neighbours(plain, first - 1, first) && is_ordinary(plain, first - 1, after))
        first--;
    while (last + 1 < seating_count(plain->hall) && are_neighbours(plain, last, last + 1) &&
           is_ordinary(plain, last + 1, after))
        last++;
    return last - first + 1;
}

// Only a seat beside one that is given can be stranded.
static bool strands_somebody(const struct plain *plain, const uint32_t *seats, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < 2; j++) {
            uint32_t seat = j ? seats[i] + 1 : seats[i] - 1; // before the first: a huge number
            if (seat < seating_count(plain->hall) && is_ordinary(plain, seat, true) &&
                run_length(plain, seat, true) == 1 && run_length(plain, seat, false) > 1)
                return true;
        }
    return false;
}

static uint32_t off_middle(const struct plain *plain, uint32_t first, uint32_t last)
{
    const struct seating_row *row = &plain->hall->rows[row_of(plain, first)];
    int middle = seating_number(plain->hall, row->first) + seating_number(plain->hall, row->first + row->count - 1);
    return (uint32_t)abs(seating_number(plain->hall, first) + seating_number(plain->hall, last) - middle);
}

static uint32_t columns_apart(const struct plain *plain, uint32_t one, uint32_t one_last, uint32_t other,
                              uint32_t other_last)
{
    uint32_t least = UINT32_MAX;
    for (uint32_t a = one; a <= one_last; a++)
        for (uint32_t b = other; b <= other_last; b++) {
            uint32_t apart = (uint32_t)abs(seating_number(plain->hall, a) - seating_number(plain->hall, b));
            if (apart < least)
                least = apart;
        }
    return least;
}

// `seats` in rising order.
static struct worth worth_of(struct plain *plain, const uint32_t *seats, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        plain->is_given[seats[i]] = true;
    bool strands = strands_somebody(plain, seats, count);
    for (uint32_t i = 0; i < count; i++)
        plain->is_given[seats[i]] = false;
    uint32_t groups = 1, second = 0, last = seats[count - 1], first_row = row_of(plain, seats[0]);
    for (uint32_t i = 1; i < count; i++)
        if (!are_neighbours(plain, seats[i - 1], seats[i])) {
            groups++;
            second = i;
        }
    uint32_t rows = row_of(plain, last) - first_row;
    if (groups == 1)
        return (struct worth){
            {strands ? SEATING_STRANDING : SEATING_TOGETHER, first_row, off_middle(plain, seats[0], last), seats[0]}};
    if (plain->has_needs && rows == 0)
        return (struct worth){{SEATING_ONE_ROW,
                               (uint32_t)(seating_number(plain->hall, last) - seating_number(plain->hall, seats[0])),
                               first_row, off_middle(plain, seats[0], last), seats[0]}};
    if (plain->has_needs)
        return (struct worth){{SEATING_APART}};
    if (groups == 2 && rows == 1)
        return (struct worth){{SEATING_TWO_ROWS, second == 1 || second + 1 == count, strands, first_row,
                               columns_apart(plain, seats[0], seats[second - 1], seats[second], last),
                               (uint32_t)abs((int)second - (int)(count - second)),
                               off_middle(plain, seats[0], seats[second - 1]) + off_middle(plain, seats[second], last),
                               seats[0], seats[second], count - second}};
    bool is_somebody_alone = false;
    for (uint32_t i = 0; i < count; i++)
        is_somebody_alone = is_somebody_alone || ((i == 0 || !are_neighbours(plain, seats[i - 1], seats[i])) &&
                                                  (i + 1 == count || !are_neighbours(plain, seats[i], seats[i + 1])));
    return (struct worth){{SEATING_FEW_GROUPS, groups, rows, first_row, is_somebody_alone}};
}

static int compare_worths(const struct worth *one, const struct worth *other)
{
    for (size_t i = 0; i < 10; i++)
        if (one->values[i] != other->values[i])
            return one->values[i] < other->values[i] ? -1 : 1;
    return 0;
}

// The best of all placements that begin with seats[0 … given - 1]. `left` counts by kind what is still to be found.
static void try_all(struct plain *plain, uint32_t *seats, uint32_t given, uint32_t left[SEATING_KINDS],
                    struct worth *best)
{
    if (left[SEAT_ORDINARY] + left[SEAT_WHEELCHAIR] + left[SEAT_COMPANION] == 0) {
        struct worth worth = worth_of(plain, seats, given);
        if (compare_worths(&worth, best) < 0)
            *best = worth;
        return;
    }
    for (uint32_t seat = given ? seats[given - 1] + 1 : 0; seat < seating_count(plain->hall); seat++) {
        enum seat_kind kind = seating_kind(plain->hall, seat);
        if (!seating_is_free(plain->hall, seat) || left[kind] == 0)
            continue;
        seats[given] = seat;
        left[kind]--;
        try_all(plain, seats, given + 1, left, best);
        left[kind]++;
    }
}

static void count_kinds(const struct seating_party *party, uint32_t ret[SEATING_KINDS])
{
    ret[SEAT_ORDINARY] = party->count - party->wheelchair - party->companion;
    ret[SEAT_WHEELCHAIR] = party->wheelchair;
    ret[SEAT_COMPANION] = party->companion;
    ret[SEAT_BLOCKED] = 0;
}

static struct worth best_of_all(struct plain *plain, const struct seating_party *party)
{
    uint32_t left[SEATING_KINDS], seats[SEATS_IN_ORDER_MAX];
    count_kinds(party, left);
    struct worth best;
    memset(&best, 0xff, sizeof best);
    try_all(plain, seats, 0, left, &best);
    return best;
}

// Right in number, free, in order and so distinct, of the right kinds.
static bool are_right(const struct seating *hall, const struct seating_party *party, const uint32_t *seats)
{
    uint32_t left[SEATING_KINDS];
    count_kinds(party, left);
    for (uint32_t i = 0; i < party->count; i++) {
        if (seats[i] >= seating_count(hall) || !seating_is_free(hall, seats[i]) ||
            (i > 0 && seats[i] <= seats[i - 1]) || left[seating_kind(hall, seats[i])]-- == 0)
            return false;
    }
    return true;
}

// The row of the first seat of those in wheelchairs and their companions, when they are as near together as they can be alone; the
// others' seats in `ret_others`.
static bool needing_are_best(struct plain *plain, const struct seating_party *party, const uint32_t *seats,
                             uint32_t *ret_others, uint32_t *ret_row)
{
    const struct seating_party needing = {party->wheelchair + party->companion, party->wheelchair, party->companion};
    uint32_t theirs[SEATS_IN_ORDER_MAX], count = 0, others = 0;
    for (uint32_t i = 0; i < party->count; i++)
        if (seating_kind(plain->hall, seats[i]) == SEAT_ORDINARY)
            ret_others[others++] = seats[i];
        else
            theirs[count++] = seats[i];
    *ret_row = row_of(plain, theirs[0]);
    struct worth best = best_of_all(plain, &needing), worth = worth_of(plain, theirs, count);
    return compare_worths(&best, &worth) == 0;
}

// What the others' neighbours next to a row are worth: nobody stranded, then near. Not neighbours: all ones.
static struct worth worth_near(struct plain *plain, uint32_t row, const uint32_t *seats, uint32_t count)
{
    struct worth worth = worth_of(plain, seats, count), ret;
    memset(&ret, 0xff, sizeof ret);
    if (worth.values[0] == SEATING_TOGETHER || worth.values[0] == SEATING_STRANDING)
        ret = (struct worth){{worth.values[0], (uint32_t)abs((int)row_of(plain, seats[0]) - (int)row), worth.values[1],
                              worth.values[2], worth.values[3]}};
    return ret;
}

static bool others_are_best(struct plain *plain, uint32_t row, const uint32_t *seats, uint32_t count)
{
    struct worth best;
    memset(&best, 0xff, sizeof best);
    for (uint32_t first = 0; first + count <= seating_count(plain->hall); first++) {
        uint32_t run[SEATS_IN_ORDER_MAX];
        bool is_run = true;
        for (uint32_t i = 0; i < count; i++) {
            run[i] = first + i;
            is_run = is_run && is_ordinary(plain, first + i, false);
        }
        struct worth worth;
        if (is_run && (worth = worth_near(plain, row, run, count), compare_worths(&worth, &best) < 0))
            best = worth;
    }
    struct worth given = worth_near(plain, row, seats, count);
    return compare_worths(&given, &best) == 0;
}

static bool is_best(struct plain *plain, const struct seating_party *party, enum seating_rule rule,
                    const uint32_t *seats, const struct worth *best)
{
    if (rule == SEATING_NOTHING)
        return best->values[0] == UINT32_MAX;
    if (best->values[0] != rule || !are_right(plain->hall, party, seats))
        return false;
    if (rule == SEATING_APART) {
        uint32_t others[SEATS_IN_ORDER_MAX], row, count = party->count - party->wheelchair - party->companion;
        return needing_are_best(plain, party, seats, others, &row) &&
               (count == 0 || others_are_best(plain, row, others, count));
    }
    struct worth worth = worth_of(plain, seats, party->count);
    return compare_worths(&worth, best) == 0;
}

// A hall of up to `rows_max` rows and `seats_max` seats, some of them taken.
static struct seating *random_hall(uint64_t *state, uint32_t rows_max, uint32_t seats_max, uint32_t kinds_percent)
{
    static char names[SEATS_MAX][4];
    struct seating_seat seats[SEATS_MAX];
    uint32_t row_count = 1 + below(state, rows_max), count = 0, gap_percent = below(state, 30);
    for (uint32_t row = 0; row < row_count; row++) {
        uint32_t number = 1 + below(state, 4), in_row = seats_max / row_count - below(state, 3);
        snprintf(names[row], sizeof names[row], "%u", row % 100);
        for (uint32_t i = 0; i < in_row; i++, number++) {
            if (below(state, 100) < gap_percent)
                number += 1 + below(state, 2);
            enum seat_kind kind = below(state, 100) < kinds_percent ? 1 + below(state, 3) : SEAT_ORDINARY;
            seats[count++] = (struct seating_seat){names[row], row, (uint16_t)number, kind};
        }
    }
    struct seating *hall;
    assert_int_equal(seating_new(seats, count, &hall), 0);
    uint32_t taken_percent = below(state, 60);
    for (uint32_t i = 0; i < count; i++)
        if (below(state, 100) < taken_percent)
            (void)seating_take(hall, i);
    return hall;
}

static void show(const struct seating *hall, const uint32_t *seats, uint32_t count)
{
    for (uint32_t i = 0; i < seating_count(hall); i++) {
        if (i == 0 || strcmp(seating_row(hall, i), seating_row(hall, i - 1)) != 0)
            print_error("\n%s: ", seating_row(hall, i));
        char mark = seating_is_free(hall, i) ? ".wc#"[seating_kind(hall, i)] : "xWC#"[seating_kind(hall, i)];
        for (uint32_t j = 0; j < count; j++)
            if (seats[j] == i)
                mark = '*';
        print_error("%u%c ", seating_number(hall, i), mark);
    }
    print_error("\n");
}

static enum seating_rule check_against_all(uint64_t seed)
{
    uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15);
    bool has_needs = below(&state, 5) < 2;
    struct seating *hall = random_hall(&state, 5, 16, has_needs ? 30 : 5);
    struct seating_party party = {.count = 1 + below(&state, 6)};
    if (has_needs) {
        party.wheelchair = below(&state, 3) % (party.count + 1);
        party.companion = below(&state, 3) % (party.count - party.wheelchair + 1);
    }
    struct plain plain = {.hall = hall, .has_needs = party.wheelchair || party.companion};
    struct worth best = best_of_all(&plain, &party);
    uint32_t seats[SEATS_IN_ORDER_MAX] = {0};
    enum seating_rule rule = seating_best(hall, &party, seats);
    if (!is_best(&plain, &party, rule, seats, &best)) {
        show(hall, seats, rule == SEATING_NOTHING ? 0 : party.count);
        fail_msg("seed %llu: a party of %u (%u in wheelchairs, %u companions) by %s; the best is by %s",
                 (unsigned long long)seed, party.count, party.wheelchair, party.companion, seating_rule_name(rule),
                 seating_rule_name(best.values[0] == UINT32_MAX ? SEATING_NOTHING : best.values[0]));
    }
    seating_free(hall);
    return rule;
}

static void no_placement_is_better(void **state)
{
    (void)state;
    uint32_t found[SEATING_APART + 1] = {0};
    for (uint64_t seed = 1; seed <= 4000; seed++)
        found[check_against_all(seed)]++;
    print_message("4000 halls (seeds 1 to 4000):");
    for (enum seating_rule rule = SEATING_NOTHING; rule <= SEATING_APART; rule++) {
        print_message(" %s %u", seating_rule_name(rule), found[rule]);
        assert_true(found[rule] > 50);
    }
    print_message("\n");
}

// ---------------------------------------------------------------- large parties

// Seats from `first`, at least one, that are free neighbours.
static bool is_in_run(const struct plain *plain, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (first + i >= seating_count(plain->hall) || !is_ordinary(plain, first + i, false) ||
            (i > 0 && !are_neighbours(plain, first + i - 1, first + i)))
            return false;
    return true;
}

// The best run, and if there is none, the best pair of runs in two rows.
static struct worth best_of_runs(struct plain *plain, uint32_t count)
{
    struct worth best, worth;
    memset(&best, 0xff, sizeof best);
    uint32_t seats[SEATS_IN_ORDER_MAX], seat_count = (uint32_t)seating_count(plain->hall);
    for (uint32_t part = count; part > 0 && best.values[0] > SEATING_STRANDING; part--)
        for (uint32_t first = 0; first + count <= seat_count; first++) {
            // The party from `first`, or a part of it, and the others from `second`.
            for (uint32_t second = first + part; second + count - part <= seat_count; second++) {
                if (!is_in_run(plain, first, part) || !is_in_run(plain, second, count - part))
                    continue;
                for (uint32_t i = 0; i < count; i++)
                    seats[i] = i < part ? first + i : second + i - part;
                worth = worth_of(plain, seats, count);
                if (worth.values[0] <= SEATING_TWO_ROWS && compare_worths(&worth, &best) < 0)
                    best = worth;
                if (part == count)
                    break;
            }
        }
    return best;
}

static void large_parties(void **state)
{
    (void)state;
    uint32_t found[SEATING_APART + 1] = {0};
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15);
        // Two rows, each a run of nearly 64 seats and more.
        struct seating_seat seats[SEATS_MAX];
        uint32_t lengths[2] = {below(&random, 2) ? 61 + below(&random, 6) : 1 + below(&random, 8),
                               61 + below(&random, 6)};
        uint32_t count = 0;
        for (uint32_t row = 0; row < 2; row++)
            for (uint32_t i = 0; i < lengths[row]; i++)
                seats[count++] = (struct seating_seat){row ? "B" : "A", row, (uint16_t)(i + 1), SEAT_ORDINARY};
        struct seating *hall;
        assert_int_equal(seating_new(seats, count, &hall), 0);
        for (uint32_t i = below(&random, 3); i > 0; i--)
            (void)seating_take(hall, below(&random, count));
        const struct seating_party party = {.count = 60 + below(&random, 5)};
        struct plain plain = {.hall = hall};
        struct worth best = best_of_runs(&plain, party.count), worth = {0};
        uint32_t given[SEATS_IN_ORDER_MAX];
        enum seating_rule rule = seating_best(hall, &party, given);
        if (rule != SEATING_NOTHING) {
            assert_true(are_right(hall, &party, given));
            worth = worth_of(&plain, given, party.count);
        }
        bool is_right = rule == SEATING_NOTHING || rule > SEATING_TWO_ROWS
                            ? best.values[0] == UINT32_MAX
                            : best.values[0] == rule && compare_worths(&worth, &best) == 0;
        if (!is_right) {
            show(hall, given, party.count);
            fail_msg("seed %llu: a party of %u by %s", (unsigned long long)seed, party.count, seating_rule_name(rule));
        }
        found[rule]++;
        seating_free(hall);
    }
    assert_true(found[SEATING_TOGETHER] > 10 && found[SEATING_STRANDING] > 5 && found[SEATING_TWO_ROWS] > 20);
}

// ---------------------------------------------------------------- what is remembered

static struct seating *copy_anew(const struct seating *hall)
{
    struct seating_seat seats[SEATS_MAX];
    for (uint32_t i = 0; i < seating_count(hall); i++)
        seats[i] = (struct seating_seat){seating_row(hall, i), hall->seats[i].row, seating_number(hall, i),
                                         seating_kind(hall, i)};
    struct seating *copy;
    assert_int_equal(seating_new(seats, seating_count(hall), &copy), 0);
    return copy;
}

static void assert_same_memory(const struct seating *one, const struct seating *other)
{
    assert_memory_equal(one->free_count, other->free_count, sizeof one->free_count);
    assert_memory_equal(one->run_counts, other->run_counts, sizeof one->run_counts);
    for (size_t i = 0; i < one->row_count; i++) {
        const struct seating_row *a = &one->rows[i], *b = &other->rows[i];
        assert_memory_equal(a->free_count, b->free_count, sizeof a->free_count);
        assert_int_equal(a->longest, b->longest);
        assert_int_equal(a->lengths, b->lengths);
        assert_int_equal(a->run_count, b->run_count);
        if (a->run_count > 0)
            assert_memory_equal(a->runs, b->runs, a->run_count * sizeof a->runs[0]);
    }
}

// Takes and gives back at random, and compares with a hall made anew in which the same seats are taken, in another order.
static void memory_of_the_rows(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15);
        struct seating *hall = random_hall(&random, 6, 200, 15), *anew = copy_anew(hall);
        bool is_taken[SEATS_MAX] = {false};
        seating_clear(hall);
        assert_same_memory(hall, anew);
        for (uint32_t step = 0; step < 200; step++) {
            uint32_t seat = below(&random, (uint32_t)seating_count(hall));
            bool take = below(&random, 5) < 3;
            assert_int_equal(take ? seating_take(hall, seat) : seating_give_back(hall, seat), is_taken[seat] != take);
            is_taken[seat] = take;
            if (step % 20 != 0)
                continue;
            seating_clear(anew);
            for (uint32_t i = (uint32_t)seating_count(anew); i-- > 0;)
                if (is_taken[i])
                    assert_true(seating_take(anew, i));
            assert_same_memory(hall, anew);
        }
        seating_free(hall);
        seating_free(anew);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_placement_is_better),
        cmocka_unit_test(large_parties),
        cmocka_unit_test(memory_of_the_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
