// SPDX-License-Identifier: Apache-2.0
// Times of RFC 3339: what is read lies between 1970 and 9999 and comes back; any number at all can be written.
#include "common/clock.h"
#include "tests/fuzz/fuzz.h"

#define END_US INT64_C(253402300800000000) // of the year 9999

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = fuzz_text(data, bytes), written[CLOCK_TEXT_BYTES];
    int64_t time_us, again_us;
    if (clock_parse(text, &time_us) == 0) {
        FUZZ_CHECK(time_us >= 0 && time_us < END_US);
        FUZZ_CHECK(clock_parse(clock_format_us(time_us, written), &again_us) == 0 && again_us == time_us);
        FUZZ_CHECK(clock_parse(clock_format(time_us, written), &again_us) == 0);
        FUZZ_CHECK(again_us == time_us - time_us % 1000);
        // An hour more of offset is an hour earlier.
        if (strlen(text) > 6 && text[strlen(text) - 1] == 'Z') {
            char moved[64];
            snprintf(moved, sizeof moved, "%.*s+01:00", (int)strlen(text) - 1, text);
            FUZZ_CHECK(clock_parse(moved, &again_us) != 0 ? time_us < INT64_C(3600000000)
                                                          : again_us == time_us - INT64_C(3600000000));
        }
    }
    free(text);
    if (bytes >= sizeof time_us) {
        memcpy(&time_us, data, sizeof time_us);
        FUZZ_CHECK(strlen(clock_format(time_us, written)) < CLOCK_TEXT_BYTES);
        FUZZ_CHECK(strlen(clock_format_us(time_us, written)) < CLOCK_TEXT_BYTES);
        if (time_us >= 0 && time_us < END_US)
            FUZZ_CHECK(clock_parse(written, &again_us) == 0 && again_us == time_us);
    }
    return 0;
}
