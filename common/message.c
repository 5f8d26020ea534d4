// SPDX-License-Identifier: Apache-2.0
// Messages as JSON. Each type has its writer and its reader next to each other; the table at the end joins them.
#include "common/message.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/pace.h"

#define MESSAGE_VERSION 1
// 64 events of about 250 bytes, four times over.
#define MESSAGE_BODY_BYTES_MAX (64 * 1024)
// Counts travel as JSON integers, which jansson holds in 64 bits with a sign.
#define COUNT_MAX INT64_MAX

// Notes what is wrong with `field` and returns ERROR_INVALID, so that a reader can end with it.
static int refuse(char *problem, size_t problem_bytes, const char *field)
{
    if (problem && problem_bytes)
        snprintf(problem, problem_bytes, "%s: missing or out of bounds", field);
    return ERROR_INVALID;
}

static int read_count(const json_t *object, const char *key, int64_t min, uint64_t *ret)
{
    int64_t value;
    if (json_read_integer(object, key, min, COUNT_MAX, &value))
        return ERROR_INVALID;
    *ret = (uint64_t)value;
    return 0;
}

static int read_slug(const json_t *object, char ret[static SLUG_BYTES])
{
    const char *slug;
    if (json_read_string(object, "slug", SLUG_BYTES, &slug))
        return ERROR_INVALID;
    size_t bytes = strlen(slug);
    if (!slug_is_valid(slug, bytes))
        return ERROR_INVALID;
    memcpy(ret, slug, bytes + 1);
    return 0;
}

static void write_served_event(const struct message_served_event *event, struct buffer *text)
{
    buffer_text(text, "{\"slug\":");
    buffer_json_string(text, event->slug);
    buffer_format(text, ",\"served\":%" PRIu64 ",\"last\":%" PRIu64 ",\"pace\":", event->served, event->last);
    buffer_json_string(text, event->pace);
    if (event->has_wait)
        buffer_format(text, ",\"us_per_place\":[%" PRId64 ",%" PRId64 "]}", event->us_per_place_low,
                      event->us_per_place_high);
    else
        buffer_text(text, ",\"us_per_place\":null}");
}

static int read_wait(const json_t *object, struct message_served_event *ret)
{
    const json_t *wait = json_object_get(object, "us_per_place");
    ret->has_wait = wait && !json_is_null(wait);
    if (!ret->has_wait)
        return wait ? 0 : ERROR_INVALID; // null says that nobody can say; absence says nothing at all
    if (!json_is_array(wait) || json_array_size(wait) != 2)
        return ERROR_INVALID;
    const json_t *low = json_array_get(wait, 0), *high = json_array_get(wait, 1);
    if (!json_is_integer(low) || !json_is_integer(high))
        return ERROR_INVALID;
    ret->us_per_place_low = json_integer_value(low);
    ret->us_per_place_high = json_integer_value(high);
    return ret->us_per_place_low >= 0 && ret->us_per_place_low <= ret->us_per_place_high ? 0 : ERROR_INVALID;
}

static int read_served_event(const json_t *object, struct message_served_event *ret, char *problem,
                             size_t problem_bytes)
{
    const char *pace;
    struct pace parsed;
    if (!json_is_object(object))
        return refuse(problem, problem_bytes, "events");
    if (read_slug(object, ret->slug))
        return refuse(problem, problem_bytes, "events.slug");
    if (read_count(object, "served", 0, &ret->served))
        return refuse(problem, problem_bytes, "events.served");
    if (read_count(object, "last", 0, &ret->last))
        return refuse(problem, problem_bytes, "events.last");
    if (json_read_string(object, "pace", MESSAGE_PACE_BYTES, &pace) || strlen(pace) >= MESSAGE_PACE_BYTES ||
        pace_parse(pace, &parsed))
        return refuse(problem, problem_bytes, "events.pace");
    memcpy(ret->pace, pace, strlen(pace) + 1);
    if (read_wait(object, ret))
        return refuse(problem, problem_bytes, "events.us_per_place");
    return 0;
}

