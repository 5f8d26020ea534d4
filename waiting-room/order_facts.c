// SPDX-License-Identifier: Apache-2.0
// Orders as visitors are told them.
#include "waiting-room/order_facts.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"

struct order_facts *order_facts_new(void)
{
    struct order_facts *facts = calloc(1, sizeof *facts);
    if (facts)
        facts->references = 1;
    return facts;
}

struct order_facts *order_facts_ref(struct order_facts *facts)
{
    if (facts)
        facts->references++;
    return facts;
}

void order_facts_unref(struct order_facts *facts)
{
    if (!facts || --facts->references > 0)
        return;
    free(facts->tickets);
    free(facts->alternatives);
    free(facts->email);
    free(facts->name);
    free(facts);
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
    if (outcome->tier[0])
        return true;
    memcpy(facts->tier, known->tier, sizeof facts->tier);
    facts->quantity = known->quantity;
    facts->amount = known->amount;
    return copy_text(&facts->tickets, known->tickets);
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
    memcpy(facts->currency, currency, strnlen(currency, sizeof facts->currency - 1));
    bool whole = !known || known->attempt != outcome->attempt || keep_known(facts, known, outcome);
    if (whole && outcome->tier[0])
        whole = copy_text(&facts->tickets, outcome->tickets);
    if (!whole) {
        order_facts_unref(facts);
        return NULL;
    }
    return facts;
}

static int take_choice(struct order_facts *facts, json_t *array, unsigned choice)
{
    const json_t *tickets = json_object_get(json_array_get(array, choice), "tickets");
    if (!json_is_object(tickets))
        return ERROR_BUG;
    facts->tickets = json_dumps(tickets, JSON_COMPACT);
    if (!facts->tickets)
        return ERROR_MEMORY;
    if (json_array_size(array) == 1)
        return 0;
    json_array_remove(array, 0);
    facts->alternatives = json_dumps(array, JSON_COMPACT);
    return facts->alternatives ? 0 : ERROR_MEMORY;
}

int order_facts_take_choices(struct order_facts *facts, const char *choices, unsigned choice)
{
    json_t *array CLEANUP(json_cleanup) = choices ? json_loads(choices, 0, NULL) : NULL;
    return json_is_array(array) && choice < json_array_size(array) ? take_choice(facts, array, choice) : ERROR_BUG;
}

struct order_facts *order_facts_ended(const struct order_facts *facts, enum order_state state, uint32_t revision)
{
    struct order_facts *ended = order_facts_new();
    if (!ended)
        return NULL;
    *ended = *facts;
    ended->references = 1;
    ended->state = state;
    ended->revision = revision;
    ended->tickets = ended->alternatives = ended->email = ended->name = NULL;
    if (copy_text(&ended->tickets, facts->tickets) && copy_text(&ended->alternatives, facts->alternatives) &&
        copy_text(&ended->email, facts->email) && copy_text(&ended->name, facts->name))
        return ended;
    order_facts_unref(ended);
    return NULL;
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

void order_facts_write(struct buffer *text, const struct order_facts *facts, int64_t now_us)
{
    char now[CLOCK_TEXT_BYTES];
    buffer_text(text, "{\"state\":\"");
    buffer_text(text, order_state_name(facts->state));
    buffer_text(text, "\"");
    write_number(text, "place", facts->place);
    write_number(text, "attempt", facts->attempt);
    write_number(text, "revision", facts->revision);
    if (facts->reason != ORDER_NO_REASON)
        write_text(text, "reason", order_reason_name(facts->reason));
    if (facts->reference[0])
        write_text(text, "reference", facts->reference);
    if (facts->tier[0]) {
        write_text(text, "tier", facts->tier);
        if (facts->tickets) {
            buffer_text(text, ",\"tickets\":");
            buffer_text(text, facts->tickets);
        }
        write_number(text, "quantity", facts->quantity);
        write_number(text, "amount", facts->amount);
    }
    write_text(text, "currency", facts->currency);
    if (facts->alternatives && !order_is_final(facts->state)) { // then it no longer matters
        buffer_text(text, ",\"alternatives\":");
        buffer_text(text, facts->alternatives);
    }
    if (facts->email)
        write_text(text, "email", facts->email);
    if (facts->name)
        write_text(text, "name", facts->name);
    if (facts->refund[0])
        write_text(text, "refund", facts->refund);
    write_text(text, "now", clock_format(now_us, now));
    buffer_text(text, "}");
}
