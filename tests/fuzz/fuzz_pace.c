// SPDX-License-Identifier: Apache-2.0
// Paces: within bounds, and the same text comes back but for leading zeros and the unit of nothing.
#include <stdbool.h>

#include "common/pace.h"
#include "tests/fuzz/fuzz.h"

// Whether the text is `written`, but for zeros in front of the number.
static bool is_same(const char *text, const char *written)
{
    if (strncmp(text, "auto:", 5) == 0) {
        if (strncmp(written, "auto:", 5) != 0)
            return false;
        text += 5;
        written += 5;
    }
    return strcmp(text + strspn(text, "0"), written) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = fuzz_text(data, bytes);
    struct pace pace, again;
    if (pace_parse(text, &pace) == 0) {
        FUZZ_CHECK(pace.per_seconds == 1 || pace.per_seconds == 60 || pace.per_seconds == 3600);
        FUZZ_CHECK(pace.count <= (uint64_t)pace.per_seconds * PACE_PER_SECOND_MAX);
        char written[PACE_TEXT_BYTES];
        FUZZ_CHECK(pace_format(&pace, written) == written && strlen(written) < PACE_TEXT_BYTES);
        FUZZ_CHECK(pace_parse(written, &again) == 0);
        FUZZ_CHECK(again.is_auto == pace.is_auto && again.count == pace.count && again.per_seconds == pace.per_seconds);
        FUZZ_CHECK(pace.count == 0 || is_same(text, written));
    }
    free(text);
    return 0;
}
