// SPDX-License-Identifier: Apache-2.0
// Queue tokens: equal to libjwt's to the byte, verified against everything that somebody could put in their place.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jwt.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "common/token.h"

#define NOW INT64_C(1800000000)
#define HEADER "{\"alg\":\"HS256\",\"kid\":\"k1\",\"typ\":\"onsale-queue+jwt\"}"
#define VISITOR "00112233445566778899aabbccddeeff"
#define CLAIMS                                                                                                          \
    "{\"aud\":\"spring-gala\",\"exp\":1800000100,\"iat\":1799999999,\"iss\":\"onsale\",\"place\":42,\"sub\":\"" VISITOR \
    "\"}"

static const struct keyring keyring = {
    .key_count = 3,
    .keys =
        {
            {.kid = "k0", .secret = {9}, .created_at = 1, .signs_from = 1},
            {.kid = "k1", .secret = {1, 2, 3}, .created_at = NOW - 700, .signs_from = NOW - 100},
            {.kid = "k2", .secret = {7}, .created_at = NOW - 10, .signs_from = NOW + 590},
        },
};

static const struct token usual = {
    .event = "spring-gala",
    .visitor = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff},
    .number = 42,
    .issued_at = NOW - 1,
    .expires_at = NOW + 100,
};

// Signs any two texts with any key and hash, as somebody would who has the key or thinks so.
static void forge(const char *header, const char *claims, const uint8_t *secret, size_t secret_bytes,
                  const EVP_MD *hash, char *ret, size_t ret_bytes)
{
    unsigned char signature[EVP_MAX_MD_SIZE];
    unsigned signature_bytes = 0;
    assert_true(BASE64URL_BYTES(strlen(header)) + BASE64URL_BYTES(strlen(claims)) + 100 < ret_bytes);
    size_t bytes = base64url_encode(header, strlen(header), ret);
    ret[bytes++] = '.';
    bytes += base64url_encode(claims, strlen(claims), ret + bytes);
    assert_non_null(HMAC(hash, secret, (int)secret_bytes, (unsigned char *)ret, bytes, signature, &signature_bytes));
    ret[bytes++] = '.';
    base64url_encode(signature, signature_bytes, ret + bytes);
}

static void forge_with_our_key(const char *header, const char *claims, char *ret, size_t ret_bytes)
{
    forge(header, claims, keyring.keys[1].secret, KEYRING_SECRET_BYTES, EVP_sha256(), ret, ret_bytes);
}

static void assert_refused(const char *text, size_t bytes, int64_t now, const char *reason)
{
    struct token token, untouched;
    memset(&token, 0x5a, sizeof(token));
    memset(&untouched, 0x5a, sizeof(untouched));
    const char *said = NULL;
    if (token_verify(text, bytes, &keyring, now, &token, &said) != ERROR_INVALID)
        fail_msg("was accepted, though wrong in its %s: %.*s", reason, (int)bytes, text);
    if (strcmp(said, reason) != 0)
        fail_msg("refused for its %s and not its %s: %.*s", said, reason, (int)bytes, text);
    assert_memory_equal(&token, &untouched, sizeof(token));
}

static void assert_accepted(const char *text, struct token *ret)
{
    const char *reason = "";
    if (token_verify(text, strlen(text), &keyring, NOW, ret, &reason))
        fail_msg("refused for its %s: %s", reason, text);
}

static void there_and_back(void **state)
{
    (void)state;
    char text[TOKEN_BYTES_MAX];
    struct token back;
    assert_int_equal(token_sign(&usual, &keyring, NOW, text), 0);
    assert_accepted(text, &back);
    assert_string_equal(back.event, usual.event);
    assert_memory_equal(back.visitor, usual.visitor, sizeof(usual.visitor));
    assert_int_equal(back.number, 42);
    assert_false(back.lobby);
    assert_int_equal(back.issued_at, usual.issued_at);
    assert_int_equal(back.expires_at, usual.expires_at);
    char expected[2000];
    forge_with_our_key(HEADER, CLAIMS, expected, sizeof(expected));
    assert_string_equal(text, expected);
}

