// SPDX-License-Identifier: Apache-2.0
// The operators' port, spoken to over real sockets; and addresses to listen on.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/address.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/ops.h"

static bool is_ready;
static struct metric asked = METRIC_COUNTER("onsale_asked_total", "Asked.");

static bool on_ready(void *context, struct buffer *missing)
{
    metric_add(context, 1);
    if (!is_ready)
        buffer_text(missing, "mysql: not connected\nkeys: none\n");
    return is_ready;
}

// A port that was free a moment ago.
static uint16_t free_port(void)
{
    int fd = -1;
    uint16_t port = 0;
    assert_int_equal(address_listen("127.0.0.1:0", 1, &fd, &port), 0);
    (void)close(fd);
    assert_true(port > 0);
    return port;
}

static int connect_to(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = 20}; // a test that hangs is no test
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    union {
        const struct sockaddr_in *in;
        const struct sockaddr *any;
    } address = {.in = &to};
    assert_int_equal(connect(fd, address.any, sizeof to), 0);
    return fd;
}

// Sends a request that closes the connection, and returns the whole answer.
static const char *ask(uint16_t port, const char *request_line, const char *rest)
{
    static char answer[65536];
    char request[512];
    int fd = connect_to(port);
    int bytes = snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s",
                         request_line, rest);
    assert_int_equal(send(fd, request, (size_t)bytes, MSG_NOSIGNAL), bytes);
    size_t got = 0;
    ssize_t n = 0;
    while ((n = recv(fd, answer + got, sizeof answer - 1 - got, 0)) > 0)
        got += (size_t)n;
    answer[got] = '\0';
    (void)close(fd);
    return answer;
}

static void assert_answer(const char *answer, const char *status, const char *part)
{
    if (strncmp(answer, status, strlen(status)) != 0 || !strstr(answer, part))
        fail_msg("not \"%s\" with \"%s\":\n%s", status, part, answer);
}

static void test_paths(void **state)
{
    (void)state;
    char address[32];
    uint16_t port = free_port();
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    struct ops *ops = NULL;
    metrics_register(&asked);
    assert_int_equal(ops_open(address, on_ready, &asked, &ops), 0);
    assert_non_null(ops);
    assert_answer(ask(port, "GET /healthz", "\r\n"), "HTTP/1.1 200 ", "\r\n\r\nok\n");
    is_ready = false;
    assert_answer(ask(port, "GET /readyz", "\r\n"), "HTTP/1.1 503 ", "\r\n\r\nmysql: not connected\nkeys: none\n");
    is_ready = true;
    assert_answer(ask(port, "GET /readyz", "\r\n"), "HTTP/1.1 200 ", "\r\n\r\nok\n");
    assert_answer(ask(port, "GET /metrics", "\r\n"), "HTTP/1.1 200 ", "\nonsale_asked_total 2\n");
    assert_answer(ask(port, "GET /metrics", "\r\n"), "HTTP/1.1 200 ", "Content-Type: text/plain; version=0.0.4");
    assert_answer(ask(port, "GET /", "\r\n"), "HTTP/1.1 404 ", "/metrics");
    assert_answer(ask(port, "GET /healthz/", "\r\n"), "HTTP/1.1 404 ", "");
    assert_answer(ask(port, "DELETE /healthz", "\r\n"), "HTTP/1.1 405 ", "Allow: GET, HEAD\r\n");
    assert_answer(ask(port, "POST /readyz", "Content-Length: 3\r\n\r\nabc"), "HTTP/1.1 405 ", "Allow: GET, HEAD\r\n");
    const char *head = ask(port, "HEAD /healthz", "\r\n");
    assert_answer(head, "HTTP/1.1 200 ", "Content-Length: 3\r\n");
    assert_string_equal(strstr(head, "\r\n\r\n"), "\r\n\r\n"); // no body
    ops_close(ops);
    ops_close(NULL);
}

// Somebody who holds all connections and says nothing does not hold up ops_close(), and one more is turned away.
static void test_silent_clients(void **state)
{
    (void)state;
    char address[32];
    uint16_t port = free_port();
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    struct ops *ops = NULL;
    assert_int_equal(ops_open(address, on_ready, &asked, &ops), 0);
    assert_answer(ask(port, "GET /healthz", "\r\n"), "HTTP/1.1 200 ", "ok\n");
    int silent[32];
    for (size_t i = 0; i < 32; i++)
        silent[i] = connect_to(port);
    ops_close(ops);
    for (size_t i = 0; i < 32; i++) {
        char byte = 0;
        assert_true(recv(silent[i], &byte, 1, 0) <= 0);
        (void)close(silent[i]);
    }
}

static void test_addresses(void **state)
{
    (void)state;
    struct ops *ops = NULL;
    assert_int_equal(ops_open("", on_ready, NULL, &ops), 0);
    assert_null(ops);
    assert_int_equal(ops_open(NULL, on_ready, NULL, &ops), 0);
    assert_null(ops);
    assert_int_equal(ops_open("8080", on_ready, NULL, &ops), ERROR_INVALID);
    assert_int_equal(ops_open("192.0.2.1:0", on_ready, NULL, &ops), ERROR_PERMANENT); // not this machine's (RFC 5737)
    int fd = -1;
    uint16_t port = 0;
    char address[32];
    assert_int_equal(address_listen("127.0.0.1:0", 1, &fd, &port), 0);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    assert_int_equal(ops_open(address, on_ready, NULL, &ops), ERROR_PERMANENT); // taken
    (void)close(fd);
    assert_null(ops);
}

static void test_splitting(void **state)
{
    (void)state;
    struct address address;
    assert_int_equal(address_split("[2001:db8::1]:8443", &address), 0);
    assert_string_equal(address.host, "2001:db8::1");
    assert_string_equal(address.port, "8443");
    assert_int_equal(address_split("db.example:0", &address), 0);
    assert_string_equal(address.host, "db.example");
    assert_string_equal(address.port, "0");
    assert_int_equal(address_split("db.example:70000", &address), ERROR_INVALID);
    assert_string_equal(address.host, "db.example");
    char long_name[300];
    memset(long_name, 'a', sizeof long_name);
    memcpy(long_name + 255, ":80", 4);
    assert_int_equal(address_split(long_name, &address), 0);
    memcpy(long_name + 255, "a:80", 5);
    assert_int_equal(address_split(long_name, &address), ERROR_INVALID);
}

int main(void)
{
    log_init("test_ops", LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_silent_clients),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_splitting),
    };
    return cmocka_run_group_tests_name("ops", tests, NULL, NULL);
}
