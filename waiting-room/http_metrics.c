// SPDX-License-Identifier: Apache-2.0
// The metrics of the HTTP/2 server. See http_metrics.h.
#include "waiting-room/http_metrics.h"

#include <stdbool.h>

#define LABELLED(metric_name, label, help_text)                                               \
    {                                                                                         \
        .name = (metric_name), .labels = (label), .help = (help_text), .kind = METRIC_COUNTER \
    }

struct metric http_metric_connections = METRIC_GAUGE("onsale_http_connections", "Connections that are open.");
struct metric http_metric_streams =
    METRIC_GAUGE("onsale_http_streams", "Requests being received or answered, open event streams among them.");

#define REQUESTS(class) \
    LABELLED("onsale_http_requests_total", "status=\"" class "\"", "Answers given, by class of status.")
struct metric http_metric_requests[5] = {REQUESTS("1xx"), REQUESTS("2xx"), REQUESTS("3xx"), REQUESTS("4xx"),
                                         REQUESTS("5xx")};

#define HANDSHAKES(result) \
    LABELLED("onsale_http_tls_handshakes_total", "result=\"" result "\"", "TLS handshakes that ended.")
struct metric http_metric_handshakes[HTTP_HANDSHAKES] = {
    [HTTP_HANDSHAKE_FULL] = HANDSHAKES("full"),
    [HTTP_HANDSHAKE_RESUMED] = HANDSHAKES("resumed"),
    [HTTP_HANDSHAKE_FAILED] = HANDSHAKES("failed"),
};

#define REFUSED(reason) \
    LABELLED("onsale_http_connections_refused_total", "reason=\"" reason "\"", "Connections not served.")
struct metric http_metric_refused[HTTP_REFUSALS] = {
    [HTTP_REFUSED_CONNECTIONS] = REFUSED("connections"),
    [HTTP_REFUSED_ADDRESS] = REFUSED("address"),
    [HTTP_REFUSED_DESCRIPTORS] = REFUSED("descriptors"),
};

static const char *const kind_names[HTTP_ERROR_KINDS] = {
    [HTTP_ERROR_NOT_HTTP2] = "not_http2",
    [HTTP_ERROR_FRAME] = "frame",
    [HTTP_ERROR_FLOOD] = "flood",
    [HTTP_ERROR_CONTINUATION_FLOOD] = "continuation_flood",
    [HTTP_ERROR_HEADERS_TOO_LARGE] = "headers_too_large",
    [HTTP_ERROR_PATH_TOO_LONG] = "path_too_long",
    [HTTP_ERROR_BODY_TOO_LARGE] = "body_too_large",
    [HTTP_ERROR_TOO_MUCH_AT_ONCE] = "too_much_at_once",
    [HTTP_ERROR_MALFORMED] = "malformed",
    [HTTP_ERROR_HANDSHAKE_TIME] = "handshake_time",
    [HTTP_ERROR_REQUEST_TIME] = "request_time",
    [HTTP_ERROR_STALL_TIME] = "stall_time",
};

#define ERRORS(kind) \
    LABELLED("onsale_http_protocol_errors_total", "kind=\"" kind "\"", "Connections and requests that were cut short.")
struct metric http_metric_errors[HTTP_ERROR_KINDS] = {
    [HTTP_ERROR_NOT_HTTP2] = ERRORS("not_http2"),
    [HTTP_ERROR_FRAME] = ERRORS("frame"),
    [HTTP_ERROR_FLOOD] = ERRORS("flood"),
    [HTTP_ERROR_CONTINUATION_FLOOD] = ERRORS("continuation_flood"),
    [HTTP_ERROR_HEADERS_TOO_LARGE] = ERRORS("headers_too_large"),
    [HTTP_ERROR_PATH_TOO_LONG] = ERRORS("path_too_long"),
    [HTTP_ERROR_BODY_TOO_LARGE] = ERRORS("body_too_large"),
    [HTTP_ERROR_TOO_MUCH_AT_ONCE] = ERRORS("too_much_at_once"),
    [HTTP_ERROR_MALFORMED] = ERRORS("malformed"),
    [HTTP_ERROR_HANDSHAKE_TIME] = ERRORS("handshake_time"),
    [HTTP_ERROR_REQUEST_TIME] = ERRORS("request_time"),
    [HTTP_ERROR_STALL_TIME] = ERRORS("stall_time"),
};

void http_metrics_init(void)
{
    static bool registered;
    if (registered)
        return;
    registered = true;
    metrics_register(&http_metric_connections);
    metrics_register(&http_metric_streams);
    for (size_t i = 0; i < sizeof http_metric_requests / sizeof http_metric_requests[0]; i++)
        metrics_register(&http_metric_requests[i]);
    for (size_t i = 0; i < HTTP_HANDSHAKES; i++)
        metrics_register(&http_metric_handshakes[i]);
    for (size_t i = 0; i < HTTP_REFUSALS; i++)
        metrics_register(&http_metric_refused[i]);
    for (size_t i = 0; i < HTTP_ERROR_KINDS; i++)
        metrics_register(&http_metric_errors[i]);
}

const char *http_error_kind_str(enum http_error_kind kind)
{
    return kind_names[kind];
}
