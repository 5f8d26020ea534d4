// SPDX-License-Identifier: Apache-2.0
// Comparing two event files. Every value becomes text first, so that one comparison serves all types.
#include "admin/event_diff.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/seat.h"

#define FIELD_BYTES 240

static char *copy(const char *text)
{
    return text ? strdup(text) : NULL;
}

static void add(struct event_changes *changes, const char *field, const char *before, const char *after)
{
    if (!before && !after)
        return;
    if (before && after && strcmp(before, after) == 0)
        return;
    if (changes->count == EVENT_CHANGES_MAX) {
        changes->more++;
        return;
    }
    if (changes->count == changes->capacity) {
        size_t capacity = changes->capacity ? 2 * changes->capacity : 64;
        struct event_change *items = realloc(changes->items, capacity * sizeof(*items));
        if (!items) {
            changes->failed = true;
            return;
        }
        changes->items = items;
        changes->capacity = capacity;
    }
    struct event_change change = {copy(field), copy(before), copy(after)};
    changes->items[changes->count++] = change;
    if (!change.field || (before && !change.before) || (after && !change.after))
        changes->failed = true;
}

static void add_integer(struct event_changes *changes, const char *field, bool had, int64_t before, bool has,
                        int64_t after)
{
    char old[24], new[24];
    snprintf(old, sizeof(old), "%" PRId64, before);
    snprintf(new, sizeof(new), "%" PRId64, after);
    add(changes, field, had ? old : NULL, has ? new : NULL);
}

static void add_time(struct event_changes *changes, const char *field, int64_t before, int64_t after)
{
    char old[CLOCK_TEXT_BYTES], new[CLOCK_TEXT_BYTES];
    add(changes, field, before == EVENT_FILE_NO_TIME ? NULL : clock_format(before, old),
        after == EVENT_FILE_NO_TIME ? NULL : clock_format(after, new));
}

const struct event_tier *event_file_tier(const struct event_file *file, const char *code)
{
    for (size_t i = 0; file && i < file->tier_count; i++) {
        if (strcmp(file->tiers[i].code, code) == 0)
            return &file->tiers[i];
    }
    return NULL;
}

const struct event_price *event_tier_price(const struct event_tier *tier, const char *code)
{
    for (size_t i = 0; tier && i < tier->price_count; i++) {
        if (strcmp(tier->prices[i].code, code) == 0)
            return &tier->prices[i];
    }
    return NULL;
}

static const struct event_row *find_row(const struct event_tier *tier, const char *name)
{
    for (size_t i = 0; tier && i < tier->row_count; i++) {
        if (strcmp(tier->rows[i].name, name) == 0)
            return &tier->rows[i];
    }
    return NULL;
}

enum seats_of { SEATS_ALL, SEATS_WHEELCHAIR, SEATS_COMPANION, SEATS_BLOCKED };

static bool belongs(const struct event_seat *seat, enum seats_of which)
{
    switch (which) {
    case SEATS_ALL:
        return true;
    case SEATS_WHEELCHAIR:
        return seat->wheelchair;
    case SEATS_COMPANION:
        return seat->companion;
    case SEATS_BLOCKED:
        break;
    }
    return seat->blocked;
}

// The row's seats of one kind as "1-14,17-30"; NULL without a row or when there are none.
static char *seats_text(const struct event_row *row, enum seats_of which)
{
    uint16_t numbers[SEAT_ROW_MAX];
    size_t count = 0;
    for (size_t i = 0; row && i < row->seat_count; i++) {
        if (belongs(&row->seats[i], which))
            numbers[count++] = row->seats[i].number;
    }
    if (!count)
        return NULL;
    struct buffer text = BUFFER_INIT;
    seat_range_write(numbers, count, &text);
    return buffer_take(&text);
}

static void diff_row(const struct event_row *before, const struct event_row *after, const char *parent,
                     struct event_changes *ret)
{
    static const char *const names[] = {"seats", "wheelchair", "companion", "blocked"};
    for (int which = SEATS_ALL; which <= SEATS_BLOCKED; which++) {
        char field[FIELD_BYTES];
        snprintf(field, sizeof(field), "%s.rows.%s.%s", parent, before ? before->name : after->name, names[which]);
        char *old = seats_text(before, (enum seats_of)which), *new = seats_text(after, (enum seats_of)which);
        add(ret, field, old, new);
        free(old);
        free(new);
    }
}

