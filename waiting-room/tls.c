// SPDX-License-Identifier: Apache-2.0
// The TLS context. See tls.h.
#include "waiting-room/tls.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

// TLS 1.2 with forward secrecy and AEAD only; the rest is on HTTP/2's list of prohibited suites (RFC 9113, 9.2.2).
static const char ciphers[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                              "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                              "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

static bool offers(const unsigned char *list, unsigned list_bytes, const char *protocol, const unsigned char **ret_name,
                   unsigned char *ret_name_bytes)
{
    size_t bytes = strlen(protocol);
    for (unsigned at = 0; at < list_bytes; at += 1U + list[at]) {
        if (list[at] == bytes && at + 1 + bytes <= list_bytes && memcmp(list + at + 1, protocol, bytes) == 0) {
            *ret_name = list + at + 1;
            *ret_name_bytes = list[at];
            return true;
        }
    }
    return false;
}

// "http/1.1" is agreed to only in order to tell such a client, in its own language, that it is not spoken here.
static int on_alpn(SSL *ssl, const unsigned char **name, unsigned char *name_bytes, const unsigned char *offered,
                   unsigned offered_bytes, void *argument)
{
    (void)ssl;
    (void)argument;
    if (offers(offered, offered_bytes, "h2", name, name_bytes) ||
        offers(offered, offered_bytes, "http/1.1", name, name_bytes))
        return SSL_TLSEXT_ERR_OK;
    return SSL_TLSEXT_ERR_NOACK;
}

static int fail(const char *what, const char *file, char *problem, size_t problem_bytes)
{
    // The first is the cause where the system refused something, the last what it means where the content is wrong.
    unsigned long first = ERR_peek_error(), code = ERR_peek_last_error();
    const char *reason = ERR_SYSTEM_ERROR(first) ? strerror(ERR_GET_REASON(first))
                         : code == 0             ? NULL
                                                 : ERR_reason_error_string(code);
    snprintf(problem, problem_bytes, "%s %s: %s", what, file, reason == NULL ? "cannot be used" : reason);
    ERR_clear_error();
    return ERROR_INVALID;
}

static void configure(SSL_CTX *context)
{
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
    // A partly written batch is tried again from another buffer, and an idle connection keeps no record buffers.
    SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    // Resumption is by tickets alone: the server's cache would be a lock that all loops share.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_timeout(context, 7200);
    SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
}

int tls_context_new(const char *certificate, const char *private_key, SSL_CTX **ret, char *problem,
                    size_t problem_bytes)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL) {
        snprintf(problem, problem_bytes, "no memory for a TLS context");
        return ERROR_MEMORY;
    }
    int error = 0;
    char groups[] = "X25519:P-256:P-384"; // OpenSSL's macro takes no constant
    configure(context);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 || SSL_CTX_set_cipher_list(context, ciphers) != 1 ||
        SSL_CTX_set1_groups_list(context, groups) != 1)
        error = fail("TLS of", "OpenSSL", problem, problem_bytes);
    else if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        error = fail("certificate", certificate, problem, problem_bytes);
    else if (SSL_CTX_use_PrivateKey_file(context, private_key, SSL_FILETYPE_PEM) != 1)
        error = fail("private key", private_key, problem, problem_bytes);
    else if (SSL_CTX_check_private_key(context) != 1)
        error = fail("the certificate does not belong to the private key", private_key, problem, problem_bytes);
    if (error != 0) {
        SSL_CTX_free(context);
        return error;
    }
    *ret = context;
    return 0;
}

bool tls_speaks_http2(const SSL *ssl)
{
    const unsigned char *name = NULL;
    unsigned bytes = 0;
    SSL_get0_alpn_selected(ssl, &name, &bytes);
    return bytes == 2 && memcmp(name, "h2", 2) == 0;
}
