// SPDX-License-Identifier: Apache-2.0
// Configuration values by type. Strict: what is half understood is refused, since a wrong limit is noticed too late.
#include "common/config_value.h"

#include <inttypes.h>
#include <string.h>

#include "common/address.h"

#define RATE_COUNT_MAX INT64_C(1000000000)

static const char *const truth_words[] = {"true", "yes", "on", "1", "false", "no", "off", "0"};
#define TRUE_WORD_COUNT 4
#define TRUTH_WORD_COUNT (sizeof truth_words / sizeof truth_words[0])

// Reads digits from *at and moves on. False if there are none, or the number passes `max`.
static bool read_digits(const char **at, uint64_t max, uint64_t *ret)
{
    const char *from = *at;
    uint64_t value = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        uint64_t digit = (uint64_t)(**at - '0');
        if (value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret = value;
    return *at > from;
}

static bool parse_int(const struct config_key *key, const char *text, int64_t *ret)
{
    bool negative = *text == '-';
    if (negative)
        text++;
    uint64_t magnitude = 0;
    if (!read_digits(&text, INT64_MAX, &magnitude) || *text != '\0')
        return false;
    int64_t value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    *ret = value;
    return value >= key->min && value <= key->max;
}

static bool parse_bool(const char *text, bool *ret)
{
    for (size_t i = 0; i < TRUTH_WORD_COUNT; i++) {
        if (strcmp(text, truth_words[i]) == 0) {
            *ret = i < TRUE_WORD_COUNT;
            return true;
        }
    }
    return false;
}

static bool parse_choice(const struct config_key *key, const char *text, int64_t *ret)
{
    for (size_t i = 0; key->choices[i]; i++) {
        if (strcmp(text, key->choices[i]) == 0) {
            *ret = (int64_t)i;
            return true;
        }
    }
    return false;
}

static bool parse_rate(const char *text, struct config_rate *ret)
{
    uint64_t count = 0;
    if (!read_digits(&text, (uint64_t)RATE_COUNT_MAX, &count))
        return false;
    ret->count = (int64_t)count;
    ret->per_seconds = strcmp(text, "/s") == 0     ? 1
                       : strcmp(text, "/min") == 0 ? 60
                       : strcmp(text, "/h") == 0   ? 3600
                                                   : 0;
    if (ret->per_seconds == 0 && count == 0 && *text == '\0')
        ret->per_seconds = 1; // "0" alone is off
    return ret->per_seconds > 0;
}

// A line break or another control character in a value comes from a mistake in a secret's file or the environment.
static bool is_clean(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7F)
            return false;
    return true;
}

int config_value_parse(const struct config_key *key, const char *text, union config_value *ret)
{
    union config_value value = {0};
    struct address address;
    bool good = false;
    switch (key->type) {
    case CONFIG_STRING:
        good = is_clean(text);
        break;
    case CONFIG_INT:
        good = parse_int(key, text, &value.number);
        break;
    case CONFIG_BOOL:
        good = parse_bool(text, &value.truth);
        break;
    case CONFIG_CHOICE:
        good = parse_choice(key, text, &value.number);
        break;
    case CONFIG_ADDRESS:
        good = *text == '\0' || address_split(text, &address) == 0;
        break;
    case CONFIG_RATE:
        good = parse_rate(text, &value.rate);
        break;
    }
    if (!good)
        return ERROR_INVALID;
    *ret = value;
    return 0;
}

void config_value_allowed(const struct config_key *key, struct buffer *text)
{
    switch (key->type) {
    case CONFIG_STRING:
        buffer_text(text, "text");
        if (key->unit)
            buffer_format(text, " (%s)", key->unit);
        break;
    case CONFIG_INT:
        buffer_text(text, "a whole number");
        if (key->unit)
            buffer_format(text, " of %s", key->unit);
        buffer_format(text, ", %" PRId64 " to %" PRId64, key->min, key->max);
        break;
    case CONFIG_BOOL:
        for (size_t i = 0; i < TRUTH_WORD_COUNT; i++)
            buffer_format(text, "%s%s", i == 0 ? "" : i + 1 < TRUTH_WORD_COUNT ? ", " : " or ", truth_words[i]);
        break;
    case CONFIG_CHOICE:
        for (size_t i = 0; key->choices[i]; i++)
            buffer_format(text, "%s%s", i == 0 ? "" : key->choices[i + 1] ? ", " : " or ", key->choices[i]);
        break;
    case CONFIG_ADDRESS:
        buffer_text(text, "HOST:PORT, [IPV6]:PORT or empty; port 0 is any free one");
        break;
    case CONFIG_RATE:
        buffer_format(text, "COUNT/s, COUNT/min or COUNT/h with a count up to %" PRId64 "; 0 is off", RATE_COUNT_MAX);
        break;
    }
}

#define WORD_BYTES_MAX 64

// How many letters must be changed, added, left out or swapped with the next one to make one word of the other.
static size_t distance(const char *a, const char *b)
{
    size_t a_bytes = strlen(a), b_bytes = strlen(b);
    if (a_bytes > WORD_BYTES_MAX || b_bytes > WORD_BYTES_MAX)
        return SIZE_MAX;
    size_t before[WORD_BYTES_MAX + 1] = {0}, last[WORD_BYTES_MAX + 1], now[WORD_BYTES_MAX + 1];
    for (size_t j = 0; j <= b_bytes; j++)
        last[j] = j;
    for (size_t i = 1; i <= a_bytes; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            size_t cost = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            if (last[j] + 1 < cost)
                cost = last[j] + 1;
            if (now[j - 1] + 1 < cost)
                cost = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < cost)
                cost = before[j - 2] + 1;
            now[j] = cost;
        }
        memcpy(before, last, sizeof before);
        memcpy(last, now, sizeof last);
    }
    return last[b_bytes];
}

const char *config_nearest(const char *word, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    size_t best = strlen(word) < 5 ? 2 : 3; // must be below
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(word, words[i]);
        if (d < best) {
            best = d;
            nearest = words[i];
        }
    }
    return nearest;
}
