// SPDX-License-Identifier: Apache-2.0
// Every problem of a choice is noted, so that a visitor mends all of them at once; beyond what an order may have the numbers themselves
// no longer matter.
#include "waiting-room/order_choice.h"

#include <stdio.h>
#include <string.h>

#include "common/seat.h"
#include "common/utf8.h"

void order_note(struct order_reading *reading, const char *prefix, const char *field, const char *detail)
{
    struct order_form_problems *problems = reading->problems;
    if (problems->count == ORDER_FORM_PROBLEMS_MAX)
        return;
    struct order_form_problem *problem = &problems->items[problems->count++];
    snprintf(problem->field, sizeof problem->field, "%s%s", prefix, field);
    snprintf(problem->detail, sizeof problem->detail, "%s", detail);
    utf8_mend(problem->field); // a long foreign name may have been cut in the middle of a character
}

void order_note_most(struct order_reading *reading, const char *prefix, const char *field, uint64_t most,
                     const char *what)
{
    char detail[160];
    snprintf(detail, sizeof detail, "At most %llu %s.", (unsigned long long)most, what);
    order_note(reading, prefix, field, detail);
}

bool order_is_given(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value && !json_is_null(value);
}

static const struct snapshot_tier *find_tier(const struct snapshot *event, const char *code)
{
    for (size_t i = 0; i < event->tier_count; i++)
        if (strcmp(event->tiers[i].code, code) == 0)
            return &event->tiers[i];
    return NULL;
}

// How many tickets of the choice's tier one order may have.
static uint64_t most_tickets(const struct order_reading *reading, const struct order_choice *choice)
{
    uint64_t most = reading->event->max_per_order;
    return choice->tier->seated && most > SEATS_IN_ORDER_MAX ? SEATS_IN_ORDER_MAX : most;
}

// ---------------------------------------------------------------- how many

static const struct snapshot_price *find_price(const struct snapshot_tier *tier, const char *code)
{
    for (size_t i = 0; i < tier->price_count; i++)
        if (strcmp(tier->prices[i].code, code) == 0)
            return &tier->prices[i];
    return NULL;
}

// A whole number of tickets, 1 or more. What is too many is told by the sum.
static bool read_count(const json_t *value, uint64_t *ret)
{
    if (!json_is_integer(value) || json_integer_value(value) < 1)
        return false;
    *ret = (uint64_t)json_integer_value(value);
    return true;
}

static void add_tickets(struct order_choice *choice, const struct snapshot_price *price, uint64_t count, uint64_t most)
{
    // Beyond what an order may have the sum alone matters, and not how far beyond.
    uint64_t counted = count < most + 1 ? count : most + 1;
    choice->quantity += counted;
    choice->amount += counted * price->amount;
    buffer_text(&choice->tickets, choice->tickets.bytes > 1 ? ",\"" : "\"");
    buffer_text(&choice->tickets, price->code);
    buffer_text(&choice->tickets, "\":");
    buffer_number(&choice->tickets, counted);
}

static void read_tickets(struct order_reading *reading, const char *prefix, const json_t *tickets,
                         struct order_choice *choice)
{
    const char *code;
    json_t *value;
    if (!json_is_object(tickets) || json_object_size(tickets) == 0) {
        order_note(reading, prefix, "tickets", "It is an object with at least one price and a number of tickets.");
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)tickets, code, value) // the macro takes no const; nothing is changed
    {
        char field[160];
        uint64_t count;
        const struct snapshot_price *price = find_price(choice->tier, code);
        snprintf(field, sizeof field, "tickets.%s", code);
        if (!price)
            order_note(reading, prefix, field, "This tier has no such price.");
        else if (!read_count(value, &count))
            order_note(reading, prefix, field, "It is a whole number, 1 or more.");
        else
            add_tickets(choice, price, count, most_tickets(reading, choice));
    }
}

static void add_at_first_price(const struct order_reading *reading, struct order_choice *choice, uint64_t count)
{
    if (choice->tier->price_count > 0)
        add_tickets(choice, &choice->tier->prices[0], count, most_tickets(reading, choice));
}

static void read_quantity(struct order_reading *reading, const char *prefix, const json_t *quantity,
                          struct order_choice *choice)
{
    uint64_t count;
    if (read_count(quantity, &count))
        add_at_first_price(reading, choice, count);
    else
        order_note(reading, prefix, "quantity", "It is a whole number, 1 or more.");
}

