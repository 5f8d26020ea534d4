// SPDX-License-Identifier: Apache-2.0
// Queue tokens, written and verified by hand over OpenSSL's HMAC and jansson. Members stand in the order of their names
// and without blanks, as libjwt writes them, so that both give the same bytes for the same typ.
#include "common/token.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "common/base64url.h"
#include "common/json.h"

#define ALGORITHM "HS256"
#define SIGNATURE_BYTES 32
#define VISITOR_TEXT_BYTES (2 * TOKEN_VISITOR_BYTES)
// Every reader of JSON holds integers up to here exactly (RFC 8259, 6); nobody will ever be that far back in a line.
#define NUMBER_MAX ((INT64_C(1) << 53) - 1)
#define TIME_MAX INT64_C(253402300799) // the end of the year 9999

// ---------------------------------------------------------------- signing

static void write_hex(const uint8_t *data, size_t bytes, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes; i++) {
        ret[2 * i] = digits[data[i] >> 4];
        ret[2 * i + 1] = digits[data[i] & 15];
    }
    ret[2 * bytes] = '\0';
}

static int sign(const struct keyring_key *key, const char *text, size_t bytes, uint8_t ret[static SIGNATURE_BYTES])
{
    unsigned written = 0;
    if (!HMAC(EVP_sha256(), key->secret, sizeof(key->secret), (const unsigned char *)text, bytes, ret, &written) ||
        written != SIGNATURE_BYTES)
        return ERROR_BUG;
    return 0;
}

int token_write(const struct token *token, const char *typ, const struct keyring_key *key,
                char ret[static TOKEN_BYTES_MAX])
{
    if (!slug_is_valid(token->event, strnlen(token->event, sizeof(token->event))) || token->number == 0 ||
        token->number > NUMBER_MAX || token->issued_at < 0 || token->expires_at <= token->issued_at ||
        token->expires_at > TIME_MAX)
        return ERROR_INVALID;
    char header[160], claims[384], visitor[VISITOR_TEXT_BYTES + 1];
    int header_bytes =
        snprintf(header, sizeof(header), "{\"alg\":\"" ALGORITHM "\",\"kid\":\"%s\",\"typ\":\"%s\"}", key->kid, typ);
    write_hex(token->visitor, sizeof(token->visitor), visitor);
    int claims_bytes = snprintf(claims, sizeof(claims),
                                "{\"aud\":\"%s\",\"exp\":%" PRId64 ",\"iat\":%" PRId64 ",\"iss\":\"" TOKEN_ISSUER
                                "\",\"%s\":%" PRIu64 ",\"sub\":\"%s\"}",
                                token->event, token->expires_at, token->issued_at, token->lobby ? "seat" : "place",
                                token->number, visitor);
    if (header_bytes < 0 || (size_t)header_bytes >= sizeof(header) || claims_bytes < 0 ||
        (size_t)claims_bytes >= sizeof(claims))
        return ERROR_LIMIT;
    // 160 and 384 bytes and the signature are 769 characters at most.
    _Static_assert(BASE64URL_BYTES(sizeof(header)) + BASE64URL_BYTES(sizeof(claims)) +
                           BASE64URL_BYTES(SIGNATURE_BYTES) <
                       TOKEN_BYTES_MAX,
                   "a token fits");
    char text[TOKEN_BYTES_MAX];
    size_t bytes = base64url_encode(header, (size_t)header_bytes, text);
    text[bytes++] = '.';
    bytes += base64url_encode(claims, (size_t)claims_bytes, text + bytes);
    uint8_t signature[SIGNATURE_BYTES];
    int result = sign(key, text, bytes, signature);
    if (result)
        return result;
    text[bytes++] = '.';
    bytes += base64url_encode(signature, sizeof(signature), text + bytes);
    memcpy(ret, text, bytes + 1);
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
    if (sign(key, parts->header, parts->header_bytes + 1 + parts->claims_bytes, right))
        return "signature";
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
