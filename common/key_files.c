// SPDX-License-Identifier: Apache-2.0
// A key is written to a hidden file beside its own, which then takes its name: so nobody ever sees half a key.
#include "common/key_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/random.h"

#define NAME_BYTES (KEY_KID_BYTES + 16)
#define SUFFIX ".json"

void key_files_say(char *problem, size_t problem_bytes, const char *format, ...)
{
    if (!problem || !problem_bytes)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, problem_bytes, format, arguments);
    va_end(arguments);
}

void key_files_close(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
}

static void close_directory(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

static int errno_class(void)
{
    return errno == ENOSPC || errno == EDQUOT || errno == EINTR || errno == EMFILE || errno == ENFILE ? ERROR_TRANSIENT
                                                                                                      : ERROR_PERMANENT;
}

static bool kid_is_valid(const char *kid)
{
    size_t bytes = strlen(kid);
    return bytes > 0 && bytes < KEY_KID_BYTES && strspn(kid, "abcdefghijklmnopqrstuvwxyz0123456789") == bytes;
}

bool key_files_is_named(const char *file, const char *kid)
{
    return kid_is_valid(kid) && strlen(file) == strlen(kid) + strlen(SUFFIX) && strncmp(file, kid, strlen(kid)) == 0 &&
           strcmp(file + strlen(kid), SUFFIX) == 0;
}

void key_files_new_kid(char ret[static KEY_KID_BYTES])
{
    uint8_t name[8];
    random_bytes(name, sizeof(name));
    for (size_t i = 0; i < sizeof(name); i++)
        snprintf(ret + 2 * i, 3, "%02x", name[i]);
}

// ---------------------------------------------------------------- the directory

// Group and others may not even look: who reads a key can make himself any place in the line, and any ticket.
static bool is_private(const struct stat *status)
{
    return (status->st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

int key_files_open(const char *directory, int *ret, char *problem, size_t problem_bytes)
{
    int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        key_files_say(problem, problem_bytes, "%s: %s", directory, strerror(errno));
        return errno == ENOENT ? ERROR_NOT_FOUND : ERROR_PERMANENT;
    }
    struct stat status;
    if (fstat(descriptor, &status) != 0 || !is_private(&status)) {
        key_files_say(problem, problem_bytes, "%s: open to group or others; it must have mode 0700", directory);
        close(descriptor);
        return ERROR_PERMANENT;
    }
    *ret = descriptor;
    return 0;
}

int key_files_lock(const char *directory, int *ret, char *problem, size_t problem_bytes)
{
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        key_files_say(problem, problem_bytes, "%s: %s", directory, strerror(errno));
        return errno_class();
    }
    int descriptor = -1;
    int result = key_files_open(directory, &descriptor, problem, problem_bytes);
    if (result)
        return result;
    // Two operators at once would otherwise both make the first key.
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        key_files_say(problem, problem_bytes, "%s: somebody else rotates the keys at this moment", directory);
        close(descriptor);
        return ERROR_TRANSIENT;
    }
    *ret = descriptor;
    return 0;
}

// ---------------------------------------------------------------- reading

// Reads the whole file into `text` (KEY_FILE_BYTES_MAX bytes).
static int read_file(int directory, const char *name, char *text, size_t *ret_bytes, char *problem,
                     size_t problem_bytes)
{
    // Without O_NONBLOCK a pipe put there by mistake would hang us.
    int descriptor CLEANUP(key_files_close) = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status) != 0) {
        key_files_say(problem, problem_bytes, "%s: %s", name, strerror(errno));
        return ERROR_PERMANENT;
    }
    if (!S_ISREG(status.st_mode)) {
        key_files_say(problem, problem_bytes, "%s: not a file", name);
        return ERROR_INVALID;
    }
    if (!is_private(&status)) {
        key_files_say(problem, problem_bytes, "%s: readable by group or others; it must have mode 0600", name);
        return ERROR_PERMANENT;
    }
    size_t bytes = 0;
    while (bytes < KEY_FILE_BYTES_MAX) {
        ssize_t got = read(descriptor, text + bytes, KEY_FILE_BYTES_MAX - bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            key_files_say(problem, problem_bytes, "%s: %s", name, strerror(errno));
            return ERROR_PERMANENT;
        }
        if (got == 0)
            break;
        bytes += (size_t)got;
    }
    if (bytes == KEY_FILE_BYTES_MAX) {
        key_files_say(problem, problem_bytes, "%s: too long for a key", name);
        return ERROR_INVALID;
    }
    *ret_bytes = bytes;
    return 0;
}

static bool is_folder(int directory, const char *name)
{
    struct stat status;
    return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

int key_files_read_all(int directory, const char *but, key_files_taker *take, void *context, char *problem,
                       size_t problem_bytes)
{
    // A descriptor of its own, since closedir() closes it and reading moves its position.
    int own = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries CLEANUP(close_directory) = own >= 0 ? fdopendir(own) : NULL;
    if (!entries) {
        key_files_say(problem, problem_bytes, "cannot list the directory: %s", strerror(errno));
        key_files_close(&own);
        return ERROR_PERMANENT;
    }
    char text[KEY_FILE_BYTES_MAX];
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(entries));) {
        size_t bytes = 0;
        if (entry->d_name[0] == '.') // itself, its parent, and keys that are being written
            continue;
        if (but && strcmp(entry->d_name, but) == 0 && is_folder(directory, but))
            continue;
        result = read_file(directory, entry->d_name, text, &bytes, problem, problem_bytes);
        if (result == 0)
            result = take(context, entry->d_name, text, bytes, problem, problem_bytes);
    }
    OPENSSL_cleanse(text, sizeof(text));
    return result;
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

int key_files_write(int directory, const char *kid, const char *text, size_t bytes, char *problem, size_t problem_bytes)
{
    char name[NAME_BYTES], hidden[NAME_BYTES];
    snprintf(name, sizeof(name), "%s" SUFFIX, kid);
    snprintf(hidden, sizeof(hidden), ".%s.new", kid);
    int descriptor = openat(directory, hidden, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool written = descriptor >= 0 && fchmod(descriptor, 0600) == 0 && write_all(descriptor, text, bytes) == 0 &&
                   fsync(descriptor) == 0 && renameat(directory, hidden, directory, name) == 0;
    int result = 0;
    if (!written) {
        result = errno_class();
        key_files_say(problem, problem_bytes, "%s: %s", name, strerror(errno));
        if (descriptor >= 0)
            unlinkat(directory, hidden, 0);
    }
    key_files_close(&descriptor);
    // The name must survive a power cut as well. If this fails the key is there all the same.
    if (written)
        (void)fsync(directory);
    return result;
}

void key_files_remove(int directory, const char *kid)
{
    char name[NAME_BYTES];
    snprintf(name, sizeof(name), "%s" SUFFIX, kid);
    (void)unlinkat(directory, name, 0);
}
