// SPDX-License-Identifier: Apache-2.0
// What is well-formed UTF-8 (RFC 3629), for text that comes from outside and goes into JSON or the log.
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stddef.h>

#define UTF8_REPLACEMENT "\xEF\xBF\xBD" // U+FFFD, written in place of a byte that is no UTF-8

// The length (1 to 4) of the well-formed character at the beginning of `text`, of which `bytes` may be read; 0 when there
// is none: end of text, stray or missing continuation, overlong form, surrogate, beyond U+10FFFF.
size_t utf8_character_bytes(const char *text, size_t bytes);

// How many bytes of a well-formed text fit into `bytes_max` without half a character at the end.
size_t utf8_cut(const char *text, size_t bytes_max);

// Takes out, in place, every byte that belongs to no well-formed character: what printf's precision or a short buffer
// cut through, and what somebody typed.
void utf8_mend(char *text);

#endif
