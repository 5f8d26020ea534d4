// SPDX-License-Identifier: Apache-2.0
// Key pairs on P-256 by OpenSSL's provider interface; the files hold the three numbers as RFC 7518 writes them.
#include "common/ticket_keys.h"

#include <inttypes.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base64url.h"
#include "common/json.h"

#define GROUP "prime256v1"
#define POINT_BYTES (1 + 2 * TICKET_COORDINATE_BYTES) // 04 x y
#define NUMBER_TEXT_BYTES BASE64URL_BYTES(TICKET_COORDINATE_BYTES)

static void free_params(OSSL_PARAM **params)
{
    OSSL_PARAM_free(*params);
}

static void free_builder(OSSL_PARAM_BLD **builder)
{
    OSSL_PARAM_BLD_free(*builder);
}

static void free_maker(EVP_PKEY_CTX **maker)
{
    EVP_PKEY_CTX_free(*maker);
}

static void clear_number(BIGNUM **number)
{
    BN_clear_free(*number);
}

// ---------------------------------------------------------------- reading

// NULL: these are no key pair, or memory is out.
static EVP_PKEY *pair_of(const struct ticket_key *key, const uint8_t secret[static TICKET_COORDINATE_BYTES])
{
    uint8_t point[POINT_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
    memcpy(point + 1, key->x, sizeof(key->x));
    memcpy(point + 1 + sizeof(key->x), key->y, sizeof(key->y));
    OSSL_PARAM_BLD *builder CLEANUP(free_builder) = OSSL_PARAM_BLD_new();
    BIGNUM *number CLEANUP(clear_number) = BN_bin2bn(secret, TICKET_COORDINATE_BYTES, NULL);
    if (!builder || !number || !OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, GROUP, 0) ||
        !OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) ||
        !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, number))
        return NULL;
    OSSL_PARAM *params CLEANUP(free_params) = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *maker CLEANUP(free_maker) = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *pair = NULL;
    if (!params || !maker || EVP_PKEY_fromdata_init(maker) != 1 ||
        EVP_PKEY_fromdata(maker, &pair, EVP_PKEY_KEYPAIR, params) != 1)
        return NULL;
    EVP_PKEY_CTX *checker CLEANUP(free_maker) = EVP_PKEY_CTX_new_from_pkey(NULL, pair, NULL);
    if (checker && EVP_PKEY_check(checker) == 1) // the point is on the curve, and the number is its own
        return pair;
    EVP_PKEY_free(pair);
    return NULL;
}

static int read_number(const json_t *object, const char *name, uint8_t ret[static TICKET_COORDINATE_BYTES])
{
    const char *text;
    size_t bytes = 0;
    if (json_read_string(object, name, NUMBER_TEXT_BYTES, &text) ||
        base64url_decode(text, strlen(text), ret, TICKET_COORDINATE_BYTES, &bytes) || bytes != TICKET_COORDINATE_BYTES)
        return ERROR_INVALID;
    return 0;
}

static const char *problem_of(const json_t *object, const char *name, struct ticket_key *key)
{
    const char *word = "", *kid = "";
    uint8_t secret[TICKET_COORDINATE_BYTES];
    if (json_read_string(object, "kty", 16, &word) || strcmp(word, "EC") != 0)
        return "kty must be EC";
    if (json_read_string(object, "crv", 16, &word) || strcmp(word, "P-256") != 0)
        return "crv must be P-256";
    if (json_read_string(object, "alg", 16, &word) || strcmp(word, "ES256") != 0)
        return "alg must be ES256";
    if (json_read_string(object, "kid", KEY_KID_BYTES, &kid) || !key_files_is_named(name, kid))
        return "kid must be the file's name without .json";
    if (json_read_integer(object, "created_at", 0, KEY_TIME_MAX, &key->created_at))
        return "created_at must be seconds since 1970";
    if (json_read_integer(object, "signs_from", 0, KEY_TIME_MAX, &key->signs_from))
        return "signs_from must be seconds since 1970";
    memcpy(key->kid, kid, strlen(kid) + 1);
    if (read_number(object, "x", key->x) == 0 && read_number(object, "y", key->y) == 0 &&
        read_number(object, "d", secret) == 0)
        key->pair = pair_of(key, secret);
    OPENSSL_cleanse(secret, sizeof(secret));
    return key->pair ? NULL : "x, y and d must be one key pair, each 32 bytes in base64url";
}

