// SPDX-License-Identifier: Apache-2.0
// One pass over the document; every problem that it has is noted, so that a visitor mends all of them at once.
#include "waiting-room/order_form.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/customer.h"
#include "common/json.h"
#include "common/utf8.h"
#include "waiting-room/http.h"

#define EMAIL_LOCAL_BYTES_MAX 64 // RFC 5321, 4.5.3.1.1

struct reading {
    const struct snapshot *event;
    struct order_form *form;
    struct order_form_problems *problems;
};

// What one choice came to.
struct priced {
    const struct snapshot_tier *tier; // NULL: there is none of that name
    uint64_t quantity, amount;
    struct buffer tickets; // the JSON object
};

static void note(struct reading *reading, const char *prefix, const char *field, const char *detail)
{
    struct order_form_problems *problems = reading->problems;
    if (problems->count == ORDER_FORM_PROBLEMS_MAX)
        return;
    struct order_form_problem *problem = &problems->items[problems->count++];
    snprintf(problem->field, sizeof problem->field, "%s%s", prefix, field);
    snprintf(problem->detail, sizeof problem->detail, "%s", detail);
    utf8_mend(problem->field); // a long foreign name may have been cut in the middle of a character
}

static void note_most(struct reading *reading, const char *prefix, const char *field, uint64_t most, const char *what)
{
    char detail[160];
    snprintf(detail, sizeof detail, "At most %llu %s.", (unsigned long long)most, what);
    note(reading, prefix, field, detail);
}

static const struct snapshot_tier *find_tier(const struct snapshot *event, const char *code)
{
    for (size_t i = 0; i < event->tier_count; i++)
        if (strcmp(event->tiers[i].code, code) == 0)
            return &event->tiers[i];
    return NULL;
}

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

static void add_tickets(struct priced *priced, const struct snapshot_price *price, uint64_t count, uint64_t most)
{
    // Beyond what an order may have the sum alone matters, and not how far beyond.
    uint64_t counted = count < most + 1 ? count : most + 1;
    priced->quantity += counted;
    priced->amount += counted * price->amount;
    buffer_text(&priced->tickets, priced->tickets.bytes > 1 ? ",\"" : "\"");
    buffer_text(&priced->tickets, price->code);
    buffer_text(&priced->tickets, "\":");
    buffer_number(&priced->tickets, counted);
}

static void read_tickets(struct reading *reading, const char *prefix, const json_t *tickets, struct priced *priced)
{
    const char *code;
    json_t *value;
    if (!json_is_object(tickets) || json_object_size(tickets) == 0) {
        note(reading, prefix, "tickets", "It is an object with at least one price and a number of tickets.");
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)tickets, code, value) // the macro takes no const; nothing is changed
    {
        char field[160];
        uint64_t count;
        const struct snapshot_price *price = find_price(priced->tier, code);
        snprintf(field, sizeof field, "tickets.%s", code);
        if (!price)
            note(reading, prefix, field, "This tier has no such price.");
        else if (!read_count(value, &count))
            note(reading, prefix, field, "It is a whole number, 1 or more.");
        else
            add_tickets(priced, price, count, reading->event->max_per_order);
    }
}

static void read_quantity(struct reading *reading, const char *prefix, const json_t *quantity, struct priced *priced)
{
    uint64_t count;
    if (!read_count(quantity, &count))
        note(reading, prefix, "quantity", "It is a whole number, 1 or more.");
    else if (priced->tier->price_count > 0)
        add_tickets(priced, &priced->tier->prices[0], count, reading->event->max_per_order);
}

static bool is_given(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value && !json_is_null(value);
}

static void read_amounts(struct reading *reading, const char *prefix, const json_t *object, struct priced *priced)
{
    size_t before = reading->problems->count;
    bool tickets = is_given(object, "tickets"), quantity = is_given(object, "quantity");
    if (is_given(object, "seats"))
        note(reading, prefix, "seats", "Particular seats cannot be ordered yet.");
    else if (tickets && quantity)
        note(reading, prefix, "quantity", "Either this or tickets, not both.");
    else if (!tickets && !quantity)
        note(reading, prefix, "tickets", "Say how many: tickets by price, or a quantity.");
    else if (tickets)
        read_tickets(reading, prefix, json_object_get(object, "tickets"), priced);
    else
        read_quantity(reading, prefix, json_object_get(object, "quantity"), priced);
    if (reading->problems->count == before && priced->quantity > reading->event->max_per_order)
        note_most(reading, prefix, tickets ? "tickets" : "quantity", reading->event->max_per_order,
                  "tickets to an order");
}