static void the_largest_fits(void **state)
{
    (void)state;
    char text[TOKEN_BYTES_MAX];
    struct token token = usual, back;
    memset(token.event, 'a', SLUG_BYTES - 1);
    token.event[SLUG_BYTES - 1] = '\0';
    token.number = (UINT64_C(1) << 53) - 1;
    token.lobby = true;
    token.expires_at = INT64_C(253402300799);
    struct keyring_key key = {.secret = {1}};
    memset(key.kid, 'k', KEYRING_KID_BYTES - 1);
    assert_int_equal(token_write(&token, TOKEN_TYP, &key, text), 0);
    struct keyring ring = {.key_count = 1, .keys = {key}};
    const char *reason;
    assert_int_equal(token_verify(text, strlen(text), &ring, NOW, &back, &reason), 0);
    assert_true(back.lobby);
    assert_int_equal(back.number, token.number);
    assert_string_equal(back.event, token.event);
}

static void assert_equals_libjwt(const struct token *token, const struct keyring_key *key)
{
    char ours[TOKEN_BYTES_MAX], visitor[33];
    for (size_t i = 0; i < sizeof(token->visitor); i++)
        snprintf(visitor + 2 * i, 3, "%02x", token->visitor[i]);
    assert_int_equal(token_write(token, "JWT", key, ours), 0);
    jwt_t *jwt = NULL;
    assert_int_equal(jwt_new(&jwt), 0);
    assert_int_equal(jwt_set_alg(jwt, JWT_ALG_HS256, key->secret, sizeof(key->secret)), 0);
    assert_int_equal(jwt_add_header(jwt, "kid", key->kid), 0);
    assert_int_equal(jwt_add_grant(jwt, "iss", TOKEN_ISSUER), 0);
    assert_int_equal(jwt_add_grant(jwt, "aud", token->event), 0);
    assert_int_equal(jwt_add_grant(jwt, "sub", visitor), 0);
    assert_int_equal(jwt_add_grant_int(jwt, token->lobby ? "seat" : "place", (long)token->number), 0);
    assert_int_equal(jwt_add_grant_int(jwt, "iat", token->issued_at), 0);
    assert_int_equal(jwt_add_grant_int(jwt, "exp", token->expires_at), 0);
    char *theirs = jwt_encode_str(jwt);
    assert_non_null(theirs);
    assert_string_equal(ours, theirs);
    jwt_t *decoded = NULL;
    assert_int_equal(jwt_decode(&decoded, ours, key->secret, sizeof(key->secret)), 0);
    assert_int_equal(jwt_get_grant_int(decoded, token->lobby ? "seat" : "place"), token->number);
    jwt_free(decoded);
    free(theirs);
    jwt_free(jwt);
}

static void the_bytes_are_those_of_libjwt(void **state)
{
    (void)state;
    assert_equals_libjwt(&usual, &keyring.keys[1]);
    struct token token = usual;
    token.lobby = true;
    token.number = (UINT64_C(1) << 53) - 1;
    assert_equals_libjwt(&token, &keyring.keys[2]);
    // Every length of the claims modulo three, and many signatures.
    for (unsigned i = 0; i < 60; i++) {
        token.event[i] = (char)('a' + i % 26);
        token.event[i + 1] = '\0';
        token.visitor[i % TOKEN_VISITOR_BYTES] = (uint8_t)(i * 41);
        assert_equals_libjwt(&token, &keyring.keys[i % 3]);
    }
}

static void which_key_signs(void **state)
{
    (void)state;
    char text[TOKEN_BYTES_MAX], with_key[TOKEN_BYTES_MAX];
    struct token back;
    assert_int_equal(token_sign(&usual, &keyring, NOW + 590, text), 0);
    assert_int_equal(token_write(&usual, TOKEN_TYP, &keyring.keys[2], with_key), 0);
    assert_string_equal(text, with_key);
    assert_accepted(text, &back); // verified from the moment it is there
    assert_int_equal(token_sign(&usual, &keyring, 0, text), ERROR_NOT_FOUND);
    struct keyring none = {0};
    const char *reason;
    assert_int_equal(token_sign(&usual, &none, NOW, text), ERROR_NOT_FOUND);
    assert_int_equal(token_verify(with_key, strlen(with_key), &none, NOW, &back, &reason), ERROR_INVALID);
}

