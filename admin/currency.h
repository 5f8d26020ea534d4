// SPDX-License-Identifier: Apache-2.0
// The currencies of ISO 4217 with the digits of their minor units, so that an amount can be checked and shown. Pure.
#ifndef ADMIN_CURRENCY_H
#define ADMIN_CURRENCY_H

#include <stdint.h>

#include "common/error.h"

#define CURRENCY_AMOUNT_BYTES 40

// Finds a currency by its code ("EUR"). 0 with its minor unit's digits (0, 2, 3 or 4), or ERROR_NOT_FOUND.
int currency_find(const char *code, unsigned *ret_digits) MUST_USE;

// Writes an amount in minor units as people read it: "45.00 EUR", "4500 JPY". An unknown code counts as one without a
// minor unit. Returns `text`.
const char *currency_format(uint64_t amount, const char *code, char text[static CURRENCY_AMOUNT_BYTES]);

#endif
