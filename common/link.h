// SPDX-License-Identifier: Apache-2.0
// A thread's connections to MySQL and RabbitMQ: made when needed, given up when they fail, waited for with a growing
// delay, each failure said once, here. One thread's, but for has_db and has_bus, which any thread may load.
#ifndef COMMON_LINK_H
#define COMMON_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/backoff.h"
#include "common/bus.h"
#include "common/config.h"
#include "common/db.h"
#include "common/error.h"

struct link {
    const struct common_config *config;
    const char *program; // "notifier"
    const char *name; // of what the thread does, for the log: a queue, "relay", "sweeper"
    struct db *db;
    struct bus *bus;
    struct backoff db_backoff, bus_backoff;
    int said_db; // the error that was said; 0: none
    bool said_bus;
    int64_t db_at_ns, bus_at_ns; // not tried before
    int64_t bus_since_ns, db_pinged_ns;
    atomic_bool has_db, has_bus;
};

// Connects to nothing yet. The three are borrowed until link_done(), which closes what is open and may be called twice.
void link_init(struct link *link, const struct common_config *config, const char *program, const char *name);
void link_done(struct link *link);

// A connection to MySQL that answered not long ago, in `db`; call db_works or db_fails after what was done with it. Errors are db_open()'s; before the delay is over, ERROR_TRANSIENT at once.
int link_use_db(struct link *link) MUST_USE;
// MySQL did what it was asked to.
void link_db_works(struct link *link);
// It did not: says so once for each class of error, and delays the next try. Returns how many milliseconds to wait.
int64_t link_db_fails(struct link *link, const char *doing, int error);

// One attempt to connect to RabbitMQ, with publisher confirms, and to declare everything; nothing to do when there is a connection.
// Errors are said here: bus_open()'s and the declarations'; before the delay is over, ERROR_TRANSIENT at once.
int link_use_bus(struct link *link) MUST_USE;
void link_lose_bus(struct link *link, int error);

// How long nothing has to be tried, at most `milliseconds`.
int64_t link_wait_ms(const struct link *link, int64_t milliseconds);

#endif
