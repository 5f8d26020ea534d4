// SPDX-License-Identifier: Apache-2.0
// The tiers of an event file: prices, capacities, rows of seats.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/event_reader.h"
#include "common/seat.h"

// All amounts of an event together must fit into 64 bits with room: every place sold at the highest price.
_Static_assert((int64_t)EVENT_FILE_AMOUNT_MAX *EVENT_FILE_CAPACITY_MAX <= INT64_MAX / EVENT_FILE_TIERS_MAX,
               "the sum of all amounts of an event fits into int64_t");

static void read_one_price(struct event_reader *reader, const char *parent, const json_t *json, struct event_tier *tier)
{
    static const char *const known[] = {"code", "name", "amount", NULL};
    if (!json_is_object(json)) {
        reader_problem(reader, parent, "must be an object with code, name and amount");
        return;
    }
    reader_known(reader, parent, json, known);
    struct event_price price = {0};
    price.code = reader_slug(reader, parent, json, "code");
    price.name = reader_text(reader, parent, json, "name", 1, 200, NULL);
    price.amount = reader_integer(reader, parent, json, "amount", 0, EVENT_FILE_AMOUNT_MAX, NULL);
    for (size_t i = 0; i < tier->price_count; i++) {
        if (*price.code && strcmp(tier->prices[i].code, price.code) == 0)
            reader_problem(reader, reader_path(reader, parent, "code"), "the price '%s' is there twice", price.code);
    }
    tier->prices[tier->price_count++] = price;
}

static void read_prices(struct event_reader *reader, const char *parent, const json_t *json, struct event_tier *tier)
{
    const json_t *one = json_object_get(json, "price");
    const json_t *many = json_object_get(json, "prices");
    bool has_one = one && !json_is_null(one), has_many = many && !json_is_null(many);
    if (has_one && has_many) {
        reader_problem(reader, reader_path(reader, parent, "prices"),
                       "there is price as well; only one of the two may be there");
    } else if (has_one) {
        int64_t amount = reader_integer(reader, parent, json, "price", 0, EVENT_FILE_AMOUNT_MAX, NULL);
        tier->prices[tier->price_count++] =
            (struct event_price){.code = "full", .name = "Full price", .amount = amount};
    } else if (!has_many) {
        reader_problem(reader, reader_path(reader, parent, "price"), "is missing, and prices too");
    } else if (!json_is_array(many) || json_array_size(many) == 0) {
        reader_problem(reader, reader_path(reader, parent, "prices"), "must be a list of at least one price");
    } else if (json_array_size(many) > EVENT_FILE_PRICES_MAX) {
        reader_problem(reader, reader_path(reader, parent, "prices"), "has more than %d prices", EVENT_FILE_PRICES_MAX);
    } else {
        for (size_t i = 0; i < json_array_size(many); i++) {
            char path[128];
            snprintf(path, sizeof(path), "%.90s/prices/%zu", parent, i);
            read_one_price(reader, path, json_array_get(many, i), tier);
        }
    }
}

#define SEAT_DIGITS_MAX 4 // of SEAT_NUMBER_MAX

// A seat's name is its number without leading zeros. A long list of names is looked up here, so nothing is formatted.
static struct event_seat *find_seat(struct event_row *row, const char *name)
{
    size_t digits = strspn(name, "0123456789");
    if (*name == '0' || digits == 0 || digits > SEAT_DIGITS_MAX || name[digits] != '\0')
        return NULL;
    unsigned long number = strtoul(name, NULL, 10);
    for (size_t i = 0; i < row->seat_count; i++) {
        if (row->seats[i].number == number)
            return &row->seats[i];
    }
    return NULL;
}

enum mark { MARK_WHEELCHAIR, MARK_COMPANION, MARK_BLOCKED };

static bool *mark_of(struct event_seat *seat, enum mark mark)
{
    switch (mark) {
    case MARK_WHEELCHAIR:
        return &seat->wheelchair;
    case MARK_COMPANION:
        return &seat->companion;
    case MARK_BLOCKED:
        break;
    }
    return &seat->blocked;
}

