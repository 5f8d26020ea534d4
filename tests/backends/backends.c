// SPDX-License-Identifier: Apache-2.0
// See backends.h.
#include "tests/backends/backends.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/topology.h"

static struct common_config config;
static const struct config_table table = {.config = &config, .program = "booking-worker"};

int backends_begin(void **state)
{
    (void)state;
    struct buffer problems CLEANUP(buffer_done) = BUFFER_INIT;
    signal(SIGPIPE, SIG_IGN); // as every program does
    const char *path = config_find(NULL);
    if (!path || config_load(&table, path, &problems)) {
        fprintf(stderr, "no configuration in ONSALE_CONFIG: %s\n", problems.data ? problems.data : "none is named");
        return -1;
    }
    struct bus *bus = backends_bus();
    int result = topology_declare_queues(bus);
    bus_close(bus);
    return result;
}

int backends_end(void **state)
{
    (void)state;
    config_done(&table);
    return 0;
}

struct db *backends_db(void)
{
    struct db *db = NULL;
    const struct db_options options = {.config = &config, .program = "test"};
    assert_int_equal(db_open(&options, &db), 0);
    return db;
}

struct bus *backends_bus(void)
{
    struct bus *bus = NULL;
    const struct bus_options options = {.url = config.amqp_url, .name = "test"};
    assert_int_equal(bus_open(&options, true, &bus), 0);
    return bus;
}

void backends_publish(struct bus *bus, const char *queue, const char *text)
{
    const struct bus_message message = {
        .exchange = "",
        .routing_key = queue,
        .body = text,
        .body_bytes = strlen(text),
        .type = "mark",
        .persistent = true,
    };
    assert_int_equal(bus_publish(bus, &message, NULL), 0);
    assert_int_equal(bus_wait_confirms(bus, PATIENCE_MS), 0);
}

void backends_take(struct bus *bus, struct bus_delivery *ret)
{
    int64_t until_ns = clock_monotonic_ns() + PATIENCE_MS * INT64_C(1000000);
    int result = ERROR_NOT_FOUND;
    while (result == ERROR_NOT_FOUND && clock_monotonic_ns() < until_ns)
        result = bus_receive(bus, 500, ret);
    assert_int_equal(result, 0);
}

uint64_t backends_number(struct db *db, const char *sql)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    assert_int_equal(db_read(db, sql, NULL, 0, 1, &rows), 0);
    assert_int_equal(db_rows_count(rows), 1);
    return db_u64(rows, 0, 0);
}
