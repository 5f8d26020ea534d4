// SPDX-License-Identifier: Apache-2.0
// A customer: whoever orders with the same e-mail address, which is all that says so. Rows know customers by a hash, so that limits
// can be kept without carrying addresses around. Pure.
#ifndef COMMON_CUSTOMER_H
#define COMMON_CUSTOMER_H

#include <stdint.h>

#define CUSTOMER_BYTES 16

// The first 16 bytes of SHA-256 over the case-folded address: without blanks, tabs and line ends around it, its ASCII letters made small.
// Other letters stay as they are: what a mail server makes of them nobody else knows.
void customer_of_email(const char *email, uint8_t ret[static CUSTOMER_BYTES]);

#endif
