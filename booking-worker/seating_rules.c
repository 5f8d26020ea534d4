// SPDX-License-Identifier: Apache-2.0
// The rules for parties without needs, in the order of seating.h. Each looks over what is remembered of the rows, and at the runs
// of those rows alone that can help.
#include <assert.h>
#include <string.h>

#include "booking-worker/seating_internal.h"

static void give(uint32_t first, uint32_t count, uint32_t *ret)
{
    for (uint32_t i = 0; i < count; i++)
        ret[i] = first + i;
}

// ---------------------------------------------------------------- neighbours

// Whether a run with `left` seats over on one side and `right` on the other has one stranded.
static bool strands(uint32_t left, uint32_t right)
{
    return left == 1 || right == 1;
}

bool seating_row_holds(const struct seating_row *row, uint32_t count, bool may_strand)
{
    if (may_strand)
        return row->longest >= count;
    // It fills a run, or leaves two at least at one of its ends.
    return row->longest >= count + 2 || row->lengths >> (count - 1) & 1;
}

bool seating_place_in_row(const struct seating *hall, const struct seating_row *row, uint32_t count, bool may_strand,
                          uint32_t *ret_first)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < row->run_count; i++) {
        const struct seating_run *run = &row->runs[i];
        for (uint32_t left = 0; left + count <= run->length; left++) {
            uint32_t first = run->first + left;
            uint32_t off = seating_off_middle(hall, row, first, first + count - 1);
            if (off < best && (may_strand || !strands(left, run->length - count - left))) {
                best = off;
                *ret_first = first;
            }
        }
    }
    return best != UINT32_MAX;
}

static bool place_in_best_row(const struct seating *hall, uint32_t count, bool may_strand, uint32_t *ret)
{
    for (size_t i = 0; i < hall->row_count; i++) {
        uint32_t first;
        if (seating_row_holds(&hall->rows[i], count, may_strand) &&
            seating_place_in_row(hall, &hall->rows[i], count, may_strand, &first)) {
            give(first, count, ret);
            return true;
        }
    }
    return false;
}

bool seating_together(const struct seating *hall, const struct seating_party *party, uint32_t *ret)
{
    return place_in_best_row(hall, party->count, false, ret);
}

bool seating_stranding(const struct seating *hall, const struct seating_party *party, uint32_t *ret)
{
    return place_in_best_row(hall, party->count, true, ret);
}

// ---------------------------------------------------------------- two rows

// What is wrong with two groups in two rows; less is better.
enum flaw {
    FLAW_NONE = 0,
    FLAW_STRANDS = 1,
    FLAW_ALONE = 2,
    FLAW_BOTH = FLAW_STRANDS | FLAW_ALONE,
    FLAW_IMPOSSIBLE,
};

// With `upper_count` of the party in one row and the others in the row behind it.
static enum flaw flaw_of(const struct seating_row *upper, const struct seating_row *lower, uint32_t upper_count,
                         uint32_t lower_count)
{
    if (upper->longest < upper_count || lower->longest < lower_count)
        return FLAW_IMPOSSIBLE;
    enum flaw flaw = upper_count == 1 || lower_count == 1 ? FLAW_ALONE : FLAW_NONE;
    if (!seating_row_holds(upper, upper_count, false) || !seating_row_holds(lower, lower_count, false))
        flaw |= FLAW_STRANDS;
    return flaw;
}

static enum flaw least_flaw(const struct seating_row *upper, const struct seating_row *lower, uint32_t count)
{
    enum flaw least = FLAW_IMPOSSIBLE;
    for (uint32_t upper_count = 1; upper_count < count && least > FLAW_NONE; upper_count++) {
        enum flaw flaw = flaw_of(upper, lower, upper_count, count - upper_count);
        if (flaw < least)
            least = flaw;
    }
    return least;
}

// Two groups, and how they compare with others of the same two rows. Less is better, from the top.
struct pair {
    uint32_t columns_apart;
    uint32_t uneven;
    uint32_t off_middle;
    uint32_t upper, lower; // their first seats
    uint32_t upper_count, lower_count;
};

static bool is_better(const struct pair *one, const struct pair *other)
{
    if (one->columns_apart != other->columns_apart)
        return one->columns_apart < other->columns_apart;
    if (one->uneven != other->uneven)
        return one->uneven < other->uneven;
    if (one->off_middle != other->off_middle)
        return one->off_middle < other->off_middle;
    if (one->upper != other->upper)
        return one->upper < other->upper;
    if (one->lower != other->lower)
        return one->lower < other->lower;
    return one->upper_count > other->upper_count;
}

// All groups of `count` that a row can take, by their first seats. Returns how many there are.
static uint32_t list_groups(const struct seating_row *row, uint32_t count, bool may_strand, uint32_t ret[SEAT_ROW_MAX])
{
    uint32_t listed = 0;
    for (uint32_t i = 0; i < row->run_count; i++) {
        const struct seating_run *run = &row->runs[i];
        for (uint32_t left = 0; left + count <= run->length; left++)
            if (may_strand || !strands(left, run->length - count - left))
                ret[listed++] = run->first + left;
    }
    return listed;
}

