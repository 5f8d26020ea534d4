// SPDX-License-Identifier: Apache-2.0
// The keys of the queue tokens as a counted, immutable copy that travels to the loops.
#ifndef WAITING_ROOM_KEYS_H
#define WAITING_ROOM_KEYS_H

#include <stdatomic.h>

#include "common/keyring.h"

struct keys {
    _Atomic unsigned references;
    struct keyring keyring;
};

// Reads the directory. On failure `problem` says why, with the class as in keyring_load(). One reference.
int keys_load(const char *directory, struct keys **ret, char *problem, size_t problem_bytes) MUST_USE;
void keys_hold(void *keys);
void keys_unref(struct keys *keys); // accepts NULL

#endif
