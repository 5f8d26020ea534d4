// SPDX-License-Identifier: Apache-2.0
// Names and values come from anybody; only slugs and short numbers go into the query, everything into the JSON as strings.
#include "waiting-room/page_choice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/seat.h"
#include "common/slug.h"
#include "common/utf8.h"
#include "waiting-room/page_render.h"

#define DIGITS_MAX 7
#define SEATS_QUERY_MAX 1000 // escaped it is at most three times as long, and an address has its limit

static bool is_set(const char *text)
{
    return text && *text;
}

static bool is_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= DIGITS_MAX && text[digits] == '\0';
}

static bool is_slug(const char *text)
{
    return slug_is_valid(text, strlen(text));
}

// "tickets.floor.full" or "tickets.full" is a price of the tier: its code. Otherwise NULL.
static const char *code_of(const char *name, const char *tier)
{
    static const char prefix[] = "tickets.";
    size_t bytes = strlen(tier);
    if (strncmp(name, prefix, sizeof prefix - 1) != 0)
        return NULL;
    name += sizeof prefix - 1;
    if (strncmp(name, tier, bytes) == 0 && name[bytes] == '.' && is_slug(name + bytes + 1))
        return name + bytes + 1;
    return is_slug(name) ? name : NULL;
}

static bool is_counted(const struct form_field *field, const char *tier)
{
    return code_of(field->name, tier) && *field->value && !(is_number(field->value) && atol(field->value) == 0);
}

// Whether an earlier field counts the same price: an object has each name once.
static bool is_repeated(const struct form *form, size_t index, const char *tier)
{
    for (size_t i = 0; i < index; i++)
        if (is_counted(&form->fields[i], tier) &&
            strcmp(code_of(form->fields[i].name, tier), code_of(form->fields[index].name, tier)) == 0)
            return true;
    return false;
}

static void add_count(struct buffer *json, const char *value)
{
    if (is_number(value))
        buffer_number(json, strtoul(value, NULL, 10));
    else
        buffer_json_string(json, value);
}

static void add_tickets(const struct form *form, const char *tier, struct buffer *json)
{
    bool any = false;
    buffer_text(json, ",\"tickets\":{");
    for (size_t i = 0; i < form->count; i++) {
        if (!is_counted(&form->fields[i], tier) || is_repeated(form, i, tier))
            continue;
        buffer_text(json, any ? "," : "");
        buffer_json_string(json, code_of(form->fields[i].name, tier));
        buffer_text(json, ":");
        add_count(json, form->fields[i].value);
        any = true;
    }
    buffer_text(json, "}");
}

const char *page_choice_seats(const struct form *form, const char *tier)
{
    char name[8 + SLUG_BYTES];
    if ((size_t)snprintf(name, sizeof name, "seats.%s", tier) >= sizeof name)
        return NULL;
    const char *text = form_value(form, name);
    return text && text[strspn(text, ", ")] ? text : NULL;
}

// The next name of "A-12, A-13", without the blanks around it. False: there is none.
static bool next_seat(const char **at, const char **ret_name, size_t *ret_bytes)
{
    const char *name = *at + strspn(*at, ", ");
    size_t bytes = strcspn(name, ",");
    *at = name + bytes;
    while (bytes > 0 && name[bytes - 1] == ' ')
        bytes--;
    *ret_name = name;
    *ret_bytes = bytes;
    return bytes > 0;
}

static size_t count_seats(const char *text)
{
    const char *name;
    size_t bytes, count = 0;
    while (text && next_seat(&text, &name, &bytes))
        count++;
    return count;
}

// A longer name is cut: no seat has it.
static void add_seats(const char *text, struct buffer *json)
{
    const char *name, *before = ",\"seats\":[";
    size_t bytes;
    while (next_seat(&text, &name, &bytes)) {
        char seat[4 * SEAT_NAME_BYTES];
        snprintf(seat, sizeof seat, "%.*s", (int)bytes, name);
        utf8_mend(seat);
        buffer_text(json, before);
        buffer_json_string(json, seat);
        before = ",";
    }
    buffer_text(json, "]");
}

static void add_needs(const struct form *form, struct buffer *json)
{
    static const char *const names[] = {"wheelchair", "companion"};
    bool any = false;
    for (size_t i = 0; i < 2; i++) {
        const char *count = form_value(form, names[i]);
        if (!is_set(count) || (is_number(count) && atol(count) == 0))
            continue;
        buffer_text(json, any ? ",\"" : ",\"needs\":{\"");
        buffer_text(json, names[i]);
        buffer_text(json, "\":");
        add_count(json, count);
        any = true;
    }
    buffer_text(json, any ? "}" : "");
}

static const struct snapshot_tier *find_tier(const struct snapshot *event, const char *code)
{
    for (size_t i = 0; i < event->tier_count; i++)
        if (strcmp(event->tiers[i].code, code) == 0)
            return &event->tiers[i];
    return NULL;
}

static bool has_price(const struct snapshot_tier *tier, const char *code)
{
    for (size_t i = 0; i < tier->price_count; i++)
        if (strcmp(tier->prices[i].code, code) == 0)
            return true;
    return false;
}