// Reads a list of seat names, each of which must be a seat of the row.
static void read_marks(struct event_reader *reader, const char *parent, const json_t *json, const char *key,
                       enum mark mark, struct event_row *row)
{
    const json_t *list = json_object_get(json, key);
    if (!list || json_is_null(list))
        return;
    if (!json_is_array(list)) {
        reader_problem(reader, reader_path(reader, parent, key), "must be a list of seats, like [\"1\", \"2\"]");
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *name = json_array_get(list, i);
        char path[128];
        snprintf(path, sizeof(path), "%.80s/%s/%zu", parent, key, i);
        if (!json_is_string(name)) {
            reader_problem(reader, path, "must be a text");
            continue;
        }
        struct event_seat *seat = find_seat(row, json_string_value(name));
        if (!seat) {
            if (row->seat_count) // otherwise the row's seats are the problem
                reader_problem(reader, path, "the row has no seat '%.20s'", json_string_value(name));
        } else if (*mark_of(seat, mark)) {
            reader_problem(reader, path, "seat %u is there twice", (unsigned)seat->number);
        } else {
            *mark_of(seat, mark) = true;
            if (seat->wheelchair && seat->companion)
                reader_problem(reader, path, "seat %u cannot be for a wheelchair and for a companion",
                               (unsigned)seat->number);
        }
    }
}

// A row's name is part of a seat's name and of a key that does not tell upper from lower case.
static bool row_name_is_valid(const char *name)
{
    size_t bytes = strlen(name);
    if (bytes == 0 || bytes >= EVENT_FILE_ROW_BYTES || name[0] == ' ' || name[bytes - 1] == ' ')
        return false;
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ._-") == bytes;
}

static void read_row_name(struct event_reader *reader, const char *parent, const json_t *json, struct event_tier *tier,
                          struct event_row *row)
{
    const char *field = reader_path(reader, parent, "row");
    const char *name = json_string_value(json_object_get(json, "row"));
    if (!name || !row_name_is_valid(name)) {
        reader_problem(reader, field, "must be 1 to 16 letters, digits, blanks, dots, dashes");
        return;
    }
    snprintf(row->name, sizeof(row->name), "%s", name);
    for (size_t i = 0; i < tier->row_count; i++) {
        if (strcasecmp(tier->rows[i].name, name) == 0)
            reader_problem(reader, field, "the row '%s' is there twice", name);
    }
}

static void read_row_seats(struct event_reader *reader, const char *parent, const json_t *json, struct event_row *row)
{
    uint16_t numbers[SEAT_ROW_MAX];
    size_t count = 0;
    char problem[120];
    const char *field = reader_path(reader, parent, "seats");
    const char *seats = json_string_value(json_object_get(json, "seats"));
    if (!seats) {
        reader_problem(reader, field, "must be a text like \"1-14,17-30\"");
        return;
    }
    if (seat_range_read(seats, numbers, &count, problem, sizeof(problem)) < 0) {
        reader_problem(reader, field, "%s", problem);
        return;
    }
    if (reader->seat_count + count > EVENT_FILE_SEATS_MAX) {
        reader_problem(reader, field, "the event has more than %d seats", EVENT_FILE_SEATS_MAX);
        return;
    }
    row->seats = calloc(count, sizeof(*row->seats));
    if (!row->seats) {
        reader->out_of_memory = true;
        return;
    }
    reader->seat_count += count;
    row->seat_count = count;
    for (size_t i = 0; i < count; i++)
        row->seats[i].number = numbers[i];
}

static void read_one_row(struct event_reader *reader, const char *parent, const json_t *json, struct event_tier *tier)
{
    static const char *const known[] = {"row", "seats", "wheelchair", "companion", "blocked", NULL};
    if (!json_is_object(json)) {
        reader_problem(reader, parent, "must be an object with row and seats");
        return;
    }
    reader_known(reader, parent, json, known);
    struct event_row *row = &tier->rows[tier->row_count];
    read_row_name(reader, parent, json, tier, row);
    tier->row_count++;
    read_row_seats(reader, parent, json, row);
    read_marks(reader, parent, json, "wheelchair", MARK_WHEELCHAIR, row);
    read_marks(reader, parent, json, "companion", MARK_COMPANION, row);
    read_marks(reader, parent, json, "blocked", MARK_BLOCKED, row);
    for (size_t i = 0; i < row->seat_count; i++)
        tier->capacity += !row->seats[i].blocked;
}

