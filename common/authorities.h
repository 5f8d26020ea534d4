// SPDX-License-Identifier: Apache-2.0
// A file with the certificates of those whose signature is believed, as the keys `tls_ca` name one: looked at before anything is connected to, so
// that a mistake is said at the start, and not as a handshake that fails again and again.
#ifndef COMMON_AUTHORITIES_H
#define COMMON_AUTHORITIES_H

#include <stddef.h>

#include "common/error.h"

// 0: a file that can be read, with a certificate in it (PEM). ERROR_INVALID: it is not, and `problem` says which file and why.
int authorities_check(const char *path, char *problem, size_t problem_bytes) MUST_USE;

#endif
