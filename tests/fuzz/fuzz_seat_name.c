// SPDX-License-Identifier: Apache-2.0
// "A-12": what is read is written as the same name.
#include "common/seat.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char row[SEAT_ROW_NAME_BYTES], written[SEAT_NAME_BYTES];
    uint16_t number = 0;
    if (seat_name_read((const char *)data, bytes, row, &number) == 0) {
        FUZZ_CHECK(number >= 1 && number <= SEAT_NUMBER_MAX);
        FUZZ_CHECK(bytes < SEAT_NAME_BYTES);
        // A row is a text: behind a NUL there is no more of it.
        if (!memchr(data, '\0', bytes)) {
            seat_name_write(row, number, written);
            FUZZ_CHECK(strlen(written) == bytes && memcmp(written, data, bytes) == 0);
        }
    }
    return 0;
}
