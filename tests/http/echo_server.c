// SPDX-License-Identifier: Apache-2.0
// A server with nothing but the HTTP/2 part of the waiting room, for its tests: it echoes, answers late, streams.
// Options are NAME=VALUE arguments; it prints a line of JSON with its ports when it is ready; SIGHUP reads the certificate
// again, SIGTERM drains.
//
//   GET  /small            a few bytes
//   GET  /large?BYTES      as many bytes
//   GET  /echo             what was understood of the request, as lines NAME=VALUE
//   POST /echo             the same and the body
//   GET  /late?MS          the same, MS milliseconds later
//   GET  /stream           an event stream: a frame whenever the news changed, always the newest only
//   GET  /count?N          a stream of N numbered lines, each after a sleep and a wake
//   POST /news             changes the news on every loop: the body
//   GET  /open             how many exchanges the handler has, of all loops
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/metrics.h"
#include "waiting-room/http.h"

#define NEWS_BYTES_MAX 1024

struct room {
    struct http_server *server;
    _Atomic int64_t exchanges;
};

struct visit {
    struct http_exchange *exchange;
    struct visit *next, *previous; // of the loop's streams
    bool streaming;
    uint64_t seen; // the number of the news that was sent last
    uint64_t left, at; // of /count
    uv_timer_t *timer;
    char *text; // of /late
};

struct desk { // a loop's
    struct visit *streams;
    uint64_t number;
    char news[NEWS_BYTES_MAX + 1];
};

static struct desk *desk_of(struct http_exchange *exchange)
{
    return http_loop_data(http_exchange_loop(exchange));
}

static void answer(struct http_exchange *exchange, int status, const char *text)
{
    const struct http_header headers[] = {{"content-type", "text/plain"}};
    http_respond(exchange, status, headers, 1, text, strlen(text));
}

static ptrdiff_t read_news(struct http_exchange *exchange, char *data, size_t size)
{
    struct visit *visit = http_data(exchange);
    const struct desk *desk = desk_of(exchange);
    if (http_loop_draining(http_exchange_loop(exchange)))
        return HTTP_STREAM_END;
    if (visit->seen == desk->number)
        return 0;
    int bytes = snprintf(data, size, "id: %" PRIu64 "\ndata: %s\n\n", desk->number, desk->news);
    if (bytes < 0 || (size_t)bytes >= size)
        return 0; // the window is too small just now; there will be more when it grows
    visit->seen = desk->number;
    return bytes;
}

static void on_count(uv_timer_t *timer)
{
    struct visit *visit = timer->data;
    if (visit != NULL)
        http_wake(visit->exchange);
}

static ptrdiff_t read_count(struct http_exchange *exchange, char *data, size_t size)
{
    struct visit *visit = http_data(exchange);
    if (visit->at == visit->left)
        return HTTP_STREAM_END;
    if (!uv_is_active((uv_handle_t *)visit->timer)) {
        uv_timer_start(visit->timer, on_count, 1, 0);
        visit->at++;
        int bytes = snprintf(data, size, "%" PRIu64 "\n", visit->at);
        return bytes > 0 && (size_t)bytes < size ? bytes : 0;
    }
    return 0;
}

static void on_late(uv_timer_t *timer)
{
    struct visit *visit = timer->data;
    if (visit != NULL)
        answer(visit->exchange, 200, visit->text);
}

static void start_timer(struct visit *visit)
{
    visit->timer = malloc(sizeof *visit->timer);
    if (visit->timer == NULL)
        abort();
    uv_timer_init(http_loop_uv(http_exchange_loop(visit->exchange)), visit->timer);
    visit->timer->data = visit;
}

struct announcement {
    uint64_t number;
    char text[NEWS_BYTES_MAX + 1];
};