static int take_key(void *context, const char *name, const char *text, size_t bytes, char *problem,
                    size_t problem_bytes)
{
    struct ticket_keys *keys = context;
    char reason[256] = "";
    json_t *object CLEANUP(json_cleanup) = NULL;
    struct ticket_key key = {.pair = NULL};
    if (keys->count == TICKET_KEYS_MAX) {
        key_files_say(problem, problem_bytes, "more than %d keys", TICKET_KEYS_MAX);
        return ERROR_INVALID;
    }
    if (json_read_object(text, bytes, KEY_FILE_BYTES_MAX, reason, sizeof(reason), &object)) {
        key_files_say(problem, problem_bytes, TICKET_KEYS_FOLDER "/%s: %s", name, reason);
        return ERROR_INVALID;
    }
    const char *wrong = problem_of(object, name, &key);
    if (wrong) {
        key_files_say(problem, problem_bytes, TICKET_KEYS_FOLDER "/%s: %s", name, wrong);
        return ERROR_INVALID;
    }
    keys->keys[keys->count++] = key;
    return 0;
}

// Oldest first; by name among those of one second, so that every waiting room sees one order.
static int compare_keys(const void *left, const void *right)
{
    const struct ticket_key *a = left, *b = right;
    if (a->created_at != b->created_at)
        return a->created_at < b->created_at ? -1 : 1;
    return strcmp(a->kid, b->kid);
}

static int path_of(const char *directory, char ret[static PATH_MAX], char *problem, size_t problem_bytes)
{
    if (snprintf(ret, PATH_MAX, "%s/" TICKET_KEYS_FOLDER, directory) < PATH_MAX)
        return 0;
    key_files_say(problem, problem_bytes, "the path is too long");
    return ERROR_PERMANENT;
}

static int load_all(int directory, struct ticket_keys **ret, char *problem, size_t problem_bytes)
{
    struct ticket_keys *keys = calloc(1, sizeof(*keys));
    if (!keys)
        return ERROR_MEMORY;
    atomic_init(&keys->references, 1);
    int result = key_files_read_all(directory, NULL, take_key, keys, problem, problem_bytes);
    if (result) {
        ticket_keys_unref(keys);
        return result;
    }
    qsort(keys->keys, keys->count, sizeof(keys->keys[0]), compare_keys);
    *ret = keys;
    return 0;
}

int ticket_keys_load(const char *directory, struct ticket_keys **ret, char *problem, size_t problem_bytes)
{
    char path[PATH_MAX];
    int descriptor CLEANUP(key_files_close) = -1;
    struct ticket_keys *keys = NULL;
    int result = path_of(directory, path, problem, problem_bytes);
    if (result == 0)
        result = key_files_open(path, &descriptor, problem, problem_bytes);
    if (result == 0)
        result = load_all(descriptor, &keys, problem, problem_bytes);
    if (result)
        return result;
    if (keys->count == 0) {
        key_files_say(problem, problem_bytes, "%s: no key in it", path);
        ticket_keys_unref(keys);
        return ERROR_NOT_FOUND;
    }
    *ret = keys;
    return 0;
}

void ticket_keys_hold(void *keys)
{
    atomic_fetch_add_explicit(&((struct ticket_keys *)keys)->references, 1, memory_order_relaxed);
}

