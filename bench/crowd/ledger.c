// SPDX-License-Identifier: Apache-2.0
// The bank says of an intent what it reserved, took and gave back; Onsale wrote into its metadata whose it is.
#include "bench/crowd/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#define NUMBER_BYTES 24

// A number that was written as a text, as metadata are. False: it is none.
static bool read_number_text(const json_t *metadata, const char *key, uint64_t max, uint64_t *ret)
{
    const char *text;
    char *end;
    if (json_read_string(metadata, key, NUMBER_BYTES, &text) != 0 || *text < '0' || *text > '9')
        return false;
    unsigned long long number = strtoull(text, &end, 10);
    if (*end != '\0' || number > max)
        return false;
    *ret = number;
    return true;
}

static bool read_amount(const json_t *item, const char *key, uint64_t *ret)
{
    int64_t amount;
    if (json_read_integer(item, key, 0, INT64_MAX, &amount) != 0)
        return false;
    *ret = (uint64_t)amount;
    return true;
}

// As long as the bank asks, or has not decided, money may be reserved any moment.
static bool is_open(const char *status)
{
    return strcmp(status, "requires_capture") == 0 || strcmp(status, "processing") == 0 ||
           strcmp(status, "requires_action") == 0;
}

static bool read_intent(const json_t *item, struct ledger_intent *ret)
{
    const char *id, *status, *currency;
    uint64_t amount, captured, refunded;
    if (!json_is_object(item) || json_read_string(item, "id", SIZE_MAX, &id) != 0 ||
        json_read_string(item, "status", SIZE_MAX, &status) != 0 ||
        json_read_string(item, "currency", sizeof ret->currency - 1, &currency) != 0 ||
        !read_amount(item, "amount", &amount) || !read_amount(item, "captured", &captured) ||
        !read_amount(item, "refunded", &refunded) || refunded > captured)
        return false;
    (void)snprintf(ret->id, sizeof ret->id, "%s", id);
    (void)snprintf(ret->currency, sizeof ret->currency, "%s", currency);
    if (is_open(status)) {
        ret->state = LEDGER_AUTHORISED;
        ret->amount = amount;
    } else if (captured > 0) {
        ret->state = refunded == captured ? LEDGER_RETURNED : LEDGER_CAPTURED;
        ret->amount = refunded == captured ? captured : captured - refunded;
    }
    return true;
}

// Whether it is the event's. Whose it is may not be said: then it is nobody's, and the event's all the same.
static bool read_owner(const json_t *item, const char *event, struct ledger_intent *ret)
{
    const json_t *metadata = json_object_get(item, "metadata");
    const char *slug;
    uint64_t place, attempt;
    if (!json_is_object(metadata) || json_read_string(metadata, "onsale_event", SIZE_MAX, &slug) != 0)
        return true;
    if (strcmp(slug, event) != 0)
        return false;
    if (read_number_text(metadata, "onsale_place", INT64_MAX, &place) &&
        read_number_text(metadata, "onsale_attempt", UINT16_MAX, &attempt)) {
        ret->place = place;
        ret->attempt = (uint32_t)attempt;
    }
    return true;
}

int ledger_read(const char *text, size_t bytes, const char *event, struct ledger *ret, char *problem,
                size_t problem_bytes)
{
    json_t *document CLEANUP(json_cleanup) = NULL;
    int error = json_read_object(text, bytes, LEDGER_BYTES_MAX, problem, problem_bytes, &document);
    if (error != 0)
        return error;
    const json_t *intents = json_object_get(document, "intents");
    if (!json_is_array(intents)) {
        (void)snprintf(problem, problem_bytes, "there is no list of intents");
        return ERROR_INVALID;
    }
    size_t count = json_array_size(intents);
    struct ledger ledger = {.items = calloc(count ? count : 1, sizeof *ledger.items)};
    if (!ledger.items)
        return ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        struct ledger_intent intent = {0};
        if (!read_intent(json_array_get(intents, i), &intent)) {
            (void)snprintf(problem, problem_bytes, "intent number %zu is none", i);
            ledger_done(&ledger);
            return ERROR_INVALID;
        }
        if (read_owner(json_array_get(intents, i), event, &intent))
            ledger.items[ledger.count++] = intent;
    }
    *ret = ledger;
    return 0;
}

void ledger_done(struct ledger *ledger)
{
    if (!ledger)
        return;
    free(ledger->items);
    *ledger = (struct ledger){0};
}

struct ledger_sums ledger_sum(const struct ledger *ledger)
{
    struct ledger_sums sums = {0};
    for (size_t i = 0; i < ledger->count; i++) {
        const struct ledger_intent *intent = &ledger->items[i];
        switch (intent->state) {
        case LEDGER_AUTHORISED:
            sums.open_count++;
            sums.open += intent->amount;
            break;
        case LEDGER_CAPTURED:
            sums.captured_count++;
            sums.captured += intent->amount;
            break;
        case LEDGER_RETURNED:
            sums.returned_count++;
            sums.returned += intent->amount;
            break;
        case LEDGER_NOTHING:
            break;
        }
    }
    return sums;
}