static void write_served(const struct message *message, struct buffer *text)
{
    assert(message->served.event_count <= MESSAGE_EVENTS_MAX);
    buffer_format(text, ",\"epoch\":%" PRIu64 ",\"seq\":%" PRIu64 ",\"full\":%s,\"events\":[", message->served.epoch,
                  message->served.seq, message->served.full ? "true" : "false");
    for (size_t i = 0; i < message->served.event_count; i++) {
        if (i)
            buffer_text(text, ",");
        write_served_event(&message->served.events[i], text);
    }
    buffer_text(text, "]");
}

static int read_served(const json_t *object, struct message *ret, char *problem, size_t problem_bytes)
{
    if (read_count(object, "epoch", 0, &ret->served.epoch))
        return refuse(problem, problem_bytes, "epoch");
    if (read_count(object, "seq", 1, &ret->served.seq))
        return refuse(problem, problem_bytes, "seq");
    if (json_read_bool(object, "full", &ret->served.full))
        return refuse(problem, problem_bytes, "full");
    const json_t *events = json_object_get(object, "events");
    if (!json_is_array(events) || json_array_size(events) > MESSAGE_EVENTS_MAX)
        return refuse(problem, problem_bytes, "events");
    ret->served.event_count = json_array_size(events);
    for (size_t i = 0; i < ret->served.event_count; i++) {
        int result = read_served_event(json_array_get(events, i), &ret->served.events[i], problem, problem_bytes);
        if (result)
            return result;
    }
    return 0;
}

static void write_event_changed(const struct message *message, struct buffer *text)
{
    buffer_text(text, ",\"slug\":");
    buffer_json_string(text, message->event_changed.slug);
    buffer_format(text, ",\"version\":%" PRIu64, message->event_changed.version);
}

static int read_event_changed(const json_t *object, struct message *ret, char *problem, size_t problem_bytes)
{
    if (read_slug(object, ret->event_changed.slug))
        return refuse(problem, problem_bytes, "slug");
    if (read_count(object, "version", 0, &ret->event_changed.version))
        return refuse(problem, problem_bytes, "version");
    return 0;
}

static void write_acted(const struct message *message, struct buffer *text)
{
    buffer_text(text, ",\"slug\":");
    buffer_json_string(text, message->acted.slug);
    buffer_format(text, ",\"version\":%" PRIu64 ",\"epoch\":%" PRIu64, message->acted.version, message->acted.epoch);
}

static int read_acted(const json_t *object, struct message *ret, char *problem, size_t problem_bytes)
{
    if (read_slug(object, ret->acted.slug))
        return refuse(problem, problem_bytes, "slug");
    if (read_count(object, "version", 0, &ret->acted.version))
        return refuse(problem, problem_bytes, "version");
    if (read_count(object, "epoch", 0, &ret->acted.epoch))
        return refuse(problem, problem_bytes, "epoch");
    return 0;
}

static void write_left(const struct message *message, struct buffer *text)
{
    buffer_text(text, ",\"slug\":");
    buffer_json_string(text, message->left.slug);
    buffer_format(text, ",\"number\":%" PRIu64, message->left.number);
}

static int read_left(const json_t *object, struct message *ret, char *problem, size_t problem_bytes)
{
    if (read_slug(object, ret->left.slug))
        return refuse(problem, problem_bytes, "slug");
    if (read_count(object, "number", 1, &ret->left.number))
        return refuse(problem, problem_bytes, "number");
    return 0;
}

static void write_book(const struct message *message, struct buffer *text)
{
    buffer_text(text, ",\"slug\":");
    buffer_json_string(text, message->book.slug);
    buffer_text(text, ",\"event_id\":");
    buffer_number(text, message->book.event_id);
    buffer_text(text, ",\"place\":");
    buffer_number(text, message->book.place);
    buffer_text(text, ",\"attempt\":");
    buffer_number(text, message->book.attempt);
    buffer_text(text, ",\"release\":");
    buffer_number(text, message->book.release);
}

static int read_small(const json_t *object, const char *key, int64_t max, uint32_t *ret)
{
    int64_t value;
    if (json_read_integer(object, key, 1, max, &value))
        return ERROR_INVALID;
    *ret = (uint32_t)value;
    return 0;
}