static void diff_rows(const struct event_tier *before, const struct event_tier *after, const char *parent,
                      struct event_changes *ret)
{
    for (size_t i = 0; before && i < before->row_count; i++)
        diff_row(&before->rows[i], find_row(after, before->rows[i].name), parent, ret);
    for (size_t i = 0; after && i < after->row_count; i++) {
        if (!find_row(before, after->rows[i].name))
            diff_row(NULL, &after->rows[i], parent, ret);
    }
}

static void diff_price(const struct event_price *before, const struct event_price *after, const char *parent,
                       struct event_changes *ret)
{
    char field[FIELD_BYTES];
    const char *code = before ? before->code : after->code;
    snprintf(field, sizeof(field), "%s.prices.%s.name", parent, code);
    add(ret, field, before ? before->name : NULL, after ? after->name : NULL);
    snprintf(field, sizeof(field), "%s.prices.%s.amount", parent, code);
    add_integer(ret, field, before, before ? before->amount : 0, after, after ? after->amount : 0);
}

static void diff_tier(const struct event_tier *before, const struct event_tier *after, struct event_changes *ret)
{
    char parent[FIELD_BYTES / 2], field[FIELD_BYTES];
    snprintf(parent, sizeof(parent), "tiers.%s", before ? before->code : after->code);
    snprintf(field, sizeof(field), "%s.name", parent);
    add(ret, field, before ? before->name : NULL, after ? after->name : NULL);
    snprintf(field, sizeof(field), "%s.kind", parent);
    add(ret, field, before ? (before->seated ? "seated" : "standing") : NULL,
        after ? (after->seated ? "seated" : "standing") : NULL);
    snprintf(field, sizeof(field), "%s.capacity", parent);
    add_integer(ret, field, before, before ? before->capacity : 0, after, after ? after->capacity : 0);
    for (size_t i = 0; before && i < before->price_count; i++)
        diff_price(&before->prices[i], event_tier_price(after, before->prices[i].code), parent, ret);
    for (size_t i = 0; after && i < after->price_count; i++) {
        if (!event_tier_price(before, after->prices[i].code))
            diff_price(NULL, &after->prices[i], parent, ret);
    }
    diff_rows(before, after, parent, ret);
}

// Codes or names in their order, as text: a changed order of tiers, prices or rows shows as one change.
static void add_order(struct event_changes *changes, const char *field, const struct buffer *before,
                      const struct buffer *after)
{
    changes->failed = changes->failed || before->failed || after->failed;
    add(changes, field, before->bytes ? before->data : NULL, after->bytes ? after->data : NULL);
}

static void diff_orders(const struct event_file *before, const struct event_file *after, struct event_changes *ret)
{
    const struct event_file *files[] = {before, after};
    struct buffer tiers[2] = {BUFFER_INIT, BUFFER_INIT};
    for (int f = 0; f < 2; f++) {
        for (size_t t = 0; files[f] && t < files[f]->tier_count; t++)
            buffer_format(&tiers[f], "%s%s", t ? " " : "", files[f]->tiers[t].code);
    }
    add_order(ret, "tiers", &tiers[0], &tiers[1]);
    buffer_done(&tiers[0]);
    buffer_done(&tiers[1]);
    for (size_t t = 0; t < after->tier_count; t++) {
        const struct event_tier *pair[] = {event_file_tier(before, after->tiers[t].code), &after->tiers[t]};
        struct buffer prices[2] = {BUFFER_INIT, BUFFER_INIT}, rows[2] = {BUFFER_INIT, BUFFER_INIT};
        char field[FIELD_BYTES];
        for (int f = 0; f < 2; f++) {
            for (size_t p = 0; pair[f] && p < pair[f]->price_count; p++)
                buffer_format(&prices[f], "%s%s", p ? " " : "", pair[f]->prices[p].code);
            for (size_t r = 0; pair[f] && r < pair[f]->row_count; r++)
                buffer_format(&rows[f], "%s%s", r ? " " : "", pair[f]->rows[r].name);
        }
        snprintf(field, sizeof(field), "tiers.%s.prices", after->tiers[t].code);
        add_order(ret, field, &prices[0], &prices[1]);
        snprintf(field, sizeof(field), "tiers.%s.rows", after->tiers[t].code);
        add_order(ret, field, &rows[0], &rows[1]);
        buffer_done(&prices[0]), buffer_done(&prices[1]);
        buffer_done(&rows[0]), buffer_done(&rows[1]);
    }
}