static void announce(struct http_loop *loop, void *argument)
{
    struct announcement *announcement = argument;
    struct desk *desk = http_loop_data(loop);
    desk->number++;
    memcpy(desk->news, announcement->text, sizeof desk->news);
    free(announcement);
    for (struct visit *visit = desk->streams; visit != NULL; visit = visit->next)
        http_wake(visit->exchange);
}

static void post_news(struct http_exchange *exchange, const struct http_request *request)
{
    struct room *room = http_loop_context(http_exchange_loop(exchange));
    for (size_t i = 0; i < http_server_loop_count(room->server); i++) {
        struct announcement *announcement = calloc(1, sizeof *announcement);
        if (announcement == NULL)
            abort();
        snprintf(announcement->text, sizeof announcement->text, "%s", request->body);
        http_loop_post(http_server_loop(room->server, i), announce, announcement);
    }
    answer(exchange, 200, "told\n");
}

static void describe(const struct http_request *request, struct buffer *text)
{
#define SHOW(member) buffer_format(text, #member "=%s\n", request->member == NULL ? "(none)" : request->member)
    SHOW(method_name);
    SHOW(path);
    SHOW(query);
    SHOW(authority);
    SHOW(authorization);
    SHOW(cookie);
    SHOW(accept);
    SHOW(content_type);
    SHOW(origin);
    SHOW(sec_fetch_site);
    SHOW(accept_language);
    SHOW(forwarded_for);
    SHOW(address);
    SHOW(body);
#undef SHOW
    buffer_format(text, "body_bytes=%zu\n", request->body_bytes);
}

static void open_stream(struct http_exchange *exchange, struct visit *visit, http_read_fn *read)
{
    const struct http_header headers[] = {{"content-type", "text/event-stream"}, {"cache-control", "no-store"}};
    http_stream(exchange, 200, headers, 2, read);
    if (read != read_news)
        return;
    struct desk *desk = desk_of(exchange);
    visit->streaming = true;
    visit->next = desk->streams;
    if (desk->streams != NULL)
        desk->streams->previous = visit;
    desk->streams = visit;
}

static void answer_large(struct http_exchange *exchange, const char *query)
{
    size_t bytes = (size_t)strtoul(query, NULL, 10);
    char *body = malloc(bytes + 1);
    if (body == NULL)
        abort();
    memset(body, 'x', bytes);
    http_respond(exchange, 200, NULL, 0, body, bytes);
    free(body);
}

static void answer_text(struct http_exchange *exchange, struct visit *visit, const struct http_request *request)
{
    struct buffer text = BUFFER_INIT;
    describe(request, &text);
    if (strcmp(request->path, "/late") == 0) {
        start_timer(visit);
        visit->text = buffer_take(&text);
        uv_timer_start(visit->timer, on_late, strtoul(request->query, NULL, 10), 0);
    } else if (strcmp(request->path, "/open") == 0) {
        struct room *room = http_loop_context(http_exchange_loop(exchange));
        buffer_clear(&text);
        buffer_format(&text, "%" PRId64 "\n", atomic_load(&room->exchanges));
        answer(exchange, 200, text.data);
    } else if (strcmp(request->path, "/metrics") == 0) {
        buffer_clear(&text);
        metrics_write(&text);
        answer(exchange, 200, text.data);
    } else {
        answer(exchange, strcmp(request->path, "/echo") == 0 ? 200 : 404, text.data);
    }
    buffer_done(&text);
}

