// SPDX-License-Identifier: Apache-2.0
// Orders as visitors are told them.
#include "waiting-room/order_facts.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

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
    if (facts->alternatives) {
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
