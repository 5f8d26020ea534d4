// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share. A target is a fuzz_X.c with one LLVMFuzzerTestOneInput(): libFuzzer calls it with inputs of
// its own (make fuzz), replay.c with the files of corpus/X (make unit). It must do the same for the same bytes.
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

// A property that must hold for every input.
#define FUZZ_CHECK(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))

static inline _Noreturn void fuzz_fail(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

// Inputs with several texts: a byte that chooses, then lines. Files of the corpus stay readable that way.
struct fuzz_input {
    const uint8_t *data;
    size_t bytes;
};

// The next byte; '0' when there is none.
static inline unsigned fuzz_byte(struct fuzz_input *input)
{
    if (input->bytes == 0)
        return '0';
    input->bytes--;
    return *input->data++;
}

// The bytes as a text of its own, up to a NUL among them: to the byte, so that a sanitizer sees who reads on. To be freed.
static inline char *fuzz_text(const uint8_t *data, size_t bytes)
{
    char *text = strndup((const char *)data, bytes);
    FUZZ_CHECK(text != NULL);
    return text;
}

// The next line without its end, as a text. To be freed.
static inline char *fuzz_line(struct fuzz_input *input)
{
    const uint8_t *end = input->bytes ? memchr(input->data, '\n', input->bytes) : NULL;
    size_t bytes = end ? (size_t)(end - input->data) : input->bytes;
    char *line = bytes ? fuzz_text(input->data, bytes) : fuzz_text((const uint8_t *)"", 0);
    size_t taken = end ? bytes + 1 : bytes;
    if (taken) {
        input->data += taken;
        input->bytes -= taken;
    }
    return line;
}

// Everything that is left, as a text. To be freed.
static inline char *fuzz_rest(struct fuzz_input *input)
{
    char *text = input->bytes ? fuzz_text(input->data, input->bytes) : fuzz_text((const uint8_t *)"", 0);
    input->bytes = 0;
    return text;
}

#endif
