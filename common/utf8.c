// SPDX-License-Identifier: Apache-2.0
// Well-formed UTF-8 by the table of RFC 3629, section 4: the first byte decides the length and the range of the second.
#include "common/utf8.h"

#include <string.h>

size_t utf8_character_bytes(const char *text, size_t bytes)
{
    if (bytes == 0)
        return 0;
    const unsigned char *at = (const unsigned char *)text;
    if (at[0] < 0x80)
        return 1;
    size_t length = at[0] >= 0xC2 && at[0] <= 0xDF ? 2 : at[0] >= 0xE0 && at[0] <= 0xEF ? 3 : 4;
    if (at[0] < 0xC2 || at[0] > 0xF4 || bytes < length)
        return 0;
    // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
    unsigned char low = at[0] == 0xE0 ? 0xA0 : at[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = at[0] == 0xED ? 0x9F : at[0] == 0xF4 ? 0x8F : 0xBF;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

size_t utf8_cut(const char *text, size_t bytes_max)
{
    size_t bytes = strnlen(text, bytes_max + 1);
    if (bytes <= bytes_max)
        return bytes;
    while (bytes_max > 0 && ((unsigned char)text[bytes_max] & 0xC0) == 0x80)
        bytes_max--;
    return bytes_max;
}

void utf8_mend(char *text)
{
    char *to = text;
    for (size_t left = strlen(text); left > 0;) {
        size_t bytes = utf8_character_bytes(text, left);
        size_t taken = bytes ? bytes : 1;
        memmove(to, text, bytes);
        to += bytes;
        text += taken;
        left -= taken;
    }
    *to = '\0';
}
