// SPDX-License-Identifier: Apache-2.0
// Dead letters from RabbitMQ: what is read can be written, and what was written is read as the same.
#include "common/dead_letter.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct dead_letter letter = {0}, again = {0};
    struct buffer text = BUFFER_INIT, second = BUFFER_INIT;
    char problem[128] = "";
    if (dead_letter_read((const char *)data, bytes, &letter, problem, sizeof problem) != 0) {
        FUZZ_CHECK(*problem && memchr(problem, '\0', sizeof problem) && !letter.memory);
        return 0;
    }
    FUZZ_CHECK(letter.body && letter.body_bytes <= DEAD_LETTER_BODY_BYTES_MAX && letter.attempt <= UINT16_MAX);
    dead_letter_write(&letter, &text);
    FUZZ_CHECK(!text.failed);
    FUZZ_CHECK(dead_letter_read(text.data, text.bytes, &again, problem, sizeof problem) == 0);
    FUZZ_CHECK(again.body_bytes == letter.body_bytes && memcmp(again.body, letter.body, letter.body_bytes) == 0);
    dead_letter_write(&again, &second);
    FUZZ_CHECK(text.bytes == second.bytes && memcmp(text.data, second.data, text.bytes) == 0);
    buffer_done(&text);
    buffer_done(&second);
    dead_letter_done(&letter);
    dead_letter_done(&again);
    return 0;
}