// ---------------------------------------------------------------- seats by name

// The seats named so far.
struct named {
    size_t count;
    struct {
        const struct hall_row *row;
        uint16_t number;
    } seats[SEATS_IN_ORDER_MAX];
    uint64_t wheelchair, companion; // of them
};

static bool is_named(const struct named *named, const struct hall_row *row, uint16_t number)
{
    for (size_t i = 0; i < named->count; i++)
        if (named->seats[i].row == row && named->seats[i].number == number)
            return true;
    return false;
}

// Why a seat of the hall cannot be had. NULL: it can.
static const char *problem_of_seat(const struct order_reading *reading, const struct hall_seat *seat,
                                   struct named *named)
{
    switch ((enum seat_kind)seat->kind) {
    case SEAT_BLOCKED:
        return "This seat is not on sale.";
    case SEAT_WHEELCHAIR:
        return ++named->wheelchair > reading->wheelchair
                   ? "This place is kept for somebody in a wheelchair: say so in needs."
                   : NULL;
    case SEAT_COMPANION:
        return ++named->companion > reading->companion
                   ? "This seat is kept for a companion of somebody in a wheelchair: say so in needs."
                   : NULL;
    case SEAT_ORDINARY:
        break;
    }
    return NULL;
}

// Reads one name. Returns what is wrong with it, or NULL.
static const char *read_seat(const struct order_reading *reading, const json_t *value, struct order_choice *choice,
                             struct named *named)
{
    char row_name[SEAT_ROW_NAME_BYTES], name[SEAT_NAME_BYTES];
    uint16_t number;
    if (!json_is_string(value) ||
        seat_name_read(json_string_value(value), json_string_length(value), row_name, &number) < 0)
        return "It is the name of a seat, with its row before the dash: \"A-12\".";
    const struct hall_row *row = hall_find_row(choice->tier->hall, row_name);
    const struct hall_seat *seat = hall_find_seat(row, number);
    if (!seat)
        return "This tier has no such seat.";
    if (is_named(named, row, number))
        return "This seat is named twice.";
    const char *problem = problem_of_seat(reading, seat, named);
    named->seats[named->count].row = row;
    named->seats[named->count++].number = number;
    seat_name_write(row->name, number, name);
    buffer_text(&choice->seats, choice->seats.bytes > 1 ? "," : "");
    buffer_json_string(&choice->seats, name);
    return problem;
}

static void read_seats(struct order_reading *reading, const char *prefix, const json_t *seats,
                       struct order_choice *choice)
{
    struct named named = {0};
    uint64_t most = most_tickets(reading, choice);
    if (!choice->tier->seated) {
        order_note(reading, prefix, "seats", "This tier has no seats: say how many tickets.");
        return;
    }
    if (!json_is_array(seats) || json_array_size(seats) == 0) {
        order_note(reading, prefix, "seats", "It is a list of at least one seat: [\"A-12\"].");
        return;
    }
    if (json_array_size(seats) > most) {
        order_note_most(reading, prefix, "seats", most, "tickets to an order");
        return;
    }
    buffer_text(&choice->seats, "[");
    for (size_t i = 0; i < json_array_size(seats); i++) {
        char field[32];
        const char *problem = read_seat(reading, json_array_get(seats, i), choice, &named);
        snprintf(field, sizeof field, "seats.%zu", i);
        if (problem)
            order_note(reading, prefix, field, problem);
    }
    buffer_text(&choice->seats, "]");
}

// ---------------------------------------------------------------- the whole

// A need that is more than the hall has would wait for its turn only to hear that there is nothing.
static void check_need(struct order_reading *reading, const char *field, uint64_t asked, size_t count,
                       const char *const what[static 2])
{
    char detail[160];
    if (asked <= count)
        return;
    if (count == 0)
        snprintf(detail, sizeof detail, "There is no %s in this part of the hall.", what[0]);
    else
        snprintf(detail, sizeof detail, "There %s only %zu %s in this part of the hall.", count == 1 ? "is" : "are",
                 count, what[count > 1]);
    order_note(reading, "", field, detail);
}

