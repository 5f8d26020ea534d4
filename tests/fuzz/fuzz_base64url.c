// SPDX-License-Identifier: Apache-2.0
// Base64 for addresses: one text for one byte string, in both directions.
#include "common/base64url.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = malloc(BASE64URL_BYTES(bytes));
    uint8_t *back = malloc(bytes + 1);
    size_t back_bytes = 0;
    FUZZ_CHECK(text && back);
    size_t text_bytes = base64url_encode(data, bytes, text);
    FUZZ_CHECK(text_bytes < BASE64URL_BYTES(bytes) && text[text_bytes] == '\0');
    FUZZ_CHECK(base64url_decode(text, text_bytes, back, bytes, &back_bytes) == 0);
    FUZZ_CHECK(back_bytes == bytes && (bytes == 0 || memcmp(back, data, bytes) == 0));
    // One byte less room is not enough.
    if (bytes)
        FUZZ_CHECK(base64url_decode(text, text_bytes, back, bytes - 1, &back_bytes) == ERROR_LIMIT);
    // The input as a text: what is accepted is what the encoder writes.
    if (base64url_decode((const char *)data, bytes, back, bytes, &back_bytes) == 0)
        FUZZ_CHECK(base64url_encode(back, back_bytes, text) == bytes && (!bytes || memcmp(text, data, bytes) == 0));
    free(text);
    free(back);
    return 0;
}
