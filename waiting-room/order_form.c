// SPDX-License-Identifier: Apache-2.0
// One pass over the document: needs, choices (order_choice.c), person. Every problem that it has is noted, so that a visitor mends all of
// them at once.
#include "waiting-room/order_form.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/customer.h"
#include "common/json.h"
#include "common/seat.h"
#include "waiting-room/http.h"
#include "waiting-room/order_choice.h"
#include "waiting-room/payment_form.h"

#define EMAIL_LOCAL_BYTES_MAX 64 // RFC 5321, 4.5.3.1.1

// How many people of the order have a need: 0 or more, or true for one.
static uint64_t read_need(struct order_reading *reading, const json_t *needs, const char *key, const char *field)
{
    const json_t *value = json_object_get(needs, key);
    if (!value || json_is_null(value) || json_is_boolean(value))
        return json_is_true(value);
    json_int_t count = json_is_integer(value) ? json_integer_value(value) : -1;
    if (count >= 0 && count <= SEATS_IN_ORDER_MAX)
        return (uint64_t)count;
    order_note(reading, "", field, "It is how many people, 0 or more and no more than the tickets.");
    return 0;
}

static void read_needs(struct order_reading *reading, const json_t *body)
{
    static const char *const known[] = {"wheelchair", "companion", NULL};
    const json_t *needs = json_object_get(body, "needs");
    if (!order_is_given(body, "needs"))
        return;
    if (!json_is_object(needs)) {
        order_note(reading, "", "needs", "It is an object with wheelchair and companion.");
        return;
    }
    const char *unknown = json_unknown_key(needs, known);
    if (unknown)
        order_note(reading, "needs.", unknown, "There is no such member.");
    reading->wheelchair = read_need(reading, needs, "wheelchair", "needs.wheelchair");
    reading->companion = read_need(reading, needs, "companion", "needs.companion");
}

// Whether the tier is asked for by an earlier choice, in the same way: who names seats may take any others of the tier instead.
static bool is_asked_for(const struct order_choice *choice, const struct order_choice *earlier, size_t earlier_count)
{
    for (size_t i = 0; i < earlier_count; i++)
        if (earlier[i].tier == choice->tier && !(earlier[i].seats.bytes > 0 && choice->seats.bytes == 0))
            return true;
    return false;
}

static void read_alternative(struct order_reading *reading, size_t index, const json_t *object,
                             struct order_choice *choices)
{
    static const char *const known[] = {"tier", "tickets", "quantity", "seats", NULL};
    char prefix[40];
    snprintf(prefix, sizeof prefix, "alternatives.%zu", index);
    if (!json_is_object(object)) {
        order_note(reading, prefix, "", "It is an object with a tier and tickets.");
        return;
    }
    snprintf(prefix, sizeof prefix, "alternatives.%zu.", index);
    const char *unknown = json_unknown_key(object, known);
    if (unknown)
        order_note(reading, prefix, unknown, "There is no such member.");
    struct order_choice *choice = &choices[index + 1];
    order_choice_read(reading, prefix, object, choice);
    if (choice->tier && is_asked_for(choice, choices, index + 1))
        order_note(reading, prefix, "tier", "This tier is asked for already.");
}

