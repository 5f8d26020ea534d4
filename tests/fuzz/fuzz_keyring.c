// SPDX-License-Identifier: Apache-2.0
// A key's file, k1.json in a folder of the target's own: what is accepted has the file's name and signs tokens that verify.
#define _GNU_SOURCE // mkdtemp()
#include <fcntl.h>
#include <unistd.h>

#include "common/token.h"
#include "tests/fuzz/fuzz.h"

#define TIME_MAX INT64_C(253402300799)

static char folder[256], path[sizeof folder + 16];
static int file = -1;

static void remove_folder(void)
{
    (void)unlink(path);
    (void)rmdir(folder);
}

static void make_folder(void)
{
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.200s/onsale-fuzz-XXXXXX", parent && *parent ? parent : "/tmp");
    FUZZ_CHECK(mkdtemp(folder) != NULL); // 0700
    snprintf(path, sizeof path, "%s/k1.json", folder);
    file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FUZZ_CHECK(file >= 0 && atexit(remove_folder) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    if (file < 0)
        make_folder();
    FUZZ_CHECK(ftruncate(file, 0) == 0 && pwrite(file, data, bytes, 0) == (ssize_t)bytes);
    struct keyring keyring = {.key_count = 5};
    char problem[160] = "";
    int error = keyring_load(folder, &keyring, problem, sizeof problem);
    if (error) {
        FUZZ_CHECK(error == ERROR_INVALID && keyring.key_count == 5);
        FUZZ_CHECK(strncmp(problem, "k1.json: ", 9) == 0 && problem[9]);
        return 0;
    }
    FUZZ_CHECK(keyring.key_count == 1);
    const struct keyring_key *key = keyring_find(&keyring, "k1", 2);
    FUZZ_CHECK(key && strcmp(key->kid, "k1") == 0);
    FUZZ_CHECK(key->created_at >= 0 && key->created_at <= TIME_MAX && key->signs_from >= 0 &&
               key->signs_from <= TIME_MAX);
    FUZZ_CHECK(keyring_signing_key(&keyring, key->signs_from) == key);
    FUZZ_CHECK(!keyring_signing_key(&keyring, key->signs_from - 1));
    struct token token = {.event = "gala", .number = 1, .expires_at = 2}, read;
    char text[TOKEN_BYTES_MAX];
    const char *reason;
    FUZZ_CHECK(token_sign(&token, &keyring, key->signs_from, text) == 0);
    FUZZ_CHECK(token_verify(text, strlen(text), &keyring, 1, &read, &reason) == 0);
    return 0;
}