void ticket_keys_unref(struct ticket_keys *keys)
{
    if (!keys || atomic_fetch_sub_explicit(&keys->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < keys->count; i++)
        EVP_PKEY_free(keys->keys[i].pair);
    free(keys);
}

const struct ticket_key *ticket_keys_signing(const struct ticket_keys *keys, int64_t now)
{
    for (size_t i = keys ? keys->count : 0; i-- > 0;) {
        if (keys->keys[i].signs_from <= now)
            return &keys->keys[i];
    }
    return NULL;
}

const struct ticket_key *ticket_keys_find(const struct ticket_keys *keys, const char *kid)
{
    for (size_t i = 0; keys && i < keys->count; i++) {
        if (strcmp(keys->keys[i].kid, kid) == 0)
            return &keys->keys[i];
    }
    return NULL;
}

// ---------------------------------------------------------------- writing

// The three numbers of a new pair. ERROR_MEMORY stands for whatever OpenSSL could not do.
static int new_pair(struct ticket_key *key, uint8_t ret_secret[static TICKET_COORDINATE_BYTES])
{
    uint8_t point[POINT_BYTES];
    size_t bytes = 0;
    BIGNUM *number CLEANUP(clear_number) = NULL;
    key->pair = EVP_EC_gen(GROUP);
    if (!key->pair ||
        EVP_PKEY_get_octet_string_param(key->pair, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &bytes) != 1 ||
        bytes != sizeof(point) || EVP_PKEY_get_bn_param(key->pair, OSSL_PKEY_PARAM_PRIV_KEY, &number) != 1 ||
        BN_bn2binpad(number, ret_secret, TICKET_COORDINATE_BYTES) != TICKET_COORDINATE_BYTES)
        return ERROR_MEMORY;
    memcpy(key->x, point + 1, sizeof(key->x));
    memcpy(key->y, point + 1 + sizeof(key->x), sizeof(key->y));
    return 0;
}

static int write_key(int directory, const struct ticket_key *key, const uint8_t *secret, char *problem,
                     size_t problem_bytes)
{
    char x[NUMBER_TEXT_BYTES], y[NUMBER_TEXT_BYTES], d[NUMBER_TEXT_BYTES], text[512];
    base64url_encode(key->x, sizeof(key->x), x);
    base64url_encode(key->y, sizeof(key->y), y);
    base64url_encode(secret, TICKET_COORDINATE_BYTES, d);
    int bytes = snprintf(text, sizeof(text),
                         "{\n  \"kty\": \"EC\",\n  \"crv\": \"P-256\",\n  \"use\": \"sig\",\n  \"alg\": \"ES256\",\n"
                         "  \"kid\": \"%s\",\n  \"x\": \"%s\",\n  \"y\": \"%s\",\n  \"d\": \"%s\",\n"
                         "  \"created_at\": %" PRId64 ",\n  \"signs_from\": %" PRId64 "\n}\n",
                         key->kid, x, y, d, key->created_at, key->signs_from);
    int result = key_files_write(directory, key->kid, text, (size_t)bytes, problem, problem_bytes);
    OPENSSL_cleanse(text, sizeof(text));
    OPENSSL_cleanse(d, sizeof(d));
    return result;
}

static int add_key(int directory, struct ticket_key *key, char *problem, size_t problem_bytes)
{
    uint8_t secret[TICKET_COORDINATE_BYTES];
    key_files_new_kid(key->kid);
    int result = new_pair(key, secret);
    if (result == 0)
        result = write_key(directory, key, secret, problem, problem_bytes);
    OPENSSL_cleanse(secret, sizeof(secret));
    EVP_PKEY_free(key->pair);
    key->pair = NULL;
    return result;
}

int ticket_keys_rotate(const char *directory, int64_t now, struct ticket_key_made *ret, char *problem,
                       size_t problem_bytes)
{
    char path[PATH_MAX];
    int parent CLEANUP(key_files_close) = -1, descriptor CLEANUP(key_files_close) = -1;
    struct ticket_keys *keys = NULL;
    int result = path_of(directory, path, problem, problem_bytes);
    if (result == 0)
        result = key_files_lock(directory, &parent, problem, problem_bytes);
    if (result == 0)
        result = key_files_lock(path, &descriptor, problem, problem_bytes);
    if (result == 0)
        result = load_all(descriptor, &keys, problem, problem_bytes);
    if (result)
        return result;
    struct ticket_key key = {.created_at = now,
                             .signs_from = keys->count == 0 ? now : now + TICKET_KEYS_SIGN_AFTER_SECONDS};
    if (keys->count == TICKET_KEYS_MAX) {
        key_files_say(problem, problem_bytes,
                      "%s: there are %d keys; remove the files of those whose tickets are all of the past", path,
                      TICKET_KEYS_MAX);
        result = ERROR_LIMIT;
    } else {
        result = add_key(descriptor, &key, problem, problem_bytes);
    }
    ticket_keys_unref(keys);
    if (result < 0)
        return result;
    *ret = (struct ticket_key_made){.created_at = key.created_at, .signs_from = key.signs_from};
    memcpy(ret->kid, key.kid, sizeof(ret->kid));
    return 0;
}

void ticket_keys_write_public(const struct ticket_keys *keys, struct buffer *text)
{
    buffer_text(text, "{\"keys\":[");
    for (size_t i = 0; keys && i < keys->count; i++) {
        char x[NUMBER_TEXT_BYTES], y[NUMBER_TEXT_BYTES];
        base64url_encode(keys->keys[i].x, TICKET_COORDINATE_BYTES, x);
        base64url_encode(keys->keys[i].y, TICKET_COORDINATE_BYTES, y);
        buffer_format(text,
                      "%s{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"%s\","
                      "\"x\":\"%s\",\"y\":\"%s\"}",
                      i ? "," : "", keys->keys[i].kid, x, y);
    }
    buffer_text(text, "]}");
}