// As many tickets of another tier: price by price if it has the same ones, else all of its first. order.js does the same.
static void add_same(const struct form *form, const char *tier, const struct snapshot_tier *other, struct buffer *json)
{
    uint64_t sum = 0;
    bool all_there = other != NULL;
    for (size_t i = 0; i < form->count; i++) {
        const struct form_field *field = &form->fields[i];
        if (!is_counted(field, tier) || is_repeated(form, i, tier))
            continue;
        sum += is_number(field->value) ? strtoul(field->value, NULL, 10) : 0;
        all_there = all_there && has_price(other, code_of(field->name, tier));
    }
    if (sum > 0 && all_there) {
        add_tickets(form, tier, json);
        return;
    }
    buffer_text(json, ",\"quantity\":");
    const char *quantity = form_value(form, "quantity");
    if (sum == 0 && !is_set(quantity))
        sum = count_seats(page_choice_seats(form, tier));
    if (sum == 0 && is_set(quantity))
        add_count(json, quantity);
    else
        buffer_number(json, sum);
}

static void add_alternatives(const struct form *form, const char *tier, const struct snapshot *event,
                             struct buffer *json)
{
    bool any = false;
    for (int i = 1; i <= PAGE_OTHERS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "alternative.%d", i);
        const char *other = form_value(form, name);
        if (!is_set(other))
            continue;
        buffer_text(json, any ? ",{\"tier\":" : ",\"alternatives\":[{\"tier\":");
        buffer_json_string(json, other);
        add_same(form, tier, find_tier(event, other), json);
        buffer_text(json, "}");
        any = true;
    }
    if (any)
        buffer_text(json, "]");
}

void page_choice_json(const struct form *form, const struct snapshot *event, struct buffer *json)
{
    const char *tier = form_value(form, "tier"), *quantity = form_value(form, "quantity");
    const char *email = form_value(form, "email"), *name = form_value(form, "name");
    bool any = false;
    tier = tier ? tier : "";
    buffer_text(json, "{\"tier\":");
    buffer_json_string(json, tier);
    for (size_t i = 0; i < form->count; i++)
        any = any || is_counted(&form->fields[i], tier);
    const char *seats = page_choice_seats(form, tier);
    if (any || (!is_set(quantity) && !seats))
        add_tickets(form, tier, json);
    if (is_set(quantity)) {
        buffer_text(json, ",\"quantity\":");
        add_count(json, quantity);
    }
    if (seats)
        add_seats(seats, json);
    add_needs(form, json);
    add_alternatives(form, tier, event, json);
    buffer_text(json, ",\"email\":");
    buffer_json_string(json, email ? email : "");
    if (is_set(name)) {
        buffer_text(json, ",\"name\":");
        buffer_json_string(json, name);
    }
    buffer_text(json, "}");
}

static bool is_harmless(const char *name)
{
    return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.")] == '\0';
}

// Names of seats as they may stand in an address: what is neither letter nor digit is escaped (URL Standard, 5.2).
static void add_escaped(struct buffer *query, const char *text)
{
    for (const char *c = text; *c; c++) {
        if ((*c >= '0' && *c <= '9') || ((*c | 32) >= 'a' && (*c | 32) <= 'z') || *c == '-')
            buffer_append(query, c, 1);
        else
            buffer_format(query, "%%%02X", (unsigned)(unsigned char)*c);
    }
}

static void add_seats_to_query(const struct form *form, struct buffer *query)
{
    const char *tier = form_value(form, "tier"), *seats = tier && is_slug(tier) ? page_choice_seats(form, tier) : NULL;
    if (!seats || strlen(seats) > SEATS_QUERY_MAX)
        return;
    buffer_text(query, "&seats.");
    buffer_text(query, tier);
    buffer_text(query, "=");
    add_escaped(query, seats);
}

void page_choice_query(const struct form *form, struct buffer *query)
{
    size_t fields = 0;
    for (size_t i = 0; i < form->count && fields < FORM_FIELDS_MAX / 8; i++) {
        const struct form_field *field = &form->fields[i];
        bool is_tier = strcmp(field->name, "tier") == 0 || strncmp(field->name, "alternative.", 12) == 0;
        bool is_count = strcmp(field->name, "quantity") == 0 || strncmp(field->name, "tickets.", 8) == 0 ||
                        strcmp(field->name, "wheelchair") == 0 || strcmp(field->name, "companion") == 0;
        if (!is_harmless(field->name) || strlen(field->name) > 2 * SLUG_BYTES)
            continue;
        bool is_known =
            (is_tier && is_slug(field->value)) || (is_count && is_number(field->value) && atol(field->value) > 0);
        if (!is_known)
            continue;
        buffer_text(query, "&");
        buffer_text(query, field->name);
        buffer_text(query, "=");
        buffer_text(query, field->value);
        fields++;
    }
    add_seats_to_query(form, query);
}

uint32_t page_choice_count(const struct form *form, const char *tier, const char *code)
{
    for (size_t i = 0; i < form->count; i++) {
        const char *found = code_of(form->fields[i].name, tier);
        if (found && strcmp(found, code) == 0 && is_number(form->fields[i].value))
            return (uint32_t)strtoul(form->fields[i].value, NULL, 10);
    }
    return 0;
}

uint32_t page_choice_need(const struct form *form, const char *need)
{
    const char *count = form_value(form, need);
    return count && is_number(count) ? (uint32_t)strtoul(count, NULL, 10) : 0;
}