static void read_choice(struct reading *reading, const char *prefix, const json_t *object, struct priced *priced)
{
    const char *code;
    int found = json_read_string(object, "tier", SLUG_BYTES, &code);
    if (found == 0)
        priced->tier = find_tier(reading->event, code);
    if (is_given(object, "needs"))
        note(reading, prefix, "needs", "Places for special needs cannot be ordered yet.");
    buffer_text(&priced->tickets, "{");
    if (found == ERROR_NOT_FOUND)
        note(reading, prefix, "tier", "Say which tier.");
    else if (found < 0)
        note(reading, prefix, "tier", "It is the code of a tier, as text.");
    else if (!priced->tier)
        note(reading, prefix, "tier", "There is no such tier.");
    else if (priced->tier->seated)
        note(reading, prefix, "tier", "Seats of this tier cannot be ordered yet.");
    else
        read_amounts(reading, prefix, object, priced);
    buffer_text(&priced->tickets, "}");
}

static void write_choice(struct buffer *text, const struct priced *priced)
{
    if (priced->tickets.failed) {
        text->failed = true;
        return;
    }
    buffer_text(text, "{\"tier\":\"");
    buffer_text(text, priced->tier->code);
    buffer_text(text, "\",\"tickets\":");
    buffer_text(text, priced->tickets.data);
    buffer_text(text, ",\"quantity\":");
    buffer_number(text, priced->quantity);
    buffer_text(text, ",\"amount\":");
    buffer_number(text, priced->amount);
    buffer_text(text, "}");
}

static void read_alternative(struct reading *reading, size_t index, const json_t *object,
                             const struct snapshot_tier **tiers, size_t tier_count, struct buffer *text)
{
    static const char *const known[] = {"tier", "tickets", "quantity", "seats", "needs", NULL};
    char prefix[40];
    struct priced priced = {0};
    size_t before = reading->problems->count;
    snprintf(prefix, sizeof prefix, "alternatives.%zu", index);
    if (!json_is_object(object)) {
        note(reading, prefix, "", "It is an object with a tier and tickets.");
        return;
    }
    snprintf(prefix, sizeof prefix, "alternatives.%zu.", index);
    const char *unknown = json_unknown_key(object, known);
    if (unknown)
        note(reading, prefix, unknown, "There is no such member.");
    read_choice(reading, prefix, object, &priced);
    for (size_t i = 0; i < tier_count; i++)
        if (priced.tier && priced.tier == tiers[i])
            note(reading, prefix, "tier", "This tier is asked for already.");
    tiers[tier_count] = priced.tier;
    if (reading->problems->count == before) {
        buffer_text(text, text->bytes > 1 ? "," : "");
        write_choice(text, &priced);
    }
    buffer_done(&priced.tickets);
}

// Appends the others to "[".
static void read_alternatives(struct reading *reading, const json_t *body, const struct snapshot_tier *first,
                              struct buffer *text)
{
    const json_t *array = json_object_get(body, "alternatives");
    const struct snapshot_tier *tiers[ORDER_FORM_ALTERNATIVES_MAX + 1] = {first};
    if (!array || json_is_null(array))
        return;
    if (!json_is_array(array) || json_array_size(array) > ORDER_FORM_ALTERNATIVES_MAX) {
        note(reading, "", "alternatives", "It is a list of at most three choices.");
        return;
    }
    for (size_t i = 0; i < json_array_size(array); i++)
        read_alternative(reading, i, json_array_get(array, i), tiers, i + 1, text);
}

// Whether text has a control character (C0, DEL, C1) or a line or paragraph separator, all of which break lines somewhere.
static bool has_controls(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    for (; *c; c++) {
        if (*c < 0x20 || *c == 0x7f || (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0))
            return true;
        if (c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9))
            return true;
    }
    return false;
}

static char *trimmed(const char *text)
{
    size_t begin = strspn(text, " \t");
    size_t bytes = strlen(text + begin);
    while (bytes > 0 && strchr(" \t", text[begin + bytes - 1]))
        bytes--;
    return strndup(text + begin, bytes);
}

static bool is_email(const char *text)
{
    const char *at = strchr(text, '@');
    if (!at || at == text || (size_t)(at - text) > EMAIL_LOCAL_BYTES_MAX || strchr(at + 1, '@') ||
        strpbrk(text, " \",<>()"))
        return false;
    const char *domain = at + 1;
    size_t bytes = strlen(domain);
    return bytes > 0 && domain[0] != '.' && domain[bytes - 1] != '.' && !strstr(domain, "..");
}

static int read_email(struct reading *reading, const json_t *body)
{
    const char *given;
    int found = json_read_string(body, "email", HTTP_BODY_BYTES_MAX, &given);
    if (found < 0) {
        note(reading, "", "email",
             found == ERROR_NOT_FOUND ? "Say where to reach you." : "It is an e-mail address, as text.");
        return 0;
    }
    reading->form->email = trimmed(given);
    if (!reading->form->email)
        return ERROR_MEMORY;
    if (strlen(reading->form->email) > ORDER_FORM_EMAIL_BYTES_MAX)
        note(reading, "", "email", "It is longer than an e-mail address can be.");
    else if (has_controls(given) || !is_email(reading->form->email))
        note(reading, "", "email", "This is no e-mail address: it has the form name@example.org.");
    return 0;
}

