// SPDX-License-Identifier: Apache-2.0
// The rules for parties that need wheelchair places or companions' seats, in the order of seating.h. Few rows have such seats, so
// it is enough to know how many of each kind are free in a row, and to look at the seats of those that have enough.
#include <string.h>

#include "booking-worker/seating_internal.h"

// How many seats of each kind.
struct kinds {
    uint32_t count[SEATING_KINDS];
};

static struct kinds kinds_of(const struct seating_party *party)
{
    return (struct kinds){{
        [SEAT_ORDINARY] = party->count - party->wheelchair - party->companion,
        [SEAT_WHEELCHAIR] = party->wheelchair,
        [SEAT_COMPANION] = party->companion,
    }};
}

static bool has(const struct kinds *kinds, const struct kinds *wanted)
{
    for (size_t kind = 0; kind < SEAT_BLOCKED; kind++)
        if (kinds->count[kind] < wanted->count[kind])
            return false;
    return true;
}

static bool row_has(const struct seating_row *row, const struct kinds *wanted)
{
    struct kinds kinds;
    memcpy(kinds.count, row->free_count, sizeof kinds.count);
    return has(&kinds, wanted);
}

// ---------------------------------------------------------------- neighbours of any kind

static bool is_free_and_ordinary(const struct seating *hall, uint32_t seat)
{
    return !hall->seats[seat].is_taken && hall->seats[seat].kind == SEAT_ORDINARY;
}

// Whether two seats that stand one after the other in a row are in one run, which ends between them when one is taken.
static bool are_in_one_run(const struct seating *hall, const struct seating_row *row, uint32_t left)
{
    return left >= row->first && left + 1 < row->first + row->count && is_free_and_ordinary(hall, left) &&
           is_free_and_ordinary(hall, left + 1) && hall->seats[left].number + 1 == hall->seats[left + 1].number;
}

// Whether taking the seats from `first` to `last` strands a seat beside them.
static bool strands(const struct seating *hall, const struct seating_row *row, uint32_t first, uint32_t last)
{
    bool left =
        first > 0 && are_in_one_run(hall, row, first - 1) && !(first > 1 && are_in_one_run(hall, row, first - 2));
    return left || (are_in_one_run(hall, row, last) && !are_in_one_run(hall, row, last + 1));
}

// A block of neighbours of just these kinds, nearest to the row's middle.
static bool find_block_in_row(const struct seating *hall, const struct seating_row *row, uint32_t count,
                              const struct kinds *wanted, bool may_strand, uint32_t *ret_first)
{
    uint32_t best = UINT32_MAX, length = 0;
    struct kinds kinds = {0};
    for (uint32_t seat = row->first; seat < row->first + row->count; seat++) {
        const struct seating_cell *cell = &hall->seats[seat];
        if (!seating_cell_is_free(cell) || (length > 0 && cell[-1].number + 1 != cell->number)) {
            kinds = (struct kinds){0};
            length = 0;
        }
        if (!seating_cell_is_free(cell))
            continue;
        kinds.count[cell->kind]++;
        if (++length > count) {
            kinds.count[cell[-(ptrdiff_t)count].kind]--;
            length--;
        }
        uint32_t first = seat + 1 - length, off = seating_off_middle(hall, row, first, seat);
        if (length == count && has(&kinds, wanted) && off < best && (may_strand || !strands(hall, row, first, seat))) {
            best = off;
            *ret_first = first;
        }
    }
    return best != UINT32_MAX;
}

static bool find_block(const struct seating *hall, const struct seating_party *party, bool may_strand, uint32_t *ret)
{
    struct kinds wanted = kinds_of(party);
    for (size_t i = 0; i < hall->row_count; i++) {
        uint32_t first;
        if (!row_has(&hall->rows[i], &wanted) ||
            !find_block_in_row(hall, &hall->rows[i], party->count, &wanted, may_strand, &first))
            continue;
        for (uint32_t j = 0; j < party->count; j++)
            ret[j] = first + j;
        return true;
    }
    return false;
}

bool seating_needs_together(const struct seating *hall, const struct seating_party *party, uint32_t *ret)
{
    return find_block(hall, party, false, ret);
}

bool seating_needs_stranding(const struct seating *hall, const struct seating_party *party, uint32_t *ret)
{
    return find_block(hall, party, true, ret);
}

// ---------------------------------------------------------------- one row

// Part of a row, from one seat to another, and how it compares with others. Less is better, from the top.
struct stretch {
    uint32_t columns;
    uint32_t row;
    uint32_t off_middle;
    uint32_t first, last;
};

static bool is_better(const struct stretch *one, const struct stretch *other)
{
    if (one->columns != other->columns)
        return one->columns < other->columns;
    if (one->row != other->row)
        return one->row < other->row;
    return one->off_middle < other->off_middle;
}

// The shortest stretch of a row that has the wanted seats, if it is better than *best.
static void find_stretch(const struct seating *hall, uint32_t row_number, const struct kinds *wanted,
                         struct stretch *best)
{
    const struct seating_row *row = &hall->rows[row_number];
    struct kinds kinds = {0};
    uint32_t first = row->first;
    for (uint32_t last = row->first; last < row->first + row->count; last++) {
        if (!seating_cell_is_free(&hall->seats[last]))
            continue;
        kinds.count[hall->seats[last].kind]++;
        for (; has(&kinds, wanted); first++) {
            struct stretch stretch = {
                .columns = (uint32_t)(hall->seats[last].number - hall->seats[first].number),
                .row = row_number,
                .off_middle = seating_off_middle(hall, row, first, last),
                .first = first,
                .last = last,
            };
            if (is_better(&stretch, best))
                *best = stretch;
            if (seating_cell_is_free(&hall->seats[first]))
                kinds.count[hall->seats[first].kind]--;
        }
    }
}

