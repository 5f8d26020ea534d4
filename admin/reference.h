// SPDX-License-Identifier: Apache-2.0
// A booking's reference as somebody said or typed it. Pure.
#ifndef ADMIN_REFERENCE_H
#define ADMIN_REFERENCE_H

#include "common/error.h"

#define REFERENCE_BYTES 10 // "K7QM-4WDP" and NUL

// Any letter case, with or without dashes and blanks; O counts as 0, I and L as 1 (Crockford's base32). ERROR_INVALID: it cannot be one.
int reference_parse(const char *text, char ret[static REFERENCE_BYTES]) MUST_USE;

#endif
