// SPDX-License-Identifier: Apache-2.0
// Random bytes from the kernel.
#include "common/random.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *data, size_t bytes)
{
    unsigned char *at = data;
    while (bytes > 0) {
        ssize_t got = getrandom(at, bytes, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort(); // Going on with guessable visitor ids and keys would be worse than ending.
        at += got;
        bytes -= (size_t)got;
    }
}

uint64_t random_u64(void)
{
    uint64_t value = 0;
    random_bytes(&value, sizeof value);
    return value;
}

void random_name(char ret[static RANDOM_NAME_BYTES])
{
    snprintf(ret, RANDOM_NAME_BYTES, "%016" PRIx64 "%016" PRIx64, random_u64(), random_u64());
}
