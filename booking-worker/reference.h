// SPDX-License-Identifier: Apache-2.0
// A booking's reference: what one says at the door or on the telephone. Eight characters of Crockford's base32, in which no
// two look or sound alike that matter: forty random bits.
#ifndef BOOKING_WORKER_REFERENCE_H
#define BOOKING_WORKER_REFERENCE_H

#include <stdint.h>

#define REFERENCE_BYTES 10 // "K7QM-4WDP" and NUL
#define REFERENCE_RANDOM_BYTES 5

// The reference that these random bytes spell.
void reference_format(const uint8_t random[static REFERENCE_RANDOM_BYTES], char ret[static REFERENCE_BYTES]);

#endif
