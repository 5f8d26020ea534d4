// SPDX-License-Identifier: Apache-2.0
// Each file is a JSON Web Key (RFC 7517) of type "oct" with two times more, so that any tool can read it.
#include "common/keyring.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "common/json.h"
#include "common/random.h"
#include "common/ticket_keys.h"

_Static_assert(KEYRING_KID_BYTES == KEY_KID_BYTES, "one kind of name for all keys");

// ---------------------------------------------------------------- reading

static const char *problem_of(const json_t *object, const char *name, struct keyring_key *key)
{
    const char *kty = "", *alg = "", *kid = "", *secret = "";
    size_t secret_bytes = 0;
    if (json_read_string(object, "kty", 16, &kty) || strcmp(kty, "oct") != 0)
        return "kty must be oct";
    if (json_read_string(object, "alg", 16, &alg) || strcmp(alg, "HS256") != 0)
        return "alg must be HS256";
    if (json_read_string(object, "kid", KEYRING_KID_BYTES, &kid) || !key_files_is_named(name, kid))
        return "kid must be the file's name without .json";
    if (json_read_string(object, "k", 64, &secret) ||
        base64url_decode(secret, strlen(secret), key->secret, sizeof(key->secret), &secret_bytes) ||
        secret_bytes != sizeof(key->secret))
        return "k must be 32 bytes in base64url";
    if (json_read_integer(object, "created_at", 0, KEY_TIME_MAX, &key->created_at))
        return "created_at must be seconds since 1970";
    if (json_read_integer(object, "signs_from", 0, KEY_TIME_MAX, &key->signs_from))
        return "signs_from must be seconds since 1970";
    memcpy(key->kid, kid, strlen(kid) + 1);
    return NULL;
}

static int take_key(void *context, const char *name, const char *text, size_t bytes, char *problem,
                    size_t problem_bytes)
{
    struct keyring *keyring = context;
    char reason[256] = "";
    json_t *object CLEANUP(json_cleanup) = NULL;
    struct keyring_key key = {0};
    if (keyring->key_count == KEYRING_KEYS_MAX) {
        key_files_say(problem, problem_bytes, "more than %d keys", KEYRING_KEYS_MAX);
        return ERROR_INVALID;
    }
    if (json_read_object(text, bytes, KEY_FILE_BYTES_MAX, reason, sizeof(reason), &object)) {
        key_files_say(problem, problem_bytes, "%s: %s", name, reason);
        return ERROR_INVALID;
    }
    const char *wrong = problem_of(object, name, &key);
    if (wrong)
        key_files_say(problem, problem_bytes, "%s: %s", name, wrong);
    else
        keyring->keys[keyring->key_count++] = key;
    OPENSSL_cleanse(&key, sizeof(key));
    return wrong ? ERROR_INVALID : 0;
}

// Oldest first; by name among those of one second, so that every waiting room sees one order.
static int compare_keys(const void *left, const void *right)
{
    const struct keyring_key *a = left, *b = right;
    if (a->created_at != b->created_at)
        return a->created_at < b->created_at ? -1 : 1;
    return strcmp(a->kid, b->kid);
}

static int load_all(int directory, struct keyring *ret, char *problem, size_t problem_bytes)
{
    ret->key_count = 0;
    int result = key_files_read_all(directory, TICKET_KEYS_FOLDER, take_key, ret, problem, problem_bytes);
    if (result == 0)
        qsort(ret->keys, ret->key_count, sizeof(ret->keys[0]), compare_keys);
    return result;
}

int keyring_load(const char *directory, struct keyring *ret, char *problem, size_t problem_bytes)
{
    int descriptor CLEANUP(key_files_close) = -1;
    int result = key_files_open(directory, &descriptor, problem, problem_bytes);
    if (result)
        return result;
    struct keyring keyring = {0};
    result = load_all(descriptor, &keyring, problem, problem_bytes);
    if (result == 0 && keyring.key_count == 0) {
        key_files_say(problem, problem_bytes, "%s: no key in it", directory);
        result = ERROR_NOT_FOUND;
    }
    if (result == 0)
        *ret = keyring;
    OPENSSL_cleanse(&keyring, sizeof(keyring));
    return result;
}

