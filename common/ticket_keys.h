// SPDX-License-Identifier: Apache-2.0
// The keys that tickets are signed with (ES256), as files in the folder `tickets` of the tokens' directory: KID.json, each a JSON Web Key
// (RFC 7518, 6.2) with its private part and two times. A ticket is good for as long as its event is to come, so no key is ever removed by a
// program. As with the queue tokens' keys, a new one signs ten minutes later, the very first one at once.
#ifndef COMMON_TICKET_KEYS_H
#define COMMON_TICKET_KEYS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/error.h"
#include "common/key_files.h"

#define TICKET_KEYS_FOLDER "tickets"
#define TICKET_KEYS_MAX 64
#define TICKET_KEYS_SIGN_AFTER_SECONDS 600
#define TICKET_COORDINATE_BYTES 32 // of a point on P-256

struct ticket_key {
    char kid[KEY_KID_BYTES];
    int64_t created_at, signs_from; // seconds since 1970
    uint8_t x[TICKET_COORDINATE_BYTES], y[TICKET_COORDINATE_BYTES];
    struct evp_pkey_st *pair; // OpenSSL's EVP_PKEY
};

// Immutable once loaded and counted, so any number of threads may use it.
struct ticket_keys {
    _Atomic unsigned references;
    size_t count;
    struct ticket_key keys[TICKET_KEYS_MAX]; // by created_at, oldest first
};

// Reads all keys, with one reference. `directory` is the tokens' one. ERROR_NOT_FOUND: there is none; other errors as of keyring_load().
int ticket_keys_load(const char *directory, struct ticket_keys **ret, char *problem, size_t problem_bytes) MUST_USE;
void ticket_keys_hold(void *keys);
void ticket_keys_unref(struct ticket_keys *keys); // accepts NULL

// The youngest whose signs_from has passed. NULL: none. `keys` may be NULL.
const struct ticket_key *ticket_keys_signing(const struct ticket_keys *keys, int64_t now);
const struct ticket_key *ticket_keys_find(const struct ticket_keys *keys, const char *kid);

struct ticket_key_made {
    char kid[KEY_KID_BYTES];
    int64_t created_at, signs_from;
};
// Adds a new random key; the directories are made if they must be. ERROR_LIMIT: there are TICKET_KEYS_MAX.
int ticket_keys_rotate(const char *directory, int64_t now, struct ticket_key_made *ret, char *problem,
                       size_t problem_bytes) MUST_USE;

// Appends the public parts as a JSON Web Key Set (RFC 7517, 5). `keys` may be NULL: then it is empty.
void ticket_keys_write_public(const struct ticket_keys *keys, struct buffer *text);

#endif
