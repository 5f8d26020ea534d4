// SPDX-License-Identifier: Apache-2.0
// Queue tokens, written and verified by hand over OpenSSL's SHA-256 and jansson. Members stand in the order of their names
// and without blanks, as libjwt writes them, so that both give the same bytes for the same typ. Every join writes one, so
// writing formats and allocates nothing.

// SHA256_Init() and its like, which OpenSSL 3 would rather not see: HMAC() looks its algorithms up and allocates them
// for every token, which makes it more than three times as dear (docs/benchmarks.md).
#define OPENSSL_API_COMPAT 0x10100000L
#include "common/token.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

#include "common/base64url.h"
#include "common/json.h"

#define ALGORITHM "HS256"
#define SIGNATURE_BYTES SHA256_DIGEST_LENGTH
#define VISITOR_TEXT_BYTES (2 * TOKEN_VISITOR_BYTES)
// Every reader of JSON holds integers up to here exactly (RFC 8259, 6); nobody will ever be that far back in a line.
#define NUMBER_MAX ((INT64_C(1) << 53) - 1)
#define TIME_MAX INT64_C(253402300799) // the end of the year 9999

// ---------------------------------------------------------------- signing

// A JSON text that is being put together.
struct text {
    char data[320];
    size_t bytes;
    bool failed; // it did not fit
};

static void put_bytes(struct text *text, const char *data, size_t bytes)
{
    if (bytes > sizeof(text->data) - text->bytes) {
        text->failed = true;
        return;
    }
    memcpy(text->data + text->bytes, data, bytes);
    text->bytes += bytes;
}

static void put(struct text *text, const char *data)
{
    put_bytes(text, data, strlen(data));
}

static void put_number(struct text *text, uint64_t number)
{
    char digits[20];
    size_t first = sizeof(digits);
    do
        digits[--first] = (char)('0' + number % 10);
    while (number /= 10);
    put_bytes(text, digits + first, sizeof(digits) - first);
}

static void put_hex(struct text *text, const uint8_t *data, size_t bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes; i++)
        put_bytes(text, (char[]){digits[data[i] >> 4], digits[data[i] & 15]}, 2);
}

static void hash(const uint8_t block[static SHA256_CBLOCK], const void *data, size_t bytes,
                 uint8_t ret[static SHA256_DIGEST_LENGTH])
{
    SHA256_CTX state;
    SHA256_Init(&state);
    SHA256_Update(&state, block, SHA256_CBLOCK);
    SHA256_Update(&state, data, bytes);
    SHA256_Final(ret, &state); // leaves nothing of the block behind
}

// HMAC-SHA256 (RFC 2104, 2): the hash of one block made of the key and of the hash of another and the text.
static void sign(const struct keyring_key *key, const char *text, size_t bytes, uint8_t ret[static SIGNATURE_BYTES])
{
    uint8_t inner[SHA256_CBLOCK], outer[SHA256_CBLOCK];
    _Static_assert(sizeof(key->secret) <= SHA256_CBLOCK, "a longer key would have to be hashed first");
    memset(inner, 0x36, sizeof(inner));
    memset(outer, 0x5C, sizeof(outer));
    for (size_t i = 0; i < sizeof(key->secret); i++) {
        inner[i] ^= key->secret[i];
        outer[i] ^= key->secret[i];
    }
    hash(inner, text, bytes, ret);
    hash(outer, ret, SHA256_DIGEST_LENGTH, ret);
    OPENSSL_cleanse(inner, sizeof(inner));
    OPENSSL_cleanse(outer, sizeof(outer));
}

