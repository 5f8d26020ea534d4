// SPDX-License-Identifier: Apache-2.0
// Key files. Each is a JSON Web Key (RFC 7517) of type "oct" with two times more, named KID.json, so that any tool can
// read it. Writing goes through a hidden file beside it, so that nobody ever sees half a key.
#include "common/keyring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base64url.h"
#include "common/json.h"
#include "common/random.h"

#define KEY_FILE_BYTES_MAX 4096
#define KEY_FILE_NAME_BYTES (KEYRING_KID_BYTES + 16)
#define SUFFIX ".json"
#define TIME_MAX INT64_C(253402300799) // the end of the year 9999

static void say(char *problem, size_t problem_bytes, const char *format, ...) PRINTF_LIKE(3, 4);

static void say(char *problem, size_t problem_bytes, const char *format, ...)
{
    if (!problem || !problem_bytes)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, problem_bytes, format, arguments);
    va_end(arguments);
}

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
}

static void close_directory(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

// ---------------------------------------------------------------- reading

static bool kid_is_valid(const char *kid, size_t bytes)
{
    if (bytes == 0 || bytes >= KEYRING_KID_BYTES)
        return false;
    return strspn(kid, "abcdefghijklmnopqrstuvwxyz0123456789") >= bytes;
}

// Group and others may not even look: who reads a key can make himself any place in the line.
static bool is_private(const struct stat *status)
{
    return (status->st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

static int open_directory(const char *directory, int *ret, char *problem, size_t problem_bytes)
{
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        say(problem, problem_bytes, "%s: %s", directory, strerror(errno));
        return errno == ENOENT ? ERROR_NOT_FOUND : ERROR_PERMANENT;
    }
    struct stat status;
    if (fstat(descriptor, &status) != 0 || !is_private(&status)) {
        say(problem, problem_bytes, "%s: open to group or others; it must have mode 0700", directory);
        close(descriptor);
        return ERROR_PERMANENT;
    }
    *ret = descriptor;
    return 0;
}

// Reads the whole file into `text` (KEY_FILE_BYTES_MAX bytes).
static int read_file(int directory, const char *name, char *text, size_t *ret_bytes, char *problem,
                     size_t problem_bytes)
{
    // Without O_NONBLOCK a pipe put there by mistake would hang us.
    int descriptor CLEANUP(close_descriptor) = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status) != 0) {
        say(problem, problem_bytes, "%s: %s", name, strerror(errno));
        return ERROR_PERMANENT;
    }
    if (!S_ISREG(status.st_mode)) {
        say(problem, problem_bytes, "%s: not a file", name);
        return ERROR_INVALID;
    }
    if (!is_private(&status)) {
        say(problem, problem_bytes, "%s: readable by group or others; it must have mode 0600", name);
        return ERROR_PERMANENT;
    }
    size_t bytes = 0;
    while (bytes < KEY_FILE_BYTES_MAX) {
        ssize_t got = read(descriptor, text + bytes, KEY_FILE_BYTES_MAX - bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            say(problem, problem_bytes, "%s: %s", name, strerror(errno));
            return ERROR_PERMANENT;
        }
        if (got == 0)
            break;
        bytes += (size_t)got;
    }
    if (bytes == KEY_FILE_BYTES_MAX) {
        say(problem, problem_bytes, "%s: too long for a key", name);
        return ERROR_INVALID;
    }
    *ret_bytes = bytes;
    return 0;
}

static int parse_key(const char *name, const char *text, size_t text_bytes, struct keyring_key *ret, char *problem,
                     size_t problem_bytes)
{
    char reason[256] = "";
    json_t *object CLEANUP(json_cleanup) = NULL;
    if (json_read_object(text, text_bytes, KEY_FILE_BYTES_MAX, reason, sizeof(reason), &object)) {
        say(problem, problem_bytes, "%s: %s", name, reason);
        return ERROR_INVALID;
    }
    struct keyring_key key = {0};
    const char *kty = "", *alg = "", *kid = "", *secret = "";
    size_t secret_bytes = 0;
    const char *wrong = NULL;
    if (json_read_string(object, "kty", 16, &kty) || strcmp(kty, "oct") != 0)
        wrong = "kty must be oct";
    else if (json_read_string(object, "alg", 16, &alg) || strcmp(alg, "HS256") != 0)
        wrong = "alg must be HS256";
    else if (json_read_string(object, "kid", KEYRING_KID_BYTES, &kid) || !kid_is_valid(kid, strlen(kid)) ||
             strlen(name) != strlen(kid) + strlen(SUFFIX) || strncmp(name, kid, strlen(kid)) != 0)
        wrong = "kid must be the file's name without .json";
    else if (json_read_string(object, "k", 64, &secret) ||
             base64url_decode(secret, strlen(secret), key.secret, sizeof(key.secret), &secret_bytes) ||
             secret_bytes != sizeof(key.secret))
        wrong = "k must be 32 bytes in base64url";
    else if (json_read_integer(object, "created_at", 0, TIME_MAX, &key.created_at))
        wrong = "created_at must be seconds since 1970";
    else if (json_read_integer(object, "signs_from", 0, TIME_MAX, &key.signs_from))
        wrong = "signs_from must be seconds since 1970";
    if (wrong) {
        say(problem, problem_bytes, "%s: %s", name, wrong);
        OPENSSL_cleanse(&key, sizeof(key));
        return ERROR_INVALID;
    }
    memcpy(key.kid, kid, strlen(kid) + 1);
    *ret = key;
    OPENSSL_cleanse(&key, sizeof(key));
    return 0;
}

