// SPDX-License-Identifier: Apache-2.0
// Goes through the hall twice: once to count where the party fits, once to the place that was drawn.
#include "bench/crowd/seats.h"

#include <stdio.h>
#include <string.h>

#include "common/json.h"

struct search {
    uint64_t count; // of seats
    uint64_t found; // places where they fit, so far
    uint64_t wanted; // the one to take; UINT64_MAX: only count
    struct seats *ret;
};

static bool read_range(const json_t *row, const char *key, uint16_t *ret_numbers, size_t *ret_count)
{
    const char *text;
    *ret_count = 0;
    int error = json_read_string(row, key, SEAT_ROW_MAX * 5, &text);
    if (error == 0)
        error = seat_range_read(text, ret_numbers, ret_count, NULL, 0);
    return error == 0 || error == ERROR_NOT_FOUND;
}

static void unmark(bool *is_free, const json_t *numbers)
{
    for (size_t i = 0; i < json_array_size(numbers); i++) {
        const char *text = json_string_value(json_array_get(numbers, i));
        char row[SEAT_ROW_NAME_BYTES], name[SEAT_NAME_BYTES];
        uint16_t number;
        (void)snprintf(name, sizeof name, "x-%.4s", text ? text : "");
        if (seat_name_read(name, strlen(name), row, &number) == 0 && number <= SEAT_NUMBER_MAX)
            is_free[number] = false;
    }
}

// Looks for runs in one row. False: the row is none.
static bool search_row(const json_t *row, size_t tier, struct search *search)
{
    static const char *const others[] = {"wheelchair", "companion", "blocked"};
    bool is_free[SEAT_NUMBER_MAX + 2] = {false};
    uint16_t numbers[SEAT_ROW_MAX], taken[SEAT_ROW_MAX];
    size_t number_count, taken_count;
    const char *name;
    if (json_read_string(row, "row", SEAT_ROW_NAME_BYTES - 1, &name) != 0 ||
        !read_range(row, "seats", numbers, &number_count) || !read_range(row, "taken", taken, &taken_count))
        return false;
    for (size_t i = 0; i < number_count; i++)
        is_free[numbers[i]] = true;
    for (size_t i = 0; i < taken_count; i++)
        is_free[taken[i]] = false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        unmark(is_free, json_object_get(row, others[i]));
    uint64_t run = 0;
    for (size_t i = 0; i < number_count; i++) {
        run = is_free[numbers[i]] ? (is_free[numbers[i] - 1] ? run + 1 : 1) : 0;
        if (run < search->count || search->found++ != search->wanted)
            continue;
        search->ret->tier = tier;
        search->ret->count = (size_t)search->count;
        for (uint64_t k = 0; k < search->count; k++)
            seat_name_write(name, (uint16_t)(numbers[i] + 1 - search->count + k), search->ret->names[k]);
    }
    return true;
}

static bool search_hall(const json_t *document, const struct menu *menu, struct search *search)
{
    const json_t *tiers = json_object_get(document, "tiers");
    for (size_t tier = 0; tier < menu->tier_count; tier++) {
        const json_t *rows = json_object_get(json_object_get(tiers, menu->tiers[tier].code), "rows");
        for (size_t i = 0; i < json_array_size(rows); i++)
            if (!search_row(json_array_get(rows, i), tier, search))
                return false;
    }
    return tiers != NULL;
}

int seats_choose(const char *text, size_t bytes, const struct menu *menu, uint64_t count, uint64_t random,
                 struct seats *ret, char *problem, size_t problem_bytes)
{
    json_t *document CLEANUP(json_cleanup) = NULL;
    struct seats seats = {0};
    struct search search = {.count = count, .wanted = UINT64_MAX, .ret = &seats};
    if (json_read_object(text, bytes, SEATS_DOCUMENT_BYTES_MAX, problem, problem_bytes, &document) != 0)
        return ERROR_INVALID;
    if (!search_hall(document, menu, &search)) {
        (void)snprintf(problem, problem_bytes, "a seats document that is none");
        return ERROR_INVALID;
    }
    if (search.found > 0 && count > 0 && count <= SEATS_IN_ORDER_MAX) {
        search.wanted = random % search.found;
        search.found = 0;
        (void)search_hall(document, menu, &search);
    }
    *ret = seats;
    return 0;
}