int token_write(const struct token *token, const char *typ, const struct keyring_key *key,
                char ret[static TOKEN_BYTES_MAX])
{
    if (!slug_is_valid(token->event, strnlen(token->event, sizeof(token->event))) || token->number == 0 ||
        token->number > NUMBER_MAX || token->issued_at < 0 || token->expires_at <= token->issued_at ||
        token->expires_at > TIME_MAX)
        return ERROR_INVALID;
    struct text header = {.failed = false}, claims = {.failed = false};
    put(&header, "{\"alg\":\"" ALGORITHM "\",\"kid\":\"");
    put(&header, key->kid);
    put(&header, "\",\"typ\":\"");
    put(&header, typ);
    put(&header, "\"}");
    put(&claims, "{\"aud\":\"");
    put(&claims, token->event);
    put(&claims, "\",\"exp\":");
    put_number(&claims, (uint64_t)token->expires_at);
    put(&claims, ",\"iat\":");
    put_number(&claims, (uint64_t)token->issued_at);
    put(&claims, ",\"iss\":\"" TOKEN_ISSUER "\",\"");
    put(&claims, token->lobby ? "seat" : "place");
    put(&claims, "\":");
    put_number(&claims, token->number);
    put(&claims, ",\"sub\":\"");
    put_hex(&claims, token->visitor, sizeof(token->visitor));
    put(&claims, "\"}");
    if (header.failed || claims.failed)
        return ERROR_LIMIT;
    // Twice 320 bytes and the signature are 899 characters at most.
    _Static_assert(2 * BASE64URL_BYTES(sizeof(header.data)) + BASE64URL_BYTES(SIGNATURE_BYTES) < TOKEN_BYTES_MAX,
                   "a token fits");
    size_t bytes = base64url_encode(header.data, header.bytes, ret);
    ret[bytes++] = '.';
    bytes += base64url_encode(claims.data, claims.bytes, ret + bytes);
    uint8_t signature[SIGNATURE_BYTES];
    sign(key, ret, bytes, signature);
    ret[bytes++] = '.';
    base64url_encode(signature, sizeof(signature), ret + bytes);
    return 0;
}

int token_sign(const struct token *token, const struct keyring *keyring, int64_t now, char ret[static TOKEN_BYTES_MAX])
{
    const struct keyring_key *key = keyring_signing_key(keyring, now);
    return key ? token_write(token, TOKEN_TYP, key, ret) : ERROR_NOT_FOUND;
}

// ---------------------------------------------------------------- verifying

// A token's three parts, as they stand in its text.
struct parts {
    const char *header, *claims, *signature;
    size_t header_bytes, claims_bytes, signature_bytes;
};

static int split(const char *text, size_t bytes, struct parts *ret)
{
    const char *first = memchr(text, '.', bytes);
    if (!first)
        return ERROR_INVALID;
    const char *end = text + bytes, *second = memchr(first + 1, '.', (size_t)(end - first - 1));
    if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
        return ERROR_INVALID;
    *ret = (struct parts){
        .header = text,
        .claims = first + 1,
        .signature = second + 1,
        .header_bytes = (size_t)(first - text),
        .claims_bytes = (size_t)(second - first - 1),
        .signature_bytes = (size_t)(end - second - 1),
    };
    return 0;
}

static int decode_object(const char *text, size_t bytes, json_t **ret)
{
    uint8_t decoded[TOKEN_BYTES_MAX];
    size_t decoded_bytes = 0;
    if (base64url_decode(text, bytes, decoded, sizeof(decoded), &decoded_bytes))
        return ERROR_INVALID;
    return json_read_object((const char *)decoded, decoded_bytes, sizeof(decoded), NULL, 0, ret);
}

// Finds the key by the header and checks that the header says what that key is for. `crit` names extensions that must be
// understood (RFC 7515, 4.1.11); we have none.
static const char *check_header(const struct parts *parts, const struct keyring *keyring,
                                const struct keyring_key **ret_key)
{
    json_t *header CLEANUP(json_cleanup) = NULL;
    if (decode_object(parts->header, parts->header_bytes, &header))
        return "header";
    const char *algorithm, *typ, *kid;
    if (json_read_string(header, "alg", 16, &algorithm) || strcmp(algorithm, ALGORITHM) != 0)
        return "algorithm";
    if (json_read_string(header, "typ", 32, &typ) || strcmp(typ, TOKEN_TYP) != 0)
        return "type";
    if (json_object_get(header, "crit"))
        return "header";
    if (json_read_string(header, "kid", KEYRING_KID_BYTES, &kid))
        return "key";
    *ret_key = keyring_find(keyring, kid, strlen(kid));
    return *ret_key ? NULL : "key";
}

