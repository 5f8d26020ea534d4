// SPDX-License-Identifier: Apache-2.0
// Orders as visitors are told them.
#include "waiting-room/order_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"

struct order_facts *order_facts_new(void)
{
    struct order_facts *facts = calloc(1, sizeof *facts);
    if (facts) {
        facts->references = 1;
        facts->pay_until_us = OUTCOME_NO_TIME;
        facts->ahead = -1;
        facts->tries_left = -1;
    }
    return facts;
}

struct order_facts *order_facts_ref(struct order_facts *facts)
{
    if (facts)
        facts->references++;
    return facts;
}

static void free_facts(struct order_facts *facts)
{
    free(facts->tickets);
    free(facts->alternatives);
    free(facts->email);
    free(facts->name);
    free(facts->seats);
    free(facts->gone);
    free(facts->action_url);
    free(facts);
}

void order_facts_unref(struct order_facts *facts)
{
    if (facts && --facts->references == 0)
        free_facts(facts);
}

bool order_facts_is_news(const struct order_facts *known, uint32_t attempt, uint32_t revision)
{
    return !known || attempt > known->attempt || (attempt == known->attempt && revision > known->revision);
}

// False when out of memory.
static bool copy_text(char **ret, const char *text)
{
    if (!text)
        return true;
    *ret = strdup(text);
    return *ret != NULL;
}

// What an outcome does not carry stays as it was ordered.
static bool keep_known(struct order_facts *facts, const struct order_facts *known, const struct outcome *outcome)
{
    if (!copy_text(&facts->email, known->email) || !copy_text(&facts->name, known->name) ||
        !copy_text(&facts->alternatives, known->alternatives))
        return false;
    facts->wheelchair = known->wheelchair;
    facts->companion = known->companion;
    facts->has_payment_method = known->has_payment_method;
    facts->has_card = known->has_card;
    memcpy(facts->card_label, known->card_label, sizeof facts->card_label);
    if (outcome->tier[0])
        return true;
    memcpy(facts->tier, known->tier, sizeof facts->tier);
    facts->quantity = known->quantity;
    facts->amount = known->amount;
    return copy_text(&facts->tickets, known->tickets) && copy_text(&facts->seats, known->seats);
}

struct order_facts *order_facts_after(const struct order_facts *known, const struct outcome *outcome,
                                      const char *currency)
{
    struct order_facts *facts = order_facts_new();
    if (!facts)
        return NULL;
    facts->place = outcome->place;
    facts->attempt = outcome->attempt;
    facts->revision = outcome->revision;
    facts->state = outcome->state;
    facts->reason = outcome->reason;
    memcpy(facts->reference, outcome->reference, sizeof facts->reference);
    memcpy(facts->tier, outcome->tier, sizeof facts->tier);
    facts->quantity = outcome->quantity;
    facts->amount = outcome->amount;
    facts->pay_until_us = outcome->pay_until_us;
    facts->had_more_time = outcome->had_more_time;
    memcpy(facts->refund, outcome->refund, sizeof facts->refund);
    memcpy(facts->currency, currency, strnlen(currency, sizeof facts->currency - 1));
    bool whole = !known || known->attempt != outcome->attempt || keep_known(facts, known, outcome);
    if (whole && outcome->tier[0])
        whole = copy_text(&facts->tickets, outcome->tickets) && copy_text(&facts->seats, outcome->seats);
    if (whole && copy_text(&facts->gone, outcome->gone) && copy_text(&facts->action_url, outcome->action_url))
        return facts;
    free_facts(facts);
    return NULL;
}

// An order has the same needs in each seated tier that it asks for; the others do not mention them.
static void take_needs(struct order_facts *facts, const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *choice = json_array_get(array, i);
        json_int_t wheelchair = json_integer_value(json_object_get(choice, "wheelchair"));
        json_int_t companion = json_integer_value(json_object_get(choice, "companion"));
        facts->wheelchair = wheelchair > 0 ? (uint32_t)wheelchair : facts->wheelchair;
        facts->companion = companion > 0 ? (uint32_t)companion : facts->companion;
    }
}

