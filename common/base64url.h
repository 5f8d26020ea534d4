// SPDX-License-Identifier: Apache-2.0
// Base64 for addresses, without padding (RFC 4648, 5; RFC 7515, 2). Pure. Decoding is strict: one byte string has just
// one text, so a token cannot be written in two ways.
#ifndef COMMON_BASE64URL_H
#define COMMON_BASE64URL_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

// What base64url_encode() needs for that many bytes, with the NUL.
#define BASE64URL_BYTES(bytes) (((bytes)*4 + 2) / 3 + 1)

// Writes BASE64URL_BYTES(bytes) characters at most and a NUL; returns the length of the text.
size_t base64url_encode(const void *data, size_t bytes, char *ret);

// ERROR_INVALID for anything that the encoder would not have written (padding, other characters, bits left over);
// ERROR_LIMIT when it is more than ret_capacity bytes.
int base64url_decode(const char *text, size_t text_bytes, uint8_t *ret, size_t ret_capacity,
                     size_t *ret_bytes) MUST_USE;

#endif
