// SPDX-License-Identifier: Apache-2.0
// Three bytes to four characters and back.
#include "common/base64url.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

size_t base64url_encode(const void *data, size_t bytes, char *ret)
{
    const uint8_t *from = data;
    char *to = ret;
    size_t left = bytes;
    for (; left >= 3; left -= 3, from += 3) {
        uint32_t bits = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
        *to++ = alphabet[bits >> 18];
        *to++ = alphabet[bits >> 12 & 63];
        *to++ = alphabet[bits >> 6 & 63];
        *to++ = alphabet[bits & 63];
    }
    if (left > 0) {
        uint32_t bits = (uint32_t)from[0] << 16 | (left == 2 ? (uint32_t)from[1] << 8 : 0);
        *to++ = alphabet[bits >> 18];
        *to++ = alphabet[bits >> 12 & 63];
        if (left == 2)
            *to++ = alphabet[bits >> 6 & 63];
    }
    *to = '\0';
    return (size_t)(to - ret);
}

static int value_of(char character)
{
    if (character >= 'A' && character <= 'Z')
        return character - 'A';
    if (character >= 'a' && character <= 'z')
        return character - 'a' + 26;
    if (character >= '0' && character <= '9')
        return character - '0' + 52;
    if (character == '-')
        return 62;
    return character == '_' ? 63 : -1;
}

int base64url_decode(const char *text, size_t text_bytes, uint8_t *ret, size_t ret_capacity, size_t *ret_bytes)
{
    if (text_bytes % 4 == 1)
        return ERROR_INVALID; // six bits are no byte
    if (text_bytes / 4 * 3 + (text_bytes % 4 ? text_bytes % 4 - 1 : 0) > ret_capacity)
        return ERROR_LIMIT;
    size_t written = 0;
    uint32_t bits = 0;
    unsigned bit_count = 0;
    for (size_t i = 0; i < text_bytes; i++) {
        int value = value_of(text[i]);
        if (value < 0)
            return ERROR_INVALID;
        bits = (bits << 6) | (uint32_t)value;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            ret[written++] = (uint8_t)(bits >> bit_count);
        }
    }
    if (bits & ((1u << bit_count) - 1))
        return ERROR_INVALID;
    *ret_bytes = written;
    return 0;
}
