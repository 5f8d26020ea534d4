// SPDX-License-Identifier: Apache-2.0
// A scanner that goes once from left to right. Names are slugs, seats' names are plain and numbers are whole, so nothing needs
// unescaping, and a backslash, a sign or a point is a mistake like any other.
#include "booking-worker/choices.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct scanner {
    const char *at, *end;
    const char *problem; // the first thing that was wrong
};

static bool fail(struct scanner *scanner, const char *problem)
{
    if (!scanner->problem)
        scanner->problem = problem;
    return false;
}

static void skip_space(struct scanner *scanner)
{
    while (scanner->at < scanner->end &&
           (*scanner->at == ' ' || *scanner->at == '\t' || *scanner->at == '\n' || *scanner->at == '\r'))
        scanner->at++;
}

// Takes the character if it comes next.
static bool take(struct scanner *scanner, char c)
{
    skip_space(scanner);
    if (scanner->at == scanner->end || *scanner->at != c)
        return false;
    scanner->at++;
    return true;
}

static bool expect(struct scanner *scanner, char c, const char *problem)
{
    return take(scanner, c) || fail(scanner, problem);
}

// A string without escapes: all that are allowed here are plain.
static bool take_string(struct scanner *scanner, const char **ret, size_t *ret_bytes)
{
    if (!expect(scanner, '"', "a string is missing"))
        return false;
    const char *begin = scanner->at;
    while (scanner->at < scanner->end && *scanner->at != '"' && *scanner->at != '\\')
        scanner->at++;
    if (scanner->at == scanner->end || *scanner->at != '"')
        return fail(scanner, "a string is not a plain one");
    *ret = begin;
    *ret_bytes = (size_t)(scanner->at - begin);
    scanner->at++;
    return true;
}

static bool take_slug(struct scanner *scanner, char ret[static SLUG_BYTES])
{
    const char *text = NULL;
    size_t bytes = 0;
    if (!take_string(scanner, &text, &bytes))
        return false;
    if (!text || !slug_is_valid(text, bytes))
        return fail(scanner, "a tier's or price's code is not valid");
    memcpy(ret, text, bytes);
    ret[bytes] = '\0';
    return true;
}

static bool take_number(struct scanner *scanner, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    skip_space(scanner);
    const char *begin = scanner->at;
    for (; scanner->at < scanner->end && *scanner->at >= '0' && *scanner->at <= '9'; scanner->at++) {
        uint64_t digit = (uint64_t)(*scanner->at - '0');
        if (value > (max - digit) / 10)
            return fail(scanner, "a number is too large");
        value = 10 * value + digit;
    }
    if (scanner->at == begin || (*begin == '0' && scanner->at - begin > 1))
        return fail(scanner, "a whole number is missing");
    *ret = value;
    return true;
}

// {CODE: n, …}; *ret_sum is how many tickets that are.
static bool take_tickets(struct scanner *scanner, struct choice *ret, uint64_t *ret_sum)
{
    char codes[CHOICES_CODES_MAX][SLUG_BYTES];
    size_t count = 0;
    uint64_t sum = 0;
    if (!expect(scanner, '{', "`tickets` is not an object"))
        return false;
    const char *begin = scanner->at - 1;
    do {
        uint64_t number = 0;
        if (count == CHOICES_CODES_MAX)
            return fail(scanner, "too many prices in one choice");
        if (!take_slug(scanner, codes[count]) || !expect(scanner, ':', "a colon is missing") ||
            !take_number(scanner, CHOICES_QUANTITY_MAX, &number))
            return false;
        for (size_t i = 0; i < count; i++)
            if (strcmp(codes[i], codes[count]) == 0)
                return fail(scanner, "a price is there twice");
        count++;
        sum += number;
    } while (take(scanner, ','));
    if (!expect(scanner, '}', "`tickets` does not end"))
        return false;
    ret->tickets = begin;
    ret->tickets_bytes = (size_t)(scanner->at - begin);
    *ret_sum = sum;
    return ret->tickets_bytes <= CHOICES_TICKETS_BYTES_MAX || fail(scanner, "`tickets` is too long");
}

