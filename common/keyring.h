// SPDX-License-Identifier: Apache-2.0
// The keys of the queue tokens, as files in one directory (0700, files 0600): KID.json with algorithm, secret, times. A key verifies
// from the moment it is there, signs ten minutes later (so that every waiting room knows it by then; the very first one
// signs at once) and verifies until the tokens that it signed have expired.
#ifndef COMMON_KEYRING_H
#define COMMON_KEYRING_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define KEYRING_KEYS_MAX 16
#define KEYRING_KID_BYTES 33
#define KEYRING_SECRET_BYTES 32
#define KEYRING_SIGNS_AFTER_SECONDS 600

struct keyring_key {
    char kid[KEYRING_KID_BYTES]; // [a-z0-9]{1,32}
    uint8_t secret[KEYRING_SECRET_BYTES];
    int64_t created_at; // seconds since 1970
    int64_t signs_from;
};

// Immutable once loaded, so any number of threads may read it.
struct keyring {
    size_t key_count;
    struct keyring_key keys[KEYRING_KEYS_MAX]; // by created_at, oldest first
};

// Reads all keys of the directory. ERROR_NOT_FOUND: no such directory or no key in it; ERROR_INVALID: a file that is not a
// key; ERROR_PERMANENT: not readable, or readable by others. `problem` says which file and why.
int keyring_load(const char *directory, struct keyring *ret, char *problem, size_t problem_bytes) MUST_USE;

// The key that signs at `now`: the youngest whose signs_from has passed. NULL if none.
const struct keyring_key *keyring_signing_key(const struct keyring *keyring, int64_t now);
const struct keyring_key *keyring_find(const struct keyring *keyring, const char *kid, size_t kid_bytes);

// Adds a new random key (creates the directory if it must) and removes the files of keys that can verify nothing any more:
// those whose successor began to sign more than lifetime_seconds ago. Written whole or not at all. *ret is the new key.
int keyring_rotate(const char *directory, int64_t now, int64_t lifetime_seconds, struct keyring_key *ret, char *problem,
                   size_t problem_bytes) MUST_USE;

#endif
