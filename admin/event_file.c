// SPDX-License-Identifier: Apache-2.0
// Reading the event file: the event's own members and its text rules. Tiers, prices and rows are in event_tiers.c.
// Every member is looked at even after a mistake, so that the author of a file mends it in one go.
#include "admin/event_file.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/currency.h"
#include "admin/event_reader.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/slug.h"
#include "common/utf8.h"

#define CURRENCY_NONE "XXX" // ISO 4217's own code for "no currency": an event that only gates

// Makes a text fit for JSON and for a terminal: what the file holds is quoted in it, and cut within a character.
static void make_presentable(char *text)
{
    utf8_mend(text);
    for (char *at = text; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    }
}

void reader_problem(struct event_reader *reader, const char *field, const char *format, ...)
{
    struct event_problems *problems = reader->problems;
    if (problems->count == EVENT_FILE_PROBLEMS_MAX) {
        problems->more++;
        return;
    }
    struct event_problem *problem = &problems->items[problems->count++];
    snprintf(problem->field, sizeof(problem->field), "%s", field);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->detail, sizeof(problem->detail), format, arguments);
    va_end(arguments);
    make_presentable(problem->field);
    make_presentable(problem->detail);
}

const char *reader_path(struct event_reader *reader, const char *parent, const char *key)
{
    snprintf(reader->path, sizeof(reader->path), "%.90s/%.36s", parent, key);
    return reader->path;
}

void reader_known(struct event_reader *reader, const char *parent, const json_t *object, const char *const *known)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i])
            reader_problem(reader, reader_path(reader, parent, key), "there is no such member");
    }
}

// Text for people: some characters, none of them a control character.
static bool text_is_clean(const char *text, size_t *ret_characters)
{
    size_t characters = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at < 0x20 || *at == 0x7f)
            return false;
        characters += (*at & 0xc0) != 0x80; // continuation bytes belong to the character before
    }
    *ret_characters = characters;
    return true;
}

const char *reader_text(struct event_reader *reader, const char *parent, const json_t *object, const char *key,
                        size_t characters_min, size_t characters_max, const char *fallback)
{
    const json_t *value = json_object_get(object, key);
    if ((!value || json_is_null(value)) && fallback)
        return fallback;
    const char *field = reader_path(reader, parent, key);
    size_t characters;
    if (!value || json_is_null(value))
        reader_problem(reader, field, "is missing");
    else if (!json_is_string(value))
        reader_problem(reader, field, "must be a text");
    else if (!text_is_clean(json_string_value(value), &characters))
        reader_problem(reader, field, "holds a control character");
    else if (characters < characters_min || characters > characters_max)
        reader_problem(reader, field, "has %zu characters; %zu to %zu are allowed", characters, characters_min,
                       characters_max);
    else
        return json_string_value(value);
    return "";
}

const char *reader_slug(struct event_reader *reader, const char *parent, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    const char *field = reader_path(reader, parent, key);
    if (!value || json_is_null(value))
        reader_problem(reader, field, "is missing");
    else if (!json_is_string(value))
        reader_problem(reader, field, "must be a text");
    else if (!slug_is_valid(json_string_value(value), json_string_length(value)))
        reader_problem(reader, field, "must be 1 to 64 of a-z, 0-9 and -");
    else
        return json_string_value(value);
    return "";
}

int64_t reader_integer(struct event_reader *reader, const char *parent, const json_t *object, const char *key,
                       int64_t min, int64_t max, const int64_t *fallback)
{
    const json_t *value = json_object_get(object, key);
    if ((!value || json_is_null(value)) && fallback)
        return *fallback;
    const char *field = reader_path(reader, parent, key);
    if (!value || json_is_null(value))
        reader_problem(reader, field, "is missing");
    else if (!json_is_integer(value))
        reader_problem(reader, field, "must be a whole number");
    else if (json_integer_value(value) < min || json_integer_value(value) > max)
        reader_problem(reader, field, "is %" PRId64 "; %" PRId64 " to %" PRId64 " are allowed",
                       (int64_t)json_integer_value(value), min, max);
    else
        return json_integer_value(value);
    return min;
}

static int64_t read_time(struct event_reader *reader, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    int64_t time_us;
    if (!value || json_is_null(value))
        return EVENT_FILE_NO_TIME;
    if (json_is_string(value) && clock_parse(json_string_value(value), &time_us) == 0)
        return time_us;
    reader_problem(reader, reader_path(reader, "", key), "must be a time like \"2027-05-01T19:30:00Z\", or null");
    return EVENT_FILE_NO_TIME;
}

static void read_timetable(struct event_reader *reader, struct event_file *file)
{
    file->starts_at_us = read_time(reader, file->json, "starts_at");
    file->lobby_opens_at_us = read_time(reader, file->json, "lobby_opens_at");
    file->opens_at_us = read_time(reader, file->json, "opens_at");
    file->closes_at_us = read_time(reader, file->json, "closes_at");
    bool lobby = file->lobby_opens_at_us != EVENT_FILE_NO_TIME;
    bool opens = file->opens_at_us != EVENT_FILE_NO_TIME;
    bool closes = file->closes_at_us != EVENT_FILE_NO_TIME;
    if (lobby && opens && file->lobby_opens_at_us > file->opens_at_us)
        reader_problem(reader, "/lobby_opens_at", "is after opens_at");
    if (opens && closes && file->opens_at_us >= file->closes_at_us)
        reader_problem(reader, "/closes_at", "is not after opens_at");
    if (lobby && closes && !opens && file->lobby_opens_at_us >= file->closes_at_us)
        reader_problem(reader, "/closes_at", "is not after lobby_opens_at");
}