static void read_rows(struct event_reader *reader, const char *parent, const json_t *rows, struct event_tier *tier)
{
    const char *field = reader_path(reader, parent, "rows");
    if (!json_is_array(rows) || json_array_size(rows) == 0) {
        reader_problem(reader, field, "must be a list of at least one row");
        return;
    }
    if (json_array_size(rows) > EVENT_FILE_ROWS_MAX) {
        reader_problem(reader, field, "has more than %d rows", EVENT_FILE_ROWS_MAX);
        return;
    }
    tier->rows = calloc(json_array_size(rows), sizeof(*tier->rows));
    if (!tier->rows) {
        reader->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < json_array_size(rows); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%.90s/rows/%zu", parent, i);
        read_one_row(reader, path, json_array_get(rows, i), tier);
    }
}

static void read_places(struct event_reader *reader, const char *parent, const json_t *json, struct event_tier *tier)
{
    const json_t *capacity = json_object_get(json, "capacity");
    const json_t *rows = json_object_get(json, "rows");
    bool has_capacity = capacity && !json_is_null(capacity), has_rows = rows && !json_is_null(rows);
    if (has_capacity && has_rows) {
        reader_problem(reader, reader_path(reader, parent, "rows"),
                       "there is capacity as well; standing tiers have a capacity, seated ones have rows");
    } else if (has_rows) {
        tier->seated = true;
        read_rows(reader, parent, rows, tier);
    } else if (has_capacity) {
        tier->capacity = (uint32_t)reader_integer(reader, parent, json, "capacity", 1, EVENT_FILE_CAPACITY_MAX, NULL);
    } else {
        reader_problem(reader, reader_path(reader, parent, "capacity"), "is missing, and rows too");
    }
}

static void read_one_tier(struct event_reader *reader, const char *parent, const json_t *json, struct event_file *file)
{
    static const char *const known[] = {"code", "name", "price", "prices", "capacity", "rows", NULL};
    if (!json_is_object(json)) {
        reader_problem(reader, parent, "must be an object with code, name, prices and capacity or rows");
        return;
    }
    reader_known(reader, parent, json, known);
    struct event_tier *tier = &file->tiers[file->tier_count];
    tier->code = reader_slug(reader, parent, json, "code");
    tier->name = reader_text(reader, parent, json, "name", 1, 200, NULL);
    for (size_t i = 0; i < file->tier_count; i++) {
        if (*tier->code && strcmp(file->tiers[i].code, tier->code) == 0)
            reader_problem(reader, reader_path(reader, parent, "code"), "the tier '%s' is there twice", tier->code);
    }
    file->tier_count++;
    read_prices(reader, parent, json, tier);
    read_places(reader, parent, json, tier);
}

void event_tiers_read(struct event_reader *reader, struct event_file *file)
{
    const json_t *tiers = json_object_get(file->json, "tiers");
    if (!tiers || json_is_null(tiers))
        return;
    if (!json_is_array(tiers)) {
        reader_problem(reader, "/tiers", "must be a list");
        return;
    }
    if (json_array_size(tiers) > EVENT_FILE_TIERS_MAX) {
        reader_problem(reader, "/tiers", "has more than %d tiers", EVENT_FILE_TIERS_MAX);
        return;
    }
    file->tiers = calloc(json_array_size(tiers) + 1, sizeof(*file->tiers));
    if (!file->tiers) {
        reader->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < json_array_size(tiers); i++) {
        char path[128];
        snprintf(path, sizeof(path), "/tiers/%zu", i);
        read_one_tier(reader, path, json_array_get(tiers, i), file);
    }
}