// Of the first choice the need is at fault, of another one that this tier was chosen. Who names seats has seen them.
static void check_needs(struct order_reading *reading, const char *prefix, const struct order_choice *choice)
{
    static const char *const wheelchair[] = {"place for a wheelchair", "places for wheelchairs"};
    static const char *const companion[] = {"seat for a companion", "seats for companions"};
    const struct hall *hall = choice->tier->hall;
    char field[64];
    if (!hall)
        return;
    snprintf(field, sizeof field, "%s%s", prefix, *prefix ? "tier" : "needs.wheelchair");
    check_need(reading, field, reading->wheelchair, hall->wheelchair_count, wheelchair);
    snprintf(field, sizeof field, "%s%s", prefix, *prefix ? "tier" : "needs.companion");
    check_need(reading, field, reading->companion, hall->companion_count, companion);
}

static void check_amounts(struct order_reading *reading, const char *prefix, const json_t *object,
                          const struct order_choice *choice)
{
    const char *field = order_is_given(object, "tickets")    ? "tickets"
                        : order_is_given(object, "quantity") ? "quantity"
                                                             : "seats";
    uint64_t most = most_tickets(reading, choice);
    if (choice->quantity > most)
        order_note_most(reading, prefix, field, most, "tickets to an order");
    else if (choice->seats.bytes > 0 && choice->quantity != json_array_size(json_object_get(object, "seats")))
        order_note(reading, prefix, "seats", "There must be as many seats as tickets.");
    else if (choice->tier->seated && reading->wheelchair + reading->companion > choice->quantity)
        order_note(reading, "", "needs", "They are more than the tickets that are asked for.");
    else if (choice->tier->seated && choice->seats.bytes == 0)
        check_needs(reading, prefix, choice);
}

static void read_amounts(struct order_reading *reading, const char *prefix, const json_t *object,
                         struct order_choice *choice)
{
    size_t before = reading->problems->count;
    bool tickets = order_is_given(object, "tickets"), quantity = order_is_given(object, "quantity");
    bool seats = order_is_given(object, "seats");
    if (seats)
        read_seats(reading, prefix, json_object_get(object, "seats"), choice);
    if (tickets && quantity)
        order_note(reading, prefix, "quantity", "Either this or tickets, not both.");
    else if (tickets)
        read_tickets(reading, prefix, json_object_get(object, "tickets"), choice);
    else if (quantity)
        read_quantity(reading, prefix, json_object_get(object, "quantity"), choice);
    else if (seats)
        add_at_first_price(reading, choice, json_array_size(json_object_get(object, "seats")));
    else
        order_note(reading, prefix, "tickets", "Say how many: tickets by price, a quantity, or seats by name.");
    if (reading->problems->count == before)
        check_amounts(reading, prefix, object, choice);
}

void order_choice_read(struct order_reading *reading, const char *prefix, const json_t *object,
                       struct order_choice *ret)
{
    const char *code;
    int found = json_read_string(object, "tier", SLUG_BYTES, &code);
    if (found == 0)
        ret->tier = find_tier(reading->event, code);
    buffer_text(&ret->tickets, "{");
    if (found == ERROR_NOT_FOUND)
        order_note(reading, prefix, "tier", "Say which tier.");
    else if (found < 0)
        order_note(reading, prefix, "tier", "It is the code of a tier, as text.");
    else if (!ret->tier)
        order_note(reading, prefix, "tier", "There is no such tier.");
    else
        read_amounts(reading, prefix, object, ret);
    buffer_text(&ret->tickets, "}");
}

static void write_need(struct buffer *text, const char *key, uint64_t count)
{
    if (count == 0)
        return;
    buffer_text(text, key);
    buffer_number(text, count);
}

void order_choice_write(const struct order_reading *reading, const struct order_choice *choice, struct buffer *text)
{
    if (choice->tickets.failed || choice->seats.failed) {
        text->failed = true;
        return;
    }
    buffer_text(text, "{\"tier\":\"");
    buffer_text(text, choice->tier->code);
    buffer_text(text, "\",\"tickets\":");
    buffer_text(text, choice->tickets.data);
    buffer_text(text, ",\"quantity\":");
    buffer_number(text, choice->quantity);
    buffer_text(text, ",\"amount\":");
    buffer_number(text, choice->amount);
    if (choice->seats.bytes > 0) {
        buffer_text(text, ",\"seats\":");
        buffer_text(text, choice->seats.data);
    }
    if (choice->tier->seated) {
        write_need(text, ",\"wheelchair\":", reading->wheelchair);
        write_need(text, ",\"companion\":", reading->companion);
    }
    buffer_text(text, "}");
}

void order_choice_done(struct order_choice *choice)
{
    buffer_done(&choice->tickets);
    buffer_done(&choice->seats);
}
