// SPDX-License-Identifier: Apache-2.0
// See authorities.h.
#include "common/authorities.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int authorities_check(const char *path, char *problem, size_t problem_bytes)
{
    struct stat status;
    const char *why = NULL;
    // A pipe put there by mistake would hang us.
    if (stat(path, &status) != 0 || access(path, R_OK) != 0)
        why = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        why = "not a file";
    if (!why) {
        X509_STORE *store = X509_STORE_new();
        if (!store || X509_STORE_load_file(store, path) != 1)
            why = "no certificate in it that can be used (PEM)";
        X509_STORE_free(store);
        ERR_clear_error();
    }
    if (!why)
        return 0;
    (void)snprintf(problem, problem_bytes, "%s: %s", path, why);
    return ERROR_INVALID;
}