static int take_wanted(struct order_facts *facts, const json_t *choice)
{
    const char *tier;
    int64_t quantity, amount;
    const json_t *tickets = json_object_get(choice, "tickets"), *seats = json_object_get(choice, "seats");
    if (json_read_string(choice, "tier", sizeof facts->tier, &tier) < 0 || strlen(tier) >= sizeof facts->tier ||
        json_read_integer(choice, "quantity", 1, UINT32_MAX, &quantity) < 0 ||
        json_read_integer(choice, "amount", 0, INT64_MAX, &amount) < 0 || !json_is_object(tickets) ||
        (seats && !json_is_array(seats)))
        return ERROR_BUG;
    memcpy(facts->tier, tier, strlen(tier) + 1);
    facts->quantity = (uint32_t)quantity;
    facts->amount = (uint64_t)amount;
    facts->tickets = json_dumps(tickets, JSON_COMPACT);
    if (seats && !facts->seats)
        facts->seats = json_dumps(seats, JSON_COMPACT);
    return facts->tickets && (facts->seats || !seats) ? 0 : ERROR_MEMORY;
}

static int take_choice(struct order_facts *facts, json_t *array, unsigned choice)
{
    int error = take_wanted(facts, json_array_get(array, choice));
    if (error < 0)
        return error;
    take_needs(facts, array);
    if (json_array_size(array) == 1)
        return 0;
    json_array_remove(array, choice);
    facts->alternatives = json_dumps(array, JSON_COMPACT);
    return facts->alternatives ? 0 : ERROR_MEMORY;
}

int order_facts_take_choices(struct order_facts *facts, const char *choices, unsigned choice)
{
    json_t *array CLEANUP(json_cleanup) = choices ? json_loads(choices, 0, NULL) : NULL;
    return json_is_array(array) && choice < json_array_size(array) ? take_choice(facts, array, choice) : ERROR_BUG;
}

static struct order_facts *copy(const struct order_facts *facts)
{
    struct order_facts *copied = order_facts_new();
    if (!copied)
        return NULL;
    *copied = *facts;
    copied->references = 1;
    copied->tickets = copied->alternatives = copied->email = copied->name = copied->seats = copied->gone =
        copied->action_url = NULL;
    if (copy_text(&copied->tickets, facts->tickets) && copy_text(&copied->alternatives, facts->alternatives) &&
        copy_text(&copied->email, facts->email) && copy_text(&copied->name, facts->name) &&
        copy_text(&copied->seats, facts->seats) && copy_text(&copied->gone, facts->gone) &&
        copy_text(&copied->action_url, facts->action_url))
        return copied;
    free_facts(copied);
    return NULL;
}

struct order_facts *order_facts_ended(const struct order_facts *facts, enum order_state state, uint32_t revision)
{
    struct order_facts *ended = copy(facts);
    if (!ended)
        return NULL;
    ended->state = state;
    ended->revision = revision;
    ended->pay_until_us = OUTCOME_NO_TIME;
    ended->ahead = -1;
    return ended;
}

struct order_facts *order_facts_prolonged(const struct order_facts *facts, int64_t by_us, uint32_t revision)
{
    struct order_facts *prolonged = copy(facts);
    if (!prolonged)
        return NULL;
    prolonged->revision = revision;
    prolonged->pay_until_us += by_us;
    prolonged->had_more_time = true;
    return prolonged;
}

struct order_facts *order_facts_paying(const struct order_facts *facts, uint32_t revision)
{
    struct order_facts *paying = copy(facts);
    if (!paying)
        return NULL;
    paying->state = ORDER_PAYING;
    paying->reason = ORDER_NO_REASON; // of the last decline
    paying->tries_left = -1;
    paying->revision = revision;
    return paying;
}

struct order_facts *order_facts_with_card(const struct order_facts *facts, const char *label)
{
    struct order_facts *with = copy(facts);
    if (!with)
        return NULL;
    with->has_card = label != NULL;
    snprintf(with->card_label, sizeof with->card_label, "%s", label ? label : "");
    return with;
}

struct order_facts *order_facts_behind(const struct order_facts *facts, int64_t ahead)
{
    struct order_facts *behind = copy(facts);
    if (behind)
        behind->ahead = ahead;
    return behind;
}

bool order_facts_may_ask_for_more_time(const struct order_facts *facts)
{
    return (facts->state == ORDER_HELD || facts->state == ORDER_DECLINED) && !facts->had_more_time;
}

static void write_text(struct buffer *text, const char *key, const char *value)
{
    buffer_text(text, ",\"");
    buffer_text(text, key);
    buffer_text(text, "\":");
    buffer_json_string(text, value);
}

static void write_number(struct buffer *text, const char *key, uint64_t value)
{
    buffer_text(text, ",\"");
    buffer_text(text, key);
    buffer_text(text, "\":");
    buffer_number(text, value);
}

