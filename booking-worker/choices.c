// SPDX-License-Identifier: Apache-2.0
// A scanner that goes once from left to right. Names are slugs and numbers are whole, so nothing needs unescaping, and a
// backslash, a sign or a point is a mistake like any other.
#include "booking-worker/choices.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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

enum member { MEMBER_TIER, MEMBER_TICKETS, MEMBER_QUANTITY, MEMBER_AMOUNT, MEMBER_COUNT };
static const char *const member_names[MEMBER_COUNT] = {"tier", "tickets", "quantity", "amount"};

static enum member member_of(const char *name, size_t bytes)
{
    enum member member = MEMBER_TIER;
    while (member < MEMBER_COUNT &&
           (strlen(member_names[member]) != bytes || memcmp(member_names[member], name, bytes) != 0))
        member++;
    return member;
}

static bool take_choice(struct scanner *scanner, struct choice *ret)
{
    uint64_t quantity = 0, sum = 0;
    unsigned seen = 0;
    if (!expect(scanner, '{', "a choice is not an object"))
        return false;
    do {
        const char *name = NULL;
        size_t bytes = 0;
        if (!take_string(scanner, &name, &bytes) || !expect(scanner, ':', "a colon is missing"))
            return false;
        enum member member = member_of(name, bytes);
        if (member == MEMBER_COUNT)
            return fail(scanner, "a choice has a member that cannot be booked");
        if (seen & 1u << member)
            return fail(scanner, "a member is there twice");
        seen |= 1u << member;
        bool good = false;
        switch (member) {
        case MEMBER_TIER:
            good = take_slug(scanner, ret->tier);
            break;
        case MEMBER_TICKETS:
            good = take_tickets(scanner, ret, &sum);
            break;
        case MEMBER_QUANTITY:
            good = take_number(scanner, CHOICES_QUANTITY_MAX, &quantity);
            break;
        case MEMBER_AMOUNT:
            good = take_number(scanner, INT64_MAX, &ret->amount);
            break;
        case MEMBER_COUNT:
            break;
        }
        if (!good)
            return false;
    } while (take(scanner, ','));
    if (!expect(scanner, '}', "a choice does not end"))
        return false;
    if (seen != (1u << MEMBER_COUNT) - 1)
        return fail(scanner, "a choice lacks a member");
    ret->quantity = (uint32_t)quantity;
    return (quantity > 0 && quantity == sum) || fail(scanner, "`quantity` is not the number of the tickets");
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
