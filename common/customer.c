// SPDX-License-Identifier: Apache-2.0
#include "common/customer.h"

#include <openssl/sha.h>
#include <stdbool.h>
#include <string.h>

#define EMAIL_BYTES_MAX 1024 // longer ones are not taken as orders; here they are cut

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void customer_of_email(const char *email, uint8_t ret[static CUSTOMER_BYTES])
{
    char folded[EMAIL_BYTES_MAX];
    uint8_t digest[SHA256_DIGEST_LENGTH];
    while (is_blank(*email))
        email++;
    size_t bytes = strnlen(email, sizeof(folded));
    while (bytes && is_blank(email[bytes - 1]))
        bytes--;
    for (size_t i = 0; i < bytes; i++)
        folded[i] = (char)(email[i] >= 'A' && email[i] <= 'Z' ? email[i] - 'A' + 'a' : email[i]);
    SHA256((const unsigned char *)folded, bytes, digest);
    memcpy(ret, digest, CUSTOMER_BYTES);
}
