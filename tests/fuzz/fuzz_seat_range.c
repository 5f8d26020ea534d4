// links: admin
// SPDX-License-Identifier: Apache-2.0
// "1-14,17-30": rising numbers, and the same numbers when they are written and read again.
#include "common/seat.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = fuzz_text(data, bytes), problem[64] = "";
    uint16_t numbers[SEAT_ROW_MAX], again[SEAT_ROW_MAX];
    size_t count = 0, again_count = 0;
    if (seat_range_read(text, numbers, &count, problem, sizeof problem) == 0) {
        FUZZ_CHECK(count >= 1 && count <= SEAT_ROW_MAX);
        for (size_t i = 0; i < count; i++)
            FUZZ_CHECK(numbers[i] > (i ? numbers[i - 1] : 0) && numbers[i] <= SEAT_NUMBER_MAX);
        struct buffer written = BUFFER_INIT;
        seat_range_write(numbers, count, &written);
        FUZZ_CHECK(!written.failed && written.bytes <= strlen(text));
        FUZZ_CHECK(seat_range_read(written.data, again, &again_count, problem, sizeof problem) == 0);
        FUZZ_CHECK(again_count == count && memcmp(numbers, again, count * sizeof numbers[0]) == 0);
        buffer_done(&written);
    } else {
        FUZZ_CHECK(*problem && memchr(problem, '\0', sizeof problem));
    }
    free(text);
    return 0;
}