static const char *check_signature(const struct parts *parts, const struct keyring_key *key)
{
    uint8_t given[SIGNATURE_BYTES], right[SIGNATURE_BYTES];
    size_t given_bytes = 0;
    if (base64url_decode(parts->signature, parts->signature_bytes, given, sizeof(given), &given_bytes) ||
        given_bytes != sizeof(given))
        return "signature";
    sign(key, parts->header, parts->header_bytes + 1 + parts->claims_bytes, right);
    return CRYPTO_memcmp(given, right, sizeof(right)) == 0 ? NULL : "signature";
}

static int read_visitor(const json_t *claims, uint8_t ret[static TOKEN_VISITOR_BYTES])
{
    const char *text;
    if (json_read_string(claims, "sub", VISITOR_TEXT_BYTES + 1, &text) || strlen(text) != VISITOR_TEXT_BYTES)
        return ERROR_INVALID;
    for (size_t i = 0; i < VISITOR_TEXT_BYTES; i++) {
        int value;
        if (text[i] >= '0' && text[i] <= '9')
            value = text[i] - '0';
        else if (text[i] >= 'a' && text[i] <= 'f')
            value = text[i] - 'a' + 10;
        else
            return ERROR_INVALID;
        ret[i / 2] = (uint8_t)(i % 2 ? ret[i / 2] << 4 | value : value);
    }
    return 0;
}

static const char *read_claims(const struct parts *parts, struct token *ret)
{
    json_t *claims CLEANUP(json_cleanup) = NULL;
    if (decode_object(parts->claims, parts->claims_bytes, &claims))
        return "claims";
    const char *issuer, *event;
    if (json_read_string(claims, "iss", 32, &issuer) || strcmp(issuer, TOKEN_ISSUER) != 0)
        return "issuer";
    if (json_read_string(claims, "aud", SLUG_BYTES, &event) || !slug_is_valid(event, strlen(event)))
        return "audience";
    memcpy(ret->event, event, strlen(event) + 1);
    if (read_visitor(claims, ret->visitor))
        return "visitor";
    int64_t number;
    ret->lobby = json_object_get(claims, "seat") != NULL;
    if (ret->lobby && json_object_get(claims, "place"))
        return "number";
    if (json_read_integer(claims, ret->lobby ? "seat" : "place", 1, NUMBER_MAX, &number))
        return "number";
    ret->number = (uint64_t)number;
    if (json_read_integer(claims, "iat", 0, TIME_MAX, &ret->issued_at) ||
        json_read_integer(claims, "exp", 0, TIME_MAX, &ret->expires_at) || ret->expires_at <= ret->issued_at)
        return "times";
    return NULL;
}

int token_verify(const char *text, size_t bytes, const struct keyring *keyring, int64_t now, struct token *ret,
                 const char **ret_reason)
{
    struct parts parts;
    struct token token = {0};
    const struct keyring_key *key = NULL;
    const char *reason = NULL;
    if (bytes >= TOKEN_BYTES_MAX)
        reason = "length";
    else if (split(text, bytes, &parts))
        reason = "form";
    if (!reason)
        reason = check_header(&parts, keyring, &key);
    if (!reason)
        reason = check_signature(&parts, key);
    if (!reason)
        reason = read_claims(&parts, &token);
    if (!reason && token.expires_at <= now)
        reason = "expired";
    if (reason) {
        *ret_reason = reason;
        return ERROR_INVALID;
    }
    *ret = token;
    return 0;
}