static int load_key(int directory, const char *name, struct keyring_key *ret, char *problem, size_t problem_bytes)
{
    char text[KEY_FILE_BYTES_MAX];
    size_t bytes = 0;
    int result = read_file(directory, name, text, &bytes, problem, problem_bytes);
    if (result == 0)
        result = parse_key(name, text, bytes, ret, problem, problem_bytes);
    OPENSSL_cleanse(text, sizeof(text));
    return result;
}

// Oldest first; by name among those of one second, so that every waiting room sees one order.
static int compare_keys(const void *left, const void *right)
{
    const struct keyring_key *a = left, *b = right;
    if (a->created_at != b->created_at)
        return a->created_at < b->created_at ? -1 : 1;
    return strcmp(a->kid, b->kid);
}

static int load_all(int directory, struct keyring *ret, char *problem, size_t problem_bytes)
{
    // A descriptor of its own, since closedir() closes it and reading moves its position.
    int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries CLEANUP(close_directory) = own >= 0 ? fdopendir(own) : NULL;
    if (!entries) {
        say(problem, problem_bytes, "cannot list the directory: %s", strerror(errno));
        if (own >= 0)
            close(own);
        return ERROR_PERMANENT;
    }
    ret->key_count = 0;
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (entry->d_name[0] == '.') // itself, its parent, and keys that are being written
            continue;
        if (ret->key_count == KEYRING_KEYS_MAX) {
            say(problem, problem_bytes, "more than %d keys", KEYRING_KEYS_MAX);
            return ERROR_INVALID;
        }
        int result = load_key(directory, entry->d_name, &ret->keys[ret->key_count], problem, problem_bytes);
        if (result)
            return result;
        ret->key_count++;
    }
    qsort(ret->keys, ret->key_count, sizeof(ret->keys[0]), compare_keys);
    return 0;
}

int keyring_load(const char *directory, struct keyring *ret, char *problem, size_t problem_bytes)
{
    int descriptor CLEANUP(close_descriptor) = -1;
    int result = open_directory(directory, &descriptor, problem, problem_bytes);
    if (result)
        return result;
    struct keyring keyring = {0};
    result = load_all(descriptor, &keyring, problem, problem_bytes);
    if (result == 0 && keyring.key_count == 0) {
        say(problem, problem_bytes, "%s: no key in it", directory);
        result = ERROR_NOT_FOUND;
    }
    if (result == 0)
        *ret = keyring;
    OPENSSL_cleanse(&keyring, sizeof(keyring));
    return result;
}

const struct keyring_key *keyring_signing_key(const struct keyring *keyring, int64_t now)
{
    for (size_t i = keyring->key_count; i-- > 0;) {
        if (keyring->keys[i].signs_from <= now)
            return &keyring->keys[i];
    }
    return NULL;
}

const struct keyring_key *keyring_find(const struct keyring *keyring, const char *kid, size_t kid_bytes)
{
    for (size_t i = 0; i < keyring->key_count; i++) {
        if (strlen(keyring->keys[i].kid) == kid_bytes && memcmp(keyring->keys[i].kid, kid, kid_bytes) == 0)
            return &keyring->keys[i];
    }
    return NULL;
}

// ---------------------------------------------------------------- writing

