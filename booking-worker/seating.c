// SPDX-License-Identifier: Apache-2.0
// The hall: its seats, who has them, and what is remembered of each row. The rules are in seating_rules.c and seating_needs.c.
#include "booking-worker/seating.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "booking-worker/seating_internal.h"

static bool is_ordinary_and_free(const struct seating_cell *cell)
{
    return !cell->is_taken && cell->kind == SEAT_ORDINARY;
}

static void count_runs(struct seating *hall, const struct seating_row *row, int change)
{
    for (uint32_t i = 0; i < row->run_count; i++) {
        uint32_t length = row->runs[i].length;
        hall->run_counts[length < SEATS_IN_ORDER_MAX ? length : SEATS_IN_ORDER_MAX] += (uint32_t)change;
    }
}

// Finds the row's runs anew.
static void remember_runs(struct seating *hall, struct seating_row *row)
{
    const struct seating_cell *seats = hall->seats + row->first;
    count_runs(hall, row, -1);
    row->run_count = row->longest = 0;
    row->lengths = 0;
    for (uint32_t at = 0; at < row->count;) {
        if (!is_ordinary_and_free(&seats[at])) {
            at++;
            continue;
        }
        uint32_t end = at + 1;
        while (end < row->count && is_ordinary_and_free(&seats[end]) && seats[end].number == seats[end - 1].number + 1)
            end++;
        uint32_t length = end - at;
        row->runs[row->run_count++] = (struct seating_run){row->first + at, length};
        row->lengths |= UINT64_C(1) << (length < 64 ? length - 1 : 63);
        if (length > row->longest)
            row->longest = length;
        at = end;
    }
    count_runs(hall, row, 1);
}

static void count_free(struct seating *hall, struct seating_row *row, enum seat_kind kind, int change)
{
    if (kind == SEAT_BLOCKED)
        return;
    row->free_count[kind] += (uint32_t)change;
    hall->free_count[kind] += (uint32_t)change;
}

static bool change_seat(struct seating *hall, uint32_t seat, bool is_taken)
{
    assert(seat < hall->seat_count);
    struct seating_cell *cell = &hall->seats[seat];
    if (cell->is_taken == is_taken)
        return false;
    cell->is_taken = is_taken;
    struct seating_row *row = &hall->rows[cell->row];
    count_free(hall, row, cell->kind, is_taken ? -1 : 1);
    if (cell->kind == SEAT_ORDINARY)
        remember_runs(hall, row);
    return true;
}

bool seating_take(struct seating *seating, uint32_t seat)
{
    return change_seat(seating, seat, true);
}

bool seating_give_back(struct seating *seating, uint32_t seat)
{
    return change_seat(seating, seat, false);
}

void seating_clear(struct seating *seating)
{
    memset(seating->free_count, 0, sizeof seating->free_count);
    for (size_t i = 0; i < seating->row_count; i++) {
        struct seating_row *row = &seating->rows[i];
        memset(row->free_count, 0, sizeof row->free_count);
        for (uint32_t seat = row->first; seat < row->first + row->count; seat++) {
            seating->seats[seat].is_taken = false;
            count_free(seating, row, seating->seats[seat].kind, 1);
        }
        remember_runs(seating, row);
    }
}

// ---------------------------------------------------------------- making one

static bool is_sound(const struct seating_seat *seat)
{
    size_t bytes = seat->row ? strnlen(seat->row, SEAT_ROW_NAME_BYTES) : 0;
    return bytes > 0 && bytes < SEAT_ROW_NAME_BYTES && seat->kind <= SEAT_BLOCKED;
}

static bool begins_row(const struct seating_seat *seats, size_t at)
{
    return at == 0 || seats[at].row_position != seats[at - 1].row_position;
}

// Whether the seats come by row and number. Counts the rows.
static bool is_in_order(const struct seating_seat *seats, size_t count, size_t *ret_row_count)
{
    size_t row_count = 0, in_row = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_sound(&seats[i]))
            return false;
        if (begins_row(seats, i)) {
            if (i > 0 && seats[i].row_position < seats[i - 1].row_position)
                return false;
            row_count++;
            in_row = 0;
        } else if (seats[i].number <= seats[i - 1].number || strcmp(seats[i].row, seats[i - 1].row) != 0) {
            return false;
        }
        if (++in_row > SEAT_ROW_MAX)
            return false;
    }
    *ret_row_count = row_count;
    return true;
}

static int compare_names(const void *one, const void *other)
{
    const struct seating_row *const *a = one, *const *b = other;
    return strcasecmp((*a)->name, (*b)->name);
}

// False: two rows have one name.
static bool sort_names(struct seating *hall)
{
    for (size_t i = 0; i < hall->row_count; i++)
        hall->rows_by_name[i] = &hall->rows[i];
    if (hall->row_count > 0)
        qsort(hall->rows_by_name, hall->row_count, sizeof(struct seating_row *), compare_names);
    for (size_t i = 1; i < hall->row_count; i++)
        if (compare_names(&hall->rows_by_name[i - 1], &hall->rows_by_name[i]) == 0)
            return false;
    return true;
}

static void fill(struct seating *hall, const struct seating_seat *seats)
{
    struct seating_row *row = NULL;
    for (size_t i = 0; i < hall->seat_count; i++) {
        if (begins_row(seats, i)) {
            row = row ? row + 1 : hall->rows;
            row->first = (uint32_t)i;
            row->runs = hall->runs + i;
            memcpy(row->name, seats[i].row, strlen(seats[i].row) + 1);
        }
        row->count++;
        row->middle = (uint32_t)seats[row->first].number + seats[i].number;
        hall->seats[i] = (struct seating_cell){
            .number = seats[i].number, .kind = (uint8_t)seats[i].kind, .row = (uint32_t)(row - hall->rows)};
    }
}

