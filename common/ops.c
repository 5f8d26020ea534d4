// SPDX-License-Identifier: Apache-2.0
// The operators' port. It is for a supervisor and Prometheus: a few short connections, each with a deadline, so that
// nobody on it can take the program's memory or descriptors.
#include "common/ops.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/address.h"
#include "common/log.h"
#include "common/metrics.h"

#define CONNECTIONS_MAX 32u
#define CONNECTION_TIMEOUT_SECONDS 10u
#define CONNECTION_BYTES_MAX ((size_t)16 * 1024) // request line and headers
#define BACKLOG 32

#define TEXT_TYPE "text/plain; charset=utf-8"
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8" // Prometheus' text format

struct ops {
    struct MHD_Daemon *daemon;
    ops_ready_fn *ready;
    void *context;
};

// Sends the text, which is copied.
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              const struct buffer *text)
{
    // libmicrohttpd does not change what it is asked to copy, though its parameter has no const.
    struct MHD_Response *response =
        MHD_create_response_from_buffer(text->bytes, text->bytes > 0 ? text->data : NULL, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO; // closes the connection
    enum MHD_Result result = MHD_NO;
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
        (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
         MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES))
        result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

// Makes the answer to one request. Returns its status.
static unsigned route(struct ops *ops, const char *method, const char *path, struct buffer *text, const char **ret_type)
{
    *ret_type = TEXT_TYPE;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        buffer_text(text, "only GET and HEAD\n");
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    }
    if (strcmp(path, "/healthz") == 0) {
        buffer_text(text, "ok\n");
        return MHD_HTTP_OK;
    }
    if (strcmp(path, "/readyz") == 0) {
        struct buffer missing CLEANUP(buffer_done) = BUFFER_INIT;
        bool ready = ops->ready(ops->context, &missing);
        if (ready || missing.bytes == 0)
            buffer_text(text, ready ? "ok\n" : "not ready\n");
        buffer_append(text, missing.data, missing.bytes);
        return ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
    }
    if (strcmp(path, "/metrics") == 0) {
        *ret_type = METRICS_TYPE;
        metrics_write(text);
        return MHD_HTTP_OK;
    }
    buffer_text(text, "here are /healthz, /readyz and /metrics\n");
    return MHD_HTTP_NOT_FOUND;
}

// libmicrohttpd calls it when the headers are there, for each piece of a body, and at the end. The answer to GET and HEAD
// is given at the end; other methods are refused before any body of theirs is read.
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body, size_t *body_bytes,
                                  void **request)
{
    (void)version;
    (void)body;
    static char seen;
    bool reading = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (!*request && reading) {
        *request = &seen;
        return MHD_YES;
    }
    if (*body_bytes > 0)
        return MHD_NO; // nobody sends a body with GET in good faith
    struct buffer text = BUFFER_INIT;
    const char *type = TEXT_TYPE;
    unsigned status = route(context, method, path, &text, &type);
    if (text.failed) {
        buffer_clear(&text);
        status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        type = TEXT_TYPE;
    }
    enum MHD_Result result = answer(connection, status, type, &text);
    buffer_done(&text);
    return result;
}

int ops_open(const char *address, ops_ready_fn *ready, void *context, struct ops **ret)
{
    if (!address || *address == '\0') {
        *ret = NULL;
        return 0;
    }
    int fd = -1;
    uint16_t port = 0;
    int error = address_listen(address, BACKLOG, &fd, &port);
    if (error != 0)
        return error;
    struct ops *ops = malloc(sizeof *ops);
    if (!ops) {
        (void)close(fd);
        return ERROR_MEMORY;
    }
    *ops = (struct ops){.ready = ready, .context = context};
    // poll(2), because with select(2) descriptors over 1,023 would be refused, and a waiting room has many.
    ops->daemon = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, ops,
                                   MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                                   MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_TIMEOUT_SECONDS,
                                   MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES_MAX, MHD_OPTION_END);
    if (!ops->daemon) {
        (void)close(fd);
        free(ops);
        return ERROR_PERMANENT;
    }
    log_info("ops_listening", LOG_S("address", address), LOG_U("port", port));
    *ret = ops;
    return 0;
}

void ops_close(struct ops *ops)
{
    if (!ops)
        return;
    MHD_stop_daemon(ops->daemon); // closes the socket and waits for its thread
    free(ops);
}
