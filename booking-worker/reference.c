// SPDX-License-Identifier: Apache-2.0
// See reference.h; the alphabet is https://www.crockford.com/base32.html, without I, L, O and U.
#include "booking-worker/reference.h"

void reference_format(const uint8_t random[static REFERENCE_RANDOM_BYTES], char ret[static REFERENCE_BYTES])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t bits = 0;
    for (int i = 0; i < REFERENCE_RANDOM_BYTES; i++)
        bits = bits << 8 | random[i];
    for (int at = REFERENCE_BYTES - 2; at >= 0; at--) {
        if (at == 4) {
            ret[at] = '-';
            continue;
        }
        ret[at] = digits[bits & 31];
        bits >>= 5;
    }
    ret[REFERENCE_BYTES - 1] = '\0';
}