// Reads the others behind the first one. Returns how many choices there are.
static size_t read_alternatives(struct order_reading *reading, const json_t *body, struct order_choice *choices)
{
    const json_t *array = json_object_get(body, "alternatives");
    if (!array || json_is_null(array))
        return 1;
    if (!json_is_array(array) || json_array_size(array) > ORDER_FORM_ALTERNATIVES_MAX) {
        order_note(reading, "", "alternatives", "It is a list of at most three choices.");
        return 1;
    }
    for (size_t i = 0; i < json_array_size(array); i++)
        read_alternative(reading, i, json_array_get(array, i), choices);
    return 1 + json_array_size(array);
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

static int read_email(struct order_reading *reading, const json_t *body, struct order_form *form)
{
    const char *given;
    int found = json_read_string(body, "email", HTTP_BODY_BYTES_MAX, &given);
    if (found < 0) {
        order_note(reading, "", "email",
                   found == ERROR_NOT_FOUND ? "Say where to reach you." : "It is an e-mail address, as text.");
        return 0;
    }
    form->email = trimmed(given);
    if (!form->email)
        return ERROR_MEMORY;
    if (strlen(form->email) > ORDER_FORM_EMAIL_BYTES_MAX)
        order_note(reading, "", "email", "It is longer than an e-mail address can be.");
    else if (has_controls(given) || !is_email(form->email))
        order_note(reading, "", "email", "This is no e-mail address: it has the form name@example.org.");
    return 0;
}

// A text that may be missing; an empty one counts as missing.
static int read_optional(struct order_reading *reading, const json_t *body, const char *key, size_t bytes_max,
                         char **ret)
{
    const char *given;
    int found = json_read_string(body, key, HTTP_BODY_BYTES_MAX, &given);
    if (found == ERROR_NOT_FOUND)
        return 0;
    if (found < 0) {
        order_note(reading, "", key, "It is text.");
        return 0;
    }
    char *text = trimmed(given);
    if (!text)
        return ERROR_MEMORY;
    if (strlen(text) > bytes_max)
        order_note_most(reading, "", key, bytes_max, "bytes");
    else if (has_controls(given))
        order_note(reading, "", key, "It has no control characters or line breaks.");
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

static int read_payment_method(struct order_reading *reading, const json_t *body, struct order_form *form)
{
    const char *method;
    int found = json_read_string(body, "payment_method", HTTP_BODY_BYTES_MAX, &method);
    if (found == ERROR_NOT_FOUND)
        return 0;
    const char *problem = found < 0 ? "It is text." : payment_method_problem(method);
    if (problem) {
        order_note(reading, "", "payment_method", problem);
        return 0;
    }
    form->payment_method = strdup(method);
    return form->payment_method ? 0 : ERROR_MEMORY;
}

static int read_person(struct order_reading *reading, const json_t *body, struct order_form *form)
{
    int error = read_email(reading, body, form);
    if (error == 0)
        error = read_optional(reading, body, "name", ORDER_FORM_NAME_BYTES_MAX, &form->name);
    if (error == 0)
        error = read_optional(reading, body, "lang", ORDER_FORM_LANG_BYTES_MAX, &form->lang);
    if (error == 0 && form->lang && !is_language(form->lang))
        order_note(reading, "", "lang", "It is a language tag such as en or pt-BR.");
    return error;
}

static char *choices_text(const struct order_reading *reading, const struct order_choice *choices, size_t count)
{
    struct buffer text = BUFFER_INIT;
    buffer_text(&text, "[");
    for (size_t i = 0; i < count; i++) {
        buffer_text(&text, i ? "," : "");
        order_choice_write(reading, &choices[i], &text);
    }
    buffer_text(&text, "]");
    return buffer_take(&text);
}

static int take_choices(const struct order_reading *reading, struct order_choice *choices, size_t count,
                        struct order_form *form)
{
    struct order_choice *first = &choices[0];
    bool by_name = first->seats.bytes > 0;
    memcpy(form->tier, first->tier->code, sizeof form->tier);
    form->quantity = (uint32_t)first->quantity;
    form->amount = first->amount;
    form->wheelchair = (uint32_t)reading->wheelchair;
    form->companion = (uint32_t)reading->companion;
    form->choices = choices_text(reading, choices, count);
    form->alternatives = count > 1 ? choices_text(reading, choices + 1, count - 1) : NULL;
    form->tickets = buffer_take(&first->tickets);
    form->seats = by_name ? buffer_take(&first->seats) : NULL;
    return form->choices && form->tickets && (form->alternatives || count == 1) && (form->seats || !by_name)
               ? 0
               : ERROR_MEMORY;
}

static bool has_seated(const struct order_choice *choices, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (choices[i].tier && choices[i].tier->seated)
            return true;
    return false;
}

static int read_body(struct order_reading *reading, const json_t *body, struct order_form *form)
{
    static const char *const known[] = {"tier",  "tickets", "quantity", "seats",          "needs", "alternatives",
                                        "email", "name",    "lang",     "payment_method", NULL};
    struct order_choice choices[1 + ORDER_FORM_ALTERNATIVES_MAX] = {0};
    const char *unknown = json_unknown_key(body, known);
    if (unknown)
        order_note(reading, "", unknown, "There is no such member.");
    read_needs(reading, body);
    order_choice_read(reading, "", body, &choices[0]);
    size_t count = read_alternatives(reading, body, choices);
    // A need that nobody could look at must not seem to be noted.
    if (reading->wheelchair + reading->companion > 0 && reading->problems->count == 0 && !has_seated(choices, count))
        order_note(reading, "", "needs", "Places are kept for these needs in tiers with seats only.");
    int error = read_person(reading, body, form);
    if (error == 0)
        error = read_payment_method(reading, body, form);
    if (error == 0 && reading->problems->count > 0)
        error = ERROR_CONFLICT;
    if (error == 0)
        error = take_choices(reading, choices, count, form);
    for (size_t i = 0; i < count; i++)
        order_choice_done(&choices[i]);
    return error;
}

int order_form_read(const char *body, size_t bytes, const struct snapshot *event, struct order_form *ret,
                    struct order_form_problems *ret_problems)
{
    json_t *object CLEANUP(json_cleanup) = NULL;
    struct order_reading reading = {.event = event, .problems = ret_problems};
    ret_problems->count = 0;
    ret_problems->malformed[0] = '\0';
    int error = json_read_object(body, bytes, HTTP_BODY_BYTES_MAX, ret_problems->malformed,
                                 sizeof ret_problems->malformed, &object);
    if (error < 0)
        return error == ERROR_MEMORY ? error : ERROR_INVALID;
    *ret = (struct order_form){0};
    error = read_body(&reading, object, ret);
    if (error < 0) {
        order_form_done(ret);
        return error;
    }
    memcpy(ret->currency, event->currency, sizeof ret->currency);
    customer_of_email(ret->email, ret->customer);
    return 0;
}

void order_form_done(struct order_form *form)
{
    if (!form)
        return;
    free(form->tickets);
    free(form->choices);
    free(form->alternatives);
    free(form->seats);
    free(form->email);
    free(form->name);
    free(form->lang);
    free(form->payment_method);
    *form = (struct order_form){0};
}
