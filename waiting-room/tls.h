// SPDX-License-Identifier: Apache-2.0
// The TLS side of the HTTP/2 server: one context from certificate and key, replaced as a whole when they are read
// again.
#ifndef WAITING_ROOM_TLS_H
#define WAITING_ROOM_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

// Reads a PEM chain and its key. The context speaks TLS 1.2 and 1.3 and is the caller's (SSL_CTX_free).
// ERROR_INVALID: files missing, unreadable, or not belonging together; `problem` says which and why.
int tls_context_new(const char *certificate, const char *private_key, SSL_CTX **ret, char *problem,
                    size_t problem_bytes) MUST_USE;

// Whether the handshake ended with "h2" (RFC 7301). Others get one line saying what this server speaks.
bool tls_speaks_http2(const SSL *ssl);

#endif
