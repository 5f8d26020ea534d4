// SPDX-License-Identifier: Apache-2.0
// Outcomes as JSON, written with the plain functions of the buffer: a booked-out hall is a hundred thousand of them.
#include "common/outcome.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/seat.h"

#define OUTCOMES_VERSION 1
#define OUTCOMES_BODY_BYTES_MAX (768 * 1024)

void outcomes_begin(struct buffer *text, const char *slug, const char *currency, const char *sender, uint64_t seq)
{
    buffer_text(text, "{\"v\":1,\"type\":\"" OUTCOMES_TYPE "\",\"slug\":");
    buffer_json_string(text, slug);
    buffer_text(text, ",\"currency\":");
    buffer_json_string(text, currency);
    if (sender) {
        buffer_text(text, ",\"sender\":");
        buffer_json_string(text, sender);
        buffer_text(text, ",\"seq\":");
        buffer_number(text, seq);
    }
    buffer_text(text, ",\"outcomes\":[");
}

static void write_visitor(struct buffer *text, const uint8_t visitor[static OUTCOME_VISITOR_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char hex[2 * OUTCOME_VISITOR_BYTES];
    for (size_t i = 0; i < OUTCOME_VISITOR_BYTES; i++) {
        hex[2 * i] = digits[visitor[i] >> 4];
        hex[2 * i + 1] = digits[visitor[i] & 15];
    }
    buffer_append(text, hex, sizeof(hex));
}

void outcomes_add(struct buffer *text, const struct outcome *outcome)
{
    bool first = text->bytes > 0 && text->data[text->bytes - 1] == '[';
    buffer_text(text, first ? "{\"place\":" : ",{\"place\":");
    buffer_number(text, outcome->place);
    buffer_text(text, ",\"attempt\":");
    buffer_number(text, outcome->attempt);
    buffer_text(text, ",\"revision\":");
    buffer_number(text, outcome->revision);
    buffer_text(text, ",\"visitor\":\"");
    write_visitor(text, outcome->visitor);
    buffer_text(text, "\",\"state\":\"");
    buffer_text(text, order_state_name(outcome->state));
    buffer_text(text, "\"");
    if (outcome->reason != ORDER_NO_REASON) {
        buffer_text(text, ",\"reason\":\"");
        buffer_text(text, order_reason_name(outcome->reason));
        buffer_text(text, "\"");
    }
    if (outcome->reference[0]) {
        buffer_text(text, ",\"reference\":");
        buffer_json_string(text, outcome->reference);
    }
    if (outcome->tier[0]) {
        buffer_text(text, ",\"tier\":");
        buffer_json_string(text, outcome->tier);
        buffer_text(text, ",\"quantity\":");
        buffer_number(text, outcome->quantity);
        buffer_text(text, ",\"amount\":");
        buffer_number(text, outcome->amount);
    }
    if (outcome->tickets) {
        buffer_text(text, ",\"tickets\":");
        buffer_text(text, outcome->tickets);
    }
    if (outcome->seats) {
        buffer_text(text, ",\"seats\":");
        buffer_text(text, outcome->seats);
    }
    if (outcome->gone) {
        buffer_text(text, ",\"gone\":");
        buffer_text(text, outcome->gone);
    }
    if (outcome->pay_until_us > 0) { // there is none before 1970
        buffer_text(text, ",\"pay_until_us\":");
        buffer_number(text, (uint64_t)outcome->pay_until_us);
        if (outcome->had_more_time)
            buffer_text(text, ",\"had_more_time\":true");
    }
    if (outcome->action_url) {
        buffer_text(text, ",\"action_url\":");
        buffer_json_string(text, outcome->action_url);
    }
    if (outcome->refund[0]) {
        buffer_text(text, ",\"refund\":");
        buffer_json_string(text, outcome->refund);
    }
    buffer_text(text, "}");
}

void outcomes_end(struct buffer *text)
{
    buffer_text(text, "]}");
}

// ---------------------------------------------------------------- reading

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_visitor(const json_t *object, uint8_t ret[static OUTCOME_VISITOR_BYTES])
{
    const char *hex;
    if (json_read_string(object, "visitor", (size_t)2 * OUTCOME_VISITOR_BYTES + 1, &hex) ||
        strlen(hex) != (size_t)2 * OUTCOME_VISITOR_BYTES)
        return ERROR_INVALID;
    for (size_t i = 0; i < OUTCOME_VISITOR_BYTES; i++) {
        int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return ERROR_INVALID;
        ret[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

// A member that may be missing.
static int read_text(const json_t *object, const char *key, size_t bytes, char *ret)
{
    int result = json_read_text(object, key, bytes, ret);
    if (result != ERROR_NOT_FOUND)
        return result;
    ret[0] = '\0';
    return 0;
}

static int read_number(const json_t *object, const char *key, int64_t min, int64_t max, bool optional, int64_t *ret)
{
    int result = json_read_integer(object, key, min, max, ret);
    if (result != ERROR_NOT_FOUND || !optional)
        return result ? ERROR_INVALID : 0;
    *ret = 0;
    return 0;
}

// {CODE: n, …}: kept as text, which is what visitors are told.
static int read_tickets(const json_t *object, struct outcome *ret)
{
    json_t *tickets = json_object_get(object, "tickets");
    if (!tickets)
        return 0;
    const char *code;
    json_t *number;
    if (!json_is_object(tickets))
        return ERROR_INVALID;
    json_object_foreach(tickets, code, number)
    {
        if (!slug_is_valid(code, strlen(code)) || !json_is_integer(number) || json_integer_value(number) < 0)
            return ERROR_INVALID;
    }
    char *text = json_dumps(tickets, JSON_COMPACT);
    if (!text)
        return ERROR_MEMORY;
    ret->tickets = text;
    return strlen(text) < OUTCOME_TICKETS_BYTES ? 0 : ERROR_INVALID;
}

// ["A-12", …]: kept as text, too.
static int read_seats(const json_t *object, const char *key, const char **ret)
{
    json_t *seats = json_object_get(object, key);
    if (!seats)
        return 0;
    if (!json_is_array(seats) || json_array_size(seats) == 0 || json_array_size(seats) > SEATS_IN_ORDER_MAX)
        return ERROR_INVALID;
    for (size_t i = 0; i < json_array_size(seats); i++) {
        const json_t *name = json_array_get(seats, i);
        char row[SEAT_ROW_NAME_BYTES];
        uint16_t number;
        if (!json_is_string(name) ||
            seat_name_read(json_string_value(name), json_string_length(name), row, &number) < 0)
            return ERROR_INVALID;
    }
    *ret = json_dumps(seats, JSON_COMPACT);
    if (!*ret)
        return ERROR_MEMORY;
    return strlen(*ret) < OUTCOME_SEATS_BYTES ? 0
                                              : ERROR_INVALID; // rows of control characters grow when they are written
}

static int read_hold(const json_t *object, struct outcome *ret)
{
    const json_t *more_time = json_object_get(object, "had_more_time");
    int64_t pay_until_us;
    if (read_number(object, "pay_until_us", 1, INT64_MAX, true, &pay_until_us) ||
        (more_time && !json_is_boolean(more_time)))
        return ERROR_INVALID;
    ret->pay_until_us = pay_until_us ? pay_until_us : OUTCOME_NO_TIME;
    ret->had_more_time = json_is_true(more_time);
    return 0;
}

// Browsers are sent there, so nothing but an address of the web will do.
static bool is_address(const char *url)
{
    if (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0)
        return false;
    for (const char *c = url; *c; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    return true;
}

static int read_money(const json_t *object, struct outcome *ret)
{
    static const char *const refunds[] = {"", "pending", "done", "failed"};
    const char *url = NULL;
    int found = json_read_string(object, "action_url", OUTCOME_URL_BYTES - 1, &url);
    if (found == ERROR_INVALID || (found == 0 && !is_address(url)) ||
        read_text(object, "refund", sizeof(ret->refund), ret->refund))
        return ERROR_INVALID;
    bool is_known = false;
    for (size_t i = 0; i < sizeof(refunds) / sizeof(refunds[0]); i++)
        is_known = is_known || strcmp(ret->refund, refunds[i]) == 0;
    if (!is_known)
        return ERROR_INVALID;
    ret->action_url = found == 0 ? strdup(url) : NULL;
    return ret->action_url || found != 0 ? 0 : ERROR_MEMORY;
}

static int read_outcome(const json_t *object, struct outcome *ret)
{
    int64_t place, attempt, revision, quantity, amount;
    const char *state, *reason = NULL;
    if (!json_is_object(object) || read_number(object, "place", 1, INT64_MAX, false, &place) ||
        read_number(object, "attempt", 1, UINT16_MAX, false, &attempt) ||
        read_number(object, "revision", 1, UINT32_MAX, false, &revision) ||
        read_number(object, "quantity", 0, UINT32_MAX, true, &quantity) ||
        read_number(object, "amount", 0, INT64_MAX, true, &amount))
        return ERROR_INVALID;
    if (json_read_string(object, "state", 32, &state) || order_state_parse(state, &ret->state))
        return ERROR_INVALID;
    if (json_read_string(object, "reason", 32, &reason) == ERROR_INVALID || order_reason_parse(reason, &ret->reason))
        return ERROR_INVALID;
    if (read_visitor(object, ret->visitor) || read_text(object, "reference", sizeof(ret->reference), ret->reference) ||
        read_text(object, "tier", sizeof(ret->tier), ret->tier))
        return ERROR_INVALID;
    ret->place = (uint64_t)place;
    ret->attempt = (uint32_t)attempt;
    ret->revision = (uint32_t)revision;
    ret->quantity = (uint32_t)quantity;
    ret->amount = (uint64_t)amount;
    int result = read_tickets(object, ret);
    if (result == 0)
        result = read_seats(object, "seats", &ret->seats);
    if (result == 0)
        result = read_seats(object, "gone", &ret->gone);
    if (result == 0)
        result = read_hold(object, ret);
    return result ? result : read_money(object, ret);
}

void outcomes_done(struct outcomes *outcomes)
{
    if (!outcomes)
        return;
    for (size_t i = 0; outcomes->items && i < outcomes->count; i++) {
        free((void *)(uintptr_t)outcomes->items[i].tickets); // json_dumps() gave them
        free((void *)(uintptr_t)outcomes->items[i].seats);
        free((void *)(uintptr_t)outcomes->items[i].gone);
        free((void *)(uintptr_t)outcomes->items[i].action_url);
    }
    free(outcomes->items);
    *outcomes = (struct outcomes){0};
}

static int read_head(const json_t *object, struct outcomes *ret)
{
    int64_t version, seq;
    const char *type;
    if (json_read_integer(object, "v", OUTCOMES_VERSION, OUTCOMES_VERSION, &version) ||
        json_read_string(object, "type", 32, &type) || strcmp(type, OUTCOMES_TYPE) != 0)
        return ERROR_INVALID;
    if (read_text(object, "slug", sizeof(ret->slug), ret->slug) || !slug_is_valid(ret->slug, strlen(ret->slug)))
        return ERROR_INVALID;
    if (read_text(object, "currency", sizeof(ret->currency), ret->currency) || strlen(ret->currency) != 3)
        return ERROR_INVALID;
    if (read_text(object, "sender", sizeof(ret->sender), ret->sender) ||
        read_number(object, "seq", 0, INT64_MAX, true, &seq))
        return ERROR_INVALID;
    ret->seq = (uint64_t)seq;
    return 0;
}

static int read_items(const json_t *array, struct outcomes *ret)
{
    if (!json_is_array(array) || json_array_size(array) > OUTCOMES_MAX)
        return ERROR_INVALID;
    size_t count = json_array_size(array);
    ret->items = calloc(count + 1, sizeof(*ret->items));
    if (!ret->items)
        return ERROR_MEMORY;
    ret->count = count;
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = read_outcome(json_array_get(array, i), &ret->items[i]);
    return result;
}

int outcomes_read(const char *body, size_t body_bytes, struct outcomes *ret, char *problem, size_t problem_bytes)
{
    json_t *object CLEANUP(json_cleanup) = NULL;
    struct outcomes outcomes = {0};
    int result = json_read_object(body, body_bytes, OUTCOMES_BODY_BYTES_MAX, problem, problem_bytes, &object);
    if (result)
        return result == ERROR_LIMIT ? ERROR_INVALID : result;
    result = read_head(object, &outcomes);
    if (result == 0)
        result = read_items(json_object_get(object, "outcomes"), &outcomes);
    if (result == 0) {
        *ret = outcomes;
        return 0;
    }
    if (problem && problem_bytes)
        snprintf(problem, problem_bytes, "%s",
                 outcomes.items ? "outcomes: missing or out of bounds" : "v, type, slug, currency, sender or seq");
    outcomes_done(&outcomes);
    return result;
}
