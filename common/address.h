// SPDX-License-Identifier: Apache-2.0
// Addresses as they stand in the configuration, "127.0.0.1:8443", "[::1]:0", "localhost:80", and listening on them.
#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <stdint.h>

#include "common/error.h"

struct address {
    char host[256]; // without brackets
    char port[6]; // decimal, "0" … "65535"
};

// Splits HOST:PORT or [V6]:PORT. ERROR_INVALID for anything else: a host with other characters than a name or address
// has, IPv6 without brackets, a port that is missing, signed, or over 65535.
int address_split(const char *text, struct address *ret) MUST_USE;

// Resolves the host and listens: non-blocking, close-on-exec, SO_REUSEADDR. May wait for the resolver when the host is a
// name. The descriptor is the caller's; *ret_port is the port in use, also when 0 was asked for.
// ERROR_INVALID for an address that is none; ERROR_PERMANENT when it cannot be resolved or bound (errno says why, or 0).
int address_listen(const char *text, int backlog, int *ret_fd, uint16_t *ret_port) MUST_USE;

#endif
