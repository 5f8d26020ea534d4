// SPDX-License-Identifier: Apache-2.0
// See link.h. The session's wait_timeout frees the locks of a program that freezes inside a transaction, so an idle connection must
// be used now and then; that also shows in time that MySQL is gone.
#include "common/link.h"

#include <stddef.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/random.h"
#include "common/topology.h"

#define MS_NS INT64_C(1000000)
#define IO_TIMEOUT_SECONDS 5
#define LOCK_WAIT_TIMEOUT_SECONDS 2
#define WAIT_TIMEOUT_SECONDS 8 // longer than anything inside a transaction may take
#define PING_NS (2000 * MS_NS)
#define PROVED_NS (5000 * MS_NS) // a connection to RabbitMQ that lasted this long was a good one

void link_init(struct link *link, const struct common_config *config, const char *program, const char *name)
{
    *link = (struct link){
        .config = config,
        .program = program,
        .name = name,
        .db_backoff = {.first_ms = 20, .most_ms = 1000},
        .bus_backoff = {.first_ms = 100, .most_ms = 1000},
        .db_at_ns = INT64_MIN,
        .bus_at_ns = INT64_MIN,
    };
}

void link_done(struct link *link)
{
    bus_close(link->bus);
    db_close(link->db);
    link->bus = NULL;
    link->db = NULL;
    atomic_store(&link->has_bus, false);
    atomic_store(&link->has_db, false);
}

// ---------------------------------------------------------------- MySQL

static int connect_db(struct link *link)
{
    const struct db_options options = {
        .config = link->config,
        .program = link->program,
        .io_timeout_seconds = IO_TIMEOUT_SECONDS,
        .wait_timeout_seconds = WAIT_TIMEOUT_SECONDS,
        .lock_wait_timeout_seconds = LOCK_WAIT_TIMEOUT_SECONDS,
    };
    return link->db ? db_ensure(link->db) : db_open(&options, &link->db);
}

int link_use_db(struct link *link)
{
    int64_t now_ns = clock_monotonic_ns();
    if (now_ns < link->db_at_ns)
        return ERROR_TRANSIENT;
    int result = connect_db(link);
    if (result == 0 && now_ns - link->db_pinged_ns > PING_NS) {
        result = db_exec(link->db, "DO 1");
        // What was cut while nobody looked is simply made anew. Not where that took long: RabbitMQ must be served in between.
        if (result && !db_is_connected(link->db) && clock_monotonic_ns() - now_ns < MS_NS * 1000)
            result = db_ensure(link->db);
        link->db_pinged_ns = now_ns;
    }
    return result;
}

void link_db_works(struct link *link)
{
    link->db_at_ns = INT64_MIN;
    backoff_reset(&link->db_backoff);
    if (link->said_db)
        log_info("mysql_back", LOG_S("at", link->name));
    link->said_db = 0;
    atomic_store(&link->has_db, true);
}

int64_t link_db_fails(struct link *link, const char *doing, int error)
{
    const struct log_field fields[] = {
        LOG_S("at", link->name),
        LOG_S("doing", doing),
        LOG_S("error", error_str(error)),
        LOG_U("number", link->db ? db_errno(link->db) : 0),
        LOG_S("text", db_error_text(link->db)),
    };
    // Two at once may run into each other; trying again is all that is needed.
    bool is_collision =
        error == ERROR_TRANSIENT && link->db && db_is_connected(link->db) && link->db_backoff.failures < 2;
    if (!is_collision) {
        // Rights, a missing table: it will not pass by itself.
        enum log_level level = error == ERROR_TRANSIENT ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR;
        if (link->said_db != error)
            log_emit(level, "mysql_away", fields, sizeof(fields) / sizeof(fields[0]));
        link->said_db = error;
        atomic_store(&link->has_db, false);
    }
    int64_t wait_ms = backoff_next_ms(&link->db_backoff, random_u64());
    link->db_at_ns = clock_monotonic_ns() + wait_ms * MS_NS;
    return wait_ms;
}

// ---------------------------------------------------------------- RabbitMQ

int link_use_bus(struct link *link)
{
    if (link->bus)
        return 0;
    if (clock_monotonic_ns() < link->bus_at_ns)
        return ERROR_TRANSIENT;
    const struct bus_options options = {
        .url = link->config->amqp_url,
        .tls_ca = link->config->amqp_tls_ca,
        .name = link->program,
    };
    int result = bus_open(&options, true, &link->bus);
    if (result == 0)
        result = topology_declare(link->bus);
    if (result == 0)
        result = topology_declare_queues(link->bus);
    if (result) {
        link_lose_bus(link, result);
        return result;
    }
    link->bus_since_ns = clock_monotonic_ns();
    atomic_store(&link->has_bus, true);
    return 0;
}

void link_lose_bus(struct link *link, int error)
{
    // A broker whose memory is full accepts connections but no messages, so a connection alone proves nothing.
    if (link->bus && atomic_load(&link->has_bus) && clock_monotonic_ns() - link->bus_since_ns > PROVED_NS) {
        backoff_reset(&link->bus_backoff);
        link->said_bus = false;
    }
    if (!link->said_bus)
        log_warn("rabbitmq_away", LOG_S("at", link->name), LOG_S("error", error_str(error)),
                 LOG_S("text", bus_error_text(link->bus)));
    link->said_bus = true;
    bus_close(link->bus);
    link->bus = NULL;
    atomic_store(&link->has_bus, false);
    link->bus_at_ns = clock_monotonic_ns() + backoff_next_ms(&link->bus_backoff, random_u64()) * MS_NS;
}

int64_t link_wait_ms(const struct link *link, int64_t milliseconds)
{
    int64_t now_ns = clock_monotonic_ns(), at_ns = now_ns + milliseconds * MS_NS;
    if (!link->bus && link->bus_at_ns < at_ns)
        at_ns = link->bus_at_ns;
    return at_ns > now_ns ? (at_ns - now_ns + MS_NS - 1) / MS_NS : 0;
}