static void read_timezone(struct event_reader *reader, struct event_file *file, event_zone_fn *zone_exists)
{
    size_t before = reader->problems->count;
    file->timezone = reader_text(reader, "", file->json, "timezone", 1, 64, NULL);
    if (reader->problems->count != before || reader->problems->more)
        return;
    int known = zone_exists(file->timezone);
    if (known < 0)
        reader_problem(reader, "/timezone", "cannot be checked: this machine has no time zone data (package tzdata)");
    else if (!known)
        reader_problem(reader, "/timezone", "there is no time zone '%.64s'; one like \"Europe/Berlin\" is meant",
                       file->timezone);
}

static void read_currency(struct event_reader *reader, struct event_file *file)
{
    const json_t *value = json_object_get(file->json, "currency");
    unsigned digits;
    file->currency = CURRENCY_NONE;
    if (!value || json_is_null(value)) {
        if (json_array_size(json_object_get(file->json, "tiers")) > 0)
            reader_problem(reader, "/currency", "is missing, and there are tiers");
    } else if (!json_is_string(value)) {
        reader_problem(reader, "/currency", "must be a text");
    } else if (strcmp(json_string_value(value), CURRENCY_NONE) == 0 &&
               json_array_size(json_object_get(file->json, "tiers")) == 0) {
        file->currency = CURRENCY_NONE;
    } else if (currency_find(json_string_value(value), &digits) < 0) {
        reader_problem(reader, "/currency", "'%.20s' is no currency of ISO 4217, like \"EUR\"",
                       json_string_value(value));
    } else {
        file->currency = json_string_value(value);
    }
}

static void read_pace(struct event_reader *reader, struct event_file *file)
{
    const json_t *value = json_object_get(file->json, "pace");
    struct pace pace;
    if (!value || json_is_null(value))
        reader_problem(reader, "/pace", "is missing; " PACE_ALLOWED);
    else if (!json_is_string(value) || pace_parse(json_string_value(value), &pace) < 0)
        reader_problem(reader, "/pace", PACE_ALLOWED);
    else
        pace_format(&pace, file->pace);
}

static void read_event(struct event_reader *reader, struct event_file *file, event_zone_fn *zone_exists)
{
    static const char *const known[] = {
        "slug",           "name",           "venue",        "timezone", "starts_at",     "opens_at",
        "lobby_opens_at", "closes_at",      "currency",     "tiers",    "max_per_order", "max_per_customer",
        "turn_seconds",   "absent_seconds", "hold_seconds", "pace",     "max_active",    NULL,
    };
    reader_known(reader, "", file->json, known);
    file->slug = reader_slug(reader, "", file->json, "slug");
    file->name = reader_text(reader, "", file->json, "name", 1, 200, NULL);
    file->venue = reader_text(reader, "", file->json, "venue", 0, 200, "");
    read_timezone(reader, file, zone_exists);
    read_timetable(reader, file);
    read_currency(reader, file);
    file->max_per_order =
        reader_integer(reader, "", file->json, "max_per_order", 1, EVENT_FILE_PER_ORDER_MAX, &(int64_t){6});
    file->max_per_customer =
        reader_integer(reader, "", file->json, "max_per_customer", 1, 100000, &(int64_t){file->max_per_order});
    if (file->max_per_customer < file->max_per_order)
        reader_problem(reader, "/max_per_customer", "is below max_per_order");
    file->turn_seconds = reader_integer(reader, "", file->json, "turn_seconds", 1, 86400, &(int64_t){600});
    file->absent_seconds = reader_integer(reader, "", file->json, "absent_seconds", 0, 604800, &(int64_t){1800});
    file->hold_seconds = reader_integer(reader, "", file->json, "hold_seconds", 1, 604800, &(int64_t){600});
    file->max_active = reader_integer(reader, "", file->json, "max_active", 1, 10000000, &(int64_t){0});
    read_pace(reader, file);
    event_tiers_read(reader, file);
}

int event_file_read(const char *text, size_t bytes, event_zone_fn *zone_exists, struct event_file **ret,
                    struct event_problems *problems)
{
    *problems = (struct event_problems){0};
    struct event_reader reader = {.problems = problems};
    struct event_file *file CLEANUP(event_file_cleanup) = calloc(1, sizeof(*file));
    if (!file)
        return ERROR_MEMORY;
    char problem[160] = "";
    int r = json_read_object(text, bytes, EVENT_FILE_BYTES_MAX, problem, sizeof(problem), &file->json);
    if (r == ERROR_LIMIT)
        reader_problem(&reader, "", "the file is longer than %d bytes", EVENT_FILE_BYTES_MAX);
    else if (r == ERROR_INVALID)
        reader_problem(&reader, "", "%s", problem);
    else if (r < 0)
        return r;
    else
        read_event(&reader, file, zone_exists);
    if (reader.out_of_memory)
        return ERROR_MEMORY;
    if (problems->count)
        return ERROR_INVALID;
    *ret = file;
    file = NULL;
    return 0;
}

void event_file_free(struct event_file *file)
{
    if (!file)
        return;
    for (size_t t = 0; t < file->tier_count; t++) {
        for (size_t r = 0; r < file->tiers[t].row_count; r++)
            free(file->tiers[t].rows[r].seats);
        free(file->tiers[t].rows);
    }
    free(file->tiers);
    json_decref(file->json);
    free(file);
}

void event_file_cleanup(struct event_file **file)
{
    event_file_free(*file);
    *file = NULL;
}
