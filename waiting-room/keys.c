// SPDX-License-Identifier: Apache-2.0
// Counting of key sets.
#include "waiting-room/keys.h"

#include <stdlib.h>
#include <string.h>

int keys_load(const char *directory, struct keys **ret, char *problem, size_t problem_bytes)
{
    struct keys *keys = calloc(1, sizeof *keys);
    if (!keys)
        return ERROR_MEMORY;
    atomic_init(&keys->references, 1);
    int error = keyring_load(directory, &keys->keyring, problem, problem_bytes);
    if (error < 0) {
        keys_unref(keys);
        return error;
    }
    *ret = keys;
    return 0;
}

void keys_hold(void *keys)
{
    atomic_fetch_add_explicit(&((struct keys *)keys)->references, 1, memory_order_relaxed);
}

void keys_unref(struct keys *keys)
{
    if (!keys || atomic_fetch_sub_explicit(&keys->references, 1, memory_order_acq_rel) != 1)
        return;
    explicit_bzero(keys, sizeof *keys);
    free(keys);
}