static void nonsense_is_not_signed(void **state)
{
    (void)state;
    struct token bad[7];
    for (size_t i = 0; i < 7; i++)
        bad[i] = usual;
    bad[0].number = 0;
    bad[1].number = UINT64_C(1) << 53;
    bad[2].event[0] = '\0';
    memcpy(bad[3].event, "a\"b", 4);
    bad[4].expires_at = bad[4].issued_at;
    bad[5].issued_at = -1;
    bad[6].expires_at = INT64_MAX;
    for (size_t i = 0; i < 7; i++) {
        char text[TOKEN_BYTES_MAX] = "untouched";
        assert_int_equal(token_sign(&bad[i], &keyring, NOW, text), ERROR_INVALID);
        assert_string_equal(text, "untouched");
    }
}

static void expired(void **state)
{
    (void)state;
    char text[TOKEN_BYTES_MAX];
    struct token back;
    const char *reason;
    assert_int_equal(token_sign(&usual, &keyring, NOW, text), 0);
    assert_int_equal(token_verify(text, strlen(text), &keyring, NOW + 99, &back, &reason), 0);
    assert_refused(text, strlen(text), NOW + 100, "expired");
}

static void forged(void **state)
{
    (void)state;
    char text[2000];
    static const uint8_t guess[KEYRING_SECRET_BYTES] = {1, 2, 4};
    forge(HEADER, CLAIMS, guess, sizeof(guess), EVP_sha256(), text, sizeof(text));
    assert_refused(text, strlen(text), NOW, "signature");
    // Another key of ours under the first one's name.
    forge(HEADER, CLAIMS, keyring.keys[0].secret, KEYRING_SECRET_BYTES, EVP_sha256(), text, sizeof(text));
    assert_refused(text, strlen(text), NOW, "signature");
    forge(HEADER, CLAIMS, keyring.keys[1].secret, KEYRING_SECRET_BYTES, EVP_sha512(), text, sizeof(text));
    assert_refused(text, strlen(text), NOW, "signature");
    // A signature of a good token under other claims.
    char good[2000];
    forge_with_our_key(HEADER, CLAIMS, good, sizeof(good));
    size_t bytes = base64url_encode(HEADER, strlen(HEADER), text);
    text[bytes++] = '.';
    const char *better =
        "{\"aud\":\"spring-gala\",\"exp\":1800000100,\"iat\":1799999999,\"iss\":\"onsale\",\"place\":1,"
        "\"sub\":\"" VISITOR "\"}";
    bytes += base64url_encode(better, strlen(better), text + bytes);
    snprintf(text + bytes, sizeof(text) - bytes, "%s", strrchr(good, '.'));
    assert_refused(text, strlen(text), NOW, "signature");
}

// Whatever one changes in a good token, it is no longer one: no second text stands for the same token.
static void every_character_counts(void **state)
{
    (void)state;
    char good[TOKEN_BYTES_MAX];
    assert_int_equal(token_sign(&usual, &keyring, NOW, good), 0);
    size_t bytes = strlen(good);
    for (size_t i = 0; i < bytes; i++) {
        for (int other = 0; other < 256; other++) {
            char text[TOKEN_BYTES_MAX];
            struct token back;
            const char *reason;
            if (good[i] == (char)other)
                continue;
            memcpy(text, good, bytes + 1);
            text[i] = (char)other;
            if (token_verify(text, bytes, &keyring, NOW, &back, &reason) == 0)
                fail_msg("accepted with character %zu changed to %d", i, other);
        }
    }
    // Cut anywhere, also in half.
    for (size_t i = 0; i < bytes; i++) {
        struct token back;
        const char *reason;
        assert_int_equal(token_verify(good, i, &keyring, NOW, &back, &reason), ERROR_INVALID);
    }
}