// The seat of a kind nearest to the middle of the stretch that is not among those given.
static uint32_t next_of_kind(const struct seating *hall, const struct stretch *stretch, size_t kind,
                             const uint32_t *given, uint32_t given_count)
{
    uint32_t middle = (uint32_t)hall->seats[stretch->first].number + hall->seats[stretch->last].number;
    uint32_t best = UINT32_MAX, best_off = UINT32_MAX;
    for (uint32_t seat = stretch->first; seat <= stretch->last; seat++) {
        uint32_t off = seating_distance(2 * (uint32_t)hall->seats[seat].number, middle);
        bool is_given = false;
        for (uint32_t i = 0; i < given_count; i++)
            is_given = is_given || given[i] == seat;
        if (hall->seats[seat].kind == kind && seating_cell_is_free(&hall->seats[seat]) && !is_given && off < best_off) {
            best = seat;
            best_off = off;
        }
    }
    return best;
}

// The seats at both ends of the shortest stretch are always among those given: without one of them it would lack their kind.
bool seating_needs_one_row(const struct seating *hall, const struct seating_party *party, uint32_t *ret)
{
    struct kinds wanted = kinds_of(party);
    struct stretch best = {.columns = UINT32_MAX};
    for (uint32_t i = 0; i < hall->row_count; i++)
        if (row_has(&hall->rows[i], &wanted))
            find_stretch(hall, i, &wanted, &best);
    if (best.columns == UINT32_MAX)
        return false;
    uint32_t given = 0;
    for (size_t kind = 0; kind < SEAT_BLOCKED; kind++)
        for (uint32_t i = 0; i < wanted.count[kind]; i++, given++)
            ret[given] = next_of_kind(hall, &best, kind, ret, given);
    return true;
}

// ---------------------------------------------------------------- apart

// The fewest rows next to each other that have the wanted seats, and of each kind the first ones.
static bool find_in_few_rows(const struct seating *hall, const struct kinds *wanted, uint32_t *ret)
{
    struct kinds kinds = {0};
    size_t best = SIZE_MAX, best_first = 0, first = 0;
    for (size_t last = 0; last < hall->row_count; last++) {
        for (size_t kind = 0; kind < SEAT_BLOCKED; kind++)
            kinds.count[kind] += hall->rows[last].free_count[kind];
        for (; has(&kinds, wanted); first++) {
            if (last - first < best) {
                best = last - first;
                best_first = first;
            }
            for (size_t kind = 0; kind < SEAT_BLOCKED; kind++)
                kinds.count[kind] -= hall->rows[first].free_count[kind];
        }
    }
    if (best == SIZE_MAX)
        return false;
    struct kinds left = *wanted;
    uint32_t given = 0;
    const struct seating_row *last_row = &hall->rows[best_first + best];
    for (uint32_t seat = hall->rows[best_first].first; seat < last_row->first + last_row->count; seat++)
        if (seating_cell_is_free(&hall->seats[seat]) && left.count[hall->seats[seat].kind] > 0) {
            left.count[hall->seats[seat].kind]--;
            ret[given++] = seat;
        }
    return true;
}

// Neighbours for `count`, in the row nearest to another one; of two that are as near, in the better one.
static bool find_together_near(const struct seating *hall, uint32_t row, uint32_t count, bool may_strand, uint32_t *ret)
{
    for (size_t away = 0; away < hall->row_count; away++) {
        // The one before and the one behind; the first number is huge where there is none.
        for (size_t i = 0; i < 2; i++) {
            size_t other = i == 0 ? row - away : row + away;
            uint32_t first;
            if (other >= hall->row_count || !seating_row_holds(&hall->rows[other], count, may_strand) ||
                !seating_place_in_row(hall, &hall->rows[other], count, may_strand, &first))
                continue;
            for (uint32_t j = 0; j < count; j++)
                ret[j] = first + j;
            return true;
        }
    }
    return false;
}

static bool find_others(const struct seating *hall, uint32_t row, uint32_t count, uint32_t *ret)
{
    const struct seating_party others = {.count = count};
    return find_together_near(hall, row, count, false, ret) || find_together_near(hall, row, count, true, ret) ||
           seating_two_rows(hall, &others, ret) || seating_few_groups(hall, &others, ret);
}

bool seating_needs_apart(const struct seating *hall, const struct seating_party *party, uint32_t *ret)
{
    const struct seating_party needing = {
        .count = party->wheelchair + party->companion, .wheelchair = party->wheelchair, .companion = party->companion};
    struct kinds wanted = kinds_of(&needing);
    if (!seating_needs_together(hall, &needing, ret) && !seating_needs_stranding(hall, &needing, ret) &&
        !seating_needs_one_row(hall, &needing, ret) && !find_in_few_rows(hall, &wanted, ret))
        return false;
    uint32_t others = party->count - needing.count;
    return others == 0 || find_others(hall, hall->seats[ret[0]].row, others, ret + needing.count);
}
