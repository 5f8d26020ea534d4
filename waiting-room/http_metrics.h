// SPDX-License-Identifier: Apache-2.0
// What the HTTP/2 server counts.
#ifndef WAITING_ROOM_HTTP_METRICS_H
#define WAITING_ROOM_HTTP_METRICS_H

#include "common/metrics.h"

// Why a connection or a request was cut short: the label `kind` of onsale_http_protocol_errors_total.
enum http_error_kind {
    HTTP_ERROR_NOT_HTTP2, // another protocol on the port
    HTTP_ERROR_FRAME, // a frame that RFC 9113 does not allow
    HTTP_ERROR_FLOOD, // pings, settings, empty frames, resets
    HTTP_ERROR_CONTINUATION_FLOOD,
    HTTP_ERROR_HEADERS_TOO_LARGE, // 431
    HTTP_ERROR_PATH_TOO_LONG, // 414
    HTTP_ERROR_BODY_TOO_LARGE, // 413
    HTTP_ERROR_TOO_MUCH_AT_ONCE, // 503: unfinished requests of one connection
    HTTP_ERROR_MALFORMED, // 400, 405 for CONNECT
    HTTP_ERROR_HANDSHAKE_TIME,
    HTTP_ERROR_REQUEST_TIME,
    HTTP_ERROR_STALL_TIME,
    HTTP_ERROR_KINDS
};

enum http_refusal { HTTP_REFUSED_CONNECTIONS, HTTP_REFUSED_ADDRESS, HTTP_REFUSED_DESCRIPTORS, HTTP_REFUSALS };
enum http_handshake { HTTP_HANDSHAKE_FULL, HTTP_HANDSHAKE_RESUMED, HTTP_HANDSHAKE_FAILED, HTTP_HANDSHAKES };

extern struct metric http_metric_connections, http_metric_streams;
extern struct metric http_metric_requests[5]; // by the status' first digit, from 1xx
extern struct metric http_metric_handshakes[HTTP_HANDSHAKES];
extern struct metric http_metric_refused[HTTP_REFUSALS];
extern struct metric http_metric_errors[HTTP_ERROR_KINDS];

void http_metrics_init(void); // registers them; more than once does no harm, but only before threads start
const char *http_error_kind_str(enum http_error_kind kind);

#endif