static void the_header_is_not_believed(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"alg\":\"none\",\"kid\":\"k1\",\"typ\":\"onsale-queue+jwt\"}", "algorithm"},
        {"{\"alg\":\"None\",\"kid\":\"k1\",\"typ\":\"onsale-queue+jwt\"}", "algorithm"},
        {"{\"alg\":\"\",\"kid\":\"k1\",\"typ\":\"onsale-queue+jwt\"}", "algorithm"},
        {"{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"onsale-queue+jwt\"}", "algorithm"},
        {"{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"onsale-queue+jwt\"}", "algorithm"},
        {"{\"alg\":\"HS512\",\"kid\":\"k1\",\"typ\":\"onsale-queue+jwt\"}", "algorithm"},
        {"{\"alg\":\"hs256\",\"kid\":\"k1\",\"typ\":\"onsale-queue+jwt\"}", "algorithm"},
        {"{\"alg\":[\"HS256\"],\"kid\":\"k1\",\"typ\":\"onsale-queue+jwt\"}", "algorithm"},
        {"{\"kid\":\"k1\",\"typ\":\"onsale-queue+jwt\"}", "algorithm"},
        {"{\"alg\":\"HS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}", "type"},
        {"{\"alg\":\"HS256\",\"kid\":\"k1\",\"typ\":\"onsale-pass+jwt\"}", "type"},
        {"{\"alg\":\"HS256\",\"kid\":\"k1\"}", "type"},
        {"{\"alg\":\"HS256\",\"kid\":\"k3\",\"typ\":\"onsale-queue+jwt\"}", "key"},
        {"{\"alg\":\"HS256\",\"kid\":\"\",\"typ\":\"onsale-queue+jwt\"}", "key"},
        {"{\"alg\":\"HS256\",\"kid\":1,\"typ\":\"onsale-queue+jwt\"}", "key"},
        {"{\"alg\":\"HS256\",\"typ\":\"onsale-queue+jwt\"}", "key"},
        {"{\"alg\":\"HS256\",\"alg\":\"HS256\",\"kid\":\"k1\",\"typ\":\"onsale-queue+jwt\"}", "header"},
        {"{\"alg\":\"HS256\",\"crit\":[\"x\"],\"kid\":\"k1\",\"typ\":\"onsale-queue+jwt\"}", "header"},
        {"[\"HS256\"]", "header"},
        {"HS256", "header"},
        {"", "header"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[2000];
        forge_with_our_key(cases[i][0], CLAIMS, text, sizeof(text));
        assert_refused(text, strlen(text), NOW, cases[i][1]);
        // `none` comes without a signature.
        char *signature = strrchr(text, '.');
        signature[1] = '\0';
        assert_refused(text, strlen(text), NOW, cases[i][1]);
    }
}

#define AUD "\"aud\":\"spring-gala\","
#define EXP "\"exp\":1800000100,"
#define IAT "\"iat\":1799999999,"
#define ISS "\"iss\":\"onsale\","
#define PLACE "\"place\":42,"
#define SUB "\"sub\":\"" VISITOR "\""

