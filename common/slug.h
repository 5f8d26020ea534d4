// SPDX-License-Identifier: Apache-2.0
// Names of events, tiers and prices: [a-z0-9-]{1,64}.
#ifndef COMMON_SLUG_H
#define COMMON_SLUG_H

#include <stdbool.h>
#include <stddef.h>

#define SLUG_BYTES 65 // with the NUL

bool slug_is_valid(const char *text, size_t bytes);

#endif
