// SPDX-License-Identifier: Apache-2.0
// Names of events, tiers and prices.
#include "common/slug.h"

bool slug_is_valid(const char *text, size_t bytes)
{
    if (bytes < 1 || bytes >= SLUG_BYTES)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        char c = text[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return true;
}
