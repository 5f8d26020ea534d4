// SPDX-License-Identifier: Apache-2.0
// Times of RFC 3339: what is read lies between 1970 and 9999 and comes back; any number at all can be written.
#define _DEFAULT_SOURCE // timegm()
#include <time.h>

#include "common/clock.h"
#include "tests/fuzz/fuzz.h"

#define END_US INT64_C(253402300800000000) // of the year 9999

// The same by the C library, for a text that is well-formed.
static int64_t expected(const char *text)
{
    struct tm parts = {0};
    char us[7] = "000000";
    int east = 0, hours = 0, minutes = 0;
    FUZZ_CHECK(sscanf(text, "%4d-%2d-%2d%*c%2d:%2d:%2d", &parts.tm_year, &parts.tm_mon, &parts.tm_mday, &parts.tm_hour,
                      &parts.tm_min, &parts.tm_sec) == 6);
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    const char *offset = text + 19;
    if (*offset == '.') {
        size_t digits = strspn(++offset, "0123456789");
        memcpy(us, offset, digits < 6 ? digits : 6);
        offset += digits;
    }
    if (sscanf(offset + 1, "%2d:%2d", &hours, &minutes) == 2)
        east = (*offset == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return ((int64_t)timegm(&parts) - east) * 1000000 + strtol(us, NULL, 10);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = fuzz_text(data, bytes), written[CLOCK_TEXT_BYTES];
    int64_t time_us, again_us;
    if (clock_parse(text, &time_us) == 0) {
        FUZZ_CHECK(time_us >= 0 && time_us < END_US && time_us == expected(text));
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
