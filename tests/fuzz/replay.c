// SPDX-License-Identifier: Apache-2.0
// Gives a fuzz target the files of a folder, one after the other: how the unit tests see every input that ever mattered,
// without a fuzzer. When a target fails, the input's name is said.
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define PATH_BYTES 1024

static char path[PATH_BYTES]; // of the file that is being replayed

static void on_failure(int number)
{
    static const char with[] = "The input is ";
    if (write(STDERR_FILENO, with, sizeof with - 1) < 0 || write(STDERR_FILENO, path, strlen(path)) < 0 ||
        write(STDERR_FILENO, "\n", 1) < 0)
        _exit(1);
    signal(number, SIG_DFL);
    raise(number);
}

static bool replay_file(void)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0)
        return false;
    long bytes = ftell(file);
    rewind(file);
    // To the byte, so that a sanitizer sees who reads beyond.
    uint8_t *data = bytes < 0 ? NULL : malloc((size_t)bytes + (bytes == 0));
    bool read = data && fread(data, 1, (size_t)bytes, file) == (size_t)bytes;
    fclose(file);
    if (read)
        LLVMFuzzerTestOneInput(data, (size_t)bytes);
    free(data);
    return read;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    signal(SIGABRT, on_failure);
    signal(SIGSEGV, on_failure);
    struct dirent **entries = NULL;
    int count = scandir(argv[1], &entries, NULL, alphasort), replayed = 0;
    bool good = count >= 0;
    for (int i = 0; i < count; i++) {
        int bytes = snprintf(path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') {
            bool done = bytes > 0 && (size_t)bytes < sizeof path && replay_file();
            good = good && done;
            replayed++;
        }
        free(entries[i]);
    }
    free(entries);
    if (!good || replayed == 0) {
        fprintf(stderr, "%s: %s\n", argv[1], replayed ? "a file cannot be read" : "no files there");
        return 1;
    }
    printf("%s: %d inputs\n", argv[1], replayed);
    return 0;
}
