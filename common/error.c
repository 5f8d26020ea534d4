// SPDX-License-Identifier: Apache-2.0
// The names of the error classes, for the log.
#include "common/error.h"

const char *error_str(int error)
{
    if (error == 0)
        return "ok";
    switch ((enum error)error) {
    case ERROR_TRANSIENT:
        return "transient";
    case ERROR_PERMANENT:
        return "permanent";
    case ERROR_DUPLICATE:
        return "duplicate";
    case ERROR_LIMIT:
        return "limit";
    case ERROR_INVALID:
        return "invalid";
    case ERROR_NOT_FOUND:
        return "not_found";
    case ERROR_CONFLICT:
        return "conflict";
    case ERROR_MEMORY:
        return "memory";
    case ERROR_BUG:
        return "bug";
    }
    return "unknown";
}
