// SPDX-License-Identifier: Apache-2.0
// What is well-formed UTF-8 (RFC 3629), for text that comes from outside and goes into JSON or the log.
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stddef.h>

#define UTF8_REPLACEMENT "\xEF\xBF\xBD" // U+FFFD, written in place of a byte that is no UTF-8

// The length (1 to 4) of the well-formed character at the beginning of `text`, of which `bytes` may be read; 0 when there
// is none: end of text, stray or missing continuation, overlong form, surrogate, beyond U+10FFFF.
size_t utf8_character_bytes(const char *text, size_t bytes);

#endif
