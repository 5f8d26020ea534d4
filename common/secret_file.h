// SPDX-License-Identifier: Apache-2.0
// Files with secrets in them: short, and readable by their owner alone.
#ifndef COMMON_SECRET_FILE_H
#define COMMON_SECRET_FILE_H

#include <stddef.h>

#include "common/error.h"

// Reads the whole file into `ret` (capacity bytes, with the NUL that is added). ERROR_PERMANENT when it cannot be read, or group or others
// may open it; ERROR_INVALID when it is no regular file, holds a NUL, or is longer. `problem` then begins with the path and never holds
// anything of what is in the file.
int secret_file_read(const char *path, char *ret, size_t capacity, size_t *ret_bytes, char *problem,
                     size_t problem_bytes) MUST_USE;

#endif