// As event files allow it, so nothing in it needs an escape.
static bool row_is_plain(const char *row)
{
    return row[strspn(row, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ._-")] == '\0';
}

// ["A-12", …]; a row's name is the same in upper and lower case.
static bool take_seats(struct scanner *scanner, struct choice *ret, uint64_t *ret_count)
{
    struct {
        char row[SEAT_ROW_NAME_BYTES];
        uint16_t number;
    } seats[SEATS_IN_ORDER_MAX];
    size_t count = 0;
    if (!expect(scanner, '[', "`seats` is not an array"))
        return false;
    const char *begin = scanner->at - 1;
    do {
        const char *name = NULL;
        size_t bytes = 0;
        if (count == SEATS_IN_ORDER_MAX)
            return fail(scanner, "too many seats in one choice");
        if (!take_string(scanner, &name, &bytes))
            return false;
        if (memchr(name, '\0', bytes) || seat_name_read(name, bytes, seats[count].row, &seats[count].number) ||
            !row_is_plain(seats[count].row))
            return fail(scanner, "a seat's name is not valid");
        for (size_t i = 0; i < count; i++)
            if (seats[i].number == seats[count].number && strcasecmp(seats[i].row, seats[count].row) == 0)
                return fail(scanner, "a seat is there twice");
        count++;
    } while (take(scanner, ','));
    if (!expect(scanner, ']', "`seats` does not end"))
        return false;
    ret->seats = begin;
    ret->seats_bytes = (size_t)(scanner->at - begin);
    *ret_count = count;
    return true;
}

bool choice_next_seat(const struct choice *choice, size_t *at, char ret_row[static SEAT_ROW_NAME_BYTES],
                      uint16_t *ret_number)
{
    const char *name = NULL;
    size_t bytes = 0;
    if (!choice->seats)
        return false;
    struct scanner scanner = {.at = choice->seats + *at, .end = choice->seats + choice->seats_bytes};
    if (!take(&scanner, *at == 0 ? '[' : ',') || !take_string(&scanner, &name, &bytes) ||
        seat_name_read(name, bytes, ret_row, ret_number))
        return false;
    *at = (size_t)(scanner.at - choice->seats);
    return true;
}

// The first four are in every choice.
enum member {
    MEMBER_TIER,
    MEMBER_TICKETS,
    MEMBER_QUANTITY,
    MEMBER_AMOUNT,
    MEMBER_SEATS,
    MEMBER_WHEELCHAIR,
    MEMBER_COMPANION,
    MEMBER_COUNT
};
static const char *const member_names[MEMBER_COUNT] = {"tier",  "tickets",    "quantity", "amount",
                                                       "seats", "wheelchair", "companion"};
#define MEMBERS_NEEDED ((1u << MEMBER_SEATS) - 1)

static enum member member_of(const char *name, size_t bytes)
{
    enum member member = MEMBER_TIER;
    while (member < MEMBER_COUNT &&
           (strlen(member_names[member]) != bytes || memcmp(member_names[member], name, bytes) != 0))
        member++;
    return member;
}

// What its members say of how many there are.
struct numbers {
    uint64_t quantity, tickets, seats, wheelchair, companion;
};

static bool take_member(struct scanner *scanner, enum member member, struct choice *ret, struct numbers *numbers)
{
    switch (member) {
    case MEMBER_TIER:
        return take_slug(scanner, ret->tier);
    case MEMBER_TICKETS:
        return take_tickets(scanner, ret, &numbers->tickets);
    case MEMBER_QUANTITY:
        return take_number(scanner, CHOICES_QUANTITY_MAX, &numbers->quantity);
    case MEMBER_AMOUNT:
        return take_number(scanner, INT64_MAX, &ret->amount);
    case MEMBER_SEATS:
        return take_seats(scanner, ret, &numbers->seats);
    case MEMBER_WHEELCHAIR:
        return take_number(scanner, CHOICES_QUANTITY_MAX, &numbers->wheelchair);
    case MEMBER_COMPANION:
        return take_number(scanner, CHOICES_QUANTITY_MAX, &numbers->companion);
    case MEMBER_COUNT:
        break;
    }
    return fail(scanner, "a choice has a member that cannot be booked");
}

static bool numbers_agree(struct scanner *scanner, const struct choice *choice, const struct numbers *numbers)
{
    if (numbers->quantity == 0 || numbers->quantity != numbers->tickets)
        return fail(scanner, "`quantity` is not the number of the tickets");
    if (choice->seats && numbers->seats != numbers->quantity)
        return fail(scanner, "`seats` are not as many as the tickets");
    if (numbers->wheelchair + numbers->companion > numbers->quantity)
        return fail(scanner, "more have needs than there are tickets");
    return true;
}

static bool take_choice(struct scanner *scanner, struct choice *ret)
{
    struct numbers numbers = {0};
    unsigned seen = 0;
    *ret = (struct choice){0};
    if (!expect(scanner, '{', "a choice is not an object"))
        return false;
    do {
        const char *name = NULL;
        size_t bytes = 0;
        if (!take_string(scanner, &name, &bytes) || !expect(scanner, ':', "a colon is missing"))
            return false;
        enum member member = member_of(name, bytes);
        if (seen & (1u << member))
            return fail(scanner, "a member is there twice");
        seen |= 1u << member;
        if (!take_member(scanner, member, ret, &numbers))
            return false;
    } while (take(scanner, ','));
    if (!expect(scanner, '}', "a choice does not end"))
        return false;
    if ((seen & MEMBERS_NEEDED) != MEMBERS_NEEDED)
        return fail(scanner, "a choice lacks a member");
    ret->quantity = (uint32_t)numbers.quantity;
    ret->wheelchair = (uint32_t)numbers.wheelchair;
    ret->companion = (uint32_t)numbers.companion;
    return numbers_agree(scanner, ret, &numbers);
}

static bool take_choices(struct scanner *scanner, struct choices *ret)
{
    ret->count = 0;
    if (!expect(scanner, '[', "it is not an array"))
        return false;
    do {
        if (ret->count == CHOICES_MAX)
            return fail(scanner, "there are too many choices");
        if (!take_choice(scanner, &ret->items[ret->count]))
            return false;
        ret->count++;
    } while (take(scanner, ','));
    if (!expect(scanner, ']', "the array does not end"))
        return false;
    skip_space(scanner);
    return scanner->at == scanner->end || fail(scanner, "something follows the array");
}

int choices_read(const char *text, size_t bytes, struct choices *ret, char *problem, size_t problem_bytes)
{
    struct scanner scanner = {.at = text, .end = text + bytes};
    if (take_choices(&scanner, ret))
        return 0;
    if (problem && problem_bytes)
        snprintf(problem, problem_bytes, "choices, byte %zu: %s", (size_t)(scanner.at - text), scanner.problem);
    return ERROR_INVALID;
}
