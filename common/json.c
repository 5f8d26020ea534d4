// SPDX-License-Identifier: Apache-2.0
// Reading JSON from outside. The bounds that jansson does not have (length, depth) are checked before it sees the text.
#include "common/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 32

static PRINTF_LIKE(3, 4) void say(char *problem, size_t problem_bytes, const char *format, ...)
{
    if (!problem || problem_bytes == 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(problem, problem_bytes, format, arguments);
    va_end(arguments);
}

// Whether the text opens more than DEPTH_MAX arrays and objects within each other. jansson recurses, and would go down
// 2,048 levels of the thread's stack before it refuses.
static bool is_too_deep(const char *text, size_t bytes)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > DEPTH_MAX)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

int json_read_object(const char *text, size_t bytes, size_t bytes_max, char *problem, size_t problem_bytes,
                     json_t **ret)
{
    if (bytes > bytes_max) {
        say(problem, problem_bytes, "longer than %zu bytes", bytes_max);
        return ERROR_LIMIT;
    }
    if (is_too_deep(text, bytes)) {
        say(problem, problem_bytes, "nested deeper than %d", DEPTH_MAX);
        return ERROR_INVALID;
    }
    json_error_t error;
    json_t *json = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (!json) {
        if (json_error_code(&error) == json_error_out_of_memory)
            return ERROR_MEMORY;
        // Jansson quotes the text. What is wrong goes into logs, where nothing that somebody wrote may go.
        char *quote = strstr(error.text, " near '");
        if (quote)
            *quote = '\0';
        say(problem, problem_bytes, "line %d, column %d: %s", error.line, error.column, error.text);
        return ERROR_INVALID;
    }
    if (!json_is_object(json)) {
        say(problem, problem_bytes, "not a JSON object");
        json_decref(json);
        return ERROR_INVALID;
    }
    *ret = json;
    return 0;
}

int json_read_string(const json_t *object, const char *key, size_t bytes_max, const char **ret)
{
    const json_t *member = json_object_get(object, key);
    if (!member || json_is_null(member))
        return ERROR_NOT_FOUND;
    if (!json_is_string(member) || json_string_length(member) > bytes_max)
        return ERROR_INVALID;
    *ret = json_string_value(member);
    return 0;
}

int json_read_text(const json_t *object, const char *key, size_t bytes, char *ret)
{
    const char *text;
    int result = json_read_string(object, key, bytes - 1, &text);
    if (result == 0)
        memcpy(ret, text, strlen(text) + 1);
    return result;
}

int json_read_integer(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *ret)
{
    const json_t *member = json_object_get(object, key);
    if (!member || json_is_null(member))
        return ERROR_NOT_FOUND;
    if (!json_is_integer(member))
        return ERROR_INVALID;
    int64_t value = json_integer_value(member);
    if (value < min || value > max)
        return ERROR_INVALID;
    *ret = value;
    return 0;
}

int json_read_bool(const json_t *object, const char *key, bool *ret)
{
    const json_t *member = json_object_get(object, key);
    if (!member || json_is_null(member))
        return ERROR_NOT_FOUND;
    if (!json_is_boolean(member))
        return ERROR_INVALID;
    *ret = json_is_true(member);
    return 0;
}

const char *json_unknown_key(const json_t *object, const char *const *known)
{
    // jansson's iterators do not change the object, yet take it without const; keys are looked at by these only.
    union {
        const json_t *in;
        json_t *out;
    } unconst = {.in = object};
    for (void *at = json_object_iter(unconst.out); at; at = json_object_iter_next(unconst.out, at)) {
        const char *key = json_object_iter_key(at);
        size_t i = 0;
        while (known[i] && strcmp(known[i], key) != 0)
            i++;
        if (!known[i])
            return key;
    }
    return NULL;
}

void json_cleanup(json_t **json)
{
    json_decref(*json);
    *json = NULL;
}