static void write_json(struct buffer *text, const char *key, const char *value)
{
    buffer_text(text, ",\"");
    buffer_text(text, key);
    buffer_text(text, "\":");
    buffer_text(text, value);
}

int64_t order_facts_pay_until_us(const struct order_facts *facts, int64_t stopped_us)
{
    return facts->pay_until_us == OUTCOME_NO_TIME ? OUTCOME_NO_TIME : facts->pay_until_us + stopped_us;
}

// What is wanted, or what was given.
static void write_wanted(struct buffer *text, const struct order_facts *facts)
{
    write_text(text, "tier", facts->tier);
    if (facts->tickets)
        write_json(text, "tickets", facts->tickets);
    if (facts->seats)
        write_json(text, "seats", facts->seats);
    write_number(text, "quantity", facts->quantity);
    write_number(text, "amount", facts->amount);
}

static void write_needs(struct buffer *text, const struct order_facts *facts)
{
    if (facts->wheelchair == 0 && facts->companion == 0)
        return;
    buffer_text(text, ",\"needs\":{\"wheelchair\":");
    buffer_number(text, facts->wheelchair);
    write_number(text, "companion", facts->companion);
    buffer_text(text, "}");
}

// What there is to know of the time until it is decided: the end of a hold, or how many stand by before.
static void write_waiting(struct buffer *text, const struct order_facts *facts, int64_t stopped_us)
{
    char time[CLOCK_TEXT_BYTES];
    int64_t pay_until_us = order_facts_pay_until_us(facts, stopped_us);
    if (pay_until_us != OUTCOME_NO_TIME && order_may_lapse(facts->state)) {
        write_text(text, "pay_until", clock_format(pay_until_us, time));
        write_json(text, "more_time", order_facts_may_ask_for_more_time(facts) ? "true" : "false");
    }
    if (facts->state == ORDER_STANDBY && facts->ahead >= 0)
        write_number(text, "ahead", (uint64_t)facts->ahead);
}

// What it is, or will be, paid with; never the provider's ids.
static void write_means(struct buffer *text, const struct order_facts *facts)
{
    if (facts->has_payment_method)
        write_json(text, "has_payment_method", "true");
    if (facts->has_card) {
        buffer_text(text, ",\"card\":{\"label\":");
        buffer_json_string(text, facts->card_label);
        buffer_text(text, "}");
    }
}

// Else it is the reason of an earlier state: a visitor who gave back what was declined was not declined.
static bool has_reason(const struct order_facts *facts)
{
    return facts->reason != ORDER_NO_REASON && (facts->state == ORDER_REFUSED || facts->state == ORDER_FAILED ||
                                                facts->state == ORDER_DECLINED || facts->state == ORDER_PAYING);
}

void order_facts_write(struct buffer *text, const struct order_facts *facts, int64_t stopped_us, int64_t now_us)
{
    char now[CLOCK_TEXT_BYTES];
    buffer_text(text, "{\"state\":\"");
    buffer_text(text, order_state_name(facts->state));
    buffer_text(text, "\"");
    write_number(text, "place", facts->place);
    write_number(text, "attempt", facts->attempt);
    write_number(text, "revision", facts->revision);
    if (has_reason(facts))
        write_text(text, "reason", order_reason_name(facts->reason));
    if (facts->gone)
        write_json(text, "gone", facts->gone);
    if (facts->reference[0])
        write_text(text, "reference", facts->reference);
    if (facts->tier[0])
        write_wanted(text, facts);
    write_text(text, "currency", facts->currency);
    write_needs(text, facts);
    if (facts->alternatives &&
        (facts->state == ORDER_PLACED || facts->state == ORDER_RELEASED)) // later they no longer matter
        write_json(text, "alternatives", facts->alternatives);
    write_waiting(text, facts, stopped_us);
    if (facts->state == ORDER_DECLINED && facts->tries_left >= 0)
        write_number(text, "tries_left", (uint64_t)facts->tries_left);
    if (facts->state == ORDER_ACTION_REQUIRED && facts->action_url)
        write_text(text, "action_url", facts->action_url);
    write_means(text, facts);
    if (facts->email)
        write_text(text, "email", facts->email);
    if (facts->name)
        write_text(text, "name", facts->name);
    if (facts->refund[0])
        write_text(text, "refund", facts->refund);
    write_text(text, "now", clock_format(now_us, now));
    buffer_text(text, "}");
}