static void on_request(struct http_exchange *exchange, const struct http_request *request)
{
    struct room *room = http_loop_context(http_exchange_loop(exchange));
    atomic_fetch_add(&room->exchanges, 1);
    struct visit *visit = calloc(1, sizeof *visit);
    if (visit == NULL)
        abort();
    visit->exchange = exchange;
    http_set_data(exchange, visit);
    if (strcmp(request->path, "/small") == 0) {
        answer(exchange, 200, "Hello.\n");
    } else if (strcmp(request->path, "/large") == 0) {
        answer_large(exchange, request->query);
    } else if (strcmp(request->path, "/stream") == 0) {
        open_stream(exchange, visit, read_news);
    } else if (strcmp(request->path, "/count") == 0) {
        start_timer(visit);
        visit->left = strtoul(request->query, NULL, 10);
        open_stream(exchange, visit, read_count);
    } else if (strcmp(request->path, "/news") == 0) {
        post_news(exchange, request);
    } else {
        answer_text(exchange, visit, request);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_closed(struct http_exchange *exchange)
{
    struct room *room = http_loop_context(http_exchange_loop(exchange));
    struct visit *visit = http_data(exchange);
    if (visit->streaming) {
        if (visit->previous == NULL)
            desk_of(exchange)->streams = visit->next;
        else
            visit->previous->next = visit->next;
        if (visit->next != NULL)
            visit->next->previous = visit->previous;
    }
    if (visit->timer != NULL) {
        visit->timer->data = NULL;
        uv_close((uv_handle_t *)visit->timer, on_timer_closed);
    }
    free(visit->text);
    free(visit);
    atomic_fetch_sub(&room->exchanges, 1);
}

static void *on_start(struct http_loop *loop)
{
    (void)loop;
    struct desk *desk = calloc(1, sizeof *desk);
    if (desk == NULL)
        abort();
    desk->number = 1;
    snprintf(desk->news, sizeof desk->news, "first");
    return desk;
}

static void on_stop(struct http_loop *loop, void *data)
{
    (void)loop;
    free(data);
}

static const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
    size_t bytes = strlen(name);
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], name, bytes) == 0 && argv[i][bytes] == '=')
            return argv[i] + bytes + 1;
    return otherwise;
}

static int64_t number(int argc, char **argv, const char *name, const char *otherwise)
{
    return strtoll(option(argc, argv, name, otherwise), NULL, 10);
}

int main(int argc, char **argv)
{
    log_init("http-echo", LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT);
    struct room room = {0};
    struct http_server_options options = {
        .listen = option(argc, argv, "listen", ""),
        .listen_cleartext = option(argc, argv, "listen_cleartext", ""),
        .certificate = option(argc, argv, "certificate", ""),
        .private_key = option(argc, argv, "private_key", ""),
        .trusted_proxies = option(argc, argv, "trusted_proxies", ""),
        .threads = number(argc, argv, "threads", "2"),
        .connections_max = number(argc, argv, "connections_max", "5000"),
        .connections_per_address_max = number(argc, argv, "connections_per_address_max", "0"),
        .idle_seconds = number(argc, argv, "idle_seconds", "60"),
        .handshake_seconds = number(argc, argv, "handshake_seconds", "0"),
        .request_seconds = number(argc, argv, "request_seconds", "0"),
        .stall_seconds = number(argc, argv, "stall_seconds", "0"),
        .drain_notice_ms = number(argc, argv, "drain_notice_ms", "0"),
        .handler = {.request = on_request, .closed = on_closed},
        .context = &room,
    };
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);

    char problem[256];
    if (http_server_open(&options, on_start, on_stop, &room.server, problem, sizeof problem) != 0) {
        fprintf(stderr, "%s\n", problem);
        return 2;
    }
    printf("{\"tls\": %u, \"cleartext\": %u}\n", http_server_port(room.server, true),
           http_server_port(room.server, false));
    fflush(stdout);
    int signal_number;
    while (sigwait(&signals, &signal_number) == 0 && signal_number == SIGHUP) {
        if (http_server_reload(room.server, problem, sizeof problem) == 0)
            printf("reloaded\n");
        else
            printf("%s\n", problem);
        fflush(stdout);
    }
    http_server_close(room.server, number(argc, argv, "drain_ms", "3000"));
    int64_t left = atomic_load(&room.exchanges);
    if (left != 0)
        fprintf(stderr, "%" PRId64 " exchanges were never closed\n", left);
    return left == 0 ? 0 : 1;
}