static void diff_event(const struct event_file *before, const struct event_file *after, struct event_changes *ret)
{
    bool had = before;
    struct event_file none = {.starts_at_us = EVENT_FILE_NO_TIME,
                              .lobby_opens_at_us = EVENT_FILE_NO_TIME,
                              .opens_at_us = EVENT_FILE_NO_TIME,
                              .closes_at_us = EVENT_FILE_NO_TIME};
    const struct event_file *old = before ? before : &none;
    add(ret, "name", old->name, after->name);
    add(ret, "venue", old->venue, after->venue);
    add(ret, "timezone", old->timezone, after->timezone);
    add_time(ret, "starts_at", old->starts_at_us, after->starts_at_us);
    add_time(ret, "lobby_opens_at", old->lobby_opens_at_us, after->lobby_opens_at_us);
    add_time(ret, "opens_at", old->opens_at_us, after->opens_at_us);
    add_time(ret, "closes_at", old->closes_at_us, after->closes_at_us);
    add(ret, "currency", old->currency, after->currency);
    add_integer(ret, "max_per_order", had, old->max_per_order, true, after->max_per_order);
    add_integer(ret, "max_per_customer", had, old->max_per_customer, true, after->max_per_customer);
    add_integer(ret, "turn_seconds", had, old->turn_seconds, true, after->turn_seconds);
    add_integer(ret, "absent_seconds", had, old->absent_seconds, true, after->absent_seconds);
    add_integer(ret, "hold_seconds", had, old->hold_seconds, true, after->hold_seconds);
    add_integer(ret, "max_active", old->max_active, old->max_active, after->max_active, after->max_active);
    add(ret, "pace", had ? old->pace : NULL, after->pace);
}

void event_diff(const struct event_file *before, const struct event_file *after, struct event_changes *ret)
{
    diff_event(before, after, ret);
    diff_orders(before, after, ret);
    for (size_t i = 0; before && i < before->tier_count; i++)
        diff_tier(&before->tiers[i], event_file_tier(after, before->tiers[i].code), ret);
    for (size_t i = 0; i < after->tier_count; i++) {
        if (!event_file_tier(before, after->tiers[i].code))
            diff_tier(NULL, &after->tiers[i], ret);
    }
}

void event_changes_done(struct event_changes *changes)
{
    if (!changes)
        return;
    for (size_t i = 0; i < changes->count; i++) {
        free(changes->items[i].field);
        free(changes->items[i].before);
        free(changes->items[i].after);
    }
    free(changes->items);
    *changes = (struct event_changes){0};
}

bool event_tier_seats_equal(const struct event_tier *a, const struct event_tier *b)
{
    if (a->row_count != b->row_count)
        return false;
    for (size_t r = 0; r < a->row_count; r++) {
        const struct event_row *x = &a->rows[r], *y = &b->rows[r];
        if (strcmp(x->name, y->name) != 0 || x->seat_count != y->seat_count)
            return false;
        for (size_t s = 0; s < x->seat_count; s++) {
            const struct event_seat *p = &x->seats[s], *q = &y->seats[s];
            if (p->number != q->number || p->wheelchair != q->wheelchair || p->companion != q->companion ||
                p->blocked != q->blocked)
                return false;
        }
    }
    return true;
}

static const struct event_seat *find_seat(const struct event_row *row, unsigned long number)
{
    for (size_t i = 0; row && i < row->seat_count; i++) {
        if (row->seats[i].number == number)
            return &row->seats[i];
    }
    return NULL;
}

enum event_seat_fate event_tier_seat_fate(const struct event_tier *before, const struct event_tier *after,
                                          const char *row, const char *number)
{
    const unsigned long position = strtoul(number, NULL, 10);
    const struct event_seat *old = find_seat(find_row(before, row), position),
                            *new = find_seat(find_row(after, row), position);
    if (!new || new->blocked)
        return EVENT_SEAT_GOES;
    const bool is_marked =
        (new->wheelchair && !(old && old->wheelchair)) || (new->companion && !(old && old->companion));
    return is_marked ? EVENT_SEAT_MARKED : EVENT_SEAT_STAYS;
}
