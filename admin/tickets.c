// SPDX-License-Identifier: Apache-2.0
#include "admin/tickets.h"

json_t *tickets_of(const char *choices, uint64_t choice)
{
    json_t *array = choices ? json_loads(choices, 0, NULL) : NULL;
    json_t *tickets = json_object_get(json_array_get(array, choice), "tickets");
    json_t *own = json_is_object(tickets) ? json_incref(tickets) : NULL;
    json_decref(array);
    return own;
}

char *tickets_json(const char *choices, uint64_t choice)
{
    json_t *tickets = tickets_of(choices, choice);
    char *text = tickets ? json_dumps(tickets, JSON_COMPACT) : NULL;
    json_decref(tickets);
    return text;
}

void tickets_text(const json_t *tickets, struct buffer *text)
{
    bool first = true;
    const char *code;
    json_t *count;
    json_object_foreach((json_t *)(uintptr_t)tickets, code, count)
    {
        buffer_format(text, "%s%" JSON_INTEGER_FORMAT " %s", first ? "" : ", ", json_integer_value(count), code);
        first = false;
    }
}

json_t *tickets_seats(const char *seats)
{
    json_t *array = seats ? json_loads(seats, 0, NULL) : NULL;
    return array ? array : json_null();
}

void tickets_seats_text(const char *seats, struct buffer *text)
{
    json_t *array = tickets_seats(seats);
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *name = json_string_value(json_array_get(array, i));
        buffer_format(text, "%s%s", i ? ", " : "", name ? name : "?");
    }
    json_decref(array);
}
