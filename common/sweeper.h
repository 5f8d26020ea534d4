// SPDX-License-Identifier: Apache-2.0
// The thread that publishes what stands in the outbox because its writer died, and makes up for what else a program may have
// died over. Several, in several processes, do not disturb each other.
#ifndef COMMON_SWEEPER_H
#define COMMON_SWEEPER_H

#include "common/config.h"
#include "common/db.h"
#include "common/error.h"
#include "common/metrics.h"
#include "common/stop.h"

struct sweeper;

struct sweeper_options {
    const struct common_config *config; // borrowed until sweeper_join(), as `program` is
    const char *program;
    int (*mend)(struct db *db); // done first in every round, outside a transaction; errors are db.h's. NULL: nothing
};

extern struct metric sweeper_swept; // messages that were published; the program registers it

// One round every two seconds until `stop` is asked for. ERROR_MEMORY, ERROR_PERMANENT (no thread).
int sweeper_start(const struct sweeper_options *options, const struct stop *stop, struct sweeper **ret) MUST_USE;
void sweeper_join(struct sweeper *sweeper); // after stop_ask(). Accepts NULL

#endif