// A text that may be missing; an empty one counts as missing.
static int read_optional(struct reading *reading, const json_t *body, const char *key, size_t bytes_max, char **ret)
{
    const char *given;
    int found = json_read_string(body, key, HTTP_BODY_BYTES_MAX, &given);
    if (found == ERROR_NOT_FOUND)
        return 0;
    if (found < 0) {
        note(reading, "", key, "It is text.");
        return 0;
    }
    char *text = trimmed(given);
    if (!text)
        return ERROR_MEMORY;
    if (strlen(text) > bytes_max)
        note_most(reading, "", key, bytes_max, "bytes");
    else if (has_controls(given))
        note(reading, "", key, "It has no control characters or line breaks.");
    if (*text)
        *ret = text;
    else
        free(text);
    return 0;
}

static bool is_language(const char *lang)
{
    return strspn(lang, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == strlen(lang);
}

static int read_person(struct reading *reading, const json_t *body)
{
    char *method = NULL;
    int error = read_email(reading, body);
    if (error == 0)
        error = read_optional(reading, body, "name", ORDER_FORM_NAME_BYTES_MAX, &reading->form->name);
    if (error == 0)
        error = read_optional(reading, body, "lang", ORDER_FORM_LANG_BYTES_MAX, &reading->form->lang);
    if (error == 0 && reading->form->lang && !is_language(reading->form->lang))
        note(reading, "", "lang", "It is a language tag such as en or pt-BR.");
    if (error == 0)
        error = read_optional(reading, body, "payment_method", 200, &method); // nobody is charged through it yet
    free(method);
    return error;
}

static int take_choices(struct order_form *form, struct priced *first, struct buffer *alternatives)
{
    struct buffer choices = BUFFER_INIT;
    memcpy(form->tier, first->tier->code, sizeof form->tier);
    form->quantity = (uint32_t)first->quantity;
    form->amount = first->amount;
    buffer_text(&choices, "[");
    write_choice(&choices, first);
    if (alternatives->bytes > 1) {
        buffer_text(&choices, ",");
        buffer_text(&choices, alternatives->data + 1);
    }
    buffer_text(&choices, "]");
    buffer_text(alternatives, "]");
    bool some = alternatives->bytes > 2;
    form->choices = buffer_take(&choices);
    form->tickets = buffer_take(&first->tickets);
    form->alternatives = some ? buffer_take(alternatives) : NULL;
    return form->choices && form->tickets && (form->alternatives || !some) ? 0 : ERROR_MEMORY;
}

static int read_body(struct reading *reading, const json_t *body)
{
    static const char *const known[] = {"tier",  "tickets", "quantity", "seats",          "needs", "alternatives",
                                        "email", "name",    "lang",     "payment_method", NULL};
    struct priced first = {0};
    struct buffer alternatives CLEANUP(buffer_done) = BUFFER_INIT;
    const char *unknown = json_unknown_key(body, known);
    if (unknown)
        note(reading, "", unknown, "There is no such member.");
    read_choice(reading, "", body, &first);
    buffer_text(&alternatives, "[");
    read_alternatives(reading, body, first.tier, &alternatives);
    int error = read_person(reading, body);
    if (error == 0 && reading->problems->count > 0)
        error = ERROR_CONFLICT;
    if (error == 0)
        error = take_choices(reading->form, &first, &alternatives);
    buffer_done(&first.tickets);
    return error;
}

int order_form_read(const char *body, size_t bytes, const struct snapshot *event, struct order_form *ret,
                    struct order_form_problems *ret_problems)
{
    json_t *object CLEANUP(json_cleanup) = NULL;
    struct order_form form = {0};
    struct reading reading = {event, &form, ret_problems};
    ret_problems->count = 0;
    ret_problems->malformed[0] = '\0';
    int error = json_read_object(body, bytes, HTTP_BODY_BYTES_MAX, ret_problems->malformed,
                                 sizeof ret_problems->malformed, &object);
    if (error < 0)
        return error == ERROR_MEMORY ? error : ERROR_INVALID;
    error = read_body(&reading, object);
    if (error < 0) {
        order_form_done(&form);
        return error;
    }
    memcpy(form.currency, event->currency, sizeof form.currency);
    customer_of_email(form.email, form.customer);
    *ret = form;
    return 0;
}

void order_form_done(struct order_form *form)
{
    if (!form)
        return;
    free(form->tickets);
    free(form->choices);
    free(form->alternatives);
    free(form->email);
    free(form->name);
    free(form->lang);
    *form = (struct order_form){0};
}