static void weigh(const struct seating *hall, struct pair *pair, struct pair *best)
{
    const struct seating_cell *seats = hall->seats;
    uint32_t upper_last = pair->upper + pair->upper_count - 1, lower_last = pair->lower + pair->lower_count - 1;
    pair->columns_apart = 0;
    if (seats[upper_last].number < seats[pair->lower].number)
        pair->columns_apart = (uint32_t)(seats[pair->lower].number - seats[upper_last].number);
    else if (seats[lower_last].number < seats[pair->upper].number)
        pair->columns_apart = (uint32_t)(seats[pair->upper].number - seats[lower_last].number);
    pair->uneven = seating_distance(pair->upper_count, pair->lower_count);
    pair->off_middle = seating_off_middle(hall, &hall->rows[seats[pair->upper].row], pair->upper, upper_last) +
                       seating_off_middle(hall, &hall->rows[seats[pair->lower].row], pair->lower, lower_last);
    if (is_better(pair, best))
        *best = *pair;
}

// The best two groups of these sizes, if they are better than *best.
static void pair_groups(const struct seating *hall, const struct seating_row *upper, const struct seating_row *lower,
                        struct pair pair, bool may_strand, struct pair *best)
{
    uint32_t uppers[SEAT_ROW_MAX], lowers[SEAT_ROW_MAX];
    uint32_t upper_count = list_groups(upper, pair.upper_count, may_strand, uppers);
    uint32_t lower_count = list_groups(lower, pair.lower_count, may_strand, lowers);
    const struct seating_cell *seats = hall->seats;
    // Of all lower groups those that overlap the upper one are looked at, and the nearest on either side; no other can be the best.
    uint32_t begin = 0;
    for (uint32_t i = 0; i < upper_count; i++) {
        pair.upper = uppers[i];
        while (begin < lower_count && seats[lowers[begin] + pair.lower_count - 1].number < seats[pair.upper].number)
            begin++;
        uint16_t last = seats[pair.upper + pair.upper_count - 1].number;
        for (uint32_t j = begin > 0 ? begin - 1 : 0; j < lower_count; j++) {
            pair.lower = lowers[j];
            weigh(hall, &pair, best);
            if (seats[pair.lower].number > last)
                break;
        }
    }
}

static void give_best_pair(const struct seating *hall, size_t row, uint32_t count, enum flaw flaw, uint32_t *ret)
{
    const struct seating_row *upper = &hall->rows[row], *lower = upper + 1;
    struct pair best = {.columns_apart = UINT32_MAX};
    for (uint32_t upper_count = 1; upper_count < count; upper_count++) {
        struct pair pair = {.upper_count = upper_count, .lower_count = count - upper_count};
        if (flaw_of(upper, lower, pair.upper_count, pair.lower_count) == flaw)
            pair_groups(hall, upper, lower, pair, flaw & FLAW_STRANDS, &best);
    }
    assert(best.columns_apart != UINT32_MAX);
    give(best.upper, best.upper_count, ret);
    give(best.lower, best.lower_count, ret + best.upper_count);
}

bool seating_two_rows(const struct seating *hall, const struct seating_party *party, uint32_t *ret)
{
    // Of three, and of two, somebody sits alone in any case.
    enum flaw goal = party->count < 4 ? FLAW_ALONE : FLAW_NONE, least = FLAW_IMPOSSIBLE;
    size_t best = 0;
    for (size_t i = 0; i + 1 < hall->row_count && least > goal; i++) {
        if (hall->rows[i].longest + hall->rows[i + 1].longest < party->count)
            continue;
        enum flaw flaw = least_flaw(&hall->rows[i], &hall->rows[i + 1], party->count);
        if (flaw < least) {
            least = flaw;
            best = i;
        }
    }
    if (least == FLAW_IMPOSSIBLE)
        return false;
    give_best_pair(hall, best, party->count, least, ret);
    return true;
}

// ---------------------------------------------------------------- few groups

// How many runs there are of each length, a longer one counted as of `longest`, the size of the party.
struct lengths {
    uint32_t longest;
    uint32_t count[SEATS_IN_ORDER_MAX + 1];
};

static uint32_t cut(const struct lengths *lengths, uint32_t length)
{
    return length < lengths->longest ? length : lengths->longest;
}

static void add_row(struct lengths *lengths, const struct seating_row *row)
{
    for (uint32_t i = 0; i < row->run_count; i++)
        lengths->count[cut(lengths, row->runs[i].length)]++;
}

static void remove_row(struct lengths *lengths, const struct seating_row *row)
{
    for (uint32_t i = 0; i < row->run_count; i++)
        lengths->count[cut(lengths, row->runs[i].length)]--;
}

// The least number of runs that hold the party, 0 if all together do not.
static uint32_t runs_needed(const struct lengths *lengths)
{
    uint32_t seats_left = lengths->longest, runs = 0;
    for (uint32_t length = lengths->longest; length > 0; length--) {
        if (lengths->count[length] == 0)
            continue;
        uint32_t wanted = (seats_left + length - 1) / length;
        if (wanted <= lengths->count[length])
            return runs + wanted;
        runs += lengths->count[length];
        seats_left -= lengths->count[length] * length;
    }
    return 0;
}

