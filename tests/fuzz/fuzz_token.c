// SPDX-License-Identifier: Apache-2.0
// Queue tokens. The first byte chooses: '0' the rest is a token; '1' two lines are header and claims, signed with a right
// key, so that what stands behind the signature is reached; '2' a right token with a piece of it replaced; '3' a token's
// members, to be written and verified.
#define _GNU_SOURCE // memrchr()
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <stdbool.h>

#include "common/base64url.h"
#include "common/token.h"
#include "tests/fuzz/fuzz.h"

#define NOW INT64_C(1800000000)

static const struct keyring keyring = {
    .key_count = 2,
    .keys =
        {
            {.kid = "k0", .secret = {9}, .created_at = 1, .signs_from = 1},
            {.kid = "k1", .secret = {1, 2, 3}, .created_at = NOW - 700, .signs_from = NOW - 100},
        },
};

static const struct token usual = {
    .event = "spring-gala",
    .visitor = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff},
    .number = 42,
    .issued_at = NOW - 1,
    .expires_at = NOW + 100,
};

// Whether one of the keys signed it, by OpenSSL's own HMAC.
static bool is_signed(const char *text, size_t bytes)
{
    const char *dot = memrchr(text, '.', bytes);
    for (size_t i = 0; dot && i < keyring.key_count; i++) {
        uint8_t right[EVP_MAX_MD_SIZE];
        unsigned right_bytes = 0;
        HMAC(EVP_sha256(), keyring.keys[i].secret, KEYRING_SECRET_BYTES, (const uint8_t *)text, (size_t)(dot - text),
             right, &right_bytes);
        char encoded[BASE64URL_BYTES(EVP_MAX_MD_SIZE)];
        size_t encoded_bytes = base64url_encode(right, right_bytes, encoded);
        if ((size_t)(text + bytes - dot - 1) == encoded_bytes && memcmp(dot + 1, encoded, encoded_bytes) == 0)
            return true;
    }
    return false;
}

static bool equal(const struct token *a, const struct token *b)
{
    return strcmp(a->event, b->event) == 0 && memcmp(a->visitor, b->visitor, sizeof a->visitor) == 0 &&
           a->number == b->number && a->lobby == b->lobby && a->issued_at == b->issued_at &&
           a->expires_at == b->expires_at;
}

// Verifies; what is accepted must be signed, still good, and come back when it is written anew.
static bool verify(const char *text, size_t bytes, struct token *ret)
{
    struct token token;
    const char *reason = NULL;
    if (token_verify(text, bytes, &keyring, NOW, &token, &reason) != 0) {
        FUZZ_CHECK(reason != NULL && *reason);
        return false;
    }
    FUZZ_CHECK(bytes < TOKEN_BYTES_MAX && is_signed(text, bytes));
    FUZZ_CHECK(token.expires_at > NOW && token.number > 0 && slug_is_valid(token.event, strlen(token.event)));
    char again[TOKEN_BYTES_MAX];
    struct token second;
    FUZZ_CHECK(token_sign(&token, &keyring, NOW, again) == 0);
    FUZZ_CHECK(token_verify(again, strlen(again), &keyring, NOW, &second, &reason) == 0 && equal(&token, &second));
    *ret = token;
    return true;
}

static void verify_signed(struct fuzz_input *input)
{
    char *header = fuzz_line(input), *claims = fuzz_line(input);
    size_t room = BASE64URL_BYTES(strlen(header)) + BASE64URL_BYTES(strlen(claims)) + 64;
    char *text = malloc(room);
    FUZZ_CHECK(text != NULL);
    size_t bytes = base64url_encode(header, strlen(header), text);
    text[bytes++] = '.';
    bytes += base64url_encode(claims, strlen(claims), text + bytes);
    uint8_t signature[EVP_MAX_MD_SIZE];
    unsigned signature_bytes = 0;
    HMAC(EVP_sha256(), keyring.keys[1].secret, KEYRING_SECRET_BYTES, (const uint8_t *)text, bytes, signature,
         &signature_bytes);
    text[bytes++] = '.';
    bytes += base64url_encode(signature, signature_bytes, text + bytes);
    struct token token;
    (void)verify(text, bytes, &token);
    free(header);
    free(claims);
    free(text);
}

// A token can be written in one way only: whatever is changed, it is refused.
static void verify_changed(struct fuzz_input *input)
{
    char right[TOKEN_BYTES_MAX], changed[2 * TOKEN_BYTES_MAX];
    FUZZ_CHECK(token_sign(&usual, &keyring, NOW, right) == 0);
    size_t bytes = strlen(right);
    size_t from = (fuzz_byte(input) << 8 | fuzz_byte(input)) % (bytes + 1);
    size_t removed = fuzz_byte(input) % (bytes - from + 1);
    size_t added = input->bytes < TOKEN_BYTES_MAX ? input->bytes : TOKEN_BYTES_MAX;
    memcpy(changed, right, from);
    if (added)
        memcpy(changed + from, input->data, added);
    memcpy(changed + from + added, right + from + removed, bytes - from - removed);
    size_t changed_bytes = bytes - removed + added;
    bool same = changed_bytes == bytes && memcmp(changed, right, bytes) == 0;
    struct token token;
    bool accepted = verify(changed, changed_bytes, &token);
    FUZZ_CHECK(accepted == same);
    FUZZ_CHECK(!accepted || equal(&token, &usual));
}

static void write_and_verify(struct fuzz_input *input)
{
    struct token token = usual, read;
    token.lobby = fuzz_byte(input) & 1;
    char *event = fuzz_line(input);
    snprintf(token.event, sizeof token.event, "%s", event);
    free(event);
    int64_t numbers[3] = {0};
    memcpy(numbers, input->data, input->bytes < sizeof numbers ? input->bytes : sizeof numbers);
    token.number = (uint64_t)numbers[0];
    token.issued_at = numbers[1];
    token.expires_at = numbers[2];
    char text[TOKEN_BYTES_MAX];
    if (token_sign(&token, &keyring, NOW, text) != 0)
        return;
    bool accepted = verify(text, strlen(text), &read);
    FUZZ_CHECK(accepted == (token.expires_at > NOW));
    FUZZ_CHECK(!accepted || equal(&token, &read));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fuzz_input input = {data, bytes};
    struct token token;
    if (bytes == 0)
        return 0;
    switch (fuzz_byte(&input)) {
    case '1':
        verify_signed(&input);
        break;
    case '2':
        verify_changed(&input);
        break;
    case '3':
        write_and_verify(&input);
        break;
    default:
        (void)verify((const char *)input.data, input.bytes, &token);
        break;
    }
    return 0;
}
