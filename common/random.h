// SPDX-License-Identifier: Apache-2.0
// Random bytes from the kernel (getrandom(2)). It cannot fail after boot; if it does, the process ends.
#ifndef COMMON_RANDOM_H
#define COMMON_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *data, size_t bytes); // any thread
uint64_t random_u64(void);
// 128 bits in 32 hexadecimal digits, and NUL: a name or a key that nobody else has or guesses.
#define RANDOM_NAME_BYTES 33
void random_name(char ret[static RANDOM_NAME_BYTES]);

#endif