int seating_new(const struct seating_seat *seats, size_t count, struct seating **ret)
{
    size_t row_count;
    if (count >= SEATING_NO_SEAT || !is_in_order(seats, count, &row_count))
        return ERROR_INVALID;
    struct seating *hall = calloc(1, sizeof *hall);
    if (!hall)
        return ERROR_MEMORY;
    hall->seat_count = count;
    hall->row_count = row_count;
    hall->seats = calloc(count + 1, sizeof *hall->seats);
    hall->runs = calloc(count + 1, sizeof *hall->runs); // with a gap after each seat, each is a run
    hall->rows = calloc(row_count + 1, sizeof *hall->rows);
    hall->rows_by_name = calloc(row_count + 1, sizeof(struct seating_row *));
    int result = ERROR_MEMORY;
    if (!hall->seats || !hall->runs || !hall->rows || !hall->rows_by_name)
        goto out;
    fill(hall, seats);
    result = ERROR_INVALID;
    if (!sort_names(hall))
        goto out;
    seating_clear(hall);
    *ret = hall;
    return 0;
out:
    seating_free(hall);
    return result;
}

void seating_free(struct seating *seating)
{
    if (!seating)
        return;
    free(seating->seats);
    free(seating->runs);
    free(seating->rows);
    free(seating->rows_by_name);
    free(seating);
}

// ---------------------------------------------------------------- looking at it

size_t seating_count(const struct seating *seating)
{
    return seating->seat_count;
}

static const struct seating_row *find_row(const struct seating *hall, const char *name)
{
    size_t low = 0, high = hall->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcasecmp(hall->rows_by_name[middle]->name, name);
        if (order == 0)
            return hall->rows_by_name[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

uint32_t seating_find(const struct seating *seating, const char *row, uint16_t number)
{
    const struct seating_row *found = find_row(seating, row);
    if (!found)
        return SEATING_NO_SEAT;
    uint32_t low = found->first, high = found->first + found->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (seating->seats[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < found->first + found->count && seating->seats[low].number == number ? low : SEATING_NO_SEAT;
}

const char *seating_row(const struct seating *seating, uint32_t seat)
{
    assert(seat < seating->seat_count);
    return seating->rows[seating->seats[seat].row].name;
}

uint16_t seating_number(const struct seating *seating, uint32_t seat)
{
    assert(seat < seating->seat_count);
    return seating->seats[seat].number;
}

enum seat_kind seating_kind(const struct seating *seating, uint32_t seat)
{
    assert(seat < seating->seat_count);
    return seating->seats[seat].kind;
}

bool seating_is_free(const struct seating *seating, uint32_t seat)
{
    assert(seat < seating->seat_count);
    return seating_cell_is_free(&seating->seats[seat]);
}

// ---------------------------------------------------------------- the best seats

static void sort_seats(uint32_t *seats, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint32_t seat = seats[i], at = i;
        for (; at > 0 && seats[at - 1] > seat; at--)
            seats[at] = seats[at - 1];
        seats[at] = seat;
    }
}

struct rule {
    enum seating_rule name;
    seating_rule_function *find;
};

#define RULE_COUNT 4
static const struct rule ordinary_rules[RULE_COUNT] = {
    {SEATING_TOGETHER, seating_together},
    {SEATING_STRANDING, seating_stranding},
    {SEATING_TWO_ROWS, seating_two_rows},
    {SEATING_FEW_GROUPS, seating_few_groups},
};
static const struct rule needs_rules[RULE_COUNT] = {
    {SEATING_TOGETHER, seating_needs_together},
    {SEATING_STRANDING, seating_needs_stranding},
    {SEATING_ONE_ROW, seating_needs_one_row},
    {SEATING_APART, seating_needs_apart},
};

static bool is_party(const struct seating_party *party)
{
    return party->count >= 1 && party->count <= SEATS_IN_ORDER_MAX && party->wheelchair <= party->count &&
           party->companion <= party->count - party->wheelchair;
}

enum seating_rule seating_best(const struct seating *seating, const struct seating_party *party,
                               uint32_t ret[static SEATS_IN_ORDER_MAX])
{
    if (!is_party(party) || seating->free_count[SEAT_WHEELCHAIR] < party->wheelchair ||
        seating->free_count[SEAT_COMPANION] < party->companion ||
        seating->free_count[SEAT_ORDINARY] < party->count - party->wheelchair - party->companion)
        return SEATING_NOTHING;
    const struct rule *rules = party->wheelchair || party->companion ? needs_rules : ordinary_rules;
    for (size_t i = 0; i < RULE_COUNT; i++) {
        if (rules[i].find(seating, party, ret)) {
            sort_seats(ret, party->count);
            return rules[i].name;
        }
    }
    assert(!"the last rule finds seats when there are enough");
    return SEATING_NOTHING;
}

const char *seating_rule_name(enum seating_rule rule)
{
    static const char *const names[] = {
        [SEATING_NOTHING] = "nothing",   [SEATING_TOGETHER] = "together",     [SEATING_STRANDING] = "stranding",
        [SEATING_TWO_ROWS] = "two_rows", [SEATING_FEW_GROUPS] = "few_groups", [SEATING_ONE_ROW] = "one_row",
        [SEATING_APART] = "apart",
    };
    return (size_t)rule < sizeof names / sizeof names[0] ? names[rule] : "unknown";
}
