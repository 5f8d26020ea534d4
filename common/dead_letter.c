// SPDX-License-Identifier: Apache-2.0
// Dead letters as JSON. What was condemned may be any bytes, so it travels as base64url.
#include "common/dead_letter.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "common/json.h"

#define DEAD_LETTER_MESSAGE_BYTES_MAX (64 * 1024)

void dead_letter_digest(const void *body, size_t body_bytes, uint8_t ret[static DEAD_LETTER_DIGEST_BYTES])
{
    SHA256(body, body_bytes, ret);
}

static void write_bytes(struct buffer *text, const void *data, size_t bytes)
{
    char *encoded = malloc(BASE64URL_BYTES(bytes));
    if (!encoded) {
        text->failed = true;
        return;
    }
    base64url_encode(data, bytes, encoded);
    buffer_text(text, "\"");
    buffer_text(text, encoded);
    buffer_text(text, "\"");
    free(encoded);
}

void dead_letter_write(const struct dead_letter *letter, struct buffer *text)
{
    size_t bytes = letter->body_bytes < DEAD_LETTER_BODY_BYTES_MAX ? letter->body_bytes : DEAD_LETTER_BODY_BYTES_MAX;
    buffer_text(text, "{\"v\":1,\"type\":\"" DEAD_LETTER_TYPE "\",\"queue\":");
    buffer_json_string(text, letter->queue);
    buffer_text(text, ",\"reason\":");
    buffer_json_string(text, letter->reason);
    buffer_text(text, ",\"detail\":");
    buffer_json_string(text, letter->detail);
    buffer_text(text, ",\"event_id\":");
    buffer_number(text, letter->event_id);
    buffer_text(text, ",\"place\":");
    buffer_number(text, letter->place);
    buffer_text(text, ",\"attempt\":");
    buffer_number(text, letter->attempt);
    buffer_text(text, ",\"digest\":");
    write_bytes(text, letter->digest, sizeof(letter->digest));
    buffer_text(text, ",\"body\":");
    write_bytes(text, letter->body, bytes);
    buffer_text(text, "}");
}

// ---------------------------------------------------------------- reading

static int read_keys(const json_t *object, struct dead_letter *ret)
{
    int64_t event_id, place, attempt;
    if (json_read_integer(object, "event_id", 0, UINT32_MAX, &event_id) ||
        json_read_integer(object, "place", 0, INT64_MAX, &place) ||
        json_read_integer(object, "attempt", 0, UINT16_MAX, &attempt))
        return ERROR_INVALID;
    ret->event_id = (uint64_t)event_id;
    ret->place = (uint64_t)place;
    ret->attempt = (uint32_t)attempt;
    return 0;
}

static int read_body(const json_t *object, struct dead_letter *ret)
{
    const char *text;
    size_t bytes = 0;
    if (json_read_string(object, "digest", BASE64URL_BYTES(DEAD_LETTER_DIGEST_BYTES), &text) ||
        base64url_decode(text, strlen(text), ret->digest, sizeof(ret->digest), &bytes) || bytes != sizeof(ret->digest))
        return ERROR_INVALID;
    if (json_read_string(object, "body", BASE64URL_BYTES(DEAD_LETTER_BODY_BYTES_MAX), &text))
        return ERROR_INVALID;
    ret->memory = malloc(DEAD_LETTER_BODY_BYTES_MAX);
    if (!ret->memory)
        return ERROR_MEMORY;
    ret->body = ret->memory;
    return base64url_decode(text, strlen(text), ret->memory, DEAD_LETTER_BODY_BYTES_MAX, &ret->body_bytes)
               ? ERROR_INVALID
               : 0;
}

void dead_letter_done(struct dead_letter *letter)
{
    if (!letter)
        return;
    free(letter->memory);
    *letter = (struct dead_letter){0};
}

int dead_letter_read(const char *body, size_t body_bytes, struct dead_letter *ret, char *problem, size_t problem_bytes)
{
    json_t *object CLEANUP(json_cleanup) = NULL;
    struct dead_letter letter = {0};
    int64_t version;
    const char *type;
    int result = json_read_object(body, body_bytes, DEAD_LETTER_MESSAGE_BYTES_MAX, problem, problem_bytes, &object);
    if (result)
        return result == ERROR_LIMIT ? ERROR_INVALID : result;
    if (json_read_integer(object, "v", 1, 1, &version) || json_read_string(object, "type", 32, &type) ||
        strcmp(type, DEAD_LETTER_TYPE) != 0 || json_read_text(object, "queue", sizeof(letter.queue), letter.queue) ||
        json_read_text(object, "reason", sizeof(letter.reason), letter.reason) ||
        json_read_text(object, "detail", sizeof(letter.detail), letter.detail))
        result = ERROR_INVALID;
    if (result == 0)
        result = read_keys(object, &letter);
    if (result == 0)
        result = read_body(object, &letter);
    if (result == 0) {
        *ret = letter;
        return 0;
    }
    if (problem && problem_bytes)
        snprintf(problem, problem_bytes, "a member is missing or out of bounds");
    dead_letter_done(&letter);
    return result;
}
