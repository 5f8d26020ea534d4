// SPDX-License-Identifier: Apache-2.0
// Calls to other people's HTTP servers with libcurl: many at once on one thread, each bounded in time and bytes. It follows no redirects, uses
// no proxy and no .netrc, whatever the environment says, and verifies certificates and host names. A struct http_client belongs to one thread.
#ifndef COMMON_HTTP_CLIENT_H
#define COMMON_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define HTTP_CLIENT_CALLS_MAX 1024 // under way at once; each may need a connection of its own
#define HTTP_CLIENT_BODY_BYTES_MAX (1024 * 1024) // of an answer; a longer one is broken off
#define HTTP_CLIENT_HEADERS_MAX 16 // of a request
#define HTTP_CLIENT_PROBLEM_BYTES 160

struct http_client;

struct http_client_options {
    const char *ca_file; // PEM; NULL or "": the system's authorities
    int64_t connect_timeout_ms; // until the connection and TLS stand
    int64_t timeout_ms; // for all of it
};

// ERROR_MEMORY. Copies the options.
int http_client_open(const struct http_client_options *options, struct http_client **ret) MUST_USE;
// Gives up the calls that are under way; nobody is called any more. Not from within a callback.
void http_client_close(struct http_client *client); // accepts NULL

struct http_client_request {
    const char *method; // "GET", "POST"
    const char *url; // whole; http_client_check_url() holds
    const char *const *headers; // "Name: value"
    size_t header_count;
    const char *body; // of POST
    size_t body_bytes;
};

enum http_client_result {
    HTTP_CLIENT_ANSWERED, // whole: as many bytes as were announced
    HTTP_CLIENT_NOT_SENT, // nothing of the request has left: the server cannot have acted on it
    HTTP_CLIENT_LOST, // it was sent, at least in part, and there is no whole answer
};

struct http_client_answer {
    enum http_client_result result;
    int status; // also of LOST, if it came so far; else 0
    const char *body; // with a NUL behind it
    size_t body_bytes;
    char content_type[64]; // "": none, or too long
    int64_t retry_after_seconds; // -1: not said, or as a date
    bool is_replayed; // Idempotent-Replayed: true
    bool should_retry; // Stripe-Should-Retry: true
    char problem[HTTP_CLIENT_PROBLEM_BYTES]; // unless ANSWERED: why, for the log. UTF-8
};

typedef void http_client_answered(void *context, const struct http_client_answer *answer);

// Starts a call; everything is copied. `answered` is called once, from http_client_work(), and may begin other calls.
// ERROR_INVALID: an address or header that cannot be used; ERROR_LIMIT: HTTP_CLIENT_CALLS_MAX are under way; ERROR_MEMORY.
//
// Where a connection that was kept open turns out to be closed before a byte of the answer has come, libcurl sends the request once more over a new
// one, so a request may be sent twice: it must be one that is safe to repeat.
int http_client_begin(struct http_client *client, const struct http_client_request *request,
                      http_client_answered *answered, void *context) MUST_USE;
size_t http_client_in_flight(const struct http_client *client);

// Lets the calls go on, and calls back for those that are through; waits up to timeout_ms for that, or until `fd` (-1: none) can be read, or
// somebody wakes it.
void http_client_work(struct http_client *client, int timeout_ms, int fd);
void http_client_wake(struct http_client *client); // any thread

// An answer cannot be the one to its call: whoever sent it may have lost count, and would answer each call with what was meant for the one before.
// The connections that stand now are used by no further call.
void http_client_distrust(struct http_client *client);

// Whether secrets may be sent there: https, or http to this machine itself (127.0.0.0/8, [::1], localhost); no user or password in it, and a
// host. Pure. ERROR_INVALID with the reason in `problem` (may be NULL).
int http_client_check_url(const char *url, char *problem, size_t problem_bytes) MUST_USE;
// The same, for what paths are appended to: also without query, fragment, and slash at the end.
int http_client_check_base(const char *url, char *problem, size_t problem_bytes) MUST_USE;

#endif