struct rows {
    size_t first, last;
};

// Of the whole hall.
static struct lengths lengths_of(const struct seating *hall, uint32_t count)
{
    struct lengths lengths = {.longest = count};
    for (uint32_t length = 1; length <= SEATS_IN_ORDER_MAX; length++)
        lengths.count[cut(&lengths, length)] += hall->run_counts[length];
    return lengths;
}

// The fewest rows next to each other that hold the party in as few runs as the whole hall does; the first ones of those. Leaves
// their lengths in *lengths.
static bool find_rows(const struct seating *hall, uint32_t count, struct lengths *lengths, struct rows *ret)
{
    *lengths = lengths_of(hall, count);
    uint32_t fewest = runs_needed(lengths);
    if (fewest == 0)
        return false;
    struct lengths window = {.longest = count};
    size_t best = SIZE_MAX, first = 0;
    // A single row cannot be bettered.
    for (size_t last = 0; last < hall->row_count && best > 0; last++) {
        add_row(&window, &hall->rows[last]);
        while (hall->rows[last].run_count > 0 && runs_needed(&window) == fewest) {
            if (last - first < best) {
                best = last - first;
                *ret = (struct rows){first, last};
                *lengths = window;
            }
            remove_row(&window, &hall->rows[first++]);
        }
    }
    return true;
}

// Runs that are filled: all that are longer than `length`, and so many of it.
struct filled {
    uint32_t length, of_that_length;
};

static bool is_filled(struct filled *filled, uint32_t length)
{
    if (length != filled->length)
        return length > filled->length;
    if (filled->of_that_length == 0)
        return false;
    filled->of_that_length--;
    return true;
}

// The `count` longest of these.
static struct filled longest_runs(const struct lengths *lengths, uint32_t count)
{
    if (count == 0)
        return (struct filled){UINT32_MAX, 0};
    uint32_t length = lengths->longest;
    while (count > lengths->count[length]) {
        count -= lengths->count[length];
        length--;
    }
    return (struct filled){length, count};
}

// Where `count` sit in a part of a run: nearest to the middle of the row, without stranding a seat if that can be.
static uint32_t place_in_run(const struct seating *hall, const struct seating_run *run, uint32_t count)
{
    struct seating_row row = hall->rows[hall->seats[run->first].row];
    struct seating_run only = *run;
    row.runs = &only;
    row.run_count = 1;
    uint32_t first = run->first;
    if (!seating_place_in_row(hall, &row, count, false, &first))
        (void)seating_place_in_row(hall, &row, count, true, &first);
    return first;
}

#define NONE_TO_SPARE UINT32_MAX

// Fills whole runs. Returns how many were given seats. *ret_spare: which of these seats may be given up so that nobody
// beside it sits alone; NONE_TO_SPARE.
static uint32_t fill_runs(const struct seating *hall, struct rows rows, struct filled filled, uint32_t *ret,
                          uint32_t *ret_spare)
{
    uint32_t given = 0;
    *ret_spare = NONE_TO_SPARE;
    for (size_t i = rows.first; i <= rows.last; i++) {
        const struct seating_row *row = &hall->rows[i];
        for (uint32_t j = 0; j < row->run_count; j++) {
            const struct seating_run *run = &row->runs[j];
            if (!is_filled(&filled, run->length))
                continue;
            give(run->first, run->length, ret + given);
            given += run->length;
            if (run->length > 2)
                *ret_spare = given - 1;
        }
    }
    return given;
}

// The shortest run that is not filled and holds `count`.
static const struct seating_run *shortest_run(const struct seating *hall, struct rows rows, struct filled filled,
                                              uint32_t count)
{
    const struct seating_run *shortest = NULL;
    for (size_t i = rows.first; i <= rows.last; i++) {
        const struct seating_row *row = &hall->rows[i];
        for (uint32_t j = 0; j < row->run_count; j++) {
            const struct seating_run *run = &row->runs[j];
            if (!is_filled(&filled, run->length) && run->length >= count &&
                (!shortest || run->length < shortest->length))
                shortest = run;
        }
    }
    return shortest;
}

bool seating_few_groups(const struct seating *hall, const struct seating_party *party, uint32_t *ret)
{
    struct lengths lengths;
    struct rows rows = {0};
    if (!find_rows(hall, party->count, &lengths, &rows))
        return false;
    struct filled filled = longest_runs(&lengths, runs_needed(&lengths) - 1);
    uint32_t spare, given = fill_runs(hall, rows, filled, ret, &spare);
    if (party->count - given == 1 && spare != NONE_TO_SPARE && shortest_run(hall, rows, filled, 2))
        ret[spare] = ret[--given]; // two are left over then, and sit together
    uint32_t left_over = party->count - given;
    const struct seating_run *run = shortest_run(hall, rows, filled, left_over);
    assert(run);
    give(place_in_run(hall, run, left_over), left_over, ret + given);
    return true;
}