static int write_all(int descriptor, const char *text, size_t bytes)
{
    while (bytes) {
        ssize_t written = write(descriptor, text, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        text += written;
        bytes -= (size_t)written;
    }
    return 0;
}

static int errno_class(void)
{
    return errno == ENOSPC || errno == EDQUOT || errno == EINTR || errno == EMFILE || errno == ENFILE ? ERROR_TRANSIENT
                                                                                                      : ERROR_PERMANENT;
}

static int write_key(int directory, const struct keyring_key *key, char *problem, size_t problem_bytes)
{
    char name[KEY_FILE_NAME_BYTES], hidden[KEY_FILE_NAME_BYTES];
    snprintf(name, sizeof(name), "%s" SUFFIX, key->kid);
    snprintf(hidden, sizeof(hidden), ".%s.new", key->kid);
    char secret[BASE64URL_BYTES(KEYRING_SECRET_BYTES)];
    base64url_encode(key->secret, sizeof(key->secret), secret);
    char text[512];
    int bytes = snprintf(text, sizeof(text),
                         "{\n  \"kty\": \"oct\",\n  \"use\": \"sig\",\n  \"alg\": \"HS256\",\n  \"kid\": \"%s\",\n"
                         "  \"k\": \"%s\",\n  \"created_at\": %" PRId64 ",\n  \"signs_from\": %" PRId64 "\n}\n",
                         key->kid, secret, key->created_at, key->signs_from);
    int descriptor = openat(directory, hidden, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool written = descriptor >= 0 && fchmod(descriptor, 0600) == 0 &&
                   write_all(descriptor, text, (size_t)bytes) == 0 && fsync(descriptor) == 0 &&
                   renameat(directory, hidden, directory, name) == 0;
    int result = 0;
    if (!written) {
        result = errno_class();
        say(problem, problem_bytes, "%s: %s", name, strerror(errno));
        if (descriptor >= 0)
            unlinkat(directory, hidden, 0);
    }
    if (descriptor >= 0)
        close(descriptor);
    // The name must survive a power cut as well. If this fails the key is there all the same.
    if (written)
        (void)fsync(directory);
    OPENSSL_cleanse(text, sizeof(text));
    OPENSSL_cleanse(secret, sizeof(secret));
    return result;
}

// A key has nothing left to verify once another has signed for longer than any token lives. A file that cannot be removed
// now is removed by the next rotation.
static size_t remove_expired(int directory, struct keyring *keyring, int64_t now, int64_t lifetime_seconds)
{
    size_t kept = 0;
    for (size_t i = 0; i < keyring->key_count; i++) {
        bool is_expired = false;
        for (size_t later = i + 1; later < keyring->key_count; later++)
            is_expired = is_expired || keyring->keys[later].signs_from < now - lifetime_seconds;
        if (!is_expired) {
            keyring->keys[kept++] = keyring->keys[i];
            continue;
        }
        char name[KEY_FILE_NAME_BYTES];
        snprintf(name, sizeof(name), "%s" SUFFIX, keyring->keys[i].kid);
        (void)unlinkat(directory, name, 0);
    }
    return kept;
}

static void new_key(int64_t now, bool is_first, struct keyring_key *ret)
{
    uint8_t name[8];
    random_bytes(name, sizeof(name));
    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < sizeof(name); i++)
        snprintf(ret->kid + 2 * i, 3, "%02x", name[i]);
    random_bytes(ret->secret, sizeof(ret->secret));
    ret->created_at = now;
    ret->signs_from = is_first ? now : now + KEYRING_SIGNS_AFTER_SECONDS;
}

int keyring_rotate(const char *directory, int64_t now, int64_t lifetime_seconds, struct keyring_key *ret, char *problem,
                   size_t problem_bytes)
{
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        say(problem, problem_bytes, "%s: %s", directory, strerror(errno));
        return errno_class();
    }
    int descriptor CLEANUP(close_descriptor) = -1;
    int result = open_directory(directory, &descriptor, problem, problem_bytes);
    if (result)
        return result;
    // Two operators at once would otherwise both make the first key.
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        say(problem, problem_bytes, "%s: somebody else rotates the keys at this moment", directory);
        return ERROR_TRANSIENT;
    }
    struct keyring keyring = {0};
    struct keyring_key key = {0};
    result = load_all(descriptor, &keyring, problem, problem_bytes);
    if (result)
        goto out;
    size_t kept = remove_expired(descriptor, &keyring, now, lifetime_seconds);
    if (kept >= KEYRING_KEYS_MAX) {
        say(problem, problem_bytes, "%s: %d keys may still verify tokens; wait until the oldest has expired", directory,
            KEYRING_KEYS_MAX);
        result = ERROR_LIMIT;
        goto out;
    }
    new_key(now, keyring.key_count == 0, &key);
    result = write_key(descriptor, &key, problem, problem_bytes);
    if (result == 0)
        *ret = key;
out:
    OPENSSL_cleanse(&keyring, sizeof(keyring));
    OPENSSL_cleanse(&key, sizeof(key));
    return result;
}
