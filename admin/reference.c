// SPDX-License-Identifier: Apache-2.0
#include "admin/reference.h"

#include <stddef.h>
#include <string.h>

#define SYMBOLS 8

static char symbol_of(char c)
{
    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    if (c == 'O')
        return '0';
    if (c == 'I' || c == 'L')
        return '1';
    return c != '\0' && strchr("0123456789ABCDEFGHJKMNPQRSTVWXYZ", c) ? c : '\0';
}

int reference_parse(const char *text, char ret[static REFERENCE_BYTES])
{
    char reference[REFERENCE_BYTES];
    size_t count = 0;
    for (; *text; text++) {
        if (*text == '-' || *text == ' ')
            continue;
        const char symbol = symbol_of(*text);
        if (!symbol || count == SYMBOLS)
            return ERROR_INVALID;
        reference[count + (count >= SYMBOLS / 2)] = symbol;
        count++;
    }
    if (count != SYMBOLS)
        return ERROR_INVALID;
    reference[SYMBOLS / 2] = '-';
    reference[SYMBOLS + 1] = '\0';
    memcpy(ret, reference, sizeof(reference));
    return 0;
}
