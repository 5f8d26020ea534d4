// SPDX-License-Identifier: Apache-2.0
// JSON from outside: bounded in depth, without NUL, members within what was asked for, and the same when read again.
#include "common/json.h"
#include "tests/fuzz/fuzz.h"

#define BYTES_MAX 65536
#define DEPTH_MAX 32

static void check_value(const json_t *value, int depth)
{
    FUZZ_CHECK(depth <= DEPTH_MAX);
    if (json_is_string(value))
        FUZZ_CHECK(strlen(json_string_value(value)) == json_string_length(value));
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        check_value(item, depth + (json_is_object(item) || json_is_array(item)));
    }
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
        check_value(member, depth + (json_is_object(member) || json_is_array(member)));
}

static void check_members(const json_t *object)
{
    static const char *const known[] = {"a", "b", NULL};
    const char *text;
    int64_t number;
    bool truth;
    for (size_t i = 0; known[i]; i++) {
        if (json_read_string(object, known[i], 8, &text) == 0)
            FUZZ_CHECK(strlen(text) <= 8);
        if (json_read_integer(object, known[i], -3, 3, &number) == 0)
            FUZZ_CHECK(number >= -3 && number <= 3);
        if (json_read_bool(object, known[i], &truth) == 0)
            FUZZ_CHECK(truth == json_is_true(json_object_get(object, known[i])));
    }
    size_t known_count = 0;
    for (size_t i = 0; known[i]; i++)
        known_count += json_object_get(object, known[i]) ? 1 : 0;
    const char *unknown = json_unknown_key(object, known);
    FUZZ_CHECK((unknown != NULL) == (json_object_size(object) > known_count));
    FUZZ_CHECK(!unknown || (strcmp(unknown, "a") != 0 && strcmp(unknown, "b") != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char problem[96] = "";
    json_t *json = NULL, *again = NULL;
    int error = json_read_object((const char *)data, bytes, BYTES_MAX, problem, sizeof problem, &json);
    if (error) {
        FUZZ_CHECK(error == ERROR_INVALID || (error == ERROR_LIMIT && bytes > BYTES_MAX));
        FUZZ_CHECK(json == NULL && *problem && memchr(problem, '\0', sizeof problem));
        return 0;
    }
    FUZZ_CHECK(json_is_object(json));
    check_value(json, 1);
    check_members(json);
    char *text = json_dumps(json, JSON_COMPACT);
    FUZZ_CHECK(text && json_read_object(text, strlen(text), 8 * BYTES_MAX, NULL, 0, &again) == 0);
    FUZZ_CHECK(json_equal(json, again));
    free(text);
    json_decref(again);
    json_decref(json);
    return 0;
}