static int read_book(const json_t *object, struct message *ret, char *problem, size_t problem_bytes)
{
    if (read_slug(object, ret->book.slug))
        return refuse(problem, problem_bytes, "slug");
    if (read_count(object, "event_id", 1, &ret->book.event_id) || ret->book.event_id > UINT32_MAX)
        return refuse(problem, problem_bytes, "event_id");
    if (read_count(object, "place", 1, &ret->book.place))
        return refuse(problem, problem_bytes, "place");
    if (read_small(object, "attempt", UINT16_MAX, &ret->book.attempt))
        return refuse(problem, problem_bytes, "attempt");
    if (read_small(object, "release", UINT32_MAX, &ret->book.release))
        return refuse(problem, problem_bytes, "release");
    return 0;
}

static void write_ordered(const struct message *message, struct buffer *text)
{
    assert(message->ordered.number_count <= MESSAGE_NUMBERS_MAX);
    buffer_text(text, ",\"slug\":");
    buffer_json_string(text, message->ordered.slug);
    buffer_text(text, message->ordered.due ? ",\"due\":true,\"numbers\":[" : ",\"due\":false,\"numbers\":[");
    for (size_t i = 0; i < message->ordered.number_count; i++) {
        if (i)
            buffer_text(text, ",");
        buffer_number(text, message->ordered.numbers[i]);
    }
    buffer_text(text, "]");
}

static int read_ordered(const json_t *object, struct message *ret, char *problem, size_t problem_bytes)
{
    if (read_slug(object, ret->ordered.slug))
        return refuse(problem, problem_bytes, "slug");
    if (json_read_bool(object, "due", &ret->ordered.due))
        return refuse(problem, problem_bytes, "due");
    const json_t *numbers = json_object_get(object, "numbers");
    if (!json_is_array(numbers) || json_array_size(numbers) > MESSAGE_NUMBERS_MAX)
        return refuse(problem, problem_bytes, "numbers");
    ret->ordered.number_count = json_array_size(numbers);
    for (size_t i = 0; i < ret->ordered.number_count; i++) {
        const json_t *number = json_array_get(numbers, i);
        if (!json_is_integer(number) || json_integer_value(number) < 1)
            return refuse(problem, problem_bytes, "numbers");
        ret->ordered.numbers[i] = (uint64_t)json_integer_value(number);
    }
    return 0;
}

static void write_stock(const struct message *message, struct buffer *text)
{
    assert(message->stock.tier_count <= MESSAGE_TIERS_MAX);
    buffer_text(text, ",\"slug\":");
    buffer_json_string(text, message->stock.slug);
    buffer_format(text, ",\"at_us\":%" PRId64 ",\"tiers\":[", message->stock.at_us);
    for (size_t i = 0; i < message->stock.tier_count; i++) {
        const struct message_stock_tier *tier = &message->stock.tiers[i];
        buffer_text(text, i ? ",{\"code\":" : "{\"code\":");
        buffer_json_string(text, tier->code);
        buffer_format(text, ",\"left\":%" PRIu64 ",\"asked\":%" PRIu64 ",\"standby\":%" PRIu64 "}", tier->left,
                      tier->asked, tier->standby);
    }
    buffer_text(text, "]");
}

static int read_stock_tier(const json_t *object, struct message_stock_tier *ret)
{
    const char *code;
    if (!json_is_object(object) || json_read_string(object, "code", SLUG_BYTES, &code) ||
        !slug_is_valid(code, strlen(code)))
        return ERROR_INVALID;
    memcpy(ret->code, code, strlen(code) + 1);
    if (read_count(object, "left", 0, &ret->left))
        return ERROR_INVALID;
    if (read_count(object, "asked", 0, &ret->asked))
        return ERROR_INVALID;
    ret->standby = 0; // not there from a notifier of before
    return json_object_get(object, "standby") ? read_count(object, "standby", 0, &ret->standby) : 0;
}