static void every_claim_must_be_there_and_right(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{" EXP IAT ISS PLACE SUB "}", "audience"},
        {"{" AUD IAT ISS PLACE SUB "}", "times"},
        {"{" AUD EXP ISS PLACE SUB "}", "times"},
        {"{" AUD EXP IAT PLACE SUB "}", "issuer"},
        {"{" AUD EXP IAT ISS SUB "}", "number"},
        {"{" AUD EXP IAT ISS "\"place\":42}", "visitor"},
        {"{" AUD AUD EXP IAT ISS PLACE SUB "}", "claims"},
        {"{" AUD EXP IAT ISS PLACE "\"place\":1," SUB "}", "claims"},
        {"{" AUD EXP EXP IAT ISS PLACE SUB "}", "claims"},
        {"{" AUD EXP IAT ISS PLACE "\"seat\":42," SUB "}", "number"},
        {"{" AUD EXP IAT ISS "\"place\":0," SUB "}", "number"},
        {"{" AUD EXP IAT ISS "\"place\":-1," SUB "}", "number"},
        {"{" AUD EXP IAT ISS "\"place\":42.0," SUB "}", "number"},
        {"{" AUD EXP IAT ISS "\"place\":\"42\"," SUB "}", "number"},
        {"{" AUD EXP IAT ISS "\"place\":null," SUB "}", "number"},
        {"{" AUD EXP IAT ISS "\"place\":9007199254740992," SUB "}", "number"},
        {"{" AUD EXP IAT ISS "\"place\":18446744073709551616," SUB "}", "claims"},
        {"{" AUD EXP IAT ISS "\"place\":1e400," SUB "}", "claims"},
        {"{" AUD EXP IAT ISS "\"place\":1e3," SUB "}", "number"},
        {"{" AUD EXP IAT ISS "\"seat\":0," SUB "}", "number"},
        {"{\"aud\":\"Spring-Gala\"," EXP IAT ISS PLACE SUB "}", "audience"},
        {"{\"aud\":[\"spring-gala\"]," EXP IAT ISS PLACE SUB "}", "audience"},
        {"{\"aud\":\"\"," EXP IAT ISS PLACE SUB "}", "audience"},
        {"{" AUD EXP IAT "\"iss\":\"else\"," PLACE SUB "}", "issuer"},
        {"{" AUD "\"exp\":1799999999," IAT ISS PLACE SUB "}", "times"},
        {"{" AUD "\"exp\":1e12," IAT ISS PLACE SUB "}", "times"},
        {"{" AUD "\"exp\":9223372036854775807," IAT ISS PLACE SUB "}", "times"},
        {"{" AUD EXP "\"iat\":-1," ISS PLACE SUB "}", "times"},
        {"{" AUD EXP IAT ISS PLACE "\"sub\":\"00112233445566778899aabbccddeef\"}", "visitor"},
        {"{" AUD EXP IAT ISS PLACE "\"sub\":\"00112233445566778899aabbccddeeff0\"}", "visitor"},
        {"{" AUD EXP IAT ISS PLACE "\"sub\":\"00112233445566778899AABBCCDDEEFF\"}", "visitor"},
        {"{" AUD EXP IAT ISS PLACE "\"sub\":\"00112233445566778899aabbccddeefg\"}", "visitor"},
        {"{" AUD EXP IAT ISS PLACE SUB, "claims"},
        {"[1]", "claims"},
        {"", "claims"},
    };
    char text[2000];
    struct token back;
    forge_with_our_key(HEADER, "{" AUD EXP IAT ISS PLACE SUB "}", text, sizeof(text));
    assert_accepted(text, &back);
    // A newer program may say more.
    forge_with_our_key(HEADER, "{" AUD EXP IAT ISS "\"later\":true," PLACE SUB "}", text, sizeof(text));
    assert_accepted(text, &back);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        forge_with_our_key(HEADER, cases[i][0], text, sizeof(text));
        assert_refused(text, strlen(text), NOW, cases[i][1]);
    }
}

static void what_is_no_token_at_all(void **state)
{
    (void)state;
    static const char *const cases[] = {"", ".", "..", "...", "a", "a.b", "a.b.c.d", "Bearer x.y.z"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct token back;
        const char *reason;
        assert_int_equal(token_verify(cases[i], strlen(cases[i]), &keyring, NOW, &back, &reason), ERROR_INVALID);
    }
    // 20 kB, well formed and well signed.
    static char claims[15100], text[21000];
    int bytes = snprintf(claims, sizeof(claims), "{" AUD EXP IAT ISS PLACE SUB ",\"x\":\"");
    memset(claims + bytes, 'x', 14900);
    snprintf(claims + bytes + 14900, sizeof(claims) - (size_t)bytes - 14900, "\"}");
    forge_with_our_key(HEADER, claims, text, sizeof(text));
    assert_true(strlen(text) > 20000);
    assert_refused(text, strlen(text), NOW, "length");
    char exact[TOKEN_BYTES_MAX + 1];
    memset(exact, 'a', sizeof(exact));
    assert_refused(exact, TOKEN_BYTES_MAX, NOW, "length");
    assert_refused(exact, TOKEN_BYTES_MAX - 1, NOW, "form");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(the_largest_fits),
        cmocka_unit_test(the_bytes_are_those_of_libjwt),
        cmocka_unit_test(which_key_signs),
        cmocka_unit_test(nonsense_is_not_signed),
        cmocka_unit_test(expired),
        cmocka_unit_test(forged),
        cmocka_unit_test(every_character_counts),
        cmocka_unit_test(the_header_is_not_believed),
        cmocka_unit_test(every_claim_must_be_there_and_right),
        cmocka_unit_test(what_is_no_token_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
