// SPDX-License-Identifier: Apache-2.0
// Queue tokens: JSON Web Tokens (RFC 7519), HS256 with a `kid`, typed "onsale-queue+jwt" (RFC 8725, 3.11). Pure: keys and
// time come from the caller. Why libjwt does not write them: docs/decisions.md.
#ifndef COMMON_TOKEN_H
#define COMMON_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/keyring.h"
#include "common/slug.h"

#define TOKEN_TYP "onsale-queue+jwt"
#define TOKEN_ISSUER "onsale"
#define TOKEN_BYTES_MAX 1024 // with the NUL; anything longer is no token of ours
#define TOKEN_VISITOR_BYTES 16

struct token {
    char event[SLUG_BYTES]; // aud
    uint8_t visitor[TOKEN_VISITOR_BYTES]; // sub: 32 hexadecimal digits
    uint64_t number; // claim `place`, or `seat` in the lobby
    bool lobby; // it says `seat`
    int64_t issued_at, expires_at; // iat, exp: seconds since 1970
};

// Signs with the keyring's signing key at `now`. ERROR_NOT_FOUND when no key may sign yet.
int token_sign(const struct token *token, const struct keyring *keyring, int64_t now,
               char ret[static TOKEN_BYTES_MAX]) MUST_USE;

// What token_sign() does with the key and the typ that it chose. ERROR_INVALID for a token that token_verify() would refuse
// whatever the time. With typ "JWT" the bytes are libjwt's.
int token_write(const struct token *token, const char *typ, const struct keyring_key *key,
                char ret[static TOKEN_BYTES_MAX]) MUST_USE;

// Verifies: the key is chosen by `kid`, the algorithm must be the key's (never the header's word, so `none` and RS256 fail),
// then signature, typ, iss, exp and the claims' shapes; all members that a token of ours has must be there, once.
// The audience is left to the caller: compare ret->event. ERROR_INVALID with a constant reason for the log in *ret_reason.
int token_verify(const char *text, size_t bytes, const struct keyring *keyring, int64_t now, struct token *ret,
                 const char **ret_reason) MUST_USE;

#endif
