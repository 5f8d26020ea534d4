// SPDX-License-Identifier: Apache-2.0
// See secret_file.h.
#include "common/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_descriptor(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
}

static PRINTF_LIKE(4, 5) int refuse(int error, char *problem, size_t problem_bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(problem, problem_bytes, format, arguments);
    va_end(arguments);
    return error;
}

static int read_all(int descriptor, const char *path, char *text, size_t capacity, size_t *ret_bytes, char *problem,
                    size_t problem_bytes)
{
    size_t bytes = 0;
    while (bytes < capacity) {
        ssize_t got = read(descriptor, text + bytes, capacity - bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return refuse(ERROR_PERMANENT, problem, problem_bytes, "%s: %s", path, strerror(errno));
        if (got == 0)
            break;
        bytes += (size_t)got;
    }
    if (bytes == capacity) // no room for the NUL, and perhaps more to come
        return refuse(ERROR_INVALID, problem, problem_bytes, "%s: longer than %zu bytes", path, capacity - 1);
    if (memchr(text, '\0', bytes))
        return refuse(ERROR_INVALID, problem, problem_bytes, "%s: not a text", path);
    text[bytes] = '\0';
    *ret_bytes = bytes;
    return 0;
}

int secret_file_read(const char *path, char *ret, size_t capacity, size_t *ret_bytes, char *problem,
                     size_t problem_bytes)
{
    // Without O_NONBLOCK a pipe put there by mistake would hang us.
    int descriptor CLEANUP(close_descriptor) = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status) != 0)
        return refuse(ERROR_PERMANENT, problem, problem_bytes, "%s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return refuse(ERROR_INVALID, problem, problem_bytes, "%s: not a file", path);
    if (status.st_mode & (S_IRWXG | S_IRWXO))
        return refuse(ERROR_PERMANENT, problem, problem_bytes, "%s: open to group or others; it must have mode 0600",
                      path);
    int result = read_all(descriptor, path, ret, capacity, ret_bytes, problem, problem_bytes);
    if (result)
        OPENSSL_cleanse(ret, capacity);
    return result;
}
