// SPDX-License-Identifier: Apache-2.0
// HOST:PORT of the configuration: what is split can be put together again.
#include <stdbool.h>

#include "common/address.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = fuzz_text(data, bytes);
    struct address address;
    if (address_split(text, &address) == 0) {
        char again[sizeof address.host + sizeof address.port + 4];
        bool bracketed = text[0] == '[';
        snprintf(again, sizeof again, "%s%s%s:%s", bracketed ? "[" : "", address.host, bracketed ? "]" : "",
                 address.port);
        FUZZ_CHECK(strcmp(again, text) == 0);
        FUZZ_CHECK(*address.host && *address.port && strtol(address.port, NULL, 10) <= 65535);
        FUZZ_CHECK(bracketed == (strchr(address.host, ':') != NULL));
    }
    free(text);
    return 0;
}