static int read_stock(const json_t *object, struct message *ret, char *problem, size_t problem_bytes)
{
    uint64_t at_us;
    if (read_slug(object, ret->stock.slug))
        return refuse(problem, problem_bytes, "slug");
    if (read_count(object, "at_us", 0, &at_us))
        return refuse(problem, problem_bytes, "at_us");
    ret->stock.at_us = (int64_t)at_us;
    const json_t *tiers = json_object_get(object, "tiers");
    if (!json_is_array(tiers) || json_array_size(tiers) > MESSAGE_TIERS_MAX)
        return refuse(problem, problem_bytes, "tiers");
    ret->stock.tier_count = json_array_size(tiers);
    for (size_t i = 0; i < ret->stock.tier_count; i++)
        if (read_stock_tier(json_array_get(tiers, i), &ret->stock.tiers[i]))
            return refuse(problem, problem_bytes, "tiers");
    return 0;
}

static void write_pay(const struct message *message, struct buffer *text)
{
    buffer_text(text, ",\"slug\":");
    buffer_json_string(text, message->pay.slug);
    buffer_format(text, ",\"place\":%" PRIu64, message->pay.place);
}

static int read_pay(const json_t *object, struct message *ret, char *problem, size_t problem_bytes)
{
    const char *slug;
    bool is_empty = json_read_string(object, "slug", 0, &slug) == 0;
    ret->pay.slug[0] = '\0';
    if (!is_empty && read_slug(object, ret->pay.slug))
        return refuse(problem, problem_bytes, "slug");
    if (read_count(object, "place", 0, &ret->pay.place))
        return refuse(problem, problem_bytes, "place");
    return 0;
}

static const struct {
    const char *name;
    void (*write)(const struct message *message, struct buffer *text);
    int (*read)(const json_t *object, struct message *ret, char *problem, size_t problem_bytes);
} types[] = {
    [MESSAGE_SERVED] = {"served", write_served, read_served},
    [MESSAGE_EVENT_CHANGED] = {"event_changed", write_event_changed, read_event_changed},
    [MESSAGE_ACTED] = {"acted", write_acted, read_acted},
    [MESSAGE_LEFT] = {"left", write_left, read_left},
    [MESSAGE_BOOK] = {"book", write_book, read_book},
    [MESSAGE_ORDERED] = {"ordered", write_ordered, read_ordered},
    [MESSAGE_STOCK] = {"stock", write_stock, read_stock},
    [MESSAGE_PAY] = {"pay", write_pay, read_pay},
};

#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

const char *message_type_name(enum message_type type)
{
    return (size_t)type < TYPE_COUNT ? types[type].name : "unknown";
}

void message_write(const struct message *message, struct buffer *text)
{
    assert((size_t)message->type < TYPE_COUNT);
    buffer_format(text, "{\"v\":%d,\"type\":\"%s\"", MESSAGE_VERSION, types[message->type].name);
    types[message->type].write(message, text);
    buffer_text(text, "}");
}

int message_read(const char *body, size_t body_bytes, struct message *ret, char *problem, size_t problem_bytes)
{
    json_t *object CLEANUP(json_cleanup) = NULL;
    if (problem && problem_bytes)
        problem[0] = '\0';
    int result = json_read_object(body, body_bytes, MESSAGE_BODY_BYTES_MAX, problem, problem_bytes, &object);
    if (result == ERROR_LIMIT) {
        if (problem && problem_bytes)
            snprintf(problem, problem_bytes, "longer than %d bytes", MESSAGE_BODY_BYTES_MAX);
        return ERROR_INVALID;
    }
    if (result)
        return result;
    int64_t version;
    if (json_read_integer(object, "v", MESSAGE_VERSION, MESSAGE_VERSION, &version))
        return refuse(problem, problem_bytes, "v");
    const char *name;
    if (json_read_string(object, "type", 32, &name))
        return refuse(problem, problem_bytes, "type");
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (strcmp(name, types[i].name) != 0)
            continue;
        // Outputs stay untouched on failure, so it is read into a copy: 9 KiB, which any stack here has.
        struct message message = {.type = (enum message_type)i};
        result = types[i].read(object, &message, problem, problem_bytes);
        if (result == 0)
            *ret = message;
        return result;
    }
    if (problem && problem_bytes)
        snprintf(problem, problem_bytes, "type: nobody knows it");
    return ERROR_INVALID;
}
