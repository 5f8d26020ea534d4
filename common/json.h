// SPDX-License-Identifier: Apache-2.0
// Reading JSON from outside with jansson: bounded, duplicate keys refused, unknown keys found, errors that name the field.
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

// Parses one JSON object of at most bytes_max bytes. ERROR_LIMIT when longer, ERROR_INVALID when it is no JSON object, has
// a key twice, is nested deeper than 32, or holds a NUL in a string; `problem` (may be NULL) then says what and where.
// The caller owns the result (json_decref).
int json_read_object(const char *text, size_t bytes, size_t bytes_max, char *problem, size_t problem_bytes,
                     json_t **ret) MUST_USE;

// Members by name. 0 when it is there and fits; ERROR_NOT_FOUND when it is absent (or null); ERROR_INVALID otherwise.
// A string is the object's and lives as long; bytes_max does not count its NUL.
int json_read_string(const json_t *object, const char *key, size_t bytes_max, const char **ret) MUST_USE;
// The same, copied: `bytes` is what `ret` has room for, the NUL included. Only on 0 is ret touched.
int json_read_text(const json_t *object, const char *key, size_t bytes, char *ret) MUST_USE;
int json_read_integer(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *ret) MUST_USE;
int json_read_bool(const json_t *object, const char *key, bool *ret) MUST_USE;

// Returns the first key of the object that is not in `known` (NULL-terminated), or NULL.
const char *json_unknown_key(const json_t *object, const char *const *known);

void json_cleanup(json_t **json); // for CLEANUP()

#endif