const struct keyring_key *keyring_signing_key(const struct keyring *keyring, int64_t now)
{
    for (size_t i = keyring->key_count; i-- > 0;) {
        if (keyring->keys[i].signs_from <= now)
            return &keyring->keys[i];
    }
    return NULL;
}

const struct keyring_key *keyring_find(const struct keyring *keyring, const char *kid, size_t kid_bytes)
{
    for (size_t i = 0; i < keyring->key_count; i++) {
        if (strlen(keyring->keys[i].kid) == kid_bytes && memcmp(keyring->keys[i].kid, kid, kid_bytes) == 0)
            return &keyring->keys[i];
    }
    return NULL;
}

// ---------------------------------------------------------------- writing

static int write_key(int directory, const struct keyring_key *key, char *problem, size_t problem_bytes)
{
    char secret[BASE64URL_BYTES(KEYRING_SECRET_BYTES)];
    base64url_encode(key->secret, sizeof(key->secret), secret);
    char text[512];
    int bytes = snprintf(text, sizeof(text),
                         "{\n  \"kty\": \"oct\",\n  \"use\": \"sig\",\n  \"alg\": \"HS256\",\n  \"kid\": \"%s\",\n"
                         "  \"k\": \"%s\",\n  \"created_at\": %" PRId64 ",\n  \"signs_from\": %" PRId64 "\n}\n",
                         key->kid, secret, key->created_at, key->signs_from);
    int result = key_files_write(directory, key->kid, text, (size_t)bytes, problem, problem_bytes);
    OPENSSL_cleanse(text, sizeof(text));
    OPENSSL_cleanse(secret, sizeof(secret));
    return result;
}

// A key has nothing left to verify once another has signed for longer than any token lives. A file that cannot be removed
// now is removed by the next rotation.
static size_t remove_expired(int directory, struct keyring *keyring, int64_t now, int64_t lifetime_seconds)
{
    size_t kept = 0;
    for (size_t i = 0; i < keyring->key_count; i++) {
        bool is_expired = false;
        for (size_t later = i + 1; later < keyring->key_count; later++)
            is_expired = is_expired || keyring->keys[later].signs_from < now - lifetime_seconds;
        if (is_expired)
            key_files_remove(directory, keyring->keys[i].kid);
        else
            keyring->keys[kept++] = keyring->keys[i];
    }
    return kept;
}

static void new_key(int64_t now, bool is_first, struct keyring_key *ret)
{
    memset(ret, 0, sizeof(*ret));
    key_files_new_kid(ret->kid);
    random_bytes(ret->secret, sizeof(ret->secret));
    ret->created_at = now;
    ret->signs_from = is_first ? now : now + KEYRING_SIGNS_AFTER_SECONDS;
}

int keyring_rotate(const char *directory, int64_t now, int64_t lifetime_seconds, struct keyring_key *ret, char *problem,
                   size_t problem_bytes)
{
    int descriptor CLEANUP(key_files_close) = -1;
    int result = key_files_lock(directory, &descriptor, problem, problem_bytes);
    if (result)
        return result;
    struct keyring keyring = {0};
    struct keyring_key key = {0};
    result = load_all(descriptor, &keyring, problem, problem_bytes);
    if (result)
        goto out;
    size_t kept = remove_expired(descriptor, &keyring, now, lifetime_seconds);
    if (kept >= KEYRING_KEYS_MAX) {
        key_files_say(problem, problem_bytes, "%s: %d keys may still verify tokens; wait until the oldest has expired",
                      directory, KEYRING_KEYS_MAX);
        result = ERROR_LIMIT;
        goto out;
    }
    new_key(now, keyring.key_count == 0, &key);
    result = write_key(descriptor, &key, problem, problem_bytes);
    if (result == 0)
        *ret = key;
out:
    OPENSSL_cleanse(&keyring, sizeof(keyring));
    OPENSSL_cleanse(&key, sizeof(key));
    return result;
}
